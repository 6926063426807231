# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel as a WSGI application on a scratch server: what each request does, shows and refuses."""

import json
import re
import time
from html import unescape
from urllib.parse import urlencode

import pytest
from werkzeug.test import Client, TestResponse

from mxbackup.panel.application import Panel
from mxbackup.panel.checking import Check, Checking, Found
from mxbackup.panel.forms import MAX_BODY
from mxbackup.rules import Rule
from mxbackup.service import applying
from mxbackup.service.together import Sweep
from mxbackup.words import spans
from tests.heldmail import hold
from tests.scratch import Scratch

HERE = "/server-manager/cgi-bin/mxbackup"
SCRIPT = '"><script>alert(1)</script>'


def checked_fine(context: object, rule: object, words: object, *, planned: bool = False, anew: bool = False) -> Check:
    return Check("fine", "delivered to mail.dupontnet.com (192.0.2.1)")


class Administrator:
    """Someone logged in, with a browser of their own."""

    def __init__(
        self,
        server: Scratch,
        user: str = "admin",
        *,
        privileged: bool = True,
        charset: str = "",
        check: Checking = checked_fine,
    ) -> None:
        self.panel = Panel(server.context, privileged=privileged, charset=charset, check=check)
        self.client = Client(self.panel)
        self.environ = {"SCRIPT_NAME": HERE, "REMOTE_USER": user, "HTTP_ACCEPT_LANGUAGE": "en"}

    def get(self, query: str = "", **headers: str) -> TestResponse:
        return self.client.get(f"/{query}", environ_overrides=self.environ, headers=headers)

    def post(self, token: str | None = None, **form: str) -> TestResponse:
        form["token"] = self.token() if token is None else token
        return self.client.post("/", data=form, environ_overrides=self.environ)

    def send(self, fields: list[tuple[str, str]]) -> TestResponse:
        """Send a form in which a name stands more than once."""
        type_ = "application/x-www-form-urlencoded"
        return self.client.post("/", data=urlencode(fields), content_type=type_, environ_overrides=self.environ)

    def token(self) -> str:
        tokens: list[bytes] = re.findall(rb'name="token" value="([\w.-]+)"', self.get("?page=new").data)
        return tokens[0].decode()

    def message(self) -> str:
        """What the next page says at its top."""
        return said(self.get())


@pytest.fixture
def admin(server: Scratch) -> Administrator:
    server.with_events()
    server.write("/var/qmail/control/rcpthosts", "durantcom.net\n")
    return Administrator(server)


def said(response: TestResponse) -> str:
    found = re.search(r'<div class="(success|error)" role="\w+"><p>(\S.*?)</p>', response.text)
    return f"{found[1]}: {unescape(found[2]).strip()}" if found else ""


def reason(response: TestResponse) -> str:
    found = re.search(r'class="mx-reason" id="(\w+)-reason">(.*?)</p>', response.text)
    return f"{found[1]}: {unescape(found[2])}" if found else ""


def rows(response: TestResponse) -> list[list[str]]:
    cells = (re.findall(r"<td.*?>(.*?)</td>", row) for row in re.findall(r"<tr>\s*(<td.*?)</tr>", response.text, re.S))
    return [[re.sub("<.*?>", "", cell.replace("<br>", " ")).strip() for cell in row] for row in cells if row]


def hidden(response: TestResponse) -> dict[str, str]:
    found = re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', response.text)
    return {name: unescape(value) for name, value in found if name != "token"}


def samples(at: str, below: str) -> list[list[str]]:
    """What the page before an addition says of dupontnet.com."""
    return [["someone@dupontnet.com", at], ["someone@www.dupontnet.com", below], ["someone@other.net", "no"]]


def summary(response: TestResponse) -> dict[str, str]:
    return {unescape(term): unescape(said) for term, said in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", response.text)}


def warnings(response: TestResponse) -> list[str]:
    return [unescape(text) for text in re.findall(r'<p class="mx-no">(.*?)</p>', response.text)]


def put_into_force(server: Scratch) -> None:
    """Let the mail files hold the rules as they are."""
    for target in ("rcpthosts", "smtproutes"):
        server.write(f"/var/qmail/control/{target}", applying.fragment(server.context, target))


def remember(server: Scratch, states: dict[str, object]) -> None:
    """Have these states been found at the last look."""
    known = {"version": 1, "open": False, "seen": 0, "trouble": "", "rules": states}
    server.write("/var/lib/mxbackup/outages.json", json.dumps(known))


def test_a_rule_from_form_to_removal(server: Scratch, admin: Administrator) -> None:
    review = admin.post(do="review", name=" DupontNet.com. ", kind="domain", description="Jean")
    assert rows(review) == samples("yes", "yes")
    assert server.records("domains") == []
    added = admin.post(do="save", **hidden(review))
    put_into_force(server)
    assert (added.status_code, added.headers["Location"]) == (303, f"{HERE}?page=next&rule=dupontnet.com")
    assert said(admin.get("?page=next&rule=dupontnet.com")) == "success: Added dupontnet.com."
    front = admin.get()
    assert rows(front) == [
        [
            "not checked",
            "dupontnet.com",
            "Domain",
            "MX",
            "",
            "",
            "Modify dupontnet.com Remove dupontnet.com",
        ]
    ]
    assert said(admin.get()) == ""

    form = hidden(admin.get("?page=edit&rule=dupontnet.com"))
    review = admin.post(do="review", **form | {"kind": "host", "route": "mail.dupontnet.com:26"})
    assert rows(review) == samples("yes", "no")
    admin.post(do="save", **hidden(review))
    assert admin.message() == "success: Changed dupontnet.com."
    assert server.records("domains") == ["dupontnet.com=mxbackup|Kind|host|Route|mail.dupontnet.com:26"]

    admin.post(do="remove", **hidden(admin.get("?page=remove&rule=dupontnet.com")))
    assert admin.message() == "success: Removed dupontnet.com."
    assert server.records("domains") == []
    assert server.events() == [
        "mxbackup-create dupontnet.com",
        "mxbackup-modify dupontnet.com",
        "mxbackup-delete dupontnet.com",
    ]


def test_switching_off_and_on(server: Scratch, admin: Administrator) -> None:
    admin.post(do="disable")
    assert admin.message() == "success: MX backup is disabled."
    assert "mxbackup=service|status|disabled" in server.records("configuration")
    admin.post(do="enable")
    assert admin.message() == "success: MX backup is enabled."
    assert server.events() == ["mxbackup-update", "mxbackup-update"]


def test_who_puts_the_rules_into_force_is_told_whether_they_are(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    admin.post(do="enable")
    assert admin.message() == "error: The rules could not be put into force. What is wrong stands below."
    put_into_force(server)
    admin.post(do="enable")
    assert admin.message() == "success: The rules are in force again."


def undo(response: TestResponse) -> dict[str, str]:
    """What the button in the message sends."""
    form = re.search(r'<form class="mx-undo".*?</form>', response.text, re.S)
    assert form
    fields = dict(re.findall(r'name="(\w+)" value="(.*?)"', form[0]))
    return {name: value for name, value in fields.items() if name != "token"}


def test_a_click_takes_back_that_mx_backup_was_disabled(server: Scratch, admin: Administrator) -> None:
    admin.post(do="disable")
    admin.post(**undo(admin.get()))
    assert admin.message() == "success: MX backup is enabled."
    assert "mxbackup=service|status|enabled" in server.records("configuration")


CHOSEN = (
    "bad_name.example=mxbackup|Kind|domain",
    "dupontnet.com=mxbackup|Kind|domain|Odd|1",
    "martin.org=mxbackup|Kind|host",
    "www.dupontnet.com=mxbackup|Kind|host",
)


def ask(admin: Administrator, *names: str) -> TestResponse:
    """Choose rules in the table and ask to have them removed."""
    fields = [("token", admin.token()), ("do", "ask"), *(("rule", name) for name in names)]
    return admin.send(fields)


def all_hidden(response: TestResponse) -> list[tuple[str, str]]:
    found = re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', response.text)
    return [("do", "remove"), *((name, unescape(value)) for name, value in found)]


def test_several_are_removed_after_one_question_and_come_back_as_they_were(
    server: Scratch, admin: Administrator
) -> None:
    server.database("domains", *CHOSEN)
    server.write("/etc/e-smith/templates/var/qmail/control/smtproutes/10others")
    hold(server.path("/var/qmail/queue"), 7, ["Tjean@dupontnet.com"], 1000)
    question = ask(admin, "dupontnet.com", "bad_name.example", "www.dupontnet.com")
    waits = "Messages that wait for dupontnet.com: 1. No new mail is accepted for it, and these are still delivered."
    listed = [" ".join(re.sub("<.*?>", "", item).split()) for item in re.findall("<li>(.*?)</li>", question.text)]
    assert listed == [f"dupontnet.com {waits}", "bad_name.example", "www.dupontnet.com"]
    admin.send(all_hidden(question))
    front = admin.get()
    assert said(front) == f"success: Removed dupontnet.com, bad_name.example, www.dupontnet.com. {waits}"
    assert server.records("domains") == ["martin.org=mxbackup|Kind|host"]
    admin.post(**undo(front))
    assert admin.message() == "success: Recorded again: bad_name.example, dupontnet.com, www.dupontnet.com."
    assert server.records("domains") == list(CHOSEN)
    assert server.events() == ["mxbackup-update", "mxbackup-update"]
    assert "still delivered" not in admin.get().text
    admin.post(**undo(front))
    assert admin.message().startswith("error: Something else was removed since")


def test_what_one_of_the_chosen_leaves_is_told_as_if_all_were_gone(server: Scratch, admin: Administrator) -> None:
    server.database("domains", *CHOSEN)
    stays = "Mail for www.dupontnet.com stays accepted by the domain rule dupontnet.com."
    assert stays in ask(admin, "martin.org", "www.dupontnet.com").text
    assert stays not in ask(admin, "dupontnet.com", "www.dupontnet.com").text


def test_of_the_chosen_none_is_removed_when_one_was_changed_meanwhile(server: Scratch, admin: Administrator) -> None:
    server.database("domains", *CHOSEN)
    question = ask(admin, "martin.org", "dupontnet.com")
    changed = [record.replace("Kind|host", "Kind|domain") for record in CHOSEN]
    server.database("domains", *changed)
    admin.send(all_hidden(question))
    assert admin.message().startswith('error: "martin.org" was changed by someone else meanwhile')
    assert (server.records("domains"), server.events()) == (changed, [])


def test_what_was_removed_does_not_come_back_over_another_record(server: Scratch, admin: Administrator) -> None:
    server.database("domains", *CHOSEN)
    admin.send(all_hidden(ask(admin, "dupontnet.com", "martin.org")))
    front = admin.get()
    local = [*CHOSEN[:1], "martin.org=domain", *CHOSEN[3:]]
    server.database("domains", *local)
    admin.post(**undo(front))
    assert admin.message().startswith('error: The domains database has a record "martin.org" of type "domain" already.')
    assert server.records("domains") == local


def test_without_a_rule_the_page_says_what_to_do(server: Scratch, admin: Administrator) -> None:
    page = admin.get().text
    assert "<h2>What a backup MX is for</h2>" in page
    assert re.findall("<li><strong>(.*?)</strong>", page) == [
        "See where this server is reached",
        "Create a rule",
        "Tell your friend, and have it checked",
    ]
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    assert 'class="mx-welcome"' not in admin.get().text


def test_the_form_begins_at_the_name_or_at_what_is_wrong(admin: Administrator) -> None:
    begun = re.compile(r'<input[^>]* name="(\w+)"[^>]* autofocus')
    assert begun.findall(admin.get("?page=new").text) == ["name"]
    assert begun.findall(admin.post(do="review", name="dupontnet.com", route=":").text) == ["route"]
    assert begun.findall(admin.post(do="review", name="@").text) == ["name"]


def test_all_that_are_shown_can_be_chosen(server: Scratch, admin: Administrator) -> None:
    server.database("domains", *CHOSEN)
    boxes = re.compile(r'<input type="checkbox" name="rule" value="(\S+)"[^>]*?( checked)?>')
    assert boxes.findall(admin.get("?q=dupont&all=1").text) == [
        ("dupontnet.com", " checked"),
        ("www.dupontnet.com", " checked"),
    ]
    assert all(not checked for _, checked in boxes.findall(admin.get().text))


@pytest.mark.parametrize(
    ("form", "checked"),
    [
        ([("do", "check-all")], ["bad_name.example", "dupontnet.com", "martin.org", "www.dupontnet.com"][1:]),
        ([("do", "check-chosen"), ("rule", "martin.org"), ("rule", "dupontnet.com")], ["dupontnet.com", "martin.org"]),
    ],
)
def test_several_are_checked_behind_the_table(
    server: Scratch, admin: Administrator, form: list[tuple[str, str]], checked: list[str]
) -> None:
    server.database("domains", *CHOSEN)
    server.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    put_into_force(server)
    answer = admin.send([*form, ("token", admin.token())])
    assert answer.headers["Location"] == f"{HERE}?watch=1"
    end = time.monotonic() + 30
    while "Rules checked so far: " in (page := admin.get("?watch=1").text):
        assert '<meta http-equiv="refresh"' in page
        assert time.monotonic() < end, "the check never ended"
        time.sleep(0.1)
    assert "/var/log/messages" not in page
    assert "refresh" not in page
    known = json.loads(server.read("/var/lib/mxbackup/outages.json"))["rules"]
    assert sorted(name for name, state in known.items() if state.get("check")) == checked


def test_one_check_of_many_goes_on_at_a_time(
    server: Scratch, admin: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.database("domains", *CHOSEN)
    monkeypatch.setattr("mxbackup.service.together.look", lambda context: Sweep(1, 3, running=True))
    admin.post(do="check-all")
    assert admin.message() == "error: Rules are being checked already. Wait for the end of that."
    assert "Rules checked so far: 1 of 3." in admin.get().text
    monkeypatch.setattr("mxbackup.service.together.look", lambda context: Sweep(1, 3, running=False))
    assert "The check of the rules was ended before it was done." in admin.get().text
    admin.post(do="check-chosen")
    assert admin.message() == "error: Choose rules in the table first."
    admin.post(do="check-chosen", rule="smithnet.com")
    assert admin.message().startswith('error: There is no rule for "smithnet.com".')


def test_nothing_chosen_is_nothing_removed(server: Scratch, admin: Administrator) -> None:
    ask(admin)
    assert admin.message() == "error: Choose rules in the table first."
    assert ask(admin, "smithnet.com").status_code == 303
    assert admin.message() == 'error: There is no rule for "smithnet.com". It may have been removed meanwhile.'
    assert server.events() == []


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"name": ""}, "name: The name is empty. Give a domain name such as example.com."),
        (
            {"name": "jean@dupontnet.com"},
            'name: "jean@dupontnet.com" is an e-mail address. Give only the part behind the @: dupontnet.com',
        ),
        (
            {"name": "192.0.2.1"},
            'name: "192.0.2.1" is an IP address. Give the domain name that stands behind the @.',
        ),
        (
            {"name": "dupontnet.com", "kind": "all"},
            'kind: The kind "all" is unknown. Give "domain" or "host".',
        ),
        (
            {"name": "dupontnet.com", "route": "mail.dupontnet.com:0"},
            'route: In the route "mail.dupontnet.com:0" the port must be a number from 1 to 65535.',
        ),
        (
            {"name": "dupontnet.com", "description": "a|b"},
            'description: The description must be one line without "|", "\\" and control characters.',
        ),
        (
            {"name": "dupontnet.com", "smarthost": "no"},
            'smarthost: The smart host setting "no" is unknown. Give "bypass" or "use".',
        ),
        (
            {"name": "dupontnet.com", "contact": "jean@www.dupontnet.com"},
            'contact: Mail for "jean@www.dupontnet.com" waits here too while the primary of dupontnet.com is down. '
            "Give an address somewhere else.",
        ),
    ],
)
def test_a_wrong_entry_is_kept_with_the_reason_beside_it(
    server: Scratch, admin: Administrator, form: dict[str, str], expected: str
) -> None:
    for step in ("review", "save"):
        answer = admin.post(do=step, **form)
        assert (answer.status_code, reason(answer)) == (422, expected)
    assert f'id="name" name="name" value="{form["name"]}"' in answer.text
    assert server.records("domains") == []


def test_a_local_domain_and_a_rule_twice_are_refused_before_the_review(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "durant.example=domain", "dupontnet.com=mxbackup|Kind|domain")
    assert reason(admin.post(do="review", name="durant.example")).startswith('name: "durant.example" is a local domain')
    assert reason(admin.post(do="review", name="dupontnet.com")).startswith('name: There is a rule for "dupontnet.com"')


def test_what_is_to_happen_in_an_outage_is_recorded(server: Scratch, admin: Administrator) -> None:
    review = admin.post(do="review", name="dupontnet.com", hold=" 14", contact="Jean@Martin.ORG")
    assert summary(review) == {
        "Name": "dupontnet.com",
        "Kind": "Domain",
        "Its mail goes to": "MX",
        "Days to keep mail": "14",
        "Owner's address": "Jean@martin.org",
    }
    admin.post(do="save", **hidden(review))
    assert server.records("domains") == ["dupontnet.com=mxbackup|Contact|Jean@martin.org|Hold|14|Kind|domain"]
    form = admin.get("?page=edit&rule=dupontnet.com")
    assert '<details class="mx-entry" open>' in form.text
    admin.post(do="save", **hidden(form) | {"hold": "", "contact": ""})
    assert server.records("domains") == ["dupontnet.com=mxbackup|Kind|domain"]


def test_going_back_keeps_the_entries(admin: Administrator) -> None:
    review = admin.post(do="review", name="dupontnet.com", kind="host", route="mail.dupontnet.com", description="Jean")
    form = admin.post(do="revise", **hidden(review)).text
    assert [value for value in ("dupontnet.com", "mail.dupontnet.com", "Jean") if f'value="{value}"' not in form] == []
    assert 'value="host" checked' in form
    assert '<details class="mx-entry" open>' in form


def test_of_two_changes_at_once_the_second_is_told(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    second = Administrator(server, "jean")
    form = hidden(second.get("?page=edit&rule=dupontnet.com"))
    removal = hidden(second.get("?page=remove&rule=dupontnet.com"))
    admin.post(do="save", **hidden(admin.get("?page=edit&rule=dupontnet.com")) | {"description": "first"})
    answer = second.post(do="save", **form | {"description": "second"})
    assert answer.headers["Location"] == f"{HERE}?page=edit&rule=dupontnet.com"
    told = 'error: "dupontnet.com" was changed by someone else meanwhile, and nothing of yours was recorded. '
    assert second.message().startswith(told)
    second.post(do="remove", **removal)
    assert second.message().startswith(told)
    assert server.records("domains") == ["dupontnet.com=mxbackup|Description|first|Kind|domain"]
    admin.post(do="remove", rule="dupontnet.com")
    second.post(do="save", **form)
    assert second.message() == 'error: There is no rule for "dupontnet.com". It may have been removed meanwhile.'


def test_the_check_is_shown_for_a_rule_and_before_one_is_added(server: Scratch) -> None:
    found = Found("error", "ERROR", "This server is not a mail exchanger of <dupontnet.com>.", "Have it added.")
    asked: list[tuple[str, bool]] = []

    def check(context: object, rule: Rule, words: object, *, planned: bool = False, anew: bool = False) -> Check:
        asked.append((rule.route, planned))
        return Check("error", "kept in the queue", (found,))

    server.with_events()
    admin = Administrator(server, check=check)
    review = admin.post(do="review", name="dupontnet.com", route="mail.dupontnet.com")
    admin.post(do="save", **hidden(review))
    for page in (review, admin.get("?page=check&rule=dupontnet.com")):
        assert "<strong>ERROR</strong> – This server is not a mail exchanger of &lt;dupontnet.com&gt;.<br>" in page.text
        assert "<p>Mail would be kept in the queue.</p>" in page.text
    assert asked == [("mail.dupontnet.com", True), ("mail.dupontnet.com", False)]
    assert server.records("domains") == ["dupontnet.com=mxbackup|Kind|domain|Route|mail.dupontnet.com"]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (Check(late=True), "As root, run: mxbackup check dupontnet.com</p>"),
        (Check(running=True, when="7", key="k"), "It runs for 7 s, and for 110 s at most."),
        (Check(broken=True, when="7"), "The check was ended before it was done"),
        (Check(trouble="Permission denied"), "The check is not possible: Permission denied."),
        (Check("fine", "x"), "<strong>no problem found</strong>"),
        (Check("unchecked"), "<strong>not checked</strong></p>"),
    ],
)
def test_a_check_without_findings(server: Scratch, check: Check, said: str) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    admin = Administrator(server, check=lambda *what, planned=False, anew=False: check)
    assert said in admin.get("?page=check&rule=dupontnet.com").text


def test_the_list_tells_the_last_known_state_and_when(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    remember(server, {"dupontnet.com": {"check": ["error", ["nat"]], "checked": 1078866000}})
    put_into_force(server)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(1078866000))
    [row] = rows(admin.get())
    assert (row[0].partition(",")[0], row[5]) == ("misconfigured", when)


def test_a_recipients_policy_is_kept_where_there_is_no_qpsmtpd_and_set_where_there_is(
    server: Scratch, admin: Administrator
) -> None:
    record = "dupontnet.com=mxbackup|Kind|domain|Recipients|learn|Unknown|defer"
    server.database("domains", record)
    edit = "?page=edit&rule=dupontnet.com"
    admin.post(do="save", **hidden(admin.get(edit)) | {"description": "Jean"})
    assert server.records("domains") == [record.replace("|Kind", "|Description|Jean|Kind")]
    assert "recipients are to be learnt; no answer yet" in admin.get("?page=rule&rule=dupontnet.com").text
    assert "Those that the primary knows" not in admin.get(edit).text
    server.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    assert 'value="learn" checked' in admin.get(edit).text


GREEN, AMBER, RED, GREY = "#1f9d3a", "#e6a100", "#cc2222", "#7a8a99"


def reasons(response: TestResponse) -> dict[str, str]:
    """What is said beside the light, and the rules that it leads to."""
    links = re.findall(r'<a href="\?show=(\w+)[^"]*">(.*?)</a>', response.text)
    return {unescape(said): concern for concern, said in links}


def state(response: TestResponse) -> tuple[str, str, str]:
    """The light, what stands beside it, and the state of the first rule."""
    light, said = re.findall(r'cy="11" r="7.5" fill="(.*?)".*?<strong>(.*?)</strong>', response.text, re.S)[0]
    return light, said, rows(response)[0][0]


def test_the_light_is_green_only_while_the_rules_are_in_force(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    assert state(admin.get()) == (AMBER, "MX backup is enabled, but not in force.", "not in force")
    put_into_force(server)
    assert state(admin.get()) == (GREY, "MX backup is enabled.", "not checked")
    remember(server, {"dupontnet.com": {"check": ["fine", []], "checked": 1078866000}})
    assert state(admin.get()) == (GREEN, "MX backup is enabled.", "no problem found")
    server.path("/var/qmail/control/rcpthosts").unlink()
    assert state(admin.get())[1:] == ("MX backup is enabled, but not in force.", "not in force")
    admin.post(do="disable")
    assert state(admin.get()) == (RED, "MX backup is disabled.", "off")


def test_a_rule_below_a_domain_rule(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    same = "It is covered by the domain rule dupontnet.com, and adds nothing to it."
    other = "It lies below the domain rule dupontnet.com, and what it says counts instead."
    for route, said, listed in (("", same, "covered by dupontnet.com"), ("mail.dupontnet.com", other, "not checked")):
        review = admin.post(do="review", name="www.dupontnet.com", route=route)
        assert f"<p>{said}</p>" in review.text
        admin.post(do="save", **hidden(review))
        assert admin.message() == f"success: Added www.dupontnet.com. {said}"
        put_into_force(server)
        assert rows(admin.get())[1][0] == listed
        removal = admin.get("?page=remove&rule=www.dupontnet.com")
        stays = "Mail for www.dupontnet.com stays accepted by the domain rule dupontnet.com."
        assert f"<p>{stays}</p>" in removal.text
        admin.post(do="remove", **hidden(removal))
        assert admin.message() == f"success: Removed www.dupontnet.com. {stays}"
    refused = "Mail for {} will be refused here from then on.".format
    assert refused("dupontnet.com") in admin.get("?page=remove&rule=dupontnet.com").text
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain", "www.dupontnet.com=mxbackup|Kind|host")
    admin.post(do="disable")
    assert refused("www.dupontnet.com") in admin.get("?page=remove&rule=www.dupontnet.com").text


def test_the_review_tells_what_keeps_a_rule_from_doing_what_it_says(server: Scratch, admin: Administrator) -> None:
    server.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    server.write("/etc/e-smith/templates/var/qmail/control/smtproutes/20mxbackup")
    review = admin.post(do="review", name="dupontnet.com")
    assert (rows(review), warnings(review)) == (samples("yes", "yes"), [])
    assert summary(review) == {"Name": "dupontnet.com", "Kind": "Domain", "Its mail goes to": "MX"}
    admin.post(do="disable")
    options = {"route": "mail.dupontnet.com", "smarthost": "use"}
    review = admin.post(do="review", name="dupontnet.com", **options, recipients="list", unknown="defer")
    assert (rows(review), [warning.partition(":")[0] for warning in warnings(review)]) == (
        samples("no", "no"),
        ["MX backup is disabled", "warning", "There is no list yet"],
    )
    assert summary(review) == {
        "Name": "dupontnet.com",
        "Kind": "Domain",
        "Its mail goes to": "MX",
        "Smart host": "Through it",
        "Recipients": "Those of a list",
    }
    review = admin.post(do="review", name="dupontnet.com", recipients="learn", unknown="defer")
    assert list(summary(review).items())[3:] == [
        ("Recipients", "Those that the primary knows"),
        ("Recipients not asked about yet, while the primary is down", "Put them off"),
    ]


def test_a_name_breaks_behind_its_dots_and_not_within_a_word(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "www.dupontnet.com=mxbackup|Kind|domain|Route|mail.dupontnet.com:26")
    page = admin.get().text
    assert "<strong>www.<wbr>dupontnet.<wbr>com</strong>" in page
    assert ">mail.<wbr>dupontnet.<wbr>com:26</td>" in page


def boxes(response: TestResponse) -> list[str]:
    """What each box at the top says."""
    found = re.findall(r'<div class="error" role="alert">(.*?)</div>', response.text, re.S)
    return [unescape(" ".join(re.sub("<.*?>", " ", box).split())) for box in found]


def test_mistakes_in_the_mail_files_are_told_in_one_box_for_each(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    put_into_force(server)
    server.path("/var/qmail/control/smtproutes").unlink()
    rcpthosts = server.read("/var/qmail/control/rcpthosts")
    server.write("/var/qmail/control/rcpthosts", f" martin.org\n{rcpthosts}")
    unread, blank = boxes(admin.get())
    assert unread == (
        "The rules as they are now are not in force everywhere: /var/qmail/control/smtproutes cannot be read: "
        "No such file or directory Put the rules into force again"
    )
    assert blank.startswith("warning: /var/qmail/control/rcpthosts: qmail does not take the line")
    server.path("/var/qmail/control/rcpthosts").unlink()
    [both] = boxes(admin.get())
    assert both.count("/var/qmail/control/rcpthosts") == 1
    assert "error: The file is missing, and qmail accepts the mail of the whole world" in both


def test_lost_rules_are_no_files_behind_the_rules_as_well(server: Scratch, admin: Administrator) -> None:
    server.database("domains", *CHOSEN)
    put_into_force(server)
    server.database("domains", "other.org=mxbackup|Kind|host")
    [lost] = boxes(admin.get())
    assert "Rules that are in force are gone from the database" in lost
    assert "not in force" in state(admin.get())[1]


def test_a_failed_event_is_told(server: Scratch, admin: Administrator) -> None:
    server.script("/sbin/e-smith/signal-event", "exit 1")
    admin.post(do="save", name="dupontnet.com")
    assert admin.message().startswith("error: The change is recorded, but the event mxbackup-create failed")


def test_invalid_records_are_listed_apart_and_can_be_removed(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "bad_name.example=mxbackup|Kind|domain", "dupontnet.com=mxbackup|Kind|domain")
    page = admin.get()
    (name, why, _), (_, rule, *_) = rows(page)
    assert (name, rule) == ("bad_name.example", "dupontnet.com")
    assert "holds the character" in why
    admin.post(do="remove", **hidden(admin.get("?page=remove&rule=bad_name.example")))
    assert server.records("domains") == ["dupontnet.com=mxbackup|Kind|domain"]


def test_bytes_of_an_old_server_are_shown_as_it_meant_them(server: Scratch, admin: Administrator) -> None:
    server.write(
        "/home/e-smith/db/domains", b"dupontnet.com=mxbackup|Description|caf\xe9|Kind|domain\n\xe9.fr=mxbackup\n"
    )
    assert summary(admin.get("?page=rule&rule=dupontnet.com"))["Description"] == "café"
    assert "<strong>é.fr</strong>" in admin.get().text


def test_without_root_everything_is_shown_and_nothing_changed(server: Scratch) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    visitor = Administrator(server, privileged=False)
    page = visitor.get()
    assert said(page).startswith("error: The server-manager does not run this page as root")
    assert rows(page) == [["not in force", "dupontnet.com", "Domain", "MX", "", ""]]
    assert "<button" not in page.text + visitor.get("?page=rule&rule=dupontnet.com").text
    assert visitor.post(token="", do="remove", rule="dupontnet.com").status_code == 403
    assert server.records("domains") == ["dupontnet.com=mxbackup|Kind|domain"]
    assert not server.path("/var/lib/mxbackup").exists()


def test_an_unreadable_database_is_said(server: Scratch, admin: Administrator) -> None:
    server.path("/home/e-smith/db/domains").unlink()
    server.path("/home/e-smith/db/domains").mkdir()
    answer = admin.get()
    assert (answer.status_code, said(answer).partition(" cannot be read")[1]) == (503, " cannot be read")


class TestAttacks:
    def test_a_form_without_our_token_does_nothing(self, server: Scratch, admin: Administrator) -> None:
        stranger = Administrator(server, "eve")
        for token in ("", "0" * 64, stranger.token(), "é"):
            answer = admin.post(token=token, do="save", name="dupontnet.com")
            assert answer.status_code == 403
            assert said(answer).startswith("error: This form does not come from a page of your session")
        assert server.records("domains") == []

    def test_a_token_does_not_outlive_its_cookie_nor_serve_another_user(
        self, server: Scratch, admin: Administrator
    ) -> None:
        token = admin.token()
        admin.environ["REMOTE_USER"] = "eve"
        assert admin.post(token=token, do="disable").status_code == 403
        admin.environ["REMOTE_USER"] = "admin"
        admin.client.delete_cookie("mxbackup-session", path=HERE)
        assert admin.post(token=token, do="disable").status_code == 403
        assert server.events() == []

    def test_no_change_by_get(self, server: Scratch, admin: Administrator) -> None:
        token = admin.token()
        for query in ("do=save&name=dupontnet.com", "do=disable", "page=save&name=dupontnet.com"):
            assert admin.get(f"?{query}&token={token}").status_code == 200
        assert (server.records("domains"), server.events()) == ([], [])

    def test_without_log_in_nothing_is_shown(self, server: Scratch, admin: Administrator) -> None:
        server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
        admin.environ["REMOTE_USER"] = ""
        answer = admin.get()
        assert (answer.status_code, said(answer)) == (403, "error: Log in to the server-manager first.")
        assert "dupontnet" not in answer.text
        assert admin.post(token="x", do="remove", rule="dupontnet.com").status_code == 403

    @pytest.mark.parametrize("field", ["name", "kind", "route", "smarthost", "description", "rule", "expected"])
    def test_html_in_a_field_is_text(self, server: Scratch, admin: Administrator, field: str) -> None:
        form = {"name": "dupontnet.com", field: SCRIPT}
        for step in ("review", "revise"):
            assert "<script" not in admin.post(do=step, **form).text
        admin.post(do="save", **form)
        assert "<script" not in admin.get().text
        assert "<script" not in admin.get(f"?q={SCRIPT}&sort={SCRIPT}&p={SCRIPT}&page={SCRIPT}&rule={SCRIPT}").text

    def test_html_in_a_record_is_text(self, server: Scratch, admin: Administrator) -> None:
        server.database("domains", f"{SCRIPT}=mxbackup", f"dupontnet.com=mxbackup|Description|{SCRIPT}|Kind|domain")
        assert "<script" not in admin.get().text

    def test_a_line_end_in_a_parameter_makes_no_header(self, admin: Administrator) -> None:
        evil = "dupontnet.com\r\nSet-Cookie: evil=1"
        for answer in (
            admin.post(do="save", name=evil),
            admin.post(do="save", name=evil, rule=evil, expected="x"),
            admin.post(do="remove", rule=evil),
            admin.get("?page=edit&rule=a%0d%0aSet-Cookie:%20evil=1"),
        ):
            assert "evil" not in str(answer.headers)

    def test_a_large_body_is_refused(self, server: Scratch, admin: Administrator) -> None:
        answer = admin.post(do="save", name="dupontnet.com", description="x" * 10_000_000)
        assert (answer.status_code, said(answer)) == (
            413,
            f"error: The form is larger than {MAX_BODY} bytes, and nothing was done.",
        )
        assert server.records("domains") == []

    def test_a_body_that_ends_early_is_refused(self, server: Scratch, admin: Administrator) -> None:
        environ = admin.environ | {"CONTENT_LENGTH": "100"}
        answer = admin.client.post(
            "/", data=b"do=disable", content_type="application/x-www-form-urlencoded", environ_overrides=environ
        )
        assert (answer.status_code, said(answer)) == (
            400,
            "error: The form did not arrive whole, and nothing was done. Go back and send it again.",
        )
        assert server.events() == []

    @pytest.mark.parametrize(
        ("body", "type_", "status"),
        [
            (b"do=disable", "text/plain", 415),
            (b"do=disable", "multipart/form-data; boundary=x", 415),
            (b"do=disable&name=%ff", "application/x-www-form-urlencoded", 400),
            (b"do=disable&name=\xff", "application/x-www-form-urlencoded; charset=utf-16", 400),
            (b"&".join(b"a%d=" % n for n in range(400)), "application/x-www-form-urlencoded", 400),
            (b"", "application/x-www-form-urlencoded", 403),
        ],
    )
    def test_what_is_no_form_of_ours_is_refused(
        self, server: Scratch, admin: Administrator, body: bytes, type_: str, status: int
    ) -> None:
        answer = admin.client.post("/", data=body, content_type=type_, environ_overrides=admin.environ)
        assert answer.status_code == status
        assert server.events() == []

    @pytest.mark.parametrize("rule", ["../../etc/passwd", "dupontnet.com%00", "%00", "a%0ab", "", "%E2%80%AE"])
    def test_paths_and_control_characters_name_no_rule(self, server: Scratch, admin: Administrator, rule: str) -> None:
        for page in ("edit", "remove"):
            answer = admin.get(f"?page={page}&rule={rule}")
            assert (answer.status_code, answer.headers["Location"]) == (303, HERE)
            assert admin.message().startswith("error: ")

    def test_other_methods_are_refused(self, admin: Administrator) -> None:
        for method in ("PUT", "DELETE", "OPTIONS"):
            assert admin.client.open("/", method=method, environ_overrides=admin.environ).status_code == 405

    def test_a_planted_message_is_not_shown(self, admin: Administrator) -> None:
        admin.get()
        for value in ("eyI", "WzEsICJldmlsIl0=.00", "", "."):
            admin.client.set_cookie("mxbackup-message", value, path=HERE)
            assert said(admin.get()) == ""

    def test_a_trace_goes_to_syslog_and_a_reference_to_the_page(
        self, server: Scratch, admin: Administrator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logged: list[str] = []
        monkeypatch.setattr("mxbackup.panel.application.log_to_syslog", logged.extend)
        monkeypatch.setattr("mxbackup.service.inspecting.status", lambda context: 1 / 0)
        answer = admin.get()
        assert answer.status_code == 500
        assert "ZeroDivision" not in answer.text
        reference = re.search(r"under the reference ([0-9a-f]{8})\.", said(answer))
        assert reference
        assert logged[-1] == f"panel {reference[1]}: ZeroDivisionError: division by zero"


def test_headers(admin: Administrator) -> None:
    first, second = admin.get(), Administrator(Scratch(admin.panel.context.host.root)).get()
    headers = dict(first.headers)
    nonce = re.search(r"'nonce-(\S+)'", headers["Content-Security-Policy"])
    assert nonce
    assert f'<style nonce="{nonce[1]}">' in unescape(first.text)
    assert first.headers["Content-Security-Policy"] != second.headers["Content-Security-Policy"]
    cookie = headers.pop("Set-Cookie")
    assert re.fullmatch(rf"mxbackup-session=[0-9a-f]{{32}}; HttpOnly; Path={HERE}; SameSite=Strict", cookie)
    headers.pop("Content-Length")
    assert headers == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": "en-us",
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"default-src 'none'; style-src 'self' 'nonce-{nonce[1]}'; "
        f"script-src 'nonce-{nonce[1]}'; connect-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'self'",
        "X-Frame-Options": "SAMEORIGIN",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }


def test_the_cookies_are_secure_where_the_page_is(admin: Administrator) -> None:
    admin.environ["wsgi.url_scheme"] = "https"
    assert "; Secure;" in admin.get().headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("accepted", "title"),
    [
        ("fr", "Configuration du MX-Backup"),
        ("fr-CA,en;q=0.5", "Configuration du MX-Backup"),
        ("de-AT,fr;q=0.3", "Einstellungen des MX-Backups"),
        ("nl,fr;q=0.3", "Configuration du MX-Backup"),
        ("en-us,fr;q=0.9", "MX backup configuration"),
        ("nl", "MX backup configuration"),
        ("", "MX backup configuration"),
        (";;q=x,fr\x00", "MX backup configuration"),
    ],
)
def test_the_language_is_the_browsers(admin: Administrator, accepted: str, title: str) -> None:
    admin.environ["HTTP_ACCEPT_LANGUAGE"] = accepted
    assert f"<h1>{title}</h1>" in admin.get().text


@pytest.mark.parametrize(
    ("charset", "description"),
    [
        ("utf-8", "Société « Dupont » à 5 € 日本".encode()),
        ("iso-8859-1", b"Soci\xe9t\xe9 \xab Dupont \xbb \xe0 5 &#8364; &#26085;&#26412;"),
    ],
)
def test_both_charsets_byte_by_byte(server: Scratch, charset: str, description: bytes) -> None:
    server.with_events()
    admin = Administrator(server, charset=charset)
    admin.environ["HTTP_ACCEPT_LANGUAGE"] = "fr"
    sent = {"utf-8": "utf-8", "iso-8859-1": "cp1252"}[charset]  # as browsers do
    form = {
        "do": "save",
        "name": "café.example",
        "description": "Société « Dupont » à 5 € 日本",
        "token": admin.token(),
    }
    body = urlencode(form, encoding=sent, errors="xmlcharrefreplace").encode()
    admin.client.post("/", data=body, content_type="application/x-www-form-urlencoded", environ_overrides=admin.environ)
    put_into_force(server)
    found = admin.get(f"?{urlencode({'q': 'société'}, encoding=sent)}")
    assert "<strong>café.<wbr>example</strong>".encode(charset) in found.data
    page = admin.get("?page=rule&rule=xn--caf-dma.example")
    assert page.headers["Content-Type"] == f"text/html; charset={charset}"
    assert b"<dd>" + description + b"</dd>" in page.data
    assert f'<meta charset="{charset}">'.encode() in page.data
    assert "Règle pour café.example".encode(charset) in page.data
    assert "Règle ajoutée\u00a0: café.example.".encode(charset) in found.data
    assert server.records("domains") == [
        "xn--caf-dma.example=mxbackup|Description|Société « Dupont » à 5 € 日本|Kind|domain"
    ]


def test_who_removes_or_disables_is_told_what_waits(server: Scratch, admin: Administrator) -> None:
    server.with_events()
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain|Route|192.0.2.25")
    server.write("/etc/e-smith/templates/var/qmail/control/smtproutes/10others")
    hold(server.path("/var/qmail/queue"), 7, ["Tjean@www.dupontnet.com"], 1000)
    waits = "Messages that wait for dupontnet.com: 1. No new mail is accepted for it, and these are still delivered."
    admin.post(do="disable")
    assert admin.message() == (
        "success: MX backup is disabled. Messages that wait: 1. No new mail is accepted, and these are still delivered."
    )
    question = admin.get("?page=remove&rule=dupontnet.com")
    assert waits in unescape(question.text)
    admin.post(do="remove", **hidden(question))
    front = admin.get()
    assert said(front) == f"success: Removed dupontnet.com. {waits}"
    assert (
        "<li>dupontnet.com is removed, and its mail in the queue is still delivered (192.0.2.25; messages: 1).</li>"
        in unescape(front.text)
    )


def test_the_page_of_a_rule_tells_all_of_it(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Contact|jean@martin.fr|Description|Jean|Kind|domain")
    hold(server.path("/var/qmail/queue"), 7, ["Tjean@www.dupontnet.com"], int(time.time()) - 9 * 3600)
    now = int(time.time())
    remember(server, {"dupontnet.com": {"contact": "unreachable", "since": now - 9 * 3600, "reason": "<silent>"}})
    events = [
        {"time": now - 48 * 3600, "name": "dupontnet.com", "event": "begun", "reason": "silent"},
        {"time": now - 24 * 3600, "name": "dupontnet.com", "event": "back"},
        {"time": now - 24 * 3600, "name": "dupontnet.com", "event": "drained", "messages": 17, "waited": 86400},
        {"time": now - 9 * 3600, "name": "dupontnet.com", "event": "begun", "reason": "<silent>"},
        {"time": now - 9 * 3600, "name": "other.com", "event": "begun", "reason": "none of ours"},
    ]
    server.write("/var/lib/mxbackup/history", "".join(json.dumps(event) + "\n" for event in events))
    page = admin.get("?page=rule&rule=dupontnet.com").text
    text = unescape(re.sub(r"<.*?>", "", page))
    assert f"the primary cannot be reached since {spans.moment(now - 9 * 3600)} (<silent>)" in text
    assert "messages: 1 (100 bytes); the oldest waits for 9 h" in text
    assert summary(admin.get("?page=rule&rule=dupontnet.com")) == {
        "Kind": "Domain",
        "Its mail goes to": "MX",
        "Owner's address": "jean@martin.fr",
        "Description": "Jean",
        "Known recipients": "every recipient is accepted",
    }
    assert page.count('height="20" fill="#cc2222"') == 2
    assert '<rect x="672.0" y="4" width="24.0" height="20" fill="#cc2222"/>' in page
    assert "24 h (silent)" in text
    assert "all is delivered, messages: 17; the longest waited 24 h" in text
    assert "&lt;silent&gt;" in page
    assert "none of ours" not in text


def test_the_page_of_a_rule_that_nothing_is_known_of(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    text = admin.get("?page=rule&rule=dupontnet.com").text
    for said in ("not checked", "Nothing waits.", "None is known of.", "Not checked yet."):
        assert said in text
    assert "Deliver now" not in text
    assert admin.get("?page=rule&rule=other.com").status_code == 303


def test_the_front_page_tells_what_matters_now(server: Scratch, admin: Administrator) -> None:
    now = int(time.time())
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain", "martin.fr=mxbackup|Kind|domain")
    put_into_force(server)
    hold(server.path("/var/qmail/queue"), 7, ["Tjean@dupontnet.com", "Tanne@dupontnet.com"], now - 9 * 3600)
    remember(
        server,
        {
            "dupontnet.com": {"contact": "unreachable", "since": now - 9 * 3600, "check": ["fine", []], "checked": now},
            "martin.fr": {"check": ["fine", []], "checked": now},
        },
    )
    page = admin.get()
    assert state(page) == (RED, "MX backup is enabled.", "the primary cannot be reached, since 9 h")
    assert reasons(page) == {
        "Primaries that cannot be reached or refuse mail: 1.": "away",
        "Messages that wait: 1, the oldest since 9 h.": "held",
    }
    for concern in ("away", "held"):
        shown = admin.get(f"?show={concern}")
        assert [row[1] for row in rows(shown)] == ["dupontnet.com"]
        assert "Rules shown: 1 of 2." in shown.text
    assert [row[1] for row in rows(admin.get("?show=error"))] == []
    assert [row[4] for row in rows(page)] == ["messages: 1, since 9 h", ""]


def test_what_waits_is_tried_at_a_click(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain|Route|127.0.0.1:9")
    answer = admin.post(do="flush", rule="dupontnet.com")
    assert answer.headers["Location"] == f"{HERE}?page=rule&rule=dupontnet.com"
    assert admin.message() == "success: No mail is held."
    hold(server.path("/var/qmail/queue"), 7, ["Tjean@dupontnet.com"], int(time.time()) - 9 * 3600)
    admin.post(do="flush", rule="dupontnet.com")
    assert admin.message().startswith("error: ")  # no supervisor here


def test_without_root_the_states_are_not_known_and_that_is_said(server: Scratch, admin: Administrator) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    server.path("/var/lib/mxbackup/outages.json").mkdir(parents=True)
    assert "/var/lib/mxbackup/outages.json cannot be used: Is a directory." in admin.get().text
    assert "/var/lib/mxbackup/outages.json cannot be used" in admin.get("?page=rule&rule=dupontnet.com").text
    server.path("/var/lib/mxbackup/outages.json").rmdir()
    server.write("/var/lib/mxbackup/outages.json", "{")
    assert "/var/lib/mxbackup/outages.json is damaged" in admin.get().text
    assert "/var/lib/mxbackup/outages.json is damaged" in admin.get("?page=rule&rule=dupontnet.com").text


def test_a_new_rule_leads_to_the_line_for_the_dns_and_the_letter_to_its_owner(
    server: Scratch, admin: Administrator
) -> None:
    server.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    admin.post(do="save", name="dupontnet.com", kind="domain", contact="jean@martin.fr", description=SCRIPT)
    link = "?page=letter&amp;rule=dupontnet.com"
    after = admin.get("?page=next&rule=dupontnet.com").text
    assert '<pre class="mx-copy" tabindex="0">dupontnet.com. IN MX 100 mail.durantcom.net.</pre>' in after
    assert "It must be greater than that of every primary: ask the owner." in after
    assert link in after
    assert "alert(1)" not in after
    assert link in admin.get("?page=rule&rule=dupontnet.com").text
    page = admin.get(f"{unescape(link)}&lang=fr").text
    assert '<section class="mx-letter" lang="fr">\n<h3>MX-Backup pour dupontnet.com' in page
    assert "<pre>dupontnet.com. IN MX 100 mail.durantcom.net.</pre>" in page
    assert "\ndupontnet.com. IN MX 100 mail.durantcom.net.\n" in page
    assert 'href="mailto:jean%40martin.fr?subject=MX-Backup' in page
    said = warnings(admin.get(unescape(link)))
    assert said[0].startswith("The rules as they are now are not in force.")
    assert said[1] == "The DNS did not answer, so the preference 100 is a guess."
    assert "alert(1)" not in page


def test_a_change_leads_to_no_letter(server: Scratch, admin: Administrator) -> None:
    admin.post(do="save", name="dupontnet.com", kind="domain")
    admin.get()
    form = hidden(admin.get("?page=edit&rule=dupontnet.com"))
    admin.post(do="save", **form | {"kind": "host"})
    assert "page=letter" not in admin.get().text


@pytest.mark.parametrize("language", ["xx", "../fr", SCRIPT])
def test_a_letter_in_no_known_language_is_in_that_of_the_panel(
    server: Scratch, admin: Administrator, language: str
) -> None:
    server.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    server.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    page = admin.get("?" + urlencode({"page": "letter", "rule": "dupontnet.com", "lang": language})).text
    assert '<section class="mx-letter" lang="en-us">' in page
    assert SCRIPT not in page


def test_a_letter_about_no_rule(admin: Administrator) -> None:
    assert admin.get("?page=letter&rule=smithnet.com").status_code == 303
    assert admin.message() == 'error: There is no rule for "smithnet.com". It may have been removed meanwhile.'
