# SPDX-License-Identifier: GPL-2.0-or-later
"""What qmail-send does: accept, schedule, try, bounce, and heed signals: qmail-send.c."""

import fcntl
import heapq
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from typing import NamedTuple

from .layout import LOCAL, REMOTE, Clock, entries_of, inject, name_of, raw, split_path
from .log import safe

SKIP = {LOCAL: 10, REMOTE: 20}
LIFETIME = 604_800  # seconds, as are all times here
SLEEP_TODO = 1500
SLEEP_SYSFAIL = 123
TOO_LONG = "I'm not going to try again; this message has been in the queue too long.\n"

SUCCESS, DEFERRAL, FAILURE = "success", "deferral", "failure"


class Result(NamedTuple):
    """How a delivery ended, and the report."""

    outcome: str
    report: str


Deliver = Callable[[Path, str, str], Result]
"""Takes the message's file, the sender and a recipient."""


@dataclass
class Job:
    """A message of which one channel is being tried."""

    ident: int
    channel: str
    retry: int
    dying: bool
    running: int = 0
    deferred: bool = False


@dataclass
class Running:
    """A delivery of a job: its number, and where in the channel's file its recipient stands."""

    job: Job
    number: int
    position: int
    recipient: str


class Inline(Executor):
    """Delivers at once, in the caller's own time: for tests whose clock stands."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Return what is done already."""
        future: Future[object] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass
class Runner:
    """Runs one queue. `log` gets each line, `control` may be a FIFO that takes the letters a, t, h of supervise."""

    queue: Path
    deliver: Mapping[str, Deliver]
    log: Callable[[str], None]
    me: str = "localhost"
    is_local: Callable[[str], bool] = lambda name: False
    lifetime: int = LIFETIME
    clock: Clock = time.time
    executor: Executor = field(default_factory=Inline)
    control: Path | None = None
    on_end: Callable[[], None] = lambda: None
    stopping: bool = False
    _due: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {LOCAL: [], REMOTE: []})
    _running: dict[Future[Result], Running] = field(default_factory=dict)
    _delivery: int = 0
    _todo_at: float = 0
    _descriptors: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Begin: lock the queue, listen to the trigger, and read when each message is due. Raises BlockingIOError."""
        mutex = os.open(self.queue / "lock/sendmutex", os.O_WRONLY)
        fcntl.flock(mutex, fcntl.LOCK_EX | fcntl.LOCK_NB)
        listened = [self.queue / "lock/trigger", *([self.control] if self.control else [])]
        # Read and write, so that there is a writer at any time and no end of the file is seen.
        self._descriptors = [mutex, *(os.open(fifo, os.O_RDWR | os.O_NONBLOCK) for fifo in listened)]
        for info in self.queue.glob("info/*/*"):
            for channel in (LOCAL, REMOTE):
                with suppress(FileNotFoundError):
                    due = int(split_path(self.queue, channel, int(info.name)).stat().st_mtime)
                    heapq.heappush(self._due[channel], (due, int(info.name)))
        self._status()

    @property
    def trigger(self) -> int:
        """The descriptor that is readable when there is something in todo."""
        return self._descriptors[1]

    @property
    def now(self) -> int:
        """The time in whole seconds."""
        return int(self.clock())

    def alarm(self) -> None:
        """ALRM: everything that is not being tried is due now."""
        for channel, due in self._due.items():
            self._due[channel] = [(self.now, ident) for _, ident in due]
            heapq.heapify(self._due[channel])

    def stop(self) -> None:
        """TERM: wait for what is being tried, and write when each message is due into its file."""
        self.stopping = True
        while self._running:
            self._collect()
            time.sleep(0.01)
        for channel, due in self._due.items():
            for at, ident in due:
                os.utime(split_path(self.queue, channel, ident), (at, at))
        self._due = {LOCAL: [], REMOTE: []}
        for descriptor in self._descriptors:
            os.close(descriptor)
        self.log("status: exiting")

    def restart(self) -> None:
        """What a supervisor makes of TERM."""
        self.stop()
        self.stopping = False
        self._delivery = 0
        self.start()

    def step(self) -> None:
        """Do what there is to do now: letters and triggers, todo, what is due, what has ended."""
        if self._pulled() or self.now >= self._todo_at:
            self._todo_at = self.now + SLEEP_TODO
            self._accept_todo()
        for channel in (LOCAL, REMOTE):
            while self._due[channel] and self._due[channel][0][0] <= self.now:
                self._begin(heapq.heappop(self._due[channel])[1], channel)
        self._collect()

    def wake(self) -> float:
        """Return how many seconds there is nothing to do, but for a trigger, a letter or the end of a delivery."""
        times = [self._todo_at, *(due[0][0] for due in self._due.values() if due)]
        return max(min(times) - self.clock(), 0)

    def _pulled(self) -> bool:
        pulled = False
        for descriptor in self._descriptors[1:]:
            with suppress(BlockingIOError):
                for letter in os.read(descriptor, 1024):
                    pulled = True
                    if descriptor == self._descriptors[1]:
                        continue
                    {"a": self.alarm, "t": self.restart}.get(chr(letter), lambda: None)()
        return pulled

    def _accept_todo(self) -> None:
        for entry in sorted((self.queue / "todo").iterdir(), key=lambda path: int(path.name)):
            ident, message = int(entry.name), split_path(self.queue, "mess", int(entry.name))
            envelope = entries_of(entry)
            sender = next(line[1:] for line in envelope if line[0] == "F")
            sizes = {line[0]: line[1:] for line in envelope if line[0] in "up"}
            self.log(f"new msg {ident}")
            self.log(
                f"info msg {ident}: bytes {message.stat().st_size} from <{safe(sender)}> "
                f"qp {sizes.get('p', 0)} uid {sizes.get('u', 0)}"
            )
            self._write("info", ident, [f"F{sender}"])
            for channel in (LOCAL, REMOTE):
                recipients = [line for line in envelope if line[0] == "T" and self._channel(line) == channel]
                if recipients:
                    self._write(channel, ident, recipients)
                    heapq.heappush(self._due[channel], (self.now, ident))
            (self.queue / "intd" / str(ident)).unlink()
            entry.unlink()

    def _channel(self, entry: str) -> str:
        return LOCAL if self.is_local(name_of(entry)) else REMOTE

    def _write(self, part: str, ident: int, entries: list[str]) -> None:
        path = split_path(self.queue, part, ident)
        path.write_bytes(b"".join(raw(entry) + b"\0" for entry in entries))
        path.chmod(0o600)
        os.utime(path, (self.clock(),) * 2)

    def _begin(self, ident: int, channel: str) -> None:
        try:
            info = split_path(self.queue, "info", ident)
            birth, sender = int(info.stat().st_mtime), entries_of(info)[0][1:]
            entries = entries_of(split_path(self.queue, channel, ident))
        except FileNotFoundError:
            self.log(f"warning: trouble opening {channel}/{ident}; will try again later")
            heapq.heappush(self._due[channel], (self.now + SLEEP_SYSFAIL, ident))
            return
        retry = birth + (isqrt(max(self.now - birth, 0)) + SKIP[channel]) ** 2
        job = Job(ident, channel, retry, dying=self.now > birth + self.lifetime)
        position = 0
        todo = []
        for entry in entries:
            if entry[0] == "T":
                todo.append((position, entry[1:]))
            position += len(raw(entry)) + 1
        job.running = len(todo)
        for position, recipient in todo:
            self._delivery += 1
            self.log(f"starting delivery {self._delivery}: msg {ident} to {channel} {safe(recipient)}")
            message = split_path(self.queue, "mess", ident)
            future = self.executor.submit(self.deliver[channel], message, sender, recipient)
            self._running[future] = Running(job, self._delivery, position, recipient)
            future.add_done_callback(lambda _: self.on_end())
            self._status()
        if not todo:
            self._end(job)

    def _collect(self) -> None:
        for future in [future for future in self._running if future.done()]:
            delivery = self._running.pop(future)
            self._report(delivery, future.result())
            self._status()

    def _report(self, delivery: Running, result: Result) -> None:
        job, (outcome, report) = delivery.job, result
        if outcome == DEFERRAL and job.dying:
            outcome, report = FAILURE, report + TOO_LONG
        self.log(f"delivery {delivery.number}: {outcome}: {safe(report)}")
        if outcome == DEFERRAL:
            job.deferred = True
        else:
            if outcome == FAILURE:
                with (self.queue / "bounce" / str(job.ident)).open("ab") as bounce:
                    bounce.write(raw(f"<{delivery.recipient}>:\n{report.strip()}\n\n"))
            with split_path(self.queue, job.channel, job.ident).open("r+b") as file:
                file.seek(delivery.position)
                file.write(b"D")
            os.utime(split_path(self.queue, job.channel, job.ident), (self.clock(),) * 2)
        job.running -= 1
        if not job.running:
            self._end(job)

    def _end(self, job: Job) -> None:
        if job.deferred:
            heapq.heappush(self._due[job.channel], (job.retry, job.ident))
            return
        split_path(self.queue, job.channel, job.ident).unlink(missing_ok=True)
        if any(split_path(self.queue, channel, job.ident).exists() for channel in (LOCAL, REMOTE)):
            return
        self._bounce(job.ident)
        self.log(f"end msg {job.ident}")
        for part in ("info", "mess"):
            split_path(self.queue, part, job.ident).unlink()

    def _bounce(self, ident: int) -> None:
        bounce = self.queue / "bounce" / str(ident)
        if not bounce.exists():
            return
        sender = entries_of(split_path(self.queue, "info", ident))[0][1:]
        if sender.endswith("-@[]"):
            sender = sender.removesuffix("-@[]")
        if sender == "#@[]":
            self.log(f"triple bounce: discarding bounce/{ident}")
        else:
            to, back = (sender, "") if sender else (f"postmaster@{self.me}", "#@[]")
            head = f"From: MAILER-DAEMON@{self.me}\nTo: {to}\nSubject: failure notice\n\nHi.\n\n"
            original = split_path(self.queue, "mess", ident).read_bytes()
            inject(self.queue, raw(head) + bounce.read_bytes() + original, back, [to], self.clock)
            self._todo_at = 0
            self.log(f"bounce msg {ident} qp {os.getpid()}")
        bounce.unlink()

    def _status(self) -> None:
        used = {LOCAL: 0, REMOTE: 0}
        for delivery in self._running.values():
            used[delivery.job.channel] += 1
        self.log(f"status: local {used[LOCAL]}/10 remote {used[REMOTE]}/20")
