# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with where the mail goes. Each function takes the facts and yields findings."""

from collections.abc import Iterable, Iterator

from mxbackup.check.facts import Facts, Finding, Severity
from mxbackup.check.findings.dns_records import Check
from mxbackup.lookup.query import Status
from mxbackup.routing.entries import Way, meant_way
from mxbackup.routing.qmail_remote import NOBODY_ANSWERS, Qmail, Verdict, worst
from mxbackup.rules import Recipients
from mxbackup.smtp.replies import Outcome
from mxbackup.targets.lint import publicaddress

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def accepted_here(facts: Facts) -> Iterator[Finding]:
    """This server takes in what is brought to it for the name."""
    us, params = facts.us, {"name": facts.name}
    if us.outdated is None or facts.local:
        return
    if facts.rule is None:
        yield Finding(
            "no-rule", ERROR,
            "There is no rule for {name}: this server refuses its mail.",
            "To make one: mxbackup add {name}", params,
        )  # fmt: skip
    elif not us.settings.enabled:
        yield Finding(
            "disabled", ERROR,
            "MX backup is disabled: nothing is accepted for {name}.",
            "Run: mxbackup enable", params,
        )  # fmt: skip
    elif us.outdated:
        yield Finding(
            "not-in-force", ERROR,
            "The rules as they are now are not in force. These files do not hold them: {paths}",
            "Run: {command}",
            {**params, "paths": ", ".join(map(str, us.outdated)), "command": us.update},
        )  # fmt: skip


def recipients_are_told_apart(facts: Facts) -> Iterator[Finding]:
    """qpsmtpd asks our plugin, and in time: see `qpsmtpdplugin`."""
    us, rule = facts.us, facts.rule
    if rule is None or facts.local or not us.settings.enabled or us.plugin:
        return
    if rule.recipients == Recipients.ANY:
        yield Finding(
            "plugin", WARNING,
            "qpsmtpd does not ask our plugin: mail for hosts below {name} may be refused.",
            "Run: mxbackup action load-plugin. To see more: mxbackup status",
            {"name": facts.name},
        )  # fmt: skip
    else:
        yield Finding(
            "plugin", ERROR,
            "qpsmtpd does not ask our plugin: which recipients {name} has counts for nothing.",
            "Run: mxbackup action load-plugin. To see more: mxbackup status",
            {"name": facts.name},
        )  # fmt: skip


def not_local(facts: Facts) -> Iterator[Finding]:
    """The name's mail is not kept here."""
    line = facts.us.settings.local.delivers(facts.name)
    if line and line != facts.name:
        yield Finding(
            "local-domain", ERROR,
            'This server keeps the mail of {name} instead of passing it on: virtualdomains says so by "{line}".',
            'Take the line out, or add the exception "{name}:".',
            {"name": facts.name, "line": line},
        )  # fmt: skip
    elif line:
        yield Finding(
            "local-domain", ERROR,
            "{name} is a local domain of this server, which keeps its mail instead of passing it on.",
            "Remove the local domain, or the rule.",
            {"name": facts.name},
        )  # fmt: skip


def goes_nowhere_else(facts: Facts) -> Iterator[Finding]:
    """No name whose mail is accepted here relays by `percenthack`. qmail-send(8)."""
    for name in sorted(facts.us.settings.local.percenthack):
        if name == facts.name or (facts.rule and facts.rule.covers(name)):
            yield Finding(
                "percenthack", ERROR,
                "Mail for user%there@{name} would be sent on to user@there, for anybody and to anywhere: an "
                "open relay.",
                "Take {name} out of /var/qmail/control/percenthack, then restart qmail.",
                {"name": name},
            )  # fmt: skip


def we_are_an_mx(facts: Facts) -> Iterator[Finding]:
    """Senders are told of this server. RFC 5321 section 5.1."""
    known = facts.mx in (Status.ANSWER, Status.EMPTY) and not facts.takes_no_mail
    if known and not facts.ours:
        yield Finding(
            "not-mx", ERROR,
            "This server is not a mail exchanger of {name}, so nobody brings it that mail.",
            "Have an MX record with this server's name and a higher preference number than the primary's added. "
            "Behind NAT, state the public address: db configuration setprop mxbackup PublicAddress ADDRESS "
            "(for one check: --public-address ADDRESS)",
            {"name": facts.name},
        )  # fmt: skip


def public_address_is_one(facts: Facts) -> Iterator[Finding]:
    """What PublicAddress holds can be the address of an exchanger."""
    for found in publicaddress.lint(facts.us.settings):
        yield Finding(
            "bad-public-address", WARNING,
            '"{text}" in PublicAddress is no IP address and has no effect.',
            "Set it: db configuration setprop mxbackup PublicAddress ADDRESS",
            {"name": facts.name, **found.parameters},
        )  # fmt: skip


def we_come_second(facts: Facts) -> Iterator[Finding]:
    """Another exchanger has a better preference, else qmail bounces with 5.4.6; a route cures that."""
    ours = facts.our_preference
    if ours is None:
        return
    severity = WARNING if facts.relayed else ERROR
    best = min((other.preference for other in facts.others), default=None)
    params = {"name": facts.name, "preference": ours, "best": best}
    if best is None:
        yield Finding(
            "only-mx", severity,
            "This server is the only mail exchanger of {name}: there is no primary to pass the mail on to.",
            "Have an MX record for the primary added, with a lower preference number than {preference}.", params,
        )  # fmt: skip
    elif ours < best:
        yield Finding(
            "best-mx", severity,
            "This server has the best preference for {name} ({preference}, the next {best}), as if it were primary.",
            "Have the preferences changed: the primary's number must be lower than this server's.", params,
        )  # fmt: skip
    elif ours == best:
        yield Finding(
            "equal-mx", severity,
            "This server has the same preference for {name} as the primary ({preference}).",
            "Have this server's preference number raised above the primary's.", params,
        )  # fmt: skip
    elif beside := [other.name for other in facts.others if other.preference == ours]:
        yield Finding(
            "shared-backup", NOTE,
            "{others} has the same preference for {name} as this server: they share the load.",
            "Nothing to do.",
            {"name": facts.name, "others": ", ".join(beside)},
        )  # fmt: skip


def we_know_ourselves(facts: Facts) -> Iterator[Finding]:
    """qmail knows itself by its interfaces alone (ipme.c); behind NAT it connects to itself in circles."""
    strange = [e for e in facts.ours if e.addresses and not any(map(facts.us.knows, e.addresses))]
    if strange and not facts.relayed:
        primary = next((other.name for other in facts.primaries if other.addresses), "HOST")
        yield Finding(
            "nat", ERROR,
            "The address {address} leads to this server, but is not one of its interfaces (NAT): when the primary is "
            "down, the mail goes in circles.",
            "Set the route: mxbackup set {name} --route {primary}",
            {"name": facts.name, "address": strange[0].addresses[0], "primary": primary},
        )  # fmt: skip


def routed_as_meant(facts: Facts) -> Iterator[Finding]:
    """smtproutes on disk says what the rule says; and nothing goes through the smart host unseen."""
    if facts.expected_route is not None and facts.route != facts.expected_route and not facts.us.outdated:
        yield Finding(
            "routes-stale", ERROR,
            "The file smtproutes does not say what the rule for {name} says.",
            "To see why: mxbackup status",
            {"name": facts.name},
        )  # fmt: skip
    elif facts.route is not None and facts.route.host and (facts.route.key == "" or _meant_for_smarthost(facts)):
        yield Finding(
            "smarthost", WARNING,
            "Mail for {name} goes to the smart host {host}, which follows the MX records and may bring it back.",
            "Let the rule go around it: mxbackup set {name} --smarthost bypass",
            {"name": facts.name, "host": facts.route.host},
        )  # fmt: skip


def verdict_is_good(facts: Facts) -> Iterator[Finding]:
    """What qmail-remote will do, where no other check has said why. See `delivery`."""
    verdict, code = facts.delivery.verdict, facts.delivery.code
    params = {"name": facts.name, "code": code, "to": ", ".join(map(str, facts.delivery.to))}
    if verdict == Verdict.LOOP:
        yield Finding(
            "loop", ERROR,
            "Mail for {name} would go in circles: its way ({to}) leads back to this server.",
            "Set the primary's own name or address as route, or correct the records.", params,
        )  # fmt: skip
    elif verdict == Verdict.BOUNCE:
        yield Finding(
            "bounce", ERROR,
            "This server would send mail for {name} back to its senders at once ({code}).",
            "See to the other findings, or set the primary's address as route: mxbackup set {name} --route ADDRESS",
            params,
        )  # fmt: skip
    elif verdict == Verdict.DEFER and not facts.contacts:
        yield Finding(
            "defer", WARNING,
            "Mail for {name} stays in this server's queue at present ({code}).",
            "See to the other findings; the mail is tried again for a week.", params,
        )  # fmt: skip


def kinds_agree(facts: Facts) -> Iterator[Finding]:
    """Every kind of qmail that may be here does the same with the mail. See `delivery.Qmail`."""
    by_result: dict[tuple[Verdict, str], list[Qmail]] = {}
    worsts = {kind: worst(found) for kind, found in facts.outcomes.items()}
    for kind, delivery in worsts.items():
        by_result.setdefault((delivery.verdict, delivery.code), []).append(kind)
    groups = sorted(by_result.values(), key=lambda kinds: worsts[kinds[0]] != facts.delivery)
    for kinds in groups[1:]:
        yield Finding(
            "qmail-differs", WARNING,
            "Kinds of qmail differ: mail for {name} is {verdict} by {kinds}, and {other} by {others}.",
            "Set the primary's address as route, which makes all do the same: mxbackup set {name} --route ADDRESS",
            {
                "name": facts.name,
                "verdict": worsts[groups[0][0]],
                "kinds": _named(groups[0]),
                "other": worsts[kinds[0]],
                "others": _named(kinds),
            },
        )  # fmt: skip


def nothing_is_left_to_chance(facts: Facts) -> Iterator[Finding]:
    """Exchangers of equal preference, which are tried in any order (RFC 5321 section 5.1), come to the same."""
    if found := next((found for found in facts.outcomes.values() if len(found) > 1), None):
        bad = worst(found)
        yield Finding(
            "by-chance", WARNING,
            "Exchangers of {name} have equal preference, so chance decides: its mail is {verdict}, or {other}.",
            "Give this server a higher preference number than the primary's, or set the primary's address as route: "
            "mxbackup set {name} --route ADDRESS",
            {"name": facts.name, "verdict": bad, "other": next(other for other in found if other != bad)},
        )  # fmt: skip


def all_were_tried(facts: Facts) -> Iterator[Finding]:
    """No more targets than a check may connect to, unless one of them answers."""
    untried = set(facts.delivery.to) - facts.contacts.keys()
    if facts.delivery.code == NOBODY_ANSWERS and untried:
        yield Finding(
            "not-all-tried", NOTE,
            "{name} has so many mail exchangers that only {count} addresses were tried.",
            "Nothing to do, unless all of them are down.",
            {"name": facts.name, "count": len(facts.contacts)},
        )  # fmt: skip


def primary_answers(facts: Facts) -> Iterator[Finding]:
    """The primary can be reached and takes bounces for its postmaster. RFC 5321 sections 4.5.1 and 6.1."""
    for target, dialogue in facts.contacts.items():
        params = {"name": facts.name, "target": target, "reply": dialogue.reply or dialogue.trouble}
        if dialogue.outcome == Outcome.UNREACHABLE:
            yield Finding(
                "primary-unreachable", WARNING,
                "The primary of {name}, {target}, cannot be reached at present: {reply}",
                "If it is not known to be down, check its address, port and firewall.", params,
            )  # fmt: skip
        elif dialogue.outcome == Outcome.BROKEN:
            yield Finding(
                "primary-broken", WARNING,
                "The primary of {name}, {target}, does not speak SMTP properly: {reply}",
                "Its administrator must see to its mail server.", params,
            )  # fmt: skip
        elif dialogue.outcome == Outcome.REFUSED:
            yield Finding(
                "primary-refuses", ERROR,
                "The primary of {name}, {target}, refuses mail from this server: {reply}",
                "Its administrator must let this server in and accept mail for postmaster@{name}.", params,
            )  # fmt: skip
        elif dialogue.outcome == Outcome.DEFERRED:
            yield Finding(
                "primary-defers", WARNING,
                "The primary of {name}, {target}, puts mail from this server off: {reply}",
                "Its administrator should exempt this server from greylisting and limits.", params,
            )  # fmt: skip


def policy_lists_us(facts: Facts) -> Iterator[Finding]:
    """The name's MTA-STS policy names this server, else careful senders do not come here. RFC 8461 section 5."""
    policy, names = facts.policy, [exchanger.name for exchanger in facts.ours]
    params = {"name": facts.name, "exchanger": ", ".join(names)}
    if facts.policy_trouble == "no-tls":
        yield Finding(
            "mta-sts-skipped", NOTE,
            "{name} has an MTA-STS policy, which was not checked: this Python has no TLS.",
            "Run mxbackup check for that name from another machine.", params,
        )  # fmt: skip
    elif facts.policy_trouble:
        yield Finding(
            "mta-sts-unreadable", WARNING,
            "{name} announces an MTA-STS policy that cannot be read.",
            "Its owner must mend https://mta-sts.{name}/.well-known/mta-sts.txt or take the TXT record out.", params,
        )  # fmt: skip
    elif policy and policy.mode != "none" and names and not any(map(policy.lists, names)):
        yield Finding(
            "mta-sts", ERROR if policy.mode == "enforce" else WARNING,
            "The MTA-STS policy of {name} does not list this server ({exchanger}): careful senders bring nothing here.",
            "Have the line mx: {exchanger} added to https://mta-sts.{name}/.well-known/mta-sts.txt", params,
        )  # fmt: skip


def _named(kinds: Iterable[Qmail]) -> str:
    return ", ".join(kind.name for kind in kinds)


def _meant_for_smarthost(facts: Facts) -> bool:
    """Whether the rule asks for it: below a domain rule that goes another way it has an entry of its own for that."""
    return facts.rule is not None and meant_way(facts.rule, facts.us.settings) == Way.SMARTHOST


CHECKS: tuple[Check, ...] = (
    recipients_are_told_apart,
    not_local,
    goes_nowhere_else,
    we_are_an_mx,
    public_address_is_one,
    we_come_second,
    we_know_ourselves,
    kinds_agree,
    nothing_is_left_to_chance,
    routed_as_meant,
    all_were_tried,
    primary_answers,
    policy_lists_us,
)
