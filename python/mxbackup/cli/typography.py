# SPDX-License-Identifier: GPL-2.0-or-later
"""What click writes itself as the user's language does: quotation marks and decimal commas."""

import re
from typing import Any, NoReturn

import click

from mxbackup.cli.common import _

# As repr() quotes options, values to choose and arguments, none of which has a blank or an apostrophe.
_QUOTED = re.compile(r"(?<![^\s(])'([^'\s]+)'(?![^\s.,:;?!)])")

_DECIMAL = re.compile(r"(\d)\.(\d)")


def quoted(text: str) -> str:
    """Return a text of click's with the quotation marks of the user's language."""
    return _QUOTED.sub(lambda found: _("'{quoted}'", quoted=found[1]), text)


def decimal(text: str) -> str:
    """Return a text with the decimal marks of the user's language in its numbers."""
    return _DECIMAL.sub(lambda found: _("{whole}.{part}", whole=found[1], part=found[2]), text)


def shown(error: click.ClickException) -> click.ClickException:
    """Return what is to be shown for an error of click's: the same one, in the user's typography."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    return click.UsageError(quoted(error.format_message()), getattr(error, "ctx", None))


class Seconds(click.FloatRange):
    """A number of seconds, typed with a point or a comma and shown as the user's language writes it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number. Raises BadParameter."""
        typed: Any = value.replace(",", ".") if isinstance(value, str) else value
        return super().convert(typed, param, ctx)

    def fail(self, message: str, param: click.Parameter | None = None, ctx: click.Context | None = None) -> NoReturn:
        """Raise BadParameter with the message."""
        super().fail(decimal(message), param, ctx)

    def _describe_range(self) -> str:  # for the help text; click has no other hook
        return decimal(super()._describe_range())
