# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user does with rules: the verbs behind the three faces."""
