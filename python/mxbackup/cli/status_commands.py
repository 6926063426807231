# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that tell the state of the server, and print what it should be."""

from typing import Any

import click
from click.shell_completion import get_completion_class

from mxbackup import rules
from mxbackup.cli.common import (
    NO,
    _,
    draining_json,
    examples,
    faults_json,
    invalid_json,
    json_option,
    labelled,
    print_draining,
    print_faults,
    print_invalid,
    print_json,
    words,
)
from mxbackup.cli.queue_commands import (
    NAMED,
    checks_json,
    print_checks,
    print_states,
    print_total,
    states_json,
    trouble_json,
)
from mxbackup.cli.recipient_commands import knowledge_json, knowledge_words
from mxbackup.errors import Finding, QueueElsewhere, Severity
from mxbackup.routing.entries import Way, actual_way
from mxbackup.rules import Kind, Recipients
from mxbackup.service import applying, held, inspecting, outages
from mxbackup.service.context import Context
from mxbackup.service.held import HeldMail
from mxbackup.service.inspecting import Status
from mxbackup.service.outages import Overview
from mxbackup.targets.registry import EXPANDED
from mxbackup.targets.target import TargetStatus

_LEVELS = {Severity.ERROR: _("error"), Severity.WARNING: _("warning"), Severity.NOTE: _("note")}


@click.command(
    help=_("Tell whether everything is in force. The exit status is 1 when something is not."),
    epilog=examples("mxbackup status", "mxbackup status --json"),
)
@json_option
@click.pass_obj
def status(context: Context, as_json: bool) -> int:
    """Print the state of the rules, the files and the smart host."""
    found = inspecting.status(context)
    mail = held.look(context.host, found.inventory)
    now = outages.overview(context.host, found.inventory, mail)
    if as_json:
        checks = checks_json(now, [str(rule.name) for rule in found.inventory.rules])
        print_json({**_status_json(found), **_held_json(mail), "states": states_json(now), "checks": checks})
    else:
        _print_status(found, mail, now, context.kind.command)
    unread = mail.trouble and not isinstance(mail.trouble, QueueElsewhere)
    return 0 if found.sound and not unread and not mail.stopped else NO


@click.command(
    "render",
    help=_("Print what we contribute to TARGET: {targets}.", targets=", ".join(EXPANDED)),
    epilog=examples("mxbackup render rcpthosts"),
)
@click.argument("target", metavar="TARGET", type=click.Choice(list(EXPANDED)))
@click.pass_obj
def render_(context: Context, target: str) -> None:
    """Print one fragment."""
    click.echo(applying.fragment(context, target), nl=False)


@click.command(
    help=_("Print the completion script for a shell: bash (4.4 or later), zsh or fish."),
    epilog=examples('eval "$(mxbackup completion bash)"'),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script to be evaluated by the shell."""
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(ctx.find_root().command, {}, "mxbackup", "_MXBACKUP_COMPLETE").source())


def _print_status(found: Status, mail: HeldMail, now: Overview, command: str) -> None:
    inventory = found.inventory
    current = inventory.settings
    click.echo(_("MX backup is enabled.") if current.enabled else _("MX backup is disabled."))
    kinds = [rule.kind for rule in inventory.rules]
    click.echo(
        _(
            "Rules: {domains} for domains, {hosts} for hosts, {invalid} invalid.",
            domains=kinds.count(Kind.DOMAIN),
            hosts=kinds.count(Kind.HOST),
            invalid=len(inventory.invalid),
        )
    )
    print_states(now)
    print_checks(now, [str(rule.name) for rule in inventory.rules])
    print_total(mail)
    print_invalid(inventory.invalid, err=False)  # they are part of the answer
    print_faults(inventory.faults, err=False)
    print_draining(found.draining, current)
    for target in found.targets:
        click.echo(labelled(str(target.copy or target.target.name), _target_state(target, command)))
    for finding in found.findings:
        click.echo(_finding(finding))
    for rule in inventory.rules:
        if rule.recipients != Recipients.ANY:
            click.echo(labelled(rules.shown(rule), knowledge_words(rule, found.knowledge[rule.name])))
    if not current.smarthost:
        click.echo(_("Smart host: none."))
        return
    click.echo(_("Smart host: {host}.", host=current.smarthost))
    around = [rule for rule in inventory.rules if actual_way(rule, current) != Way.SMARTHOST]
    for rule in around[:NAMED]:
        click.echo("  " + _("{name} goes around it ({around})", name=rules.shown(rule), around=rule.route or _("MX")))
    if len(around) > NAMED:
        click.echo("  " + _("and {count} more: see mxbackup list", count=len(around) - NAMED))


def _target_state(target: TargetStatus, command: str) -> str:
    if not target.present:
        return _("not on this host")
    if target.current:
        return _("up to date")
    if target.reason:
        return words.error(target.reason)
    return _("{path} is out of date. Run: {command}", path=target.path, command=command)


def _finding(finding: Finding) -> str:
    mistake, level, path, lines = finding, _LEVELS[finding.severity], finding.path, finding.lines
    if not lines:
        return _("{level}: {path}: {mistake}", level=level, path=path, mistake=mistake)
    if len(lines) == 1:
        return _("{level}: {path}, line {line}: {mistake}", level=level, path=path, line=lines[0], mistake=mistake)
    return _(
        "{level}: {path}, line {line} and {more} more: {mistake}",
        level=level, path=path, line=lines[0], more=len(lines) - 1, mistake=mistake,
    )  # fmt: skip


def _status_json(found: Status) -> dict[str, Any]:
    inventory = found.inventory
    kinds = [rule.kind for rule in inventory.rules]
    destinations = {rule.name: actual_way(rule, inventory.settings) for rule in inventory.rules}
    return {
        "enabled": inventory.settings.enabled,
        "rules": {kind.value: kinds.count(kind) for kind in Kind},
        "invalid": invalid_json(inventory),
        "faults": faults_json(inventory),
        "draining": draining_json(found.draining),
        "targets": [
            {"name": t.target.name, "path": str(t.path), "present": t.present, "current": t.current}
            for t in found.targets
        ],
        "findings": [
            {
                "level": finding.severity.value,
                "code": finding.id,
                "path": str(finding.path),
                "lines": list(finding.lines),
                "message": words.finding(finding),
            }
            for finding in found.findings
        ],
        "recipients": {
            rule.name: knowledge_json(rule, found.knowledge[rule.name])
            for rule in inventory.rules
            if rule.recipients != Recipients.ANY
        },
        "smarthost": inventory.settings.smarthost or None,
        "bypass": [n for n, to in destinations.items() if inventory.settings.smarthost and to != Way.SMARTHOST],
    }


def _held_json(mail: HeldMail) -> dict[str, Any]:
    summary = mail.summary
    total = {"messages": summary.messages, "recipients": summary.recipients, "bytes": summary.bytes}
    others = {other.name: other.messages for other in summary.without_rule}
    return {"held": None if mail.trouble else total, "without_rule": others, "queue_trouble": trouble_json(mail)}


COMMANDS = (status, render_, completion)
