# SPDX-License-Identifier: GPL-2.0-or-later
"""What templates, events and cron call. Messages are in English, for syslog; nothing here is slow to import."""
