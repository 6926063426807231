# SPDX-License-Identifier: GPL-2.0-or-later
"""Each module imports only from those before it, and the faces never import one another."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "python/mxbackup"

# A module imports only from the lines above its own, and from those before it in its line.
LAYERS = (
    "errors printable names localmail rules",
    "cdb delivery commands files esmithdb settings policies render replies",
    "clock dnsquery dnscheck interfaces mtasts smtpprobe",
    "expansion host lexicon terminal states",
    "queue",
    "entries controlfiles tables oldcontrib importers merging",
    "lint qpsmtpdplugin qmailcontrol readers memory recipientlists recipients wording",
    "facts dnsfindings mailfindings contacts inquiry checks",
    "journal asking envoy learning probing reporting remembering",
    "outcomes removals mailfiles service",
)
FACES = {"cli", "panel", "actions"}
# Starts one of the faces, and nothing imports it.
ENTRY = "__main__"
ORDER = tuple(name for line in LAYERS for name in line.split())


def unit(parts: tuple[str, ...]) -> str:
    """The module or, for what lies in a package below ours, that package."""
    return parts[0].removesuffix(".py")


def imports(source: str) -> Iterator[str]:
    """Yield the units of ours that a module imports anywhere in it, also in functions and for type checking."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module="mxbackup", level=0, names=names):
                modules = [f"mxbackup.{alias.name}" for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                modules = [module]
            case ast.ImportFrom():
                raise AssertionError(f"line {node.lineno}: a relative import")
            case _:
                continue
        for module in modules:
            package, _, rest = module.partition(".")
            if package == "mxbackup" and rest and not rest.startswith("__version__"):
                yield rest.partition(".")[0]


FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_module_imports_only_from_those_before_it(file: Path) -> None:
    mine = unit(file.parts)
    assert mine in (*ORDER, *FACES, ENTRY), f"{mine} has no place in LAYERS: say what it may import"
    used = set(imports((PACKAGE / file).read_text())) - {mine}
    allowed = set(ORDER[: ORDER.index(mine)]) if mine in ORDER else set(ORDER) | (FACES if mine == ENTRY else set())
    assert used <= allowed


def test_every_module_of_the_layers_is_there() -> None:
    assert {unit(file.parts) for file in FILES} == {*ORDER, *FACES, ENTRY}


def test_no_module_stands_in_the_layers_twice() -> None:
    assert all(one != other for one, other in pairwise(sorted(ORDER)))


def test_imports_are_found_wherever_they_stand() -> None:
    source = """
import json, mxbackup.names
from mxbackup import __version__, host, rules as r
from mxbackup.cli.common import _
if TYPE_CHECKING:
    from mxbackup.service import Service
def late():
    import mxbackup.panel.pages
    from mxbackup.render import TARGETS
"""
    assert sorted(imports(source)) == ["cli", "host", "names", "panel", "render", "rules", "service"]


def test_a_relative_import_is_refused() -> None:
    with pytest.raises(AssertionError):
        list(imports("from . import names"))
