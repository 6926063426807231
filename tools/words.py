#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Take every sentence that a user may be told into the catalogues, python/mxbackup/locale/LANGUAGE.

usage: tools/words.py [LANGUAGE]

Updates all catalogues, and begins that of LANGUAGE (such as it) when there is none. Prints what is left for a
translator to do. Exit status 1 then.
"""

import ast
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Formatter
from typing import IO, Any

import click
from babel.messages import Catalog, Message, extract
from babel.messages.pofile import read_po, write_po

TOP = Path(__file__).resolve().parent.parent
LOCALE = TOP / "python/mxbackup/locale"
SENTENCE = "Sentence"


class Places:
    """Where sentences are given: all parameters of functions and fields of classes that are declared Sentence."""

    def __init__(self, trees: Iterable[ast.Module]) -> None:
        self.names: dict[str, list[str]] = {}
        nodes = [node for tree in trees for node in ast.walk(tree)]
        classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
        for node in nodes:
            if isinstance(node, ast.FunctionDef):
                self._add(node.name, node.args.posonlyargs + node.args.args)
        for kind in classes:
            self._add(kind.name, _parameters(kind))
        for _ in classes:  # as deep as inheritance can be
            for kind in classes:
                for base in kind.bases:
                    if isinstance(base, ast.Name) and kind.name not in self.names and base.id in self.names:
                        self.names[kind.name] = self.names[base.id]
        for node in nodes:  # _ = words.text
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute) and node.value.attr in self.names:
                self.names.update({ast.unparse(target): self.names[node.value.attr] for target in node.targets})

    def given(self, call: ast.Call) -> Iterator[ast.expr]:
        """Yield the arguments of a call that are sentences."""
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        parameters = self.names.get(name, [])
        yield from (value for value, parameter in zip(call.args, parameters, strict=False) if parameter)
        yield from (keyword.value for keyword in call.keywords if keyword.arg and keyword.arg in parameters)

    def _add(self, name: str, parameters: Sequence[ast.arg | ast.AnnAssign]) -> None:
        """Note the names of the parameters in their order, empty for what is no sentence."""
        said = [_name(parameter) if _is_sentence(parameter.annotation) else "" for parameter in parameters]
        if any(said):
            self.names[name] = said[1:] if _name(parameters[0]) == "self" else said


def _parameters(kind: ast.ClassDef) -> Sequence[ast.arg | ast.AnnAssign]:
    """What makes an object of the class: the parameters of its __init__, or its fields."""
    for node in kind.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return node.args.posonlyargs + node.args.args
    return [node for node in kind.body if isinstance(node, ast.AnnAssign)]


def _name(parameter: ast.arg | ast.AnnAssign) -> str:
    return parameter.arg if isinstance(parameter, ast.arg) else ast.unparse(parameter.target)


def _is_sentence(annotation: ast.expr | None) -> bool:
    return annotation is not None and any(
        isinstance(node, ast.Name) and node.id == SENTENCE for node in ast.walk(annotation)
    )


def sentences(tree: ast.Module, places: Places) -> Iterator[ast.Constant]:
    """Yield every sentence in a module: given as one, kept in what is declared as one, or returned as one."""
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                for argument in places.given(node):
                    yield from _texts(argument)
            case ast.AnnAssign(annotation=declared, value=ast.expr() as value) if _is_sentence(declared):
                for kept in _kept(declared, value):
                    yield from _texts(kept)
            case ast.FunctionDef() if _is_sentence(node.returns):
                for found in ast.walk(node):
                    if isinstance(found, ast.Return) and found.value:
                        yield from _texts(found.value)


def _kept(declared: ast.expr, value: ast.expr) -> Iterator[ast.expr]:
    """The value itself, or of a dictionary its keys, its values or both."""
    match declared, value:
        case ast.Subscript(slice=ast.Tuple(elts=[of_keys, of_values])), ast.Dict(keys=keys, values=values):
            yield from (key for key in keys if key and _is_sentence(of_keys))
            yield from (entry for entry in values if _is_sentence(of_values))
        case _:
            yield value


def _texts(expression: ast.expr) -> Iterator[ast.Constant]:
    """The text itself, those of a choice, or all in a list. What a call is given is not said by the caller."""
    match expression:
        case ast.Constant(value=str() as text) if text:
            yield expression
        case ast.IfExp():
            yield from (*_texts(expression.body), *_texts(expression.orelse))
        case ast.Tuple() | ast.List() | ast.Set():
            yield from (text for element in expression.elts for text in _texts(element))
        case ast.Call(func=ast.Name(id="frozenset"), args=[listed]):
            yield from _texts(listed)


def template() -> Catalog:
    """Return the catalogue of all sentences, without translations: ours, and what click says itself."""
    places = Places(ast.parse(path.read_text()) for path in sorted((TOP / "python").rglob("*.py")))

    def ours(file: IO[bytes], *_: object, options: object) -> Iterator[tuple[int, str, str, list[str]]]:
        for text in sentences(ast.parse(file.read()), places):
            yield text.lineno, "_", str(text.value), []

    catalogue = Catalog(project="mxbackup", charset="utf-8")
    _extract(catalogue, TOP / "python", [("**.py", ours), ("**.html", "jinja2"), ("**/letter/*.j2", "jinja2")])
    _extract(catalogue, TOP / "tools", [("finish-install", ours), ("**.j2", "jinja2")])
    _extract(catalogue, Path(click.__file__).parent, [("**.py", "python")])
    return catalogue


def _extract(catalogue: Catalog, directory: Path, methods: list[tuple[str, Any]]) -> None:
    options = {pattern: {"silent": "false"} for pattern in ("**.html", "**.j2", "**/letter/*.j2")}
    for name, _, message, *_ in extract.extract_from_dir(directory, methods, options):
        first = message if isinstance(message, str) else message[0]
        if _without_placeholders(first):
            place = f"{directory.name}/{name}"
            catalogue.add(message, locations=[(place, 0)], flags=["python-brace-format"] * ("{" in first))


def _without_placeholders(sentence: str) -> str:
    return "".join(text for text, *_ in Formatter().parse(sentence))


def catalogues() -> dict[str, Path]:
    """Return the file of each language."""
    return {path.parts[-3]: path for path in sorted(LOCALE.glob("*/LC_MESSAGES/mxbackup.po"))}


def read(path: Path) -> Catalog:
    """Return the catalogue of a language as it is on disk."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], charset="utf-8")


def update(path: Path, sentences: Catalog) -> bytes:
    """Return the catalogue with exactly these sentences. New ones get a translation of a similar one, as fuzzy."""
    catalogue = read(path) if path.exists() else _begun(path.parts[-3])
    sentences.creation_date = catalogue.creation_date  # no change of its own
    catalogue.update(sentences)
    return written(catalogue)


def written(catalogue: Catalog) -> bytes:
    """Return the catalogue as a file: sorted, a line for each text."""
    content = io.BytesIO()
    write_po(content, catalogue, width=0, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return content.getvalue()


def _begun(language: str) -> Catalog:
    comment = f"# MX backup in the language {language}. Nobody whose mother tongue it is has read this yet."
    return Catalog(language, project="mxbackup", charset="utf-8", fuzzy=False, header_comment=comment)


def untranslated(catalogue: Catalog) -> list[Message]:
    """Return the messages for which a translator has something to do."""
    return [message for message in catalogue if message.id and (message.fuzzy or not all(translations(message)))]


def translations(message: Message) -> tuple[str, ...]:
    """Return the translation of a message, or of each of its plural forms."""
    return message.string if isinstance(message.string, tuple) else (str(message.string),)


def originals(message: Message) -> tuple[str, ...]:
    """Return the sentence, or singular and plural."""
    return tuple(message.id) if isinstance(message.id, list | tuple) else (str(message.id),)


def main() -> int:
    """Update all catalogues, and report on them."""
    sentences, left = template(), 0
    for language in {*catalogues(), *sys.argv[1:]}:
        path = LOCALE / language / "LC_MESSAGES/mxbackup.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(update(path, sentences))
        for message in untranslated(read(path)):
            left += 1
            print(f"{path.relative_to(TOP)}: {'fuzzy' if message.fuzzy else 'missing'}: {message.id}")
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main())
