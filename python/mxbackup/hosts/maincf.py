# SPDX-License-Identifier: GPL-2.0-or-later
"""What main.cf of Postfix has to say for our tables to count, and what it says besides (postconf(5))."""

import ipaddress
import re
from collections.abc import Iterator, Mapping

from mxbackup.errors import Finding, FindingKind, Message, Severity
from mxbackup.esmith import postfix
from mxbackup.esmith.host import POSTFIX, Host
from mxbackup.esmith.postfix import SettingChange
from mxbackup.rules import Recipients, RuleSet, Unknown, shown
from mxbackup.targets import postfixtable, recipient_access, relay_domains, transport
from mxbackup.targets.postfixtable import DIRECTORY, PostfixTable
from mxbackup.targets.recipient_access import UNLISTED_CLASS

PATH = POSTFIX / "main.cf"
LOCAL = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains")
RECIPIENTS = "smtpd_recipient_restrictions"
RESTRICTIONS = ("smtpd_relay_restrictions", RECIPIENTS)
VERIFIED = "address_verify_map"
DEFER_CODE = "unverified_recipient_defer_code"
# Which parameter has to name which of our tables; the one for hosts first, for it is the quicker one.
NEEDED: Mapping[str, tuple[PostfixTable, ...]] = {
    "relay_domains": (relay_domains.HOSTS, relay_domains.DOMAINS),
    "transport_maps": (transport.HOSTS, transport.DOMAINS),
}
# The prefixes of the largest networks that are private, by version of IP (RFC 1918, RFC 4193).
LARGEST = {4: 8, 6: 7}

NOT_NAMED = FindingKind(
    "postfix-not-configured", Severity.ERROR,
    "{parameter} does not name our tables, so the rules are not in force.",
    "To have it done: mxbackup apply --configure; to see it first, add --dry-run.",
    source="postconf(5)",
)  # fmt: skip
MX_BACKUP = FindingKind(
    "permit-mx-backup", Severity.WARNING,
    "permit_mx_backup in {parameter} accepts mail for every name whose MX records lead here, whatever the rules say.",
    "Take it out, and make rules for those names.",
    source="postconf(5)",
)  # fmt: skip
OPEN_NETWORK = FindingKind(
    "open-relay", Severity.ERROR,
    "mynetworks holds {network}: everybody there may send mail to anywhere through this server (open relay).",
    "Name your own networks there, and no other.",
    source="postconf(5)",
)  # fmt: skip
REFUSED_RECIPIENTS = FindingKind(
    "relay-recipients", Severity.ERROR,
    "relay_recipient_maps is set, so recipients of the rules that stand in none of its tables are refused.",
    "Add them there, or leave it empty.",
    source="postconf(5)",
)  # fmt: skip

ACCEPTED_WHEN_DOWN = FindingKind(
    "unknown-recipients", Severity.WARNING,
    "While a primary cannot be asked, Postfix accepts unknown recipients of all rules that learn, also of those that "
    "are to put them off ({count}, the first is {first}).",
    "Let all rules say the same, or take unverified_recipient_defer_code out.",
    source="postconf(5)",
)  # fmt: skip
DEFERRED_WHEN_DOWN = FindingKind(
    "unknown-recipients", Severity.WARNING,
    "While a primary cannot be asked, Postfix puts off unknown recipients of all rules that learn, also of those that "
    "are to accept them ({count}, the first is {first}).",
    "Let all rules say the same, or set unverified_recipient_defer_code to 250.",
    source="postconf(5)",
)  # fmt: skip

REFUSES_ALL = FindingKind(
    "refuses-all", Severity.ERROR,
    "{word} in {parameter} refuses all mail from elsewhere, that of the rules too.",
    "Put permit_auth_destination before it.",
    source="postconf(5)",
)  # fmt: skip
ASKS_PRIMARY = FindingKind(
    "asks-primary", Severity.WARNING,
    "reject_unverified_recipient in {parameter} asks the primary about each recipient: while it is away, mail is put "
    "off and not held here.",
    "Take it out, and let the rules that want it learn: mxbackup set NAME --recipients learn",
    source="postconf(5)",
)  # fmt: skip
PERMITS_ALL = FindingKind(
    "recipients-permitted", Severity.WARNING,
    "{word} in {parameter} stands before our tables: rules with a list, or that learn, accept every recipient.",
    "Put it behind them, or take it out.",
    source="postconf(5)",
)  # fmt: skip
FORGETFUL = FindingKind(
    "recipients-forgotten", Severity.WARNING,
    "address_verify_map is empty, so what Postfix learns of recipients is forgotten when it is restarted: in an "
    "outage, real recipients are then treated as unknown ones.",
    "Take it out of main.cf: the usual value is a file.",
    source="postconf(5)",
)  # fmt: skip

_ITEM = re.compile(r"(?:\{(?:[^{}]|\{[^{}]*\})*\}|[^\s,{}])+")


def items(value: str) -> list[str]:
    """Return the items of a list in main.cf; what stands in braces is one."""
    return _ITEM.findall(value)


def local_names(values: Mapping[str, str]) -> frozenset[str]:
    """Return the names that Postfix delivers itself, of the values of the parameters LOCAL; not those in tables."""
    found = (item for name in LOCAL for item in items(values.get(name, "")))
    return frozenset(item.lower() for item in found if ":" not in item and "/" not in item)


def changes(host: Host, rules: RuleSet) -> list[SettingChange]:
    """Return what is to be changed for our tables to count. What else stands there stays. Raises HostError.

    Nothing is needed without a rule, and what says which recipients there are only where one is particular about them.
    """
    if not rules:
        return []
    found = tables_to_name(host)
    if any(rule.recipients != Recipients.ANY for rule in rules):
        found += _restrictions_to_add(host, postfixtable.table_type(host))
    if (code := _code_when_down(rules)) and (change := _default_changed(host, DEFER_CODE, code)):
        found.append(change)
    return found


def naming(host: Host) -> dict[str, list[str]]:
    """Return what names our tables, by the parameter that has to. Raises HostError."""
    kind = postfixtable.table_type(host)
    return {name: [table.lookup(kind) for table in tables] for name, tables in NEEDED.items()}


def still_named(host: Host) -> Message | None:
    """Return that tables of ours are named, if any is. Raises HostError."""
    named = postfix.parameters(host, *NEEDED, RECIPIENTS).values()
    if not any(f":{DIRECTORY}/" in value for value in named):
        return None
    return Message(
        "main.cf goes on naming the tables in {path}, which have to stay there as long as it does.", path=DIRECTORY
    )


def tables_to_name(host: Host) -> list[SettingChange]:
    """Return what is to be changed for our tables to be looked up. Raises HostError."""
    expanded, written = (postfix.parameters(host, *NEEDED, expanded=way) for way in (True, False))
    found = []
    for name, ours in naming(host).items():
        before = written[name] if expanded[name] else ""  # a default may be empty, and long
        if set(ours) - set(items(expanded[name])):
            found.append(SettingChange(name, before, _with(ours, before)))
    return found


def _restrictions_to_add(host: Host, kind: str) -> list[SettingChange]:
    """Ask our tables after all others, but before a word that ends the list; declare the class that they name."""
    names = ("smtpd_restriction_classes", UNLISTED_CLASS, RECIPIENTS)
    before = postfix.parameters(host, *names, expanded=False)
    now = postfix.parameters(host, *names)
    refusal = f"check_recipient_access regexp:{recipient_access.UNLISTED.path}"
    ours = recipient_access.checks(kind)
    after = dict(before)
    if UNLISTED_CLASS not in items(now["smtpd_restriction_classes"]):
        after["smtpd_restriction_classes"] = f"{before['smtpd_restriction_classes']} {UNLISTED_CLASS}".strip()
    after[UNLISTED_CLASS] = refusal
    if not set(ours) <= set(_restrictions(now[RECIPIENTS])):
        others = re.sub(rf"check_recipient_access\s+\S*:{DIRECTORY}/\S+[\s,]*", "", before[RECIPIENTS])
        rest = re.sub(r"[\s,]*(\b(permit|reject))?[\s,]*$", "", others)
        end = items(others)[-1:] if items(others)[-1:] in (["permit"], ["reject"]) else []
        after[RECIPIENTS] = ", ".join(filter(None, [rest, *ours, *end]))
    return [SettingChange(name, before.get(name, ""), after[name]) for name in names if before.get(name) != after[name]]


def _restrictions(value: str) -> list[str]:
    """Return the restrictions of a list, each with what belongs to it: a table stands behind its check."""
    found: list[str] = []
    for item in items(value):
        if found and ":" in item:
            found[-1] += f" {item}"
        else:
            found.append(item)
    return found


def _code_when_down(rules: RuleSet) -> str:
    """Return the code for recipients that cannot be asked about; empty when the usual one is right, or rules differ."""
    wanted = {rule.unknown for rule in rules if rule.recipients == Recipients.LEARN}
    return "250" if wanted == {Unknown.ACCEPT} else ""


def _default_changed(host: Host, name: str, value: str) -> SettingChange | None:
    """Return the change of a parameter that nobody set, for all mail of this server."""
    before = postfix.parameters(host, name, expanded=False)[name]
    return SettingChange(name, before, value) if before == "450" else None


def findings(host: Host, rules: RuleSet) -> list[Finding]:
    """Return what is missing, and what accepts mail besides the rules, or refuses it. Raises HostError."""
    missing = [NOT_NAMED.found(PATH, parameter=change.name) for change in changes(host, rules)]
    values = postfix.parameters(host, *RESTRICTIONS, DEFER_CODE, VERIFIED)
    found = [finding for name in RESTRICTIONS for finding in _restricted(name, values.get(name, ""), rules)]
    return [*missing, *besides(host), *found, *_when_down(values, rules)]


def besides(host: Host) -> Iterator[Finding]:
    """Yield what accepts mail besides the rules, or refuses it. Raises HostError."""
    values = postfix.parameters(host, *RESTRICTIONS, "mynetworks", "relay_recipient_maps")
    for name in RESTRICTIONS:
        if "permit_mx_backup" in items(values.get(name, "")):
            yield MX_BACKUP.found(PATH, parameter=name)
    for network in filter(_is_open, items(values["mynetworks"])):
        yield OPEN_NETWORK.found(PATH, network=network)
    if values["relay_recipient_maps"]:
        yield REFUSED_RECIPIENTS.found(PATH)


def _restricted(parameter: str, value: str, rules: RuleSet) -> Iterator[Finding]:
    """What a list of restrictions does to mail for the rules before, or instead of, asking our tables."""
    particular = parameter == RECIPIENTS and any(rule.recipients != Recipients.ANY for rule in rules)
    warned = False  # of the word behind it, only
    for word in items(value) if rules else ():
        if word in ("reject", "defer") and not warned:
            yield REFUSES_ALL.found(PATH, word=word, parameter=parameter)
        if word == "reject_unverified_recipient" and not warned:
            yield ASKS_PRIMARY.found(PATH, parameter=parameter)
        if f":{DIRECTORY}/" in word:
            particular = False
        if word in ("permit", "permit_auth_destination"):
            if particular:
                yield PERMITS_ALL.found(PATH, word=word, parameter=parameter)
            return
        warned = word == "warn_if_reject"


def _when_down(values: Mapping[str, str], rules: RuleSet) -> Iterator[Finding]:
    """What is learnt has to outlast a restart, and what is done while a primary cannot be asked is one setting."""
    learning = [rule for rule in rules if rule.recipients == Recipients.LEARN]
    if learning and not values[VERIFIED]:
        yield FORGETFUL.found(PATH)
    done = Unknown.ACCEPT if values[DEFER_CODE] == "250" else Unknown.DEFER
    others = [rule for rule in learning if rule.unknown != done]
    if others and done == Unknown.ACCEPT:
        yield ACCEPTED_WHEN_DOWN.found(PATH, count=len(others), first=shown(others[0]))
    elif others:
        yield DEFERRED_WHEN_DOWN.found(PATH, count=len(others), first=shown(others[0]))


def _is_open(item: str) -> bool:
    """Whether an item of mynetworks holds more than any private network; a table is not looked into."""
    try:
        network = ipaddress.ip_network(re.sub(r"[][]", "", item), strict=False)
    except ValueError:
        return False
    return network.prefixlen < LARGEST[network.version]


def _with(ours: list[str], written: str) -> str:
    """Return a list with our tables first, so that none before them decides, and once."""
    found = items(written)
    others = [item for item in found if f":{DIRECTORY}/" not in item]
    return " ".join([*ours, *([written] if others == found and found else others)])
