# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether qpsmtpd asks our plugin: the lists of its plugins name it in time, and the server that runs has loaded it.

Without the plugin a list of recipients, or what was learnt of them, counts for nothing.
"""

import os
import re
import stat
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, HostError, Severity
from mxbackup.esmith import files
from mxbackup.esmith.host import Host
from mxbackup.rules import Recipients, Rule

PLUGIN = Path("/usr/share/qpsmtpd/plugins/mxbackup")
# These plugins answer for recipients too, and the first answer counts.
LATER = ("check_smtp_forward", "check_goodrcptto", "rcpt_ok")
PATIENCE = 20.0  # seconds for a restarted server to load the plugin
ANSWER = 5.0  # seconds for its greeting
NOTE_LIMIT = 100  # bytes
_SOURCE = "qpsmtpd Qpsmtpd.pm (_config_from_file, _load_plugin)"

LIST_UNREADABLE = FindingKind(
    "plugin-list-unreadable", Severity.ERROR,
    "The list of qpsmtpd's plugins cannot be read: {reason}",
)  # fmt: skip
MISSING = FindingKind(
    "plugin-missing", Severity.ERROR,
    'The line "{line}" is missing, so qpsmtpd does not ask our plugin: lists of recipients, and what was learnt of '
    "them, count for nothing.",
    "Run: mxbackup action load-plugin",
    source=_SOURCE,
)  # fmt: skip
LATE = FindingKind(
    "plugin-late", Severity.ERROR,
    'The line "{line}" stands behind "{other}", which refuses mail for our rules before our plugin is asked.',
    "Have it come before, then run: mxbackup action load-plugin",
    source=_SOURCE,
)  # fmt: skip
NOT_LOADED = FindingKind(
    "plugin-not-loaded", Severity.ERROR,
    "The running qpsmtpd has not loaded this plugin: lists of recipients, and what was learnt of them, count for "
    "nothing.",
    "Run: mxbackup action load-plugin",
    milder=Severity.WARNING,
)  # fmt: skip
SILENT = FindingKind(
    "qpsmtpd-silent", Severity.WARNING,
    "Nothing greets at port 25 of this server, so it is not known whether qpsmtpd loads this plugin.",
    "Start qpsmtpd, or see its log.",
)  # fmt: skip

_NOTE = re.compile(r"([0-9]{1,10}) ([0-9]{1,20})\n")


def findings(host: Host, rules: Collection[Rule], knock: Callable[[], bool] | None = None) -> list[Finding]:
    """Return why the plugin does not decide about the recipients of these rules; nothing without rules.

    A list of plugins that is wrong is an error; a server that has not loaded the plugin is one where a rule has a list
    or learns. `knock` has the server serve a client, on a running system by default, and tells whether it did.
    """
    if not rules:
        return []
    found = [finding for path in host.plugin_lists() for finding in _in_list(host, path)]
    knock = knock or (_knock if host.live else None)
    # The lists are loaded for each client, and since the server started there may have been none.
    if loaded(host) is False and knock:
        served = knock()
        if not loaded(host):
            told_apart = any(rule.recipients != Recipients.ANY for rule in rules)
            found.append(NOT_LOADED.found(PLUGIN, mild=not told_apart) if served else SILENT.found(PLUGIN))
    return found


def is_asked(host: Host) -> bool:
    """Whether nothing is wrong with the lists, and the server that runs has loaded the plugin as far as we may know."""
    return not any(_in_list(host, path) for path in host.plugin_lists()) and loaded(host) is not False


def loaded(host: Host) -> bool | None:
    """Whether the server runs that noted to have loaded the plugin; None when we may not know."""
    try:
        return _runs(host, note(host))
    except PermissionError:
        return None


def note(host: Host) -> str:
    """Return what the plugin noted when it was loaded: a process, and when that began, or nothing.

    Its directory belongs to the user whom the network talks to, who could lay links there: none is followed.
    Raises PermissionError.
    """
    with ExitStack() as opened:

        def enter(path: Path | str, flags: int) -> int:
            descriptor = os.open(path, os.O_RDONLY | flags)
            opened.callback(os.close, descriptor)
            return descriptor

        try:
            spool = enter(host.spool, os.O_DIRECTORY)
            directory = enter(files.at(spool, "mxbackup"), os.O_DIRECTORY | os.O_NOFOLLOW)
            file = enter(files.at(directory, "loaded"), os.O_NOFOLLOW | os.O_NONBLOCK)
        except PermissionError:
            raise
        except OSError:
            return ""
        found = os.fstat(file)
        ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.fstat(directory).st_uid
        return os.read(file, NOTE_LIMIT).decode("latin-1") if ours else ""


def await_loaded(host: Host, before: str, patience: float = PATIENCE) -> None:
    """Wait until a server has loaded the plugin that is not the one of the note `before`. Raises HostError."""
    end = time.monotonic() + patience
    while (now := note(host)) == before or not _runs(host, now):
        if time.monotonic() > end:
            raise HostError(
                "qpsmtpd was restarted, and has not loaded our plugin. See its log, mend what it says, then run: "
                "mxbackup action load-plugin"
            )
        _knock()
        time.sleep(0.1)


def _runs(host: Host, noted: str) -> bool:
    """Whether the process is there and began when the note says, as another may have its number. See proc(5)."""
    match = _NOTE.fullmatch(noted)
    if not match:
        return False
    try:
        fields = host.path(Path("/proc") / match[1] / "stat").read_text("latin-1").rpartition(") ")[2].split()
    except OSError:
        return False
    return fields[19:20] == [match[2]]


def _knock() -> bool:
    """Be a client of this server until it greets; tell whether it did."""
    import socket  # here, because events load this module

    with suppress(OSError), socket.create_connection(("127.0.0.1", 25), ANSWER) as connection:
        greeted = bool(connection.recv(512))
        connection.sendall(b"QUIT\r\n")
        return greeted
    return False


def _in_list(host: Host, path: Path) -> list[Finding]:
    """See Qpsmtpd.pm, `_config_from_file` and `_load_plugin`: a name, arguments, comments from column 0."""
    try:
        lines = host.path(path).read_text("latin-1").splitlines()
    except OSError as error:
        return [LIST_UNREADABLE.found(path, reason=error.strerror or error)]
    names = [line.split()[0].partition(":")[0] for line in lines if line.strip() and not line.startswith("#")]
    if PLUGIN.name not in names:
        return [MISSING.found(path, line=PLUGIN.name)]
    first = next(name for name in names if name in (PLUGIN.name, *LATER))
    return [LATE.found(path, line=PLUGIN.name, other=first)] if first != PLUGIN.name else []
