# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain Debian with Postfix: rules made, put into force by its real programs, mail sent their way, and removed."""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.system.internet import MAILSERVER
from tests.system.machine import DIST, Sandbox, wait_until

# The mail servers of this little world: who has the MX records, who is named as a route, and the smart host.
MX, ROUTE, SMARTHOST = "192.0.2.25", "192.0.2.26", "192.0.2.27"
NETWORK = f"""
set -e
ZONE='@ 60 SOA ns host 1 60 60 60 60
@ 60 NS ns
@ 60 MX 0 mail
* 60 MX 0 mail
ns 60 A 127.0.0.1
mail 60 A {MX}'
ip netns add others
ip link add out type veth peer name eth0 netns others
ip addr add 192.0.2.9/24 dev out
ip link set out up
for address in {MX} {ROUTE} {SMARTHOST}; do ip -n others addr add $address/24 dev eth0; done
ip -n others link set eth0 up
setsid ip netns exec others python3 {MAILSERVER} {MX}=accept {ROUTE}:2626=accept {SMARTHOST}:587=accept \\
    < /dev/null > /run/others.log 2>&1 &
for zone in dupontnet.com durand.org martin.fr; do
    echo "$ZONE" > /run/knot/$zone.zone
done
setsid knotd -c /run/knot/conf < /dev/null > /run/knot/log 2>&1 &
"""
KNOT = """
server:
    listen: 127.0.0.1@53
    rundir: /run/knot
database:
    storage: /run/knot
template:
  - id: default
    storage: /run/knot
    file: "%s.zone"
    journal-content: none
    zonefile-sync: -1
zone:
  - domain: dupontnet.com
  - domain: durand.org
  - domain: martin.fr
"""
STRANGERS = ("tomy@hotmail.com", "jean@xdupontnet.com", "jean@dupontnet.com.evil.net", "jean@durand.org")


def answers(machine: Sandbox, address: str, port: int) -> bool:
    probe = f"import socket; socket.create_connection(('{address}', {port}), 1)"
    return machine.run(["python3", "-c", probe], check=False).returncode == 0


@pytest.fixture(scope="module")
def debian() -> Iterator[Sandbox]:
    machine = Sandbox("debian", "postfix")
    machine.write("/run/knot/conf", KNOT)
    machine.sh(NETWORK)
    [package] = DIST.glob("mxbackup_*_all.deb")
    machine.run(["dpkg", "-i", str(package)])
    # Who connects from here is to be a stranger.
    machine.sh("postconf -e 'mynetworks = 192.0.2.200/32'; postfix reload")
    for address, port in ((MX, 25), (ROUTE, 2626), (SMARTHOST, 587), ("127.0.0.1", 53)):
        wait_until(partial(answers, machine, address, port))
    yield machine
    machine.stop()


def mxbackup(debian: Sandbox, *arguments: str, status: int = 0) -> str:
    done = debian.run(["mxbackup", *arguments], check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def rules_are(debian: Sandbox, *rules: str) -> None:
    """Have these rules, and no other, in force; each is what the shell is told after `add`."""
    for name in re.findall(r"^[a-z.]+\.[a-z]+", mxbackup(debian, "list"), re.MULTILINE):
        mxbackup(debian, "remove", name)
    for rule in rules:
        mxbackup(debian, "add", *rule.split())
    mxbackup(debian, "apply", "--configure")


def accepts(debian: Sandbox, *recipients: str) -> list[bool]:
    return [debian.rcpt(recipient).startswith("250") for recipient in recipients]


def sent_to(debian: Sandbox, recipient: str) -> str:
    """Have a stranger send mail, and return where Postfix delivers it."""
    session = debian.smtp(
        "HELO anything.other.org", "MAIL FROM:<admin@anything.other.org>", f"RCPT TO:<{recipient}>", "DATA",
        "Subject: Test", "", "yes", ".", "QUIT",
    )  # fmt: skip
    queued = re.search(r"queued as (\S+)", session)
    assert queued, session
    line = re.compile(rf" {queued[1]}: to=.* relay=[^[]*\[([0-9.]+)\]:([0-9]+), .* status=sent")
    wait_until(lambda: line.search(debian.read("/var/log/mail.log")) is not None)
    found = line.search(debian.read("/var/log/mail.log"))
    assert found
    return f"{found[1]}:{found[2]}"


def test_a_rule_is_made_applied_in_force_and_removed(debian: Sandbox) -> None:
    ours = ("jean@dupontnet.com", "toto@a.www.DupontNet.com", "eva@www.durand.org")
    assert accepts(debian, *ours) == [False] * 3
    rules_are(debian, "dupontnet.com", "www.durand.org --kind host")
    assert accepts(debian, *ours) == [True] * 3
    assert accepts(debian, "eva@below.www.durand.org", *STRANGERS) == [False] * 5
    assert "relay_domains: up to date" in mxbackup(debian, "status")
    mxbackup(debian, "remove", "dupontnet.com")
    assert mxbackup(debian, "apply") == "changed /etc/postfix/mxbackup/relay_domains\n"
    assert accepts(debian, *ours) == [False, False, True]
    mxbackup(debian, "disable")
    mxbackup(debian, "apply")
    assert accepts(debian, *ours, *STRANGERS) == [False] * 7
    mxbackup(debian, "enable")


@pytest.mark.parametrize("parents", ["", "relay_domains, smtpd_access_maps, transport_maps"])
def test_host_rules_reach_no_further_whatever_parents_match(debian: Sandbox, parents: str) -> None:
    debian.sh(f"postconf -e 'parent_domain_matches_subdomains = {parents}'; postfix reload")
    rules_are(debian, "dupontnet.com", "www.durand.org --kind host")
    try:
        assert accepts(debian, "jean@dupontnet.com", "jean@a.b.dupontnet.com", "eva@www.durand.org") == [True] * 3
        assert accepts(debian, "eva@below.www.durand.org", "eva@durand.org") == [False] * 2
    finally:
        debian.sh("postconf -# parent_domain_matches_subdomains; postfix reload")


def test_mail_goes_by_mx_by_route_and_around_the_smart_host(debian: Sandbox) -> None:
    rules_are(
        debian, "dupontnet.com", f"routed.dupontnet.com --kind host --route {ROUTE}:2626",
        "used.dupontnet.com --smarthost use", f"durand.org --route {ROUTE}:2626", "mx.durand.org --kind host",
        "martin.fr --smarthost use",
    )  # fmt: skip
    by_mx, by_route, by_smarthost = f"{MX}:25", f"{ROUTE}:2626", f"{SMARTHOST}:587"
    assert sent_to(debian, "jean@martin.fr") == by_mx
    debian.sh(f"postconf -e 'relayhost = [{SMARTHOST}]:587'; postfix reload")
    assert "/etc/postfix/mxbackup/transport is out of date" in mxbackup(debian, "status", status=1)
    mxbackup(debian, "apply")
    assert {
        name: sent_to(debian, f"jean@{name}")
        for name in (
            "dupontnet.com", "www.dupontnet.com", "routed.dupontnet.com", "below.routed.dupontnet.com",
            "used.dupontnet.com", "below.used.dupontnet.com", "durand.org", "www.durand.org", "mx.durand.org",
            "martin.fr", "www.martin.fr",
        )
    } == {
        "dupontnet.com": by_mx,
        "www.dupontnet.com": by_mx,
        "routed.dupontnet.com": by_route,
        "below.routed.dupontnet.com": by_mx,
        "used.dupontnet.com": by_smarthost,
        "below.used.dupontnet.com": by_smarthost,
        "durand.org": by_route,
        "www.durand.org": by_route,
        "mx.durand.org": by_mx,
        "martin.fr": by_smarthost,
        "www.martin.fr": by_smarthost,
    }  # fmt: skip
    debian.sh("postconf -e 'relayhost ='; postfix reload")


def test_mail_that_waits_keeps_its_way_when_its_rule_goes(debian: Sandbox) -> None:
    debian.sh(f"postconf -e 'relayhost = [{SMARTHOST}]:587'; postfix reload")
    rules_are(debian, f"dupontnet.com --route {ROUTE}:2627")  # where nobody listens
    session = debian.smtp(
        "HELO x.org", "MAIL FROM:<admin@other.org>", "RCPT TO:<jean@www.dupontnet.com>", "DATA", "", ".", "QUIT"
    )
    queued = re.search(r"queued as (\S+)", session)
    assert queued, session
    wait_until(lambda: f"{queued[1]}: to=<jean@www.dupontnet.com>" in debian.read("/var/log/mail.log"))
    assert "Messages that wait for dupontnet.com: 1." in mxbackup(debian, "remove", "dupontnet.com")
    mxbackup(debian, "apply")
    assert accepts(debian, "jean@www.dupontnet.com") == [False]
    debian.sh(
        f"setsid ip netns exec others python3 {MAILSERVER} {ROUTE}:2627=accept < /dev/null > /run/more.log 2>&1 &"
    )
    sent = re.compile(rf" {queued[1]}: .* relay={ROUTE}\[{ROUTE}\]:2627, .* status=sent")

    def is_sent() -> bool:
        debian.sh("postqueue -f")
        return sent.search(debian.read("/var/log/mail.log")) is not None

    wait_until(is_sent)
    assert "changed /etc/postfix/mxbackup/transport\n" in mxbackup(debian, "apply")
    debian.sh("postconf -e 'relayhost ='; postfix reload")


def reply(debian: Sandbox, recipient: str) -> str:
    """The code of the answer; while Postfix asks the primary, the sender would come back."""
    end = time.monotonic() + 20
    while "Address verification in progress" in (said := debian.rcpt(recipient)) and time.monotonic() < end:
        time.sleep(0.2)
    return said[:3]


@pytest.mark.parametrize("parents", ["", "relay_domains, smtpd_access_maps"])
def test_recipients_of_a_list_and_of_nested_rules(debian: Sandbox, parents: str) -> None:
    debian.sh(f"postconf -e 'parent_domain_matches_subdomains = {parents}'")
    rules_are(debian, "dupontnet.com --recipients list", "any.dupontnet.com --kind host", "martin.fr")
    debian.run(
        ["mxbackup", "recipients", "import", "dupontnet.com"],
        input="jean@dupontnet.com\njean-paul@dupontnet.com\nanne@www.dupontnet.com\n",
    )
    mxbackup(debian, "add", "www.martin.fr", "--kind", "host", "--recipients", "list")
    mxbackup(debian, "apply", "--configure")
    assert {
        recipient: reply(debian, recipient)
        for recipient in (
            "Jean@DupontNet.com", "jean+news@dupontnet.com", "jean-news@dupontnet.com", "jean-paul@dupontnet.com",
            "jean-paul-news@dupontnet.com", "eva@dupontnet.com", "eva-news@dupontnet.com", "anne@www.dupontnet.com",
            "jean@www.dupontnet.com", "eva@any.dupontnet.com", "eva@below.any.dupontnet.com", "eva@martin.fr",
            "eva@www.martin.fr", "eva@below.www.martin.fr", "tomy@hotmail.com",
        )
    } == {
        "Jean@DupontNet.com": "250",
        "jean+news@dupontnet.com": "250",
        "jean-news@dupontnet.com": "250",
        "jean-paul@dupontnet.com": "250",
        "jean-paul-news@dupontnet.com": "250",
        "eva@dupontnet.com": "550",
        "eva-news@dupontnet.com": "450",
        "anne@www.dupontnet.com": "250",
        "jean@www.dupontnet.com": "550",
        "eva@any.dupontnet.com": "250",
        "eva@below.any.dupontnet.com": "550",
        "eva@martin.fr": "250",
        "eva@www.martin.fr": "450",
        "eva@below.www.martin.fr": "250",
        "tomy@hotmail.com": "454",
    }  # fmt: skip
    debian.sh("postconf -# parent_domain_matches_subdomains; postfix reload")


@pytest.mark.parametrize(("unknown", "answer"), [("defer", "450"), ("accept", "250")])
def test_recipients_are_learnt_by_postfix_itself(debian: Sandbox, unknown: str, answer: str) -> None:
    debian.write("/run/mood", "well\n")
    primary = f"python3 {MAILSERVER.with_name('primary.py')} {ROUTE} /run/mood /run/primary.log"
    debian.sh(f"setsid ip netns exec others {primary} < /dev/null > /run/primary.out 2>&1 & echo $! > /run/primary.pid")
    rules_are(debian, f"durand.org --recipients learn --unknown {unknown} --route {ROUTE}")
    wait_until(partial(answers, debian, ROUTE, 25))
    assert [reply(debian, f"{name}@{unknown}.durand.org") for name in ("jean", "eva")] == ["250", "450"]
    debian.sh("kill -- -$(cat /run/primary.pid)")
    wait_until(lambda: not answers(debian, ROUTE, 25))
    assert [reply(debian, f"{name}@{unknown}.durand.org") for name in ("jean", "nobody")] == ["250", answer]


def test_erasing_leaves_the_rules_in_force_and_says_so(new_sandbox: Callable[..., Sandbox]) -> None:
    debian = new_sandbox("postfix")
    [package] = DIST.glob("mxbackup_*_all.deb")
    debian.run(["dpkg", "-i", str(package)])
    debian.sh("postconf -e 'mynetworks = 192.0.2.200/32'; postfix reload")
    mxbackup(debian, "add", "dupontnet.com")
    mxbackup(debian, "apply", "--configure")
    erased = debian.run(["dpkg", "-r", "mxbackup"]).stdout
    assert "the rules stay in force as they stand in the mail files" in erased
    assert debian.sh("ls -d /usr/share/mxbackup /usr/bin/mxbackup 2> /dev/null; true") == ""
    assert accepts(debian, "jean@dupontnet.com", "tomy@hotmail.com") == [True, False]
