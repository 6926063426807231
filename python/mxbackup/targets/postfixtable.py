# SPDX-License-Identifier: GPL-2.0-or-later
"""A table of our own that Postfix looks up: its source, and what postmap(1) makes of it."""

import re
from functools import lru_cache
from typing import ClassVar

from mxbackup.errors import HostError
from mxbackup.esmith import postfix
from mxbackup.esmith.host import POSTFIX, Host
from mxbackup.targets.target import Target

DIRECTORY = POSTFIX / "mxbackup"


class PostfixTable(Target):
    """A line is a key, a tab, and a value.

    A table for hosts is looked up by the whole name only. Of every other one `parent_domain_matches_subdomains` decides
    whether the key `dom` reaches below too, or `.dom` does, so that has both.
    """

    template = "table"
    expanded = False
    own_directory = True
    whole_names: ClassVar[bool] = False

    def compile(self, host: Host) -> None:
        """See postmap(1)."""
        postfix.compile_table(host, table_type(host), self.path)

    def stale(self, host: Host) -> bool:
        """Contents are compared, for the type may be another one by now."""
        try:
            compiled = postfix.table(host, table_type(host), self.path)
            lines = host.path(self.path).read_text("utf-8", "surrogateescape").splitlines()
        except (HostError, OSError):
            return True
        return compiled != dict(line.split("\t", 1) for line in lines if "\t" in line and not line.startswith("#"))

    def lookup(self, kind: str) -> str:
        """Return what names the table in main.cf: compiled as that type."""
        return f"pipemap:{{regexp:{EXACT.path},{kind}:{self.path}}}" if self.whole_names else f"{kind}:{self.path}"


class Pattern(Target):
    """A file of patterns, which needs no compiling: regexp_table(5)."""

    expanded = False
    own_directory = True


class Exact(Pattern):
    """The pattern in front of a table that is to be looked up by the whole name: the name, also of a whole address.

    A map of patterns is asked about whole keys only, in `transport_maps` about addresses, never about the parents of a
    name; and of a pipemap the first one decides about that (postfix-3: dict_pipe.c, match_ops.c, transport.c). So what
    lies below a name cannot match.
    """

    name = "exact"
    path = DIRECTORY / "exact"


class Naming(Pattern):
    """The lines by which main.cf names our tables, for the fragment of its template.

    It is written when the tables are there: one that is named and missing stops all mail.
    """

    name = "postfix_naming"
    path = DIRECTORY / "naming"


EXACT, NAMING = Exact(), Naming()


@lru_cache(maxsize=1)
def table_type(host: Host) -> str:
    """Return the type that our tables are compiled as: the one that main.cf names them with. Raises HostError."""
    named = re.search(rf"(\w+):{DIRECTORY}/relay_", postfix.parameters(host, "relay_domains")["relay_domains"])
    return postfix.best_type(host, named[1] if named else "")
