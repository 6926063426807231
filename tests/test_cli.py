# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands on rules and the state of the server: whole outputs, in both languages, and exit statuses."""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mxbackup import cli
from mxbackup.cli.group import SYNONYMS
from mxbackup.errors import (
    ChangedMeanwhile,
    DatabaseError,
    DatabaseMissing,
    HostError,
    InvalidInput,
    InvalidName,
    InvalidRule,
    MxBackupError,
    RenderError,
    UnknownRule,
)
from mxbackup.service import applying
from tests.scratch import PACKAGE, Scratch, letter_to_owner, way_back

Run = Callable[..., tuple[int, str, str]]

SMART_HOST = ("DomainName=durantcom.net", "SMTPSmartHost=smtp.provider.net", "SystemName=sme")
RULES = (
    "durantcom.net=domain|Content|Primary",
    "dupontnet.com=mxbackup|Description|Chez Dupont|Kind|domain",
    "kindless.com=mxbackup",
    "martin.org=mxbackup|Kind|domain|Route|mail.martin.org:26",
    "relayed.example=mxbackup|Kind|host|Smarthost|use",
    "www.dupontnet.com=mxbackup|Kind|host",
    "xn--t-9fab.fr=mxbackup|Kind|domain",
)
COVERED = "It is covered by the domain rule dupontnet.com, and adds nothing to it.\n"
DISABLED = "MX backup is disabled: nothing is accepted until you enable it.\n"
NO_ROUTES = (
    "warning: /var/qmail/control/smtproutes: This server has no template for the file, and we leave it alone: the "
    "routes of rules and the way around the smart host have no effect here (rules concerned: 1). "
    "Write them by hand.\n"
)
LEFT_OUT = (
    'Left out, the record kindless.com is no rule: The kind "" is unknown. Give "domain" or "host". '
    "To remove it: mxbackup remove kindless.com\n"
)


@pytest.fixture
def full(server: Scratch) -> Scratch:
    """A server with rules of every sort, a smart host, and events."""
    server.database("configuration", *SMART_HOST)
    server.database("domains", *RULES)
    server.with_events()
    return server


# list and show


def test_list(full: Scratch, mxbackup: Run) -> None:
    assert mxbackup("list") == (
        0,
        "NAME               KIND    LAST CHECK  DESTINATION                   DESCRIPTION\n"
        "dupontnet.com      Domain  -           MX, around the smart host     Chez Dupont\n"
        "www.dupontnet.com  Host    -           MX, around the smart host\n"
        "relayed.example    Host    -           smart host smtp.provider.net\n"
        "été.fr             Domain  -           MX, around the smart host\n"
        "martin.org         Domain  -           mail.martin.org:26\n",
        LEFT_OUT,
    )


def test_list_without_rules(server: Scratch, mxbackup: Run) -> None:
    assert mxbackup("list") == (0, "No rule yet. Make one: mxbackup add example.com\n", "")


def test_list_of_invalid_records_only(server: Scratch, mxbackup: Run) -> None:
    server.database("domains", "kindless.com=mxbackup")
    assert mxbackup("list") == (0, "", LEFT_OUT)


def as_json(run: Run, *arguments: str) -> dict[str, object]:
    """What a command says, and its exit status; without what other modules test."""
    status, out, errors = run(*arguments, "--json")
    assert errors == ""
    said = json.loads(out)
    assert said.pop("version") == 1
    for part in (said, *said.get("rules", [])):
        if isinstance(part, dict):
            for other in ("recipients", "held", "without_rule", "queue_trouble", "state", "states", "steps", "checks"):
                part.pop(other, None)
    return {"exit": status, **said}


def rule_json(name: str, kind: str, destination: str, **others: object) -> dict[str, object]:
    return {
        "name": name,
        "unicode": name,
        "kind": kind,
        "route": "",
        "smarthost": "bypass",
        "description": "",
        "hold": None,
        "contact": "",
        "destination": destination,
        "origin": None,
        "covered_by": None,
    } | others


WWW_JSON = rule_json("www.dupontnet.com", "host", "bypass", covered_by="dupontnet.com")


def test_list_as_json(full: Scratch, mxbackup: Run) -> None:
    found = as_json(mxbackup, "list")
    assert found == {
        "exit": 0,
        "rules": [
            rule_json("dupontnet.com", "domain", "bypass", description="Chez Dupont"),
            WWW_JSON,
            rule_json("relayed.example", "host", "smarthost", smarthost="use"),
            rule_json("xn--t-9fab.fr", "domain", "bypass", unicode="été.fr"),
            rule_json("martin.org", "domain", "route", route="mail.martin.org:26"),
        ],
        "invalid": [{"key": "kindless.com", "reason": 'The kind "" is unknown. Give "domain" or "host".'}],
        "faults": [],
        "draining": [],
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (
            "DupontNet.com",
            "Name: dupontnet.com\nKind: Domain\nDestination: MX, around the smart host\nDescription: Chez Dupont\n",
        ),
        (
            "www.dupontnet.com",
            "Name: www.dupontnet.com\nKind: Host\nDestination: MX, around the smart host\n" + COVERED,
        ),
        ("été.fr", "Name: été.fr (xn--t-9fab.fr)\nKind: Domain\nDestination: MX, around the smart host\n"),
    ],
)
def test_show(full: Scratch, mxbackup: Run, name: str, shown: str) -> None:
    status, out, errors = mxbackup("show", name)
    others = r"(?m)^(Recipients: |Last check: |\d\. |   ).*\n"  # of other modules
    assert (status, re.sub(others, "", out), errors) == (0, shown, "")


def test_show_as_json(full: Scratch, mxbackup: Run) -> None:
    assert as_json(mxbackup, "show", "www.dupontnet.com") == {"exit": 0, **WWW_JSON}


def test_show_of_no_rule(full: Scratch, mxbackup: Run) -> None:
    message = 'mxbackup: There is no rule for "durantcom.net". See: mxbackup list\n'
    assert mxbackup("show", "durantcom.net") == (1, "", message)


def test_show_of_an_invalid_record(full: Scratch, mxbackup: Run) -> None:
    message = 'mxbackup: The kind "" is unknown. Give "domain" or "host".\n'
    assert mxbackup("show", "kindless.com") == (2, "", message)


def test_records_of_foreign_bytes_are_printed_escaped(full: Scratch) -> None:
    """In the strictest locale, where printing such bytes is an error."""
    full.database("domains", b"dupontnet.com=mxbackup|Description|Soci\xe9t\xe9|Kind|domain")
    strict = {"PYTHONIOENCODING": "utf-8:strict"}
    done = full.run("show", "dupontnet.com", "--json", environment=strict)
    assert json.loads(done.stdout)["description"] == "Société"
    done = full.run("list", environment=strict)
    assert (done.returncode, done.stdout.splitlines()[1].split()[-1]) == (0, "Société")


# add, set, remove, enable, disable


def test_add(full: Scratch, mxbackup: Run) -> None:
    assert mxbackup("add", "Example.org") == (0, f"Added example.org (Domain).\n{letter_to_owner('example.org')}", "")
    assert "example.org=mxbackup|Kind|domain" in full.records("domains")
    assert full.events() == ["mxbackup-create example.org"]


def test_add_with_everything(full: Scratch, mxbackup: Run) -> None:
    options = ["--kind", "host", "--route", "192.0.2.1:26", "--smarthost", "use", "--description", "Chez été"]
    said = "Added a.été.fr (Host).\nIt lies below the domain rule été.fr, and what it says counts instead.\n"
    assert mxbackup("add", "a.été.fr", *options) == (0, said + letter_to_owner("a.xn--t-9fab.fr"), "")
    record = "a.xn--t-9fab.fr=mxbackup|Description|Chez été|Kind|host|Route|[192.0.2.1]:26|Smarthost|use"
    assert record in full.records("domains")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["com"], '"com" has no dot: it would stand for a whole top-level domain. Give a name such as example.com.'),
        (["dupontnet.com"], 'There is a rule for "dupontnet.com" already. To see it: mxbackup show dupontnet.com'),
        (
            ["dupontnet.com", "--route", "mail.dupontnet.com", "--description", "Chez l'ami", "--kind=domain"],
            'There is a rule for "dupontnet.com" already. To change it: mxbackup set dupontnet.com --kind domain '
            """--route mail.dupontnet.com --description 'Chez l'"'"'ami'""",
        ),
        (["example.org", "--kind", "zone"], 'The kind "zone" is unknown. Give "domain" or "host".'),
        (
            ["example.org", "--route", "mail:x"],
            'The route "mail:x" is not understood. Give a host name or an IPv4 address, with a port if need be: '
            "mail.example.com, mail.example.com:26, 192.0.2.1 or [192.0.2.1]:26.",
        ),
    ],
)
def test_add_refuses(full: Scratch, mxbackup: Run, arguments: list[str], message: str) -> None:
    assert mxbackup("add", *arguments) == (2, "", f"mxbackup: {message}\n")
    assert full.records("domains") == list(RULES)
    assert full.events() == []


def test_set(full: Scratch, mxbackup: Run) -> None:
    assert mxbackup("set", "MARTIN.org", "--kind", "host", "--route", "") == (0, "Changed martin.org.\n", "")
    assert "martin.org=mxbackup|Kind|host" in full.records("domains")
    assert full.events() == ["mxbackup-modify martin.org"]


def test_set_of_a_covered_rule(full: Scratch, mxbackup: Run) -> None:
    said = "Changed www.dupontnet.com.\n"
    assert mxbackup("set", "www.dupontnet.com", "--description", "Web") == (0, said + COVERED, "")
    other = "It lies below the domain rule dupontnet.com, and what it says counts instead.\n"
    assert mxbackup("set", "www.dupontnet.com", "--smarthost", "use") == (0, said + other, "")


def test_set_of_nothing_is_wrong_use(full: Scratch, mxbackup: Run) -> None:
    status, out, errors = mxbackup("set", "martin.org")
    assert (status, out) == (2, "")
    assert errors.splitlines()[-1] == "Error: Nothing to change: give an option such as --kind or --route."
    assert full.events() == []


DUPONTNET = '{"name": "dupontnet.com", "kind": "domain", "description": "Chez Dupont"}'
MARTIN = '{"name": "martin.org", "kind": "domain", "route": "mail.martin.org:26"}'
WWW = '{"name": "www.dupontnet.com", "kind": "host"}'
NO_RULE = "kindless.com held no rule. Its record was: kindless.com=mxbackup\n"


def test_remove(full: Scratch, mxbackup: Run) -> None:
    assert mxbackup("remove", "DupontNet.com") == (0, "Removed dupontnet.com.\n" + way_back(DUPONTNET), "")
    assert mxbackup("remove", "kindless.com") == (0, "Removed kindless.com.\n" + NO_RULE, "")
    assert full.records("domains") == [record for record in RULES if record[:9] not in ("dupontnet", "kindless.")]
    assert full.events() == ["mxbackup-delete dupontnet.com", "mxbackup-delete kindless.com"]
    message = 'mxbackup: There is no rule for "dupontnet.com". See: mxbackup list\n'
    assert mxbackup("remove", "dupontnet.com") == (1, "", message)


def test_remove_of_several_is_of_all_or_none_and_import_brings_them_back(full: Scratch, mxbackup: Run) -> None:
    message = 'mxbackup: There is no rule for "example.org". See: mxbackup list\n'
    assert mxbackup("remove", "martin.org", "example.org") == (1, "", message)
    assert (full.records("domains"), full.events()) == (list(RULES), [])
    status, out, err = mxbackup("remove", "martin.org", "kindless.com", "www.dupontnet.com", "martin.org")
    back = way_back(MARTIN, WWW)
    said = (
        "Removed martin.org, kindless.com, www.dupontnet.com.\n"
        "Mail for www.dupontnet.com stays accepted by the domain rule dupontnet.com.\n"
    )
    assert (status, out, err) == (0, said + back + NO_RULE, "")
    assert full.events() == ["mxbackup-update"]
    kept = sorted(record for record in RULES if not record.startswith("kindless.com"))
    assert set(kept) - set(full.records("domains")) == {RULES[3], RULES[5]}
    file = full.write("/removed", back.partition("END'\n")[2].removesuffix("END\n"))
    assert mxbackup("import", str(file))[0] == 0
    assert full.records("domains") == kept


def test_remove_of_a_name_that_a_domain_rule_reaches(full: Scratch, mxbackup: Run) -> None:
    said = "Removed www.dupontnet.com.\nMail for www.dupontnet.com stays accepted by the domain rule dupontnet.com.\n"
    assert mxbackup("remove", "www.dupontnet.com") == (0, said + way_back(WWW), "")


def test_while_disabled_nothing_is_said_to_be_accepted(server: Scratch, mxbackup: Run) -> None:
    server.with_events()
    server.database("configuration", "mxbackup=service|status|disabled")
    assert mxbackup("list") == (0, "No rule yet. Make one: mxbackup add example.com\n", "")
    added = "Added dupontnet.com (Domain).\n" + DISABLED + letter_to_owner("dupontnet.com")
    assert mxbackup("add", "dupontnet.com") == (0, added, "")
    assert mxbackup("set", "dupontnet.com", "--description", "x") == (0, "Changed dupontnet.com.\n" + DISABLED, "")
    table = (
        "NAME           KIND    LAST CHECK  DESTINATION  DESCRIPTION\n"
        "dupontnet.com  Domain  -           MX           x\n"
    )
    assert mxbackup("list") == (0, table, DISABLED)
    assert mxbackup("show", "dupontnet.com")[1].endswith(DISABLED)
    mxbackup("add", "www.dupontnet.com")
    assert mxbackup("remove", "www.dupontnet.com") == (
        0,
        "Removed www.dupontnet.com.\n" + way_back(WWW.replace("host", "domain")),
        "",
    )


def test_where_routes_do_not_count_it_is_said(full: Scratch, mxbackup: Run) -> None:
    full.write("/etc/e-smith/templates/var/qmail/control/smtproutes/20mxbackup")
    route = ["--route", "mail.example.org"]
    added = "Added example.org (Domain).\n" + NO_ROUTES + letter_to_owner("example.org")
    assert mxbackup("add", "example.org", *route) == (0, added, "")
    assert mxbackup("set", "example.org", "--route", "") == (0, "Changed example.org.\n" + NO_ROUTES, "")
    assert mxbackup("set", "example.org", "--smarthost", "use") == (0, "Changed example.org.\n", "")
    assert mxbackup("list")[1] == (
        "NAME               KIND    LAST CHECK  DESTINATION                   DESCRIPTION\n"
        "dupontnet.com      Domain  -           smart host smtp.provider.net  Chez Dupont\n"
        "www.dupontnet.com  Host    -           smart host smtp.provider.net\n"
        "relayed.example    Host    -           smart host smtp.provider.net\n"
        "été.fr             Domain  -           smart host smtp.provider.net\n"
        "example.org        Domain  -           smart host smtp.provider.net\n"
        "martin.org         Domain  -           smart host smtp.provider.net\n"
    )
    status, out, errors = mxbackup("show", "martin.org")
    assert (status, out.splitlines()[2], errors) == (0, "Destination: smart host smtp.provider.net", "")
    assert out.endswith(NO_ROUTES)
    assert as_json(mxbackup, "show", "martin.org")["destination"] == "smarthost"
    full.database("configuration")
    assert mxbackup("add", "direct.example") == (
        0,
        f"Added direct.example (Domain).\n{letter_to_owner('direct.example')}",
        "",
    )
    assert mxbackup("list")[1].splitlines()[-1] == "martin.org         Domain  -           MX"


def test_disable_and_enable(full: Scratch, mxbackup: Run) -> None:
    assert mxbackup("disable") == (0, "MX backup is disabled.\n", "")
    assert "mxbackup=service|status|disabled" in full.records("configuration")
    assert mxbackup("enable") == (0, "MX backup is enabled.\n", "")
    assert "mxbackup=service|status|enabled" in full.records("configuration")
    assert full.events() == ["mxbackup-update", "mxbackup-update"]


NO_EVENT = " No event was signalled: the mail files are as they were.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "example.org"], "Added example.org (Domain)."),
        (["set", "martin.org", "--route", ""], "Changed martin.org."),
        (["remove", "martin.org"], "Removed martin.org."),
        (["disable"], "MX backup is disabled."),
        (["enable"], "MX backup is enabled."),
    ],
)
def test_without_event_the_command_says_so(full: Scratch, mxbackup: Run, arguments: list[str], said: str) -> None:
    more = {"add": letter_to_owner("example.org"), "remove": way_back(MARTIN)}.get(arguments[0], "")
    assert mxbackup(*arguments, "--no-event") == (0, said + NO_EVENT + more, "")
    assert full.events() == []


def test_a_failed_event_is_status_3(full: Scratch, mxbackup: Run) -> None:
    full.with_events(status=1)
    assert mxbackup("add", "example.org") == (
        3,
        "",
        "mxbackup: The change is recorded, but the event mxbackup-create failed, so the mail files may be as they "
        "were. See /var/log/messages, mend what it says, then run: signal-event mxbackup-update\n",
    )
    assert "example.org=mxbackup|Kind|domain" in full.records("domains")


# status, render


STATUS = f"""\
MX backup is enabled.
Rules: 3 for domains, 2 for hosts, 1 invalid.
No rule has been checked yet. To check them: mxbackup check
{LEFT_OUT}smtpd_check_rules: not on this host
rcpthosts: up to date
smtproutes: /var/qmail/control/smtproutes is out of date. Run: signal-event mxbackup-update
goodrcptto: not on this host
qpsmtpd: not on this host
Smart host: smtp.provider.net.
  dupontnet.com goes around it (MX)
  www.dupontnet.com goes around it (MX)
  été.fr goes around it (MX)
  martin.org goes around it (mail.martin.org:26)
"""


def test_status_names_ten_rules_that_go_around_the_smart_host(server: Scratch, mxbackup: Run) -> None:
    server.database("configuration", "SMTPSmartHost=smtp.provider.net")
    server.database("domains", *(f"d{number:02}.example.com=mxbackup|Kind|host" for number in range(12)))
    said = mxbackup("status")[1].splitlines()
    assert said[said.index("Smart host: smtp.provider.net.") + 1 :] == [
        *(f"  d{number:02}.example.com goes around it (MX)" for number in range(10)),
        "  and 2 more: see mxbackup list",
    ]


def test_status_claims_no_way_around_where_routes_do_not_count(server: Scratch, mxbackup: Run) -> None:
    server.database("configuration", "postfix=service|SMTPSmartHost|smtp.provider.net|SMTPSmartHostStatus|enabled")
    server.database("domains", "dupontnet.com=mxbackup|Kind|host|Route|mail.dupontnet.com")
    assert mxbackup("status")[1].endswith("Smart host: smtp.provider.net.\n")


@pytest.fixture
def expanded(full: Scratch) -> Scratch:
    """The full server with one file that holds the rules, and one that does not."""
    full.write("/var/qmail/control/rcpthosts", applying.fragment(full.context, "rcpthosts"))
    full.write("/var/qmail/control/smtproutes")
    return full


def without_findings(status: str) -> str:
    """What status says without what it finds in the files, line by line: that is another module's."""
    return re.sub(r"(?m)^(error|warning|note): .*\n", "", status)


def test_status(expanded: Scratch, mxbackup: Run) -> None:
    status, out, errors = mxbackup("status")
    assert (status, without_findings(out), errors) == (1, STATUS, "")


def test_status_of_a_server_in_order(server: Scratch, mxbackup: Run) -> None:
    server.database("configuration", "mxbackup=service|status|disabled")
    for target in ("rcpthosts", "smtproutes"):
        server.write(f"/var/qmail/control/{target}", applying.fragment(server.context, target))
    assert mxbackup("status") == (
        0,
        "MX backup is disabled.\n"
        "Rules: 0 for domains, 0 for hosts, 0 invalid.\n"
        "smtpd_check_rules: not on this host\n"
        "rcpthosts: up to date\n"
        "smtproutes: up to date\n"
        "goodrcptto: not on this host\n"
        "qpsmtpd: not on this host\n"
        "Smart host: none.\n",
        "",
    )


def test_status_says_why_a_file_cannot_be_read(server: Scratch, mxbackup: Run) -> None:
    server.path("/var/qmail/control/rcpthosts").mkdir()
    status, out, _ = mxbackup("status")
    assert (status, out.splitlines()[3]) == (
        1,
        "rcpthosts: /var/qmail/control/rcpthosts cannot be read: Is a directory",
    )


def test_status_as_json(expanded: Scratch, mxbackup: Run) -> None:
    found = as_json(mxbackup, "status")
    del found["findings"]
    paths = {
        "smtpd_check_rules": ("/var/spool/smtpd/etc/smtpd_check_rules", False, False),
        "rcpthosts": ("/var/qmail/control/rcpthosts", True, True),
        "smtproutes": ("/var/qmail/control/smtproutes", True, False),
        "goodrcptto": ("/var/service/qpsmtpd/config/goodrcptto", False, False),
        "qpsmtpd": ("/var/service/qpsmtpd/config/mxbackup", False, False),
    }
    assert found == {
        "exit": 1,
        "enabled": True,
        "rules": {"domain": 3, "host": 2},
        "invalid": [{"key": "kindless.com", "reason": 'The kind "" is unknown. Give "domain" or "host".'}],
        "faults": [],
        "draining": [],
        "targets": [
            {"name": name, "path": path, "present": present, "current": current}
            for name, (path, present, current) in paths.items()
        ],
        "smarthost": "smtp.provider.net",
        "bypass": ["dupontnet.com", "www.dupontnet.com", "xn--t-9fab.fr", "martin.org"],
    }


def test_render(full: Scratch, mxbackup: Run) -> None:
    assert mxbackup("render", "rcpthosts") == (0, applying.fragment(full.context, "rcpthosts"), "")


# What all commands share


def test_root_is_an_option_too_and_counts_more_than_the_environment(
    server: Scratch, mxbackup: Run, tmp_path: object
) -> None:
    other = Scratch(server.root.parent / "other")
    other.database("domains", "example.org=mxbackup|Kind|domain")
    _, out, _ = mxbackup("--root", str(other.root), "list")
    assert out == "NAME         KIND    LAST CHECK  DESTINATION  DESCRIPTION\nexample.org  Domain  -           MX\n"


def test_a_missing_database_is_status_3(server: Scratch, mxbackup: Run) -> None:
    path = server.path("/home/e-smith/db/domains")
    path.unlink()
    assert mxbackup("list") == (3, "", f"mxbackup: There is no database {path}.\n")


@pytest.mark.parametrize(("user", "remedy"), [(0, ""), (500, " Run the command as root.")])
def test_who_is_not_root_is_told_so(
    server: Scratch, mxbackup: Run, monkeypatch: pytest.MonkeyPatch, user: int, remedy: str
) -> None:
    path = server.path("/home/e-smith/db/domains")

    def denied(self: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", denied)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    said = f"mxbackup: The database {path} cannot be read: Permission denied.{remedy}\n"
    assert mxbackup("list") == (3, "", said)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownRule("x"), 1),
        (InvalidInput("x"), 2),
        (InvalidName("x"), 2),
        (InvalidRule("Route", "x"), 2),
        (DatabaseError("x"), 3),
        (DatabaseMissing("x"), 3),
        (ChangedMeanwhile("x"), 3),
        (RenderError("x"), 3),
        (HostError("x"), 3),
    ],
    ids=lambda given: type(given).__name__,
)
def test_each_error_has_its_exit_status(error: MxBackupError, status: int) -> None:
    assert cli.exit_status(error) == status


@pytest.mark.parametrize("arguments", [["explode"], ["list", "--explode"], ["add"], ["render", "x"], []])
def test_wrong_use_is_status_2(mxbackup: Run, arguments: list[str]) -> None:
    status, out, errors = mxbackup(*arguments)
    assert (status, out) == (2, "")
    assert errors.startswith("Usage: mxbackup ")


def test_the_version(mxbackup: Run) -> None:
    assert mxbackup("--version") == (0, "mxbackup 1.0.0\n", "")


REMOVE_HELP = """\
Usage: mxbackup remove [OPTIONS] NAME...

  Remove rules: all NAMEs, or none when one of them is unknown. Their mail is
  refused from then on, and what waits is still delivered. What was removed is
  printed, for import to bring it back.

Options:
  --no-event  Change the database only: expand no file, restart nothing.
  --dry-run   Show what would change, and change nothing.
  -h, --help  Show this message and exit.

  Examples:
    mxbackup remove dupontnet.com
    mxbackup remove dupontnet.com www.durand.org
"""


def test_help(mxbackup: Run) -> None:
    assert mxbackup("remove", "--help") == (0, REMOVE_HELP, "")
    assert mxbackup("help", "remove") == (0, REMOVE_HELP, "")
    assert mxbackup("help") == mxbackup("--help")
    assert mxbackup("help", "recipients", "import") == mxbackup("recipients", "import", "--help")
    status, _, errors = mxbackup("help", "remove", "it")
    assert (status, errors.splitlines()[-1]) == (2, "Error: mxbackup remove has no commands of its own.")


@pytest.mark.parametrize(
    ("typed", "meant"), [("rm", "remove"), ("delete", "remove"), ("ls", "list"), ("create", "add"), ("Edit", "set")]
)
def test_a_word_of_other_programs_leads_to_the_command(mxbackup: Run, typed: str, meant: str) -> None:
    said = f'Error: There is no command "{typed}". You mean: mxbackup {meant}'
    for words in ([typed, "dupontnet.com"], ["help", typed]):
        status, out, errors = mxbackup(*words)
        assert (status, out, errors.splitlines()[-1]) == (2, "", said)


def test_every_synonym_is_of_a_command_and_is_none() -> None:
    assert set(SYNONYMS.values()) <= set(cli.mxbackup.commands)
    assert not set(SYNONYMS) & set(cli.mxbackup.commands)


@pytest.mark.parametrize("command", ["list", "show", "add", "set", "remove", "status", "render", "completion"])
def test_every_help_has_an_example_of_its_own_command(mxbackup: Run, command: str) -> None:
    status, out, _ = mxbackup(command, "-h")
    assert status == 0
    assert "mxbackup " + command in out.partition("  Examples:\n")[2]


# Completion


def complete(server: Scratch, *words: str) -> list[str]:
    """What the shell is offered for the last of the words."""
    line = {"COMP_WORDS": " ".join(["mxbackup", *words]), "COMP_CWORD": str(len(words))}
    done = server.run(environment={"_MXBACKUP_COMPLETE": "bash_complete", **line})
    return done.stdout.split()


def test_names_and_commands_are_completed(full: Scratch) -> None:
    assert complete(full, "show", "d") == ["plain,dupontnet.com"]
    assert complete(full, "remove", "") == [
        "plain,dupontnet.com",
        "plain,www.dupontnet.com",
        "plain,relayed.example",
        "plain,xn--t-9fab.fr",
        "plain,martin.org",
    ]
    assert complete(full, "remove", "martin.org", "d") == ["plain,dupontnet.com"]
    assert complete(full, "queue", "m") == ["plain,martin.org"]
    assert complete(full, "rem") == ["plain,remove"]
    assert complete(full, "help", "rem") == ["plain,remove"]
    assert complete(full, "help", "recipients", "i") == ["plain,import"]


def test_completion_of_names_below_another_root(server: Scratch) -> None:
    other = Scratch(server.root.parent / "other")
    other.database("domains", "example.org=mxbackup|Kind|domain")
    assert complete(server, "--root", str(other.root), "set", "") == ["plain,example.org"]


def test_completion_without_a_database_offers_nothing(server: Scratch) -> None:
    server.path("/home/e-smith/db/domains").unlink()
    assert complete(server, "show", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_defines_what_the_shell_calls(mxbackup: Run, shell: str) -> None:
    status, out, _ = mxbackup("completion", shell)
    assert status == 0
    assert f"_MXBACKUP_COMPLETE={shell}_complete" in out


# French


FRENCH = {"LC_ALL": "", "LANG": "fr_FR.UTF-8", "PYTHONIOENCODING": "utf-8"}


def test_list_in_french(full: Scratch) -> None:
    done = full.run("list", environment=FRENCH)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "NOM                TYPE        VÉRIFICATION  DESTINATION                       DESCRIPTION\n"
        "dupontnet.com      Domaine     -             MX, sans le serveur du FAI        Chez Dupont\n"
        "www.dupontnet.com  Ordinateur  -             MX, sans le serveur du FAI\n"
        "relayed.example    Ordinateur  -             serveur du FAI smtp.provider.net\n"
        "été.fr             Domaine     -             MX, sans le serveur du FAI\n"
        "martin.org         Domaine     -             mail.martin.org:26\n",
        "Écarté, l’enregistrement kindless.com n’est pas une règle\u00a0: Le type «\u00a0\u00a0» est inconnu. "
        "Donnez «\u00a0domain\u00a0» (Domaine) ou «\u00a0host\u00a0» (Ordinateur). "
        "Pour le supprimer\u00a0: mxbackup remove kindless.com\n",
    )


def test_an_error_in_french(full: Scratch) -> None:
    done = full.run("show", "example.org", environment=FRENCH)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "mxbackup: Il n’y a pas de règle pour «\u00a0example.org\u00a0». Voyez\u00a0: mxbackup list\n",
    )


# Damage


def test_a_package_without_its_templates_is_status_3_and_no_output(full: Scratch) -> None:
    broken = full.root / "python"
    shutil.copytree(PACKAGE, broken, ignore=shutil.ignore_patterns("*.j2", "__pycache__"))
    done = full.run("render", "rcpthosts", environment={"PYTHONPATH": str(broken)})
    assert (done.returncode, done.stdout, done.stderr) == (
        3,
        "",
        "mxbackup: The fragment of rcpthosts cannot be made: TemplateNotFound: rcpthosts.j2.\n",
    )


def test_a_remark_at_fault_is_reported_and_the_rule_counts(server: Scratch, mxbackup: Run) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Description|Chez\\nDupont|Kind|domain|Nameservers|internet")
    fault = (
        'warning: dupontnet.com: The description must be one line without "|", "\\" and control characters. The rule '
        "counts all the same. To mend it: mxbackup set dupontnet.com --description TEXT\n"
    )
    assert mxbackup("list") == (
        0,
        "NAME           KIND    LAST CHECK  DESTINATION  DESCRIPTION\n"
        "dupontnet.com  Domain  -           MX           Chez Dupont\n",
        fault,
    )
    assert "dupontnet.com\n.dupontnet.com\n" in mxbackup("render", "rcpthosts")[1]
    status, out, _ = mxbackup("status")
    assert (status, fault in out) == (1, True)
    reason = 'The description must be one line without "|", "\\" and control characters.'
    assert as_json(mxbackup, "list")["faults"] == [{"name": "dupontnet.com", "reason": reason}]
    assert mxbackup("set", "dupontnet.com", "--kind", "host", "--no-event")[0] == 0
    assert server.records("domains") == [
        "dupontnet.com=mxbackup|Description|Chez\\nDupont|Kind|host|Nameservers|internet"
    ]
    assert mxbackup("set", "dupontnet.com", "--description", "a\\b", "--no-event")[0] == 2
    mxbackup("set", "dupontnet.com", "--description", "Chez Dupont", "--no-event")
    assert server.records("domains") == [
        "dupontnet.com=mxbackup|Description|Chez Dupont|Kind|host|Nameservers|internet"
    ]


def test_what_is_to_happen_in_an_outage_is_recorded(server: Scratch, mxbackup: Run) -> None:
    server.database("domains")
    mxbackup("add", "dupontnet.com", "--hold", "014", "--contact", " Jean@Martin.ORG", "--no-event")
    assert server.records("domains") == ["dupontnet.com=mxbackup|Contact|Jean@martin.org|Hold|14|Kind|domain"]
    assert mxbackup("show", "dupontnet.com")[1].splitlines()[3:5] == [
        "Days to keep mail: 14",
        "Owner's address: Jean@martin.org",
    ]
    said = as_json(mxbackup, "show", "dupontnet.com")
    assert (said["hold"], said["contact"]) == (14, "Jean@martin.org")
    mxbackup("set", "dupontnet.com", "--hold", "", "--contact", "", "--no-event")
    assert server.records("domains") == ["dupontnet.com=mxbackup|Kind|domain"]


def test_a_fault_in_what_is_to_happen_in_an_outage_leaves_the_rule_in_force(server: Scratch, mxbackup: Run) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Contact|jean@dupontnet.com|Hold|ever|Kind|domain")
    said = "warning: dupontnet.com: {} The rule counts all the same. To mend it: mxbackup set dupontnet.com --{}\n"
    days = 'Mail cannot be kept for "ever" days. Give a whole number from 1 to 30, or nothing for as long as this '
    inside = 'Mail for "jean@dupontnet.com" waits here too while the primary of dupontnet.com is down. Give an address '
    assert mxbackup("list")[2] == (
        said.format(f"{days}server keeps all mail.", "hold DAYS")
        + said.format(f"{inside}somewhere else.", "contact ADDRESS")
    )
    assert "dupontnet.com\n.dupontnet.com\n" in mxbackup("render", "rcpthosts")[1]


def test_what_the_host_adds_to_our_records_is_kept_and_never_reported(server: Scratch, mxbackup: Run) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain|Nameservers|internet")
    mxbackup("set", "dupontnet.com", "--route", "mail.dupontnet.com", "--no-event")
    mxbackup("import", str(server.write("/list", "dupontnet.com:other.dupontnet.com\n")), "--no-event")
    assert server.records("domains") == [
        "dupontnet.com=mxbackup|Kind|domain|Nameservers|internet|Route|other.dupontnet.com"
    ]
    assert not any("Nameservers" in said for verb in ("list", "status") for said in mxbackup(verb)[1:])


def test_a_route_to_this_server_is_refused_and_to_another_port_of_it_warned_of(server: Scratch, mxbackup: Run) -> None:
    server.database("configuration", "mxbackup=service|PublicAddress|203.0.113.5|status|enabled")
    status, _, err = mxbackup("add", "dupontnet.com", "--route", "203.0.113.5", "--no-event")
    assert (status, 'The route "203.0.113.5" leads back to this server' in err) == (2, True)
    status, out, _ = mxbackup("add", "dupontnet.com", "--route", "203.0.113.5:2525", "--no-event")
    warning = (
        "The route [203.0.113.5]:2525 leads to this server itself: that is right only if another mail server listens "
        "there.\n"
    )
    assert (status, out.endswith(warning + letter_to_owner("dupontnet.com"))) == (0, True)


def test_an_address_of_an_interface_is_this_server(
    server: Scratch, mxbackup: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxbackup.lookup.interfaces.addresses", lambda: frozenset({"192.0.2.7"}))
    assert mxbackup("add", "dupontnet.com", "--route", "192.0.2.7", "--no-event")[0] == 2
    assert mxbackup("add", "dupontnet.com", "--route", "192.0.2.8", "--no-event")[0] == 0


def test_on_an_sme_server_too_virtualdomains_decides(server: Scratch, mxbackup: Run) -> None:
    server.write("/var/qmail/control/virtualdomains", ".virt.test:alias\nexc.virt.test:\n")
    assert mxbackup("add", "a.virt.test", "--no-event")[0] == 2
    assert mxbackup("add", "exc.virt.test", "--no-event")[0] == 0
