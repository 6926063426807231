# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates: `*.j2` of mail files, which the package translates to modules beside them; `panel/` of the pages."""
