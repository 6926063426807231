# SPDX-License-Identifier: GPL-2.0-or-later
"""The e-smith host: its databases, its configuration, its templates, events and supervised services.

`database` reads and writes the key/value files as the host does, `settings` says what they tell of this server,
`files` replaces a file in one step, `host` runs the host's commands. Imports `errors` and `rules`.
"""
