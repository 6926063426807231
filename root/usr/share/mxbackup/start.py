# SPDX-License-Identifier: GPL-2.0-or-later
"""What /usr/bin/mxbackup starts: finds our packages beside this file. Readable by any Python, to say no."""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "mxbackup: %s is older than Python 3.11. Install the package smeserver-mxbackup-python.\n" % sys.executable
    )
    sys.exit(3)

sys.path[:0] = ["/usr/share/mxbackup", "/usr/share/mxbackup/lib"]

from mxbackup.__main__ import main  # noqa: E402

main()
