# SPDX-License-Identifier: GPL-2.0-or-later
"""Will it work? Each finding provoked for real on a small Internet, none on the mended one; probe; the nightly mail."""

import json
import re
from functools import partial
from itertools import groupby
from typing import TypedDict

import pytest

from tests.nameserver import configuration
from tests.recorded import DATA, RECORDED, Case
from tests.system.internet import MAILSERVER, Internet
from tests.system.machine import CHECKOUT, Sandbox, wait_until

POLICYSERVER = CHECKOUT / "tests/system/policyserver.py"
DELEGATION = "@ NS parent.example.net.\n"
NS = "@ NS dns1.example.net.\n@ NS dns2.example.net.\n"
GOOD = "MX 0 mail.dupontnet.com.\n{name} MX 5 mail.durantcom.net."

# name below dupontnet.com: its wrong records, and the codes of what is to be found
NAMES: dict[str, tuple[str, set[str]]] = {
    "best": ("best MX 0 mail.durantcom.net.\nbest MX 5 mail", {"best-mx"}),
    "equal": ("equal MX 5 mail.durantcom.net.\nequal MX 5 mail", {"equal-mx"}),
    "only": ("only MX 5 mail.durantcom.net.", {"only-mx"}),
    "absent": ("absent MX 0 mail", {"not-mx"}),
    "nowhere": (
        "nowhere MX 0 a.nowhere\nnowhere MX 1 b.nowhere\nnowhere MX 5 mail.durantcom.net.",
        {"mx-missing", "no-address"},
    ),
    "missing": ("missing MX 0 a.nowhere\nmissing MX 1 mail\nmissing MX 5 mail.durantcom.net.", {"mx-missing"}),
    "six": ("six MX 0 six\nsix AAAA 2001:db8::25\nsix MX 5 mail.durantcom.net.", {"ipv6-only"}),
    "alias": ("www CNAME mail\nalias MX 0 www\nalias MX 5 mail.durantcom.net.", {"mx-is-cname"}),
    "address": ("address MX 0 192.0.2.25.\naddress MX 5 mail.durantcom.net.", {"mx-is-address"}),
    "lookup": ("lookup MX 0 mail.failing.com.\nlookup MX 5 mail.durantcom.net.", {"mx-lookup-failed"}),
    "null": ("null MX 0 .", {"null-mx"}),
    "nosuch": ("", {"no-such-name"}),
    "down": ("mute A 192.0.2.77\ndown MX 0 mute\ndown MX 5 mail.durantcom.net.", {"primary-unreachable"}),
    "refusing": ("r A 192.0.2.26\nrefusing MX 0 r\nrefusing MX 5 mail.durantcom.net.", {"primary-refuses"}),
    "deferring": ("d A 192.0.2.27\ndeferring MX 0 d\ndeferring MX 5 mail.durantcom.net.", {"primary-defers"}),
    "garbage": ("g A 192.0.2.28\ngarbage MX 0 g\ngarbage MX 5 mail.durantcom.net.", {"primary-broken"}),
    "shared": ("o A 192.0.2.77\nshared MX 0 mail\nshared MX 5 o\nshared MX 5 mail.durantcom.net.", {"shared-backup"}),
    "nat": ("out A 192.0.2.200\nnat MX 0 mail\nnat MX 5 out", {"nat"}),
    "sts": ('_mta-sts.sts TXT "v=STSv1; id=1"\nsts MX 0 mail\nsts MX 5 mail.durantcom.net.', {"mta-sts-skipped"}),
    "cached": ("cached MX 0 mail\ncached MX 5 mail.durantcom.net.", {"resolver-differs"}),
}
# The resolver has another answer of its own, and asks the right one of the servers that disagree.
RESOLVER = """\
    local-data: "cached.dupontnet.com. MX 0 mail.dupontnet.com."
    local-data: "cached.dupontnet.com. MX 7 mail.durantcom.net."
stub-zone:
    name: stale.com
    stub-addr: 192.0.2.53
stub-zone:
    name: empty.com
    stub-addr: 192.0.2.53
"""
# whole zones: what Knot and NSD say of them (None: nothing, as they do not serve it), and what is to be found
WELL = "@ MX 0 mail.dupontnet.com.\n@ MX 5 mail.durantcom.net."
ZONES: dict[str, tuple[str | None, str | None, set[str]]] = {
    "stale.com": (f"2 {NS}{WELL}", f"1 {NS}@ MX 0 old.dupontnet.com.", {"stale-serial", "servers-disagree"}),
    "empty.com": (f"1 {NS}{WELL}", f"1 {NS}", {"server-empty"}),
    "lame.com": (f"1 {NS}{WELL}", None, {"server-lame"}),
    "silent.com": (f"1 {NS}{WELL}", None, {"server-silent"}),
    "bogus.com": (f"1 {NS}{WELL}", f"1 {NS}{WELL}", {"dnssec-bogus"}),
    "failing.com": (None, None, {"dns-failed", "server-silent"}),
}
MUTE = {"silent.com": ("dns1", "mute"), "failing.com": ("mute",)}
BASE = f"{NS}mail A 192.0.2.25\n@ MX 0 mail\n@ MX 5 mail.durantcom.net.\n"
# Names with an MTA-STS policy, each served from an address of its own: who they list, and what is to be found.
POLICIES: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "strict": ("192.0.2.25", ("mail.dupontnet.com",), {"mta-sts"}),
    "welcoming": ("192.0.2.26", ("mail.dupontnet.com", "*.durantcom.net"), set()),
}
for name, (address, *_) in POLICIES.items():
    BASE += f"{name} {GOOD.format(name=name)}\n"
    BASE += f'mta-sts.{name} A {address}\n_mta-sts.{name} TXT "v=STSv1; id=1"\n'
DURANTCOM = f"1 {NS}mail A 192.0.2.10\nsme A 192.0.2.10\n@ MX 0 mail.dupontnet.com.\n@ MX 5 mail"
EXAMPLE = (
    "1 @ NS dns1\nparent A 192.0.2.1\ndns1 A 192.0.2.53\ndns1 AAAA 2001:db8::53\n"
    "dns2 A 192.0.2.54\ndns2 AAAA 2001:db8::54\nmute A 192.0.2.77"
)


def delegations(broken: bool) -> dict[str, str]:
    com = DELEGATION
    for zone in ("dupontnet.com", *ZONES):
        for server in MUTE.get(zone, ("dns1", "dns2")) if broken else ("dns1", "dns2"):
            com += f"{zone}. NS {server}.example.net.\n"
    net = DELEGATION + "".join(f"{zone}.net. NS dns1.example.net.\n" for zone in ("durantcom", "example"))
    net += "dns1.example.net. A 192.0.2.53\nparent.example.net. A 192.0.2.1\n"
    return {"com": f"1 {com}", "net": f"1 {net}durantcom.net. NS dns2.example.net.\n"}


def serve(internet: Internet, broken: bool, dupontnet: str = "") -> None:
    """Serve the broken names and zones, or the mended ones."""
    if broken:
        names = dupontnet or BASE + "\n".join(records for records, _ in NAMES.values())
        first = {zone: text for zone, (text, _, _) in ZONES.items() if text}
        second = {zone: text for zone, (_, text, _) in ZONES.items() if text}
    else:
        names = BASE + "\n".join(f"{name} {GOOD.format(name=name)}" for name in NAMES)
        first = second = {zone: f"3 {NS}{WELL}" for zone in ZONES if zone != "bogus.com"}
    both = {"dupontnet.com": f"4 {names}", "durantcom.net": DURANTCOM}
    first = first | both | {"example.net": EXAMPLE}
    internet.serve(delegations(broken), first, second | both, RESOLVER if broken else "")


@pytest.fixture(scope="module")
def internet(server: Sandbox) -> Internet:
    server.run(["mxbackup", "add", "dupontnet.com"])
    return Internet(server)


@pytest.fixture
def broken(internet: Internet) -> Internet:
    serve(internet, broken=True)
    return internet


@pytest.fixture
def mended(internet: Internet) -> Internet:
    serve(internet, broken=False)
    return internet


def found(internet: Internet, *arguments: str, command: tuple[str, ...] = ("mxbackup",)) -> dict[str, set[str]]:
    """The codes of the findings by name. The interpreter that comes with the package has no TLS."""
    done = internet.server.run([*command, "check", "--json", *arguments], check=False)
    assert done.stderr == ""
    reports = json.loads(done.stdout)["rules"]
    errors = any(finding["severity"] == "error" for report in reports for finding in report["findings"])
    assert done.returncode == int(errors)
    return {report["name"]: {finding["code"] for finding in report["findings"]} for report in reports}


def test_each_finding_is_found_once(broken: Internet) -> None:
    names = [f"{name}.dupontnet.com" for name in NAMES]
    expected = {f"{name}.dupontnet.com": codes for name, (_, codes) in NAMES.items()}
    expected |= {zone: {"no-rule", *codes} for zone, (_, _, codes) in ZONES.items()}
    expected["durantcom.net"] = {"local-domain"}
    seen = found(broken, *names, *ZONES, "durantcom.net", "--public-address", "192.0.2.200")
    # How long the resolver itself waits for a silent server is its own affair: it may give up before we do.
    seen["silent.com"].discard("dns-failed")
    assert seen == expected


def test_nothing_is_found_once_it_is_mended(mended: Internet) -> None:
    names = [f"{name}.dupontnet.com" for name in NAMES]
    zones = [zone for zone in ZONES if zone != "bogus.com"]
    assert set().union(*found(mended, "dupontnet.com", *names).values()) == set()
    assert set().union(*found(mended, *zones).values()) == {"no-rule"}
    assert found(mended) == {"dupontnet.com": set()}


def test_the_routes_are_those_on_disk(mended: Internet) -> None:
    server = mended.server
    server.run(["mxbackup", "add", "best.dupontnet.com", "--kind", "host", "--route", "192.0.2.25", "--no-event"])
    assert found(mended, "best.dupontnet.com") == {"best.dupontnet.com": {"not-in-force"}}
    server.run(["mxbackup", "remove", "best.dupontnet.com"])
    server.run(["mxbackup", "add", "best.dupontnet.com", "--kind", "host", "--smarthost", "use"])
    server.run(["config", "set", "SMTPSmartHost", "192.0.2.25"])
    server.run(["signal-event", "mxbackup-update"])
    assert found(mended) == {"best.dupontnet.com": {"smarthost"}, "dupontnet.com": set()}
    server.run(["config", "delete", "SMTPSmartHost"])
    server.run(["mxbackup", "remove", "best.dupontnet.com"])


def test_the_mta_sts_policy_is_read_over_tls(mended: Internet) -> None:
    alternatives = ",".join(f"DNS:mta-sts.{name}.dupontnet.com" for name in POLICIES)
    mended.server.sh(
        "cd /run && openssl req -x509 -newkey rsa:2048 -nodes -keyout policy.pem -out policy.crt -subj /CN=policy"
        f" -addext subjectAltName={alternatives} 2>&1 && cat policy.crt >> policy.pem"
    )
    for address, exchangers, _ in POLICIES.values():
        mended.start_in("primary", "python3", str(POLICYSERVER), address, "/run/policy.pem", *map(repr, exchangers))
        wait_until(partial(mended.answers, address, 443))
    expected = {f"{name}.dupontnet.com": codes for name, (_, _, codes) in POLICIES.items()}
    with_tls = ("/usr/bin/python3", "-I", "-S", "-B", "/usr/share/mxbackup/start.py")
    trusting = ("env", "SSL_CERT_FILE=/run/policy.crt", *with_tls)
    assert found(mended, *expected, command=trusting) == expected
    assert found(mended, *expected, command=with_tls) == {name: {"mta-sts-unreadable"} for name in expected}
    assert found(mended, *expected) == {name: {"mta-sts-skipped"} for name in expected}


def test_the_recorded_verdicts_of_qmail_remote(internet: Internet) -> None:
    """The machine of tests/data/qmail-remote-cases.json, with its own network and its root below /run/recorded."""
    server, root = internet.server, "/run/recorded"
    server.sh("ip netns add recorded && ip -n recorded link set lo up")
    server.write(f"{root}/test.zone", (DATA / "qmail-remote.zone").read_text())
    server.write(f"{root}/conf", configuration(root, "127.0.0.1@53, ::1@53", ("test",)))
    server.write(f"{root}/etc/resolv.conf", "nameserver 127.0.0.1\n")
    internet.start_in("recorded", "knotd", "-c", f"{root}/conf")
    targets = ("127.0.0.2", "127.0.0.2:26", "127.0.0.3", "127.0.0.4")
    internet.start_in("recorded", "python3", str(MAILSERVER), *(f"{target}=accept" for target in targets))
    wait_until(lambda: internet.answers("127.0.0.1", 53, "recorded") and internet.answers("127.0.0.4", 25, "recorded"))
    for smtproutes, cases in groupby(RECORDED, key=lambda case: case["smtproutes"]):
        server.write(f"{root}/var/qmail/control/smtproutes", "".join(f"{line}\n" for line in smtproutes))
        wanted = list(cases)
        words = ["ip", "netns", "exec", "recorded", "mxbackup", "--root", root, "check", "--json"]
        done = server.run([*words, *(case["domain"] for case in wanted)], check=False)
        reports = {report["name"]: report["sent"] for report in json.loads(done.stdout)["rules"]}
        assert [as_recorded(case, reports[case["domain"].lower()]) for case in wanted] == wanted


class Report(TypedDict):
    verdict: str
    code: str | None
    to: list[str]


def as_recorded(case: Case, report: Report) -> Case:
    """A report in the words of the record: what comes back to us was delivered, to the last address tried."""
    verdict = "deliver" if report["verdict"] == "loop" else report["verdict"]
    decided: Case = {**case, "verdict": f"{verdict} {report['code'] or ''}".strip()}
    return {**decided, "to": report["to"][-1]} if "to" in case else decided


def test_the_report_reads_as_the_how_to_does(mended: Internet) -> None:
    assert mended.server.run(["mxbackup", "check", "dupontnet.com", "--nameserver", "192.0.2.53"]).stdout == (
        "Using domain server:\n"
        "Name: 192.0.2.53\n"
        "Address: 192.0.2.53#53\n"
        "Aliases:\n"
        "\n"
        "dupontnet.com mail is handled (pri=0) by mail.dupontnet.com\n"
        "dupontnet.com mail is handled (pri=5) by mail.durantcom.net\n"
        "Mail that arrives here for dupontnet.com is delivered to 192.0.2.25:25.\n"
        "192.0.2.25:25: 220 mail.dupontnet.com ESMTP\n"
        "Everything is as it should be.\n"
        "\n"
        "Rules checked: 1; with errors: 0; with warnings: 0; fine: 1.\n"
    )


@pytest.mark.parametrize("port", ["25", "2525"], ids=["qpsmtpd", "mailfront"])
def test_a_stranger_probes_the_backup(mended: Internet, port: str) -> None:
    mended.server.sh("mxbackup status")
    words = ["mxbackup", "probe", "mail.durantcom.net", "jean.dupont@dupontnet.com", "--port", port]
    words += ["--sender", "admin@durantcom.net", "--helo", "anything.other.org", "--refuse", "tomy@hotmail.com"]
    done = mended.server.run(["ip", "netns", "exec", "outside", *words], check=False)
    dialogue, _, verdict = done.stdout.partition("\n\n")
    assert [line for line in dialogue.splitlines() if not re.match(r"[0-9]{3}[- ]", line)] == [
        "Trying 192.0.2.10...",
        "Connected to mail.durantcom.net.",
        "Escape character is '^]'.",
        "EHLO anything.other.org",
        "MAIL FROM:<admin@durantcom.net>",
        "RCPT TO:<jean.dupont@dupontnet.com>",
        "RSET",
        "MAIL FROM:<admin@durantcom.net>",
        "RCPT TO:<tomy@hotmail.com>",
        "QUIT",
        "Connection closed by foreign host.",
    ]
    assert verdict.splitlines()[:2] == [
        "Good: jean.dupont@dupontnet.com is accepted.",
        "Good: tomy@hotmail.com is refused.",
    ]
    assert done.returncode == 0
    refused = mended.server.run(["ip", "netns", "exec", "outside", *words[:3], "x@other.com", *words[4:]], check=False)
    assert "BAD: x@other.com is refused: 5" in refused.stdout
    assert refused.returncode == 1


def test_one_mail_when_it_breaks_and_one_when_it_is_well_again(internet: Internet) -> None:
    server = internet.server
    server.write("/usr/sbin/sendmail", '#!/bin/sh\necho "$*" >> /var/log/sent\ncat >> /var/log/sent\n', "755")
    server.sh("config set sysconfig configuration Language fr_FR.UTF-8; : > /var/log/sent")
    lines = (CHECKOUT / "root/etc/cron.d/mxbackup").read_text().splitlines()
    [command] = [line.split(" root ", 1)[1] for line in lines if "check --all" in line]

    def mails_after_a_night() -> list[str]:
        server.sh(command, check=False)
        sent = server.read("/var/log/sent")
        server.sh(": > /var/log/sent")
        return re.findall("^Subject: (.*)", sent, re.MULTILINE)

    serve(internet, broken=False)
    assert mails_after_a_night() == []
    serve(internet, broken=True, dupontnet=f"{NS}mail A 192.0.2.25\n@ MX 0 mail.durantcom.net.")
    assert mails_after_a_night() == ["MX-Backup : erreur pour dupontnet.com"]
    assert mails_after_a_night() == []
    serve(internet, broken=False)
    assert mails_after_a_night() == ["MX-Backup : de nouveau en ordre : dupontnet.com"]
    assert mails_after_a_night() == []
    states = json.loads(server.read("/var/lib/mxbackup/outages.json"))["rules"]
    assert states["dupontnet.com"]["check"][:2] == ["fine", []]
