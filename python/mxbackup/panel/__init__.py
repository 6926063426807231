# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of the server-manager: a CGI program, request to service to page (RFC 3875)."""

import os
from pathlib import Path
from wsgiref.handlers import CGIHandler

from mxbackup.panel.application import Panel
from mxbackup.service.context import Context


def main() -> None:
    """Answer the CGI request of this process. MXBACKUP_ROOT is put before every system path."""
    root = Path(os.environ.get("MXBACKUP_ROOT") or "/")
    privileged = os.geteuid() == 0 or root != Path("/")
    CGIHandler().run(Panel(Context.below(root), privileged=privileged))
