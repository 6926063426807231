# SPDX-License-Identifier: GPL-2.0-or-later
"""Sending mail from this server, as every program on it does."""

import subprocess
from email.message import EmailMessage
from pathlib import Path

from mxbackup.errors import HostError

SENDMAIL = Path("/usr/sbin/sendmail")
SENDING_LIMIT = 60  # seconds


def send(sendmail: Path, message: EmailMessage) -> None:
    """Hand the message to the host's sendmail(8), to the recipients in its header. Raises HostError."""
    try:
        subprocess.run(
            [sendmail, "-i", "-t"], input=message.as_bytes(), capture_output=True, check=True, timeout=SENDING_LIMIT
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError("{command} could not send the mail: {reason}", command=sendmail, reason=error) from error
