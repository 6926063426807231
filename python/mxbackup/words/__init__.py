# SPDX-License-Identifier: GPL-2.0-or-later
"""Values into sentences, in the user's language."""
