# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel's entry on the server: its log-in, its menu, and what hostile requests and environments come to."""

import base64
import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlencode

import pytest

from tests.system.browser import PANEL, PASSWORD, USER, published
from tests.system.machine import Sandbox

ENTRY = "/etc/e-smith/web/functions/mxbackup"
AS_APACHE = ["setpriv", "--reuid=www", "--regid=www", "--init-groups"]
CGI = {
    "PATH_INFO": "/mxbackup",
    "REQUEST_METHOD": "GET",
    "REMOTE_USER": "admin",
    "SERVER_NAME": "sme",
    "SERVER_PORT": "980",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "QUERY_STRING": "",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Visitor:
    """An HTTP client that keeps the cookie of the session."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.log_in = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}

    def ask(self, method: str, query: str = "", body: bytes | None = None, **headers: str) -> tuple[int, str]:
        with closing(http.client.HTTPConnection(self.address, timeout=60)) as connection:
            connection.request(method, f"/{PANEL}{query}", body, self.log_in | headers)
            answer = connection.getresponse()
            found = re.match(r"mxbackup-session=\w+", answer.getheader("Set-Cookie") or "")
            if found:
                self.log_in["Cookie"] = found[0]
            return answer.status, answer.read().decode()

    def token(self) -> str:
        tokens: list[str] = re.findall(r'name="token" value="([\w.-]+)"', self.ask("GET", "?page=new")[1])
        return tokens[0]


@pytest.fixture(scope="module")
def address(server: Sandbox) -> Iterator[str]:
    server.sh("mxbackup add dupontnet.com")
    with published(server) as address:
        yield address


@pytest.fixture
def visitor(address: str, server: Sandbox) -> Iterator[Visitor]:
    """Whatever the visitor tries, the databases and the mail files are as before."""
    everything = "cat /home/e-smith/db/* /var/qmail/control/* /var/service/qpsmtpd/config/goodrcptto"
    before = server.sh(everything)
    yield Visitor(address)
    assert server.sh(everything) == before


def test_the_entry_is_as_suidperl_needs_it(server: Sandbox) -> None:
    assert server.sh(f"stat -c '%A %U:%G' {ENTRY}") == "-rwsr-x--- root:admin\n"
    assert server.run(["perl", "-wcT", ENTRY]).stderr == f"{ENTRY} syntax OK\n"
    assert server.sh("readlink -f /etc/e-smith/web/panels/manager/cgi-bin/mxbackup") == f"{ENTRY}\n"


def test_the_menu_has_it_under_e_mail(server: Sandbox) -> None:
    assert "6000\t6710\tConfiguration\tMX-Backup\tmxbackup\n" in server.read("/var/cache/e-smith/navigation")


def test_without_log_in_there_is_nothing(visitor: Visitor) -> None:
    token = visitor.token()
    visitor.log_in = {"Cookie": visitor.log_in["Cookie"]}
    for method, body in (("GET", None), ("POST", urlencode({"do": "disable", "token": token}).encode())):
        status, text = visitor.ask(method, body=body, **FORM)
        assert status == 401
        assert "dupontnet" not in text


def test_forged_forms_do_nothing(visitor: Visitor, address: str) -> None:
    stranger = Visitor(address)
    visitor.token()
    for token in ("", stranger.token()):
        body = urlencode({"do": "remove", "rule": "dupontnet.com", "token": token}).encode()
        assert visitor.ask("POST", body=body, **FORM)[0] == 403


def test_get_changes_nothing(visitor: Visitor) -> None:
    query = urlencode({"do": "remove", "rule": "dupontnet.com", "token": visitor.token()})
    assert visitor.ask("GET", f"?{query}")[0] == 200


def test_ten_megabytes_are_refused(visitor: Visitor) -> None:
    body = urlencode({"do": "disable", "token": visitor.token(), "name": "x" * 10_000_000}).encode()
    assert visitor.ask("POST", body=body, **FORM)[0] == 413


def test_control_characters_in_a_query_are_no_query(visitor: Visitor) -> None:
    for query in ("?page=remove&rule=..%2f..%2fetc%2fpasswd", "?rule=%00", "?q=%0d%0aSet-Cookie:%20x=1"):
        status, text = visitor.ask("GET", query)
        assert status in (200, 303)
        assert "root:" not in text


def test_a_hostile_environment_does_not_reach_root(server: Sandbox) -> None:
    """Each variable would have root run a program of the attacker's, which leaves its mark."""
    server.sh(
        "rm -rf /tmp/evil; mkdir -p /tmp/evil/mxbackup; cd /tmp/evil\n"
        "for name in sh python3 perl mxbackup db signal-event; do\n"
        "    printf '#!/bin/sh\\n/usr/bin/touch /tmp/evil/mark-'$name'\\n' > $name\n"
        "done\n"
        'echo \'open("/tmp/evil/mark-sitecustomize", "w")\' > sitecustomize.py\n'
        "cp sitecustomize.py mxbackup/__init__.py\n"
        'echo \'open(my $m, ">", "/tmp/evil/mark-perl5lib"); 1;\' > strict.pm\n'
        "echo '/usr/bin/touch /tmp/evil/mark-env' > env.sh\n"
        "echo '__attribute__((constructor)) void f(void) { __builtin_trap(); }' > preload.c\n"
        "cc -shared -fPIC -o preload.so preload.c\n"
        "chmod -R a+rwx /tmp/evil"
    )
    hostile = {
        "PATH": "/tmp/evil",
        "PERL5LIB": "/tmp/evil",
        "PERLLIB": "/tmp/evil",
        "PERL5OPT": "-Mstrict",
        "PYTHONPATH": "/tmp/evil",
        "PYTHONHOME": "/tmp/evil",
        "PYTHONSTARTUP": "/tmp/evil/sitecustomize.py",
        "LD_PRELOAD": "/tmp/evil/preload.so",
        "LD_LIBRARY_PATH": "/tmp/evil",
        "IFS": "/",
        "ENV": "/tmp/evil/env.sh",
        "BASH_ENV": "/tmp/evil/env.sh",
        "MXBACKUP_ROOT": "/tmp/evil",
        "SCRIPT_NAME": '"><script>',
        "HTTP_COOKIE": "mxbackup-session=\n\x01",
        "HTTP_ACCEPT_LANGUAGE": "$(touch /tmp/evil/mark-shell)",
    }
    done = enter(server, CGI | hostile)
    assert done.startswith("Status: 200 OK\n")
    assert "<strong>dupontnet.<wbr>com</strong>" in done
    assert "<script" not in done
    assert server.sh("ls /tmp/evil | grep mark || true") == ""


def test_unusual_values_are_left_out(server: Sandbox) -> None:
    assert enter(server, CGI | {"REMOTE_USER": "admin\nroot"}).startswith("Status: 403 ")
    assert enter(server, CGI | {"REQUEST_METHOD": "get; id"}).startswith("Status: 405 ")


def test_without_suidperl_the_page_says_what_is_missing(server: Sandbox) -> None:
    server.run(["chmod", "0750", ENTRY])
    try:
        page = enter(server, CGI)
    finally:
        server.run(["chmod", "4750", ENTRY])
    assert "The server-manager does not run this page as root" in page
    assert "<strong>dupontnet.<wbr>com</strong>" in page
    assert "<button" not in page


def test_the_legacy_build_speaks_iso_8859_1(new_sandbox: Callable[..., Sandbox]) -> None:
    old = new_sandbox()
    old.install("smeserver-mxbackup")
    page = enter(old, CGI | {"HTTP_ACCEPT_LANGUAGE": "fr"})
    assert "Content-Type: text/html; charset=iso-8859-1\n" in page
    assert "Le MX-Backup est activ\udce9." in page  # one byte, as a surrogate (PEP 383)
    assert "Il n&#8217;y a pas encore de r\udce8gle." in page
    lexicon = old.read("/etc/e-smith/locale/fr/etc/e-smith/web/functions/mxbackup")
    assert lexicon.startswith('<?xml version="1.0" encoding="ISO-8859-1"?>')
    assert "<entry><base>Configuration</base><trans>Configuration</trans></entry>" in lexicon


def test_the_secret_is_for_root_alone(visitor: Visitor, server: Sandbox) -> None:
    visitor.token()
    assert server.sh("stat -c '%A %U %s' /var/lib/mxbackup/panel-secret") == "-rw------- root 32\n"


def enter(server: Sandbox, environment: dict[str, str]) -> str:
    """Run the panel as Apache does, by way of suidperl's stand-in, and return what it prints."""
    variables = [f"{name}={value}" for name, value in environment.items()]
    command = ["/usr/bin/env", "-i", *variables, "/usr/libexec/sme-sandbox/suidperl"]
    return server.run([*AS_APACHE, *command]).stdout.replace("\r\n", "\n")
