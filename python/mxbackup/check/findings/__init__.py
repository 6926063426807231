# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong, one function for each: it takes the facts and yields findings."""
