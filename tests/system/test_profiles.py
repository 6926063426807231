# SPDX-License-Identifier: GPL-2.0-or-later
"""Every SME Server of the how-to, from install to erase: nobody types his rules again, nobody loses mail."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scratch import NEWMRH
from tests.system.machine import CHECKOUT, Sandbox, wait_until
from tests.system.obtuse import answer

NewSandbox = Callable[..., Sandbox]
OURS = "smeserver-mxbackup-utf8"
OLD_SPEC = CHECKOUT / "tests/data/old-contrib/smeserver-mxbackup.spec"
DATA = CHECKOUT / "tests/data/import"

CHECK_RULES = "/var/spool/smtpd/etc/smtpd_check_rules"
CUSTOM = "/etc/e-smith/templates-custom"
QUICK_AND_DIRTY = f"{CUSTOM}/var/qmail/control/rcpthosts/20QandD"
SME5_FRAGMENT = f"{CUSTOM}{CHECK_RULES}/61MXBackupDomains"
SME5_PERL = """{
    open my $list, '<', '/etc/MXBackupDomains' or die "MXBackupDomains: $!";
    while (my $domain = <$list>) { chomp $domain; $OUT .= "allow:ALL:ALL:*.$domain *\\@$domain\\n"; }
}
"""

MORERCPTHOSTS = "/var/qmail/control/morercpthosts"

# What an administrator's browser sends to the panel's entry, without a browser: kind host, and the answers.
PANEL = r"""
panel() {
    env -i REMOTE_USER=admin SCRIPT_NAME=/server-manager/cgi-bin/mxbackup SERVER_NAME=sme SERVER_PORT=980 \
        SERVER_PROTOCOL=HTTP/1.1 "$@" /etc/e-smith/web/functions/mxbackup
}
page=$(panel REQUEST_METHOD=GET QUERY_STRING=page=new)
token=$(echo "$page" | sed -n 's/.*name="token" value="\([^"]*\)".*/\1/p' | head -1)
cookie=$(echo "$page" | sed -n 's/^Set-Cookie: \(mxbackup-session=[^;]*\).*/\1/p')
body="token=$token&do=save&name=$1&kind=host&smarthost=bypass"
printf %s "$body" | panel REQUEST_METHOD=POST HTTP_COOKIE="$cookie" \
    CONTENT_TYPE=application/x-www-form-urlencoded CONTENT_LENGTH=${#body} | head -1
"""

# A file for each qpsmtpd, and tables of Postfix.
SME11 = {
    *("rcpthosts", "goodrcptto", "qpsmtpd"),
    *(f"/var/service/{daemon}/config/rcpthosts" for daemon in ("qpsmtpd", "sqpsmtpd", "uqpsmtpd")),
    *(f"/var/service/{daemon}/config/goodrcptto" for daemon in ("sqpsmtpd", "uqpsmtpd")),
    *(f"/var/service/{daemon}/config/mxbackup" for daemon in ("sqpsmtpd", "uqpsmtpd")),
    *("exact", "transport", "transport_hosts", "relay_domains", "relay_hosts", "postfix_naming"),
}  # fmt: skip

DUPONT, BELOW, MARTIN = "jean.dupont@dupontnet.com", "toto@www.dupontnet.com", "paul@www.martin.fr"
LOCAL, STRANGERS = "admin@durantcom.net", ("tomy@hotmail.com", "jean@xdupontnet.com", "jean@dupontnet.com.evil.net")


@dataclass(frozen=True)
class Server:
    """A sandbox of one profile, and how its mail program answers."""

    sandbox: Sandbox
    profile: str

    def accepts(self, recipient: str) -> bool:
        if self.profile == "sme5":
            return answer(self.sandbox.read(CHECK_RULES), "203.0.113.9", "admin@other.org", recipient) == "allow"
        return self.sandbox.rcpt(recipient).startswith("250")

    def serves(self, *recipients: str) -> bool:
        """Whether all these and the local ones are accepted, and no stranger is."""
        wanted = [self.accepts(recipient) for recipient in (LOCAL, *recipients)]
        return all(wanted) and not any(self.accepts(stranger) for stranger in STRANGERS)

    def settles(self) -> bool:
        """Whether it serves its own people alone; not while its mail program restarts."""
        try:
            return self.serves()
        except subprocess.CalledProcessError:
            return False

    def mxbackup(self, *arguments: str, status: int = 0) -> str:
        done = self.sandbox.run(["mxbackup", *arguments], check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def start(new_sandbox: NewSandbox) -> Callable[[str], Server]:
    return lambda profile: Server(new_sandbox(profile), profile)


@pytest.fixture(scope="module")
def old_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The contrib of 2004 to 2019, as far as it left marks. Built below the checkout, which every sandbox sees."""
    top = CHECKOUT / "build" / tmp_path_factory.mktemp("old").name
    command = ["rpmbuild", "-bb", "--quiet", f"--load={CHECKOUT}/rpm/macros", f"--define=_topdir {top}"]
    subprocess.run([*command, str(OLD_SPEC)], check=True, capture_output=True)
    yield next(top.rglob("*.noarch.rpm"))
    subprocess.run(["rm", "-r", str(top)], check=True)


def targets(server: Server) -> set[str]:
    """The targets that status finds on the host, all of them up to date."""
    lines = dict(line.split(": ", 1) for line in server.mxbackup("status").splitlines() if ": " in line)
    return {name for name, state in lines.items() if state == "up to date"}


def live_and_erase(server: Server, expected: set[str]) -> None:
    """The life of rules made in a shell and in the panel, then the end of the package.

    `dupontnet.com` is a rule before.
    """
    assert targets(server) == expected
    assert server.serves(DUPONT, BELOW)
    assert not server.accepts("eva@second.example.com")
    server.mxbackup("add", "second.example.com", "--kind", "host")
    assert server.serves(DUPONT, BELOW, "eva@second.example.com")
    assert not server.accepts("eva@www.second.example.com")
    made = server.sandbox.run(["sh", "-s", "third.example.com"], input=PANEL).stdout
    assert made.startswith("Status: 303 ")
    assert server.serves(DUPONT, "eva@second.example.com", "eva@third.example.com")
    assert not server.accepts("eva@www.third.example.com")
    server.mxbackup("disable")
    assert server.serves()
    assert not server.accepts(DUPONT)
    server.mxbackup("enable")
    server.mxbackup("remove", "second.example.com")
    assert server.serves(DUPONT)
    assert not server.accepts("eva@second.example.com")

    server.sandbox.run(["rpm", "-e", OURS, "smeserver-mxbackup-python"])
    wait_until(server.settles)
    assert not server.accepts(DUPONT)
    left = "find /etc /usr /var -xdev -iname '*mxbackup*' -not -path '/var/l*' -not -path '*/db/*' -not -path /etc/MXB*"
    assert server.sandbox.sh(left) == ""
    assert server.sandbox.sh("test -s /var/qmail/control/rcpthosts && grep -rl mxbackup /var/qmail/control; true") == ""
    assert "dupontnet.com=mxbackup|Kind|domain" in server.sandbox.read("/home/e-smith/db/domains")


def test_sme_5_with_the_how_tos_list(start: Callable[[str], Server]) -> None:
    server = start("sme5")
    server.sandbox.write("/etc/MXBackupDomains", (DATA / "sme5-list/MXBackupDomains").read_text())
    server.sandbox.write(SME5_FRAGMENT, SME5_PERL)
    server.sandbox.run(["expand-template", CHECK_RULES])
    assert server.serves(DUPONT)
    server.sandbox.install(OURS)
    assert f"warning: {SME5_FRAGMENT}: It holds names that are no rules yet (2" in server.mxbackup("status", status=1)
    assert server.mxbackup("import", "/etc/MXBackupDomains") == (
        "added dupontnet.com (Domain)\nadded martin.fr (Domain)\nAdded: 2, changed: 0, unchanged: 0.\n"
    )
    assert "All its names are rules" in server.mxbackup("status", status=1)
    server.sandbox.sh(f"rm {SME5_FRAGMENT}; signal-event mxbackup-update")
    assert server.sandbox.read(CHECK_RULES).rstrip().endswith("noto:ALL:ALL:ALL")
    live_and_erase(server, {"smtpd_check_rules", "rcpthosts"})


def test_sme_5_without_its_closing_rule_is_told(start: Callable[[str], Server]) -> None:
    server = start("sme5")
    server.sandbox.install(OURS)
    server.sandbox.write(f"{CUSTOM}{CHECK_RULES}/90nobodyElse", "# forgotten\n")
    server.mxbackup("add", "dupontnet.com")
    assert server.accepts("tomy@hotmail.com")
    assert f'error: {CHECK_RULES}: The line "noto:ALL:ALL:ALL" is missing' in server.mxbackup("status", status=1)


def test_sme_5_5_with_the_how_tos_fragment(start: Callable[[str], Server]) -> None:
    server = start("sme55")
    server.sandbox.write(QUICK_AND_DIRTY, (DATA / "sme55-quick-and-dirty/20QandD").read_text())
    server.sandbox.run(["expand-template", "/var/qmail/control/rcpthosts"])
    server.sandbox.write("/var/qmail/control/smtproutes", "kept.example.net:192.0.2.1\n")
    server.sandbox.install(OURS)
    assert "It holds names that are no rules yet (1" in server.mxbackup("status", status=1)
    assert "Added: 1," in server.mxbackup("import", QUICK_AND_DIRTY)
    server.sandbox.sh(f"rm {QUICK_AND_DIRTY}; signal-event mxbackup-update")
    assert server.sandbox.read("/var/qmail/control/smtproutes") == "kept.example.net:192.0.2.1\n"
    live_and_erase(server, {"rcpthosts"})


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("sme6", {"rcpthosts", "smtproutes"}),
        ("sme7", {"rcpthosts", "smtproutes", "goodrcptto", "qpsmtpd"}),
        ("sme10", {"rcpthosts", "smtproutes", "goodrcptto", "qpsmtpd"}),
        ("sme11", SME11),
    ],
)
@pytest.mark.parametrize("status", ["enabled", "disabled"])
def test_the_old_contrib_is_replaced_and_its_rules_go_on(
    profile: str, expected: set[str], status: str, start: Callable[[str], Server], old_package: Path
) -> None:
    server = start(profile)
    server.sandbox.run(["rpm", "-Uvh", str(old_package)])
    server.sandbox.sh(
        f"config set mxbackup service name dupontnet.com,1,www.martin.fr,0,co.uk,1 status {status};"
        "for file in rcpthosts smtproutes; do expand-template /var/qmail/control/$file; done;"
        "expand-template /var/service/qpsmtpd/config/goodrcptto; true"
    )
    # It knows nothing of the rcpthosts that SME 11 has for each qpsmtpd.
    assert server.accepts(DUPONT) == (profile != "sme11")

    said = server.sandbox.install(OURS)
    assert "added dupontnet.com (Domain)\nadded www.martin.fr (Host)\n" in said
    assert '3: co.uk,1: "co.uk" is a public suffix' in said
    assert server.sandbox.run(["config", "show", "mxbackup"]).stdout == (
        f"mxbackup=service\n    name=co.uk,1\n    status={status}\n"
    )
    names = "'*50MXBackup' '*FormMagick/Panel/mxbackup.pm' '*Light.jpg'"
    assert server.sandbox.sh(f"for name in {names}; do find /etc/e-smith /usr/lib/perl5 -path $name; done") == ""
    assert server.accepts(MARTIN) == server.accepts(DUPONT) == (status == "enabled")
    assert server.serves()
    before = server.sandbox.sh("cat /home/e-smith/db/domains /home/e-smith/db/configuration")
    server.sandbox.run(["mxbackup", "import", "--old-contrib"])
    assert server.sandbox.sh("cat /home/e-smith/db/domains /home/e-smith/db/configuration") == before
    server.mxbackup("enable")
    server.sandbox.sh("config delprop mxbackup name")
    live_and_erase(server, expected)


def test_many_rules_on_sme_6_are_compiled_for_mailfront(start: Callable[[str], Server]) -> None:
    server = start("sme6")
    server.sandbox.write("/var/qmail/bin/qmail-newmrh", NEWMRH, mode="755")
    server.sandbox.write(MORERCPTHOSTS, "much.example.net\n")
    server.sandbox.install(OURS)
    server.sandbox.write("/tmp/names", "".join(f"d{number:02}.example.com\n" for number in range(60)))
    server.mxbackup("import", "/tmp/names")
    assert targets(server) == {"rcpthosts", "smtproutes", "morercpthosts"}
    assert "d50.example.com" not in server.sandbox.read("/var/qmail/control/rcpthosts")
    ours = ("jo@d00.example.com", "jo@d55.example.com", "jo@deep.www.d55.example.com")
    assert server.serves(*ours, "jo@much.example.net")
    server.mxbackup("disable")
    assert [server.accepts(recipient) for recipient in ours] == [False] * 3
    server.mxbackup("enable")
    assert server.serves(*ours)

    mode = server.sandbox.sh(
        f"chmod 640 {MORERCPTHOSTS}; chown qmaild {MORERCPTHOSTS}; stat -c '%a %U' {MORERCPTHOSTS}"
    )
    server.sandbox.run(["rpm", "-e", OURS, "smeserver-mxbackup-python"])
    wait_until(server.settles)
    assert [server.accepts(recipient) for recipient in ours] == [False] * 3
    assert server.serves("jo@much.example.net")
    assert server.sandbox.read(MORERCPTHOSTS) == "much.example.net\n"
    assert server.sandbox.sh(f"stat -c '%a %U' {MORERCPTHOSTS}") == mode
    assert server.sandbox.sh(f"ls {MORERCPTHOSTS}*") == f"{MORERCPTHOSTS}\n{MORERCPTHOSTS}.cdb\n"


def test_a_morercpthosts_that_erasing_cannot_mend_is_told(start: Callable[[str], Server]) -> None:
    server = start("sme6")
    server.sandbox.write("/var/qmail/bin/qmail-newmrh", NEWMRH, mode="755")
    server.sandbox.install(OURS)
    damaged = "# BEGIN mxbackup: rules of the domains database\nd55.example.com\nmuch.example.net\n"
    server.sandbox.write(MORERCPTHOSTS, damaged)
    said = server.sandbox.run(["rpm", "-e", OURS])
    assert f"FAILED, do it by hand: take our rules out of {MORERCPTHOSTS}" in said.stdout + said.stderr
    assert server.sandbox.read(MORERCPTHOSTS) == damaged
