# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs of Postfix on a host: reading and changing its parameters, compiling tables, reloading.

Each is called with the host's configuration directory: postconf(1), postmap(1), postfix(1).
"""

import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mxbackup.errors import HostError, Message
from mxbackup.esmith.commands import KEPT, Done, Running, one_line
from mxbackup.esmith.host import COMMAND_LIMIT, POSTFIX, Host

PROGRAMS = Path("/usr/sbin")
LARGEST = 256 << 20  # bytes of a table
LARGEST_QUEUE = 64 << 20  # bytes of the list of a queue: some 200,000 messages
QUEUE_LIMIT = 30  # seconds that it may take
BATCH = 200  # messages that a program is told of at once
_ENVELOPE = re.compile(r"^\*\*\* ENVELOPE RECORDS (?:\S*/)?(\w+) \*\*\*$", re.MULTILINE)
_REQUEUED = re.compile(r"^postsuper: \w+: requeued$", re.MULTILINE)
# The file that postmap makes of a table, by its type; the best one first. The first two are replaced as a whole while
# they are read, whatever the other does (DATABASE_README); all of them are looked up by the key.
SUFFIXES: Mapping[str, str] = {"lmdb": ".lmdb", "hash": ".db", "btree": ".db", "cdb": ".cdb"}
# What each program says of a parameter that main.cf gives twice, or does not know: of no table.
_OF_MAIN_CF = re.compile(r"^\S+: warning: \S+/main\.cf, line .*\n?", re.MULTILINE)


@dataclass(frozen=True)
class SettingChange:
    """One parameter of main.cf as it is and as it should be."""

    name: str
    before: str
    after: str

    def diff(self) -> str:
        """Return what would change."""
        return f"-{self.name} = {self.before}".rstrip() + f"\n+{self.name} = {self.after}\n"


def parameters(host: Host, *names: str, expanded: bool = True) -> dict[str, str]:
    """Return parameters of main.cf or their defaults, with what their `$names` stand for or as written there.

    One that this Postfix does not have is missing. Raises HostError.
    """
    lines = _run(host, "postconf", *(["-x"] if expanded else []), *names).splitlines()
    parted = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, equals, value in parted if equals}


def set_parameters(host: Host, values: Mapping[str, str]) -> None:
    """Change parameters in main.cf, all in one step. Raises HostError; the file is then as it was."""
    _run(host, "postconf", "-e", *(f"{name} = {value}" for name, value in values.items()))


def best_type(host: Host, used: str = "") -> str:
    """Return the type of table that is in use, or the best one that this Postfix has. Raises HostError."""
    known = _run(host, "postconf", "-m").split()
    for kind in (used, *SUFFIXES):
        if kind in SUFFIXES and kind in known:
            return kind
    raise HostError(
        "This Postfix has none of the types of tables that can be compiled here ({types}).", types=", ".join(SUFFIXES)
    )


def compile_table(host: Host, kind: str, path: Path) -> None:
    """Compile a table beside its place, then put it there in one step. Raises HostError; the old one then counts."""
    source = host.path(path)
    beside = source.with_name(f"{source.name}.new")
    made, place = (file.with_name(file.name + SUFFIXES[kind]) for file in (beside, source))
    try:
        beside.write_bytes(source.read_bytes())
        _run(host, "postmap", f"{kind}:{beside}")
        made.replace(place)
    except OSError as error:
        raise HostError("{path} cannot be written: {reason}.", path=place, reason=error.strerror) from error
    finally:
        for file in (beside, made):
            file.unlink(missing_ok=True)


def table(host: Host, kind: str, path: Path) -> dict[str, str]:
    """Return what is compiled of a table: value by key. Raises HostError."""
    lines = _run(host, "postmap", "-s", f"{kind}:{host.path(path)}", kept=LARGEST).splitlines()
    return {key: value for key, _, value in (line.partition("\t") for line in lines)}


def look_up(host: Host, table: str, key: str) -> str | None:
    """Return what a table, as main.cf names it, has for a key; None where it has nothing. Raises HostError."""
    here = table if host.live else table.replace(f":{POSTFIX}/", f":{host.path(POSTFIX)}/")
    done = _start(host, "postmap", "-q", key, here).end(COMMAND_LIMIT)
    if done.status == 0:
        return done.out.removesuffix("\n")
    if not (errors := _OF_MAIN_CF.sub("", done.errors)).strip():
        return None
    raise HostError("{command} failed: {reason}", command="postmap", reason=one_line(errors))


def services(host: Host, program: str) -> frozenset[str]:
    """Return the names of the services in master.cf that are given mail and run this program. Raises HostError."""
    parted = (line.split(None, 7) for line in _run(host, "postconf", "-M").splitlines())
    return frozenset(found[0] for found in parted if found[1:2] == ["unix"] and found[7].split()[:1] == [program])


def queue(host: Host) -> list[str]:
    """Return the lines with which postqueue(1) tells of the queue, one for each message. Raises HostError.

    As root also while Postfix does not run.
    """
    done = _start(host, "postqueue", "-j", largest=LARGEST_QUEUE).end(QUEUE_LIMIT, LARGEST_QUEUE)
    if done.status == -signal.SIGXFSZ:
        raise HostError(
            "{command} failed: {reason}",
            command="postqueue",
            reason=Message("more than {limit} bytes", limit=LARGEST_QUEUE),
        )
    return _out(done, "postqueue").split("\n")[:-1]


def flush(host: Host, ident: str = "") -> str:
    """Have the queue manager try one message of the queue now, all of it without an ID; return what was used.

    One that is no longer there is no error. Raises HostError, as when Postfix does not run.
    """
    options = ["-i", ident] if ident else ["-f"]
    if not host.dry:
        _run(host, "postqueue", *options)
    elif not runs(host):
        raise HostError("{service} is not running.", service="Postfix")
    return f"postqueue {options[0]}"


def envelopes(host: Host, idents: Iterable[str]) -> str:
    """Return what postcat(1) tells of the envelopes of these messages, times in UTC; nothing of those that are gone.

    Raises HostError.
    """
    said = ""
    left = list(idents)
    while left:
        batch, left = left[:BATCH], left[BATCH:]
        done = _start(host, "postcat", "-qe", *batch, zone="UTC0").end(COMMAND_LIMIT, LARGEST_QUEUE)
        said += done.out
        if done.status != 0:  # it ends at the first that is not there
            told = set(_ENVELOPE.findall(done.out))
            after = next((place for place, ident in enumerate(batch) if ident not in told), len(batch))
            left = batch[after + 1 :] + left
    return said


def requeue(host: Host, idents: Iterable[str]) -> int:
    """Have Postfix make new queue files of these deferred messages; return of how many. One that moved is left.

    pickup(8) takes them within a minute. Raises HostError.
    """
    left, done = list(idents), 0
    while left:
        batch, left = left[:BATCH], left[BATCH:]
        options = [word for ident in batch for word in ("-r", ident)]
        ended = _start(host, "postsuper", *options, "deferred").end(COMMAND_LIMIT)
        done += len(_REQUEUED.findall(ended.errors))
        _out(ended, "postsuper")
    return done


def runs(host: Host) -> bool:
    """Whether Postfix runs. Raises HostError."""
    return _start(host, "postfix", "status").end(COMMAND_LIMIT).status == 0


def reload(host: Host) -> None:
    """Have Postfix read main.cf again, if it runs. Raises HostError."""
    if host.live and runs(host):
        _run(host, "postfix", "reload")


def _start(host: Host, program: str, *arguments: str, largest: int = 0, zone: str = "") -> Running:
    command: list[Path | str] = [host.path(PROGRAMS / program), "-c", host.path(POSTFIX), *arguments]
    zones = {"TZ": zone} if zone else {}
    return Running(command, {"MXBACKUP_ROOT": str(host.root), **zones}, largest=largest)


def _run(host: Host, program: str, *arguments: str, kept: int = KEPT) -> str:
    return _out(_start(host, program, *arguments).end(COMMAND_LIMIT, kept), program)


def _out(done: Done, program: str) -> str:
    if done.status != 0:
        raise HostError("{command} failed: {reason}", command=program, reason=one_line(done.errors or done.out))
    return done.out
