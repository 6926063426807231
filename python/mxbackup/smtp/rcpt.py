# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reply to RCPT says of the recipient: the only place that judges the words of servers. Pure.

A callout is answered only while the primary is up, and then putting off is always a safe answer: the sender's next try
goes to the primary first. So "nobody" needs certainty, and whatever this module does not know is unsettled. It does not
look for words that speak of something else, of which every server has its own: every word must be one that speaks of
mailboxes. The other half of certainty is a known recipient that is accepted in the same dialogue; see `learning`.
"""

import re
from enum import StrEnum

from mxbackup.smtp.replies import CUT, Reply


class Meaning(StrEnum):
    """What a reply to RCPT says of the recipient."""

    ACCEPTED = "accepted"
    NOBODY = "nobody"  # there is no such mailbox, if the server speaks of the mailbox at all
    UNSETTLED = "unsettled"  # of us, of the sender, of the moment, or nobody knows of what


# Codes with which servers refuse a mailbox (RFC 5321 section 4.2.3); 511 is that of chkuser for qmail.
_CODES = frozenset({511, 550, 551, 553})
# RFC 3463: no such mailbox, or moved without a trace. X.1.10 is RFC 7505's for a domain without mail, and Exchange's
# for a recipient that is not found. X.1.0 (any address trouble), X.1.2 (the domain), X.2.x (it is there) are no proof.
_MAILBOX = frozenset({"5.1.1", "5.1.6", "5.1.10"})

# Whole sentences of one kind of server, with words that mean something else elsewhere. Each denies the mailbox.
_SENTENCES = re.compile(
    "|".join(
        (
            # Postfix, smtpd_check.c
            r"user unknown in (?:local recipient|virtual mailbox|virtual alias|relay recipient) table",
            # Exchange
            r"resolver\.adr\.(?:ex)?recip(?:ient)?notfound; (?:recipient )?not found(?: by smtp address lookup)?",
            # Gmail
            r"the email account that you tried to reach does not exist\. please try double-checking the recipient's "
            r"email address for typos or unnecessary spaces\. (?:for more information, go to|learn more at)"
            r"(?: https?://support\.google\.com/mail/\?p=nosuchuser)?(?: -)? gsmtp",
            # iCloud
            r"user lookup success but no user record found",
            # netqmail's realrcptto, chkuser
            r"sorry, no mailbox here by that name(?:\. ?| )?\(?(?: ?- )?(?:chkuser)?\)?",
            # Barracuda
            r"cuda_nsu",
            # Orange and La Poste
            r"adresse d.?au moins un destinataire invalide",
        )
    )
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Else every word must be of these: one for the mailbox, one that denies it, and those that may stand around them.
_MAILBOXES = _words(
    "mailbox user username recipient addressee address account customer alias name email e-mail destinataire adresse "
    "utilisateur compte boîte empfänger benutzer nutzer postfach konto destinatario usuario buzón cuenta dirección "
    "utente indirizzo casella gebruiker ontvanger adres destinatário usuário endereço"
)
_AROUND = _words(
    "sorry the a an this that is does by of to for in at here there rejected has with our your you we le la une ce "
    "cette est à ici der die das ein eine diese dieser ist hier el esta este es aquí il lo questo questa è qui de het "
    "deze o"
)
_DENYING = _words(
    "unknown no not nobody none such valid found known exist exists doesn't isn't nonexistent non-existent nonexisting "
    "invalid inconnu inconnue introuvable inexistant inexistante n'existe pas aucun aucune unbekannt unbekannter nicht "
    "gefunden existiert kein keine desconocido desconocida inexistente existe sconosciuto sconosciuta inesistente non "
    "esiste onbekend onbekende bestaat niet desconhecido"
)
# Of those, the ones that deny only in company: "user exists" is no denial.
_COMPANIONS = _words("such valid found known exist exists gefunden existiert existe n'existe esiste bestaat")

_ANYTHING = re.compile(r"<[^<>]*>|\S*@\S*|\S*[0-9]\S*")
_BETWEEN_WORDS = re.compile(r"[\s.,:;!?()\[\]{}\"/#*=_]+|(?<![\w])[-']+|[-']+(?![\w])")


def meaning(reply: Reply) -> Meaning:
    """Return what a reply to RCPT says of its recipient."""
    if 200 <= reply.code <= 299:
        return Meaning.ACCEPTED
    mailbox = reply.code in _CODES and reply.enhanced and _MAILBOX.issuperset(reply.enhanced)
    return Meaning.NOBODY if mailbox and _denies(reply.text) else Meaning.UNSETTLED


def _denies(text: str) -> bool:
    """Whether the words say that there is no such mailbox, and say nothing else. What was cut is not all known."""
    if text.endswith(CUT):
        return False
    rest, sentences = _SENTENCES.subn(" ", " ".join(_ANYTHING.sub(" ", text).lower().split()))
    words = {word for word in _BETWEEN_WORDS.split(rest) if word}
    denied = sentences or (words & _MAILBOXES and words & _DENYING - _COMPANIONS)
    return bool(denied) and words <= _MAILBOXES | _AROUND | _DENYING
