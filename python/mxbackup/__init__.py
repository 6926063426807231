# SPDX-License-Identifier: GPL-2.0-or-later
"""Backup MX for SME Server: rules in the `domains` database, rendered for the mail programs."""

__version__ = "1.0.0"
