# SPDX-License-Identifier: GPL-2.0-or-later
"""Fragments of the files that the mail programs read.

Imported at each expansion of a template, so it must start fast: no click, no dnspython here. Jinja2 is loaded at the
first fragment: most commands and the other event actions make none.
"""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from mxbackup.errors import RenderError
from mxbackup.esmith.expansion import Target
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.policies import NOTHING, Known, table
from mxbackup.routing.entries import entries, keys
from mxbackup.rules import Rule, RuleSet

if TYPE_CHECKING:
    import jinja2

BEGIN = "# BEGIN mxbackup: rules of the domains database"
# Closes the file of our qpsmtpd plugin, which is sorted bytewise to its last line.
SORTED_END = "~ END mxbackup"


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target("smtpd_check_rules", Path("/var/spool/smtpd/etc/smtpd_check_rules")),
            Target("rcpthosts", Path("/var/qmail/control/rcpthosts")),
            Target("smtproutes", Path("/var/qmail/control/smtproutes")),
            Target("goodrcptto", Path("/var/service/qpsmtpd/config/goodrcptto")),
            Target("qpsmtpd", Path("/var/service/qpsmtpd/config/mxbackup"), SORTED_END),
        )
    }
)


def fragment(
    target: str, rules: RuleSet, settings: Settings, known: Known = NOTHING, draining: Collection[Rule] = ()
) -> str:
    """Return the text for one target: whole lines between our begin and end comments, in the order of the names.

    It holds no rule when MX backup is disabled. `known` is what the target `qpsmtpd` says of recipients. `draining` are
    rules out of force, which stand in smtproutes alone.
    Raises RenderError for an unknown target.
    """
    if target not in TARGETS:
        raise RenderError('There is no target "{target}". Targets: {known}.', target=target, known=", ".join(TARGETS))
    import jinja2

    held = rules if settings.enabled else RuleSet()
    routed = entries(RuleSet([*held, *draining]) if draining else held, settings)
    template = _environment().get_template
    try:
        lines = template(f"{target}.j2").render(rules=held, entries=routed, keys=keys, known=known)
    except jinja2.TemplateError as error:
        raise RenderError(
            "The fragment of {target} cannot be made: {reason}.",
            target=target,
            reason=f"{type(error).__name__}: {error}",
        ) from error
    return f"{BEGIN}\n{lines}{TARGETS[target].end}\n"


@cache
def _environment() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mxbackup"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - these are configuration files; names and routes are validated
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["table"] = table
    return environment
