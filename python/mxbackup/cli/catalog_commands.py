# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands for many backup servers with one list of rules: catalog zones."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mxbackup.cli.common import _, examples, json_option, print_json
from mxbackup.rules import names
from mxbackup.service.context import Context
from mxbackup.words import terminal

if TYPE_CHECKING:
    from mxbackup.service.publishing import Published

SHOWN = 20


@click.command(
    help=_(
        "Write the rules that were made here as the DNS catalog zone ZONE (RFC 9432), which name servers carry to "
        "other backup servers. What each server has to itself is not in it: smart host, description, contact, lists of "
        "recipients. Nothing is written when nothing has changed."
    ),
    epilog=examples("mxbackup publish backup.dupontnet.com --file /etc/knot/backup.zone"),
)
@click.argument("zone", metavar="ZONE")
@click.option(
    "--file", "file", metavar="FILE", required=True, type=click.Path(dir_okay=False, readable=False),
    help=_("The zone file, for BIND, Knot, NSD or PowerDNS."),
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help=_("Show what would change, and change nothing."))
@json_option
@click.pass_obj
def publish(context: Context, zone: str, file: str, dry_run: bool, as_json: bool) -> None:
    """Write the catalog, and tell what has changed in it."""
    from mxbackup.catalog import codec
    from mxbackup.service import publishing

    done = publishing.to_file(context, codec.zone_name(zone), Path(terminal.path(file)), dry_run=dry_run)
    if as_json:
        print_json(_json(done))
    else:
        _print(done, dry_run)


def _print(done: "Published", dry_run: bool) -> None:
    counts = {"added": len(done.added), "changed": len(done.changed), "removed": len(done.removed)}
    for mark, found in (("+", done.added), ("~", done.changed), ("-", done.removed)):
        for name in found[:SHOWN]:
            click.echo(f"{mark} {names.to_unicode(name)}")
        if len(found) > SHOWN:
            click.echo(_("... and {count} more", count=len(found) - SHOWN))
    zone, serial = done.catalog.zone, done.catalog.serial
    if dry_run:
        click.echo(_("Would be added: {added}, changed: {changed}, removed: {removed}.", **counts))
    elif done.written:
        click.echo(
            _(
                "The catalog {zone} has {rules} rules now (serial number {serial}). Have the name server load it.",
                zone=zone, rules=done.rules, serial=serial,
            )
        )  # fmt: skip
    else:
        click.echo(_("Nothing has changed: the catalog {zone} stays as it is (serial number {serial}).",
                     zone=zone, serial=serial))  # fmt: skip


def _json(done: "Published") -> dict[str, object]:
    return {
        "version": 1,
        "zone": done.catalog.zone,
        "serial": done.catalog.serial,
        "written": done.written,
        "rules": done.rules,
        "added": list(done.added),
        "changed": list(done.changed),
        "removed": list(done.removed),
    }


COMMANDS = (publish,)
