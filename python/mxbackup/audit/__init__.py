# SPDX-License-Identifier: GPL-2.0-or-later
"""An audit of a domain, for its owner: what all of its mail exchangers say to a stranger, and how that is judged.

Needs no rule, no database and no server of ours: `facts` are what was found out, `asking` finds it out in bounded time,
`findings` judge it, `memory` tells what has changed since the last time. What the world is told about the domain is
asked and judged as in `check`, which this builds on.
"""
