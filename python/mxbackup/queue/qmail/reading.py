# SPDX-License-Identifier: GPL-2.0-or-later
"""Read qmail's queue beside a running qmail-send: no lock, no writing, never the contents of a message.

What vanishes between two looks was delivered. A message on its way from todo to its channels is told by its todo
file, which is whole as long as it is there: todo_do() of qmail-send.c.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mxbackup.errors import QueueError
from mxbackup.queue.messages import Channel, Recipient, recipient
from mxbackup.queue.qmail.messages import QmailMessage, Sender, kind_of_sender
from mxbackup.queue.qmail.places import unreadable

QUEUE = Path("/var/qmail/queue")
_PARTS = ("mess", "info", "local", "remote", "todo")
_LIMIT = 16 * 1024 * 1024  # bytes of one file that are read: some 500,000 recipients
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read(queue: Path) -> list[QmailMessage]:
    """Return the messages of the queue, sorted by arrival; those that are still being handed in are left out.

    Raises QueueError when it is not there or any of it cannot be read.
    """
    try:
        return _read(os.fsencode(queue))
    except OSError as error:
        raise unreadable(queue, error) from error


def split(queue: Path) -> int:
    """Return into how many directories the queue is split. Raises QueueError."""
    try:
        return len(_places(os.fsencode(queue)))
    except OSError as error:
        raise unreadable(queue, error) from error


def _read(queue: bytes) -> list[QmailMessage]:
    places = _places(queue)
    found = _in_todo(queue, _todo(queue))
    for place in places:
        found = {**_queued(queue, place), **found}
    # Whatever went into the queue meanwhile; its other files may be incomplete.
    found.update(_in_todo(queue, _todo(queue)))
    return sorted(found.values(), key=lambda message: (message.arrival, message.ident))


def _places(queue: bytes) -> list[bytes]:
    for part in _PARTS:
        if not stat.S_ISDIR(os.stat(os.path.join(queue, part.encode())).st_mode):
            raise NotADirectoryError(20, f"{part} is no directory")
    with os.scandir(queue + b"/info") as entries:
        places = [entry.name for entry in entries if entry.name.isdigit() and entry.is_dir(follow_symlinks=False)]
    if sorted(map(int, places)) != list(range(len(places))) or not places:
        raise QueueError("{path} is no queue of qmail: its directories are not numbered.", path=os.fsdecode(queue))
    return places


def _queued(queue: bytes, place: bytes) -> dict[int, QmailMessage]:
    """Return the messages in one directory of the split that have their channels."""
    # The listings of the channels spare an attempt to open what most messages do not have.
    idents = [name for name in os.listdir(b"%b/info/%b" % (queue, place)) if name.isdigit()]
    channels = [
        (channel, b"%b/%b/%b/" % (queue, channel.value.encode(), place), frozenset(_listed(queue, channel, place)))
        for channel in Channel
    ]
    messages = [_message(queue, place, ident, channels) for ident in idents]
    return {message.ident: message for message in messages if message}


def _listed(queue: bytes, channel: Channel, place: bytes) -> list[bytes]:
    return os.listdir(b"%b/%b/%b" % (queue, channel.value.encode(), place))


def _message(
    queue: bytes, place: bytes, ident: bytes, channels: list[tuple[Channel, bytes, frozenset[bytes]]]
) -> QmailMessage | None:
    info = _contents(b"%b/info/%b/%b" % (queue, place, ident))
    letter = _stat(b"%b/mess/%b/%b" % (queue, place, ident))
    if info is None or letter is None:
        return None
    birth, envelope = info
    recipients: list[Recipient] = []
    stamps = []
    whole = _whole(envelope)
    for channel, directory, listed in channels:
        if ident in listed and (contents := _contents(directory + ident)):
            stamps.append((channel, contents[0]))
            whole = whole and _whole(contents[1])
            recipients += _recipients(contents[1], channel)
    return QmailMessage(
        int(ident), place.decode(), _sender(envelope), birth, _seconds(letter), letter.st_size,
        tuple(recipients), tuple(stamps), whole,
    )  # fmt: skip


def _todo(queue: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the path of each file in todo, which patched qmails split as well."""
    with os.scandir(queue + b"/todo") as entries:
        for entry in entries:
            if entry.name.isdigit() and entry.is_dir(follow_symlinks=False):
                yield from ((int(name), os.path.join(entry.path, name)) for name in _numbers(entry.path))
            elif entry.name.isdigit():
                yield int(entry.name), entry.path


def _numbers(directory: bytes) -> list[bytes]:
    return [name for name in os.listdir(directory) if name.isdigit()]


def _in_todo(queue: bytes, todo: Iterator[tuple[int, bytes]]) -> dict[int, QmailMessage]:
    entries = list(todo)
    places = _places(queue) if entries else []
    found = {}
    for ident, path in entries:
        place = b"%d" % (ident % len(places))
        contents = _contents(path)
        letter = _stat(b"%b/mess/%b/%d" % (queue, place, ident))
        if contents and letter:
            envelope = contents[1]
            found[ident] = QmailMessage(
                ident, place.decode(), _sender(envelope), None, _seconds(letter), letter.st_size,
                tuple(_recipients(envelope, None)), (), _whole(envelope),
            )  # fmt: skip
    return found


def _recipients(contents: bytes, channel: Channel | None) -> Iterator[Recipient]:
    """Yield the recipients of a file; what stands behind the last NUL is half-written."""
    for entry in contents.split(b"\0")[:-1]:
        if entry[:1] in (b"T", b"D"):
            yield recipient(entry[1:], channel, done=entry[:1] == b"D")


def _sender(envelope: bytes) -> Sender:
    return kind_of_sender(next((entry[1:] for entry in envelope.split(b"\0") if entry[:1] == b"F"), b""))


def _whole(contents: bytes) -> bool:
    return contents.endswith(b"\0")


def _stat(path: bytes) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _contents(path: bytes) -> tuple[int, bytes] | None:
    """Return the time, in whole seconds, and the contents of a file; None when it has vanished."""
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(22, f"{os.fsdecode(path)} is no plain file")
        return _seconds(found), os.read(descriptor, min(found.st_size, _LIMIT))
    finally:
        os.close(descriptor)


def _seconds(found: os.stat_result) -> int:
    return found.st_mtime_ns // 1_000_000_000
