# SPDX-License-Identifier: GPL-2.0-or-later
"""What the letter to the owner gives him to paste, tried on what it is for: the real programs of Debian.

Held mail comes from an address that SPF and a block list speak against. Without what is pasted it is refused, with it
it is taken. Of the systems of the letter Debian lacks those of SME Server and Microsoft.
"""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.system.friend import BACKUP, MESSAGE, NAME, OWN, RECEIVED, Friend
from tests.system.machine import wait_until

REFUSED, TAKEN = {550, 554}, 250
OUTER = f"""\
Return-Path: <anne@sender.test>
Received: from {NAME} ({NAME} [{BACKUP}])
\tby mail.dupontnet.com (Postfix) with ESMTP id 4WkX0w1xq2z9t
\tfor <jean@dupontnet.com>; Tue, 09 Mar 2004 21:36:16 +0000 (UTC)
"""


@pytest.fixture(scope="module")
def friend() -> Iterator[Friend]:
    made = Friend()
    yield made
    made.machine.stop()


POSTFIX = """
set -e
postconf -e 'mydestination = dupontnet.com' 'local_recipient_maps =' 'mynetworks = 127.0.0.0/8' \\
    'inet_interfaces = 192.0.2.25' 'local_transport = discard:' 'postscreen_dnsbl_sites = bl.test' \\
    'postscreen_dnsbl_action = enforce' 'postscreen_greet_wait = 1s'
postconf -M 'policyd-spf/unix=policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/sbin/postfix-policyd-spf-perl'
postconf -M smtpd/pass='smtpd pass - - y - - smtpd' dnsblog/unix='dnsblog unix - - y - 0 dnsblog'
postfix start
"""
RECIPIENTS = "smtpd_recipient_restrictions = permit_mynetworks reject_unauth_destination"
SPF = f"{RECIPIENTS} check_policy_service unix:private/policyd-spf"
AGAINST = (  # each with what it answers
    (("-e", f"{RECIPIENTS} reject_rbl_client bl.test"), 554),
    (("-e", SPF), 550),
    (("-e", "smtpd_client_restrictions = reject_rbl_client bl.test"), 554),
    (("-M", "smtp/inet=smtp inet n - y - 1 postscreen"), 550),
)


def test_postfix(friend: Friend) -> None:
    friend.machine.sh(POSTFIX)
    wait_until(lambda: friend.answers(OWN, 25))
    assert friend.bring() == TAKEN
    for setting, code in AGAINST:
        friend.machine.run(["postconf", *setting])
        friend.machine.run(["postfix", "reload"])
        wait_until(partial(friend.answers_with, code))
    friend.paste("postfix")
    wait_until(partial(friend.answers_with, TAKEN))
    assert friend.bring("tomy@hotmail.com") in {454, 554}  # it is no relay for that
    friend.machine.run(["postfix", "stop"])


QPSMTPD = "env QPSMTPD_CONFIG=/etc/qpsmtpd qpsmtpd-forkserver --user qpsmtpd --listen-address 192.0.2.25 --port 25"


@pytest.mark.parametrize("plugin", ["sender_permitted_from reject 3", "dnsbl"])
def test_qpsmtpd(friend: Friend, plugin: str) -> None:
    friend.machine.sh("install -d -o qpsmtpd /var/mail/friend; echo dupontnet.com > /etc/qpsmtpd/rcpthosts")
    friend.machine.sh("ln -sfn . /etc/qpsmtpd/config; rm -f /etc/qpsmtpd/whitelisthosts")
    friend.machine.write("/etc/qpsmtpd/dnsbl_zones", "bl.test\n")
    friend.machine.write("/etc/qpsmtpd/plugins", f"{plugin}\nrcpt_ok\nqueue/maildir /var/mail/friend\n")
    friend.start(QPSMTPD, OWN, 25)
    assert friend.bring() in REFUSED
    friend.end(OWN, 25)
    friend.paste("qpsmtpd", "/etc/qpsmtpd")
    friend.start(QPSMTPD, OWN, 25)
    assert friend.bring() == TAKEN
    friend.end(OWN, 25)


RSPAMC = ["rspamc", "--ip", BACKUP, "--helo", NAME, "--hostname", NAME, "--from", "anne@sender.test"]
FORCED = 'rules { SPF { action = "reject"; expression = "R_SPF_FAIL"; } }\n'
RSPAMD = "rspamd -f -u _rspamd -g _rspamd"


def test_rspamd(friend: Friend) -> None:
    def symbols(kind: str) -> str:
        return friend.machine.run([*RSPAMC, "symbols"], input=RECEIVED[kind] + MESSAGE).stdout

    friend.machine.write("/etc/rspamd/local.d/force_actions.conf", FORCED)
    friend.machine.write("/etc/rspamd/local.d/options.inc", 'url_tld = "/run/tld";\n')  # all are compiled for a minute
    friend.machine.write("/run/tld", "com\nnet\ntest\n")
    friend.machine.sh("install -d -o _rspamd /run/rspamd; rm -f /run/rspamd/*")
    friend.start(RSPAMD, "127.0.0.1", 11334)
    assert all("Action: reject\n" in symbols(kind) for kind in RECEIVED)
    friend.end("127.0.0.1", 11334)
    friend.paste("rspamd")
    friend.start(RSPAMD, "127.0.0.1", 11334)
    assert all("Action: no action\n" in symbols(kind) for kind in RECEIVED)
    assert "Symbol: R_SPF_ALLOW" in symbols("postfix")


def test_spamassassin(friend: Friend) -> None:
    def is_spam(received: str) -> bool:
        done = friend.machine.run(["spamassassin", "-x", "-e"], input=OUTER + received + MESSAGE, check=False)
        assert done.returncode in (0, 5), done.stderr
        return done.returncode == 5

    conf = "/etc/spamassassin/local.cf"
    listed = "header LISTED eval:check_rbl('backup-lastexternal', 'bl.test.')\nscore LISTED 100\n"
    friend.machine.write(conf, f"dns_available yes\nuse_bayes 0\nscore SPF_FAIL 100\n{listed}")
    assert is_spam(RECEIVED["qmail"])
    friend.paste("spamassassin")
    assert not any(map(is_spam, RECEIVED.values()))
    assert is_spam(RECEIVED["qmail"].replace("203.0.113.9", "203.0.113.66"))


JAIL = """\
[postfix]
enabled = true
backend = polling
logpath = /var/log/mail.log
maxretry = 3
action =
"""
REJECTED = (
    f"mail postfix/smtpd[339]: NOQUEUE: reject: RCPT from {NAME}[{BACKUP}]: 554 5.7.1 Service unavailable; Client host "
    f"[{BACKUP}] blocked using bl.test; from=<anne@sender.test> to=<jean@dupontnet.com> proto=ESMTP helo=<{NAME}>"
)
OTHER = REJECTED.replace(BACKUP, "203.0.113.66")


def test_fail2ban(friend: Friend) -> None:
    friend.machine.sh("rm -f /etc/fail2ban/jail.d/*; : > /var/log/mail.log")
    friend.machine.write("/etc/fail2ban/jail.d/postfix.conf", JAIL)

    def banned() -> set[str]:
        friend.machine.sh("rm -rf /var/lib/fail2ban /run/fail2ban; mkdir -p /var/lib/fail2ban /run/fail2ban")
        friend.machine.sh("fail2ban-client start")
        for line in (REJECTED, OTHER) * 4:
            friend.machine.sh(f"echo \"$(date '+%b %d %H:%M:%S') {line}\" >> /var/log/mail.log")
        wait_until(lambda: "203.0.113.66" in friend.machine.sh("fail2ban-client get postfix banip"))
        found = set(friend.machine.sh("fail2ban-client get postfix banip").split())
        friend.machine.sh("fail2ban-client stop")
        return found

    assert banned() == {BACKUP, "203.0.113.66"}
    friend.paste("fail2ban")
    assert banned() == {"203.0.113.66"}
