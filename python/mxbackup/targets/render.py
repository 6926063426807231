# SPDX-License-Identifier: GPL-2.0-or-later
"""Fragments of the files that the mail programs read.

Imported at each expansion of a template, so it must start fast: no click, no dnspython here. Jinja2 is loaded at the
first fragment: most commands and the other event actions make none.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from mxbackup.errors import RenderError
from mxbackup.esmith.expansion import Target
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.policies import NOTHING, Known, table
from mxbackup.rules import Kind, Rule, SmartHostUse, names

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


def fragment(target: str, rules: Iterable[Rule], settings: Settings, known: Known = NOTHING) -> str:
    """Return the text for one target: whole lines between our begin and end comments, in the order of the rules.

    It holds no rule when MX backup is disabled. `known` is what the target `qpsmtpd` says of recipients.
    Raises RenderError for an unknown target.
    """
    if target not in TARGETS:
        raise RenderError('There is no target "{target}". Targets: {known}.', target=target, known=", ".join(TARGETS))
    import jinja2

    held = rules if settings.enabled else ()
    try:
        routed = smtproutes(held, settings)
        lines = _environment().get_template(f"{target}.j2").render(rules=held, routed=routed, known=known)
    except jinja2.TemplateError as error:
        raise RenderError(
            "The fragment of {target} cannot be made: {reason}.",
            target=target,
            reason=f"{type(error).__name__}: {error}",
        ) from error
    return f"{BEGIN}\n{lines}{TARGETS[target].end}\n"


def destination(rule: Rule, settings: Settings) -> str:
    """Return where the rule's mail goes: `route`, `smarthost`, `bypass` (of the smart host) or `mx`."""
    if rule.route:
        return "route"
    if not settings.smarthost:
        return "mx"
    return "smarthost" if rule.smarthost == SmartHostUse.USE else "bypass"


def smtproutes(rules: Iterable[Rule], settings: Settings) -> Iterator[tuple[Rule, str]]:
    """Yield each rule that needs an entry in smtproutes, and its relay, empty for delivery by MX (qmail-remote(8)).

    The rules are sorted. One that goes where mail goes without an entry needs none, unless it lies below a domain
    rule whose entry would take its mail elsewhere.
    """
    relays: dict[str, str] = {}  # of domain rules: their entries reach below their names
    for rule in rules:
        match destination(rule, settings):
            case "route":
                relay = rule.route
            case "bypass":
                relay = ""
            case other:
                above = next((relays[up] for up in names.parents(rule.name) if up in relays), None) if relays else None
                relay = settings.smarthost if other == "smarthost" else ""
                if above in (None, relay):
                    continue
        if rule.kind == Kind.DOMAIN:
            relays[rule.name] = relay
        yield rule, relay


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
