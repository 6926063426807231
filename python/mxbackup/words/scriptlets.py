# SPDX-License-Identifier: GPL-2.0-or-later
"""What the scripts of the packages say while rpm or dpkg runs, for their shell to look up: it has no catalogues."""

from mxbackup.errors import Sentence
from mxbackup.words.lexicon import Lexicon

SAID: tuple[Sentence, ...] = (
    "having the panel run as root",
    "taking over the rules of the contrib of 2004 to 2019, if any",
    "setting defaults",
    "doing",
    "reloading the new server-manager",
    "FAILED, run it again by hand:",
    "FAILED, do it by hand:",
    "FAILED, restart it by hand:",
    "FAILED, do it by hand: take our rules out of /var/qmail/control/morercpthosts and run qmail-newmrh",
    "FAILED, do it by hand: take /etc/postfix/mxbackup out of /etc/postfix/main.cf, then remove it",
    "FAILED, mail that waits has lost these lines:",
    "FAILED, the rules may stay in force: they stand in the mail files",
    "mail waits for rules, and is still delivered: its way stays for as long as it can wait, by",
    "/var/qmail/control/rcpthosts is missing, and qmail accepts all mail. Expand it at once.",
)


def table(words: Lexicon) -> str:
    """Return each of them with its translation, `English = translation`, a line for each."""
    return "".join(f"{sentence} = {words.text(sentence)}\n" for sentence in SAID)
