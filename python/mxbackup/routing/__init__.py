# SPDX-License-Identifier: GPL-2.0-or-later
"""Where mail goes: the only place that knows smtproutes, and what each mail system will do with a message. Pure.

Whoever calls it brings the answers of the DNS. Imports `errors`, `rules`, `esmith.settings` and the values of `lookup`.
"""
