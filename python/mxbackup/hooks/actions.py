# SPDX-License-Identifier: GPL-2.0-or-later
"""What templates and events call: one fragment, or the expansion of all targets and the restart of qmail.

Messages go to stdout and stderr, which the host sends to syslog, in English; but `words`, which only the packages ask
for. Nothing here is slow to import.
"""

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mxbackup.errors import HostError, MxBackupError
from mxbackup.esmith import printable
from mxbackup.service import applying, draining, plugin
from mxbackup.service.context import Context

FAILED = 3


def render(target: str) -> int:
    """Print the fragment of one target, whole or not at all. Returns the exit status."""

    def act(context: Context) -> str:
        return applying.fragment(context, target)

    return _run(act)


def event_action(name: str) -> int:
    """Run an action of an event (`enforce`, or `expand`, its half; `installed`), `load-plugin`, `leave`, or `words`.

    Returns the exit status.
    """
    if name not in _ACTIONS:
        print(f"mxbackup: no action {name}; actions: {', '.join(_ACTIONS)}", file=sys.stderr)
        return 2
    return max([_run(act) for act in _ACTIONS[name]])


def _expand(context: Context) -> str:
    """The plugin first: rules with a list, or that learn, accept everybody as long as qpsmtpd has not loaded it."""
    failure = None
    try:
        used = plugin.load_missing(context)
    except HostError as error:
        used, failure = "", error
    done = applying.expand(context)
    if failure:
        raise failure
    lines = [f"loaded the plugin of qpsmtpd: {used}\n"] if used else []
    lines += [f"expanded {path}\n" for path in done.files]
    lines += [f"left out record {printable.line(f'{invalid.key}: {invalid.reason}')}\n" for invalid in done.left_out]
    return "".join(lines)


def _restart_qmail(context: Context) -> str:
    used = context.host.restart("qmail")
    return f"restarted qmail with {used}\n" if used else "no qmail service on this host, nothing to restart\n"


def _load_plugin(context: Context) -> str:
    used = plugin.load(context)
    return f"restarted qpsmtpd with {used}\n" if used else "no qpsmtpd on this host, no plugin to load\n"


def _leave(context: Context) -> str:
    """What smtproutes keeps when we are erased; on stderr what for."""
    text, found = draining.leave(context)
    for rule, waiting in found.items():
        waits = waiting.trouble or f"messages that wait: {waiting.messages}"
        print(f"mxbackup: {rule.name}: {printable.line(str(waits))}", file=sys.stderr)
    return text


def _words(context: Context) -> str:
    """What the scripts of the packages say, in the language and the charset of who runs rpm or dpkg."""
    from mxbackup.words import lexicon, scriptlets, terminal

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=terminal.charset(), errors="mxbackup.typed")
    return scriptlets.table(lexicon.load(lexicon.language_of_environment()))


# What each does, one after the other, whether or not the one before failed.
_ACTIONS: Mapping[str, Sequence[Callable[[Context], str]]] = {
    "enforce": (_expand, _restart_qmail),
    "expand": (_expand,),
    "load-plugin": (_load_plugin,),
    # The plugin first, as rules that tell recipients apart would accept everybody without it.
    "installed": (_load_plugin, _expand),
    "leave": (_leave,),
    "words": (_words,),
}


def _run(act: Callable[[Context], str]) -> int:
    context = Context.below(Path(os.environ.get("MXBACKUP_ROOT") or "/"))
    try:
        sys.stdout.write(printable.lines(act(context)))
        sys.stdout.flush()
    except (MxBackupError, OSError) as error:
        print(f"mxbackup: {printable.line(str(error))}", file=sys.stderr)
        return FAILED
    return 0
