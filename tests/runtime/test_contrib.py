# SPDX-License-Identifier: GPL-2.0-or-later
"""The contrib on old machines: a rule made through the event as an admin does, status, panel, and check.

A root directory holds the files of both packages, perl, and the sandbox's e-smith of an SME 7. The event is run
whole: signal-event and expand-template are Perl programs of the machine, and natively so; what they start with our
interpreter is under the emulation. oldkern follows all processes. qemu does not: where it is wanted, the
interpreter's place is taken by a script that starts it.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nameserver import Knot, free_port
from tests.runtime.hosts import (
    PENTIUM3,
    PYTHON,
    Emulators,
    Host,
    Runtime,
    add_perl,
    add_perl_modules,
    add_programs,
    compile_oldkern,
    make_root,
)
from tests.system.mailserver import Server

MAIN = Path(__file__).resolve().parents[2]
BASE = MAIN / "sandbox" / "base"
PARTS = [BASE / "root", BASE / "parts/smtproutes", BASE / "parts/qpsmtpd"]  # of profile sme7, what has templates
HOSTS = ("chroot", "pentium3", "2.6.9", "2.4.20")
DIRECTORIES = (
    "home/e-smith/db",
    "var/qmail/control",
    *(f"var/qmail/queue/{part}/0" for part in ("mess", "info", "local", "remote")),
    "var/qmail/queue/todo",
    "var/service/qpsmtpd/config/peers",
    "var/lock",
)
PERL_MODULES = ["Digest::MD5", "File::Basename", "POSIX", "Sys::Syslog"]
PRIMARY = f"127.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250}.2"  # port 25 of it is nobody else's
ZONE = f"""@ SOA ns h 1 60 60 60 60
@ NS ns
ns A 127.0.0.1
@ MX 10 mail
@ MX 20 sme
mail A {PRIMARY}
sme A 127.0.0.1
"""
OURS = """\
# BEGIN mxbackup: rules of the domains database
{}
# END mxbackup
"""
# What the event adds to each file.
EXPANDED = {
    "/var/qmail/control/rcpthosts": OURS.format("dupontnet.com\n.dupontnet.com"),
    "/var/qmail/control/smtproutes": OURS.format("dupontnet.com:\n.dupontnet.com:"),
    "/var/service/qpsmtpd/config/goodrcptto": OURS.format("@dupontnet.com"),
    "/var/service/qpsmtpd/config/mxbackup": OURS.format(".dupontnet.com\tany\ndupontnet.com\tany").replace(
        "# E", "~ E"
    ),
}
NO_QPSMTPD = "The plugin counts from the next start of qpsmtpd on. Restart qpsmtpd by hand."
STATUS = """\
MX backup is enabled.
Rules: 1 for domains, 0 for hosts, 0 invalid.
No rule has been checked yet. To check them: mxbackup check
smtpd_check_rules: not on this host
rcpthosts: up to date
smtproutes: up to date
goodrcptto: up to date
qpsmtpd: up to date
warning: /usr/share/qpsmtpd/plugins/mxbackup: Nothing greets at port 25 of this server, so it is not known whether \
qpsmtpd loads this plugin. Start qpsmtpd, or see its log.
Smart host: smtp.provider.net.
  dupontnet.com goes around it (MX)
"""
CGI = {
    "HTTP_ACCEPT_LANGUAGE": "fr",
    "QUERY_STRING": "",
    "REMOTE_USER": "admin",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "/server-manager/cgi-bin/mxbackup",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "980",
    "SERVER_PROTOCOL": "HTTP/1.0",
}
# System calls that are answered ENOSYS, and coped with: at every start, more in the event, more in the check.
STARTING = {"clock_gettime64", "epoll_create1", "getrandom", "statx"}
STARTING_2_4 = STARTING | {"clock_gettime", "epoll_create", "exit_group", "set_thread_area", "set_tid_address"}
EVENT = {"pipe2", "prlimit64"}
NETWORK = {"connect", "getpeername", "getsockopt", "recvfrom", "sendto", "socket"}  # socketcall(2) does all that
# What asks whether qpsmtpd is there.
GREETING = {"connect", "getsockopt", "socket"}
UNKNOWN_CALLS: dict[str, dict[str, set[str]]] = {
    "chroot": {"event": set(), "status": set(), "panel": set(), "check": set()},
    "pentium3": {"event": set(), "status": set(), "panel": set(), "check": set()},
    "2.6.9": {
        "event": STARTING | EVENT | GREETING,
        "status": STARTING | GREETING,
        "panel": STARTING | GREETING,
        "check": STARTING | NETWORK | {"epoll_pwait"},
    },
    "2.4.20": {
        "event": STARTING_2_4 | EVENT | GREETING,
        "status": STARTING_2_4 | GREETING,
        "panel": STARTING_2_4 | GREETING,
        "check": STARTING_2_4 | NETWORK,
    },
}


def make_server(runtime: Runtime, root: Path) -> None:
    """Make the root directory of a server on which both packages were just installed."""
    (contrib,) = (MAIN / "dist").glob("smeserver-mxbackup-utf8-[0-9]*.noarch.rpm")
    make_root(root, [runtime.package, contrib])
    add_programs(root, ["/bin/sh", "/bin/cat"])
    add_perl(root)
    add_perl_modules(root, PERL_MODULES)
    for part in PARTS:
        shutil.copytree(part, root, dirs_exist_ok=True)
    for name in DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")


def put_interpreter_under_qemu(root: Path) -> None:
    """Have whatever starts the interpreter start it on an emulated Pentium III."""
    place = root / PYTHON[1:]
    place.rename(f"{place}.i386")
    place.write_text(f'#!/bin/sh\nexec {" ".join(PENTIUM3)} {PYTHON}.i386 "$@"\n')
    place.chmod(0o755)


@pytest.fixture(scope="module", params=HOSTS)
def host(request: pytest.FixtureRequest, runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A server of each kind, on which nothing was done yet but what installation does."""
    if os.geteuid():
        pytest.skip("making a root directory with devices needs root")
    directory = tmp_path_factory.mktemp("contrib")
    root = directory / "root"
    make_server(runtime, root)
    compile_oldkern(directory)
    host = Emulators(root, directory).host(request.param)
    if host.name == "pentium3":
        put_interpreter_under_qemu(root)
        host = Host(host.name, root)
    must(host, "/etc/e-smith/events/actions/initialize-default-databases")
    for key, value in {
        "DomainName": "durantcom.net",
        "SystemName": "sme",
        "SMTPSmartHost": "smtp.provider.net",
    }.items():
        must(host, "/sbin/e-smith/config", "set", key, value)
    loaded = host.run("/usr/bin/mxbackup", "action", "load-plugin")
    assert (loaded.returncode, loaded.stdout, loaded.stderr) == (3, "", f"mxbackup: {NO_QPSMTPD}\n")
    return host


@pytest.fixture(scope="module")
def nameserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the name server of dupontnet.com listens; its primary accepts mail."""
    port = free_port()
    knot = Knot(tmp_path_factory.mktemp("knot") / "dns", {"dupontnet.com": ZONE}, ("127.0.0.1",), port)
    primary = Server(f"{PRIMARY}:25", "accept")
    threading.Thread(target=primary.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{port}"
    primary.shutdown()
    primary.server_close()
    knot.stop()


def must(host: Host, *command: str, **environment: str) -> str:
    """Run a command that must succeed without complaint; return what it printed."""
    done = host.run(*command, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_an_old_server(host: Host, nameserver: str) -> None:
    """The steps of an admin, in their order, on one server."""
    unknown: dict[str, set[str]] = {}

    must(host, "/sbin/e-smith/db", "domains", "set", "dupontnet.com", "mxbackup", "Kind", "domain")
    must(host, "/sbin/e-smith/signal-event", "mxbackup-create", "dupontnet.com")
    unknown["event"] = host.unknown_calls()
    for path, ours in EXPANDED.items():
        assert ours in (host.root / path[1:]).read_text()

    status = host.run("/usr/bin/mxbackup", "status")
    assert (status.returncode, status.stdout, status.stderr) == (1, STATUS, "")
    unknown["status"] = host.unknown_calls()

    head, _, page = must(host, "/etc/e-smith/web/functions/mxbackup", **CGI).partition("\n\n")
    assert head.startswith("Status: 200 OK\n")
    assert "<strong>dupontnet.<wbr>com</strong>" in page
    assert page.endswith("</html>")
    unknown["panel"] = host.unknown_calls()

    said = must(host, "/usr/bin/mxbackup", "check", "dupontnet.com", "--nameserver", nameserver, "--json")
    (report,) = json.loads(said)["rules"]
    assert (report["verdict"], report["to"]) == ("deliver", [f"{PRIMARY}:25"])
    assert [(one["severity"], one["code"]) for one in report["findings"]] == [("warning", "plugin")]
    assert report["contacts"] == [
        {
            "target": f"{PRIMARY}:25",
            "outcome": "accepted",
            "banner": "220 mail.dupontnet.com ESMTP",
            "reply": "250 ok",
        }
    ]
    unknown["check"] = host.unknown_calls()

    assert unknown == UNKNOWN_CALLS[host.name]
