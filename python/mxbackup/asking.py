# SPDX-License-Identifier: GPL-2.0-or-later
"""Asking a primary about one recipient, in turn with the qpsmtpd plugin; and what the plugin wrote down.

Both keep to the directory `mxbackup` in the spool directory of qpsmtpd. `turn-ADDRESS:PORT` is locked during a
dialogue and holds the time before which that primary is not to be asked again. `journal` has lines
`time<TAB>good|bad|ask<TAB>address`.
"""

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from mxbackup import smtpprobe
from mxbackup.host import Host
from mxbackup.smtpprobe import Dialogue, Outcome, Question

CONFIGURED_SPOOL = Path("/var/service/qpsmtpd/config/spool_dir")
SPOOL = Path("/var/spool/qpsmtpd")
BETWEEN = 1.0  # seconds between two questions to one primary
BACKOFF = 60.0  # seconds without questions after a primary did not answer
LONGEST_WAIT = 5.0  # seconds; what is longer is the pause after a silent primary
TIMEOUT = 10.0  # seconds for one dialogue

_NOTE = re.compile(r"([0-9]{1,12})\t(good|bad|ask)\t([a-z0-9!#$&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9.-]{1,253})")
# What a refusal says of the recipient, as in the plugin. Of the status codes (RFC 3463, RFC 7505) these say that there
# is no such recipient, X.1.0 leaves it open, and all others, X.7.1 or X.1.8 say, speak of us or of the sender.
_REFUSED = re.compile(r"55[013]")
_STATUS = re.compile(r"(?<![0-9.])5\.([0-9]{1,3}\.[0-9]{1,3})(?!\.?[0-9])")
_NOBODY = re.compile(r"1\.(?:[1236]|10)|2\.1")
_UNCLEAR = "1.0"
# Many servers give no status code. That others than the recipient are meant is seen by these words; that they accept
# postmaster does not show it, as many let everybody write to that, also who is on a block list.
_OTHER = re.compile(r"block|dnsbl|\brbl\b|spam|https?:|relay|sender|\bhelo\b", re.IGNORECASE)
_ADDRESS = re.compile(r"\S*@\S*")  # may be made of any of the words

Probe = Callable[[str, Question, int], Dialogue]


class Reply(StrEnum):
    """What comes of a question."""

    GOOD = "good"
    BAD = "bad"
    DOUBTFUL = "doubtful"  # bad by its status code, but postmaster, whom every server has, is refused too
    UNSETTLED = "unsettled"  # the primary is there, and says neither
    SILENT = "silent"
    NOT_NOW = "not-now"  # it was silent a moment ago


class Note(NamedTuple):
    """A line of the journal; `word` is good, bad or ask, `time` in seconds since 1970."""

    time: int
    word: str
    address: str


def directory(host: Host) -> Path:
    """Return where the plugin keeps its files."""
    try:
        configured = host.path(CONFIGURED_SPOOL).read_text().strip()
    except OSError:
        configured = ""
    return host.path(Path(configured) if configured.startswith("/") else SPOOL) / "mxbackup"


def parse_journal(content: bytes) -> list[Note]:
    """Return the notes; whatever else is in it is left out, and so is a last line that was cut off."""
    found = map(_NOTE.fullmatch, content.decode("latin-1").split("\n")[:-1])
    return [Note(int(match[1]), match[2], match[3]) for match in found if match]


@contextmanager
def taken_journal(where: Path) -> Iterator[list[Note]]:
    """Take the journal away from the plugin, which begins a new one; it is gone when the block ends well.

    Raises OSError.
    """
    journal, taken = where / "journal", where / "journal.taken"
    if not taken.exists():  # else the last time did not end well
        with suppress(FileNotFoundError):
            journal.rename(taken)
    try:
        with os.fdopen(_open_shared(taken, os.O_RDONLY), "rb") as file:
            notes = parse_journal(file.read())
    except FileNotFoundError:
        notes = []
    yield notes
    taken.unlink(missing_ok=True)


def probe(host: str, question: Question, port: int) -> Dialogue:
    """Hold the dialogue in the time that a question may take."""
    return smtpprobe.probe(host, question, port, TIMEOUT)


def ask(where: Path, target: str, address: str, helo: str, probe: Probe) -> Reply:
    """Wait for our turn and ask the primary at `target`, `address:port`. Raises OSError."""
    with _turn(where, target) as turn:
        not_before = _number(os.pread(turn, 64, 0))
        wait = not_before - time.time()
        if wait > LONGEST_WAIT:
            return Reply.NOT_NOW
        time.sleep(max(0.0, wait))
        host, _, port = target.rpartition(":")
        postmaster = f"postmaster@{address.rpartition('@')[2]}"  # RFC 5321 section 4.5.1: there must be one
        dialogue = probe(host, Question(address, helo=helo, control=postmaster), int(port))
        reply = judge(dialogue)
        pause = BACKOFF if reply == Reply.SILENT else BETWEEN
        os.ftruncate(turn, 0)
        os.pwrite(turn, b"%.3f\n" % (time.time() + pause), 0)
    return reply


def judge(dialogue: Dialogue) -> Reply:
    """Return what a dialogue says of its recipient: only a reply to RCPT says anything."""
    if not any(line.startswith("RCPT TO:") for line in dialogue.transcript):
        return Reply.SILENT
    match dialogue.outcome:
        case Outcome.ACCEPTED:
            return Reply.GOOD
        case Outcome.REFUSED | Outcome.DEFERRED if not dialogue.reply.startswith("421"):
            return _refusal(dialogue)
        case _:
            return Reply.SILENT


def _refusal(dialogue: Dialogue) -> Reply:
    text = _ADDRESS.sub("", dialogue.reply)
    if not _REFUSED.match(text):
        return Reply.UNSETTLED
    status = _STATUS.search(text)
    surely = bool(status and _NOBODY.fullmatch(status[1]))
    if not surely and ((status and status[1] != _UNCLEAR) or _OTHER.search(text)):
        return Reply.UNSETTLED
    if dialogue.control == Outcome.ACCEPTED:
        return Reply.BAD
    return Reply.DOUBTFUL if surely else Reply.UNSETTLED


def nobody_at(host: str) -> str:
    """Return an address that is certainly nobody's."""
    return f"nobody-{secrets.token_hex(8)}@{host}"


@contextmanager
def _turn(where: Path, target: str) -> Iterator[int]:
    """Lock the file of the turns at one primary; the plugin, which runs as the directory's owner, must open it too."""
    path = where / f"turn-{target}"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        descriptor = _open_shared(path, os.O_RDWR)
    else:
        give(descriptor, where.stat())
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def give(descriptor: int, owner: os.stat_result) -> None:
    """Give what root has made to the user who owns something. Raises OSError."""
    if os.geteuid() == 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _open_shared(path: Path, flags: int) -> int:
    """Open a file that is there. Raises OSError, also for what is no file of the directory's owner alone.

    That user, whom the network talks to, could lay a link to any file of ours there, or a pipe to wait at.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != path.parent.stat().st_uid:
        os.close(descriptor)
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(path))
    return descriptor


def _number(content: bytes) -> float:
    try:
        return float(content)
    except ValueError:
        return 0.0
