# SPDX-License-Identifier: GPL-2.0-or-later
"""The command about the addresses that lead to this server."""

from typing import TYPE_CHECKING

import click

from mxbackup.cli.common import _, event_option, examples, json_option, labelled, print_json, say, words
from mxbackup.service.context import Context
from mxbackup.words import about_addresses

if TYPE_CHECKING:
    from mxbackup.service.addressing import Addresses


@click.command(
    help=_(
        "Say by which public addresses strangers reach this server, where it stands behind NAT and its interfaces have "
        "private ones. Without ADDRESS, tell what is known."
    ),
    epilog=examples("mxbackup address", "mxbackup address 111.112.113.114", "mxbackup address --clear"),
)
@click.argument("addresses", metavar="[ADDRESS]...", nargs=-1)
@click.option("--clear", is_flag=True, help=_("Have no public address stated any more."))
@event_option
@json_option
@click.pass_obj
def address(context: Context, addresses: tuple[str, ...], clear: bool, event: bool, as_json: bool) -> None:
    """State addresses, or tell which there are."""
    from mxbackup.service import addressing

    if addresses and clear:
        raise click.UsageError(_("Give either addresses or --clear."))
    if addresses or clear:
        addressing.state(context, addresses, event=event)
    found = addressing.look(context)
    if as_json:
        print_json(
            {"interfaces": found.interfaces, "stated": found.stated, "public": found.public},
        )
    elif addresses or clear:
        said = about_addresses.recorded(found.stated, words)
        if context.kind.by_events:
            say(said, event)
        else:  # no file of ours holds them
            click.echo(said)
    else:
        _print(found)


def _print(found: "Addresses") -> None:
    for label, addresses in (
        (_("Addresses of this machine"), found.interfaces),
        (_("Public address, as stated"), found.stated),
    ):
        click.echo(labelled(label, ", ".join(addresses) or _("none")))
    click.echo(about_addresses.belief(found.public, stated=found.told, words=words))
    if not found.public:
        click.echo(_("State it: mxbackup address ADDRESS"))


COMMANDS = (address,)
