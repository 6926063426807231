# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user does: each verb changes exactly its record, refuses what cannot stand, and signals its event."""

import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import pytest

from mxbackup import rules
from mxbackup.errors import ChangedMeanwhile, DatabaseError, DatabaseMissing, HostError, InvalidInput, UnknownRule
from mxbackup.esmith.inventory import Invalid
from mxbackup.esmith.settings import Settings
from mxbackup.rules import Kind, Rule
from mxbackup.rules.names import Name
from mxbackup.service import applying, changing, inspecting, knowing, listing
from mxbackup.service.changing import Change, Removal
from mxbackup.targets.block import BEGIN, END
from mxbackup.targets.registry import EXPANDED as TARGETS
from tests.scratch import EXPAND_TEMPLATE, EXPANSION, Scratch

CONTROL = "/var/qmail/control"
FAIL = "echo 'unable to write to morercpthosts.tmp' >&2; exit 111"

DUPONT = Rule(Name("dupontnet.com"))
WWW = Rule(Name("www.dupontnet.com"), Kind.HOST)
DUPONT_RECORD = "dupontnet.com=mxbackup|Kind|domain"
SETTINGS = Settings(domain_name="durantcom.net", system_name="sme")
NO_RULE = 'There is no rule for "{name}". See: mxbackup list'


@pytest.fixture(autouse=True)
def events(server: Scratch) -> None:
    server.with_events()


def invalid_records(found: list[Invalid]) -> dict[str, str]:
    return {record.key: str(record.reason) for record in found}


# Reading


def test_the_inventory_is_sorted_and_tells_of_records_that_are_no_rules(server: Scratch) -> None:
    server.database("configuration", "DomainName=durantcom.net", "SystemName=sme", "SMTPSmartHost=smtp.provider.net")
    server.database(
        "domains",
        "durantcom.net=domain|Content|Primary",
        "other.net=domain",
        "www.dupontnet.com=mxbackup|Kind|host",
        "martin.org=mxbackup|Kind|domain|Smarthost|use",
        DUPONT_RECORD,
        "Upper.com=mxbackup|Kind|domain",
        "kindless.com=mxbackup",
        "sme.durantcom.net=mxbackup|Kind|host",
        "circle.com=mxbackup|Kind|domain|Route|other.net:26",
        b"caf\xe9.com=mxbackup|Kind|domain",
    )
    inventory = server.context.inventory()
    assert list(inventory.rules) == [DUPONT, WWW, rules.make("martin.org", smarthost="use")]
    assert inventory.settings.smarthost == "smtp.provider.net"
    reasons = invalid_records(inventory.invalid)
    assert reasons.pop("caf\udce9.com").startswith('"caf\udce9.com" is not a valid internationalised name (')
    assert reasons == {
        "Upper.com": 'The key "Upper.com" must be written as "upper.com".',
        "kindless.com": 'The kind "" is unknown. Give "domain" or "host".',
        "sme.durantcom.net": '"sme.durantcom.net" is a local domain of this server, which delivers its mail itself. '
        "Remove the domain first if another server is to be its primary.",
        "circle.com": 'The route "other.net:26" leads back to this server, and the mail would go in circles. '
        "Give the primary's own name or address.",
    }
    assert [inventory.rules.covering(rule.name) for rule in inventory.rules] == [None, DUPONT, None]


@pytest.mark.parametrize(
    ("fragments", "postfix", "routes"),
    [
        ([], "", True),
        (["20mxbackup"], "", False),
        (["10smarthost", "20mxbackup"], "", True),
        ([], "postfix=service|SMTPSmartHost|smtp.provider.net", False),
    ],
)
def test_whether_routes_count_here(server: Scratch, fragments: list[str], postfix: str, routes: bool) -> None:
    server.database("configuration", *filter(None, [postfix]))
    for fragment in fragments:
        server.write(f"/etc/e-smith/templates{CONTROL}/smtproutes/{fragment}")
    assert server.context.inventory().settings.routes is routes


def test_a_rule_lacks_its_list_where_lists_count(server: Scratch) -> None:
    server.database("domains", DUPONT_RECORD)
    listed = rules.make("dupontnet.com", recipients="list")
    assert not knowing.lacks_list(server.context, listed)
    server.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    assert knowing.lacks_list(server.context, listed)
    assert not knowing.lacks_list(server.context, DUPONT)
    listing.replace(server.context, "dupontnet.com", "jean\n")
    assert not knowing.lacks_list(server.context, listed)


def test_a_fragment_holds_the_valid_rules_only(server: Scratch) -> None:
    server.database("domains", DUPONT_RECORD, "kindless.com=mxbackup")
    assert applying.fragment(server.context, "goodrcptto") == (
        "# BEGIN mxbackup: rules of the domains database\n@dupontnet.com\n# END mxbackup\n"
    )


@pytest.mark.parametrize(
    ("fragments", "filled"),
    [
        ({"templates/10local": "admin", "templates/50mxbackup": "x"}, True),
        ({"templates/10local": "admin", "templates/50mxbackup": "x", "templates-custom/10local": ""}, False),
        ({"templates/50mxbackup": "x", "templates/template-begin": "# x"}, False),
        ({"templates/50mxbackup": "x", "templates-custom/20more": "info"}, True),
    ],
)
def test_our_entries_do_not_switch_check_goodrcptto_on(
    server: Scratch, fragments: dict[str, str], filled: bool
) -> None:
    for name, text in fragments.items():
        top, _, fragment = name.partition("/")
        server.write(f"/etc/e-smith/{top}/var/service/qpsmtpd/config/goodrcptto/{fragment}", text)
    server.database("domains", DUPONT_RECORD)
    assert ("@dupontnet.com" in applying.fragment(server.context, "goodrcptto")) == filled


def test_without_the_domains_database_there_is_an_error_and_no_fragment(server: Scratch) -> None:
    path = server.path("/home/e-smith/db/domains")
    path.unlink()
    for attempt in (
        server.context.inventory,
        lambda: applying.fragment(server.context, "rcpthosts"),
        partial(inspecting.status, server.context),
    ):
        with pytest.raises(DatabaseMissing) as refused:
            attempt()
        assert str(refused.value) == f"There is no database {path}."


def test_without_the_configuration_database_the_defaults_hold_but_a_broken_one_is_an_error(server: Scratch) -> None:
    path = server.path("/home/e-smith/db/configuration")
    path.unlink()
    assert server.context.inventory().settings.enabled
    path.mkdir()
    with pytest.raises(DatabaseError) as refused:
        server.context.inventory()
    assert str(refused.value) == f"The database {path} cannot be read: Is a directory."


@pytest.mark.parametrize("name", ["dupontnet.com", " DupontNet.com. "])
def test_a_rule_is_found_by_what_a_person_types(server: Scratch, name: str) -> None:
    server.database("domains", DUPONT_RECORD)
    assert changing.get(server.context, name) == DUPONT


@pytest.mark.parametrize("name", ["martin.org", "durantcom.net"])
def test_what_is_no_rule_is_not_found(server: Scratch, name: str) -> None:
    server.database("domains", DUPONT_RECORD, "durantcom.net=domain")
    for attempt in (
        changing.get,
        changing.remove,
        changing.stamp,
        lambda context, name: changing.change(context, name, {"Kind": "host"}),
    ):
        with pytest.raises(UnknownRule) as refused:
            attempt(server.context, name)
        assert str(refused.value) == NO_RULE.format(name=name)
    assert server.events() == []


# Adding


def test_add_records_the_rule_and_signals(server: Scratch) -> None:
    server.database("domains", "durantcom.net=domain|Content|Primary")
    current = replace(SETTINGS, local_domains=frozenset({"durantcom.net"}))
    made = rules.make("DupontNet.com", route="mail.dupontnet.com:26", smarthost="use", description="Chez Dupont")
    assert changing.add(server.context, made) == Change(made, None, current)
    assert server.records("domains") == [
        "dupontnet.com=mxbackup|Description|Chez Dupont|Kind|domain|Route|mail.dupontnet.com:26|Smarthost|use",
        "durantcom.net=domain|Content|Primary",
    ]
    assert server.events() == ["mxbackup-create dupontnet.com"]


def test_the_first_rule_makes_the_database(server: Scratch) -> None:
    server.path("/home/e-smith/db/domains").unlink()
    changing.add(server.context, DUPONT)
    assert server.records("domains") == [DUPONT_RECORD]


def test_add_tells_of_the_domain_rule_that_covers_the_new_one(server: Scratch) -> None:
    server.database("domains", DUPONT_RECORD, "b.dupontnet.com=mxbackup|Kind|host", "a.b.dupontnet.com=mxbackup")
    rule = Rule(Name("c.a.b.dupontnet.com"), Kind.HOST)
    assert changing.add(server.context, rule) == Change(rule, DUPONT, SETTINGS)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dupontnet.com", 'There is a rule for "dupontnet.com" already. Change that one.'),
        (
            "kindless.com",
            'The domains database has a record "kindless.com" of type "mxbackup" already. Remove that one first.',
        ),
        (
            "odd.com",
            'The domains database has a record "odd.com" of type "alias" already. Remove that one first.',
        ),
        (
            "other.net",
            '"other.net" is a local domain of this server, which delivers its mail itself. '
            "Remove the domain first if another server is to be its primary.",
        ),
    ],
)
def test_add_refuses_what_is_taken(server: Scratch, name: str, reason: str) -> None:
    records = [DUPONT_RECORD, "kindless.com=mxbackup", "odd.com=alias|Of|x", "other.net=domain"]
    server.database("domains", *records)
    with pytest.raises(InvalidInput) as refused:
        changing.add(server.context, Rule(Name(name), Kind.HOST))
    assert (str(refused.value), refused.value.field) == (reason, "name")
    assert server.records("domains") == records
    assert server.events() == []


# Changing


def test_change_sets_what_is_given_and_keeps_the_rest(server: Scratch) -> None:
    server.database("domains", b"dupontnet.com=mxbackup|Kind|domain|Other|\xe9|Route|192.0.2.1|Smarthost|use")
    done = changing.change(server.context, "DUPONTNET.COM", {"Kind": "host", "Route": None})
    assert done == Change(rules.make("dupontnet.com", kind="host", smarthost="use"), None, SETTINGS)
    assert server.records("domains") == ["dupontnet.com=mxbackup|Kind|host|Other|\udce9|Smarthost|use"]
    assert server.events() == ["mxbackup-modify dupontnet.com"]


def test_change_tells_of_the_domain_rule_that_covers(server: Scratch) -> None:
    server.database("domains", DUPONT_RECORD, "www.dupontnet.com=mxbackup|Kind|domain")
    assert changing.change(server.context, "www.dupontnet.com", {"Kind": "host"}) == Change(WWW, DUPONT, SETTINGS)


def test_change_mends_an_invalid_record(server: Scratch) -> None:
    server.database("domains", "dupontnet.com=mxbackup|Kind|zone")
    assert changing.change(server.context, "dupontnet.com", {"Kind": "domain"}) == Change(DUPONT, None, SETTINGS)
    assert server.records("domains") == [DUPONT_RECORD]


@pytest.mark.parametrize(
    ("key", "properties", "field"),
    [
        ("dupontnet.com", {"Kind": None}, "Kind"),
        ("dupontnet.com", {"Route": "other.net"}, "Route"),
        ("dupontnet.com", {"Description": "a|b"}, "Description"),
        ("Upper.com", {"Kind": "host"}, "name"),
    ],
)
def test_change_refuses_what_would_be_no_rule(
    server: Scratch, key: str, properties: dict[str, str | None], field: str
) -> None:
    records = ["Upper.com=mxbackup|Kind|domain", DUPONT_RECORD, "other.net=domain"]
    server.database("domains", *records)
    with pytest.raises(InvalidInput) as refused:
        changing.change(server.context, key, properties)
    assert refused.value.field == field
    assert server.records("domains") == records
    assert server.events() == []


def test_of_two_who_change_the_same_rule_the_second_is_told(server: Scratch) -> None:
    server.database("domains", DUPONT_RECORD)
    seen = changing.stamp(server.context, "dupontnet.com")
    changing.change(server.context, "dupontnet.com", {"Kind": "host"}, expected=seen)
    late = (
        lambda: changing.change(server.context, "dupontnet.com", {"Route": "192.0.2.1"}, expected=seen),
        lambda: changing.remove(server.context, "dupontnet.com", expected=seen),
    )
    for attempt in late:
        with pytest.raises(ChangedMeanwhile) as refused:
            attempt()
        assert str(refused.value) == (
            '"dupontnet.com" was changed by someone else meanwhile, and nothing of yours was recorded. '
            "Look at it as it is now, and change it again if need be."
        )
    assert server.records("domains") == ["dupontnet.com=mxbackup|Kind|host"]
    assert server.events() == ["mxbackup-modify dupontnet.com"]


# Removing, switching


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("DupontNet.com", "dupontnet.com"),
        ("Upper.com", "Upper.com"),
        ("kindless.com", "kindless.com"),
        ("a b", "a b"),
        ("caf\udce9.com", "caf\udce9.com"),
    ],
)
def test_remove_takes_a_rule_by_any_spelling_and_an_invalid_record_by_its_key(
    server: Scratch, typed: str, key: str
) -> None:
    records = ["Upper.com=mxbackup|Kind|domain", "a b=mxbackup", "caf\udce9.com=mxbackup", DUPONT_RECORD]
    records += ["durantcom.net=domain", "kindless.com=mxbackup"]
    server.database("domains", *(record.encode("utf-8", "surrogateescape") for record in records))
    assert changing.remove(server.context, typed) == Removal(key)
    assert server.records("domains") == [record for record in records if not record.startswith(key)]
    assert server.path("/events").read_bytes() == b"mxbackup-delete " + key.encode("utf-8", "surrogateescape") + b"\n"


@pytest.mark.parametrize(("status", "cover"), [("enabled", DUPONT), ("disabled", None)])
def test_remove_tells_of_the_domain_rule_by_which_mail_stays_accepted(
    server: Scratch, status: str, cover: Rule | None
) -> None:
    server.database("configuration", f"mxbackup=service|status|{status}")
    server.database("domains", DUPONT_RECORD, "www.dupontnet.com=mxbackup|Kind|domain", "w_w.dupontnet.com=mxbackup")
    for key in ("www.dupontnet.com", "w_w.dupontnet.com"):
        assert changing.remove(server.context, key) == Removal(key, cover)
    assert changing.remove(server.context, "dupontnet.com") == Removal("dupontnet.com")


def test_what_is_no_name_and_no_key_is_refused(server: Scratch) -> None:
    with pytest.raises(InvalidInput) as refused:
        changing.remove(server.context, "a b")
    assert str(refused.value) == ('"a b" holds the character " ". A name is made of letters, digits, hyphens and dots.')


def test_switching_off_and_on_again_keeps_the_rules(server: Scratch) -> None:
    server.database("domains", DUPONT_RECORD)
    server.database("configuration", "DomainName=durantcom.net", "mxbackup=service|Other|x|status|enabled")
    context = server.context
    changing.enable(context, False)
    assert server.records("configuration") == [
        "DomainName=durantcom.net",
        "mxbackup=service|Other|x|status|disabled",
    ]
    assert (
        applying.fragment(context, "rcpthosts") == "# BEGIN mxbackup: rules of the domains database\n# END mxbackup\n"
    )
    changing.enable(context, True)
    assert server.records("configuration")[1] == "mxbackup=service|Other|x|status|enabled"
    assert "\ndupontnet.com\n" in applying.fragment(context, "rcpthosts")
    assert server.records("domains") == [DUPONT_RECORD]
    assert server.events() == ["mxbackup-update", "mxbackup-update"]


# Events


def test_without_event_only_the_database_changes(server: Scratch) -> None:
    server.path("/sbin/e-smith/signal-event").unlink()
    context = server.context
    changing.add(context, WWW, event=False)
    changing.change(context, "www.dupontnet.com", {"Kind": "domain"}, event=False)
    changing.enable(context, False, event=False)
    assert server.records("domains") == ["www.dupontnet.com=mxbackup|Kind|domain"]
    changing.remove(context, "www.dupontnet.com", event=False)
    assert server.records("domains") == []
    assert server.events() == []


def test_without_signal_event_nothing_is_changed(server: Scratch) -> None:
    server.database("domains", DUPONT_RECORD)
    server.path("/sbin/e-smith/signal-event").unlink()
    context = server.context
    for attempt in (
        lambda: changing.add(context, WWW),
        lambda: changing.change(context, "dupontnet.com", {"Kind": "host"}),
        lambda: changing.remove(context, "dupontnet.com"),
        lambda: changing.enable(context, False),
    ):
        with pytest.raises(HostError):
            attempt()
    assert server.records("domains") == [DUPONT_RECORD]
    assert server.records("configuration") == ["DomainName=durantcom.net", "SystemName=sme"]


def test_when_the_event_fails_the_change_is_recorded_and_the_failure_told(server: Scratch) -> None:
    server.with_events(status=1)
    with pytest.raises(HostError) as refused:
        changing.add(server.context, DUPONT)
    assert str(refused.value).startswith("The change is recorded, but the event mxbackup-create failed")
    assert server.records("domains") == [DUPONT_RECORD]
    assert server.events() == ["mxbackup-create dupontnet.com"]


# Expanding, and the state of the files


def states(server: Scratch) -> dict[str, tuple[bool, bool]]:
    return {found.target.name: (found.present, found.current) for found in inspecting.status(server.context).targets}


def test_status_tells_files_that_hold_the_rules_from_those_that_do_not(server: Scratch) -> None:
    server.database("domains", DUPONT_RECORD)
    context = server.context
    server.write(
        "/var/qmail/control/rcpthosts", "durantcom.net\n" + applying.fragment(context, "rcpthosts") + "more.net\n"
    )
    server.write("/var/qmail/control/smtproutes", "# BEGIN mxbackup\n")
    absent = (False, False)
    expected = {"smtpd_check_rules": absent, "goodrcptto": absent, "qpsmtpd": absent}
    assert states(server) == expected | {"rcpthosts": (True, True), "smtproutes": (True, False)}
    assert not inspecting.status(context).sound
    server.write("/var/qmail/control/smtproutes", applying.fragment(context, "smtproutes"))
    assert inspecting.status(context).sound
    changing.add(context, WWW)
    assert states(server) == expected | {"rcpthosts": (True, False), "smtproutes": (True, True)}


def test_an_invalid_record_is_not_sound(server: Scratch) -> None:
    context = server.context
    for target in ("rcpthosts", "smtproutes"):
        server.write(f"/var/qmail/control/{target}", applying.fragment(context, target))
    assert inspecting.status(context).sound
    server.database("domains", "kindless.com=mxbackup")
    assert not inspecting.status(context).sound


def test_files_that_do_not_hold_the_rules_but_for_a_table_that_learns(server: Scratch) -> None:
    for target in TARGETS.values():
        server.write(str(target.path))
    paths = [target.path for target in TARGETS.values()]
    server.database("domains", DUPONT_RECORD)
    assert inspecting.outdated(server.context, server.context.inventory()) == paths
    server.database("domains", f"{DUPONT_RECORD}|Recipients|learn")
    assert inspecting.outdated(server.context, server.context.inventory()) == paths[:-1]
    for target in TARGETS.values():
        server.write(str(target.path), applying.fragment(server.context, target.name))
    assert inspecting.outdated(server.context, server.context.inventory()) == []


def test_status_says_why_a_file_cannot_be_read(server: Scratch) -> None:
    found = {state.target.name: state for state in inspecting.status(server.context).targets}["rcpthosts"]
    assert (found.present, found.current) == (True, False)
    assert str(found.reason) == "/var/qmail/control/rcpthosts cannot be read: No such file or directory"


def test_expand_expands_the_targets_of_this_host_with_the_rules_as_they_are(server: Scratch) -> None:
    server.database("domains", DUPONT_RECORD, "kindless.com=mxbackup")
    server.script(EXPAND_TEMPLATE, EXPANSION)
    done = applying.expand(server.context)
    assert [path.name for path in done.files] == ["rcpthosts", "smtproutes"]
    assert list(invalid_records(done.left_out)) == ["kindless.com"]
    assert server.read("/var/qmail/control/rcpthosts") == applying.fragment(server.context, "rcpthosts")
    assert server.read("/var/qmail/control/smtproutes") == applying.fragment(server.context, "smtproutes")


def test_no_template_gets_a_fragment_when_the_rules_cannot_be_read(server: Scratch) -> None:
    server.script(EXPAND_TEMPLATE, EXPANSION)
    server.path("/home/e-smith/db/domains").unlink()
    with pytest.raises(DatabaseMissing):
        applying.expand(server.context)
    assert not server.path("/var/qmail/control/rcpthosts").exists()


# Many rules where the mail program reads morercpthosts.cdb


def with_rules(server: Scratch, numbers: Iterable[int]) -> None:
    server.database("domains", *(f"d{number:02}.example.com=mxbackup|Kind|host" for number in numbers))


def block(numbers: Iterable[int]) -> str:
    lines = "".join(f"d{number:02}.example.com\n" for number in numbers)
    return f"{BEGIN}\n{lines}{END}\n"


@pytest.fixture
def many(server: Scratch) -> Scratch:
    """A server with qmail-newmrh and 60 rules; its expansions note what is compiled when rcpthosts is expanded."""
    server.with_newmrh()
    accepted = f'cat "$1" > "{server.root}/before"; cp "${{1%/*}}/morercpthosts.cdb" "{server.root}/before.cdb"'
    waiting = 'read -r _; [ -e "$MXBACKUP_RENDERED/${1##*/}" ] || exit 0'
    server.script(EXPAND_TEMPLATE, f'{waiting}; case "$1" in */rcpthosts) {accepted} 2> /dev/null;; esac\n{EXPANSION}')
    with_rules(server, range(60))
    return server


def controls(server: Scratch) -> dict[str, str]:
    found = {name: server.read(f"{CONTROL}/{name}") for name in ("rcpthosts", "morercpthosts")}
    return found | {"morercpthosts.cdb": server.compiled()}


def entries(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


def holding(rcpthosts: str, more: str) -> dict[str, str]:
    return {"rcpthosts": rcpthosts, "morercpthosts": more, "morercpthosts.cdb": entries(more)}


def before(server: Scratch) -> str:
    """What was accepted when rcpthosts was expanded."""
    known = server.path("/before")
    return entries(known.read_text() if known.exists() else "") + server.compiled("/before.cdb")


def test_beyond_fifty_the_rules_go_to_morercpthosts_first(many: Scratch) -> None:
    many.write(f"{CONTROL}/morercpthosts", "much.example.net\n")
    applying.expand(many.context)
    assert controls(many) == holding(block(range(50)), "much.example.net\n" + block(range(50, 60)))
    assert before(many) == "much.example.net\n" + entries(block(range(50, 60)))
    assert applying.fragment(many.context, "rcpthosts") == block(range(50))
    assert states(many)["rcpthosts"] == states(many)["morercpthosts"] == (True, True)
    assert inspecting.status(many.context).sound


def test_a_rule_that_changes_files_is_accepted_all_the_time(many: Scratch) -> None:
    applying.expand(many.context)
    with_rules(many, range(5, 60))
    assert states(many)["rcpthosts"] == states(many)["morercpthosts"] == (True, False)
    applying.expand(many.context)
    assert before(many) == entries(block(range(50)) + block(range(50, 60)))
    assert controls(many) == holding(block(range(5, 55)), block(range(55, 60)))
    with_rules(many, range(60))
    applying.expand(many.context)
    assert before(many) == entries(block(range(5, 55)) + block(range(50, 60)))
    assert controls(many) == holding(block(range(50)), block(range(50, 60)))


def test_a_template_expanded_before_its_time_leaves_no_rule_out(many: Scratch) -> None:
    assert applying.fragment(many.context, "rcpthosts") == block(range(60))
    applying.expand(many.context)
    with_rules(many, [*range(50), 52, 70])
    assert applying.fragment(many.context, "rcpthosts") == block([*range(50), 70])
    compiled = many.path(f"{CONTROL}/morercpthosts.cdb")
    compiled.unlink()
    assert applying.fragment(many.context, "rcpthosts") == block([*range(50), 52, 70])


@pytest.mark.parametrize("removal", ["rules", "switch", "shrink"])
def test_without_many_rules_the_compiled_file_is_empty(many: Scratch, removal: str) -> None:
    applying.expand(many.context)
    left = {"rules": range(0), "switch": range(0), "shrink": range(10, 60)}[removal]
    if removal == "switch":
        changing.enable(many.context, False)
    else:
        with_rules(many, left)
    assert not inspecting.status(many.context).sound
    applying.confirm(many.context)
    applying.expand(many.context)
    assert controls(many) == holding(block(left), "")
    assert inspecting.status(many.context).sound


def test_when_morercpthosts_is_not_compiled_rcpthosts_stays_as_it_was(many: Scratch) -> None:
    many.write(f"{CONTROL}/rcpthosts", block(range(60)))
    many.script("/var/qmail/bin/qmail-newmrh", FAIL)
    with pytest.raises(HostError) as refused:
        applying.expand(many.context)
    assert str(refused.value) == (
        f"/var/qmail/bin/qmail-newmrh failed, and the names in {CONTROL}/morercpthosts count as before: "
        "unable to write to morercpthosts.tmp"
    )
    assert many.read(f"{CONTROL}/rcpthosts") == block(range(60))
    assert many.read(f"{CONTROL}/morercpthosts") == ""
    assert not many.path("/before").exists()
    assert states(many)["morercpthosts"] == (True, False)


def test_a_damaged_morercpthosts_is_told_and_nothing_is_expanded(many: Scratch) -> None:
    many.write(f"{CONTROL}/morercpthosts", f"{BEGIN}\nd55.example.com\n")
    with pytest.raises(HostError, match="morercpthosts was not changed: The lines"):
        applying.expand(many.context)
    found = {state.target.name: state for state in inspecting.status(many.context).targets}["morercpthosts"]
    assert (found.current, "was not changed: The lines" in str(found.reason)) == (False, True)
    assert not many.path(f"{CONTROL}/rcpthosts").exists()


@pytest.mark.parametrize("reason", ["few rules", "no qmail-newmrh", "qpsmtpd"])
def test_elsewhere_all_rules_are_in_rcpthosts(many: Scratch, reason: str) -> None:
    numbers = range(50) if reason == "few rules" else range(60)
    with_rules(many, numbers)
    if reason == "no qmail-newmrh":
        many.path("/var/qmail/bin/qmail-newmrh").unlink()
    if reason == "qpsmtpd":
        many.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    applying.expand(many.context)
    assert many.read(f"{CONTROL}/rcpthosts") == block(numbers)
    assert not many.path(f"{CONTROL}/morercpthosts").exists()
    assert "morercpthosts" not in states(many)


def test_where_qpsmtpd_took_over_no_rule_is_left_in_morercpthosts(many: Scratch) -> None:
    many.write(f"{CONTROL}/morercpthosts", "much.example.net\n")
    applying.expand(many.context)
    many.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    assert states(many)["morercpthosts"] == (True, False)
    applying.expand(many.context)
    assert controls(many) == holding(block(range(60)), "much.example.net\n")
    assert before(many) == entries(block(range(50)) + "much.example.net\n" + block(range(50, 60)))
    assert "morercpthosts" not in states(many)
    many.path(f"{CONTROL}/morercpthosts.cdb").unlink()
    applying.expand(many.context)
    assert not many.path(f"{CONTROL}/morercpthosts.cdb").exists()


def test_rules_that_leave_morercpthosts_in_two_steps_do_so_after_a_crash_between_them(many: Scratch) -> None:
    applying.expand(many.context)
    many.path("/var/service/qpsmtpd/config").mkdir(parents=True)
    many.script("/var/qmail/bin/qmail-newmrh", "kill -9 $PPID")
    child = os.fork()
    if not child:
        applying.expand(many.context)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert many.read(f"{CONTROL}/morercpthosts") == block([])
    assert states(many)["morercpthosts"] == (True, False)
    many.with_newmrh()
    applying.expand(many.context)
    assert controls(many) == holding(block(range(60)), "")
    assert "morercpthosts" not in states(many)
