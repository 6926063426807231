# SPDX-License-Identifier: GPL-2.0-or-later
"""Which catalogs this server follows and publishes, and what it remembers of each, for root alone.

The first stands in an e-smith database of our own, `mxbackup_catalogs`. Of each catalog the last good copy and a state
lie below /var/lib/mxbackup/catalogs; whoever changes them holds the lock of that catalog. Damaged, they are found out
anew.
"""

import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from mxbackup.catalog import keys, state, zonefile
from mxbackup.catalog.following import Policy, When
from mxbackup.catalog.keys import Key
from mxbackup.catalog.state import State
from mxbackup.catalog.wire import Peer
from mxbackup.catalog.zonefile import Catalog
from mxbackup.errors import CatalogError, DatabaseMissing, Finding, HostError, InvalidInput, Sentence
from mxbackup.esmith import files
from mxbackup.esmith.database import Database, Record
from mxbackup.esmith.host import Host
from mxbackup.lookup.query import Server
from mxbackup.service.context import Context

DATABASE = "mxbackup_catalogs"
DIRECTORY = Path("/var/lib/mxbackup/catalogs")
FOLLOWED = "follow"
PUBLISHED = "publish"
_KEY_SIZE = 4096  # octets of a key file at most


@dataclass(frozen=True)
class Followed:
    """A catalog that is followed: where it is asked for, the file of the key, and what of it is taken."""

    zone: str
    server: Server
    key: str = ""
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True)
class Publication:
    """A catalog that is published: in a file, or at a server that takes updates with a key."""

    zone: str
    file: str = ""
    server: Server | None = None
    key: str = ""


class Catalogs:
    """The catalogs of one host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._store = host.store(DATABASE)
        self._directory = host.path(DIRECTORY)

    def followed(self) -> list[Followed]:
        """Return the catalogs that are followed, by name. Raises DatabaseError, InvalidInput for what is no record."""
        return [_followed(zone, record) for zone, record in self._records(FOLLOWED)]

    def published(self) -> list[Publication]:
        """Return the catalogs that are published, by name. Raises DatabaseError, InvalidInput for what is no record."""
        return [_publication(zone, record) for zone, record in self._records(PUBLISHED)]

    def follow(self, one: Followed) -> None:
        """Remember that a catalog is followed. Raises DatabaseError."""
        policy = one.policy
        told = {
            "Server": _place(one.server),
            "Key": one.key or None,
            "Only": ",".join(policy.only) or None,
            "Without": ",".join(policy.without) or None,
            "Most": str(policy.most),
            "Policy": policy.when.value,
        }
        self._set(one.zone, FOLLOWED, told)

    def publish(self, one: Publication) -> None:
        """Remember that a catalog is published. Raises DatabaseError, InvalidInput."""
        server = _place(one.server) if one.server else None
        self._set(one.zone, PUBLISHED, {"File": one.file or None, "Server": server, "Key": one.key or None})

    def forget(self, zone: str) -> None:
        """Forget a catalog, and what is remembered of it. Raises DatabaseError, HostError."""
        self._store.update(lambda database: database.delete(zone))
        with _usable(self._directory):
            for ending in ("zone", "json"):
                self._path(zone, ending).unlink(missing_ok=True)

    @contextmanager
    def alone(self, zone: str) -> Iterator[None]:
        """Keep others from the catalog. Raises CatalogError when somebody has it, and HostError."""
        with _usable(self._directory):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with files.alone(self._path(zone, "lock")):
                yield
        except TimeoutError:
            raise CatalogError("Somebody is at the catalog {zone} already. Try again later.", zone=zone) from None

    def copy(self, zone: str) -> Catalog | None:
        """Return the last good copy of a catalog, if there is one that is whole. Raises HostError."""
        with _usable(self._directory), suppress(FileNotFoundError, InvalidInput):
            found = zonefile.read(self._path(zone, "zone").read_bytes())
            return found if found.zone == zone else None
        return None

    def keep(self, copy: Catalog) -> None:
        """Remember the copy of a catalog. Raises HostError."""
        self._replace(copy.zone, "zone", zonefile.write(copy))

    def state(self, zone: str) -> State:
        """Return what is remembered of a catalog. Raises HostError."""
        try:
            with _usable(self._directory):
                return State.from_json(json.loads(self._path(zone, "json").read_bytes()))
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return State()

    def put(self, zone: str, state: State) -> None:
        """Remember a state. Raises HostError."""
        self._replace(zone, "json", json.dumps({"version": 1, **state.to_json()}).encode() + b"\n")

    def _records(self, kind: str) -> list[tuple[str, Record]]:
        try:
            return sorted(self._store.read().of_type(kind))
        except DatabaseMissing:
            return []

    def _set(self, zone: str, kind: str, told: Mapping[str, str | None]) -> None:
        def change(database: Database) -> None:
            record = database.get(zone)
            if record and record.type != kind:
                said: Sentence = "{zone} is published here, or followed from elsewhere: it cannot be both."
                raise InvalidInput(said, zone=zone)
            database.set(zone, kind, told)

        if self.host.plain:
            self.host.make_database_directory()
        self._store.update(change)

    def _path(self, zone: str, ending: str) -> Path:
        return self._directory / f"{zone}.{ending}"

    def _replace(self, zone: str, ending: str, content: bytes) -> None:
        with _usable(self._directory):
            for path in self._directory.glob(f"{zone}.{ending}.*"):  # of one that was killed; we are alone
                path.unlink()
            files.replace(self._path(zone, ending), content, mode=0o600, group="root")


def peer(zone: str, server: Server, key: str) -> Peer:
    """Return whom to ask for a catalog. Without a key only this machine. Raises InvalidInput, HostError."""
    if not key and not ip_address(server.address).is_loopback:
        raise InvalidInput(
            "Without a key anybody could answer for {server}. Give the file of a TSIG key: --key FILE", server=server
        )
    return Peer(zone, server, key_at(key) if key else None)


def stamp(context: Context) -> str:
    """Return what is another when rules, local domains or what is followed have changed."""
    paths = (context.domains.path, context.host.database(DATABASE))
    return " ".join(str(path.stat().st_mtime_ns) if path.exists() else "" for path in paths)


def key_at(path: str) -> Key:
    """Return the key in a file, which nobody but its owner, root, may write, and not everybody read.

    Raises InvalidInput, HostError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            owners = {0, os.geteuid()}
            if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o027:
                raise InvalidInput(
                    "The key in {path} is not secret: it must be a file of root's that others cannot read. "
                    "To mend it: chmod 600 {path}",
                    path=path,
                )
            content = file.read(_KEY_SIZE)
    except OSError as error:
        raise HostError("{path} cannot be used: {reason}.", path=path, reason=error.strerror) from error
    return keys.parse(content.decode("ascii", "replace"))


def findings(host: Host) -> list[Finding]:
    """Return what is wrong with the catalogs of a host; of those for root alone nothing to others."""
    path, known, now = host.database(DATABASE), Catalogs(host), int(time.time())
    with suppress(HostError):
        try:
            asked = [(state.findings, one.zone) for one in known.followed()]
            asked += [(state.unpublished, one.zone) for one in known.published()]
        except InvalidInput as error:
            return [state.REFUSED.found(path, zone=error.message.parameters["zone"], reason=error)]
        return [found for judge, zone in asked for found in judge(zone, known.state(zone), path, now)]
    return []


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Raise HostError for what cannot be read or written; not for what is not there."""
    try:
        yield
    except (FileNotFoundError, TimeoutError):
        raise
    except OSError as error:
        place = error.filename or path
        raise HostError("{path} cannot be used: {reason}.", path=place, reason=error.strerror) from error


def _place(server: Server) -> str:
    return f"[{server.address}]:{server.port}"


def _server(text: str) -> Server:
    """Return the server that `_place` made the text of. Raises ValueError."""
    address, _, port = text.rpartition(":")
    return Server(str(ip_address(address.strip("[]"))), int(port))


def _publication(zone: str, record: Record) -> Publication:
    said = record.properties
    try:
        server = _server(said["Server"]) if "Server" in said else None
    except ValueError as error:
        raise _at_fault(zone, error, "mxbackup publish {zone}") from error
    return Publication(zone, said.get("File", ""), server, said.get("Key", ""))


def _at_fault(zone: str, error: ValueError, command: str) -> InvalidInput:
    return InvalidInput(
        "The record {zone} of the database {database} is at fault ({reason}). Give it anew: {command}",
        zone=zone,
        database=DATABASE,
        reason=error,
        command=command.format(zone=zone),
    )


def _followed(zone: str, record: Record) -> Followed:
    said = record.properties
    try:
        policy = Policy(
            _patterns(said.get("Only", "")), _patterns(said.get("Without", "")),
            int(said.get("Most", Policy.most)), When(said.get("Policy", When.CONFIRM)),
        )  # fmt: skip
        return Followed(zone, _server(said.get("Server", "")), said.get("Key", ""), policy)
    except ValueError as error:
        raise _at_fault(zone, error, "mxbackup follow {zone} --server ADDRESS --key FILE") from error


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))
