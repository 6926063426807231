# SPDX-License-Identifier: GPL-2.0-or-later
"""The fragments, whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import RenderError
from mxbackup.esmith.settings import Settings
from mxbackup.routing import qmail_remote
from mxbackup.routing.entries import meant_way
from mxbackup.rules import Kind, Rule, RuleSet, SmartHostUse
from mxbackup.rules.names import Name
from mxbackup.targets.registry import EXPANDED as TARGETS
from tests.fragments import fragment
from tests.scratch import Scratch, run_python

USE = SmartHostUse.USE
RULES = RuleSet(
    [
        Rule(Name("dupontnet.com")),
        Rule(Name("www.dupontnet.com"), Kind.HOST),
        Rule(Name("relayed.example"), Kind.DOMAIN, "", USE),
        Rule(Name("a.relayed.example"), Kind.HOST, "", USE),
        Rule(Name("routed.example"), Kind.DOMAIN, "mail.routed.example:26", USE),
        Rule(Name("a.routed.example"), Kind.HOST, "[192.0.2.1]:26"),
        Rule(Name("martin.org")),
    ]
)
PLAIN = Settings()
SMART = Settings(smarthost="smtp.provider.net:587")

SMTPD_CHECK_RULES = """\
# BEGIN mxbackup: rules of the domains database
allow:ALL:ALL:*.dupontnet.com *@dupontnet.com
allow:ALL:ALL:*@www.dupontnet.com
allow:ALL:ALL:*.relayed.example *@relayed.example
allow:ALL:ALL:*@a.relayed.example
allow:ALL:ALL:*.routed.example *@routed.example
allow:ALL:ALL:*@a.routed.example
allow:ALL:ALL:*.martin.org *@martin.org
# END mxbackup
"""

RCPTHOSTS = """\
# BEGIN mxbackup: rules of the domains database
dupontnet.com
.dupontnet.com
www.dupontnet.com
relayed.example
.relayed.example
a.relayed.example
routed.example
.routed.example
a.routed.example
martin.org
.martin.org
# END mxbackup
"""

GOODRCPTTO = """\
# BEGIN mxbackup: rules of the domains database
@dupontnet.com
@www.dupontnet.com
@relayed.example
@a.relayed.example
@routed.example
@a.routed.example
@martin.org
# END mxbackup
"""

SMTPROUTES = """\
# BEGIN mxbackup: rules of the domains database
routed.example:mail.routed.example:26
.routed.example:mail.routed.example:26
a.routed.example:[192.0.2.1]:26
# END mxbackup
"""

SMTPROUTES_AROUND_THE_SMART_HOST = """\
# BEGIN mxbackup: rules of the domains database
dupontnet.com:
.dupontnet.com:
www.dupontnet.com:
routed.example:mail.routed.example:26
.routed.example:mail.routed.example:26
a.routed.example:[192.0.2.1]:26
martin.org:
.martin.org:
# END mxbackup
"""


@pytest.mark.parametrize(
    ("target", "settings", "expected"),
    [
        ("smtpd_check_rules", PLAIN, SMTPD_CHECK_RULES),
        ("smtpd_check_rules", SMART, SMTPD_CHECK_RULES),
        ("rcpthosts", PLAIN, RCPTHOSTS),
        ("rcpthosts", SMART, RCPTHOSTS),
        ("goodrcptto", PLAIN, GOODRCPTTO),
        ("goodrcptto", SMART, GOODRCPTTO),
        ("smtproutes", PLAIN, SMTPROUTES),
        ("smtproutes", SMART, SMTPROUTES_AROUND_THE_SMART_HOST),
    ],
)
def test_fragment(target: str, settings: Settings, expected: str) -> None:
    assert fragment(target, RULES, settings) == expected


@pytest.mark.parametrize("target", TARGETS)
def test_without_rules_and_when_disabled_a_fragment_has_no_rule(target: str) -> None:
    empty = f"# BEGIN mxbackup: rules of the domains database\n{TARGETS[target].end}\n"
    assert fragment(target, RuleSet(), SMART) == empty
    assert fragment(target, RULES, Settings(enabled=False, smarthost="smtp.provider.net")) == empty


def test_the_targets_and_their_files() -> None:
    assert {target.name: str(target.path) for target in TARGETS.values()} == {
        "smtpd_check_rules": "/var/spool/smtpd/etc/smtpd_check_rules",
        "rcpthosts": "/var/qmail/control/rcpthosts",
        "smtproutes": "/var/qmail/control/smtproutes",
        "goodrcptto": "/var/service/qpsmtpd/config/goodrcptto",
        "qpsmtpd": "/var/service/qpsmtpd/config/mxbackup",
    }


def test_an_unknown_target_is_an_error() -> None:
    with pytest.raises(RenderError) as refused:
        fragment("morercpthosts", RuleSet(), PLAIN)
    assert str(refused.value) == (
        'There is no target "morercpthosts". Targets: smtpd_check_rules, rcpthosts, smtproutes, goodrcptto, qpsmtpd.'
    )


def routes(settings: Settings, *held: Rule) -> list[str]:
    """The lines of smtproutes, without our comments."""
    return fragment("smtproutes", RuleSet(held), settings).splitlines()[1:-1]


def test_a_rule_below_one_with_a_route_goes_its_own_way() -> None:
    routed = Rule(Name("a.com"), Kind.DOMAIN, "mail.a.com")
    below = Rule(Name("b.a.com"))
    lowest = Rule(Name("d.c.b.a.com"), Kind.HOST)
    assert routes(PLAIN, routed, below, lowest) == ["a.com:mail.a.com", ".a.com:mail.a.com", "b.a.com:", ".b.a.com:"]
    assert routes(PLAIN, Rule(Name("a.com"), Kind.HOST, "mail.a.com"), below) == ["a.com:mail.a.com"]
    assert routes(PLAIN, Rule(Name("a.com")), below) == []


def test_a_rule_that_uses_the_smart_host_does_so_below_one_that_does_not() -> None:
    around, routed = Rule(Name("a.com")), Rule(Name("b.com"), route="mail.b.com")
    assert routes(SMART, around, Rule(Name("x.a.com"), Kind.HOST, "", USE)) == [
        "a.com:",
        ".a.com:",
        "x.a.com:smtp.provider.net:587",
    ]
    assert routes(SMART, routed, Rule(Name("x.b.com"), Kind.DOMAIN, "", USE), Rule(Name("y.x.b.com")))[2:] == [
        "x.b.com:smtp.provider.net:587",
        ".x.b.com:smtp.provider.net:587",
        "y.x.b.com:",
        ".y.x.b.com:",
    ]
    assert routes(PLAIN, around, Rule(Name("x.a.com"), Kind.HOST, "", USE)) == []


RULE_SETS = st.lists(
    st.builds(
        Rule,
        name=st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(
            lambda labels: Name(".".join([*labels, "com"]))
        ),
        kind=st.sampled_from(Kind),
        route=st.sampled_from(["", "mail.a.com:26", "192.0.2.1"]),
        smarthost=st.sampled_from(SmartHostUse),
    ),
    unique_by=lambda rule: rule.name,
).map(RuleSet)


@given(RULE_SETS, st.sampled_from([PLAIN, SMART]))
def test_qmail_sends_each_rule_where_it_says_whatever_stands_above_it(held: RuleSet, settings: Settings) -> None:
    entries = fragment("smtproutes", held, settings) + (f":{settings.smarthost}\n" if settings.smarthost else "")
    parsed = qmail_remote.parse_routes(entries.encode())
    wanted = {"route": None, "bypass": "", "mx": "", "smarthost": settings.smarthost}
    for rule in held:
        relay = wanted[meant_way(rule, settings)]
        found = qmail_remote.route(rule.name, parsed)
        below = qmail_remote.route(f"x.{rule.name}", parsed)
        assert (parsed[found.key] if found else "") == (rule.route if relay is None else relay)
        if rule.kind == Kind.DOMAIN and not any(other.name == f"x.{rule.name}" for other in held):
            assert (parsed[below.key] if below else "") == (rule.route if relay is None else relay)


LOADED = """
import atexit, sys
atexit.register(lambda: print(sorted({name.partition(".")[0] for name in sys.modules} & {"click", "dns"})))
sys.argv = ["mxbackup", *sys.argv[1:]]
from mxbackup.__main__ import main
main()
"""


@pytest.mark.parametrize("arguments", [["render", "rcpthosts"], ["action", "expand"]])
def test_templates_and_events_load_no_slow_library(server: Scratch, arguments: list[str]) -> None:
    server.database("domains", "xn--t-9fab.fr=mxbackup|Kind|domain")
    server.script("/sbin/e-smith/expand-template", "exit 0")
    done = run_python("-c", LOADED, *arguments, environment={"MXBACKUP_ROOT": str(server.root)})
    assert (done.returncode, done.stderr, done.stdout.splitlines()[-1]) == (0, "", "[]")


def test_the_command_line_loads_click(server: Scratch) -> None:
    """What the test above looks for can be found."""
    done = run_python("-c", LOADED, "list", environment={"MXBACKUP_ROOT": str(server.root)})
    assert done.stdout.splitlines()[-1] == "['click']"
