# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain Debian with Postfix: rules made, put into force by its real programs, mail sent their way, and removed."""

import json
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.nameserver import configuration
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
echo "$ZONE
@ 60 TXT \\"v=spf1 -all\\"" > /run/knot/example.com.zone
setsid knotd -c /run/knot/conf < /dev/null > /run/knot/log 2>&1 &
"""
KNOT = configuration("/run/knot", "127.0.0.1@53", ("dupontnet.com", "durand.org", "martin.fr", "example.com"))
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


LISTEN = "setsid ip netns exec others python3 {} {}=accept < /dev/null > /run/more.log 2>&1 & echo $! > /run/more.pid"


def back(debian: Sandbox, port: int) -> None:
    """Somebody listens at a port of the route from now on."""
    debian.sh(LISTEN.format(MAILSERVER, f"{ROUTE}:{port}"))
    wait_until(partial(answers, debian, ROUTE, port))


def send(debian: Sandbox, recipient: str) -> str:
    """Have a stranger send mail that cannot be delivered; return its queue ID once it is deferred."""
    session = debian.smtp(
        "HELO x.org", "MAIL FROM:<admin@other.org>", f"RCPT TO:<{recipient}>", "DATA", "", ".", "QUIT"
    )
    queued = re.search(r"queued as (\S+)", session)
    assert queued, session
    wait_until(lambda: f"{queued[1]}: to=<{recipient}>" in debian.read("/var/log/mail.log"))
    return queued[1]


def is_sent(debian: Sandbox, ident: str, port: int) -> bool:
    sent = re.compile(rf" {ident}: .* relay={ROUTE}\[{ROUTE}\]:{port}, .* status=sent")
    return sent.search(debian.read("/var/log/mail.log")) is not None


def held(debian: Sandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(mxbackup(debian, "queue", "--json"))["rules"]
    return found


@pytest.mark.parametrize(("change", "port"), [("remove dupontnet.com", 2627), ("disable", 2628)])
def test_mail_that_waits_keeps_its_way_when_its_rule_goes(debian: Sandbox, change: str, port: int) -> None:
    debian.sh(f"postconf -e 'relayhost = [{SMARTHOST}]:587'; postfix reload")
    rules_are(debian, f"dupontnet.com --route {ROUTE}:{port}")  # where nobody listens
    ident = send(debian, "jean@www.dupontnet.com")
    assert re.search(r"Messages that wait[^:]*: 1\.", mxbackup(debian, *change.split()))
    mxbackup(debian, "apply")
    assert accepts(debian, "jean@www.dupontnet.com") == [False]
    back(debian, port)
    assert mxbackup(debian, "flush").startswith("To be tried now, by postqueue -i: the mail held for dupontnet.com.")
    wait_until(lambda: is_sent(debian, ident, port))
    wait_until(lambda: held(debian) == [])
    assert "changed /etc/postfix/mxbackup/transport\n" in mxbackup(debian, "apply")
    debian.sh("postconf -e 'relayhost ='; postfix reload")
    mxbackup(debian, "enable")


def test_mail_is_delivered_within_90_seconds_of_the_return(debian: Sandbox) -> None:
    rules_are(debian, f"dupontnet.com --route {ROUTE}:2629")
    ident = send(debian, "jean@www.dupontnet.com")
    arrived = time.time()
    # So many that Postfix finds the destination dead, and tries none of them.
    debian.sh("smtp-source -s 20 -m 300 -f a@other.org -t eva@dupontnet.com 127.0.0.1:25")
    wait_until(lambda: "delivery temporarily suspended" in debian.read("/var/log/mail.log"))
    wait_until(lambda: held(debian)[0]["next"] is not None and held(debian)[0]["messages"] == 301)
    [rule] = held(debian)
    assert (rule["name"], rule["recipients"], rule["expires"] - rule["oldest"]) == ("dupontnet.com", 301, 5 * 86400)
    assert "Connection refused" in rule["reason"]
    assert "Messages held: 301 " in mxbackup(debian, "status")
    time.sleep(max(0, arrived + 61 - time.time()))  # what is new, Postfix tries itself
    assert mxbackup(debian, "tend") == ""
    assert mxbackup(debian, "tend") == ""
    assert "cannot be reached" in mxbackup(debian, "status")
    slot = rule["next"] - time.time()
    back(debian, 2629)
    returned = time.monotonic()
    said = mxbackup(debian, "tend")
    assert said.startswith("To be tried now, by postqueue -i: the mail held for dupontnet.com.")
    wait_until(lambda: is_sent(debian, ident, 2629) and held(debian) == [])
    took = time.monotonic() - returned
    print(f"Postfix alone tries in {slot:.0f} s at the earliest; tend delivers 301 within {60 + took:.1f} s at most")
    assert 60 + took < 90
    mxbackup(debian, "tend")
    history = mxbackup(debian, "history", "dupontnet.com")
    assert len(history.splitlines()) >= 3, history
    assert "dupontnet.com" not in mxbackup(debian, "status").split("Smart host")[0]


SHORT = "maximal_queue_lifetime=20s queue_run_delay=2s minimal_backoff_time=2s maximal_backoff_time=4s"


def test_hold_outlives_the_lifetime_of_all_mail(debian: Sandbox) -> None:
    rules_are(debian, f"dupontnet.com --route {ROUTE}:2630 --hold 1", f"martin.fr --route {ROUTE}:2630")
    debian.sh(f"postconf -e {SHORT}; postfix reload")
    try:
        ours, other = send(debian, "jean@dupontnet.com"), send(debian, "jean@martin.fr")
        arrived = held(debian)[0]["oldest"]
        end = time.monotonic() + 50
        while time.monotonic() < end:
            mxbackup(debian, "tend")
            time.sleep(3)
        log = debian.read("/var/log/mail.log")
        assert re.search(rf" {other}: from=<admin@other.org>, status=expired", log)
        assert f"{ours}: requeued" in log
        [rule] = held(debian)
        assert (rule["name"], rule["messages"], rule["oldest"]) == ("dupontnet.com", 1, arrived)
        assert len(re.findall("from=<admin@other.org>, status=expired", log)) == 1
        back(debian, 2630)
        mxbackup(debian, "flush")
        wait_until(lambda: held(debian) == [])
        assert re.search(
            rf"to=<jean@dupontnet.com>, relay={ROUTE}.*:2630, .* status=sent", debian.read("/var/log/mail.log")
        )
    finally:
        debian.sh(f"postconf -X {re.sub('=[^ ]*', '', SHORT)}; postfix reload")


def test_what_the_administrator_put_on_hold_is_left_to_him(debian: Sandbox) -> None:
    rules_are(debian, f"dupontnet.com --route {ROUTE}:2631")
    ident = send(debian, "jean@dupontnet.com")
    debian.run(["postsuper", "-h", ident])
    assert "on hold" in mxbackup(debian, "queue")
    assert mxbackup(debian, "flush").startswith("Messages that the administrator has put on hold: 1.")
    assert "Messages that wait for dupontnet.com: 1." in mxbackup(debian, "remove", "dupontnet.com")
    mxbackup(debian, "apply")
    assert f"dupontnet.com\t:[{ROUTE}]:2631" in debian.read("/etc/postfix/mxbackup/transport")
    debian.run(["postsuper", "-d", ident])
    mxbackup(debian, "apply")
    assert debian.read("/etc/postfix/mxbackup/transport") == ""


def test_thousands_of_messages_are_told_in_bounded_time(debian: Sandbox) -> None:
    rules_are(debian, f"dupontnet.com --route {ROUTE}:2632")
    debian.sh("smtp-source -s 50 -m 3000 -f a@other.org -t '\"a, <b> c\"@dupontnet.com' 127.0.0.1:25")
    wait_until(lambda: held(debian)[0]["messages"] == 3000)
    began = time.monotonic()
    [rule] = held(debian)
    assert (rule["messages"], time.monotonic() - began < 5) == (3000, True)
    back(debian, 2632)
    assert mxbackup(debian, "flush").startswith("To be tried now, by postqueue -f: ")
    wait_until(lambda: held(debian) == [])


def test_the_way_back_is_tried_before_it_is_needed(debian: Sandbox) -> None:
    rules_are(debian, f"dupontnet.com --route {ROUTE}:2626", f"martin.fr --route {ROUTE}:2641")
    refusing = f"python3 {MAILSERVER} {ROUTE}:2641=refuse"
    debian.sh(f"setsid ip netns exec others {refusing} < /dev/null > /run/refusing.log 2>&1 &")
    said = mxbackup(debian, "check", "--replay", "dupontnet.com", "--yes")
    assert re.fullmatch(
        r"Sent through this server's queue, from mxbackup-[0-9a-f]+@example\.com to postmaster@dupontnet\.com\.\n"
        r"The primary accepted it after [0-9]+ s: 250 taken\n",
        said,
    )
    told = json.loads(mxbackup(debian, "check", "--replay", "martin.fr", "--yes", "--json", status=1))
    assert (told["outcome"], told["text"].rpartition(" said: ")[2]) == (
        "refused", "550 go away (in reply to RCPT TO command)",
    )  # fmt: skip
    mxbackup(debian, "check", "--replay", "dupontnet.com", "--yes", status=3)
    assert [line.rpartition("  ")[2] for line in mxbackup(debian, "history", "dupontnet.com").splitlines()[-2:]] == [
        "a test message is sent to the primary", "what became of the test message: accepted: 250 taken",
    ]  # fmt: skip


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


@pytest.mark.parametrize("erase", ["-r", "-P"])
def test_erased_it_accepts_nothing_and_mail_that_waits_keeps_its_way(
    new_sandbox: Callable[..., Sandbox], erase: str
) -> None:
    debian = new_sandbox("postfix")
    [package] = DIST.glob("mxbackup_*_all.deb")
    debian.run(["dpkg", "-i", str(package)])
    debian.sh("postconf -e 'mynetworks = 192.0.2.200/32'; postfix reload")
    mxbackup(debian, "add", "dupontnet.com", "--route", "127.0.0.1:2642")  # where nobody listens
    mxbackup(debian, "add", "martin.fr", "--recipients", "list")
    mxbackup(debian, "apply", "--configure")
    send(debian, "jean@dupontnet.com")
    main_cf = debian.read("/etc/postfix/main.cf")
    debian.run(["dpkg", "-i", str(package)])  # an update
    assert accepts(debian, "jean@dupontnet.com", "tomy@hotmail.com") == [True, False]
    erased = debian.run(["env", "LC_ALL=fr_FR.UTF-8", "dpkg", erase, "mxbackup"]).stdout
    assert [line for line in erased.splitlines() if "main.cf" in line] == [
        "Aucun nouveau courrier n’est accepté pour les règles, qui restent enregistrées. Messages en attente qui "
        "seront encore livrés\u00a0: 1. main.cf nomme toujours les tables dans /etc/postfix/mxbackup, qui doivent y "
        "rester aussi longtemps."
    ]
    assert debian.sh("ls -d /usr/share/mxbackup /usr/bin/mxbackup 2> /dev/null; true") == ""
    refused = accepts(debian, "jean@dupontnet.com", "jean@martin.fr", "tomy@hotmail.com", "root@[127.0.0.1]")
    assert refused == [False, False, False, True]
    assert "dupontnet.com\t:[127.0.0.1]:2642" in debian.read("/etc/postfix/mxbackup/transport")
    assert debian.read("/etc/postfix/main.cf") == main_cf
    debian.run(["dpkg", "-i", str(package)])
    mxbackup(debian, "apply")
    assert accepts(debian, "jean@dupontnet.com", "tomy@hotmail.com") == [True, False]
