# SPDX-License-Identifier: GPL-2.0-or-later
"""One dialogue with a mail server, and what a reply means: the only place that classifies replies.

Imports `errors`.
"""

SMTP_PORT = 25
