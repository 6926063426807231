# SPDX-License-Identifier: GPL-2.0-or-later
"""Which mail stays on this server, as qmail-send decides it (qmail-send(8), `rewrite` in qmail-send.c).

Of a recipient it first undoes `percenthack`, then asks `locals`, then `virtualdomains`: the address, its domain, each
`.suffix` from the longest to the shortest, and at last the entry without a name. The first that is there decides;
nothing behind its colon makes the mail remote after all. May import errors only: it is read at each expansion.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mxbackup.errors import HostError

# For texts that anybody may have written: each byte is one character, and no other letter becomes an ASCII one.
CHARSET = "latin-1"


@dataclass(frozen=True)
class LocalMail:
    """The names of `locals` and of the server, the entries of `virtualdomains` and `percenthack`, all in lower case.

    `own_addresses` returns the IPv4 addresses that lead to this server.
    """

    names: frozenset[str] = frozenset()
    virtual: Mapping[str, str] = field(default_factory=dict)
    percenthack: frozenset[str] = frozenset()
    own_addresses: Callable[[], frozenset[str]] = field(default=frozenset, compare=False, repr=False)

    def delivers(self, name: str) -> str | None:
        """Return what keeps the mail of a name here: the name when it is local, or a line of `virtualdomains`."""
        if name in self.names:
            return name
        key = next((key for key in _keys(name) if key in self.virtual), None)
        return f"{key}:{self.virtual[key]}" if key is not None and self.virtual[key] else None


def control_lines(content: bytes) -> Iterator[tuple[int, str]]:
    """Yield the entries of a control file and their lines, as control_readfile of qmail takes them.

    Trailing blanks go, and `#` is a comment in column 0 alone.
    """
    for number, line in enumerate(content.decode(CHARSET).split("\n"), 1):
        stripped = line.rstrip(" \t")
        if stripped[:1] not in ("", "#", "\0"):
            yield from ((number, entry) for entry in stripped.split("\0"))


def entries(path: Path) -> list[str]:
    """Return the entries of a control file, none when it is not there. Raises HostError."""
    return [entry for _, entry in control_lines(_read(path) or b"")]


def virtual_domains(lines: list[str]) -> dict[str, str]:
    """Return what stands behind the colon by what stands before it; of equal keys the last counts (constmap.c)."""
    parted = (line.partition(":") for line in lines)
    return {key.lower(): user for key, colon, user in parted if colon}


def at(control: Path) -> LocalMail:
    """Return what the control files in a directory say. Without `locals` it is `me`. Raises HostError."""
    names = entries(control / ("locals" if (control / "locals").exists() else "me"))
    return LocalMail(
        frozenset(name.lower() for name in names),
        virtual_domains(entries(control / "virtualdomains")),
        frozenset(name.lower() for name in entries(control / "percenthack")),
    )


def _keys(name: str) -> Iterator[str]:
    yield name
    yield from (name[at:] for at, char in enumerate(name) if char == ".")
    yield ""


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HostError("{path} cannot be read: {reason}.", path=path, reason=error.strerror) from error
