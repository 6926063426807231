# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules in the DNS, as catalog zones (RFC 9432), which name servers carry from one backup server to others.

`resources` is what a zone holds, `codec` makes rules of it and it of rules, `zonefile` is its text. Imports `errors`,
`rules` and, for what it holds on the wire, dnspython; nothing here opens a file or knows what else is on this server.
"""
