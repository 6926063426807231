# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules from elsewhere and to elsewhere: recognising a text, reading it, merging it into the database.

`formats` has one module for each form. Imports `errors`, `rules` and `esmith`.
"""
