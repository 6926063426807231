# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of the how-to: how each stands, in `show` and on the page of a rule, and the test that is recorded."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from mxbackup.esmith.inventory import Inventory
from mxbackup.esmith.settings import Settings
from mxbackup.outage import Event, Happening, NameServer, Record, State
from mxbackup.outage.state import Check
from mxbackup.outage.steps import Force, Progress, steps
from mxbackup.panel.application import Panel
from mxbackup.rules import RuleSet
from mxbackup.service import applying, stepping
from mxbackup.service.stepping import LONGEST
from mxbackup.words import about_steps, lexicon
from tests.scratch import Scratch

Run = Callable[..., tuple[int, str, str]]
NOW = int(time.time())
NAME = "dupontnet.com"
ENGLISH = lexicon.load("en-us")
PRIMARY, BACKUP = Record(0, "mail.dupontnet.com"), Record(5, "mail.durantcom.net", ours=True)
GOOD = NameServer("ns1.dns.example (192.0.2.53)", "answers", (PRIMARY, BACKUP))
OLD = NameServer("ns2.dns.example (192.0.2.54)", "answers", (PRIMARY,))
SILENT = NameServer("ns3.dns.example (192.0.2.55)", "silent")
LAME = NameServer("ns4.dns.example (192.0.2.56)", "lame")
EMPTY = NameServer("ns5.dns.example (192.0.2.57)", "answers")
HOSTILE = NameServer("\x1b[31m<b>", "answers", (Record(10, "<script>\u202e"), Record(0, "")))


def event(happening: Happening, age: int = 0, **others: object) -> dict[str, object]:
    return {"time": NOW - age, "name": NAME, "event": happening.value, **others}


def prepare(server: Scratch, servers: tuple[NameServer, ...], *events: dict[str, object], in_force: bool = True) -> str:
    """Make the rule, remember these name servers and events; return when they were seen."""
    server.database("domains", f"{NAME}=mxbackup|Kind|domain")
    server.write("/var/qmail/control/rcpthosts", "durantcom.net\n")
    for target in ("rcpthosts", "smtproutes") if in_force else ():
        server.write(f"/var/qmail/control/{target}", applying.fragment(server.context, target))
    state = State(check=Check("fine", (), servers), checked=1078866000)
    known = {"version": 1, "open": False, "seen": 0, "trouble": "", "rules": {NAME: state.to_json()}}
    server.write("/var/lib/mxbackup/outages.json", json.dumps(known))
    server.write("/var/lib/mxbackup/history", "".join(json.dumps(told) + "\n" for told in events))
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(1078866000))


def moment(age: int = 0) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(NOW - age))


def shown(run: Run) -> str:
    """The steps of what `show` prints."""
    status, out, errors = run("show", NAME)
    assert (status, errors) == (0, "")
    return "".join(re.findall(r"(?m)^(?:\d\. |   ).*\n", out))


VISIT = {"SCRIPT_NAME": "/x", "REMOTE_USER": "admin", "HTTP_ACCEPT_LANGUAGE": "en"}
ONE_LINE = f"Say who has tested in one line of at most {LONGEST} characters."
STEPS = steps(Force.ACTIVE, State(), [])
ASK_FOR_TEST = (
    f"   From any machine outside: mxbackup probe mail.durantcom.net postmaster@{NAME}. "
    f"Then record it here: mxbackup check --tested {NAME} --by WHO\n"
)
ASK_FOR_DRILL = f"   If the owner agrees, send one message: mxbackup check --replay {NAME} --yes\n"


def test_a_rule_that_was_just_made(server: Scratch, mxbackup: Run) -> None:
    prepare(server, (), in_force=False)
    assert shown(mxbackup) == (
        "1. The rule [something is wrong] The rule is made, but not all files of the mail server hold it.\n"
        "   To see which: mxbackup status\n"
        "2. The domain's DNS [to do] What the domain's own name servers say has not been seen yet.\n"
        f"   To ask them: mxbackup check {NAME}\n"
        "3. Test from outside [to do] No test of the last year is recorded.\n"
        + ASK_FOR_TEST
        + "4. Outage drill [to do] No outage with held mail, and no test message of the last year is known.\n"
        + ASK_FOR_DRILL
    )


def test_a_rule_with_all_behind_it(server: Scratch, mxbackup: Run) -> None:
    outage = (
        event(Happening.BEGUN, 9000, reason="silent"),
        event(Happening.TESTED, 8000, reason="Jean Dupont, telnet"),
        event(Happening.DRAINED, 600, messages=17, waited=7200),
    )
    when = prepare(server, (GOOD, GOOD), *outage)
    assert shown(mxbackup) == (
        "1. The rule [done] The rule is made and in force.\n"
        f"2. The domain's DNS [done] Name servers of the domain that name this server: 2 of 2, seen {when}.\n"
        + "   - ns1.dns.example (192.0.2.53): 0 mail.dupontnet.com, 5 mail.durantcom.net (this server)\n"
        * 2
        + f"3. Test from outside [done] Tested {moment(8000)} by Jean Dupont, telnet.\n"
        f"4. Outage drill [done] {moment(600)}: all is delivered, messages: 17; the longest waited 2 h.\n"
    )


def test_name_servers_that_do_not_name_this_server(server: Scratch, mxbackup: Run) -> None:
    when = prepare(server, (GOOD, OLD, SILENT, LAME, EMPTY, HOSTILE))
    assert shown(mxbackup).partition("\n")[2].partition("3. ")[0] == (
        "2. The domain's DNS [something is wrong] "
        f"Name servers of the domain that name this server: 1 of 6, seen {when}.\n"
        "   - ns1.dns.example (192.0.2.53): 0 mail.dupontnet.com, 5 mail.durantcom.net (this server)\n"
        "   - ns2.dns.example (192.0.2.54): 0 mail.dupontnet.com\n"
        "   - ns3.dns.example (192.0.2.55): does not answer\n"
        "   - ns4.dns.example (192.0.2.56): does not serve the domain\n"
        "   - ns5.dns.example (192.0.2.57): no MX record\n"
        "   - \\u001b[31m<b>: 10 <script>\\u202e, 0 .\n"
        f"   The owner has to see to his DNS: mxbackup letter {NAME}. Then ask again: mxbackup check {NAME}\n"
    )


@pytest.mark.parametrize(
    ("events", "state", "said"),
    [
        ([event(Happening.REPLAYED)], "todo", "a test message is sent to the primary."),
        (
            [event(Happening.REPLAYED, 9), event(Happening.ANSWERED, reason="accepted: 250 taken.")],
            "done",
            "what became of the test message: accepted: 250 taken.",
        ),
        (
            [event(Happening.ANSWERED, reason="refused: 550 SPF")],
            "wrong",
            "what became of the test message: refused: 550 SPF.",
        ),
        (
            [
                event(Happening.BEGUN, 99),
                event(Happening.RETURNED, 9, messages=2),
                event(Happening.DRAINED, messages=3, waited=120),
            ],
            "wrong",
            "all is delivered, messages: 3; the longest waited 2 min.",
        ),
        (
            [
                event(Happening.BEGUN, 990),
                event(Happening.RETURNED, 900, messages=2),
                event(Happening.BEGUN, 99),
                event(Happening.DRAINED, messages=3, waited=120),
            ],
            "done",
            "all is delivered, messages: 3; the longest waited 2 min.",
        ),
    ],
)
def test_the_last_drill(server: Scratch, mxbackup: Run, events: list[dict[str, object]], state: str, said: str) -> None:
    prepare(server, (GOOD,), *events)
    step = json.loads(mxbackup("show", NAME, "--json")[1])["steps"][3]
    assert (step["state"], step["time"], step["message"]) == (state, NOW, f"{moment()}: {said}")


def test_as_json(server: Scratch, mxbackup: Run) -> None:
    when = prepare(server, (GOOD, SILENT), event(Happening.TESTED, reason="Jean"))
    records = [
        {"preference": 0, "name": "mail.dupontnet.com", "ours": False},
        {"preference": 5, "name": "mail.durantcom.net", "ours": True},
    ]
    assert json.loads(mxbackup("show", NAME, "--json")[1])["steps"] == [
        {"step": "rule", "state": "done", "time": None, "message": "The rule is made and in force.", "next": None},
        {
            "step": "dns",
            "state": "wrong",
            "time": 1078866000,
            "message": f"Name servers of the domain that name this server: 1 of 2, seen {when}.",
            "next": f"The owner has to see to his DNS: mxbackup letter {NAME}. Then ask again: mxbackup check {NAME}",
            "servers": [
                {"name": "ns1.dns.example (192.0.2.53)", "answer": "answers", "mx": records},
                {"name": "ns3.dns.example (192.0.2.55)", "answer": "silent", "mx": []},
            ],
        },
        {"step": "test", "state": "done", "time": NOW, "message": f"Tested {moment()} by Jean.", "next": None},
        {
            "step": "drill",
            "state": "todo",
            "time": None,
            "message": "No outage with held mail, and no test message of the last year is known.",
            "next": ASK_FOR_DRILL.strip(),
        },
    ]


def test_what_cannot_be_read_is_not_known(server: Scratch, mxbackup: Run) -> None:
    prepare(server, (GOOD,))
    server.write("/var/lib/mxbackup/outages.json", "{")
    assert shown(mxbackup) == (
        "1. The rule [done] The rule is made and in force.\n"
        "2. The domain's DNS [not known]\n"
        "3. Test from outside [not known]\n"
        "4. Outage drill [not known]\n"
    )


def test_a_server_that_cannot_tell_its_name(tmp_path: Path) -> None:
    """On a host with qmail alone; nothing else that is known of the rule is lost by that."""
    alone, inventory = Scratch(tmp_path), Inventory(RuleSet(), [], Settings())
    me = alone.write("/var/qmail/control/me", "mail.durantcom.net\n")
    assert stepping.server(alone.context, inventory) == "mail.durantcom.net"
    me.unlink()
    assert stepping.server(alone.context, inventory) == ""
    me.mkdir()
    assert stepping.server(alone.context, inventory) == ""
    assert f"mxbackup probe SERVER postmaster@{NAME}." in about_steps.steps(STEPS, NAME, "", ENGLISH)[2].next


def test_what_older_versions_remembered_is_read() -> None:
    state = State.from_json({"check": ["error", ["nat"]], "checked": 1})
    assert state.check == Check("error", ("nat",), ())
    assert steps(Force.ACTIVE, state, []).dns == Progress.TODO


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_whatever_is_remembered_is_read_or_refused(told: object) -> None:
    try:
        state = State.from_json({"check": ["fine", [], told]})
    except (ValueError, TypeError, KeyError):
        return
    found = steps(Force.ACTIVE, state, [])
    assert len(about_steps.steps(found, NAME, "", ENGLISH)[1].lines) == len(found.servers)


def test_the_steps_on_the_page_of_a_rule(server: Scratch) -> None:
    when = prepare(server, (GOOD, HOSTILE), event(Happening.TESTED, reason="<Jean>"))
    page = Client(Panel(server.context, privileged=False)).get(f"/?page=rule&rule={NAME}", environ_overrides=VISIT)
    (found,) = re.findall(r'(?s)<ol class="mx-steps">.*?</ol>', page.text)
    light = re.compile(r"<svg width.*?</svg>")
    colours = {"#1f9d3a": "green", "#cc2222": "red", "#7a8a99": "grey"}
    assert [colours[re.findall(r'fill="(#\w+)"', one)[1]] for one in light.findall(found)] == [
        "green",
        "red",
        "green",
        "grey",
    ]
    assert (
        re.sub(r"\n+", "\n", light.sub("*", found))
        == f"""\
<ol class="mx-steps">
<li id="mx-step-rule">* <strong>The rule</strong> – done
<p>The rule is made and in force.</p>
</li>
<li id="mx-step-dns">* <strong>The domain&#39;s DNS</strong> – something is wrong
<p>Name servers of the domain that name this server: 1 of 2, seen {when}.</p>
<ul>
<li>ns1.dns.example (192.0.2.53): 0 mail.dupontnet.com, 5 mail.durantcom.net (this server)</li>
<li>\\u001b[31m&lt;b&gt;: 10 &lt;script&gt;\\u202e, 0 .</li>
</ul>
<p class="mx-hint">The owner has to see to his DNS: mxbackup letter {NAME}. Then ask again: mxbackup check {NAME}</p>
</li>
<li id="mx-step-test">* <strong>Test from outside</strong> – done
<p>Tested {moment()} by &lt;Jean&gt;.</p>
</li>
<li id="mx-step-drill">* <strong>Outage drill</strong> – to do
<p>No outage with held mail, and no test message of the last year is known.</p>
<p class="mx-hint">{ASK_FOR_DRILL.strip()}</p>
</li>
</ol>"""
    )


def test_a_test_is_recorded_in_the_panel(server: Scratch) -> None:
    prepare(server, (GOOD,))
    client = Client(Panel(server.context, privileged=True))

    def said(by: str) -> str:
        page = client.get(f"/?page=rule&rule={NAME}", environ_overrides=VISIT).text
        (form,) = re.findall(r'(?s)<li id="mx-step-test">.*?<form.*?</form>', page)
        data = {**dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', form)), "do": "tested", "by": by}
        answer = client.post("/", data=data, environ_overrides=VISIT)
        assert answer.headers["Location"] == f"/x?page=rule&rule={NAME}"
        page = client.get(f"/?page=rule&rule={NAME}", environ_overrides=VISIT).text
        (message,) = re.findall(r'role="\w+"><p>(.*?)</p>', page)
        return f"{message} {re.findall(r'<p>(Tested .*?|No test .*?)</p>', page)}"

    assert said("a\nb") == f"{ONE_LINE} ['No test of the last year is recorded.']"
    assert said("Jean <b>").startswith(f"Recorded: {NAME} is tested from outside. ['Tested ")
    assert [told["reason"] for told in map(json.loads, server.read("/var/lib/mxbackup/history").splitlines())] == [
        "Jean <b>"
    ]


def test_a_test_is_recorded(server: Scratch, mxbackup: Run) -> None:
    prepare(server, (GOOD,))
    assert mxbackup("check", "--tested", "DupontNet.com", "--by", " Jean, telnet ") == (
        0,
        f"Recorded: {NAME} is tested from outside.\n",
        "",
    )
    assert "3. Test from outside [done] Tested " in shown(mxbackup)
    assert "by Jean, telnet.\n" in shown(mxbackup)
    assert mxbackup("history", NAME)[1].endswith(f"{NAME}  tested from outside by Jean, telnet\n")
    (told,) = map(json.loads, server.read("/var/lib/mxbackup/history").splitlines())
    assert Event.from_json(told).reason == "Jean, telnet"


USAGE = "To record a test: mxbackup check --tested NAME --by WHO"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--tested", NAME], 2, USAGE),
        (["--by", "Jean", NAME], 2, USAGE),
        (["--tested", "--by", "Jean"], 2, USAGE),
        (["--tested", NAME, "a.org", "--by", "Jean"], 2, USAGE),
        (["--tested", NAME, "--by", "Jean", "--replay"], 2, USAGE),
        (["--tested", NAME, "--by", " "], 2, ONE_LINE),
        (["--tested", NAME, "--by", "x" * (LONGEST + 1)], 2, ONE_LINE),
        (["--tested", NAME, "--by", "Jean\nDupont"], 2, ONE_LINE),
        (["--tested", NAME, "--by", "\x1b[31m"], 2, ONE_LINE),
        (["--tested", "other.org", "--by", "Jean"], 1, 'There is no rule for "other.org"'),
    ],
)
def test_what_is_not_recorded(server: Scratch, mxbackup: Run, arguments: list[str], status: int, said: str) -> None:
    prepare(server, (GOOD,))
    code, out, err = mxbackup("check", *arguments)
    assert (code, out) == (status, "")
    assert said in err
    assert server.read("/var/lib/mxbackup/history") == ""
