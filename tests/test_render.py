# SPDX-License-Identifier: GPL-2.0-or-later
"""The fragments, whole."""

import pytest

from mxbackup import render
from mxbackup.errors import RenderError
from mxbackup.names import Name
from mxbackup.render import TARGETS
from mxbackup.rules import Kind, Rule, SmartHostUse
from mxbackup.settings import Settings
from tests.scratch import Scratch, run_python

USE = SmartHostUse.USE
RULES = [
    Rule(Name("dupontnet.com")),
    Rule(Name("www.dupontnet.com"), Kind.HOST),
    Rule(Name("relayed.example"), Kind.DOMAIN, "", USE),
    Rule(Name("a.relayed.example"), Kind.HOST, "", USE),
    Rule(Name("routed.example"), Kind.DOMAIN, "mail.routed.example:26", USE),
    Rule(Name("a.routed.example"), Kind.HOST, "[192.0.2.1]:26"),
    Rule(Name("martin.org")),
]
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
    assert render.fragment(target, RULES, settings) == expected


@pytest.mark.parametrize("target", TARGETS)
def test_without_rules_and_when_disabled_a_fragment_has_no_rule(target: str) -> None:
    empty = f"# BEGIN mxbackup: rules of the domains database\n{TARGETS[target].end}\n"
    assert render.fragment(target, [], SMART) == empty
    assert render.fragment(target, RULES, Settings(enabled=False, smarthost="smtp.provider.net")) == empty


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
        render.fragment("morercpthosts", [], PLAIN)
    assert str(refused.value) == (
        'There is no target "morercpthosts". Targets: smtpd_check_rules, rcpthosts, smtproutes, goodrcptto, qpsmtpd.'
    )


@pytest.mark.parametrize(
    ("route", "smarthost", "settings", "expected"),
    [
        ("mail.a.com", USE, SMART, "route"),
        ("mail.a.com", USE, PLAIN, "route"),
        ("", USE, SMART, "smarthost"),
        ("", SmartHostUse.BYPASS, SMART, "bypass"),
        ("", USE, PLAIN, "mx"),
        ("", SmartHostUse.BYPASS, PLAIN, "mx"),
    ],
)
def test_where_mail_goes(route: str, smarthost: SmartHostUse, settings: Settings, expected: str) -> None:
    assert render.destination(Rule(Name("a.com"), Kind.DOMAIN, route, smarthost), settings) == expected


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
