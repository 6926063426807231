# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands for many backup servers with one list of rules: catalog zones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mxbackup.cli import arguments
from mxbackup.cli.common import NO, NOT_POSSIBLE, _, examples, json_option, print_json, words
from mxbackup.errors import InvalidInput
from mxbackup.rules import names
from mxbackup.service.context import Context
from mxbackup.words import terminal

if TYPE_CHECKING:
    from mxbackup.catalog.state import Report
    from mxbackup.service.catalogs import Followed, Publication
    from mxbackup.service.publishing import Published

SHOWN = 20


@click.command(
    help=_(
        "Publish the rules that were made here as the DNS catalog zone ZONE (RFC 9432), which name servers carry to "
        "other backup servers, and do so from now on, within a minute of each change. What each server has to itself "
        "is not in it: smart host, description, contact, lists of recipients. Without ZONE, look after all that are "
        "published."
    ),
    epilog=examples(
        "mxbackup publish backup.dupontnet.com --update 127.0.0.1 --key /etc/mxbackup/publish.key",
        "mxbackup publish backup.dupontnet.com --file /etc/knot/backup.zone",
    ),
)
@click.argument("zone", metavar="[ZONE]", required=False)
@click.option(
    "--update", metavar="ADDRESS[:PORT]", help=_("The name server that takes updates of the zone (RFC 2136).")
)
@click.option(
    "--key", metavar="FILE", type=click.Path(dir_okay=False, readable=False),
    help=_("The TSIG key, as tsig-keygen or keymgr -t prints it; only root may read the file."),
)  # fmt: skip
@click.option(
    "--file", metavar="FILE", type=click.Path(dir_okay=False, readable=False),
    help=_("A zone file instead, for BIND, Knot, NSD or PowerDNS, which you have to make load it."),
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help=_("Show what would change, and change nothing."))
@click.option("--forget", is_flag=True, help=_("Publish ZONE no more; what was published stays where it is."))
@json_option
@click.pass_obj
def publish(
    context: Context, /, zone: str | None, dry_run: bool, forget: bool, as_json: bool, **options: str | None
) -> int:
    """Publish one catalog, or all."""
    from mxbackup.catalog import codec
    from mxbackup.service import publishing
    from mxbackup.service.catalogs import Catalogs

    known = Catalogs(context.host)
    given = {name: value for name, value in options.items() if value}
    if not zone:
        if given or forget:
            raise click.UsageError(_("Say which ZONE."))
        return _print(
            [publishing.publish(context, one, dry_run=dry_run) for one in known.published()], dry_run, as_json
        )
    name = codec.zone_name(zone)
    before = next((one for one in known.published() if one.zone == name), None)
    if before is None and (forget or not given):
        raise InvalidInput("The catalog {zone} is not published. To do so: --update ADDRESS --key FILE", zone=name)
    if forget:
        known.forget(name)
        click.echo(_("The catalog {zone} is published no more. What was published stays where it is.", zone=name))
        return 0
    one = _to_publish(name, given) if given else before
    if one is None:
        return 0
    publishing.peer(one)
    if one != before and not dry_run:
        known.publish(one)
    return _print([publishing.publish(context, one, dry_run=dry_run)], dry_run, as_json)


def _to_publish(zone: str, given: Mapping[str, str]) -> "Publication":
    """Return how a catalog is to be published. Raises UsageError."""
    from mxbackup.service.catalogs import Publication

    if ("file" in given) == ("update" in given) or ("file" in given and "key" in given):
        raise click.UsageError(_("Give either --file, or --update and --key."))
    server = arguments.server(given["update"]) if "update" in given else None
    return Publication(zone, _absolute(given.get("file", "")), server, _absolute(given.get("key", "")))


def _absolute(path: str) -> str:
    return str(Path(terminal.path(path)).absolute()) if path else ""


def _print(published: "Sequence[Published]", dry_run: bool, as_json: bool) -> int:
    if as_json:
        print_json({"catalogs": [_published_json(done) for done in published]})
    elif not published:
        click.echo(_("No catalog is published."))
    else:
        for done in published:
            _print_published(done, dry_run)
    return NOT_POSSIBLE if any(done.trouble for done in published) else 0


def _print_published(done: "Published", dry_run: bool) -> None:
    if done.trouble:
        click.echo(_("{zone}: {reason}", zone=done.zone, reason=done.trouble))
        return
    for mark, found in (("+", done.added), ("~", done.changed), ("-", done.removed)):
        for name in found[:SHOWN]:
            click.echo(f"{mark} {names.to_unicode(name)}")
        if len(found) > SHOWN:
            click.echo(_("... and {count} more", count=len(found) - SHOWN))
    zone, serial = done.zone, done.serial
    if dry_run:
        counts = {"added": len(done.added), "changed": len(done.changed), "removed": len(done.removed)}
        click.echo(_("{zone}: would be added: {added}, changed: {changed}, removed: {removed}.", zone=zone, **counts))
    elif done.written:
        click.echo(
            _("The catalog {zone} has {rules} rules now (serial number {serial}).",
              zone=zone, rules=done.rules, serial=serial)
        )  # fmt: skip
    else:
        click.echo(_("Nothing has changed: the catalog {zone} stays as it is (serial number {serial}).",
                     zone=zone, serial=serial))  # fmt: skip


def _published_json(done: "Published") -> dict[str, object]:
    return {
        "zone": done.zone,
        "serial": done.serial or None,
        "written": done.written,
        "trouble": words.message(done.trouble) if done.trouble else None,
        "added": list(done.added),
        "changed": list(done.changed),
        "removed": list(done.removed),
    }


@click.command(
    help=_(
        "Take over the rules of the catalog ZONE, and follow it from now on: every minute its server is asked whether "
        "they have changed. What is taken is up to this server; rules that were made here stay. With a ZONE that is "
        "followed already the options change how. Without ZONE, ask for all that are followed."
    ),
    epilog=examples(
        "mxbackup follow backup.dupontnet.com --server 192.0.2.1 --key /etc/mxbackup/dupont.key",
        "mxbackup follow backup.dupontnet.com --confirm",
        "mxbackup follow backup.dupontnet.com --only '*.fr' --policy at-once",
    ),
)
@click.argument("zone", metavar="[ZONE]", required=False)
@click.option("--server", metavar="ADDRESS[:PORT]", help=_("The name server to ask, which may be this machine's own."))
@click.option(
    "--key", metavar="FILE", type=click.Path(dir_okay=False, readable=False),
    help=_("The TSIG key, as tsig-keygen or keymgr -t prints it; only root may read the file."),
)  # fmt: skip
@click.option("--only", metavar="PATTERN", multiple=True, help=_("Take only these names: a name, *.fr, *.dupont.fr."))
@click.option("--without", metavar="PATTERN", multiple=True, help=_("Never take these names."))
@click.option(
    "--most", type=click.IntRange(1), metavar="NUMBER",
    help=_("Take nothing when more rules than that are wanted; by default 1000."),
)  # fmt: skip
@click.option(
    "--policy", type=click.Choice(["confirm", "at-once"]),
    help=_("Whether what is new or changed waits for --confirm, which is the default, or counts at once."),
)  # fmt: skip
@click.option("--confirm", is_flag=True, help=_("Do now what waits, and take the catalog anew as its server has it."))
@click.option("--dry-run", is_flag=True, help=_("Show what would change, and change nothing."))
@click.option("--forget", is_flag=True, help=_("Follow ZONE no more; its rules stay, as if they had been made here."))
@json_option
@click.pass_obj
def follow(
    context: Context, /, zone: str | None, confirm: bool, dry_run: bool, forget: bool, as_json: bool, **options: Any
) -> int:
    """Follow one catalog, or all."""
    from mxbackup.catalog import codec
    from mxbackup.service import following
    from mxbackup.service.catalogs import Catalogs

    known = Catalogs(context.host)
    given = {name: value for name, value in options.items() if value}
    if not zone:
        if given or confirm or forget:
            raise click.UsageError(_("Say which ZONE."))
        reports = [following.follow(context, one, dry_run=dry_run) for one in known.followed()]
        return _tell(reports, dry_run, as_json)
    name = codec.zone_name(zone)
    before = next((one for one in known.followed() if one.zone == name), None)
    if forget:
        if before is None:
            raise InvalidInput("The catalog {zone} is not followed.", zone=name)
        kept = following.forget(context, name)
        click.echo(_("The catalog {zone} is followed no more. Its rules ({count}) stay, as rules that were made here.",
                     zone=name, count=kept))  # fmt: skip
        return 0
    one = _asked_for(name, before, given)
    following.peer(one)
    if one != before and not dry_run:
        known.follow(one)
    return _tell([following.follow(context, one, confirm=confirm, dry_run=dry_run)], dry_run, as_json)


def _asked_for(zone: str, before: "Followed | None", given: Mapping[str, Any]) -> "Followed":
    """Return how a catalog is to be followed. Raises InvalidInput, UsageError."""
    from mxbackup.catalog.following import Policy, When, pattern
    from mxbackup.service.catalogs import Followed

    if before is None and "server" not in given:
        raise click.UsageError(_("{zone} is not followed yet. Say which server has it: --server ADDRESS", zone=zone))
    policy = before.policy if before else Policy()
    policy = replace(
        policy,
        only=tuple(map(pattern, given.get("only", policy.only))),
        without=tuple(map(pattern, given.get("without", policy.without))),
        most=given.get("most", policy.most),
        when=When(given.get("policy", policy.when)),
    )
    server = arguments.server(given["server"]) if "server" in given else before and before.server
    key = _absolute(given["key"]) if "key" in given else before.key if before else ""
    return Followed(zone, server, key, policy)  # type: ignore[arg-type]


def _tell(reports: "Sequence[Report]", dry_run: bool, as_json: bool) -> int:
    from mxbackup.words import about_catalogs

    if as_json:
        print_json({"catalogs": [about_catalogs.to_json(report, words) for report in reports]})
    else:
        if not reports:
            click.echo(_("No catalog is followed."))
        for report in reports:
            click.echo("\n".join(about_catalogs.lines(report, words, dry_run=dry_run)))
    if any(report.trouble for report in reports):
        return NOT_POSSIBLE
    return NO if any(report.state.refused for report in reports) else 0


COMMANDS = (publish, follow)
