# SPDX-License-Identifier: GPL-2.0-or-later
"""What Postfix will do with a message for a name. Pure: whoever calls it brings the answers of the DNS.

`transport` finds the service and next hop as trivial-rewrite(8) does, `hosts` the addresses and `delivery` what comes
of them as smtp(8) does. All follow the sources of Postfix 3.7, from which 3.11 differs only in what is not in use
unless asked for (SRV records). Not followed: more than 100 addresses; and two codes, where a resolver answers FORMERR
or NOTIMP (5.4.3) and where getaddrinfo(3) finds a name without address (x.3.0).
"""
