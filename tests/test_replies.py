# SPDX-License-Identifier: GPL-2.0-or-later
"""What replies of real servers to RCPT mean: each with the meaning it must have."""

import io
import smtplib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.esmith import printable
from mxbackup.smtp import rcpt, replies
from mxbackup.smtp.rcpt import Meaning
from mxbackup.smtp.replies import NONE, NoReply, Outcome, Reply

# Refusals that mean us, the sender or the moment, not the recipient: no doubt may become "no such recipient".
ABOUT_OTHERS = (
    "550 Your IP is blacklisted",
    "550 Access denied",
    "550 SPF check failed",
    "550 Service temporarily unavailable",
    "550 Greylisted",
    "550 5.1.1 Blocked by RBL zen.spamhaus.org",
    "550 5.1.1 Lookup temporarily failed",
    "550 5.1.1 Your IP is blacklisted",
    "550 5.1.1 Access denied",
    "550 5.1.1 SPF check failed",
    "550 5.1.1 Service temporarily unavailable",
    "550 5.1.1 Greylisted, please come back later",
    "550 5.1.1 <x@dupontnet.com>: Recipient address rejected: Greylisted",
    "550 5.1.1 Too many connections",
    "550 5.1.1 Too many invalid recipients",
    "550 5.1.1 No reverse DNS for your address",
    "550 5.1.1 User unknown or you are not authorised",
    "550 5.1.1 recipient database not available",
    "550 5.1.1 Mailbox temporarily unavailable",
    "550 5.1.1 Mailbox full",
    "550 5.1.1 unknown client",
    "550 5.1.1 unknown sender",
    "550 5.1.1 Relaying denied",
    "550 5.1.1 We do not relay",
    "550 5.1.1 Not now",
    "550 5.1.1 Rejected for policy reasons",
    "550 5.1.1 rejected",
    "550 5.1.1 no",
    "550 5.1.1 Invalid HELO name",
    "550 5.1.1 Client host rejected: cannot find your hostname",
    "550 5.1.1 No mail from dynamic addresses",
    "550 5.1.1 Bounces are not accepted for this user",
    "550 5.1.1 5.7.1 User unknown",
    "550 5.1.1 Adresse refusée pour l'instant",
    "550 5.1.1 Zugriff verweigert",
    "550 5.1.1 Connexion refusée, réputation insuffisante",
    "550 5.1.1 Empfänger vorübergehend nicht erreichbar",
    "550 5.1.1 Su IP está en una lista negra",
    "550 5.1.1 Accesso negato",
    "550 5.1.1",
    "550 5.1.1 User unknown; the rest of this is cut...",
)

# Replies of real servers. Sources: the servers' own code and manuals, RFC 5321 and 3463, and what providers publish.
REAL = (
    # Postfix, smtpd_check.c
    ("250 2.1.5 Ok", "accepted"),
    ("550 5.1.1 <x@a.org>: Recipient address rejected: User unknown in local recipient table", "nobody"),
    ("550 5.1.1 <x@a.org>: Recipient address rejected: User unknown in virtual mailbox table", "nobody"),
    ("550 5.1.1 <x@a.org>: Recipient address rejected: User unknown in virtual alias table", "nobody"),
    ("550 5.1.1 <x@a.org>: Recipient address rejected: User unknown in relay recipient table", "nobody"),
    ("550 5.1.1 <x@a.org>: Recipient address rejected: User unknown", "nobody"),
    ("450 4.1.1 <x@a.org>: Recipient address rejected: User unknown in local recipient table", "unsettled"),
    ("450 4.1.1 <x@a.org>: Recipient address rejected: unverified address: connect to a.org[192.0.2.1]:25: "
     "Connection timed out", "unsettled"),
    ("550 5.1.1 <x@a.org>: Recipient address rejected: undeliverable address: host mail.a.org[192.0.2.1] said: "
     "550 5.7.1 no (in reply to RCPT TO command)", "unsettled"),
    ("554 5.7.1 <x@a.org>: Relay access denied", "unsettled"),
    ("554 5.7.1 <x@a.org>: Recipient address rejected: Access denied", "unsettled"),
    ("550 5.7.23 <x@a.org>: Recipient address rejected: Message rejected due to: SPF fail - not authorized",
     "unsettled"),
    ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; "
     "https://www.spamhaus.org/query/ip/192.0.2.1", "unsettled"),
    ("450 4.2.0 <x@a.org>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/a.org.html",
     "unsettled"),
    ("450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "unsettled"),
    ("450 4.7.1 <sme>: Helo command rejected: Host not found", "unsettled"),
    ("451 4.3.0 <x@a.org>: Temporary lookup failure", "unsettled"),
    ("451 4.3.5 Server configuration error", "unsettled"),
    ("452 4.3.1 Insufficient system storage", "unsettled"),
    ("452 4.5.3 Error: too many recipients", "unsettled"),
    ("550 5.1.0 <x@a.org>: Recipient address rejected: a.org", "unsettled"),
    ("556 5.1.10 <x@a.org>: Recipient address rejected: Domain a.org does not accept mail (nullMX)", "unsettled"),
    # Exim, as Debian and cPanel set it up
    ("250 Accepted", "accepted"),
    ("550 Unrouteable address", "unsettled"),
    ("550 No Such User Here", "unsettled"),
    ("550 relay not permitted", "unsettled"),
    ("550-Verification failed for <y@b.org> 550 Sender verify failed", "unsettled"),
    ("550-JunkMail rejected - [192.0.2.1] is in an RBL: https://www.spamhaus.org", "unsettled"),
    ("451 Temporary local problem - please try later", "unsettled"),
    ("451 greylisted, please try again", "unsettled"),
    # Sendmail
    ("250 2.1.5 <x@a.org>... Recipient ok", "accepted"),
    ("550 5.1.1 <x@a.org>... User unknown", "nobody"),
    ("550 5.7.1 <x@a.org>... Relaying denied. IP name lookup failed [192.0.2.1]", "unsettled"),
    ("553 5.1.8 <y@b.org>... Domain of sender address y@b.org does not exist", "unsettled"),
    ("551 5.1.6 <x@a.org>... User has moved; please try <x@b.org>", "unsettled"),
    ("450 4.4.0 <x@a.org>... Connection rate limit exceeded", "unsettled"),
    # qmail and what is built on it; qpsmtpd
    ("250 ok", "accepted"),
    ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "unsettled"),
    ("550 sorry, no mailbox here by that name (#5.1.1)", "nobody"),
    ("550 sorry, no mailbox here by that name. (#5.1.1)", "nobody"),
    ("511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", "nobody"),
    ("550 5.1.1 sorry, no mailbox here by that name (chkuser)", "nobody"),
    ("553 sorry, this recipient is not in my validrcptto list (#5.7.1)", "unsettled"),
    ("550 invalid recipient x@a.org", "unsettled"),
    ("550 relaying denied", "unsettled"),
    ("450 This mail is temporarily denied", "unsettled"),
    ("550 http://www.spamhaus.org/query/bl?ip=192.0.2.1", "unsettled"),
    ("571 sorry, sender rejected due to SPF policy (#5.7.1)", "unsettled"),
    # Exchange and Exchange Online
    ("250 2.1.5 Recipient OK", "accepted"),
    ("550 5.1.1 User unknown", "nobody"),
    ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient x@a.org not found by SMTP address lookup", "nobody"),
    ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "nobody"),
    ("550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found", "nobody"),
    ("550 5.4.1 Recipient address rejected: Access denied. [PAXEUR01FT045.eop-EUR01.prod.protection.outlook.com]",
     "unsettled"),
    ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "unsettled"),
    ("550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit "
     "https://sender.office.com/", "unsettled"),
    ("451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation", "unsettled"),
    ("450 4.7.320 Certificate validation failed", "unsettled"),
    ("530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", "unsettled"),
    ("550 5.2.1 RESOLVER.RST.RecipNotAllowed; mailbox is disabled", "unsettled"),
    # Outlook.com
    ("550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", "unsettled"),
    ("550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider "
     "since part of their network is on our block list (S3140).", "unsettled"),
    ("550 SC-001 Unfortunately, messages from 192.0.2.1 weren't sent.", "unsettled"),
    # Gmail
    ("250 2.1.5 OK d2e1a72fcca58-7c3e1234si567891b3a.123 - gsmtp", "accepted"),
    ("550 5.1.1 The email account that you tried to reach does not exist. Please try 5.1.1 double-checking the "
     "recipient's email address for typos or 5.1.1 unnecessary spaces. For more information, go to 5.1.1  "
     "https://support.google.com/mail/?p=NoSuchUser d2e1a72fcca58-7c3e1234si567891b3a.123 - gsmtp", "nobody"),
    ("550 5.1.1 The email account that you tried to reach does not exist. Please try 5.1.1 double-checking the "
     "recipient's email address for typos or 5.1.1 unnecessary spaces. Learn more at 5.1.1 "
     "http://support.google.com/mail/bin/answer.py?answer=6596 vw5si4655694pab.333 - gsmtp", "nobody"),
    ("550 5.2.1 The email account that you tried to reach is inactive. For more information, go to 5.2.1  "
     "https://support.google.com/mail/?p=DisabledUser d2e1si567891b3a.123 - gsmtp", "unsettled"),
    ("550 5.2.1 The user you are trying to contact is receiving mail at a rate that 5.2.1 prevents additional "
     "messages from being delivered. d2e1si567891b3a.123 - gsmtp", "unsettled"),
    ("450 4.2.1 The user you are trying to contact is receiving mail too quickly. - gsmtp", "unsettled"),
    ("452 4.2.2 The email account that you tried to reach is over quota. - gsmtp", "unsettled"),
    ("550 5.7.1 [192.0.2.1] The IP you're using to send mail is not authorized to 5.7.1 send email directly to our "
     "servers. - gsmtp", "unsettled"),
    ("550 5.7.26 This mail has been blocked because the sender is unauthenticated. - gsmtp", "unsettled"),
    # others
    ("552 1 Requested mail action aborted, mailbox not found", "unsettled"),
    ("554 delivery error: dd This user doesn't have a yahoo.com account (x@a.org) [0] - mta1234.mail.yahoo.com",
     "unsettled"),
    ("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints", "unsettled"),
    ("550 5.1.1 <x@a.org>: user lookup success but no user record found", "nobody"),
    ("550 cuda_nsu 5.1.1 <x@a.org> Recipient address rejected: User unknown", "nobody"),
    ("550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]", "nobody"),
    ("550 5.1.1 <x@a.org> User doesn't exist: x@a.org", "nobody"),
    ("550 5.1.1 Invalid recipient: <x@a.org>", "nobody"),
    ("550 5.1.1 Mailbox does not exist", "nobody"),
    ("550 5.1.1 Addressee unknown", "nobody"),
    ("550 5.1.1 Not our Customer", "nobody"),
    ("550 5.1.1 Bad destination mailbox address", "unsettled"),
    ("550 #5.1.0 Address rejected.", "unsettled"),
    ("550 5.2.2 mailbox full", "unsettled"),
    ("550 Requested action not taken: mailbox unavailable", "unsettled"),
    ("551 5.7.1 User not local; will not forward", "unsettled"),
    ("554 5.1.1 User unknown", "unsettled"),
    ("550 5.1.1 Utilisateur inconnu", "nobody"),
    ("550 5.1.1 Cette adresse n'existe pas", "nobody"),
    ("550 5.1.1 Empfänger unbekannt", "nobody"),
    ("550 5.1.1 Der Benutzer existiert nicht", "nobody"),
    ("550 5.1.1 El usuario no existe", "nobody"),
    ("550 5.1.1 Destinatario sconosciuto", "nobody"),
    ("550 5.1.1 Gebruiker onbekend", "nobody"),
)  # fmt: skip


@pytest.mark.parametrize("line", ABOUT_OTHERS)
def test_a_refusal_that_may_mean_something_else_settles_nothing(line: str) -> None:
    assert rcpt.meaning(replies.parse(line)) == Meaning.UNSETTLED


@pytest.mark.parametrize(("line", "meaning"), REAL)
def test_what_real_servers_say(line: str, meaning: str) -> None:
    assert rcpt.meaning(replies.parse(line)) == Meaning(meaning)


@pytest.mark.parametrize(
    ("line", "code", "enhanced"),
    [
        ("550 5.1.1 <x5.7.1@a.org>: User unknown", 550, ("5.1.1",)),
        ("550 192.5.1.1 knows no such user", 550, ()),
        ("550 sorry (#5.1.1)", 550, ("5.1.1",)),
        ("550 5.1.1 5.7.1 no", 550, ("5.1.1", "5.7.1")),
        ("550", 550, ()),
        ("", 0, ()),
        ("SSH-2.0-mistaken", 0, ()),
        ("650 of RFC 3464", 0, ()),
    ],
)
def test_what_a_line_is_made_of(line: str, code: int, enhanced: tuple[str, ...]) -> None:
    reply = replies.parse(line)
    assert (reply.code, reply.enhanced, bool(reply)) == (code, enhanced, code != 0)


CODES = st.integers(200, 599)
PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
TEXTS = st.lists(PRINTABLE, max_size=4).map(" ".join)


@given(CODES, st.lists(TEXTS, min_size=1, max_size=6), st.sampled_from([b"\n", b"\r\n"]))
def test_the_lines_of_a_reply_are_read_up_to_its_last(code: int, texts: list[str], end: bytes) -> None:
    """RFC 5321 section 4.2.1."""
    *first, last = [text.encode() for text in texts]
    lines = [b"%d-%s%s" % (code, text, end) for text in first] + [b"%d %s%s" % (code, last, end)]
    following = iter([*lines, b"250 the next\n"])
    reply = replies.read(following)
    assert reply == Reply(code, tuple(texts))
    assert list(following) == [b"250 the next\n"]
    assert reply.transcript() == [line.decode().rstrip("\r\n") for line in lines]
    again = replies.parse(reply.line(10_000))
    assert (again.code, again.enhanced, again.text) == (code, reply.enhanced, reply.text.strip())


@given(st.lists(st.tuples(CODES, TEXTS), max_size=4), CODES, st.none() | TEXTS)
def test_a_reply_is_what_the_standard_library_reads(first: list[tuple[int, str]], code: int, last: str | None) -> None:
    """Also one whose lines have different codes, or whose last line has nothing but the code."""
    lines = [f"{other}-{text}\r\n".encode() for other, text in first]
    lines.append((f"{code}\r\n" if last is None else f"{code} {last}\r\n").encode())
    client = smtplib.SMTP()
    client.file = io.BytesIO(b"".join(lines))
    reply = replies.read(lines)
    assert (reply.code, "\n".join(reply.lines).encode()) == client.getreply()


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_whatever_a_server_sends_is_a_reply_or_none(lines: list[bytes]) -> None:
    reply = NONE
    with suppress(NoReply):
        reply = replies.read(lines)
    assert reply == NONE or 200 <= reply.code <= 599
    assert printable.line(reply.line()) == reply.line()


@given(CODES, st.integers(2, 5), st.integers(0, 999), st.integers(0, 999), st.sampled_from(["{} no", "no (#{})"]))
def test_enhanced_codes_are_found_where_servers_put_them(
    code: int, status: int, subject: int, detail: int, form: str
) -> None:
    """RFC 3463 section 2: class 2, 4 or 5, subject and detail of up to three digits."""
    written = f"{status}.{subject}.{detail}"
    assert replies.parse(f"{code} {form.format(written)}").enhanced == ((written,) if status != 3 else ())


@pytest.mark.parametrize(
    ("code", "outcome", "closing"),
    [
        (0, Outcome.BROKEN, False),
        (220, Outcome.ACCEPTED, False),
        (354, Outcome.ACCEPTED, False),
        (421, Outcome.DEFERRED, True),
        (450, Outcome.DEFERRED, False),
        (550, Outcome.REFUSED, False),
    ],
)
def test_what_a_code_means(code: int, outcome: Outcome, closing: bool) -> None:
    assert (Reply(code).outcome, Reply(code).closing) == (outcome, closing)


def test_what_was_cut_settles_nothing() -> None:
    reply = replies.parse(f"550 5.1.1 {'user ' * 10}unknown")
    assert rcpt.meaning(reply) == Meaning.NOBODY
    assert rcpt.meaning(replies.parse(reply.line(50))) == Meaning.UNSETTLED


@given(st.text())
def test_nothing_that_is_no_reply_settles_anything(line: str) -> None:
    assert rcpt.meaning(replies.parse(line)) == Meaning.UNSETTLED or line[:1] == "2"


@given(st.from_regex(r"[a-z]{3,12}", fullmatch=True), st.booleans())
def test_one_word_that_is_not_of_mailboxes_is_a_doubt(word: str, first: bool) -> None:
    known = rcpt._MAILBOXES | rcpt._AROUND | rcpt._DENYING
    words = f"{word} user unknown" if first else f"user unknown {word}"
    nobody = rcpt.meaning(replies.parse(f"550 5.1.1 {words}")) == Meaning.NOBODY
    assert nobody == (word in known)
