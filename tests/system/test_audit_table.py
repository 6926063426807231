# SPDX-License-Identifier: GPL-2.0-or-later
"""An audit on a small Internet of real servers: Postfix, qpsmtpd, mailfront, an open relay, a friend who forgot."""

import json
import re
from functools import partial
from subprocess import CompletedProcess

import pytest

from tests.nameserver import configuration
from tests.system.internet import Internet
from tests.system.machine import CHECKOUT, Sandbox, wait_until

POLICYSERVER = CHECKOUT / "tests/system/policyserver.py"
NS = "@ NS dns1.example.net.\n"
DUPONTNET = f"""1 {NS}@ NS dns2.example.net.
@ MX 0 mail
@ MX 5 mail.durantcom.net.
@ MX 6 front.durantcom.net.
@ MX 7 open.durantcom.net.
@ MX 8 forgotten.durantcom.net.
@ MX 9 silent.durantcom.net.
@ MX 10 ssh.durantcom.net.
mail A 192.0.2.31
_25._tcp.mail TLSA 3 1 1 {{key}}
mta-sts A 192.0.2.25
_mta-sts TXT "v=STSv1; id=1"
lonely MX 0 mail
bare A 192.0.2.31
empty TXT x
null MX 0 ."""
DURANTCOM = f"""1 {NS}mail A 192.0.2.10
front A 192.0.2.35
open A 192.0.2.32
forgotten A 192.0.2.33
silent A 192.0.2.77
ssh A 192.0.2.28"""
EXAMPLE = "1 @ NS dns1\nparent A 192.0.2.1\ndns1 A 192.0.2.53\ndns2 A 192.0.2.54"
# A zone that Knot signs, an island that the resolver trusts: TLSA records count.
SIGNED = """$TTL 1
@ SOA mail hostmaster 1 3600 600 86400 1
@ NS mail
mail A 192.0.2.31
_25._tcp.mail TLSA 3 1 1 {key}
@ MX 0 mail
wrong A 192.0.2.31
_25._tcp.wrong TLSA 3 1 1 {other}
wrong MX 0 wrong"""
SIGNING = """    dnssec-signing: on
zone:
  - domain: signed.com
"""
TRUST = """    trust-anchor: "{anchor}"
stub-zone:
    name: signed.com
    stub-addr: 192.0.2.35
"""
# Three servers of one Postfix: the primary, one that relays for everybody, and one that has never heard of the domain.
MAIN = """\
compatibility_level = 3.6
myhostname = mail.dupontnet.com
mydestination = dupontnet.com
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps = inline:{ jean=x, postmaster=x }
smtpd_tls_security_level = may
smtpd_tls_chain_files = /run/mail.pem
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
maillog_file = /var/spool/postfix/mail.log
"""
OTHERS = "-o rewrite_service_name=others -o smtpd_tls_security_level=none"
MASTER = f"""\
192.0.2.31:25 inet n - n - - smtpd
192.0.2.32:25 inet n - n - - smtpd -o mynetworks=0.0.0.0/0 {OTHERS}
192.0.2.33:25 inet n - n - - smtpd {OTHERS}
others unix - - n - - trivial-rewrite -o mydestination=
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
"""
FRONT = (
    "tcpserver -H -R -l front -u $(id -u qmaild) -g $(id -g qmaild) 192.0.2.35 25 "
    "/usr/libexec/sme-sandbox/smtpfront-qmail"
)
WITH_TLS = ("env", "SSL_CERT_FILE=/run/ca.crt", "/usr/bin/python3", "-I", "-S", "-B", "/usr/share/mxbackup/start.py")
TABLE = """\
The mail exchangers of dupontnet.com, asked for jean@dupontnet.com:

Preference  Mail exchanger           Role     Recipient      Nobody         Stranger's domain  Encryption
0           mail.dupontnet.com       primary  accepted       refused (550)  refused (554)      TLSv1.3, trusted
5           mail.durantcom.net       backup   accepted       accepted       refused (550)      none
6           front.durantcom.net      backup   accepted       accepted       refused (553)      none
7           open.durantcom.net       backup   accepted       accepted       accepted           none
8           forgotten.durantcom.net  backup   refused (554)  refused (554)  refused (554)      none
9           silent.durantcom.net     backup   no connection  -              -                  -
10          ssh.durantcom.net        backup   no SMTP        -              -                  -
"""
FOUND = [
    "error mx-unreachable silent.durantcom.net",
    "error mx-broken ssh.durantcom.net",
    "error backup-refuses forgotten.durantcom.net",
    "error open-relay open.durantcom.net",
    *(f"error no-starttls {name}.durantcom.net" for name in ("mail", "front", "open", "forgotten")),
    *(f"warning accepts-nobody {name}.durantcom.net" for name in ("mail", "front", "open")),
    "note tlsa-unsigned mail.dupontnet.com",
]


@pytest.fixture(scope="module")
def internet(server: Sandbox) -> Internet:
    server.run(["mxbackup", "add", "dupontnet.com"])
    built = Internet(server)
    certificates(server)
    server.write("/etc/postfix/main.cf", MAIN)
    server.write("/etc/postfix/master.cf", MASTER)
    server.sh("ip netns exec relay postfix start 2>&1 || cat /var/spool/postfix/mail.log")
    built.start_in("front", "sh", "-c", f"'{FRONT}'")
    exchangers = ("mail.dupontnet.com", "*.durantcom.net")
    built.start_in("primary", "python3", str(POLICYSERVER), "192.0.2.25", "/run/policy.pem", *map(repr, exchangers))
    key = server.sh("openssl x509 -in /run/mail.crt -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum")
    com = "@ NS parent.example.net.\n" + "".join(f"dupontnet.com. NS dns{n}.example.net.\n" for n in (1, 2))
    net = "@ NS parent.example.net.\n" + "".join(
        f"{zone}.net. NS dns1.example.net.\n" for zone in ("durantcom", "example")
    )
    net += "dns1.example.net. A 192.0.2.53\nparent.example.net. A 192.0.2.1\n"
    trust = TRUST.format(anchor=sign(built, key.split()[0]))
    zones = {"dupontnet.com": DUPONTNET.format(key=key.split()[0])}
    built.serve(
        {"com": f"1 {com}", "net": f"1 {net}"},
        zones | {"durantcom.net": DURANTCOM, "example.net": EXAMPLE},
        zones,
        trust,
    )
    for address, port in (("192.0.2.31", 25), ("192.0.2.33", 25), ("192.0.2.35", 25), ("192.0.2.25", 443)):
        wait_until(partial(built.answers, address, port))
    return built


def sign(internet: Internet, key: str) -> str:
    """Serve the signed zone; return the record of its key, which the resolver is to trust."""
    server = internet.server
    server.write("/run/front/signed.com.zone", SIGNED.format(key=key, other="0" * 64))
    conf = configuration("/run/front", "192.0.2.35@53, 2001:db8::35@53", ())
    server.write("/run/front/conf", conf.removesuffix("zone:\n") + SIGNING)
    internet.start_in("front", "knotd", "-c", "/run/front/conf")
    wait_until(lambda: "DS" in server.sh("keymgr -c /run/front/conf signed.com ds 2>&1", check=False))
    [anchor, *_] = [
        line for line in server.sh("keymgr -c /run/front/conf signed.com ds").splitlines() if " DS " in line
    ]
    return anchor


def certificates(server: Sandbox) -> None:
    """An authority that the stranger trusts, and what it has signed."""
    server.sh(
        """cd /run
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=authority 2>&1
        for pair in mail:mail.dupontnet.com policy:mta-sts.dupontnet.com; do
            name=${pair%:*}
            openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /CN=$name 2>&1
            echo "subjectAltName=DNS:${pair#*:}" > $name.ext
            openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 60 -out $name.crt \\
                -extfile $name.ext 2>&1
            cat $name.key $name.crt > $name.pem
        done"""
    )


def audit(internet: Internet, *words: str, command: tuple[str, ...] = WITH_TLS) -> CompletedProcess[str]:
    """What a stranger sees: his machine is in no network of theirs."""
    return internet.server.run(["ip", "netns", "exec", "outside", *command, "audit", *words], check=False)


def findings(answer: str) -> list[str]:
    """The findings of an audit, in a word, with the exchanger that they are about."""
    return [
        " ".join(
            [
                found["severity"],
                found["code"],
                *re.findall(r"\w+\.(?:durantcom\.net|dupontnet\.com)", found["sentence"]),
            ][:3]
        )
        for found in json.loads(answer)["findings"]
    ]


def test_the_whole_table(internet: Internet) -> None:
    done = audit(internet, "dupontnet.com", "--recipient", "jean")
    assert done.stdout.partition("\nERROR: ")[0] == TABLE, done.stdout + done.stderr
    assert (done.returncode, done.stderr) == (1, "")


def test_nothing_is_ever_sent(internet: Internet) -> None:
    audit(internet, "dupontnet.com", "--recipient", "jean", "--refuse", "x9@example.net")
    log = internet.server.read("/var/spool/postfix/mail.log")
    assert "smtpd[" in log
    assert "data=" not in log
    assert "postfix/cleanup" not in log


def test_what_is_found(internet: Internet) -> None:
    done = audit(internet, "dupontnet.com", "--recipient", "jean", "--json")
    assert findings(done.stdout) == FOUND
    answer = json.loads(done.stdout)
    assert (answer["version"], answer["complete"], answer["mta_sts"]["mode"]) == (1, True, "enforce")


def test_without_tls_that_is_said(internet: Internet) -> None:
    done = audit(internet, "lonely.dupontnet.com", "--recipient", "jean", "--json", command=("mxbackup",))
    assert findings(done.stdout) == [
        "error recipient-refused mail.dupontnet.com",
        "note no-backup lonely.dupontnet.com",
        "note no-tls-here",
        "note tlsa-unsigned mail.dupontnet.com",
    ]


@pytest.mark.parametrize(
    ("name", "found", "status"),
    [
        ("bare", "warning no-mx", 1),
        ("empty", "error no-mx", 1),
        ("null", "error null-mx", 1),
        ("nosuch", "error no-such-name", 1),
    ],
)
def test_domains_without_exchangers(internet: Internet, name: str, found: str, status: int) -> None:
    done = audit(internet, f"{name}.dupontnet.com", "--json")
    assert f"{found} {name}.dupontnet.com" in findings(done.stdout)
    assert done.returncode == status


def test_only_changes_are_printed(internet: Internet) -> None:
    words = ("dupontnet.com", "--recipient", "jean", "--changes", "--state", "/run/state.json")
    said = "This is the first audit: from now on only changes are told.\n\n"
    assert audit(internet, *words).stdout.startswith(said + TABLE)
    assert audit(internet, *words).stdout == ""
    internet.server.sh("postconf -P 192.0.2.32:25/inet/mynetworks=127.0.0.0/8 && ip netns exec relay postfix reload")
    wait_until(lambda: "Gone: open.durantcom.net accepts mail for " in audit(internet, *words).stdout)
    assert audit(internet, *words).stdout == ""
    assert audit(internet, "null.dupontnet.com", *words[3:]).returncode == 2


def test_the_backup_itself_is_no_stranger(internet: Internet) -> None:
    done = internet.server.run([*WITH_TLS, "audit", "dupontnet.com", "--json"], check=False)
    found = findings(done.stdout)
    assert "warning not-a-stranger mail.durantcom.net" in found
    assert not any("open-relay" in one for one in found)
    words = ("probe", "mail.durantcom.net", "jean@dupontnet.com")
    said = internet.server.run([*WITH_TLS, *words], check=False).stdout
    assert "This machine is that server itself" in said
    said = internet.server.run(["ip", "netns", "exec", "front", *WITH_TLS, *words], check=False).stdout
    assert "This machine is in that server's network" in said
    said = internet.server.run(["ip", "netns", "exec", "outside", *WITH_TLS, *words], check=False).stdout
    assert "This machine is" not in said


def test_tlsa_records_count_where_dnssec_vouches_for_them(internet: Internet) -> None:
    def asked(name: str) -> tuple[list[str], object]:
        answer = audit(internet, name, "--recipient", "x", "--json").stdout
        found = [one["code"] for one in json.loads(answer)["findings"] if one["code"].startswith("tlsa")]
        return found, json.loads(answer)["exchangers"][0]["tlsa"]

    assert asked("signed.com") == ([], {"records": 1, "signed": True})
    assert asked("wrong.signed.com") == (["tlsa-differs"], {"records": 1, "signed": True})


def test_probe_tells_of_a_real_postfix_what_its_tls_is_worth(internet: Internet) -> None:
    words = ("ip", "netns", "exec", "outside", *WITH_TLS, "probe", "mail.dupontnet.com", "jean@dupontnet.com")
    assert "STARTTLS: TLSv1.3, trusted for mail.dupontnet.com until " in internet.server.run(words, check=False).stdout
