# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that tell whether it will work: the checks of rules, and an SMTP dialogue from outside."""

import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from mxbackup.cli import arguments, typography
from mxbackup.cli.common import (
    NO,
    NOT_POSSIBLE,
    _,
    examples,
    json_option,
    names_argument,
    print_invalid,
    print_json,
    words,
)
from mxbackup.errors import InvalidName, Sentence, Severity
from mxbackup.rules import names
from mxbackup.service import checking
from mxbackup.service.context import Context
from mxbackup.words import terminal
from mxbackup.words.terminal import Colour

if TYPE_CHECKING:
    from mxbackup.check.collecting import Report
    from mxbackup.lookup.query import Server
    from mxbackup.service.replaying import Replay

STATES = ("error", "unchecked", "warning", "fine")  # of reports, in the order they are told in
COLOURS: Mapping[str, Colour] = {Severity.ERROR: Colour.RED, Severity.WARNING: Colour.YELLOW}


@click.command(
    help=_(
        "Tell whether backup MX works for NAMEs, for all rules without one. The exit status is 1 for an error; without "
        "one it is 3 when something could not be checked."
    ),
    epilog=examples(
        "mxbackup check",
        "mxbackup check --problems",
        "mxbackup check dupontnet.com --nameserver 1.2.3.4",
        "mxbackup check dupontnet.com --public-address 111.112.113.114",
    ),
)
@names_argument()
@click.option("--all", "all_rules", is_flag=True, help=_("Check all rules."))
@click.option("--problems", is_flag=True, help=_("Print only what is not fine."))
@arguments.nameserver_option
@arguments.public_option
@click.option(
    "--remember", is_flag=True,
    help=_("Record the states, and mail admin when a rule turns from fine to error, or back."),
)  # fmt: skip
@click.option(
    "--limit", type=typography.Seconds(0.1, 86400), default=1200, show_default=True,
    help=_("Seconds for all of it; what is left over then is not checked."),
)  # fmt: skip
@click.option(
    "--replay", is_flag=True,
    help=_("Send one message the way that held mail takes, and tell what the primary of NAME does with it."),
)  # fmt: skip
@click.option("--yes", is_flag=True, help=_("With --replay: the owner has agreed."))
@click.option(
    "--recipient", metavar="ADDRESS", help=_("With --replay: whom to send it to; by default postmaster of NAME.")
)
@click.option(
    "--sender-domain", metavar="NAME", default="example.com", show_default=True,
    help=_("With --replay: a domain whose records say that nobody sends its mail."),
)  # fmt: skip
@click.option(
    "--tested", is_flag=True,
    help=_("Check nothing, and record that somebody has tested NAME from outside today."),
)  # fmt: skip
@click.option("--by", metavar="WHO", help=_("With --tested: who has tested, and how, in a few words."))
@json_option
@click.pass_obj
def check(
    context: Context,
    wanted: tuple[str, ...],
    all_rules: bool,
    problems: bool,
    nameservers: "Sequence[Server]",
    public: Sequence[str],
    remember: bool,
    limit: float,
    replay: bool,
    yes: bool,
    recipient: str | None,
    sender_domain: str,
    tested: bool,
    by: str | None,
    as_json: bool,
) -> int:
    """Check names, print what was found, and remember it when that is asked for."""
    from mxbackup.words import about_checks

    if tested or by:
        if replay or all_rules or not (tested and by) or len(wanted) != 1:
            raise click.UsageError(_("To record a test: mxbackup check --tested NAME --by WHO"))
        return _record_test(context, wanted[0], by)
    if replay:
        return _replay(context, wanted, recipient, sender_domain, yes=yes, as_json=as_json)
    if all_rules and wanted:
        raise click.UsageError(_("Give names, or --all for all rules, not both."))
    if not wanted:
        context.require_server()
    found = checking.check(
        context, wanted, public=public, nameservers=nameservers, limit=limit, remember=remember, progress=_progress
    )
    shown = [report for report in found.reports if not problems or report.state != "fine"]
    if as_json:
        print_json({"rules": [about_checks.to_json(report, words) for report in shown]})
    else:
        _print(shown, nameservers)
    if all_rules or not wanted:
        print_invalid(found.invalid)
    _tell_names("Not checked: {names}.", found.reports, "unchecked", err=True)
    if not as_json:
        _summarise(found.reports)
    return _exit_status(found.reports)


@click.command(
    help=_(
        "Talk to the mail server HOST as a stranger who has mail for RECIPIENT. Runs on any machine outside. The exit "
        "status is 1 when an answer is not as it should be; 3 when HOST cannot be reached, or ends the dialogue."
    ),
    epilog=examples(
        "mxbackup probe mail.durantcom.net jean.dupont@dupontnet.com",
        "mxbackup probe mail.durantcom.net jean.dupont@dupontnet.com --send",
    ),
)
@click.argument("host")
@click.argument("recipient")
@click.option("--refuse", metavar="ADDRESS", help=_("The address that must be refused; by default one in example.net."))
@click.option("--sender", metavar="ADDRESS", help=_("The sender to give; by default postmaster of this machine."))
@click.option("--helo", metavar="NAME", default="", help=_("The name to greet with; by default this machine's."))
@click.option("--port", type=click.IntRange(1, 65535), default=25, show_default=True, help=_("The port of HOST."))
@click.option(
    "--timeout", type=typography.Seconds(0.1, 600), default=20, show_default=True, help=_("Seconds for all of it.")
)
@click.option("--send", is_flag=True, help=_("Send a test message, too."))
def probe(
    host: str,
    recipient: str,
    refuse: str | None,
    sender: str | None,
    helo: str,
    port: int,
    timeout: float,
    send: bool,
) -> int:
    """Hold the dialogue of the how-to, print it as telnet would, and the verdict."""
    from mxbackup.service import probing
    from mxbackup.smtp import client
    from mxbackup.words import about_probes

    refuse = arguments.mailbox(refuse) if refuse else f"{secrets.token_hex(6)}@example.net"
    sender = arguments.mailbox(sender) if sender else _own_sender()
    message = client.sample_message(sender, arguments.mailbox(recipient)) if send else None
    question = client.Question(arguments.mailbox(recipient), sender, refuse, arguments.word(helo), message)
    host = arguments.host(host)
    probed = probing.probe(host, question, port, timeout)
    dialogue = probed.dialogue
    click.echo("\n".join(dialogue.transcript) + "\n")
    for line in about_probes.verdict(dialogue, question, words, host, probed.security):
        click.echo(line)
    for line in about_probes.from_inside(probed.vantage, dialogue, question.recipient, words):
        click.echo(line)
    if about_probes.as_it_should_be(dialogue):
        return 0
    return NO if about_probes.answered(dialogue) else NOT_POSSIBLE


def _record_test(context: Context, name: str, by: str) -> int:
    from mxbackup.service import stepping
    from mxbackup.words import about_steps

    click.echo(about_steps.recorded(stepping.record_test(context, name, by), words))
    return 0


def _replay(
    context: Context, wanted: Sequence[str], recipient: str | None, domain: str, *, yes: bool, as_json: bool
) -> int:
    """Send the test message, and tell what became of it."""
    if len(wanted) != 1:
        raise click.UsageError(_("--replay is for one NAME."))
    if not yes:
        raise click.UsageError(
            _("This sends a message to the primary of {name}. Ask its owner, then add --yes.", name=wanted[0])
        )
    from mxbackup.service import replaying
    from mxbackup.words import about_replays

    def said(sent: "Replay") -> None:
        if not as_json:
            click.echo(about_replays.sent(sent.sender, sent.recipient, words))

    to = arguments.mailbox(recipient) if recipient else ""
    done = replaying.replay(context, wanted[0], recipient=to, domain=names.parse_host(domain), progress=said)
    if as_json:
        print_json(about_replays.to_json(done.name, done.sender, done.recipient, done.attempt, done.seconds))
    else:
        click.echo("\n".join(about_replays.result(done.name, done.attempt, done.seconds, words)))
    if done.attempt is None:
        return NOT_POSSIBLE
    return 0 if done.arrived else NO


def _exit_status(reports: Sequence["Report"]) -> int:
    """An error is an answer, whatever else could not be checked."""
    if any(report.state == "error" for report in reports):
        return NO
    return 0 if all(report.checked for report in reports) else NOT_POSSIBLE


@contextmanager
def _progress(wanted: Sequence[str]) -> Iterator["Callable[[Report], object]"]:
    """On a terminal, say who is waited for, and above that what is not fine as it comes."""
    if not terminal.understands(sys.stderr):
        yield lambda report: None
        return
    from mxbackup.words import about_checks

    line, waiting = terminal.Line(sys.stderr), dict.fromkeys(wanted)

    def show() -> None:
        for name in list(waiting)[:1]:
            place = len(wanted) - len(waiting) + 1
            line.show(
                _("Checking {name} ({place} of {count})", name=names.to_unicode(name), place=place, count=len(wanted))
            )

    def done(report: "Report") -> None:
        del waiting[report.name]
        if report.state != "fine" and len(wanted) > 1:
            line.above(about_checks.brief(report, words))
        show()

    show()
    try:
        yield done
    finally:
        line.clear()


def _print(reports: "Sequence[Report]", nameservers: "Sequence[Server]") -> None:
    """Print what was found, the worst first."""
    from mxbackup.words import about_checks

    for server in nameservers:
        click.echo(f"Using domain server:\nName: {server.address}\nAddress: {server.address}#{server.port}\nAliases:\n")
    for report in sorted(reports, key=lambda report: STATES.index(report.state)):
        for line in about_checks.heading(report, words):
            click.echo(line)
        for finding in report.findings:
            said, advice = about_checks.finding_lines(finding, words)
            terminal.paint(said, COLOURS.get(finding.severity))
            click.echo(advice)
        if not report.findings:
            terminal.paint(about_checks.well(words), Colour.GREEN)
        click.echo()


def _summarise(reports: "Sequence[Report]") -> None:
    """Tell how many rules are how, and last which have errors."""
    states = [report.state for report in reports]
    click.echo(
        _(
            "Rules checked: {count}; with errors: {errors}; with warnings: {warnings}; fine: {fine}.",
            count=len(states) - states.count("unchecked"),
            errors=states.count("error"),
            warnings=states.count("warning"),
            fine=states.count("fine"),
        )
    )
    _tell_names("With errors: {names}.", reports, "error")


def _tell_names(sentence: Sentence, reports: "Sequence[Report]", state: str, *, err: bool = False) -> None:
    if found := [names.to_unicode(report.name) for report in reports if report.state == state]:
        click.echo(words.text(sentence, names=", ".join(found)), err=err)


def _own_sender() -> str:
    """postmaster of this machine; the empty sender where it has no name with a dot."""
    try:
        return f"postmaster@{names.parse_host(socket.gethostname())}"
    except InvalidName:
        return ""


COMMANDS = (check, probe)
