# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel's entry on the server: its log-in, its menu, and what hostile requests and environments come to."""

from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest

from tests.system.browser import published
from tests.system.cgi import CGI, ENTRY, FORM, HOSTILE, LINK, Visitor, call, lay_traps, trapped
from tests.system.machine import Sandbox

SUIDPERL = "/usr/libexec/sme-sandbox/suidperl"


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
    assert server.sh(f"readlink -f {LINK}") == f"{ENTRY}\n"


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
    lay_traps(server)
    done = enter(server, CGI | HOSTILE)
    assert done.startswith("Status: 200 OK\n")
    assert "<strong>dupontnet.<wbr>com</strong>" in done
    assert "<script" not in done
    assert trapped(server) == ""


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
    return call(server, "www", SUIDPERL, {"PATH_INFO": "/mxbackup"} | environment)
