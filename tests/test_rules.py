# SPDX-License-Identifier: GPL-2.0-or-later
"""What a rule is, how it is recorded, and which rules can stand beside what this server has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.errors import InvalidInput, InvalidName, InvalidRule
from mxbackup.rules import Kind, Recipients, Rule, SmartHostUse, Unknown
from mxbackup.rules.localmail import LocalMail
from mxbackup.rules.names import Name

LOCAL = LocalMail(
    frozenset({"durantcom.net", "sme.durantcom.net"}),
    {".virt.test": "alias", "exc.virt.test": ""},
    own_addresses=lambda: frozenset({"203.0.113.5"}),
)


def rule(name: str, kind: Kind = Kind.DOMAIN, route: str = "") -> Rule:
    return Rule(Name(name), kind, route)


# Making one


def test_the_defaults_are_a_whole_domain_delivered_by_mx_around_the_smart_host() -> None:
    assert rules.make("dupontnet.com") == Rule(
        Name("dupontnet.com"), Kind.DOMAIN, "", SmartHostUse.BYPASS, Recipients.ANY, Unknown.ACCEPT, ""
    )


def test_everything_typed_is_normalised() -> None:
    made = rules.make(
        " DupontNet.COM. ",
        kind="host",
        route=" Mail.DupontNet.com:026 ",
        smarthost="use",
        description="  Chez Dupont, été  ",
    )
    assert made == Rule(
        Name("dupontnet.com"), Kind.HOST, "mail.dupontnet.com:26", SmartHostUse.USE, description="Chez Dupont, été"
    )


DESCRIPTION = 'The description must be one line without "|", "\\" and control characters.'


@pytest.mark.parametrize(
    ("entries", "field", "reason"),
    [
        ({"name": ""}, "name", "The name is empty. Give a domain name such as example.com."),
        ({"kind": "zone"}, "Kind", 'The kind "zone" is unknown. Give "domain" or "host".'),
        ({"kind": ""}, "Kind", 'The kind "" is unknown. Give "domain" or "host".'),
        ({"kind": "Domain"}, "Kind", 'The kind "Domain" is unknown. Give "domain" or "host".'),
        ({"smarthost": "no"}, "Smarthost", 'The smart host setting "no" is unknown. Give "bypass" or "use".'),
        ({"description": "a|b"}, "Description", DESCRIPTION),
        ({"description": "a\\b"}, "Description", DESCRIPTION),
        ({"description": "a\nb"}, "Description", DESCRIPTION),
        ({"description": "a\x7fb"}, "Description", DESCRIPTION),
        ({"description": "a\x9bb"}, "Description", DESCRIPTION),
    ],
)
def test_what_is_no_rule_is_refused_naming_the_field(entries: dict[str, str], field: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.make(**{"name": "dupontnet.com"} | entries)
    assert (refused.value.field, str(refused.value)) == (field, reason)


@pytest.mark.parametrize(
    ("typed", "route"),
    [
        ("", ""),
        (" \t", ""),
        ("mail.dupontnet.com", "mail.dupontnet.com"),
        (" MAIL.DupontNet.com. ", "mail.dupontnet.com"),
        ("mail.dupontnet.com:26", "mail.dupontnet.com:26"),
        ("mail.dupontnet.com:00026", "mail.dupontnet.com:26"),
        ("mail.dupontnet.com.:65535", "mail.dupontnet.com:65535"),
        ("été.example.fr:1", "xn--t-9fab.example.fr:1"),
        ("github.io", "github.io"),
        ("192.0.2.1", "192.0.2.1"),
        ("[192.0.2.1]", "192.0.2.1"),
        ("192.0.2.1:26", "[192.0.2.1]:26"),
        ("[192.0.2.1]:26", "[192.0.2.1]:26"),
    ],
)
def test_routes_are_written_as_smtproutes_takes_them(typed: str, route: str) -> None:
    assert rules.parse_route(typed) == route
    assert rules.parse_route(route) == route


BAD_ROUTES = """
:26 mail mail:26 2001:db8::1 [2001:db8::1] [2001:db8::1]:26 [mail.dupontnet.com]:26 jean@dupontnet.com -a.com
192.0.2 192.0.2.256 [192.0.2.1 192.0.2.1] [192.0.2.1]26 [] #mail.dupontnet.com a.com|b
"""


@pytest.mark.parametrize("route", [*BAD_ROUTES.split(), "mail.dupontnet.com 26", "a b.com", "mail.dupontnet.com\r"])
def test_routes_that_qmail_would_not_take_are_refused(route: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        rules.parse_route(route)
    assert str(refused.value) == (
        f'The route "{route}" is not understood. Give a host name or an IPv4 address, with a port if need be: '
        "mail.example.com, mail.example.com:26, 192.0.2.1 or [192.0.2.1]:26."
    )
    assert refused.value.field == "Route"


@pytest.mark.parametrize(
    "route", ["a.com:", "a.com:0", "a.com:65536", "a.com:x", "a.com:-1", "a.com:26:27", "a.com:٢٦", "192.0.2.1:99999"]
)
def test_ports_that_are_none_are_refused(route: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        rules.parse_route(route)
    assert str(refused.value) == f'In the route "{route}" the port must be a number from 1 to 65535.'
    assert refused.value.field == "Route"


# Records


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"Kind": "domain"}, rule("dupontnet.com")),
        ({"Kind": "host", "Other": "x"}, rule("dupontnet.com", Kind.HOST)),
        ({"Kind": "domain", "Route": "", "Smarthost": "", "Description": ""}, rule("dupontnet.com")),
        (
            {"Kind": "domain", "Route": "192.0.2.1:26", "Smarthost": "use", "Description": "Chez Dupont"},
            Rule(Name("dupontnet.com"), Kind.DOMAIN, "[192.0.2.1]:26", SmartHostUse.USE, description="Chez Dupont"),
        ),
    ],
)
def test_a_record_is_read(properties: dict[str, str], expected: Rule) -> None:
    assert rules.from_record("dupontnet.com", properties) == (expected, [])


@pytest.mark.parametrize(
    ("key", "properties", "reason"),
    [
        ("dupontnet.com", {}, 'The kind "" is unknown. Give "domain" or "host".'),
        (
            "DupontNet.com",
            {"Kind": "domain"},
            'The key "DupontNet.com" must be written as "dupontnet.com".',
        ),
        (
            "été.example.fr",
            {"Kind": "domain"},
            'The key "été.example.fr" must be written as "xn--t-9fab.example.fr".',
        ),
        (
            "com",
            {"Kind": "domain"},
            '"com" has no dot: it would stand for a whole top-level domain. Give a name such as example.com.',
        ),
    ],
)
def test_a_record_that_holds_no_rule_is_refused(key: str, properties: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.from_record(key, properties)
    assert str(refused.value) == reason


def recorded(made: Rule) -> dict[str, str]:
    return {prop: text for prop, text in rules.to_properties(made).items() if text is not None}


def test_the_properties_of_a_plain_rule_are_few() -> None:
    assert recorded(rule("dupontnet.com")) == {"Kind": "domain"}


def test_the_properties_of_a_full_rule() -> None:
    full = Rule(Name("dupontnet.com"), Kind.HOST, "[192.0.2.1]:26", SmartHostUse.USE, description="Chez Dupont")
    assert recorded(full) == {
        "Kind": "host",
        "Route": "[192.0.2.1]:26",
        "Smarthost": "use",
        "Description": "Chez Dupont",
    }


def test_every_property_that_a_rule_may_have_is_removed_when_it_has_not() -> None:
    full = rules.make(
        "dupontnet.com", kind="host", route="192.0.2.1", smarthost="use", description="Chez Dupont",
        recipients="learn", unknown="defer", hold="14", contact="jean@martin.org",
    )  # fmt: skip
    assert rules.to_properties(rule("dupontnet.com", Kind.HOST)) == dict.fromkeys(recorded(full)) | {"Kind": "host"}


ROUTES = st.sampled_from(["", "mail.dupontnet.com", "192.0.2.1", "192.0.2.1:26", "Mail.Dupontnet.com:587"])


@given(
    name=st.from_regex(r"\A[a-zß-ö]{1,20}\.example\.com\Z"),
    kind=st.sampled_from(["domain", "host"]),
    route=ROUTES,
    smarthost=st.sampled_from(["bypass", "use"]),
    description=st.text(max_size=40),
)
def test_a_rule_that_was_made_is_read_back_from_its_record(
    name: str, kind: str, route: str, smarthost: str, description: str
) -> None:
    try:
        made = rules.make(name, kind=kind, route=route, smarthost=smarthost, description=description)
    except InvalidRule:
        return
    assert rules.from_record(made.name, recorded(made)) == (made, [])


@given(st.text(max_size=40))
def test_a_route_is_safe_to_write_and_stable_or_refused(text: str) -> None:
    try:
        route = rules.parse_route(text)
    except InvalidRule:
        return
    assert rules.parse_route(route) == route
    assert set(route) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.:[]")


# Rules beside others


@pytest.mark.parametrize(
    ("kind", "name", "covered"),
    [
        (Kind.DOMAIN, "dupontnet.com", True),
        (Kind.DOMAIN, "www.dupontnet.com", True),
        (Kind.DOMAIN, "a.b.dupontnet.com", True),
        (Kind.DOMAIN, "xdupontnet.com", False),
        (Kind.DOMAIN, "com", False),
        (Kind.HOST, "dupontnet.com", True),
        (Kind.HOST, "www.dupontnet.com", False),
    ],
)
def test_how_far_a_rule_reaches(kind: Kind, name: str, covered: bool) -> None:
    assert rule("dupontnet.com", kind).covers(name) is covered


def test_a_new_rule_may_lie_in_another_and_around_another() -> None:
    existing = [rule("dupontnet.com"), rule("www.martin.org", Kind.HOST)]
    rules.check_new(rule("www.dupontnet.com", Kind.HOST), existing, LOCAL)
    rules.check_new(rule("martin.org"), existing, LOCAL)


def test_a_second_rule_of_a_name_is_refused() -> None:
    with pytest.raises(InvalidRule) as refused:
        rules.check_new(rule("xn--t-9fab.fr", Kind.HOST), [rule("xn--t-9fab.fr")], LOCAL)
    assert str(refused.value) == 'There is a rule for "été.fr" already. Change that one.'
    assert refused.value.field == "name"


@pytest.mark.parametrize("name", ["durantcom.net", "sme.durantcom.net"])
def test_a_rule_for_this_server_is_refused(name: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        rules.check_new(rule(name), [], LOCAL)
    assert str(refused.value) == (
        f'"{name}" is a local domain of this server, which delivers its mail itself. '
        "Remove the domain first if another server is to be its primary."
    )
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    "route",
    ["durantcom.net", "sme.durantcom.net:26", "127.0.0.1", "127.1.2.3", "0.0.0.0", "[0.0.0.0]:25", "203.0.113.5",
     "[203.0.113.5]:25"],
)  # fmt: skip
def test_a_route_back_to_this_server_is_refused(route: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        rules.check_local(rule("dupontnet.com", route=rules.parse_route(route)), LOCAL)
    assert str(refused.value) == (
        f'The route "{route}" leads back to this server, and the mail would go in circles. '
        "Give the primary's own name or address."
    )
    assert refused.value.field == "Route"


@pytest.mark.parametrize("route", ["", "mail.durantcom.net", "192.0.2.1", "[192.0.2.1]:26", "mail.dupontnet.com:26"])
def test_other_routes_are_accepted(route: str) -> None:
    rules.check_local(rule("dupontnet.com", route=route), LOCAL)


@pytest.mark.parametrize(
    ("route", "own"),
    [("[127.0.0.1]:26", True), ("[203.0.113.5]:2525", True), ("[203.0.113.6]:26", False), ("a.com:26", False), ("", 0)],
)
def test_another_port_of_this_server_may_be_another_mail_server(route: str, own: bool) -> None:
    made = rule("dupontnet.com", route=route)
    rules.check_local(made, LOCAL)
    assert rules.to_own_port(made, LOCAL) == own


def test_a_rule_below_a_wildcard_of_virtualdomains_is_refused_and_an_exception_is_not() -> None:
    with pytest.raises(InvalidRule) as refused:
        rules.check_local(rule("a.virt.test"), LOCAL)
    assert str(refused.value) == (
        '"a.virt.test" is a local domain of this server: it delivers that mail itself because of the line '
        '".virt.test:alias" in virtualdomains. Take the line out, or add the exception "a.virt.test:".'
    )
    rules.check_local(rule("exc.virt.test"), LOCAL)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Chez\nDupont", "Chez Dupont"),
        ("a\\b", "a b"),
        ("a\x1b[31mb", "a [31mb"),
        ("a|b", "a b"),
        ("\u202eevil\u2028", "evil"),
        ("\\", ""),
    ],
)
def test_a_remark_at_fault_leaves_the_rule_in_force(text: str, shown: str) -> None:
    made, faults = rules.from_record("dupontnet.com", {"Kind": "host", "Description": text})
    assert made == rules.make("dupontnet.com", kind="host", description=shown)
    assert [(fault.field, str(fault)) for fault in faults] == [
        ("Description", 'The description must be one line without "|", "\\" and control characters.')
    ]
    with pytest.raises(InvalidRule):
        rules.make("dupontnet.com", description=text)


@given(text=st.text())
def test_no_remark_takes_a_rule_out(text: str) -> None:
    made, faults = rules.from_record("dupontnet.com", {"Kind": "domain", "Description": text})
    assert rules.make("dupontnet.com", description=made.description) == made
    assert faults or made.description == text.strip()


def test_a_change_leaves_a_remark_at_fault_as_it_stands_and_makes_none() -> None:
    recorded_ = {"Kind": "domain", "Description": "a\nb", "Nameservers": "internet"}
    made, properties = rules.revise("dupontnet.com", recorded_, {"Kind": "host"})
    expected = rules.to_properties(rule("dupontnet.com", Kind.HOST))
    assert (made.description, {**properties, "Description": None}) == ("a b", expected)
    assert "Description" not in properties
    with pytest.raises(InvalidRule):
        rules.revise("dupontnet.com", recorded_, {"Description": "c\nd"})
    assert rules.revise("dupontnet.com", recorded_, {"Description": None})[1]["Description"] is None


def test_no_change_makes_the_contact_one_of_the_rule() -> None:
    host = {"Kind": "host", "Contact": "jean@www.dupontnet.com"}
    assert rules.from_record("dupontnet.com", host)[1] == []
    with pytest.raises(InvalidRule, match="Give an address somewhere else"):
        rules.revise("dupontnet.com", host, {"Kind": "domain"})
    made, faults = rules.from_record("dupontnet.com", host | {"Kind": "domain"})
    assert (made, [fault.field for fault in faults]) == (rule("dupontnet.com"), ["Contact"])
    assert rules.revise("dupontnet.com", host | {"Kind": "domain"}, {"Route": "192.0.2.1"})[0].route == "192.0.2.1"


def test_a_name_is_shown_in_unicode() -> None:
    assert rules.shown(rule("xn--t-9fab.fr")) == "été.fr"


def test_a_key_that_is_a_name_in_other_words_is_an_invalid_name() -> None:
    with pytest.raises(InvalidName):
        rules.from_record("dupontnet.com.", {"Kind": "host"})


@pytest.mark.parametrize(
    ("below", "above", "nothing"),
    [
        ({}, {}, True),
        ({"kind": "host", "description": "Web"}, {}, True),
        ({"route": "mail.dupontnet.com"}, {"route": "mail.dupontnet.com"}, True),
        ({"route": "mail.dupontnet.com"}, {}, False),
        ({}, {"route": "mail.dupontnet.com"}, False),
        ({"smarthost": "use"}, {}, False),
        ({"recipients": "learn"}, {}, False),
        ({"recipients": "learn", "unknown": "defer"}, {"recipients": "learn"}, False),
        ({"recipients": "list"}, {"recipients": "list"}, False),
        ({"hold": "14"}, {}, False),
        ({}, {"contact": "jean@martin.org"}, False),
    ],
)
def test_a_rule_adds_nothing_where_its_mail_fares_the_same_without_it(
    below: dict[str, str], above: dict[str, str], nothing: bool
) -> None:
    assert rules.adds_nothing(rules.make("www.dupontnet.com", **below), rules.make("dupontnet.com", **above)) is nothing
