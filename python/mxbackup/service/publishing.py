# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that were made here, as a catalog zone for other backup servers."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mxbackup.catalog import codec, zonefile
from mxbackup.catalog.zonefile import Catalog
from mxbackup.errors import HostError, InvalidInput
from mxbackup.esmith import files
from mxbackup.rules import Rule
from mxbackup.service.context import Context

_MODE = 0o644


@dataclass(frozen=True)
class Published:
    """A catalog as it now is, its number of rules, and the names of those that came, changed and went."""

    catalog: Catalog
    rules: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    written: bool = False


def to_file(context: Context, zone: str, path: Path, *, dry_run: bool = False) -> Published:
    """Write the rules made here into a file as a zone of that name, if anything is otherwise there.

    Rules that other catalogs brought are not among them: they would come back to where they were removed.
    Raises InvalidInput for another file, DatabaseError, HostError.
    """
    published = _published(context)
    before = _read(path, zone)
    contents = codec.encode(published.values())
    now = Catalog(zone, zonefile.serial_after(before.serial, int(time.time())), contents)
    if contents == before.contents:
        now = before
    elif not dry_run:
        _write(path, zonefile.write(now))
    return _told(now, before, published, written=now is not before and not dry_run)


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
        now,
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
