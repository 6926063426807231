# SPDX-License-Identifier: GPL-2.0-or-later
"""What `--json` prints, as types: of them docs/json*.md and docs/mxbackup.schema.json are made, by which tests judge.

No command imports this. What may be added to a document without a new version is a key; times are seconds since 1970.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, NotRequired, TypedDict

from mxbackup.audit.facts import Unasked
from mxbackup.check.vantage import Vantage
from mxbackup.errors import Sentence, Severity
from mxbackup.lookup.query import Status as Answered
from mxbackup.outage import Condition, Happening
from mxbackup.outage.steps import Progress
from mxbackup.queue import Ending
from mxbackup.routing.entries import Way
from mxbackup.routing.verdict import Verdict
from mxbackup.rules import Recipients, Unknown
from mxbackup.smtp.replies import Outcome


class Told(NamedTuple):
    """What a key tells."""

    sentence: Sentence


Found = Literal["fine", "warning", "error"]


class Document(TypedDict):
    """What every document has."""

    version: Annotated[
        Literal[1], Told("The version of the document. It rises when a key goes or changes its meaning.")
    ]


class Left(TypedDict):
    """A record that is no rule."""

    key: Annotated[str, Told("The key of the record.")]
    reason: Annotated[str, Told("What is wrong, in words.")]


class Fault(TypedDict):
    """A fault in a record whose rule is in force."""

    name: Annotated[str, Told("The name, as the DNS has it.")]
    reason: Annotated[str, Told("What is wrong, in words.")]


class Draining(TypedDict):
    """A rule that is removed or disabled, whose mail waits."""

    name: Annotated[str, Told("The name, as the DNS has it.")]
    messages: Annotated[int | None, Told("How many messages wait; null where the queue cannot be read.")]


class Known(TypedDict):
    """What is known of the recipients of a rule."""

    policy: Annotated[Recipients, Told("Which recipients are accepted.")]
    unknown: Annotated[Unknown, Told("What happens to recipients that are not known yet.")]
    known: Annotated[int, Told("How many recipients are known.")]
    newest_answer_age: Annotated[int | None, Told("How old the newest answer of the primary is, in seconds.")]
    list_whole: Annotated[bool, Told("Whether all lines of the list are addresses.")]
    primary_accepts_all: Annotated[bool, Told("Whether the primary accepts every recipient.")]


class Held(TypedDict):
    """Mail that is held."""

    name: Annotated[str, Told("The name, as the DNS has it.")]
    messages: Annotated[int, Told("How many messages wait.")]
    recipients: Annotated[int, Told("How many recipients wait.")]
    bytes: Annotated[int, Told("How large the messages are together.")]
    oldest: Annotated[int, Told("When the first of them arrived.")]
    next: Annotated[int | None, Told("When it is tried next; null where it has just come.")]
    expires: Annotated[int, Told("From when on the first goes back to its sender.")]
    reason: Annotated[str | None, Told("Why it waits: the last answer.")]
    frozen: NotRequired[Annotated[int, Told("How many messages are on hold; only where some are.")]]


class State(TypedDict):
    """A rule as it is now."""

    condition: Annotated[Condition, Told("The state, in one word.")]
    since: Annotated[int | None, Told("Since when.")]
    reason: Annotated[str | None, Told("Why: what the primary said.")]
    check: Annotated[Found | None, Told("What the last check found; null before the first.")]
    checked: Annotated[int | None, Told("When that was.")]
    codes: Annotated[list[str], Told("The codes of the errors that it found: see docs/findings.md.")]


class Rule(TypedDict):
    """A rule."""

    name: Annotated[str, Told("The name, as the DNS has it.")]
    unicode: Annotated[str, Told("The name, as people write it.")]
    destination: Annotated[Way, Told("Where its mail goes.")]
    origin: Annotated[str | None, Told("The catalog that it comes from; null where it was made here.")]
    covered_by: Annotated[str | None, Told("The domain rule that it lies below.")]
    recipients: Annotated[Known, Told("What is known of its recipients.")]
    held: Annotated[Held | None, Told("What is held for it; null when nothing is.")]
    state: Annotated[State, Told("How it is now, and what the last check found.")]


class Mx(TypedDict):
    """An MX record."""

    preference: Annotated[int, Told("The preference number.")]
    name: Annotated[str, Told("The mail exchanger; empty in a null MX.")]
    ours: Annotated[bool, Told("Whether it is this server.")]


class NameServer(TypedDict):
    """A name server of the domain."""

    name: Annotated[str, Told("The name server.")]
    answer: Annotated[Literal["answers", "silent", "lame"], Told("How it answered.")]
    mx: Annotated[list[Mx], Told("The MX records that it gave.")]


class Step(TypedDict):
    """A step of the how-to."""

    step: Annotated[Literal["rule", "dns", "test", "drill"], Told("Which step.")]
    state: Annotated[Progress, Told("How it stands.")]
    time: Annotated[int | None, Told("When that was.")]
    message: Annotated[str, Told("What is known, in words.")]
    next: Annotated[str | None, Told("What is to be done next, in words.")]
    servers: NotRequired[Annotated[list[NameServer], Told("Of the step dns: what each name server said.")]]


class Listed(Document):
    """list"""

    rules: Annotated[list[Rule], Told("The rules.")]
    invalid: Annotated[list[Left], Told("Records that are no rules, and are left out.")]
    faults: Annotated[list[Fault], Told("Faults in records that leave the rule in force.")]
    queue_trouble: Annotated[str | None, Told("Why the queue cannot be read, in words.")]
    draining: Annotated[list[Draining], Told("Rules that are removed, and whose mail in the queue is still delivered.")]


class Show(Document, Rule):
    """show"""

    queue_trouble: Annotated[str | None, Told("Why the queue cannot be read, in words.")]
    steps: Annotated[list[Step], Told("The steps of the how-to.")]


class ShowDraining(Document, Draining):
    """show of a rule that is removed"""


class Counts(TypedDict):
    """How many rules there are."""

    domain: Annotated[int, Told("Rules for domains.")]
    host: Annotated[int, Told("Rules for hosts.")]


class File(TypedDict):
    """A file that we contribute to."""

    name: Annotated[str, Told("What mxbackup render calls it.")]
    path: Annotated[str, Told("The file.")]
    present: Annotated[bool, Told("Whether this host has it.")]
    current: Annotated[bool, Told("Whether it holds the rules as they are.")]


class Mistake(TypedDict):
    """A finding in a file."""

    level: Annotated[Severity, Told("How bad it is.")]
    code: Annotated[str, Told("Which finding it is: see docs/findings.md.")]
    path: Annotated[str, Told("The file.")]
    lines: Annotated[list[int], Told("Its lines, from 1 on.")]
    message: Annotated[str, Told("What is wrong and what to do, in words.")]


class Total(TypedDict):
    """All that is held for rules."""

    messages: Annotated[int, Told("How many messages wait.")]
    recipients: Annotated[int, Told("How many recipients wait.")]
    bytes: Annotated[int, Told("How large the messages are together.")]


class Checks(TypedDict):
    """The last checks."""

    when: Annotated[int | None, Told("When the newest check was; null before the first.")]
    errors: Annotated[list[str], Told("The names of the rules with errors.")]
    warnings: Annotated[list[str], Told("The names of the rules with warnings.")]
    never: Annotated[list[str], Told("The names of the rules that are not checked yet.")]


class Status(Document):
    """status"""

    enabled: Annotated[bool, Told("Whether MX backup is enabled.")]
    rules: Annotated[Counts, Told("How many rules there are.")]
    invalid: Annotated[list[Left], Told("Records that are no rules, and are left out.")]
    faults: Annotated[list[Fault], Told("Faults in records that leave the rule in force.")]
    draining: Annotated[list[Draining], Told("Rules that are removed, and whose mail in the queue is still delivered.")]
    targets: Annotated[list[File], Told("The files that the rules stand in.")]
    findings: Annotated[list[Mistake], Told("What is wrong in the files of the mail system.")]
    recipients: Annotated[dict[str, Known], Told("What is known of recipients, by the name of the rule.")]
    smarthost: Annotated[str | None, Told("The smart host.")]
    bypass: Annotated[list[str], Told("The names of the rules whose mail goes around it.")]
    held: Annotated[Total | None, Told("What is held in all; null where the queue cannot be read.")]
    without_rule: Annotated[dict[str, int], Told("How many messages wait for names without a rule.")]
    queue_trouble: Annotated[str | None, Told("Why the queue cannot be read, in words.")]
    states: Annotated[dict[str, State], Told("The rules that are not fine, by name.")]
    checks: Annotated[Checks, Told("What the last checks found.")]


class Finding(TypedDict):
    """A finding."""

    code: Annotated[str, Told("Which finding it is: see docs/findings.md.")]
    severity: Annotated[Severity, Told("How bad it is.")]
    sentence: Annotated[str, Told("What is wrong, in words.")]
    advice: Annotated[str, Told("What to do about it, in words.")]


class Contact(TypedDict):
    """A dialogue with a primary."""

    target: Annotated[str, Told("The address and the port.")]
    outcome: Annotated[Outcome, Told("What became of the recipient postmaster.")]
    banner: Annotated[str, Told("The greeting of the server.")]
    reply: Annotated[str, Told("Its reply.")]


class Sent(TypedDict):
    """What the mail system does with mail that it holds."""

    verdict: Annotated[Verdict, Told("What becomes of it.")]
    code: Annotated[str | None, Told("The status code of that (RFC 3463).")]
    to: Annotated[list[str], Told("Where it is sent, in order.")]


class Report(TypedDict):
    """The report of one name."""

    name: Annotated[str, Told("The name, as the DNS has it.")]
    verdict: Annotated[Verdict, Told("What becomes of mail that arrives here.")]
    code: Annotated[str | None, Told("The status code of that (RFC 3463).")]
    to: Annotated[list[str], Told("Where it is sent, in order.")]
    sent: Annotated[Sent, Told("What the mail system alone decides of mail that it holds.")]
    state: Annotated[Found | Literal["unchecked"], Told("What the check found.")]
    contacts: Annotated[list[Contact], Told("The dialogues with the primary.")]
    findings: Annotated[list[Finding], Told("The findings, errors first.")]


class Check(Document):
    """check"""

    rules: Annotated[list[Report], Told("The reports, in the order of the names.")]


class Replay(Document):
    """check --replay"""

    name: Annotated[str, Told("The name, as the DNS has it.")]
    sender: Annotated[str, Told("The sender of the test message.")]
    recipient: Annotated[str, Told("Its recipient.")]
    outcome: Annotated[Ending | None, Told("What became of it; null where nothing is known.")]
    text: Annotated[str | None, Told("What the primary said.")]
    seconds: Annotated[int, Told("How long that took, in seconds.")]


class Queue(Document):
    """queue"""

    rules: Annotated[list[Held], Told("What is held for rules.")]
    without_rule: Annotated[list[Held], Told("What is held for names without a rule.")]


class Event(TypedDict):
    """What happened to a rule."""

    time: Annotated[int, Told("When it happened.")]
    name: Annotated[str, Told("The name, as the DNS has it.")]
    event: Annotated[Happening, Told("What happened.")]
    messages: NotRequired[Annotated[int, Told("How many messages it is about.")]]
    waited: NotRequired[Annotated[int, Told("For how long the first waited, in seconds.")]]
    reason: NotRequired[Annotated[str, Told("Why, or by whom.")]]


class History(Document):
    """history"""

    events: Annotated[list[Event], Told("What happened, oldest first.")]
    damaged_lines: Annotated[int, Told("How many lines of the history are damaged.")]


class Replies(TypedDict):
    """The replies to three recipients."""

    recipient: Annotated[str, Told("To somebody who exists.")]
    nobody: Annotated[str, Told("To somebody who does not exist.")]
    stranger: Annotated[str, Told("To a recipient in a stranger's domain.")]


class Tls(TypedDict):
    """What the encryption is worth."""

    version: Annotated[str | None, Told("The version of TLS; null where it failed.")]
    trusted: Annotated[bool, Told("Whether the certificate is trusted.")]
    trouble: Annotated[str | None, Told("What is wrong, in words.")]
    until: Annotated[int | None, Told("Until when the certificate is valid.")]


class Tlsa(TypedDict):
    """TLSA records."""

    records: Annotated[int, Told("How many there are.")]
    signed: Annotated[bool, Told("Whether they are signed (DNSSEC).")]


class Exchanger(TypedDict):
    """A mail exchanger."""

    preference: Annotated[int, Told("The preference number.")]
    name: Annotated[str, Told("The mail exchanger; empty in a null MX.")]
    role: Annotated[Literal["primary", "backup"], Told("Whether it is primary or backup.")]
    addresses: Annotated[list[str], Told("Its addresses.")]
    unasked: Annotated[Unasked | None, Told("Why it was not asked.")]
    vantage: Annotated[Vantage, Told("Where this machine stands, as the server sees it.")]
    outcome: Annotated[Outcome | None, Told("What became of the recipient; null where it was not asked.")]
    trouble: Annotated[str | None, Told("What is wrong, in words.")]
    banner: Annotated[str, Told("The greeting of the server.")]
    replies: Annotated[Replies, Told("Its replies.")]
    starttls: Annotated[bool | None, Told("Whether it offers encryption; null where it was not asked.")]
    tls: Annotated[Tls | None, Told("What the encryption is worth; null where that was not tried.")]
    tlsa: Annotated[Tlsa, Told("Its TLSA records.")]


class Asked(TypedDict):
    """A name server that was asked."""

    server: Annotated[str, Told("The name server.")]
    status: Annotated[Answered, Told("How it answered.")]


class MtaSts(TypedDict):
    """An MTA-STS policy."""

    mode: Annotated[str, Told("Its mode.")]
    mx: Annotated[list[str], Told("The mail exchangers that it lists.")]


class Audit(Document):
    """audit"""

    domain: Annotated[str, Told("The name, as the DNS has it.")]
    recipient: Annotated[str, Told("To somebody who exists.")]
    nobody: Annotated[str, Told("To somebody who does not exist.")]
    stranger: Annotated[str, Told("To a recipient in a stranger's domain.")]
    complete: Annotated[bool, Told("Whether everything could be asked.")]
    exchangers: Annotated[list[Exchanger], Told("The mail exchangers.")]
    name_servers: Annotated[list[Asked], Told("The name servers of the domain.")]
    mta_sts: Annotated[MtaSts | None, Told("The MTA-STS policy; null where there is none.")]
    findings: Annotated[list[Finding], Told("The findings, errors first.")]


class Published(TypedDict):
    """A catalog that is published."""

    zone: Annotated[str, Told("The zone of the catalog.")]
    serial: Annotated[int | None, Told("Its serial number.")]
    written: Annotated[bool, Told("Whether it was written.")]
    trouble: Annotated[str | None, Told("What is wrong, in words.")]
    added: Annotated[list[str], Told("The names that are new in it.")]
    changed: Annotated[list[str], Told("The names whose rule has changed.")]
    removed: Annotated[list[str], Told("The names that are gone from it.")]


class Publish(Document):
    """publish"""

    catalogs: Annotated[list[Published], Told("The catalogs.")]


class LeftOut(TypedDict):
    """A member of a catalog that is not taken."""

    member: Annotated[str, Told("Its name in the catalog.")]
    reason: Annotated[str, Told("What is wrong, in words.")]


class Plan(TypedDict):
    """Rules by what becomes of them."""

    added: Annotated[list[str], Told("The names that are new in it.")]
    changed: Annotated[list[str], Told("The names whose rule has changed.")]
    removed: Annotated[list[str], Told("The names that are gone from it.")]


class Catalog(TypedDict):
    """A catalog that is followed."""

    zone: Annotated[str, Told("The zone of the catalog.")]
    serial: Annotated[int | None, Told("Its serial number.")]
    asked: Annotated[int | None, Told("When its server was last asked.")]
    trouble: Annotated[str | None, Told("What is wrong, in words.")]
    refused: Annotated[str | None, Told("Why nothing of it is taken, in words.")]
    done: Annotated[Plan, Told("What was done.")]
    waits: Annotated[Plan, Told("What waits for --confirm.")]
    left_out: Annotated[list[LeftOut], Told("What of it is never taken.")]
    unwanted: Annotated[int, Told("How many of its names are not wanted here.")]


class Follow(Document):
    """follow"""

    catalogs: Annotated[list[Catalog], Told("The catalogs.")]


class Address(Document):
    """address"""

    interfaces: Annotated[list[str], Told("The addresses of this machine.")]
    stated: Annotated[list[str], Told("The public addresses, as stated.")]
    public: Annotated[list[str], Told("The addresses that lead here from outside.")]


class Listing(Document):
    """recipients list"""

    name: Annotated[str, Told("The name, as the DNS has it.")]
    counts: Annotated[bool, Told("Whether the list counts.")]
    whole: Annotated[bool, Told("Whether all lines of the list are addresses.")]
    addresses: Annotated[list[str], Told("The addresses in it.")]


# Which have the properties of a rule, too, except for what is said of recipients: see `rules.PROPERTIES`.
WITH_PROPERTIES = (Rule, Show, Draining, ShowDraining)
# By the command that prints them, the first that fits.
DOCUMENTS: Mapping[str, type] = {
    "list": Listed,
    "show": Show,
    "show-draining": ShowDraining,
    "status": Status,
    "check": Check,
    "check-replay": Replay,
    "queue": Queue,
    "history": History,
    "audit": Audit,
    "publish": Publish,
    "follow": Follow,
    "address": Address,
    "recipients": Listing,
}
