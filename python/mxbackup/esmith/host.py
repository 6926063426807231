# SPDX-License-Identifier: GPL-2.0-or-later
"""The e-smith host below a path prefix: templates, expanding, events, restarting services."""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import ClassVar

from mxbackup.errors import HostError, Sentence
from mxbackup.esmith.commands import COMMAND_PATH, Done, Running, one_line
from mxbackup.esmith.database import Store
from mxbackup.esmith.expansion import Expansion

ESMITH = Path("/home/e-smith")
DATABASES = ESMITH / "db"
CONTROL = Path("/var/qmail/control")
MORERCPTHOSTS = CONTROL / "morercpthosts"
PLAIN_DATABASES = Path("/etc/mxbackup")
NEWMRH = Path("/var/qmail/bin/qmail-newmrh")
POSTFIX = Path("/etc/postfix")
TEMPLATES = (Path("/etc/e-smith/templates"), Path("/etc/e-smith/templates-custom"))
METADATA = Path("/etc/e-smith/templates.metadata")
EXPAND_TEMPLATE = Path("/sbin/e-smith/expand-template")
SIGNAL_EVENT = Path("/sbin/e-smith/signal-event")
UPDATE = "signal-event mxbackup-update"  # puts all rules into force
EXPANSION_DIRECTORY = Path("/var/lib/mxbackup/expansion")
SERVICES = Path("/service")
INIT_SCRIPTS = Path("/etc/rc.d/init.d")
QPSMTPD_SERVICES = ("qpsmtpd", "sqpsmtpd", "uqpsmtpd")  # one for each port: 25, 465, 587
# Before SME 11 the second is a link to the first, and there is no third.
QPSMTPD_CONFIGS = tuple(Path("/var/service") / service / "config" for service in QPSMTPD_SERVICES)
QPSMTPD = QPSMTPD_CONFIGS[0]
PEER_LISTS = tuple(config / "peers" / name for config in QPSMTPD_CONFIGS for name in ("0", "local"))
PLUGINS = "plugins"
SPOOL = Path("/var/spool/qpsmtpd")
RENDERED = "MXBACKUP_RENDERED"
# What the letters of supervise(8) are for systemd, which signals the main process only.
_SYSTEMCTL = {"t": ("restart",), "a": ("kill", "--kill-who=main", "--signal=ALRM")}
_WANT = slice(17, 18)  # u or d, in the same
_PID = slice(12, 16)  # of supervise/status, both daemontools' and runit's; zero while the service is down
_OURS = re.compile(r"[0-9]{2}mxbackup")
_ELSEWHERE = re.compile(r"""^TEMPLATE_PATH\s*=\s*["'](/[^"']+)["']""", re.MULTILINE)
# Seconds that a command of the host, and an event with all its actions, may take.
COMMAND_LIMIT = 120
EVENT_LIMIT = 1200


class Host:
    """One SME Server; `root` is put before every path of it. `dry` is one that nothing is changed on."""

    dry: ClassVar[bool] = False

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self._expansion = Expansion(root, EXPANSION_DIRECTORY, EXPAND_TEMPLATE)

    def path(self, absolute: Path) -> Path:
        """Return where the host's path is found from here."""
        return self.root / absolute.relative_to("/")

    @property
    def plain(self) -> bool:
        """Whether this is a host with qmail or Postfix and without e-smith: no templates, no events."""
        return not self.path(ESMITH).is_dir() and (self.has_qmail or self.path(POSTFIX / "main.cf").is_file())

    @property
    def is_server(self) -> bool:
        """Whether this is a mail server at all: an SME Server, or a host with qmail or Postfix."""
        return self.plain or any(self.path(one).exists() for one in (ESMITH, SIGNAL_EVENT, EXPAND_TEMPLATE))

    @property
    def has_qmail(self) -> bool:
        """Whether there are control files of qmail."""
        return self.path(CONTROL).is_dir()

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

    def store(self, name: str, log: Callable[[list[str]], None] | None = None, *, disposable: bool = False) -> Store:
        """Return the store of a database; see there."""
        return Store(self.database(name), log, disposable=disposable)

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
        if done.status != 0:
            raise HostError(
                "{command} failed, and the names in {path} count as before: {reason}",
                command=NEWMRH,
                path=MORERCPTHOSTS,
                reason=one_line(done.errors),
            )

    def files(self, directory: Path) -> list[Path]:
        """Return the files in one of the host's directories, sorted; none when it is not there."""
        found = self.path(directory)
        return sorted(directory / path.name for path in found.iterdir()) if found.is_dir() else []

    def others_fill(self, path: Path) -> bool:
        """Whether another fragment than ours may give the file lines: one in templates-custom counts instead of its
        namesake, and an empty one gives nothing. True on a host without templates for it.
        """
        fragments = {fragment.name: fragment for fragment in self._fragments(path)}
        filled = [name for name, fragment in fragments.items() if self.path(fragment).stat().st_size]
        return not filled or not all(
            _OURS.fullmatch(name) or name in ("template-begin", "template-end") for name in filled
        )

    def expands(self, path: Path) -> bool:
        """Whether a file is expanded here: expand-template fails where its directory is missing.

        One for which there is no template but our fragment is not, and so not ours to replace: `smtproutes` before
        SME 6 and since SME 11.
        """
        names = [fragment.name for fragment in self._fragments(path)]
        only_ours = names and all(_OURS.fullmatch(name) for name in names)
        return self.path(path).parent.is_dir() and not only_ours

    def has_template(self, path: Path) -> bool:
        """Whether there are fragments of a file, if only ours."""
        return bool(self._fragments(path))

    def _fragments(self, path: Path) -> list[Path]:
        template = self._template(path).relative_to("/")
        return [fragment for top in TEMPLATES for fragment in self.files(top / template)]

    def _template(self, path: Path) -> Path:
        """Return the path whose fragments make a file: another one where its metadata say so (esmith::templates)."""
        metadata = self.path(METADATA / path.relative_to("/"))
        try:
            said = metadata.read_text("latin-1")
        except IsADirectoryError:
            value = metadata / "TEMPLATE_PATH"
            said = f"TEMPLATE_PATH={value.read_text('latin-1')}" if value.is_file() else ""
        except FileNotFoundError:
            return path
        found = _ELSEWHERE.search(said)
        return Path(found[1]) if found else path

    def expansion_lock(self) -> AbstractContextManager[int]:
        """Hold this while reading rules and expanding, so that the last expansion is of the last change.

        Yields the descriptor that holds it. Raises HostError.
        """
        return self._expansion.lock()

    def expanding(
        self, paths: Iterable[Path], lock: int
    ) -> AbstractContextManager[Callable[[Mapping[str, str]], None]]:
        """Expand files with our fragment of each, which the caller makes meanwhile and hands over by their names.

        The host's own fragments, some of which read whole databases, so run beside our rendering; ours wait
        (root/usr/share/mxbackup/fragment.pl). `lock` is the descriptor of `expansion_lock`. Raises HostError naming the
        files left as they were.
        """
        return self._expansion.beside(paths, lock, RENDERED)

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
        done = self._run([self.path(SIGNAL_EVENT), event, *arguments], EVENT_LIMIT)
        if done.status != 0:
            raise HostError(
                "The change is recorded, but the event {event} failed, so the mail files may be as they were. "
                "See /var/log/messages, mend what it says, then run: {command}",
                event=event,
                command=UPDATE,
            )

    def plugin_lists(self) -> list[Path]:
        """Return the lists that say which plugins a client meets: those for strangers and for clients of ours.

        Where there are none, the one that qpsmtpd loads when it starts. Of each qpsmtpd that has lists of its own.
        """
        found: list[Path] = []
        for config in self.own(QPSMTPD_CONFIGS):
            peers = [path for path in PEER_LISTS if config in path.parents and self.path(path).is_file()]
            found += peers or [path for path in (config / PLUGINS,) if self.path(path).is_file()]
        return found

    def own(self, paths: Sequence[Path]) -> list[Path]:
        """Return the paths without those that lead to one before them."""
        firsts = {self.path(path).resolve(): path for path in reversed(paths)}
        return [path for path in paths if path in firsts.values()]

    def load_plugin(self) -> str:
        """Expand the lists of qpsmtpd's plugins and restart qpsmtpd, which reads them only then.

        Returns what was used for that, empty on a host without qpsmtpd. Raises HostError.
        """
        lists = self.plugin_lists()
        if not lists:
            return ""
        with self.expansion_lock() as lock:
            self._expansion.run([path for path in lists if self.expands(path)], lock)
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
        if self.is_down(service):
            raise HostError("{service} is not running.", service=service)
        used = self._signal(service, "a", "{service} could not be sent a signal: {failures}.")
        if not used:
            raise HostError("Nothing supervises {service} on this server, so no signal can reach it.", service=service)
        return used

    def supervises(self, service: str) -> bool:
        """Whether something here supervises a service of this name."""
        return any(True for _ in self._ways_to_signal(service, "a"))

    def is_down(self, service: str) -> bool:
        """Whether a supervisor says that this service does not run."""
        try:
            return not any(self.path(SERVICES / service / "supervise/status").read_bytes()[_PID])
        except OSError:
            return False

    def is_stopped(self, service: str) -> bool:
        """Whether it does not run and is not about to: at a restart a service is down for a moment."""
        status = self.path(SERVICES / service / "supervise/status")
        return self.is_down(service) and status.read_bytes()[_WANT] != b"u"

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
        if systemctl and self._run([systemctl, "cat", unit]).status == 0:
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
        if done.status != 0 or "unable to" in done.errors:
            raise HostError("{reason}", reason=one_line(done.errors or done.out))

    def _run(self, command: Iterable[Path | str], limit: int = COMMAND_LIMIT) -> Done:
        """Run a command of the host to its end, or till the limit (seconds). Raises HostError when it is not there."""
        return Running(command, {"MXBACKUP_ROOT": str(self.root)}).end(limit)


def _send(fifo: Path, letter: bytes) -> None:
    descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(descriptor, letter)
    finally:
        os.close(descriptor)
