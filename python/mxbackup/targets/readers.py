# SPDX-License-Identifier: GPL-2.0-or-later
"""May the users as whom the mail programs run read what they need? Where one may not, its mail stops.

Judged by owner, group and mode bits of the file and of the directories on its way, not by access control lists.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, Severity
from mxbackup.esmith.host import Host
from mxbackup.targets.registry import ALL
from mxbackup.targets.target import Target

PASSWD, GROUP = Path("/etc/passwd"), Path("/etc/group")
_BITS = {"u": 6, "g": 3, "o": 0}  # how far to the left each class stands in a mode
_READ, _ENTER = 4, 1

UNREADABLE = FindingKind(
    "unreadable", Severity.ERROR,
    "The user {user}, as whom mail is taken in or sent, cannot read it, so that mail stops.",
    "Run: {command}",
    source="path_resolution(7)",
)  # fmt: skip


@dataclass(frozen=True)
class User:
    """One account, and the groups that it is in."""

    name: str
    uid: int
    gids: frozenset[int]

    def lacks(self, path: Path, permission: int) -> str:
        """Return the class of mode bits (u, g or o) that denies a permission; empty when it is given. Raises OSError.

        One class alone counts: path_resolution(7).
        """
        found = path.stat()
        letter = "u" if found.st_uid == self.uid else "g" if found.st_gid in self.gids else "o"
        return "" if self.uid == 0 or found.st_mode >> _BITS[letter] & permission else letter


def findings(host: Host) -> list[Finding]:
    """Return an error for each file that is there and that the user who reads it cannot read."""
    found = []
    for user in _users(host):
        for path in (path for target in ALL if user.name in target.readers for path in _read(host, target)):
            with suppress(OSError):  # a file that is not there, or that we cannot judge
                if remedy := _remedy(host, path, user):
                    found.append(UNREADABLE.found(path, user=user.name, command=remedy))
    return found


def _read(host: Host, target: Target) -> list[Path]:
    return host.own([target.compiled or target.path, *target.copies])


def _remedy(host: Host, path: Path, user: User) -> str:
    """Return the command that lets the user read the file; empty when there is no need. Raises OSError."""
    real = host.path(path).resolve(strict=True)
    top = host.root.resolve()
    for directory in reversed(real.parents):
        if top in directory.parents and (letter := user.lacks(directory, _ENTER)):
            return f"chmod {letter}+x {_shown(directory, top)}"
    letter = user.lacks(real, _READ)
    return f"chmod {letter}+r {_shown(real, top)}" if letter else ""


def _shown(path: Path, top: Path) -> Path:
    return Path("/") / path.relative_to(top)


def _users(host: Host) -> Iterator[User]:
    """Yield the accounts that there are of those who read: passwd(5), group(5)."""
    readers = {name for target in ALL for name in target.readers}
    groups = [(fields[2], fields[3].split(",")) for fields in _fields(host, GROUP, 4)]
    for name, _, uid, gid, *_ in _fields(host, PASSWD, 4):
        if name in readers and uid.isdecimal():
            gids = [gid, *(number for number, members in groups if name in members)]
            yield User(name, int(uid), frozenset(int(number) for number in gids if number.isdecimal()))


def _fields(host: Host, path: Path, least: int) -> list[list[str]]:
    try:
        lines = os.fsdecode(host.path(path).read_bytes()).splitlines()
    except OSError:
        return []
    return [fields for fields in (line.split(":") for line in lines) if len(fields) >= least]
