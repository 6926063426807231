# SPDX-License-Identifier: GPL-2.0-or-later
"""The forms of a text with rules, one module for each."""
