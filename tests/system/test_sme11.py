# SPDX-License-Identifier: GPL-2.0-or-later
"""SME 11: three real qpsmtpd take the mail in, a real Postfix behind them sends it; from install to erase."""

import re
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.system.browser import published
from tests.system.cgi import Visitor
from tests.system.internet import MAILSERVER
from tests.system.machine import Sandbox, wait_until
from tests.system.test_postfix_profile import (
    KNOT,
    MX,
    NETWORK,
    ROUTE,
    SMARTHOST,
    STRANGERS,
    answers,
    mxbackup,
)

OURS = "smeserver-mxbackup-utf8"
PORTS = (25, 465, 587)
MAIN = "/etc/postfix/main.cf"
TABLES = "/etc/postfix/mxbackup"
LOG = "/var/log/mail.log"
THEIRS = "transport_maps = inline:{ theirs.example=smtp:[192.0.2.27]:587,\n  more.example=discard: }\n"


@pytest.fixture(scope="module")
def eleven() -> Iterator[Sandbox]:
    machine = Sandbox("eleven", "sme11")
    machine.write("/run/knot/conf", KNOT)
    machine.sh(NETWORK)
    # What the host says itself must stay, over two lines too.
    machine.write(f"/etc/e-smith/templates{MAIN}/30transport", THEIRS.replace("{", "\\{").replace("}", "\\}"))
    machine.install(OURS)
    for address, port in ((MX, 25), (ROUTE, 2626), (SMARTHOST, 587), ("127.0.0.1", 53)):
        wait_until(partial(answers, machine, address, port))
    yield machine
    machine.stop()


def accepts(eleven: Sandbox, *recipients: str) -> list[bool]:
    return [eleven.rcpt(recipient, port).startswith("250") for recipient in recipients for port in PORTS]


def queued(eleven: Sandbox, recipient: str, port: int = 25) -> str:
    """Have a stranger send mail; return its number in the queue of Postfix."""
    session = eleven.smtp(
        "HELO anything.other.org", "MAIL FROM:<admin@anything.other.org>", f"RCPT TO:<{recipient}>", "DATA",
        "Subject: Test", "", "yes", ".", "QUIT", port=port,
    )  # fmt: skip
    assert "250 Queued" in session, session
    line = re.compile(rf" ([0-9A-Za-z]+): to=<{re.escape(recipient)}>")
    wait_until(lambda: line.search(eleven.read(LOG)) is not None)
    return str(line.findall(eleven.read(LOG))[-1])


def sent_to(eleven: Sandbox, recipient: str, port: int = 25) -> str:
    number = queued(eleven, recipient, port)
    line = re.compile(rf" {number}: to=.* relay=[^[]*\[([0-9.]+)\]:([0-9]+), .* status=sent")
    wait_until(lambda: line.search(eleven.read(LOG)) is not None)
    found = line.search(eleven.read(LOG))
    assert found
    return f"{found[1]}:{found[2]}"


def test_a_rule_counts_on_every_port_and_is_removed(eleven: Sandbox) -> None:
    ours = ("jean@dupontnet.com", "toto@a.www.DupontNet.com", "eva@www.durand.org")
    assert accepts(eleven, *ours) == [False] * 9
    mxbackup(eleven, "add", "dupontnet.com")
    mxbackup(eleven, "add", "www.durand.org", "--kind", "host")
    assert accepts(eleven, "admin@durantcom.net", *ours) == [True] * 12
    assert accepts(eleven, "eva@below.www.durand.org", *STRANGERS) == [False] * 15
    # The checks ask what this Postfix will do. That strangers do not find this server is the zone's fault.
    assert "Mail that arrives here for dupontnet.com is delivered to 192.0.2.25:25." in mxbackup(
        eleven, "check", "dupontnet.com", status=1
    )
    said = mxbackup(eleven, "status")
    for daemon in ("qpsmtpd", "sqpsmtpd", "uqpsmtpd"):
        assert f"/var/service/{daemon}/config/rcpthosts: up to date\n" in said
    assert "transport: up to date\n" in said
    mxbackup(eleven, "remove", "dupontnet.com")
    assert accepts(eleven, *ours) == [False] * 6 + [True] * 3
    mxbackup(eleven, "disable")
    assert accepts(eleven, *ours, *STRANGERS) == [False] * 21
    mxbackup(eleven, "enable")
    mxbackup(eleven, "remove", "www.durand.org")


def test_the_backup_keeps_what_was_learnt(eleven: Sandbox) -> None:
    eleven.sh(f"signal-event {OURS}-update", check=False)  # there is no new manager here, for which it has actions
    assert "-g var/lib/mxbackup\n" in eleven.read("/etc/dar/DailyBackup.dcf")


def test_what_the_host_says_in_main_cf_stays(eleven: Sandbox) -> None:
    mxbackup(eleven, "add", "dupontnet.com")
    said = eleven.sh("postconf -h transport_maps 2> /dev/null")
    assert said.startswith(f"pipemap:{{regexp:{TABLES}/exact,")
    assert said.endswith("inline:{ theirs.example=smtp:[192.0.2.27]:587, more.example=discard: }\n")
    assert eleven.sh("postmap -q theirs.example 'inline:{ theirs.example=x }'") == "x\n"
    # Whoever expands it, as the host's own events do.
    before = eleven.read(MAIN)
    assert eleven.run(["expand-template", MAIN]).stderr == ""
    assert eleven.read(MAIN) == before
    mxbackup(eleven, "remove", "dupontnet.com")


def test_mail_goes_by_mx_by_route_and_around_the_smart_host(eleven: Sandbox) -> None:
    mxbackup(eleven, "add", "dupontnet.com")
    mxbackup(eleven, "add", "used.dupontnet.com", "--smarthost", "use")
    mxbackup(eleven, "add", "durand.org", "--route", f"{ROUTE}:2626")
    mxbackup(eleven, "add", "martin.fr", "--smarthost", "use")
    assert sent_to(eleven, "jean@martin.fr") == f"{MX}:25"
    # The E-mail panel sets it and signals an event that is not ours.
    eleven.sh(
        f"config setprop postfix SMTPSmartHost {SMARTHOST} SMTPSmartHostPeerPort 587;"
        f"expand-template {MAIN}; postfix reload"
    )
    assert sent_to(eleven, "jean@martin.fr") == f"{SMARTHOST}:587"
    assert sent_to(eleven, "jean@www.dupontnet.com", 587) == f"{MX}:25"
    assert sent_to(eleven, "jean@used.dupontnet.com") == f"{SMARTHOST}:587"
    assert sent_to(eleven, "jean@below.durand.org", 465) == f"{ROUTE}:2626"
    said = mxbackup(eleven, "status")
    assert f"Smart host: {SMARTHOST}.\n  dupontnet.com goes around it (MX)" in said
    eleven.sh(f"config setprop postfix SMTPSmartHost ''; expand-template {MAIN}; postfix reload")
    for name in ("used.dupontnet.com", "dupontnet.com", "martin.fr", "durand.org"):
        mxbackup(eleven, "remove", name)


def test_a_plugin_that_asks_the_primary_refuses_nothing_in_an_outage(eleven: Sandbox) -> None:
    eleven.sh("db domains setprop durantcom.net MailServer 192.0.2.26; signal-event mxbackup-update")
    eleven.sh("for d in qpsmtpd sqpsmtpd uqpsmtpd; do expand-template /var/service/$d/config/plugins; done")
    eleven.sh("mxbackup action load-plugin")
    mxbackup(eleven, "add", "durand.org", "--route", "192.0.2.26:2699")  # where nobody listens
    assert accepts(eleven, "jean@durand.org") == [True] * 3
    assert "durand.org" not in eleven.sh("cat /var/qmail/control/smtproutes /var/service/*/config/smtproutes", False)
    mxbackup(eleven, "remove", "durand.org")
    eleven.sh("db domains delprop durantcom.net MailServer")


def test_a_rule_lives_and_dies_in_the_panel(eleven: Sandbox) -> None:
    with published(eleven) as address:
        panel = Visitor(address)
        assert "does not run this page as root" not in panel.ask("GET")[1]
        assert panel.submit(do="save", name="martin.fr", kind="host", smarthost="bypass")[0] == 303
        assert accepts(eleven, "paul@martin.fr", "paul@www.martin.fr") == [True] * 3 + [False] * 3
        assert panel.submit(do="remove", rule="martin.fr")[0] == 303
        assert accepts(eleven, "paul@martin.fr") == [False] * 3
    assert "mxbackup+mxbackup=route|" in eleven.sh("cat /home/e-smith/db/routes")


def test_mail_is_delivered_within_90_seconds_of_the_return(eleven: Sandbox) -> None:
    mxbackup(eleven, "add", "dupontnet.com", "--route", f"{ROUTE}:2640")  # where nobody listens yet
    number = queued(eleven, "jean@dupontnet.com")
    deferred = re.compile(rf" {number}: to=.* status=deferred")
    wait_until(lambda: deferred.search(eleven.read(LOG)) is not None)
    mxbackup(eleven, "tend")
    eleven.sh(f"setsid ip netns exec others python3 {MAILSERVER} {ROUTE}:2640=accept < /dev/null > /run/back 2>&1 &")
    back = time.monotonic()
    sent = re.compile(rf" {number}: .*\]:2640, .* status=sent")
    while sent.search(eleven.read(LOG)) is None:
        assert time.monotonic() < back + 90
        time.sleep(5)
        mxbackup(eleven, "tend")
    mxbackup(eleven, "remove", "dupontnet.com")


def test_mail_is_held_told_and_keeps_its_way_after_the_erase(eleven: Sandbox) -> None:
    mxbackup(eleven, "add", "dupontnet.com", "--route", f"{ROUTE}:2627")  # where nobody listens yet
    mxbackup(eleven, "add", "martin.fr")
    number = queued(eleven, "jean@www.dupontnet.com")
    assert '"messages": 1' in mxbackup(eleven, "queue", "--json")
    said = eleven.run(["rpm", "-e", OURS, "smeserver-mxbackup-python"])
    assert "mail waits for rules" in said.stdout + said.stderr
    assert "FAILED" not in said.stdout + said.stderr
    wait_until(lambda: accepts(eleven, "admin@durantcom.net") == [True] * 3)
    assert accepts(eleven, "jean@dupontnet.com", "jean@martin.fr") == [False] * 6
    assert "martin.fr" not in eleven.sh(f"cat {TABLES}/transport")
    eleven.sh(f"setsid ip netns exec others python3 {MAILSERVER} {ROUTE}:2627=accept < /dev/null > /run/more 2>&1 &")
    sent = re.compile(rf" {number}: .* relay={ROUTE}\[{ROUTE}\]:2627, .* status=sent")

    def is_sent() -> bool:
        eleven.sh("postqueue -f")
        return sent.search(eleven.read(LOG)) is not None

    wait_until(is_sent)


def test_an_erase_without_held_mail_leaves_nothing(eleven: Sandbox) -> None:
    eleven.install(OURS)
    assert accepts(eleven, "jean@dupontnet.com", "jean@martin.fr") == [True] * 6
    eleven.run(["rpm", "-e", OURS, "smeserver-mxbackup-python"])
    left = eleven.sh("ls -d /etc/postfix/mxbackup /var/lib/mxbackup /usr/share/mxbackup 2> /dev/null", check=False)
    assert left == ""
    found = "find /var/service /etc/e-smith /etc/postfix ! -type d -name '*mxbackup*'"
    assert eleven.sh(found) == ""
    assert eleven.sh("grep -rl mxbackup /var/service/*/config /etc/postfix /var/qmail/control", check=False) == ""
    wait_until(lambda: accepts(eleven, "admin@durantcom.net") == [True] * 3)
    assert accepts(eleven, "jean@dupontnet.com") == [False] * 3
