# SPDX-License-Identifier: GPL-2.0-or-later
"""Filling in the templates of mail files. Loading Jinja2 takes longer than all else that an event does in Python.

So Jinja2 translates them to modules when the package is built (tools/finish-install); here is what those import instead
of it. In a checkout there are none, and Jinja2 fills in the template. Tests hold both to the same text.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from mxbackup.errors import RenderError

if TYPE_CHECKING:
    import jinja2

missing = object()
Undefined = None  # named in every module, for conditional expressions without `else`, which no template has


def fill_in(name: str, **values: object) -> str:
    """Return the text of the template `NAME.j2`. Raises RenderError when it asks for a value that is not given."""
    try:
        module = import_module(f"mxbackup.templates.{name}")
    except ModuleNotFoundError:
        return _by_jinja(name, values)
    try:
        return run(module.root, values)
    except LookupError as error:
        raise _cannot(name, error) from error


def run(root: Callable[[Any], Iterable[str]], values: Mapping[str, object]) -> str:
    """Return the text that the function `root` of a translated template makes. Raises LookupError like `fill_in`."""
    return "".join(root(_Context(values)))


def translate(name: str) -> str:
    """Return the source of a module that does what the template `NAME.j2` says."""
    from importlib.resources import files

    environment = _environment()
    text = (files("mxbackup") / "templates" / f"{name}.j2").read_text("utf-8")
    imports, _, rest = environment.compile(text, f"{name}.j2", raw=True).partition("\n")
    if not imports.startswith("from jinja2.runtime import "):
        raise ValueError(f"Jinja2 translates templates in another way than it did: {imports}")
    return f"from mxbackup.targets.templates import Undefined, environment, missing, str_join\n{rest}"


class _Context:
    """What a translated template asks for the values given to it."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def resolve_or_missing(self, name: str) -> object:
        return self._values.get(name, missing)

    @staticmethod
    def call(function: Callable[..., object], *arguments: object, **_variables: object) -> object:
        return function(*arguments)


class environment:
    """What a translated template takes of Jinja2's environment, under the name that it has there."""

    getattr = staticmethod(getattr)
    concat = "".join

    @staticmethod
    def undefined(name: str) -> NoReturn:
        """Raise LookupError: this value was not given."""
        raise LookupError(f"{name} is undefined")


def str_join(parts: Iterable[object]) -> str:
    """Join what stands between `~`."""
    return "".join(map(str, parts))


def _by_jinja(name: str, values: Mapping[str, object]) -> str:
    import jinja2

    try:
        return _environment().get_template(f"{name}.j2").render(values)
    except jinja2.TemplateError as error:
        raise _cannot(name, error) from error


def _cannot(name: str, error: Exception) -> RenderError:
    reason = f"{type(error).__name__}: {error}"
    return RenderError("The fragment of {target} cannot be made: {reason}.", target=name, reason=reason)


@cache
def _environment() -> "jinja2.Environment":
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("mxbackup"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - these are configuration files; names and routes are validated
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
