#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write docs/mxbackup.schema.json, and docs/json.md in English and French, of the types in mxbackup.cli.documents.

usage: PYTHONPATH=python:. tools/documents.py
"""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import jinja2

from mxbackup.cli.documents import DOCUMENTS, WITH_PROPERTIES, Told
from mxbackup.errors import Sentence
from mxbackup.rules import PROPERTIES, About, Rule
from tools import findings, words

TEMPLATE = Path(__file__).with_name("json.md.j2")
SCHEMA = words.TOP / "docs/mxbackup.schema.json"
FILES: Mapping[str, Path] = {"en": words.TOP / "docs/json.md", "fr": words.TOP / "docs/json.fr.md"}
SIMPLE: Mapping[type, str] = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}


class Key(NamedTuple):
    """A key of an object: its type, what it tells, and whether it is always there."""

    name: str
    type: Any
    sentence: Sentence
    always: bool


def keys(kind: type) -> Iterator[Key]:
    """Yield the keys of a type of object."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        always = get_origin(hint) is not NotRequired
        said = hint if always else get_args(hint)[0]
        told = next(extra for extra in get_args(said) if isinstance(extra, Told))
        yield Key(name, get_args(said)[0], told.sentence, always)
    if kind in WITH_PROPERTIES:
        types = get_type_hints(Rule)
        for prop in PROPERTIES:
            if prop.about != About.RECIPIENTS:
                yield Key(prop.name, types[prop.name], prop.help, always=True)


def kinds() -> list[type]:
    """Return every type of object: the documents, and what they hold, in the order that they are met."""
    found: dict[type, None] = dict.fromkeys(DOCUMENTS.values())
    queue = [*found]
    for kind in queue:
        for inner in (inner for key in keys(kind) for inner in _objects(key.type) if inner not in found):
            found[inner] = None
            queue.append(inner)
    return [*found]


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of all documents."""
    names = {kind: name for name, kind in DOCUMENTS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What mxbackup --json prints",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in DOCUMENTS],
        "$defs": {names.get(kind, kind.__name__): _object(kind) for kind in kinds()},
    }


def page(language: str) -> str:
    """Return the page in one of the languages of FILES."""
    said = findings.translator(language)
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown of our own sentences
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(_=said, keys=keys, shown=_shown)
    objects = [kind for kind in kinds() if kind not in DOCUMENTS.values()]
    return environment.from_string(TEMPLATE.read_text()).render(documents=DOCUMENTS, objects=objects)


def _objects(hint: Any) -> Iterator[type]:
    if is_typeddict(hint):
        yield hint
    for inner in get_args(hint):
        yield from _objects(inner)


def _object(kind: type) -> dict[str, Any]:
    found = list(keys(kind))
    return {
        "description": (kind.__doc__ or "").strip(),
        "type": "object",
        "properties": {key.name: {"description": key.sentence, **_type(key.type)} for key in found},
        "required": [key.name for key in found if key.always],
        "additionalProperties": False,
    }


def _type(hint: Any) -> dict[str, Any]:
    """The schema of a type."""
    origin, inner = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if origin in (Union, UnionType):
        return {"anyOf": [_type(one) for one in inner]}
    if origin is Literal:
        return {"const": inner[0]} if len(inner) == 1 else {"enum": list(inner)}
    if origin is list:
        return {"type": "array", "items": _type(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(inner[1])}
    if issubclass(hint, StrEnum):
        return {"enum": [one.value for one in hint]}
    return {"type": SIMPLE[hint]}


def _shown(hint: Any) -> str:
    """A type as the page has it."""
    origin, inner = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if origin in (Union, UnionType):
        return ", ".join(map(_shown, inner))
    if origin is Literal:
        return ", ".join(f"`{json.dumps(one)}`" for one in inner)
    if origin is list:
        return f"[ {_shown(inner[0])} ]"
    if origin is dict:
        return f"{{ {_shown(inner[1])} }}"
    if issubclass(hint, StrEnum):
        return ", ".join(f'`"{one.value}"`' for one in hint)
    return SIMPLE[hint]


def main() -> None:
    """Write all files."""
    SCHEMA.write_text(json.dumps(schema(), indent=1) + "\n")
    for language, path in FILES.items():
        path.write_text(page(language))


if __name__ == "__main__":
    main()
