# SPDX-License-Identifier: GPL-2.0-or-later
"""Fragments of `templates-custom` that stand in the way of ours, or that the how-to had people make."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith.host import PEER_LISTS, PLUGINS, QPSMTPD_CONFIGS, TEMPLATES, Host
from mxbackup.rules import Rule
from mxbackup.rules.localmail import LocalMail
from mxbackup.targets.registry import EXPANDED
from mxbackup.transfer import recognise
from mxbackup.transfer.recognise import Form

OURS, CUSTOM = TEMPLATES
DIRECTORIES = tuple(
    path.relative_to("/")
    for path in (
        *(path for target in EXPANDED.values() for path in (target.path, *target.copies)),
        *PEER_LISTS,
        *(config / PLUGINS for config in QPSMTPD_CONFIGS),
    )
)
QUICK_AND_DIRTY = CUSTOM / "var/qmail/control/rcpthosts/20QandD"
# The how-to's fragments for SME 5.5 and SME 5, by the file that holds their domains.
OLD_FRAGMENTS = {
    QUICK_AND_DIRTY: (QUICK_AND_DIRTY, Form.QMAIL),
    CUSTOM / "var/spool/smtpd/etc/smtpd_check_rules/61MXBackupDomains": (Path("/etc/MXBackupDomains"), Form.LIST),
}

SHADOWED = FindingKind(
    "shadowed", Severity.ERROR,
    "It takes the place of our fragment, so the rules do not reach the file.",
    "Remove it: rm {path}",
    source="expand-template(8)",
)  # fmt: skip
NO_RULES_YET = FindingKind(
    "no-rules-yet", Severity.WARNING,
    "It holds names that are no rules yet ({count}, the first is {first}).",
    "Take them over: mxbackup import {source}",
)  # fmt: skip
NEEDLESS = FindingKind(
    "needless-fragment", Severity.WARNING,
    "All its names are rules, but with it they stay accepted when the rules are removed.",
    "Remove it: rm {path}",
)  # fmt: skip


def paths(host: Host) -> Iterator[Path]:
    """Yield the files to be looked at."""
    custom = [path for directory in DIRECTORIES for path in host.files(CUSTOM / directory)]
    for path in custom:
        if _is_ours(path) and host.path(OURS / path.relative_to(CUSTOM)).exists():
            yield path
    for fragment, (source, _form) in OLD_FRAGMENTS.items():
        if fragment in custom:
            yield from (fragment, source)


def lint(texts: Mapping[Path, str], rules: Iterable[Rule], local: LocalMail) -> Iterator[Finding]:
    """Yield what is wrong with those of the texts that are such fragments, for these rules."""
    known = {rule.name for rule in rules}
    for path in texts:
        if CUSTOM in path.parents and _is_ours(path):
            yield SHADOWED.found(path)
        if path in OLD_FRAGMENTS:
            source, form = OLD_FRAGMENTS[path]
            found = [entry.name for entry in recognise.read(texts.get(source, ""), form).entries]
            missing = [name for name in found if name not in known and local.delivers(name) is None]
            if missing:
                yield NO_RULES_YET.found(path, count=len(missing), first=missing[0], source=source)
            elif found:
                yield NEEDLESS.found(path)


def _is_ours(path: Path) -> bool:
    return path.name[2:] == "mxbackup"
