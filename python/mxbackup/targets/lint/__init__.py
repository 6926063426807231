# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in the mail files that are already there, which the mail programs pass over in silence.

`findings` is pure: it is handed the files' texts. What is wrong in a file of ours its target knows; here is what lies
around them. Each check names the program whose reading it follows.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mxbackup.errors import Finding
from mxbackup.esmith.host import Host
from mxbackup.esmith.settings import Settings
from mxbackup.rules import RuleSet
from mxbackup.targets import registry, smtproutes
from mxbackup.targets.lint import customfragments, keptmail, neighbours


def read(host: Host) -> dict[Path, str | None]:
    """Return the texts that `findings` looks at, by path; None for a target that is missing from its directory.

    A file that cannot be read is left out: whoever expands or writes it says so.
    """
    paths = [target.path for target in registry.ALL]
    texts: dict[Path, str | None] = {
        path: None for path in paths if host.path(path).parent.is_dir() and not host.path(path).exists()
    }
    around = (keptmail.VIRTUALDOMAINS, keptmail.PERCENTHACK, neighbours.FETCHMAIL, neighbours.ACCOUNTS)
    for path in (*paths, *around, *customfragments.paths(host)):
        with suppress(OSError):
            texts[path] = host.path(path).read_bytes().decode("utf-8", "surrogateescape")
    return texts


def findings(files: Mapping[Path, str | None], rules: RuleSet, settings: Settings) -> list[Finding]:
    """Return what is wrong in these files, as `read` gives them, for these rules."""
    found: list[Finding] = []
    for target in registry.ALL:
        if target.path in files:
            found += target.lint(files[target.path], rules, settings)
    texts = {path: text for path, text in files.items() if text is not None}
    if not settings.postfix:
        found += keptmail.lint(texts, rules, settings.local)
    found += customfragments.lint(texts, rules, settings.local)
    found += neighbours.lint(texts, rules)
    return [*found, *smtproutes.TARGET.without_effect(rules, settings)]
