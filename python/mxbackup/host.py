# SPDX-License-Identifier: GPL-2.0-or-later
"""The e-smith host below a path prefix: which targets it has, expanding, events, restarting services."""

import os
import re
import stat
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from mxbackup.errors import HostError, Sentence
from mxbackup.render import TARGETS, Target

ESMITH = Path("/home/e-smith")
DATABASES = ESMITH / "db"
CONTROL = Path("/var/qmail/control")
MORERCPTHOSTS = CONTROL / "morercpthosts"
PLAIN_DATABASES = Path("/etc/mxbackup")
NEWMRH = Path("/var/qmail/bin/qmail-newmrh")
TEMPLATES = (Path("/etc/e-smith/templates"), Path("/etc/e-smith/templates-custom"))
EXPAND_TEMPLATE = Path("/sbin/e-smith/expand-template")
SIGNAL_EVENT = Path("/sbin/e-smith/signal-event")
EXPAND_LOCK = Path("/var/lock/mxbackup-expand")
SERVICES = Path("/service")
INIT_SCRIPTS = Path("/etc/rc.d/init.d")
QPSMTPD = Path("/var/service/qpsmtpd/config")
PEER_LISTS = tuple(QPSMTPD / "peers" / name for name in ("0", "local"))
PLUGIN_LIST = QPSMTPD / "plugins"
QPSMTPD_SERVICES = ("qpsmtpd", "sqpsmtpd", "uqpsmtpd")  # one for each port, with the same plugins
SPOOL = Path("/var/spool/qpsmtpd")
RENDERED = "MXBACKUP_RENDERED"
# What the letters of supervise(8) are for systemd, which signals the main process only.
_SYSTEMCTL = {"t": ("restart",), "a": ("kill", "--kill-who=main", "--signal=ALRM")}
_PID = slice(12, 16)  # of supervise/status, both daemontools' and runit's; zero while the service is down
_OURS = re.compile(r"[0-9]{2}mxbackup")
COMMAND_PATH = ("/sbin/e-smith", "/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin")


class Host:
    """One SME Server; `root` is put before every path of it."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, absolute: Path) -> Path:
        """Return where the host's path is found from here."""
        return self.root / absolute.relative_to("/")

    @property
    def plain(self) -> bool:
        """Whether this is a host with qmail and without e-smith: no templates, no events."""
        return not self.path(ESMITH).is_dir() and self.path(CONTROL).is_dir()

    @property
    def live(self) -> bool:
        """Whether this is the system that runs, and no tree of files."""
        return self.root == Path("/")

    @property
    def spool(self) -> Path:
        """The spool directory of qpsmtpd, as its `spool_dir` says."""
        try:
            configured = self.path(QPSMTPD / "spool_dir").read_text().strip()
        except OSError:
            configured = ""
        return self.path(Path(configured) if configured.startswith("/") else SPOOL)

    def database(self, name: str) -> Path:
        """Return the file of a database."""
        return self.path(PLAIN_DATABASES if self.plain else DATABASES) / name

    def make_database_directory(self) -> None:
        """Make the directory of the databases on a host without e-smith. Raises HostError."""
        path = self.path(PLAIN_DATABASES)
        try:
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise HostError("{path} cannot be made: {reason}.", path=path, reason=error.strerror) from error

    def run_newmrh(self) -> None:
        """Compile `morercpthosts` for qmail-smtpd. Raises HostError when that was not done: see qmail-newmrh(8)."""
        done = self._run([self.path(NEWMRH)])
        if done.returncode != 0:
            raise HostError(
                "{command} failed, and the names in {path} count as before: {reason}",
                command=NEWMRH,
                path=MORERCPTHOSTS,
                reason=_one_line(done.stderr),
            )

    def files(self, directory: Path) -> list[Path]:
        """Return the files in one of the host's directories, sorted; none when it is not there."""
        found = self.path(directory)
        return sorted(directory / path.name for path in found.iterdir()) if found.is_dir() else []

    def targets(self) -> list[Target]:
        """Return the targets that this host has: expand-template fails where the directory of the file is missing.

        A file for which there is no template but our fragment is not expanded here, and so not ours to replace:
        `smtproutes` before SME 6 and since SME 11.
        """
        return [target for target in TARGETS.values() if self._expands(target.path)]

    def others_fill(self, path: Path) -> bool:
        """Whether another fragment than ours may give the file lines: one in templates-custom counts instead of its
        namesake, and an empty one gives nothing. True on a host without templates for it.
        """
        fragments = {fragment.name: fragment for fragment in self._fragments(path)}
        filled = [name for name, fragment in fragments.items() if self.path(fragment).stat().st_size]
        return not filled or not all(
            _OURS.fullmatch(name) or name in ("template-begin", "template-end") for name in filled
        )

    def _expands(self, path: Path) -> bool:
        names = [fragment.name for fragment in self._fragments(path)]
        only_ours = names and all(_OURS.fullmatch(name) for name in names)
        return self.path(path).parent.is_dir() and not only_ours

    def _fragments(self, path: Path) -> list[Path]:
        return [fragment for top in TEMPLATES for fragment in self.files(top / path.relative_to("/"))]

    @contextmanager
    def expanding(self, targets: Iterable[Target], lock: int) -> Iterator[Callable[[Mapping[Target, str]], None]]:
        """Expand the targets' files with our fragment of each, which the caller makes meanwhile and hands over.

        The host's own fragments, some of which read whole databases, so run beside our rendering. The
        `mxbackup render` that templates call waits for the end of its standard input, then prints a file of the
        directory named in RENDERED: all fragments are there or none, and without its own the template dies and the
        old file stays. `lock` is the descriptor of `expansion_lock`: the templates hold it too, should we be killed.
        Raises HostError naming the files left as they were.
        """
        with TemporaryDirectory(prefix="mxbackup-") as directory:
            rendered = Path(directory) / "rendered"

            def hand_over(fragments: Mapping[Target, str]) -> None:
                made = Path(directory) / "made"
                made.mkdir()
                for target, text in fragments.items():
                    (made / target.name).write_text(text)
                made.rename(rendered)

            reader, writer = os.pipe()
            with ExitStack() as running:
                waiting = running.enter_context(os.fdopen(reader))
                with os.fdopen(writer, "w"):  # closing it, or our death, is the end that the templates wait for
                    paths = [target.path for target in targets]
                    started = self._start_expanding(paths, running, waiting, {RENDERED: str(rendered)}, (lock,))
                    yield hand_over
                _await_expanded(started)

    def _expand_files(self, paths: Iterable[Path]) -> None:
        with ExitStack() as running:
            _await_expanded(self._start_expanding(paths, running))

    def _start_expanding(
        self,
        paths: Iterable[Path],
        running: ExitStack,
        stdin: IO[str] | None = None,
        more: Mapping[str, str] | None = None,
        inherited: Collection[int] = (),
    ) -> list[tuple[Path, subprocess.Popen[str]]]:
        """Start an expand-template for each file, all side by side, and see to it that `running` ends with them."""
        command = self.path(EXPAND_TEMPLATE)
        return [
            (path, running.enter_context(self._start([command, self.path(path)], stdin, more, inherited)))
            for path in paths
        ]

    @contextmanager
    def expansion_lock(self) -> Iterator[int]:
        """Hold this while reading rules and expanding, so that the last expansion is of the last change.

        Yields the descriptor that holds it. Raises HostError.
        """
        import fcntl  # here, because the module must load where there is no Unix

        path = self.path(EXPAND_LOCK)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.open("a")
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise HostError("{path} cannot be locked: {reason}.", path=path, reason=error.strerror) from error
        with lock:
            yield lock.fileno()

    def remove(self, files: Iterable[Path]) -> list[Path]:
        """Remove those of the files that are there; return them. Raises HostError."""
        removed = [file for file in files if self.path(file).exists()]
        for file in removed:
            try:
                self.path(file).unlink()
            except OSError as error:
                raise HostError("{path} cannot be removed: {reason}.", path=file, reason=error.strerror) from error
        return removed

    def require_events(self) -> None:
        """Raise HostError when this host has no events, before anything is changed in vain."""
        if not os.access(self.path(SIGNAL_EVENT), os.X_OK):
            raise HostError(
                "{path} is missing, so this is no SME Server. Nothing was changed. To change the database only, "
                "add --no-event.",
                path=self.path(SIGNAL_EVENT),
            )

    def signal_event(self, event: str, *arguments: str) -> None:
        """Run an e-smith event. Raises HostError when the host has none or an action failed."""
        done = self._run([self.path(SIGNAL_EVENT), event, *arguments])
        if done.returncode != 0:
            raise HostError(
                "The change is recorded, but the event {event} failed, so the mail files may be as they were. "
                "See /var/log/messages, mend what it says, then run: signal-event mxbackup-update",
                event=event,
            )

    def plugin_lists(self) -> list[Path]:
        """Return the lists that say which plugins a client meets: those for strangers and for clients of ours.

        Where there are none, the one that qpsmtpd loads when it starts.
        """
        peers = [path for path in PEER_LISTS if self.path(path).is_file()]
        return peers or [path for path in (PLUGIN_LIST,) if self.path(path).is_file()]

    def load_plugin(self) -> str:
        """Expand the lists of qpsmtpd's plugins and restart qpsmtpd, which reads them only then.

        Returns what was used for that, empty on a host without qpsmtpd. Raises HostError.
        """
        lists = self.plugin_lists()
        if not lists:
            return ""
        self._expand_files(path for path in lists if self._expands(path))
        used = [way for way in map(self.restart, QPSMTPD_SERVICES) if way]
        if not used:
            raise HostError("The plugin counts from the next start of qpsmtpd on. Restart qpsmtpd by hand.")
        return ", ".join(used)

    def restart(self, service: str) -> str:
        """Restart a service through whatever supervises it; return what was used, empty on a host without it.

        Raises HostError when there is a supervisor and none could do it.
        """
        return self._signal(service, "t", "{service} could not be restarted: {failures}.")

    def alarm(self, service: str) -> str:
        """Send ALRM to a service, through whatever supervises it and never by process number; return what was used.

        Raises HostError when nothing supervises it here, it does not run, or no supervisor could do it.
        """
        if self._is_down(service):
            raise HostError("{service} is not running.", service=service)
        used = self._signal(service, "a", "{service} could not be sent a signal: {failures}.")
        if not used:
            raise HostError("Nothing supervises {service} on this server, so no signal can reach it.", service=service)
        return used

    def _is_down(self, service: str) -> bool:
        try:
            return not any(self.path(SERVICES / service / "supervise/status").read_bytes()[_PID])
        except OSError:
            return False

    def _signal(self, service: str, letter: str, failed: Sentence) -> str:
        failures = []
        for label, attempt in self._ways_to_signal(service, letter):
            try:
                attempt()
            except (HostError, OSError) as error:
                failures.append(f"{label} ({error})")
            else:
                return label
        if failures:
            raise HostError(failed, service=service, failures="; ".join(failures))
        return ""

    def _ways_to_signal(self, service: str, letter: str) -> Iterator[tuple[str, Callable[[], None]]]:
        """What this host has of the supervisors of E-SMITH, the newest way of addressing each first.

        `letter` is the one that supervise(8) takes: t for TERM, upon which it starts the service anew, a for ALRM.
        """
        directory = SERVICES / service
        if self.path(directory).is_dir():
            for name, option in (("sv", letter), ("svc", f"-{letter}")):
                if command := self._find(name):
                    yield f"{name} {option} {directory}", partial(self._must, command, option, self.path(directory))
        systemctl, unit = self._find("systemctl"), f"{service}.service"
        if systemctl and self._run([systemctl, "cat", unit]).returncode == 0:
            words = _SYSTEMCTL[letter]
            yield f"systemctl {' '.join(words)} {service}", partial(self._must, systemctl, *words, unit)
        fifo = self.path(directory) / "supervise/control"
        if fifo.exists() and stat.S_ISFIFO(fifo.stat().st_mode):
            yield str(directory / "supervise/control"), partial(_send, fifo, letter.encode())
        init = self.path(INIT_SCRIPTS / service)
        if letter == "t" and os.access(init, os.X_OK):
            yield f"{INIT_SCRIPTS / service} restart", partial(self._must, init, "restart")

    def _find(self, name: str) -> Path | None:
        candidates = (self.path(Path(directory)) / name for directory in COMMAND_PATH)
        return next((path for path in candidates if os.access(path, os.X_OK)), None)

    def _must(self, *command: Path | str) -> None:
        done = self._run(command)
        # svc exits 0 when no supervisor listens, and only warns.
        if done.returncode != 0 or "unable to" in done.stderr:
            raise HostError("{reason}", reason=_one_line(done.stderr or done.stdout))

    def _run(self, command: Iterable[Path | str]) -> subprocess.CompletedProcess[str]:
        """Run a command of the host to its end, as `_start` says."""
        with self._start(command) as process:
            out, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)

    def _start(
        self,
        command: Iterable[Path | str],
        stdin: IO[str] | None = None,
        more: Mapping[str, str] | None = None,
        inherited: Collection[int] = (),
    ) -> subprocess.Popen[str]:
        """Start a command of the host in a clean environment. Raises HostError when it is not there."""
        words = [str(word) for word in command]
        environment = {
            "PATH": ":".join(COMMAND_PATH),
            "LC_ALL": "C",
            "MXBACKUP_ROOT": str(self.root),
            **(more or {}),
        }
        try:
            return subprocess.Popen(
                words, env=environment, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, errors="replace", pass_fds=inherited,
            )  # fmt: skip
        except OSError as error:
            raise HostError(
                "{command} cannot be run: {reason}. Is this an SME Server?",
                command=words[0],
                reason=error.strerror,
            ) from error


def _await_expanded(started: Iterable[tuple[Path, subprocess.Popen[str]]]) -> None:
    """Wait for expand-template, which exits 0 even when it fails: its errors are lines that begin with ERROR."""
    failures = []
    for path, process in started:
        errors = process.communicate()[1]
        if process.returncode != 0 or any(line.startswith("ERROR") for line in errors.splitlines()):
            failures.append(f"{path} ({_one_line(errors)})")
    if failures:
        raise HostError("Not expanded, the old file stays: {failures}.", failures="; ".join(failures))


def _send(fifo: Path, letter: bytes) -> None:
    descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(descriptor, letter)
    finally:
        os.close(descriptor)


def _one_line(text: str) -> str:
    return " / ".join(line.strip() for line in text.splitlines() if line.strip()) or "no message"
