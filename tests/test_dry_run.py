# SPDX-License-Identifier: GPL-2.0-or-later
"""A dry run says what the command would, exits as it would, and leaves every file of the server as it was."""

import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
import pytest

from mxbackup.cli import mxbackup as command_line
from mxbackup.outage import Event, Happening, State
from mxbackup.service.outages import Outages
from mxbackup.targets import block
from tests.heldmail import hold
from tests.postfixhost import held, plain_postfix
from tests.scratch import Scratch

Run = Callable[..., tuple[int, str, str]]
HEADING = "Without --dry-run it would say:\n"
ENDING = "Nothing was changed (--dry-run).\n"
COMMANDS = (
    "add durand.org",
    "add durand.org --no-event",
    "add durand.org --kind host --route mail.durand.org:26 --recipients list",
    "add past.example.org",
    "add dupontnet.com",
    "add a_b",
    "add sub.dupontnet.com",
    "set dupontnet.com --description Jean --recipients list",
    "set dupontnet.com --route nonsense:nonsense",
    "set followed.example.org --kind host",
    "set unknown.example.org --kind host",
    "set dupontnet.com",
    "remove dupontnet.com followed.example.org",
    "remove dupontnet.com unknown.example.org",
    "remove broken.example.org --no-event",
    "enable",
    "disable",
    "flush",
    "flush dupontnet.com --force",
    "flush unknown.example.org",
    "recipients add dupontnet.com jean anne",
    "recipients add dupontnet.com jean@elsewhere.example.org",
    "recipients remove dupontnet.com jean paul",
    "recipients import dupontnet.com {root}/addresses",
    "recipients import dupontnet.com {root}/missing",
)


def fill(server: Scratch) -> None:
    """A server on which each of the commands has something to write, everywhere it may."""
    server.database(
        "domains",
        "dupontnet.com=mxbackup|Kind|domain|Route|127.0.0.1:9",
        "followed.example.org=mxbackup|Kind|domain|Origin|catalog.example.net",
        "broken.example.org=mxbackup|Kind|nonsense",
    )
    server.database("mxbackup_undo")
    server.database("mxbackup_draining", "durand.org=draining|Kind|domain")
    server.write("/var/qmail/control/rcpthosts", f"{block.BEGIN}\ndupontnet.com\n{block.END}\n")
    outages = Outages(server.host)
    outages.put({"past.example.org": State(flushes=1), "dupontnet.com": State()})
    outages.note(Event(int(time.time()), Happening.BEGUN, "past.example.org"))
    server.write("/var/qmail/control/smtproutes", "dupontnet.com:127.0.0.1:9\n")
    server.write("/addresses", "jean\nanne\n")
    server.with_events()
    queue = server.path("/var/qmail/queue")
    hold(queue, 1, ["Tjean@dupontnet.com"], 1_795_505_585)
    (queue / "lock/tcpto").write_bytes(bytes((127, 0, 0, 1, 2, 0, 0, 0)) + bytes(8))
    server.path("/service/qmail/supervise").mkdir(parents=True)
    server.write("/service/qmail/supervise/status", bytes(12) + b"\1\0\0\0" + bytes(4))
    server.script("/usr/bin/sv", f'echo "$*" >> {server.root}/signals')


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a directory: each entry's inode, mode, owner and times of change, and what is in files."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [root, *root.rglob("*")]:
        at = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (at.st_ino, at.st_mode, at.st_uid, at.st_gid, at.st_mtime_ns, at.st_ctime_ns, content)
    return found


def contents(found: dict[str, tuple[object, ...]]) -> dict[str, object]:
    """A command that fails had a lock for a while; what it wrote is in files."""
    return {path: entry[-1] for path, entry in found.items()}


@pytest.mark.parametrize("line", COMMANDS)
def test_it_says_what_the_command_does_and_changes_nothing(server: Scratch, mxbackup: Run, line: str) -> None:
    fill(server)
    arguments = shlex.split(line.format(root=server.root))
    before = tree(server.root)
    status, said, errors = mxbackup(*arguments, "--dry-run")
    assert tree(server.root) == before
    done = mxbackup(*arguments)
    # An error ends it, as it ends the command: then there is nothing to be mistaken.
    ending = ENDING if done[0] == 0 or done[1] else ""
    assert (status, said, errors) == (done[0], HEADING + done[1] + ending, done[2])
    assert bool(ending) == (contents(tree(server.root)) != contents(before))


def test_without_e_smith_not_even_the_directory_is_made(tmp_path: Path, mxbackup: Run) -> None:
    server = plain_postfix(tmp_path / "postfix")
    run = partial(mxbackup, "--root", str(server.root))
    held(server, "A000001", "jean@dupontnet.com")
    server.script(
        "/usr/sbin/postqueue", f'[ "$3" = -j ] && exec cat "{server.root}/queue"; touch "{server.root}/called"'
    )
    before = tree(server.root)
    said = "Added dupontnet.com (Domain). To put it into force: mxbackup apply\n"
    letter = "What its owner has to do: mxbackup letter dupontnet.com\n"
    assert run("add", "dupontnet.com", "--dry-run") == (0, HEADING + said + letter + ENDING, "")
    assert tree(server.root) == before
    assert run("add", "dupontnet.com", "--route", "127.0.0.1:9")[0] == 0
    before = tree(server.root)
    due = "To be tried now, by postqueue -i: the mail held for dupontnet.com. See: mxbackup queue\n"
    assert run("flush", "--dry-run") == (0, HEADING + due + ENDING, "")
    for arguments in (["set", "dupontnet.com", "--kind", "host"], ["remove", "dupontnet.com"], ["disable"]):
        assert run(*arguments, "--dry-run")[0] == 0
    server.script("/usr/sbin/postfix", "exit 1")
    before[str(server.path("/usr/sbin/postfix"))] = tree(server.root)[str(server.path("/usr/sbin/postfix"))]
    assert run("flush", "--dry-run") == (3, HEADING, "mxbackup: Postfix is not running.\n")
    assert tree(server.root) == before


def test_a_server_that_cannot_be_changed_is_told_as_ever(server: Scratch, mxbackup: Run) -> None:
    status, said, errors = mxbackup("add", "durand.org", "--dry-run")
    assert (status, said, errors) == (3, HEADING, mxbackup("add", "durand.org")[2])
    shutil.rmtree(server.path("/home/e-smith/db"))
    status, said, errors = mxbackup("enable", "--no-event", "--dry-run")
    assert (status, said, errors) == (3, HEADING, mxbackup("enable", "--no-event")[2])


def test_every_command_that_is_rehearsed_is_tried_here() -> None:
    own = {"apply", "follow", "import", "publish"}  # they plan first, and tell the plan
    dry = {name for name, command in each_command(command_line) if any(p.name == "dry_run" for p in command.params)}
    tried = {" ".join(words[:2] if words[0] == "recipients" else words[:1]) for words in map(str.split, COMMANDS)}
    assert dry == tried | own


def each_command(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Each command by what is typed for it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", found) for inner, found in each_command(command))
        else:
            yield name, command
