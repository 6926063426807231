# SPDX-License-Identifier: GPL-2.0-or-later
"""An outage: mail that qpsmtpd took is held while the primary is away, and delivered the moment it is made due."""

import json
import time
from typing import Any

import pytest

from tests.system.internet import MAILSERVER
from tests.system.machine import Sandbox, wait_until

PRIMARY = "192.0.2.25"
# Packets to a primary that is away get lost, as across the Internet: its address stays known on the way.
NETWORK = f"""
set -e
ip netns add primary
ip link add out type veth peer name eth0 netns primary
ip addr add 192.0.2.9/24 dev out
ip link set out up
ip -n primary addr add {PRIMARY}/24 dev eth0
ip -n primary link set eth0 up
ip neigh replace {PRIMARY} lladdr $(ip netns exec primary cat /sys/class/net/eth0/address) dev out nud permanent
"""
SCRIPT = """\
import json, sys, time
sys.path[:0] = ["/usr/share/mxbackup", "/usr/share/mxbackup/lib"]
from ipaddress import IPv4Address
from mxbackup.esmith.host import Host
from mxbackup.queue import LOGS, QUEUE, expiry, make_due, read, read_log, summarise
def held():
    log = read_log(LOGS)
    rule_of = lambda name: "dupontnet.com" if name.endswith("dupontnet.com") else None
    lifetime = lambda message: expiry(message, lambda _: None, 604800)
    return summarise(read(QUEUE), rule_of, int(time.time()), lifetime, log.reason, log.tried)
"""


@pytest.fixture(scope="module")
def outage(server: Sandbox) -> Sandbox:
    server.sh(NETWORK)
    server.sh(
        f"setsid ip netns exec primary python3 {MAILSERVER} {PRIMARY}=accept < /dev/null > /run/primary.log 2>&1 &"
    )
    probe = f"import socket; socket.create_connection(('{PRIMARY}', 25), 1)"
    wait_until(lambda: server.run(["python3", "-c", probe], check=False).returncode == 0)
    server.write("/var/qmail/control/timeoutconnect", "1\n")
    server.sh("sv t /service/qmail")
    server.run(["mxbackup", "add", "dupontnet.com", "--route", PRIMARY])
    return server


def away(server: Sandbox, away: bool) -> None:
    server.sh(f"ip -n primary link set eth0 {'down' if away else 'up'}")


def send(server: Sandbox, recipient: str) -> None:
    session = server.smtp(
        "HELO anything.other.org", "MAIL FROM:<admin@anything.other.org>", f"RCPT TO:<{recipient}>", "DATA",
        "Subject: Test", "", "yes", ".", "QUIT",
    )  # fmt: skip
    assert "\n250 Queued!" in session, session


def held(server: Sandbox) -> dict[str, Any]:
    done = server.run(["python3", "-c", f"{SCRIPT}print(json.dumps(held().to_json()))"])
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def log(server: Sandbox) -> str:
    return server.read("/var/log/qmail/current")


def test_mail_of_a_primary_that_is_there_is_delivered_at_once(outage: Sandbox) -> None:
    send(outage, "jean@dupontnet.com")
    wait_until(lambda: "end msg" in log(outage))
    assert f"success: {PRIMARY}_accepted_message./Remote_host_said:_250_taken/" in log(outage)
    assert held(outage) == {"version": 1, "rules": [], "without_rule": []}


def test_mail_of_one_that_is_away_is_held_and_delivered_when_it_is_made_due(outage: Sandbox) -> None:
    away(outage, True)
    before = int(time.time())
    send(outage, "anne@www.DupontNet.com")
    wait_until(lambda: "deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection" in log(outage))
    [rule] = held(outage)["rules"]
    assert (rule["name"], rule["messages"], rule["recipients"]) == ("dupontnet.com", 1, 1)
    assert before <= rule["oldest"] <= before + 20
    assert rule["next"] == rule["oldest"] + 400
    assert rule["expires"] == rule["oldest"] + 604_800
    assert rule["reason"] == "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"
    # A second time-out two minutes later, without the wait.
    outage.run(["python3", "-c",
        "import struct, socket, time; f = open('/var/qmail/queue/lock/tcpto', 'r+b');"
        f"f.write(struct.pack('<4sB3xQ', socket.inet_aton('{PRIMARY}'), 2, int(time.time())))"])  # fmt: skip
    away(outage, False)
    outage.run(["python3", "-c", f"{SCRIPT}print(Host().alarm('qmail'))"])
    time.sleep(2)
    assert len(held(outage)["rules"]) == 1, "skipped: its time-outs count"
    began = time.monotonic()
    used = outage.run(
        ["python3", "-c", f"{SCRIPT}print(make_due(QUEUE, [IPv4Address('{PRIMARY}')], lambda: Host().alarm('qmail')))"]
    ).stdout
    assert used == "sv a /service/qmail\n"
    wait_until(lambda: held(outage)["rules"] == [])
    assert time.monotonic() - began < 10


def test_a_restart_by_an_event_keeps_what_is_held(outage: Sandbox) -> None:
    away(outage, True)
    send(outage, "jean@dupontnet.com")
    wait_until(lambda: held(outage)["rules"] != [] and held(outage)["rules"][0]["reason"] is not None)
    [before] = held(outage)["rules"]
    starts = outage.qmail_starts()
    outage.run(["signal-event", "mxbackup-update"])
    wait_until(lambda: outage.qmail_starts() == starts + 1)
    assert held(outage)["rules"] == [before]
    away(outage, False)
    outage.run(["python3", "-c", f"{SCRIPT}make_due(QUEUE, [IPv4Address('{PRIMARY}')], lambda: Host().alarm('qmail'))"])
    wait_until(lambda: held(outage)["rules"] == [])
