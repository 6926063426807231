# SPDX-License-Identifier: GPL-2.0-or-later
"""What the DNS, HTTPS and this machine's interfaces say, as plain values. Nothing here judges.

`query` asks one name server one question, `nameservers` finds the servers of a zone and asks them all, `mtasts` fetches
a policy, `interfaces` lists our own addresses. Imports `errors`.
"""
