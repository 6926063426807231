# SPDX-License-Identifier: GPL-2.0-or-later
"""The letter to the owner of a backed-up name: whole, in each language and form, and what it says in each case."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from mxbackup.check.facts import Facts, Us
from mxbackup.check.letter import Letter, Origin, ask
from mxbackup.check.published import Exchanger
from mxbackup.esmith.settings import Settings
from mxbackup.lookup.answers import Answer, Outcome
from mxbackup.lookup.clock import Clock
from mxbackup.lookup.mtasts import Policy
from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import Server, Status
from mxbackup.routing.postfix.parameters import Postfix
from mxbackup.routing.postfix.system import System
from mxbackup.routing.verdict import Delivery, Verdict
from mxbackup.rules import Kind, Rule, SmartHostUse
from mxbackup.rules.names import Name
from mxbackup.service import applying, writing
from mxbackup.words import exemptions, lexicon
from mxbackup.words import letter as about
from tests.nameserver import Knot, free_port
from tests.postfixhost import MAIN, MAIN_CF, plain_postfix
from tests.scratch import Scratch

Run = Callable[..., tuple[int, str, str]]
DATA = Path(__file__).parent / "data"
ENGLISH = lexicon.load("en-us")
PUBLIC = "mxbackup=service|PublicAddress|111.112.113.114|status|enabled"
RULE = "dupontnet.com=mxbackup|Kind|domain"
SOA = "@ SOA ns h 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n"
ZONES = {
    "dupontnet.com": SOA + "@ MX 0 mail\nmail A 100.99.98.97\nwww A 100.99.98.97\n",
    "martin.fr": SOA + f"@ MX 5 mail\nmail A 100.99.98.96\n_25._tcp.mail TLSA 3 1 1 {'0' * 64}\n",
    "durantcom.net": SOA + "mail A 111.112.113.114\n",
}


@pytest.fixture(scope="module")
def nameserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The option's value."""
    port = free_port()
    knot = Knot(tmp_path_factory.mktemp("knot") / "zones", ZONES, ("127.0.0.1",), port)
    yield f"127.0.0.1:{port}"
    knot.stop()


@pytest.fixture
def durant(server: Scratch) -> Scratch:
    """The how-to's backup, with a rule for the how-to's domain."""
    server.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    server.database("configuration", "DomainName=durantcom.net", "SystemName=sme", PUBLIC)
    server.database("domains", f"{RULE}|Contact|jean@martin.fr|Description|<b>Jean</b>")
    put_into_force(server)
    return server


def put_into_force(server: Scratch) -> None:
    for target in ("rcpthosts", "smtproutes"):
        server.write(f"/var/qmail/control/{target}", applying.fragment(server.context, target))


def test_that_the_rule_is_not_in_force_is_said_beside_the_letter(durant: Scratch, mxbackup: Run) -> None:
    durant.write("/var/qmail/control/rcpthosts", "durantcom.net\n")
    status, _, err = mxbackup("letter", "dupontnet.com")
    assert status == 0
    assert "warning: The rules as they are now are not in force." in err


@pytest.mark.parametrize("language", ["en", "fr", "de"])
def test_the_whole_letter(durant: Scratch, mxbackup: Run, nameserver: str, language: str) -> None:
    said = mxbackup("letter", "dupontnet.com", "--lang", language, "--nameserver", nameserver)
    assert said == (0, (DATA / f"letter.{language}.txt").read_text(), "")


def test_html_says_the_same(durant: Scratch, mxbackup: Run, nameserver: str) -> None:
    status, page, err = mxbackup("letter", "dupontnet.com", "--lang", "fr", "--html", "--nameserver", nameserver)
    assert (status, err) == (0, "")
    assert '<html lang="fr">' in page
    body = unescape(re.sub("<[^>]*>", " ", page.partition("<body>")[2].replace("</th><td>", "\u00a0: ")))
    text = re.sub(r"^(\*\*\*|(- )+-$|=+$|-+$)", "", (DATA / "letter.fr.txt").read_text(), flags=re.MULTILINE)
    assert body.split() == text.split()


def test_html_is_valid(durant: Scratch, mxbackup: Run, nameserver: str) -> None:
    page = mxbackup("letter", "dupontnet.com", "--html", "--nameserver", nameserver)[1]
    checked = subprocess.run(["tidy", "-quiet", "-errors"], input=page, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_without_an_answer_of_the_dns_it_guesses_and_says_so(durant: Scratch, mxbackup: Run) -> None:
    status, letter, err = mxbackup("letter", "dupontnet.com", "--nameserver", f"127.0.0.1:{free_port()}")
    assert "dupontnet.com. IN MX 100 mail.durantcom.net.\n" in letter
    assert "The DNS did not answer when this letter was written." in letter
    assert (status, err) == (
        0,
        "warning: The DNS did not answer, so the preference 100 is a guess.\n"
        "warning: The DNS has no address for mail.durantcom.net: make its A record first.\n",
    )


def test_of_no_rule_there_is_no_letter(durant: Scratch, mxbackup: Run) -> None:
    said = (1, "", 'mxbackup: There is no rule for "smithnet.com". See: mxbackup list\n')
    assert mxbackup("letter", "smithnet.com") == said


def test_a_server_without_a_name_cannot_be_an_exchanger(durant: Scratch, mxbackup: Run) -> None:
    durant.database("configuration", "DomainName=durant com;net", "SystemName=sme")
    refused = (3, "", "mxbackup: This server has no name that an MX record could have. Give it one first.\n")
    assert mxbackup("letter", "dupontnet.com") == refused


def test_postfix_sends_its_name(tmp_path: Path, nameserver: str) -> None:
    host = plain_postfix(tmp_path / "server")
    host.write("/etc/mxbackup/domains", f"{RULE}\n")
    found = writing.letter(host.context, "dupontnet.com", public=["111.112.113.114"], limit=0.0)
    assert (found.server, found.admin) == ("mail.durantcom.net", "postmaster@mail.durantcom.net")


QMAIL = Us(frozenset({"127.0.0.1", "111.112.113.114"}), frozenset(), Settings(domain_name="durantcom.net"))
HERE = Exchanger(20, "mail.durantcom.net", Answer(Outcome.FOUND, ("111.112.113.114",)))


def mx(preference: int, name: str = "mail.dupontnet.com") -> Exchanger:
    return Exchanger(preference, name, Answer(Outcome.FOUND, ("100.99.98.97",)))


def letter(*exchangers: Exchanger, us: Us = QMAIL, status: Status = Status.ANSWER, **more: Any) -> Letter:
    rule = Rule(Name("dupontnet.com"))
    facts = Facts(name=rule.name, us=us, delivery=Delivery(Verdict.UNKNOWN), mx=status, exchangers=exchangers)
    return replace(Letter(facts, rule, "mail.durantcom.net", HERE), **more)


@pytest.mark.parametrize(
    ("found", "records"),
    [
        (letter(mx(0)), [(10, "mail.durantcom.net")]),
        (letter(mx(5), mx(12, "other.net")), [(20, "mail.durantcom.net")]),
        (letter(mx(65529)), [(65530, "mail.durantcom.net")]),
        (letter(mx(65530)), [(65535, "mail.durantcom.net")]),
        (letter(mx(65535)), []),
        (letter(mx(10), HERE), [(20, "mail.durantcom.net")]),
        (letter(mx(10), replace(HERE, preference=15)), [(15, "mail.durantcom.net")]),
        (letter(mx(20), HERE), [(30, "mail.durantcom.net")]),
        (letter(mx(30), HERE), [(40, "mail.durantcom.net")]),
        (letter(HERE), [(10, "mail.durantcom.net")]),
        (letter(status=Status.EMPTY, implicit=True), [(10, "dupontnet.com"), (20, "mail.durantcom.net")]),
        (letter(status=Status.EMPTY), [(10, "mail.durantcom.net")]),
        (letter(Exchanger(0, "")), [(10, "mail.durantcom.net")]),
        (letter(status=Status.SERVFAIL), [(100, "mail.durantcom.net")]),
    ],
)
def test_the_records_to_add(found: Letter, records: list[tuple[int, str]]) -> None:
    assert list(found.records) == records


POSTFIX = System(Postfix(types=("A", "AAAA")))
SIX = frozenset({"2001:db8::10", "fe80::1", "::1"})
NAT = replace(QMAIL, interfaces=frozenset({"192.168.1.10", "127.0.0.1"}))


@pytest.mark.parametrize(
    ("us", "more", "origin", "addresses"),
    [
        (QMAIL, {}, Origin.INTERFACES, ["111.112.113.114"]),
        (replace(QMAIL, interfaces=QMAIL.interfaces | SIX), {}, Origin.INTERFACES, ["111.112.113.114"]),
        (
            replace(QMAIL, interfaces=QMAIL.interfaces | SIX, kinds=(POSTFIX,)),
            {},
            Origin.INTERFACES,
            ["111.112.113.114", "2001:db8::10"],
        ),
        (NAT, {}, Origin.DNS, ["111.112.113.114"]),
        (NAT, {"host": None}, Origin.UNKNOWN, []),
        (replace(NAT, public=frozenset({"198.51.100.7", "nonsense"})), {}, Origin.SETTING, ["198.51.100.7"]),
        (
            replace(NAT, interfaces=NAT.interfaces | SIX, public=frozenset({"198.51.100.7"}), kinds=(POSTFIX,)),
            {},
            Origin.INTERFACES,
            ["198.51.100.7", "2001:db8::10"],
        ),
        (
            replace(QMAIL, settings=Settings(smarthost="smtp.provider.net")),
            {"rule": Rule(Name("dupontnet.com"), smarthost=SmartHostUse.USE)},
            Origin.SMARTHOST,
            [],
        ),
    ],
)
def test_the_addresses_that_our_mail_comes_from(
    us: Us, more: dict[str, Any], origin: Origin, addresses: list[str]
) -> None:
    found = letter(mx(0), us=us, **more)
    assert (found.origin, list(found.addresses)) == (origin, addresses)


@pytest.mark.parametrize("set_", [False, True])
def test_behind_nat_postfix_is_told_of_proxy_interfaces_until_they_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_: bool
) -> None:
    monkeypatch.setattr("mxbackup.lookup.interfaces.addresses", lambda: frozenset({"192.168.1.10"}))
    monkeypatch.setattr("mxbackup.lookup.interfaces.addresses_of_ipv6", frozenset)
    host = plain_postfix(tmp_path / "server")
    if set_:
        host.write(MAIN, f"{MAIN_CF}proxy_interfaces = 111.112.113.114\n")
    host.write("/etc/mxbackup/domains", f"{RULE}\n")
    found = replace(writing.letter(host.context, "dupontnet.com", limit=0.0), host=HERE)
    said = [line for line in about.remarks(found, ENGLISH) if "NAT" in line]
    assert said == (
        []
        if set_
        else [
            "The addresses that this server sends from are those that the DNS has for mail.durantcom.net. If it stands "
            "behind NAT and others are seen outside, state them: mxbackup address ADDRESS"
        ]
    )


def section(found: Letter, number: int) -> str:
    """A numbered section of the letter, its lines run together."""
    parts = re.split(r"^\d\. .*\n-+\n|^How long .*\n-+\n", about.text(found, ENGLISH), flags=re.MULTILINE)
    return " ".join(parts[number].replace("- ", "").split())


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (letter(mx(10), HERE), "It is there already; nothing is left to do:"),
        (letter(mx(65535)), "Your mail server has the greatest preference number that there is."),
        (letter(Exchanger(0, "")), "Today the DNS says that dupontnet.com takes no mail at all (a null MX)."),
        (letter(status=Status.EMPTY, implicit=True), "Until now dupontnet.com has no MX record, and its mail goes to"),
        (letter(status=Status.MISSING), "dupontnet.com has no MX record yet."),
    ],
)
def test_how_the_record_is_added(found: Letter, said: str) -> None:
    assert section(found, 3).startswith(said)


def with_policy(policy: Policy | None, trouble: str = "") -> Letter:
    known = letter(mx(0))
    return replace(known, facts=replace(known.facts, policy=policy, policy_trouble=trouble))


@pytest.mark.parametrize(
    ("policy", "trouble", "line"),
    [
        (Policy("enforce", ("mail.dupontnet.com",)), "", True),
        (Policy("testing", ("*.dupontnet.com",)), "", True),
        (Policy("enforce", ("mail.dupontnet.com", "*.durantcom.net")), "", False),
        (Policy("none"), "", False),
        (None, "unreadable", True),
        (None, "", False),
    ],
)
def test_the_line_for_mta_sts(policy: Policy | None, trouble: str, line: bool) -> None:
    assert ("mx: mail.durantcom.net" in section(with_policy(policy, trouble), 3)) == line


@pytest.mark.parametrize(
    ("dane", "said"),
    [
        (set(), ""),
        ({"mail.durantcom.net"}, ""),
        ({"mail.dupontnet.com"}, "mail.durantcom.net has none, so they do not protect mail that goes to the backup;"),
        (
            {"mail.dupontnet.com", "mail.durantcom.net"},
            "(DANE), and so has mail.durantcom.net: there is nothing to add",
        ),
    ],
)
def test_the_note_on_dane(dane: set[str], said: str) -> None:
    found = section(letter(mx(0), dane=frozenset(dane)), 3)
    assert said in found
    assert ("DANE" in found) == bool(said)


def test_what_is_asked_of_the_dns(nameserver: str) -> None:
    address, _, port = nameserver.partition(":")
    dns = Dns([Server(address, int(port))])
    names = ["mail.nowhere.test", "mail.durantcom.net"]
    found = ask(Rule(Name("martin.fr")), QMAIL, dns, names, Clock(20.0))
    assert [(one.preference, one.name, one.addresses) for one in found.facts.exchangers] == [
        (5, "mail.martin.fr", ("100.99.98.96",))
    ]
    assert (found.server, found.leads_here, found.implicit) == ("mail.durantcom.net", True, False)
    assert (set(found.dane), found.primary_has_dane) == ({"mail.martin.fr"}, True)
    assert ask(Rule(Name("www.dupontnet.com")), QMAIL, dns, names, Clock(20.0)).implicit
    late = ask(Rule(Name("martin.fr")), QMAIL, Dns(dns.resolvers), names, Clock(0.0))
    assert (late.answered, late.server, late.preference) == (False, "mail.nowhere.test", 100)


@pytest.mark.parametrize(("kind", "said"), [(Kind.DOMAIN, True), (Kind.HOST, False)])
def test_a_domain_rule_reaches_below_the_name(kind: Kind, said: bool) -> None:
    assert ("such as www.dupontnet.com" in section(letter(mx(0), rule=Rule(Name("dupontnet.com"), kind)), 3)) == said


def test_what_the_sender_is_to_see_to() -> None:
    us = replace(NAT, settings=Settings(enabled=False, smarthost="smtp.provider.net"))
    rule = Rule(Name("dupontnet.com"), smarthost=SmartHostUse.USE)
    assert list(about.remarks(letter(mx(65535), us=us, rule=rule, host=None), ENGLISH)) == [
        "MX backup is disabled: nothing is accepted until you enable it.",
        "The primary has the greatest preference number that there is: its owner must lower it first.",
        "The mail of this rule goes through the smart host smtp.provider.net, and the primary sees its addresses, "
        "which are not known here: put them into the letter in the place of ADDRESS.",
        "The DNS has no address for mail.durantcom.net: make its A record first.",
    ]
    assert list(about.remarks(letter(mx(0)), ENGLISH)) == []


def test_what_others_wrote_is_shown_and_does_nothing() -> None:
    found = letter(
        mx(0, "<script>\\027]0;\x1b[2J\u202e.com"), rule=Rule(Name("xn--dupnt-lua.com"), contact="`id`@a.org")
    )
    page, text = about.document(found, ENGLISH, "utf-8"), about.text(found, ENGLISH)
    assert "&lt;script&gt;\\027]0;\\u001b[2J\\u202e.com" in page
    assert "<script>\\027]0;\\u001b[2J\\u202e.com" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", page + text)
    assert "dupönt.com" in text
    assert "xn--dupnt-lua.com. IN MX 10 mail.durantcom.net.\n" in text


def test_each_system_names_its_documentation_and_takes_what_it_can() -> None:
    for system in exemptions.SYSTEMS:
        both = system.snippet(["192.0.2.10", "2001:db8::10"], "mail.durantcom.net")
        assert system.sources
        assert "192.0.2.10" in both
        assert ("2001:db8::10" in both) == system.ipv6
        assert bool(system.snippet(["2001:db8::10"], "mail.durantcom.net")) == system.ipv6
        assert not system.snippet([], "mail.durantcom.net")
