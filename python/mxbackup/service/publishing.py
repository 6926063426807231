# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that were made here, as a catalog zone for other backup servers: in a file, or at a name server.

Rules that other catalogs brought are not among them: they would come back to where they were removed.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mxbackup.catalog import codec, resources, wire, zonefile
from mxbackup.catalog.state import State
from mxbackup.catalog.wire import Peer
from mxbackup.catalog.zonefile import Catalog
from mxbackup.errors import CatalogError, HostError, InvalidInput, Message
from mxbackup.esmith import files, printable
from mxbackup.esmith.database import log_to_syslog
from mxbackup.rules import Rule
from mxbackup.service import catalogs
from mxbackup.service.catalogs import Catalogs, Publication
from mxbackup.service.context import Context

_MODE = 0o644


@dataclass(frozen=True)
class Published:
    """A catalog as it now is, its number of rules, and the names of those that came, changed and went.

    `written` is whether anything was; `trouble` says why not.
    """

    zone: str
    serial: int = 0
    rules: int = 0
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    written: bool = False
    trouble: Message | None = None


def publish(context: Context, one: Publication, *, dry_run: bool = False) -> Published:
    """Bring the rules made here to where a catalog is, as far as anything is otherwise there.

    What its server or file lacks is in the result. Raises DatabaseError, HostError; CatalogError when somebody is at
    it already.
    """
    store = Catalogs(context.host)
    with store.alone(one.zone):
        state, now, seen = store.state(one.zone), int(time.time()), catalogs.stamp(context)
        try:
            if there := peer(one):
                done = _to_server(context, store, there, state if state.seen == seen else State(), dry_run)
            else:
                done = _to_file(context, one.zone, Path(one.file), dry_run)
        except (CatalogError, InvalidInput, HostError) as error:
            if not dry_run and str(state.trouble) != str(error):
                store.put(one.zone, state.in_trouble(error.message, now))
                log_to_syslog([printable.line(f"{one.zone}: {error}")])
            return Published(one.zone, trouble=error.message)
        after = State(serial=done.serial, asked=now, seen=seen)
        if not dry_run and replace(state, asked=now) != after:
            store.put(one.zone, after)
        return done


def peer(one: Publication) -> Peer | None:
    """Return where a catalog is to be brought, None for a file. Raises InvalidInput, HostError."""
    return catalogs.peer(one.zone, one.server, one.key) if one.server else None


def _to_file(context: Context, zone: str, path: Path, dry_run: bool) -> Published:
    published = _published(context)
    before = _read(path, zone)
    now = Catalog(zone, zonefile.serial_after(before.serial, int(time.time())), codec.encode(published.values()))
    if now.contents == before.contents:
        now = before
    elif not dry_run:
        _write(path, zonefile.write(now))
    return _told(now, before, published, written=now is not before and not dry_run)


def _to_server(context: Context, store: Catalogs, there: Peer, state: State, dry_run: bool) -> Published:
    """`state` is what is remembered of it as long as nothing has changed here."""
    serial = wire.serial(there)
    if state.serial == serial and not dry_run:
        return Published(there.zone, serial)
    published = _published(context)
    found = wire.transfer(there, store.copy(there.zone))
    before, contents = found.catalog, codec.encode(published.values())
    _refuse_other(there, found)
    if before.contents == contents or dry_run:
        if not dry_run:
            store.keep(before)
        return _told(Catalog(there.zone, before.serial, contents), before, published, written=False)
    wire.update(there, resources.difference(before.contents, contents), before.serial)
    after = wire.transfer(there, before).catalog
    if after.contents != contents:
        raise CatalogError("{zone} was changed at {server} meanwhile. Try again.", zone=there.zone, server=there.server)
    store.keep(after)
    return _told(after, before, published, written=True)


def _refuse_other(there: Peer, found: wire.Transferred) -> None:
    """Raise CatalogError when the zone has what is none of ours, and would lose it."""
    contents = found.catalog.contents
    if found.foreign or (contents - {codec.VERSION} and codec.MARK not in contents):
        raise CatalogError(
            "The zone {zone} at {server} holds something else, and stays as it is. Give a zone that is empty but for "
            "SOA and NS.",
            zone=there.zone,
            server=there.server,
        )


def _published(context: Context) -> dict[str, Rule]:
    inventory = context.inventory()
    context.removals.refuse_loss(inventory)
    return {rule.name: rule for rule in inventory.rules if rule.name not in inventory.origins}


def _told(now: Catalog, before: Catalog, published: Mapping[str, Rule], *, written: bool) -> Published:
    touched = {one.owner.split(".")[-2] for one in now.contents ^ before.contents if "." in one.owner}
    old = codec.members(before.contents)
    changed = {name for node, name in (codec.members(now.contents) | old).items() if node in touched}
    there = set(old.values())
    return Published(
        now.zone,
        now.serial,
        len(published),
        tuple(sorted(changed - there)),
        tuple(sorted(changed & there & published.keys())),
        tuple(sorted(there - published.keys())),
        written,
    )


def _read(path: Path, zone: str) -> Catalog:
    """Return the catalog that the file holds, an empty one without a file. Raises InvalidInput, HostError."""
    try:
        found = zonefile.read(path.read_bytes())
    except FileNotFoundError:
        return Catalog(zone, 0, frozenset())
    except OSError as error:
        raise HostError("{path} cannot be used: {reason}.", path=path, reason=error.strerror) from error
    except InvalidInput:
        found = None
    if found is None or found.zone != zone:
        raise InvalidInput(
            "{path} is not what mxbackup wrote as the catalog {zone}, and stays as it is. Give another, or remove it.",
            path=path,
            zone=zone,
        )
    return found


def _write(path: Path, content: bytes) -> None:
    try:
        directory = path.resolve().parent.stat()
        if os.geteuid() == 0 and (directory.st_uid != 0 or directory.st_mode & 0o022):
            raise HostError(
                "Others than root can write in {directory}, where root must not. Give a file in another directory, "
                "which the name server may read.",
                directory=path.resolve().parent,
            )
        files.replace(path, content, mode=_MODE, group="root")
    except OSError as error:
        raise HostError("{path} cannot be used: {reason}.", path=path, reason=error.strerror) from error
