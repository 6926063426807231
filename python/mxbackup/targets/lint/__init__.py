# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in the mail files that are already there, which the mail programs pass over in silence.

`findings` is pure: it is handed the files' texts. One module per file or close family of files; each check names the
program whose reading it follows.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mxbackup.errors import Finding
from mxbackup.esmith.host import MORERCPTHOSTS, Host
from mxbackup.esmith.settings import Settings
from mxbackup.rules import RuleSet
from mxbackup.targets.lint import customfragments, keptmail, rcpthosts, smtpdcheckrules, smtproutes
from mxbackup.targets.render import TARGETS

RCPTHOSTS = TARGETS["rcpthosts"].path
SMTPROUTES = TARGETS["smtproutes"].path
CHECK_RULES = TARGETS["smtpd_check_rules"].path


def read(host: Host) -> dict[Path, str | None]:
    """Return the texts that `findings` looks at, by path; None for a `rcpthosts` that is missing.

    A file that cannot be read is left out: whoever expands or writes it says so.
    """
    paths = [RCPTHOSTS, MORERCPTHOSTS, SMTPROUTES, CHECK_RULES, keptmail.VIRTUALDOMAINS, keptmail.PERCENTHACK]
    texts: dict[Path, str | None] = {}
    for path in (*paths, *customfragments.paths(host)):
        with suppress(OSError):
            texts[path] = host.path(path).read_bytes().decode("utf-8", "surrogateescape")
    if host.path(RCPTHOSTS).parent.is_dir() and not host.path(RCPTHOSTS).exists():
        texts[RCPTHOSTS] = None
    return texts


def findings(files: Mapping[Path, str | None], rules: RuleSet, settings: Settings) -> list[Finding]:
    """Return what is wrong in these files, as `read` gives them, for these rules."""
    texts = {path: text for path, text in files.items() if text is not None}
    found = [rcpthosts.missing(RCPTHOSTS)] if RCPTHOSTS in files.keys() - texts.keys() else []
    for path in (RCPTHOSTS, MORERCPTHOSTS):
        found += rcpthosts.lint(path, texts.get(path, ""))
    found += smtproutes.lint(SMTPROUTES, texts.get(SMTPROUTES, ""))
    if CHECK_RULES in texts:
        found += smtpdcheckrules.lint(CHECK_RULES, texts[CHECK_RULES])
    if not settings.postfix:
        found += keptmail.lint(texts, rules, settings.local)
    found += customfragments.lint(texts, rules, settings.local)
    return [*found, *smtproutes.without_effect(SMTPROUTES, rules, settings)]
