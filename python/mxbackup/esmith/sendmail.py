# SPDX-License-Identifier: GPL-2.0-or-later
"""Sending mail from this server, as every program on it does."""

import os
import subprocess
from email.message import EmailMessage
from pathlib import Path

from mxbackup.errors import HostError, Message
from mxbackup.esmith.host import Host

# qmail's sendmail passes an empty -f on in a way that takes the next word for the sender (sendmail.c).
QMAIL_INJECT = Path("/var/qmail/bin/qmail-inject")
SENDMAIL = Path("/usr/sbin/sendmail")
SENDING_LIMIT = 60  # seconds


def can_send(host: Host) -> bool:
    """Whether there is a program here that sends mail."""
    return _command(host) is not None


def send(host: Host, message: EmailMessage, sender: str = "") -> None:
    """Hand the message to qmail-inject(8) or sendmail(8), to the recipients in its header. Raises HostError.

    `sender` is that of the envelope; the empty one lets nothing come back in circles.
    """
    command = _command(host, sender)
    if command is None:
        raise HostError("There is no {command}, so no mail can be sent.", command=SENDMAIL)
    try:
        subprocess.run(command, input=message.as_bytes(), capture_output=True, check=True, timeout=SENDING_LIMIT)
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(
            "{command} could not send the mail: {reason}", command=command[0], reason=_why(error)
        ) from error


def _why(error: OSError | subprocess.SubprocessError) -> Message | OSError:
    match error:
        case OSError():
            return error
        case subprocess.CalledProcessError():
            return Message("it exited with status {status}", status=error.returncode)
    return Message("it took more than {limit} seconds", limit=SENDING_LIMIT)


def _command(host: Host, sender: str = "") -> list[str] | None:
    commands = ((QMAIL_INJECT, ["-f", sender, "-h"]), (SENDMAIL, ["-i", "-f", sender or "<>", "-t"]))
    found = ((host.path(program), options) for program, options in commands)
    return next(([str(path), *options] for path, options in found if os.access(path, os.X_OK)), None)
