# SPDX-License-Identifier: GPL-2.0-or-later
"""From a record in the domains database to accepted mail, on real SMTP servers: the how-to's own examples."""

from collections.abc import Iterator

import pytest

from tests.system.machine import Sandbox, wait_until

QPSMTPD, MAILFRONT = 25, 2525
PORTS = [QPSMTPD, MAILFRONT]
REFUSED = "553 Sorry, that domain isn't in my list of allowed rcpthosts."
RCPTHOSTS = "/var/qmail/control/rcpthosts"
SMTPROUTES = "/var/qmail/control/smtproutes"
GOODRCPTTO = "/var/service/qpsmtpd/config/goodrcptto"


@pytest.fixture(autouse=True)
def no_rules(server: Sandbox) -> Iterator[None]:
    """Each test begins without rules and without a smart host."""
    yield
    server.sh(
        'for name in $(mxbackup list --json | sed -n \'s/.*"name": "\\(.*\\)",/\\1/p\'); do'
        " mxbackup remove $name --no-event; done;"
        " config set SMTPSmartHost ''; mxbackup enable"
    )


def rule(server: Sandbox, name: str, *properties: str) -> None:
    """Make a rule as an SME administrator does."""
    server.run(["db", "domains", "set", name, "mxbackup", *properties])
    server.run(["signal-event", "mxbackup-create", name])


def block(server: Sandbox, path: str) -> list[str]:
    """Our lines in a file, without the comments around them."""
    lines = server.read(path).splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith("# BEGIN mxbackup"))
    return lines[begin + 1 : lines.index("# END mxbackup")]


def accepted(server: Sandbox, address: str, port: int) -> bool:
    return server.rcpt(address, port).startswith("250")


def test_how_to_session_on_mailfront(server: Sandbox) -> None:
    rule(server, "dupontnet.com", "Kind", "domain")
    session = server.smtp(
        "HELO anything.other.org", "MAIL From: <admin@anything.other.org>", "RCPT To: <jean.dupont@dupontnet.com>",
        "RCPT To: <tomy@hotmail.com>", "QUIT", port=MAILFRONT,
    )  # fmt: skip
    assert session == (
        "Trying 127.0.0.1...\n"
        "Connected to 127.0.0.1.\n"
        "Escape character is '^]'.\n"
        "220 sme.durantcom.net mailfront ESMTP\n"
        "HELO anything.other.org\n"
        "250 sme.durantcom.net\n"
        "MAIL From: <admin@anything.other.org>\n"
        "250 2.1.0 Sender accepted.\n"
        "RCPT To: <jean.dupont@dupontnet.com>\n"
        "250 2.1.5 Recipient accepted.\n"
        "RCPT To: <tomy@hotmail.com>\n"
        f"{REFUSED}\n"
        "QUIT\n"
        "221 2.0.0 Good bye.\n"
        "Connection closed.\n"
    )


@pytest.mark.parametrize("port", PORTS)
def test_domain_rule(server: Sandbox, port: int) -> None:
    assert not accepted(server, "jean.dupont@dupontnet.com", port)
    rule(server, "dupontnet.com", "Kind", "domain")
    assert accepted(server, "jean.dupont@dupontnet.com", port)
    assert not accepted(server, "tomy@hotmail.com", port)
    assert not accepted(server, "jean@xdupontnet.com", port)
    assert not accepted(server, "jean@dupontnet.com.evil.net", port)


def test_domain_rule_reaches_below_the_name(server: Sandbox) -> None:
    rule(server, "dupontnet.com", "Kind", "domain")
    assert accepted(server, "toto@www.dupontnet.com", MAILFRONT)


@pytest.mark.parametrize("port", PORTS)
def test_host_rule(server: Sandbox, port: int) -> None:
    rule(server, "dupontnet.com", "Kind", "host")
    assert accepted(server, "jean.dupont@dupontnet.com", port)
    assert not accepted(server, "toto@www.dupontnet.com", port)


@pytest.mark.parametrize("port", PORTS)
def test_what_is_switched_off_or_removed_is_refused(server: Sandbox, port: int) -> None:
    server.run(["mxbackup", "add", "dupontnet.com"])
    assert accepted(server, "jean.dupont@dupontnet.com", port)
    server.run(["mxbackup", "disable"])
    assert not accepted(server, "jean.dupont@dupontnet.com", port)
    server.run(["mxbackup", "enable"])
    assert accepted(server, "jean.dupont@dupontnet.com", port)
    server.run(["mxbackup", "remove", "dupontnet.com"])
    assert not accepted(server, "jean.dupont@dupontnet.com", port)


def test_the_event_restarts_qmail_and_says_how(server: Sandbox) -> None:
    before = server.qmail_starts()
    rule(server, "dupontnet.com", "Kind", "domain")
    wait_until(lambda: server.qmail_starts() == before + 1)
    assert "restarted qmail with sv t /service/qmail" in server.read("/var/log/messages")


@pytest.mark.parametrize(
    ("smarthost", "properties", "lines"),
    [
        ("", [], []),
        ("smtp.provider.net", [], ["dupontnet.com:", ".dupontnet.com:"]),
        ("off", [], []),
        ("smtp.provider.net", ["Smarthost", "use"], []),
        ("", ["Route", "primary.net:26"], ["dupontnet.com:primary.net:26", ".dupontnet.com:primary.net:26"]),
        ("smtp.provider.net", ["Route", "192.0.2.1"], ["dupontnet.com:192.0.2.1", ".dupontnet.com:192.0.2.1"]),
    ],
)
def test_smtproutes(server: Sandbox, smarthost: str, properties: list[str], lines: list[str]) -> None:
    server.run(["config", "set", "SMTPSmartHost", smarthost])
    rule(server, "dupontnet.com", "Kind", "domain", *properties)
    assert block(server, SMTPROUTES) == lines


def test_an_invalid_record_is_told_and_stops_no_other(server: Sandbox) -> None:
    rule(server, "co.uk", "Kind", "domain")
    rule(server, "dupontnet.com", "Kind", "domain")
    assert block(server, RCPTHOSTS) == ["dupontnet.com", ".dupontnet.com"]
    status = server.run(["mxbackup", "status"], check=False)
    assert status.returncode == 1
    assert 'the record co.uk is no rule: "co.uk" is a public suffix' in status.stdout
    assert 'left out record co.uk: "co.uk" is a public suffix' in server.read("/var/log/messages")
    server.run(["mxbackup", "remove", "co.uk"])
    assert server.run(["mxbackup", "status"]).returncode == 0


@pytest.mark.parametrize(
    ("breaking", "mending"),
    [
        ("cd /usr/share/mxbackup/mxbackup/targets; mv registry.py /tmp; rm -r __pycache__",
         "mv /tmp/registry.py /usr/share/mxbackup/mxbackup/targets"),
        ("mv /usr/share/mxbackup/mxbackup/templates/rcpthosts.* /tmp",
         "mv /tmp/rcpthosts.* /usr/share/mxbackup/mxbackup/templates"),
        ("mv /home/e-smith/db/domains /tmp; mkdir /home/e-smith/db/domains",
         "rmdir /home/e-smith/db/domains; mv /tmp/domains /home/e-smith/db"),
        ("chmod a-x /usr/bin/mxbackup", "chmod a+x /usr/bin/mxbackup"),
    ],
    ids=["broken package", "lost template", "unreadable database", "no command"],
)  # fmt: skip
def test_a_renderer_that_fails_leaves_every_file(server: Sandbox, breaking: str, mending: str) -> None:
    rule(server, "dupontnet.com", "Kind", "domain")
    before = [server.read(path) for path in (RCPTHOSTS, SMTPROUTES, GOODRCPTTO)]
    server.sh(breaking)
    try:
        event = server.run(["signal-event", "mxbackup-update"], check=False)
        direct = server.run(["expand-template", RCPTHOSTS], check=False)
        after = [server.read(path) for path in (RCPTHOSTS, SMTPROUTES, GOODRCPTTO)]
    finally:
        server.sh(mending)
    assert after == before
    assert event.returncode == 1
    assert f"\nERROR: Template processing failed for {RCPTHOSTS}" in "\n" + direct.stderr


def test_a_full_disk_leaves_the_files_and_says_so(server: Sandbox) -> None:
    rule(server, "dupontnet.com", "Kind", "domain")
    before = server.read(RCPTHOSTS)
    server.sh(
        "cp -a /var/qmail/control /tmp/control; mount -t tmpfs -o size=64k none /var/qmail/control;"
        "cp -a /tmp/control/. /var/qmail/control; dd if=/dev/zero of=/var/qmail/control/full 2> /dev/null; true"
    )
    try:
        added = server.run(["mxbackup", "add", "second.example.com"], check=False)
        during = server.read(RCPTHOSTS)
    finally:
        server.sh("umount /var/qmail/control; rm -r /tmp/control")
    assert during == before
    assert added.returncode == 3
    assert added.stderr.startswith("mxbackup: The change is recorded, but the event mxbackup-create failed")
    assert "Not expanded, the old file stays: /var/qmail/control/rcpthosts" in server.read("/var/log/messages")


def test_a_full_disk_under_the_database_changes_nothing(server: Sandbox) -> None:
    rule(server, "dupontnet.com", "Kind", "domain")
    server.sh(
        "cp -a /home/e-smith/db /tmp/db; mount -t tmpfs -o size=64k none /home/e-smith/db;"
        "cp -a /tmp/db/. /home/e-smith/db; dd if=/dev/zero of=/home/e-smith/db/full 2> /dev/null; true"
    )
    before = server.read("/home/e-smith/db/domains")
    try:
        added = server.run(["mxbackup", "add", "second.example.com"], check=False)
        after = server.read("/home/e-smith/db/domains")
        left = server.sh("ls /home/e-smith/db").split()
    finally:
        server.sh("umount /home/e-smith/db; rm -r /tmp/db")
    assert after == before
    assert added.returncode == 3
    assert added.stderr == (
        "mxbackup: The database /home/e-smith/db/domains cannot be changed: No space left on device.\n"
    )
    assert not [name for name in left if name.startswith("domains.")]


STORE_WRITER = """\
import sys
sys.path[:0] = ["/usr/share/mxbackup", "/usr/share/mxbackup/lib"]
from pathlib import Path
from mxbackup.esmith.database import Store
for n in range(200):
    key = f"store{sys.argv[1]}-{n}.com"
    Store(Path("/home/e-smith/db/crowd")).update(lambda database: database.set(key, "mxbackup", {"Kind": "host"}))
"""


def test_eight_writers_lose_nothing(server: Sandbox) -> None:
    server.write("/tmp/store.py", STORE_WRITER)
    server.write("/home/e-smith/db/crowd", "# no record yet\n")
    server.sh(
        "for writer in 1 2 3 4; do python3 /tmp/store.py $writer & { n=0; while [ $n -lt 200 ]; do"
        " db crowd set db$writer-$n.com mxbackup Kind domain; n=$((n+1)); done; } & done; wait"
    )
    records = server.run(["db", "crowd", "show"]).stdout
    keys = server.run(["db", "crowd", "keys"]).stdout.split()
    server.sh("rm /home/e-smith/db/crowd /tmp/store.py")
    wanted = [f"store{writer}-{n}.com" for writer in range(1, 5) for n in range(200)]
    wanted += [f"db{writer}-{n}.com" for writer in range(1, 5) for n in range(200)]
    assert sorted(keys) == sorted(wanted)
    assert records.count("Kind=") == len(wanted)
