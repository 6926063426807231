# SPDX-License-Identifier: GPL-2.0-or-later
"""Which recipients there are: what is known, and learning it from the primaries."""

from dataclasses import replace
from typing import TYPE_CHECKING

from mxbackup.recipients import register
from mxbackup.recipients.policies import Known
from mxbackup.recipients.register import Knowledge
from mxbackup.rules import Recipients, Rule, RuleSet
from mxbackup.service import applying
from mxbackup.service.context import Context
from mxbackup.targets import qpsmtpd

if TYPE_CHECKING:
    from mxbackup.recipients.learning import Learned


def knowledge(context: Context, rules: RuleSet) -> dict[str, Knowledge]:
    """Return what is known of the recipients of these rules, by the rule's name. Raises DatabaseError."""
    return of_known(context, rules, context.recipients.known(rules))


def of_known(context: Context, rules: RuleSet, known: Known) -> dict[str, Knowledge]:
    """Return the same of what was read."""
    found = register.knowledge(rules, known)
    if not context.kind.learns_itself():
        return found
    return {name: replace(one, elsewhere=one.policy == Recipients.LEARN) for name, one in found.items()}


def lacks_list(context: Context, rule: Rule) -> bool:
    """Whether all mail of the rule is put off here for want of the list of its recipients. Raises DatabaseError."""
    listed = rule.recipients == Recipients.LIST and context.kind.tells_recipients_apart()
    return listed and not knowledge(context, RuleSet([rule]))[rule.name].whole


def learn(context: Context) -> "Learned | None":
    """Ask the primaries about recipients and put the answers into force; None where no rule learns.

    Raises DatabaseError, HostError.
    """
    inventory = context.inventory()
    wanted = any(rule.recipients == Recipients.LEARN for rule in inventory.rules)
    if not (inventory.settings.enabled and wanted and context.kind.has_qpsmtpd()):
        return None
    from mxbackup.recipients import learning  # brings the DNS library and SQLite, slow to load

    done = learning.run(context.host, inventory.rules, inventory.settings)
    if not context.removals.lost(inventory):  # said by `status`, and no news every five minutes
        context.kind.expand([qpsmtpd.TARGET], lambda: applying.read_whole(context))
    return done
