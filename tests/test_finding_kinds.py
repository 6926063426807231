# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of finding that is declared can occur, is said in every language, and stands in the manual."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import mxbackup
from mxbackup import rules
from mxbackup.audit import findings as audit_findings
from mxbackup.catalog import state
from mxbackup.check.collecting import Checker
from mxbackup.check.findings import judge
from mxbackup.errors import Finding, InvalidRule, Message
from mxbackup.esmith.inventory import Fault, Invalid, Inventory
from mxbackup.hosts import maincf
from mxbackup.hosts.esmith_postfix import EsmithPostfix
from mxbackup.lookup.clock import Clock
from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import Server
from mxbackup.rules import RuleSet
from mxbackup.targets import lint, morercpthosts, qpsmtpdplugin, readers, smtproutes
from mxbackup.targets.block import BEGIN, END
from mxbackup.targets.lint import neighbours, publicaddress
from mxbackup.targets.removals import Removals
from tests import test_audit
from tests.postfixhost import plain_postfix
from tests.scratch import Scratch
from tests.test_findings import ROWS, US
from tests.test_lint import (
    CHECK_RULES,
    CUSTOM,
    FRIEND,
    QUICK_AND_DIRTY,
    RCPTHOSTS,
    SERVER,
    SME5_FRAGMENT,
    SMTPROUTES,
    TEMPLATES,
    VIRTUAL,
)
from tests.test_qpsmtpdplugin import ANY, CONFIG, LIST
from tests.test_readers import PASSWD
from tools import findings, words

KINDS = findings.kinds()
CONTROL = "/var/qmail/control"


@pytest.mark.parametrize("language", words.catalogues())
def test_a_kind_is_said_in_every_language(language: str) -> None:
    catalogue = words.read(words.catalogues()[language])
    left = {str(message.id) for message in words.untranslated(catalogue)}
    for kind in KINDS:
        for sentence in filter(None, (kind.sentence, kind.remedy)):
            assert sentence in catalogue, kind.id
            assert sentence not in left, kind.id


@pytest.mark.parametrize("language", findings.FILES)
def test_the_manual_lists_what_the_code_declares(language: str) -> None:
    assert findings.FILES[language].read_text() == findings.text(language), "run make words, or its second line"


def test_a_finding_is_made_of_a_kind_and_of_nothing_else() -> None:
    package = Path(mxbackup.__file__).parent
    makers = [
        path.name
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
    ]
    assert makers == ["errors.py"]


def test_every_kind_can_occur(server: Scratch) -> None:
    found = [
        *of_names(),
        *of_audits(),
        *of_records(),
        *of_texts(),
        *of_rules_and_settings(),
        *of_a_server(server),
        *of_postfix(server),
        *of_catalogs(),
        *of_plugin_lists(server),
    ]
    declared = {(kind.id, severity) for kind in KINDS for severity in (kind.severity, kind.milder) if severity}
    assert {(one.id, one.severity) for one in found} == declared
    assert {one.kind for one in found} == set(KINDS)


def of_names() -> Iterator[Finding]:
    """All that the rows of the checks' own test lead to, and what is left when a check ends before its time."""
    for facts, _ in ROWS:
        yield from judge(facts)
    yield from Checker(Dns([Server("192.0.2.53", 53)]), US, None).check("dupontnet.com", clock=Clock(0)).findings
    yield from Checker(None, US, None, log=lambda lines: None).check("dupontnet.com").findings  # type: ignore[arg-type]


def of_audits() -> Iterator[Finding]:
    """All that the rows of the audit's own test lead to."""
    for facts, _ in test_audit.ROWS:
        yield from audit_findings.judge(facts)


def of_records() -> Iterator[Finding]:
    """What is wrong in the database."""
    reason = InvalidRule("Contact", "{text}", text="x")
    yield Invalid("a b", reason).finding
    yield Fault(FRIEND, reason).finding


def of_texts() -> Iterator[Finding]:
    """Mistakes in lines."""
    files: dict[Path, str | None] = {
        RCPTHOSTS: " a.com\na.com\r\na.com # x\n*.a.com\n",
        SMTPROUTES: f"{BEGIN}\na.com:\n{END}\nb.com\na.com:x.com\n",
        Path(CONTROL, "virtualdomains"): VIRTUAL,
        Path(CONTROL, "percenthack"): "friend.test\n",
        neighbours.FETCHMAIL: "fetchmail --fetchdomains friend.test --proto etrn",
        neighbours.ACCOUNTS: "jo@friend.test=pseudonym|Account|jo",
        CHECK_RULES: f"noto:ALL:ALL:ALL\n{BEGIN}\n{END}\n{'x' * 1001}\n",
    }
    yield from lint.findings(files, RuleSet([FRIEND]), SERVER)
    yield from lint.findings({RCPTHOSTS: None, CHECK_RULES: ""}, RuleSet(), SERVER)


def of_rules_and_settings() -> Iterator[Finding]:
    """What has no effect."""
    routed = [rules.make("friend.test", route="192.0.2.1")]
    yield from publicaddress.lint(replace(SERVER, public_addresses=frozenset({"foo"})))
    yield from smtproutes.TARGET.without_effect(routed, replace(SERVER, routes=False))


def of_a_server(server: Scratch) -> Iterator[Finding]:
    """Files that are in the way, that somebody may not read, and that hold what the database does not."""
    for directory in (TEMPLATES, CUSTOM):
        server.write(f"{directory}{CONTROL}/rcpthosts/20mxbackup")
    server.write(QUICK_AND_DIRTY, "a.com\n")
    server.write(SME5_FRAGMENT)
    server.write("/etc/MXBackupDomains", "friend.test\n")
    yield from lint.findings(lint.read(server.host), RuleSet([FRIEND]), SERVER)
    server.write(f"{CONTROL}/rcpthosts", f"{BEGIN}\na.com\nb.com\n{END}\n").chmod(0o600)
    yield from Removals(server.host).findings(Inventory(RuleSet(), [], SERVER))
    server.write("/etc/passwd", PASSWD)
    yield from readers.findings(server.host)
    server.with_newmrh()
    server.write(f"{CONTROL}/morercpthosts", "c.com\n")
    server.host.run_newmrh()
    server.path(f"{CONTROL}/morercpthosts").unlink()
    yield from morercpthosts.lone_names(server.host)


def of_postfix(server: Scratch) -> Iterator[Finding]:
    """A main.cf that names none of our tables, and accepts and refuses on its own."""
    settings = "mynetworks = 0.0.0.0/0\nsmtpd_relay_restrictions = permit_mx_backup\nrelay_recipient_maps = hash:/x\n"
    learning = [rules.make(f"{word}.test", recipients="learn", unknown=word) for word in ("accept", "defer")]
    strict = "smtpd_recipient_restrictions = reject_unverified_recipient, permit\n"
    yield from maincf.findings(plain_postfix(server.root / "postfix", strict).host, RuleSet(learning))
    refusing = "smtpd_relay_restrictions = reject\n"
    yield from maincf.findings(plain_postfix(server.root / "postfix", refusing).host, RuleSet(learning))
    for more in ("address_verify_map =\n", "unverified_recipient_defer_code = 250\n"):
        postfix = plain_postfix(server.root / "postfix", settings + more)
        yield from maincf.findings(postfix.host, RuleSet(learning))
        yield from EsmithPostfix(postfix.host).findings(RuleSet(learning))
        postfix.write("/etc/e-smith/templates/etc/postfix/main.cf/10base")


def of_catalogs() -> Iterator[Finding]:
    """A catalog that cannot be had, for a while and for longer, that waits, is too long, and has strange members."""
    trouble = Message("{text}", text="x")
    for since in (0, 99_000):
        yield from state.findings("a.test", state.State(since=since, trouble=trouble), Path("x"), 100_000)
    yield from state.unpublished("a.test", state.State(trouble=trouble), Path("x"), 100_000)
    found = state.State(removed=1, refused=trouble, left_out=1)
    yield from state.findings("a.test", found, Path("x"), 100_000)


def of_plugin_lists(server: Scratch) -> Iterator[Finding]:
    """A plugin that is not asked, or too late, or not loaded."""
    server.write(f"{CONFIG}/peers/0", "rcpt_ok\nmxbackup\n")
    server.write(f"{CONFIG}/peers/local", "rcpt_ok\n")
    yield from qpsmtpdplugin.findings(server.host, LIST, lambda: True)
    yield from qpsmtpdplugin.findings(server.host, ANY, lambda: True)
    server.path(f"{CONFIG}/peers/0").unlink()
    server.path(f"{CONFIG}/peers/0").symlink_to("/proc/self/mem")  # a file that nobody can read from its start
    yield from qpsmtpdplugin.findings(server.host, LIST, lambda: False)
