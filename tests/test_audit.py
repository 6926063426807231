# SPDX-License-Identifier: GPL-2.0-or-later
"""How the answers of a domain's mail exchangers are judged, shown and remembered."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.audit import memory
from mxbackup.audit.facts import Asked, Audited, Unasked
from mxbackup.audit.findings import judge
from mxbackup.audit.memory import Changes
from mxbackup.check.published import Exchanger
from mxbackup.check.vantage import Vantage
from mxbackup.cli.common import words
from mxbackup.errors import InvalidInput, Message
from mxbackup.lookup.answers import ABSENT, FAILED, Answer, Outcome
from mxbackup.lookup.mtasts import Policy
from mxbackup.lookup.nameservers import ServerFacts
from mxbackup.lookup.query import Server, Status
from mxbackup.lookup.tlsa import Association, Associations
from mxbackup.smtp import replies
from mxbackup.smtp.client import Dialogue
from mxbackup.smtp.replies import Outcome as Said
from mxbackup.smtp.replies import Reply
from mxbackup.smtp.session import Late, Trouble
from mxbackup.smtp.starttls import Security
from mxbackup.words import about_audits, about_checks

CLOSED = Trouble("The server closed the connection.")
SLOW = Late("The server did not answer within {seconds} s.", seconds=30)
FAILS = Message("TLS fails: {reason}", reason="x")
OK, NO, LATER = Reply(250, ("ok",)), Reply(550, ("5.1.1 no such user",)), Reply(450, ("4.2.0 later",))
RELAY = Reply(554, ("5.7.1 relay access denied",))
GREETING = Reply(250, ("mail", "STARTTLS"))
NOW = 1_800_000_000
GOOD = Dialogue(
    Said.ACCEPTED, OK, asked=True, starttls=True, refuse=RELAY, nobody=NO, greeting=GREETING, address="192.0.2.25"
)
TLS = Security(True, "TLSv1.3", True, None, NOW + 90 * 86400, (b"certificate",))
UNTRUSTED = Security(True, "TLSv1.3", False, Message("it has signed its certificate itself"), 0, (b"certificate",))


def addresses(*found: str) -> Answer:
    return Answer(Outcome.FOUND, found)


PRIMARY = Asked(Exchanger(0, "mail.dupontnet.com", addresses("192.0.2.25"), ipv6=True), GOOD, TLS)
BACKUP = Asked(Exchanger(5, "mail.durantcom.net", addresses("192.0.2.10"), ipv6=True), GOOD, TLS)
FINE = Audited(
    name="dupontnet.com",
    recipient="jean@dupontnet.com",
    nobody="x8@dupontnet.com",
    refuse="x9@example.net",
    asked=(PRIMARY, BACKUP),
    exchangers=(PRIMARY.exchanger, BACKUP.exchanger),
    servers=(ServerFacts(Server("192.0.2.53"), Status.ANSWER, True, ((0, "mail"),), 1),),
    now=NOW,
)
TESTING, ENFORCED = (Policy(mode, ("mail.dupontnet.com", "*.durantcom.net")) for mode in ("testing", "enforce"))
FITS = Associations((Association(3, 0, 0, b"certificate"),), signed=True)
DIFFERS = Associations((Association(3, 0, 0, b"other"),), signed=True)


def with_backup(**changes: object) -> Audited:
    return replace(FINE, asked=(PRIMARY, replace(BACKUP, **changes)))  # type: ignore[arg-type]


def with_primary(**changes: object) -> Audited:
    return replace(FINE, asked=(replace(PRIMARY, **changes), BACKUP))  # type: ignore[arg-type]


def says(**changes: object) -> Dialogue:
    return replace(GOOD, **changes)  # type: ignore[arg-type]


def at(preference: int, a: Answer = addresses("192.0.2.10"), aaaa: Answer = ABSENT) -> Exchanger:  # noqa: B008
    return Exchanger(preference, "mail.durantcom.net", a, aaaa, ipv6=True)


REFUSED = says(outcome=Said.REFUSED, reply=RELAY)
UNREACHABLE = Dialogue(Said.UNREACHABLE, trouble=CLOSED)
UNKNOWN_THERE = says(outcome=Said.REFUSED, reply=NO)
EMPTY = replace(FINE, asked=(), exchangers=(), servers=())

ROWS: list[tuple[Audited, list[str]]] = [
    (FINE, []),
    # the records
    (replace(EMPTY, mx=Status.MISSING), ["error no-such-name"]),
    (replace(EMPTY, mx=Status.SERVFAIL), ["error dns-failed"]),
    (replace(EMPTY, mx=Status.SERVFAIL, bogus=True), ["error dnssec-bogus"]),
    (replace(EMPTY, mx=Status.SILENT), ["warning dns-failed"]),
    (replace(EMPTY, exchangers=(Exchanger(0, ""),)), ["error null-mx"]),
    (replace(FINE, asked=(PRIMARY,), implicit=True), ["warning no-mx"]),
    (replace(FINE, asked=(Asked(at(0, ABSENT), unasked=Unasked.NO_ADDRESS),), implicit=True), ["error no-mx"]),
    (replace(FINE, asked=(PRIMARY,)), ["note no-backup"]),
    (with_backup(exchanger=at(0)), ["note no-backup"]),
    (replace(FINE, named=frozenset({"mail.durantcom.net"})), ["error backup-first"]),
    (replace(with_backup(exchanger=at(0)), named=frozenset({"mail.dupontnet.com"})), ["error backup-first"]),
    (replace(FINE, named=frozenset({"other.dupontnet.com"})), ["error primary-not-mx"]),
    (with_backup(exchanger=at(5, ABSENT), dialogue=None, unasked=Unasked.NO_ADDRESS), ["error mx-missing"]),
    (with_backup(exchanger=at(5, FAILED), dialogue=None, unasked=Unasked.NO_ADDRESS), ["error mx-lookup-failed"]),
    (with_backup(exchanger=at(5, addresses("10.0.0.1")), dialogue=None, unasked=Unasked.INSIDE), ["error mx-inside"]),
    (with_backup(exchanger=at(5, ABSENT, addresses("2001:db8::10"))), ["note ipv6-only"]),
    (with_backup(exchanger=at(5, addresses("192.0.2.25"))), ["warning same-host"]),
    (replace(FINE, exchangers=(replace(PRIMARY.exchanger, alias=True),)), ["warning mx-is-cname"]),
    (replace(FINE, servers=(*FINE.servers, ServerFacts(Server("192.0.2.54"), Status.SILENT, False))),
     ["warning server-silent"]),
    # the replies
    (replace(FINE, asked=tuple(replace(one, dialogue=UNREACHABLE) for one in FINE.asked)), ["warning out-of-reach"]),
    (with_backup(dialogue=UNREACHABLE), ["error mx-unreachable"]),
    (with_backup(dialogue=Dialogue(trouble=CLOSED)), ["error mx-broken"]),
    (with_backup(dialogue=says(outcome=Said.REFUSED, reply=RELAY, asked=False, refuse=replies.NONE)),
     ["warning mx-turns-away"]),
    (with_backup(dialogue=REFUSED), ["error backup-refuses"]),
    (with_primary(dialogue=UNKNOWN_THERE), ["error recipient-refused"]),
    (replace(FINE, asked=(replace(PRIMARY, dialogue=UNKNOWN_THERE), replace(BACKUP, dialogue=UNKNOWN_THERE))),
     ["error recipient-refused"]),
    (with_backup(dialogue=says(outcome=Said.DEFERRED, reply=LATER)), ["note mx-defers"]),
    (with_primary(dialogue=says(outcome=Said.DEFERRED, reply=LATER)), ["warning mx-defers"]),
    (with_backup(dialogue=says(nobody=OK)), ["warning accepts-nobody"]),
    (with_backup(dialogue=says(nobody=LATER)), []),
    (with_primary(dialogue=says(nobody=OK)), ["note accepts-nobody"]),
    (with_backup(dialogue=says(refuse=OK)), ["error open-relay"]),
    (with_backup(dialogue=says(refuse=LATER)), []),
    # encryption
    (replace(FINE, tls=False), ["note no-tls-here"]),
    (replace(FINE, policy_trouble="unreadable"), ["warning mta-sts-unreadable"]),
    (replace(FINE, policy=ENFORCED), []),
    (replace(FINE, policy=replace(ENFORCED, patterns=("mail.dupontnet.com",))), ["error mta-sts"]),
    (replace(FINE, policy=replace(TESTING, patterns=("mail.dupontnet.com",))), ["warning mta-sts"]),
    (replace(FINE, policy=Policy()), []),
    (with_backup(dialogue=says(starttls=False), security=None), ["warning no-starttls"]),
    (replace(with_backup(dialogue=says(starttls=False), security=None), policy=ENFORCED), ["error no-starttls"]),
    (with_backup(security=Security(True, trouble=FAILS)), ["warning tls-fails"]),
    (with_backup(security=Security(True, trouble=FAILS), tlsa=FITS), ["error tls-fails"]),
    (with_backup(security=replace(UNTRUSTED, version="TLSv1.1")), ["warning old-tls"]),
    (with_backup(security=UNTRUSTED), []),
    (replace(with_backup(security=UNTRUSTED), policy=ENFORCED), ["error certificate-untrusted"]),
    (replace(with_backup(security=UNTRUSTED), policy=TESTING), ["warning certificate-untrusted"]),
    (with_backup(security=replace(TLS, until=NOW + 86400)), ["warning certificate-ends"]),
    (with_backup(tlsa=FITS, security=UNTRUSTED), []),
    (with_backup(tlsa=DIFFERS), ["error tlsa-differs"]),
    (with_backup(tlsa=replace(DIFFERS, signed=False)), ["warning tlsa-differs", "note tlsa-unsigned"]),
    (with_backup(tlsa=Associations((Association(1, 0, 0, b"x"),), signed=True)), ["warning tlsa-unusable"]),
    # who was not asked as a stranger
    (with_backup(vantage=Vantage.SERVER, dialogue=says(refuse=OK, nobody=OK)), ["warning not-a-stranger"]),
    (with_backup(vantage=Vantage.NETWORK), ["warning not-a-stranger"]),
    (with_backup(vantage=Vantage.INSIDE), ["warning not-a-stranger"]),
    (with_backup(dialogue=None, unasked=Unasked.LATE), ["warning not-asked"]),
    (with_backup(dialogue=None, unasked=Unasked.TOO_MANY), ["warning not-asked"]),
    (with_backup(dialogue=None, unasked=Unasked.FAILED, fault="x"), ["warning check-failed"]),
    (replace(FINE, servers=(), servers_late=True), ["warning servers-not-asked"]),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "expected"), ROWS)
def test_judge(facts: Audited, expected: list[str]) -> None:
    assert [f"{found.severity} {found.id}" for found in judge(facts)] == expected


@pytest.mark.parametrize(
    ("facts", "complete"),
    [
        (FINE, True),
        (with_backup(dialogue=REFUSED), True),
        (with_backup(dialogue=UNREACHABLE), True),
        (replace(EMPTY, mx=Status.SERVFAIL), True),
        (replace(EMPTY, mx=Status.SILENT), False),
        (with_backup(vantage=Vantage.INSIDE), False),
        (with_backup(dialogue=None, unasked=Unasked.LATE), False),
        (with_backup(dialogue=None, unasked=Unasked.INSIDE), True),
        (replace(FINE, servers_late=True), False),
        (replace(FINE, asked=tuple(replace(one, dialogue=UNREACHABLE) for one in FINE.asked)), False),
    ],
)
def test_what_could_not_be_asked_is_not_known(facts: Audited, complete: bool) -> None:
    assert facts.complete is complete


def test_a_line_for_each_exchanger() -> None:
    asked = [
        with_primary(security=UNTRUSTED).asked[0],
        BACKUP,
        Asked(Exchanger(6, "xn--caf-dma.fr", addresses("192.0.2.1")), says(nobody=LATER, starttls=False)),
        Asked(Exchanger(7, "forgotten.org", addresses("192.0.2.2")), REFUSED, Security(True, trouble=FAILS)),
        Asked(Exchanger(8, "closed.org", addresses("192.0.2.3")), UNREACHABLE),
        Asked(Exchanger(9, "hangs.org", addresses("192.0.2.4")), Dialogue(trouble=SLOW)),
        Asked(Exchanger(10, "ssh.org", addresses("192.0.2.5")), Dialogue(trouble=CLOSED)),
        Asked(Exchanger(11, "late.org", addresses("192.0.2.6")), unasked=Unasked.LATE),
        Asked(Exchanger(12, "old.org", addresses("192.0.2.6")), GOOD),
    ]
    rows = about_audits.table(replace(FINE, asked=tuple(asked)), words)
    assert ["|".join(row) for row in rows] == [
        "Preference|Mail exchanger|Role|Recipient|Nobody|Stranger's domain|Encryption",
        "0|mail.dupontnet.com|primary|accepted|refused (550)|refused (554)|TLSv1.3, not trusted",
        "5|mail.durantcom.net|backup|accepted|refused (550)|refused (554)|TLSv1.3, trusted",
        "6|café.fr|backup|accepted|put off (450)|refused (554)|none",
        "7|forgotten.org|backup|refused (554)|refused (550)|refused (554)|fails",
        "8|closed.org|backup|no connection|-|-|-",
        "9|hangs.org|backup|no answer|-|-|-",
        "10|ssh.org|backup|no SMTP|-|-|-",
        "11|late.org|backup|not asked|-|-|-",
        "12|old.org|backup|accepted|refused (550)|refused (554)|offered",
    ]


def remembered(facts: Audited) -> memory.Memory:
    return memory.of(facts, [(found, about_checks.sentence(found, words)) for found in judge(facts)])


def test_only_changes_are_changes() -> None:
    before = remembered(FINE)
    other_words = replace(GOOD, reply=Reply(250, ("ok 20261124041500",)), nobody=Reply(550, ("no x7",)))
    assert not memory.changes(before, remembered(replace(with_backup(dialogue=other_words), now=NOW + 86400)))
    broken = remembered(with_backup(dialogue=says(refuse=OK)))
    said = str(judge(with_backup(dialogue=says(refuse=OK)))[0].message)
    assert memory.changes(before, broken) == Changes(NOW, (said,), (), ("mail.durantcom.net",))
    assert memory.changes(broken, before) == Changes(NOW, (), (said,), ("mail.durantcom.net",))
    assert memory.changes(before, remembered(replace(FINE, asked=(PRIMARY,)))).exchangers == ("mail.durantcom.net",)


@pytest.mark.parametrize("facts", [facts for facts, _ in ROWS])
def test_what_is_remembered_is_read_again(facts: Audited) -> None:
    stored = json.loads(json.dumps(remembered(facts).json()))
    assert memory.parse(stored, "dupontnet.com") == remembered(facts)
    with pytest.raises(InvalidInput):
        memory.parse(stored, "dupont.net")


JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(
    st.dictionaries(st.sampled_from(["version", "domain", "when", "exchangers", "findings"]), JSON | st.just(1)) | JSON
)
def test_any_json_is_what_was_remembered_or_not(stored: object) -> None:
    try:
        memory.parse(stored, "dupontnet.com")
    except InvalidInput:
        return
