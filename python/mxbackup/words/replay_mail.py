# SPDX-License-Identifier: GPL-2.0-or-later
"""The message that tries the way back to a primary."""

from collections.abc import Sequence
from email.message import EmailMessage

from mxbackup.errors import Sentence
from mxbackup.esmith.settings import Settings
from mxbackup.words import mail
from mxbackup.words.lexicon import Lexicon

_SUBJECT: Sentence = "Test of the way back from the backup MX"
_TEXT: Sentence = (
    "This message tries the way that mail takes after an outage: from {server}, which is backup MX for your domain, to "
    "your server. Its sender is made up, of a domain that sends no mail: so is much held mail in the eyes of your "
    "server, for which {server} is not the sender's own. That it is here means that held mail gets here too. Nothing "
    "has to be done."
)


def message(sender: str, recipient: str, settings: Settings, languages: Sequence[Lexicon]) -> EmailMessage:
    """Return it, in each of the languages, as that of who reads it is not known."""
    server = f"{settings.system_name}.{settings.domain_name}".strip(".")
    texts = [words.text(_TEXT, server=server) for words in languages]
    subjects = [words.text(_SUBJECT) for words in languages]
    return mail.message(sender, recipient, " / ".join(subjects), "\n\n".join(texts) + "\n", settings)
