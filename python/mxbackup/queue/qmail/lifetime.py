# SPDX-License-Identifier: GPL-2.0-or-later
"""How long qmail-send keeps a message: `control/queuelifetime`, read as control_readint() of control.c does."""

import re
from pathlib import Path

from mxbackup.errors import QueueError

QUEUELIFETIME = Path("/var/qmail/control/queuelifetime")
DEFAULT = 604_800  # seconds: qmail-send.c
_LIMIT = 1024  # bytes of the file that are read


def read_lifetime(path: Path) -> int:
    """Return the lifetime in seconds; the default where there is no file, or no number in its first line.

    qmail-send has read it at its start. Raises QueueError when the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            number = re.match(rb"[0-9]+", file.read(_LIMIT))
    except FileNotFoundError:
        return DEFAULT
    except OSError as error:
        raise QueueError("{path} cannot be read: {reason}.", path=path, reason=error.strerror) from error
    return int(number[0]) if number else DEFAULT
