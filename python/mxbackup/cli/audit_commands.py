# SPDX-License-Identifier: GPL-2.0-or-later
"""The command for the owner of a domain, from any machine: what all of its mail exchangers say to a stranger."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mxbackup.cli import arguments, typography
from mxbackup.cli.common import NO, NOT_POSSIBLE, _, examples, json_option, print_json, print_table, words
from mxbackup.errors import Severity
from mxbackup.rules import names
from mxbackup.service.context import Context
from mxbackup.words import terminal

if TYPE_CHECKING:
    from mxbackup.audit.asking import Request
    from mxbackup.service.auditing import Audit


@click.command(
    help=_(
        "Ask all mail exchangers of DOMAIN as a stranger would: whom they accept, whom they refuse, and what their "
        "encryption is worth. Runs on any machine outside, and sends no message. The exit status is 1 for an error; "
        "without one it is 3 when something could not be asked."
    ),
    epilog=examples(
        "mxbackup audit dupontnet.com --recipient jean.dupont",
        "mxbackup audit dupontnet.com --primary mail.dupontnet.com",
        "mxbackup audit dupontnet.com --changes",
    ),
)
@click.argument("domain")
@click.option("--recipient", metavar="ADDRESS", help=_("Somebody in DOMAIN who exists; by default postmaster."))
@click.option(
    "--primary", "primaries", multiple=True, metavar="HOST",
    help=_("A mail exchanger that is no backup; by default those with the lowest preference number."),
)  # fmt: skip
@click.option("--refuse", metavar="ADDRESS", help=_("The address that must be refused; by default one in example.net."))
@click.option("--helo", metavar="NAME", default="", help=_("The name to greet with; by default this machine's."))
@click.option(
    "--limit", type=typography.Seconds(0.1, 3600), default=120, show_default=True, help=_("Seconds for all of it.")
)
@click.option("--changes", "only_changes", is_flag=True, help=_("Print only what has changed since the last time."))
@click.option(
    "--state", metavar="FILE", type=click.Path(dir_okay=False, readable=False),
    help=_("With --changes: where the last time is remembered; by default in ~/.local/state/mxbackup."),
)  # fmt: skip
@json_option
@click.pass_obj
def audit(
    context: Context,
    domain: str,
    recipient: str | None,
    primaries: tuple[str, ...],
    refuse: str | None,
    helo: str,
    limit: float,
    only_changes: bool,
    state: str | None,
    as_json: bool,
) -> int:
    """Ask all exchangers, print a line for each and what was found; with --changes nothing where nothing changed."""
    from mxbackup.audit.asking import Request
    from mxbackup.service import auditing

    name = names.parse_host(domain)
    request = Request(
        name,
        _recipient(recipient or "postmaster", name),
        f"{secrets.token_hex(6)}@{name}",
        _stranger(refuse or f"{secrets.token_hex(6)}@example.net", name),
        frozenset(names.parse_host(host) for host in primaries),
        arguments.word(helo),
    )
    if state and not only_changes:
        raise click.UsageError(_("--state says where --changes remembers: give both, or neither."))
    if only_changes:
        path = Path(terminal.path(state)) if state else auditing.default_state(name)
        return _exit_status(_tell_changes(context, request, limit, path, as_json))
    found = auditing.audit(context, request, limit)
    _print(found, as_json)
    return _exit_status(found)


def _tell_changes(context: Context, request: "Request", limit: float, path: Path, as_json: bool) -> "Audit":
    """Print the audit where it is the first or something has changed, and remember it."""
    from mxbackup.audit import memory
    from mxbackup.service import auditing
    from mxbackup.words import about_audits, about_checks

    before = auditing.remembered(path, request.domain)
    found = auditing.audit(context, request, limit)
    now = memory.of(found.facts, [(finding, about_checks.sentence(finding, words)) for finding in found.findings])
    changed = memory.changes(before, now) if before else None
    if changed or before is None:
        if not as_json:
            click.echo("\n".join(about_audits.changes(changed, words)) + "\n")
        _print(found, as_json)
    auditing.remember(path, now)
    return found


def _print(found: "Audit", as_json: bool) -> None:
    from mxbackup.words import about_audits

    facts = found.facts
    if as_json:
        print_json(about_audits.to_json(facts, found.findings, words))
        return
    if facts.asked:
        click.echo(about_audits.heading(facts, words) + "\n")
        print_table(about_audits.table(facts, words))
        click.echo()
    click.echo("\n".join(about_audits.findings(found.findings, words)))


def _exit_status(found: "Audit") -> int:
    """An error is an answer, whatever else could not be asked."""
    if any(finding.severity == Severity.ERROR for finding in found.findings):
        return NO
    return 0 if found.facts.complete else NOT_POSSIBLE


def _recipient(text: str, domain: str) -> str:
    """An address in the domain, whose name may be left out."""
    found = arguments.mailbox(text if "@" in text else f"{text}@{domain}")
    if found.rpartition("@")[2] != domain:
        raise click.UsageError(_("{address} is not in {name}: give somebody there.", address=found, name=domain))
    return found


def _stranger(text: str, domain: str) -> str:
    """An address that is none of the domain's."""
    found = arguments.mailbox(text)
    if found.rpartition("@")[2] == domain:
        raise click.UsageError(_("{address} is in {name}: give a stranger's address.", address=found, name=domain))
    return found


COMMANDS = (audit,)
