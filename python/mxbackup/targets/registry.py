# SPDX-License-Identifier: GPL-2.0-or-later
"""All targets."""

from collections.abc import Mapping
from types import MappingProxyType

from mxbackup.errors import RenderError
from mxbackup.targets import (
    goodrcptto,
    morercpthosts,
    postfixtable,
    qpsmtpd,
    rcpthosts,
    recipient_access,
    relay_domains,
    smtpd_check_rules,
    smtproutes,
    transport,
)
from mxbackup.targets.target import Target

# Those of a Postfix that only sends, and those of one that takes mail in too, in the order of writing: what says where
# mail goes, and who is refused, before what accepts it.
POSTFIX_ROUTES: tuple[Target, ...] = (postfixtable.EXACT, transport.DOMAINS, transport.HOSTS)
POSTFIX_NAMES: tuple[Target, ...] = (relay_domains.DOMAINS, relay_domains.HOSTS)
POSTFIX_QUEUE = (*POSTFIX_ROUTES, *POSTFIX_NAMES)
POSTFIX = (
    *POSTFIX_ROUTES,
    recipient_access.BASE,
    recipient_access.UNLISTED,
    recipient_access.LISTED_RECIPIENTS,
    recipient_access.HOSTS,
    recipient_access.DOMAINS,
    *POSTFIX_NAMES,
)
ALL: tuple[Target, ...] = (
    *(module.TARGET for module in (smtpd_check_rules, rcpthosts, morercpthosts, smtproutes, goodrcptto, qpsmtpd)),
    *POSTFIX,
)
# Those of which templates of e-smith ask for our share, by name.
EXPANDED: Mapping[str, Target] = MappingProxyType({target.name: target for target in ALL if target.expanded})


def expanded(name: str) -> Target:
    """Return the target of that name. Raises RenderError for an unknown one."""
    if name not in EXPANDED:
        raise RenderError('There is no target "{target}". Targets: {known}.', target=name, known=", ".join(EXPANDED))
    return EXPANDED[name]
