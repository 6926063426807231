# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that we contribute to: what our share of each is, whether it is there, and what is wrong around it."""
