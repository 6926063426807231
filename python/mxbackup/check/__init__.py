# SPDX-License-Identifier: GPL-2.0-or-later
"""Will it work: the facts about a name, how they are collected, what they mean, and what is remembered of that."""
