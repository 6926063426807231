# SPDX-License-Identifier: GPL-2.0-or-later
"""Which recipients of the rules Postfix accepts: three tables of access(5), looked up one after the other.

`recipients` has the addresses of lists, `recipient_hosts` and `recipient_domains` what is done with everybody else.
They are asked last of all restrictions, so that OK ends nothing but this.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from mxbackup.esmith.inventory import Inventory
from mxbackup.recipients.policies import Known
from mxbackup.routing.entries import keys
from mxbackup.rules import Kind, Recipients, Rule, RuleSet
from mxbackup.targets.postfixtable import DIRECTORY, Pattern, PostfixTable

LISTED = "OK"
# The restriction class that refuses who is in no list.
UNLISTED_CLASS = "mxbackup_unlisted"
NO_LIST = "450 4.3.0 The list of recipients is missing here, try again later"


class ListedRecipients(PostfixTable):
    """The addresses of the lists."""

    name = "recipients"
    path = DIRECTORY / "recipients"

    def values(self, in_force: RuleSet, inventory: Inventory, known: Known) -> Mapping[str, object]:
        """Addresses that their list decides about."""
        listing = [rule for rule in in_force if rule.recipients == Recipients.LIST]
        found = [
            (address, LISTED)
            for rule in listing
            for address in sorted(known.lists.get(rule.name, ()))
            if in_force.nearest(address.rpartition("@")[2]) is rule
        ]
        return {"table": found}


class RecipientDomains(PostfixTable):
    """What is done with recipients of domain rules that are in no list."""

    name = "recipient_domains"
    path = DIRECTORY / "recipient_domains"
    kind: ClassVar[Kind] = Kind.DOMAIN

    def values(self, in_force: RuleSet, inventory: Inventory, known: Known) -> Mapping[str, object]:
        """Names; one of which every recipient is accepted stands there only below one that is particular."""
        return {
            "table": [
                (key, value)
                for rule, value in _policies(in_force, known)
                if rule.kind == self.kind
                for key in keys(rule)
            ]
        }


class RecipientHosts(RecipientDomains):
    """The same of host rules."""

    name = "recipient_hosts"
    path = DIRECTORY / "recipient_hosts"
    kind = Kind.HOST
    whole_names = True


class Base(Pattern):
    """What an address is an extension of: jean for jean-news and jean+news."""

    name = "base"
    path = DIRECTORY / "base"


class Unlisted(Pattern):
    """The answer to who is in no list: no final one to what may be an extension of somebody who is."""

    name = "unlisted"
    path = DIRECTORY / "unlisted"


LISTED_RECIPIENTS, DOMAINS, HOSTS = ListedRecipients(), RecipientDomains(), RecipientHosts()
BASE, UNLISTED = Base(), Unlisted()


def checks(kind: str) -> list[str]:
    """Return the restrictions that ask the tables, compiled as that type, in their order."""
    listed = LISTED_RECIPIENTS.lookup(kind)
    tables = (listed, f"pipemap:{{regexp:{BASE.path},{listed}}}", HOSTS.lookup(kind), DOMAINS.lookup(kind))
    return [f"check_recipient_access {table}" for table in tables]


def _policies(in_force: RuleSet, known: Known) -> Iterator[tuple[Rule, str]]:
    for rule in in_force:
        match rule.recipients:
            case Recipients.LIST:
                yield rule, UNLISTED_CLASS if known.lists.get(rule.name) else NO_LIST
            case Recipients.LEARN:
                yield rule, "reject_unverified_recipient"
            case Recipients.ANY:
                if in_force.covering(rule.name):
                    yield rule, LISTED
