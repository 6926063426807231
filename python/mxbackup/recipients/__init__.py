# SPDX-License-Identifier: GPL-2.0-or-later
"""Who exists at a primary: lists, what is accepted for each rule, callouts to primaries, learning from them.

Imports what finds and asks a primary: `esmith`, `lookup`, `smtp`, `routing`.
"""
