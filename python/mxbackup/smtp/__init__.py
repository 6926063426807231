# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to a mail server (`session`), one dialogue (`client`), its replies (`replies`), and what one to RCPT
says (`rcpt`). `starttls` tells what the server's TLS is worth.

The only place that classifies replies. Imports `errors`, and of `esmith` what may be shown.
"""

SMTP_PORT = 25
