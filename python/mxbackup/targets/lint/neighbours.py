# SPDX-License-Identifier: GPL-2.0-or-later
"""What e-smith itself makes of our records in `domains`: some of it takes each for a domain of its own."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith.host import DATABASES
from mxbackup.rules import RuleSet

FETCHMAIL = Path("/etc/fetchmail")
ACCOUNTS = DATABASES / "accounts"

FETCHED = FindingKind(
    "fetched", Severity.NOTE,
    "e-smith asks the provider by ETRN for mail of rules too (rules concerned: {count}, the first is {first}). It "
    "refuses that for names whose mail it does not hold.",
    source="e-smith-email, template /etc/fetchmail, 50ETRN",
)  # fmt: skip
PSEUDONYM = FindingKind(
    "pseudonym-of-rule", Severity.NOTE,
    "Mail for the pseudonym {address} stays here and is not passed on, though there is a rule for {name}.",
    "If it is not to, remove the pseudonym in the server-manager.",
    source="e-smith-email, the panel Pseudonyms",
)  # fmt: skip

_FETCHED = re.compile(r"--fetchdomains[ \t=]+([^ \t'\"\n]+)")
_PSEUDONYM = re.compile(r"^([^=#\s]+@([^=@\s]+))=pseudonym\b", re.MULTILINE)


def lint(texts: Mapping[Path, str], rules: RuleSet) -> Iterator[Finding]:
    """Yield what is made of these rules, in the texts of both files."""
    asked = (name for names in _FETCHED.findall(texts.get(FETCHMAIL, "")) for name in names.lower().split(","))
    if found := sorted({name for name in asked if rules.get(name)}):
        yield FETCHED.found(FETCHMAIL, count=len(found), first=found[0])
    for address, host in _PSEUDONYM.findall(texts.get(ACCOUNTS, "").lower()):
        if rule := rules.nearest(host):
            yield PSEUDONYM.found(ACCOUNTS, address=address, name=rule.name)
