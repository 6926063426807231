# SPDX-License-Identifier: GPL-2.0-or-later
"""`mxbackup apply` on a host with Postfix and without e-smith: whole tables, and what is said of main.cf."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mxbackup import rules
from mxbackup.errors import HostError
from mxbackup.esmith import postfix
from mxbackup.hosts import maincf
from mxbackup.rules import RuleSet
from mxbackup.service import applying
from mxbackup.targets.block import BEGIN, END
from tests.conftest import Outcome
from tests.postfixhost import DIRECTORY, MAIN, MAIN_CF, held, plain_postfix, tables
from tests.scratch import Scratch, letter_to_owner

Run = Callable[..., Outcome]
PATTERNS = {
    "exact": ("/([^@]+)$/ ${1}",),
    "base": ("/^([^@+-]+)[+-][^@]*(@.*)$/ ${1}${2}",),
    "unlisted": (
        "/^[^@]+[+-]/ 450 4.1.1 Not in the list of recipients, ask the primary mail server",
        "/./ 550 5.1.1 Not in the list of recipients",
    ),
}
FILES = (
    "exact", "transport", "transport_hosts", "base", "unlisted", "recipients", "recipient_hosts", "recipient_domains",
    "relay_domains", "relay_hosts",
)  # fmt: skip
RELAY_DOMAINS = (
    f"relay_domains = pipemap:{{regexp:{DIRECTORY}/exact,hash:{DIRECTORY}/relay_hosts}} hash:{DIRECTORY}/relay_domains"
)
TRANSPORT_MAPS = (
    f"transport_maps = pipemap:{{regexp:{DIRECTORY}/exact,hash:{DIRECTORY}/transport_hosts}} hash:{DIRECTORY}/transport"
)
MISSING = "The rules are not in force: main.cf has to say this. To have it done: mxbackup apply --configure\n"


@pytest.fixture
def server(tmp_path: Path) -> Scratch:
    return plain_postfix(tmp_path / "host")


def block(*lines: str) -> str:
    return "".join(f"{line}\n" for line in (BEGIN, *lines, END))


def look_up(server: Scratch, parameter: str, key: str) -> str:
    """What Postfix finds for a key in the tables that a parameter names, first one first."""
    values = postfix.parameters(server.host, parameter)[parameter].replace(DIRECTORY, str(server.path(DIRECTORY)))
    for table in values.split():
        done = subprocess.run(["/usr/sbin/postmap", "-q", key, table], capture_output=True, text=True, check=False)
        if done.stdout:
            return done.stdout.strip()
    return ""


def test_two_commands_put_a_rule_into_force(server: Scratch, mxbackup: Run) -> None:
    assert mxbackup("add", "dupontnet.com") == (
        0,
        f"Added dupontnet.com (Domain). To put it into force: mxbackup apply\n{letter_to_owner('dupontnet.com')}",
        "",
    )
    said = "".join(f"created {DIRECTORY}/{name}\n" for name in FILES)
    assert mxbackup("apply", "--configure") == (
        0,
        f"{said}changed relay_domains in main.cf\nchanged transport_maps in main.cf\n",
        "",
    )
    filled = {name: block(*lines) for name, lines in PATTERNS.items()}
    filled["relay_domains"] = block("dupontnet.com\tmxbackup", ".dupontnet.com\tmxbackup")
    assert tables(server) == dict.fromkeys(FILES, "") | filled
    written = server.read(MAIN)
    assert (written[: len(MAIN_CF)], sorted(written[len(MAIN_CF) :].splitlines())) == (
        MAIN_CF,
        [RELAY_DOMAINS, TRANSPORT_MAPS],
    )
    assert mxbackup("apply", "--configure") == (0, "Nothing to do: the files are up to date.\n", "")
    status, out, _ = mxbackup("status")
    assert (status, out.splitlines()[3:13]) == (0, [f"{name}: up to date" for name in FILES])


def test_before_the_first_rule_nothing_is_missing(server: Scratch, mxbackup: Run) -> None:
    status, out, errors = mxbackup("status")
    assert (status, out.splitlines()[1], errors) == (0, "Rules: 0 for domains, 0 for hosts, 0 invalid.", "")
    assert "error" not in out
    assert mxbackup("apply")[2] == (
        f"mxbackup: There is no database {server.path('/etc/mxbackup/domains')}. "
        "The first rule makes it: mxbackup add example.com\n"
    )


def test_without_being_asked_it_changes_no_setting(server: Scratch, mxbackup: Run) -> None:
    mxbackup("add", "dupontnet.com")
    status, _, errors = mxbackup("apply")
    assert (status, errors) == (1, f"{MISSING}{RELAY_DOMAINS}\n{TRANSPORT_MAPS}\n")
    assert server.read(MAIN) == MAIN_CF
    status, out, _ = mxbackup("status")
    assert status == 1
    assert (
        "error: /etc/postfix/main.cf: relay_domains does not name our tables, so the rules are not in force. "
        "To have it done: mxbackup apply --configure; to see it first, add --dry-run.\n"
    ) in out


def test_a_dry_run_shows_the_difference_and_changes_nothing(tmp_path: Path, mxbackup: Run) -> None:
    server = plain_postfix(tmp_path / "host", f"{MAIN_CF}transport_maps = hash:/etc/postfix/transport\n")
    mxbackup("add", "www.durand.org", "--kind", "host")
    status, out, errors = mxbackup("apply", "--configure", "--dry-run")
    assert (status, errors) == (0, "")
    assert f"+++ {DIRECTORY}/relay_hosts\n" in out
    assert out.endswith(
        f"-relay_domains =\n+{RELAY_DOMAINS}\n"
        f"-transport_maps = hash:/etc/postfix/transport\n+{TRANSPORT_MAPS} hash:/etc/postfix/transport\n"
    )
    assert not server.path(DIRECTORY).exists()
    assert server.read(MAIN).endswith("transport_maps = hash:/etc/postfix/transport\n")


def test_what_stands_in_main_cf_stays(tmp_path: Path, mxbackup: Run) -> None:
    others = "mine = other.example\nrelay_domains = $mine,\n    !x.other.example\n"
    server = plain_postfix(tmp_path / "host", MAIN_CF + others)
    mxbackup("add", "dupontnet.com")
    assert mxbackup("apply", "--configure")[0] == 0
    assert server.read(MAIN) == (
        f"{MAIN_CF}mine = other.example\n{RELAY_DOMAINS} $mine, !x.other.example\n{TRANSPORT_MAPS}\n"
    )


def test_routes_smart_host_and_nested_rules(tmp_path: Path, mxbackup: Run) -> None:
    server = plain_postfix(tmp_path / "host", f"{MAIN_CF}relayhost = [smtp.provider.net]:587\n")
    mxbackup("add", "dupontnet.com")
    mxbackup("add", "used.dupontnet.com", "--smarthost", "use")
    mxbackup("add", "routed.dupontnet.com", "--kind", "host", "--route", "192.0.2.7:26")
    mxbackup("add", "durand.org", "--route", "mail.durand.org")
    mxbackup("add", "www.durand.org", "--kind", "host")
    mxbackup("add", "martin.fr", "--smarthost", "use")
    mxbackup("apply", "--configure")
    made = tables(server)
    assert (made["transport"], made["transport_hosts"]) == (
        block(
            "dupontnet.com\trelay:",
            ".dupontnet.com\trelay:",
            "used.dupontnet.com\t:",
            ".used.dupontnet.com\t:",
            "durand.org\t:[mail.durand.org]:25",
            ".durand.org\t:[mail.durand.org]:25",
        ),
        block("routed.dupontnet.com\t:[192.0.2.7]:26", "www.durand.org\trelay:"),
    )
    assert (made["relay_domains"], made["relay_hosts"]) == (
        block(
            *(
                f"{dot}{name}\tmxbackup"
                for name in ("dupontnet.com", "used.dupontnet.com", "martin.fr", "durand.org")
                for dot in ("", ".")
            )
        ),
        block("routed.dupontnet.com\tmxbackup", "www.durand.org\tmxbackup"),
    )
    assert look_up(server, "transport_maps", "ROUTED.dupontnet.com") == ":[192.0.2.7]:26"
    assert [look_up(server, "relay_domains", name) for name in ("www.durand.org", "x.www.durand.org")] == [
        "mxbackup",
        "",
    ]
    assert "Smart host: [smtp.provider.net]:587." in mxbackup("status")[1]


def test_a_removed_rule_keeps_the_way_of_what_waits(server: Scratch, mxbackup: Run) -> None:
    mxbackup("add", "dupontnet.com", "--route", "[192.0.2.7]:26")
    mxbackup("apply", "--configure")
    held(server, "4X0001", "jean@www.DupontNet.com")
    assert "Messages that wait for dupontnet.com: 1." in mxbackup("remove", "dupontnet.com")[1]
    assert mxbackup("apply")[0] == 0
    ours = block("dupontnet.com\t:[192.0.2.7]:26", ".dupontnet.com\t:[192.0.2.7]:26")
    assert (tables(server)["relay_domains"], tables(server)["transport"]) == ("", ours)
    server.write("/queue", "")
    assert mxbackup("apply") == (0, f"changed {DIRECTORY}/transport\n", "")
    assert tables(server)["transport"] == ""


def test_disabling_keeps_the_way_of_what_waits(server: Scratch, mxbackup: Run) -> None:
    mxbackup("add", "dupontnet.com", "--kind", "host", "--route", "mail.dupontnet.com:26")
    mxbackup("apply", "--configure")
    held(server, "4X0001", "jean@dupontnet.com")
    mxbackup("disable")
    assert mxbackup("apply")[0] == 0
    assert (tables(server)["relay_hosts"], tables(server)["transport_hosts"]) == (
        "",
        block("dupontnet.com\t:[mail.dupontnet.com]:26"),
    )


ERASED = "No new mail is accepted for the rules, which stay recorded. Messages that wait and keep their way: {}."
STAY = f"main.cf goes on naming the tables in {DIRECTORY}, which have to stay there as long as it does."


def test_before_an_erase_acceptance_ends_and_the_way_of_what_waits_stays(server: Scratch, mxbackup: Run) -> None:
    assert mxbackup("apply", "--leave") == (0, "", "")
    mxbackup("add", "dupontnet.com", "--route", "192.0.2.7")
    mxbackup("add", "martin.fr", "--route", "192.0.2.8", "--recipients", "list")
    mxbackup("apply", "--configure")
    held(server, "4X0001", "jean@dupontnet.com")
    recorded, before, main_cf = server.read("/etc/mxbackup/domains"), tables(server), server.read(MAIN)
    mxbackup("apply", "--leave", "--dry-run")
    assert tables(server) == before
    names = "transport", "recipient_domains", "relay_domains"
    said = "".join(f"changed {DIRECTORY}/{name}\n" for name in names)
    assert mxbackup("apply", "--leave") == (0, f"{said}{ERASED.format(1)} {STAY}\n", "")
    left = {name: text for name, text in tables(server).items() if text and name not in PATTERNS}
    assert left == {"transport": block("dupontnet.com\t:[192.0.2.7]:25", ".dupontnet.com\t:[192.0.2.7]:25")}
    assert (server.read("/etc/mxbackup/domains"), server.read(MAIN)) == (recorded, main_cf)
    mxbackup("apply")
    assert tables(server) == before


def test_before_an_erase_it_is_told_that_the_queue_cannot_be_read(server: Scratch, mxbackup: Run) -> None:
    mxbackup("add", "dupontnet.com", "--route", "192.0.2.7")
    mxbackup("apply")
    server.script("/usr/sbin/postqueue", "echo no queue >&2; exit 69")
    assert mxbackup("apply", "--leave")[1].splitlines()[1:] == [ERASED.format("not known")]
    assert (tables(server)["relay_domains"], tables(server)["transport"] != "") == ("", True)


def test_a_queue_that_cannot_be_read_lets_go_of_nothing(server: Scratch, mxbackup: Run) -> None:
    mxbackup("add", "dupontnet.com", "--route", "192.0.2.7")
    mxbackup("apply", "--configure")
    server.script("/usr/sbin/postqueue", "echo no queue >&2; exit 69")
    assert "postqueue failed: no queue So it is not known" in mxbackup("remove", "dupontnet.com")[1]
    mxbackup("apply")
    assert tables(server)["transport"] == block("dupontnet.com\t:[192.0.2.7]:25", ".dupontnet.com\t:[192.0.2.7]:25")


def test_a_postmap_that_fails_leaves_the_old_table(server: Scratch, mxbackup: Run) -> None:
    mxbackup("add", "dupontnet.com")
    mxbackup("apply", "--configure")
    before = {path.name: path.read_bytes() for path in server.path(DIRECTORY).iterdir()}
    server.script("/usr/sbin/postmap", 'case $1 in -s) exec /usr/sbin/postmap "$@";; esac; echo disk full >&2; exit 1')
    mxbackup("add", "durand.org")
    with pytest.raises(HostError, match="postmap failed: disk full"):
        applying.apply(server.context)
    assert {path.name: path.read_bytes() for path in server.path(DIRECTORY).iterdir()} == before


def test_a_table_that_was_not_compiled_is_told_and_mended(server: Scratch, mxbackup: Run) -> None:
    mxbackup("add", "dupontnet.com")
    mxbackup("apply", "--configure")
    server.path(f"{DIRECTORY}/relay_domains.db").unlink()
    assert f"relay_domains: {DIRECTORY}/relay_domains is out of date. Run: mxbackup apply" in mxbackup("status")[1]
    assert mxbackup("apply") == (0, f"compiled {DIRECTORY}/relay_domains\n", "")
    assert look_up(server, "relay_domains", "dupontnet.com") == "mxbackup"


def test_the_type_that_main_cf_names_stays(tmp_path: Path, mxbackup: Run) -> None:
    named = f"{RELAY_DOMAINS}\n{TRANSPORT_MAPS}\n".replace("hash:", "btree:")
    server = plain_postfix(tmp_path / "host", MAIN_CF + named)
    mxbackup("add", "dupontnet.com")
    assert mxbackup("apply")[0] == 0
    assert look_up(server, "relay_domains", "dupontnet.com") == "mxbackup"


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("smtpd_recipient_restrictions = permit_mx_backup, reject_unauth_destination", "permit-mx-backup"),
        ("mynetworks = 127.0.0.0/8, 0.0.0.0/0", "open-relay"),
        ("mynetworks = 10.0.0.0/8 [::]/0", "open-relay"),
        ("relay_recipient_maps = hash:/etc/postfix/who", "relay-recipients"),
    ],
)
def test_what_main_cf_accepts_or_refuses_besides_is_told(
    setting: str, code: str, tmp_path: Path, mxbackup: Run
) -> None:
    kept = "".join(f"{line}\n" for line in MAIN_CF.splitlines() if line.split()[0] != setting.split()[0])
    plain_postfix(tmp_path / "host", f"{kept}{setting}\n")
    mxbackup("add", "dupontnet.com")
    mxbackup("apply", "--configure")
    status, out, _ = mxbackup("status", "--json")
    assert status == 1
    assert f'"code": "{code}"' in out


def test_a_name_that_postfix_delivers_itself_is_refused(server: Scratch, mxbackup: Run) -> None:
    status, _, errors = mxbackup("add", "durantcom.net")
    assert status == 2
    assert '"durantcom.net" is a local domain of this server' in errors


LISTED = """jean@dupontnet.com
jean-paul@dupontnet.com
anne@www.dupontnet.com
"""


def with_policies(server: Scratch, mxbackup: Run) -> None:
    """A domain with a list, nested rules of other policies, and one that learns."""
    mxbackup("add", "dupontnet.com", "--recipients", "list")
    (server.root / "list").write_text(LISTED)
    mxbackup("recipients", "import", "dupontnet.com", str(server.root / "list"))
    mxbackup("add", "any.dupontnet.com", "--kind", "host")
    mxbackup("add", "durand.org", "--recipients", "learn")
    mxbackup("add", "nolist.martin.fr", "--kind", "host", "--recipients", "list")


def test_tables_of_recipients(server: Scratch, mxbackup: Run) -> None:
    with_policies(server, mxbackup)
    assert mxbackup("apply", "--configure")[0] == 0
    made = tables(server)
    assert {name: made[name] for name in ("recipients", "recipient_hosts", "recipient_domains")} == {
        "recipients": block("anne@www.dupontnet.com\tOK", "jean-paul@dupontnet.com\tOK", "jean@dupontnet.com\tOK"),
        "recipient_hosts": block(
            "any.dupontnet.com\tOK",
            "nolist.martin.fr\t450 4.3.0 The list of recipients is missing here, try again later",
        ),
        "recipient_domains": block(
            "dupontnet.com\tmxbackup_unlisted",
            ".dupontnet.com\tmxbackup_unlisted",
            "durand.org\treject_unverified_recipient",
            ".durand.org\treject_unverified_recipient",
        ),
    }
    assert mxbackup("apply", "--configure") == (0, "Nothing to do: the files are up to date.\n", "")
    _, out, _ = mxbackup("status")
    assert "durand.org: Postfix asks the primary about recipients, and remembers its answers\n" in out


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "{ours}"),
        ("permit_mynetworks, reject_unauth_destination", "permit_mynetworks, reject_unauth_destination, {ours}"),
        (
            "check_client_access hash:/etc/postfix/c reject_rbl_client x.example permit",
            "check_client_access hash:/etc/postfix/c reject_rbl_client x.example, {ours}, permit",
        ),
    ],
)
def test_our_tables_are_asked_last(before: str, after: str, tmp_path: Path, mxbackup: Run) -> None:
    server = plain_postfix(tmp_path / "host", f"{MAIN_CF}smtpd_recipient_restrictions = {before}\n")
    with_policies(server, mxbackup)
    mxbackup("apply", "--configure")
    listed = f"hash:{DIRECTORY}/recipients"
    ours = ", ".join(
        f"check_recipient_access {table}"
        for table in (
            listed,
            f"pipemap:{{regexp:{DIRECTORY}/base,{listed}}}",
            f"pipemap:{{regexp:{DIRECTORY}/exact,hash:{DIRECTORY}/recipient_hosts}}",
            f"hash:{DIRECTORY}/recipient_domains",
        )
    )
    names = ("smtpd_recipient_restrictions", "smtpd_restriction_classes", "mxbackup_unlisted")
    assert postfix.parameters(server.host, *names, expanded=False) == {
        "smtpd_recipient_restrictions": after.format(ours=ours),
        "smtpd_restriction_classes": "mxbackup_unlisted",
        "mxbackup_unlisted": f"check_recipient_access regexp:{DIRECTORY}/unlisted",
    }
    mxbackup("apply", "--configure")
    assert postfix.parameters(server.host, names[0], expanded=False)[names[0]] == after.format(ours=ours)


def test_unknown_recipients_while_the_primary_is_down(server: Scratch, mxbackup: Run) -> None:
    mxbackup("add", "dupontnet.com", "--recipients", "learn")
    mxbackup("apply", "--configure")
    assert "unverified_recipient_defer_code = 250\n" in server.read(MAIN)
    assert mxbackup("status")[0] == 0
    assert mxbackup("learn")[1].startswith("Postfix asks the primaries itself")
    mxbackup("add", "durand.org", "--recipients", "learn", "--unknown", "defer")
    assert "Postfix accepts unknown recipients of all rules that learn" in mxbackup("status")[1]


def test_what_postfix_learns_is_to_outlast_a_restart(tmp_path: Path, mxbackup: Run) -> None:
    plain_postfix(tmp_path / "host", f"{MAIN_CF}address_verify_map =\n")
    mxbackup("add", "dupontnet.com")
    mxbackup("apply", "--configure")
    assert "address_verify_map" not in mxbackup("status")[1]
    mxbackup("set", "dupontnet.com", "--recipients", "learn")
    mxbackup("apply", "--configure")
    assert "address_verify_map is empty" in mxbackup("status")[1]


@pytest.mark.parametrize(
    ("parameter", "value", "found"),
    [
        ("smtpd_recipient_restrictions", "permit_mynetworks, reject", "refuses-all"),
        ("smtpd_relay_restrictions", "permit_mynetworks, reject", "refuses-all"),
        ("smtpd_relay_restrictions", "permit_mynetworks, permit_auth_destination, reject", ""),
        ("smtpd_recipient_restrictions", "warn_if_reject reject, permit", ""),
        ("smtpd_recipient_restrictions", "reject_unverified_recipient", "asks-primary"),
    ],
)
def test_what_refuses_before_a_rule_is_asked(
    tmp_path: Path, mxbackup: Run, parameter: str, value: str, found: str
) -> None:
    host = plain_postfix(tmp_path / "host", f"{MAIN_CF}{parameter} = {value}\n").host
    assert [finding.id for finding in maincf.findings(host, RuleSet())] == []
    rules_ = RuleSet([rules.make("dupontnet.com")])
    ids = {finding.id for finding in maincf.findings(host, rules_)} - {"postfix-not-configured"}
    assert ids == ({found} if found else set())


def test_recipients_that_are_permitted_before_ours_are_asked(tmp_path: Path) -> None:
    ours = f"check_recipient_access hash:{DIRECTORY}/recipients"
    values = f"smtpd_recipient_restrictions = permit_auth_destination, {ours}"
    host = plain_postfix(tmp_path / "host", f"{MAIN_CF}{values}\n").host
    listed = RuleSet([rules.make("dupontnet.com", recipients="list")])
    assert "recipients-permitted" in {finding.id for finding in maincf.findings(host, listed)}
    assert "recipients-permitted" not in {
        finding.id for finding in maincf.findings(host, RuleSet([rules.make("dupontnet.com")]))
    }
