# SPDX-License-Identifier: GPL-2.0-or-later
"""All targets."""

from collections.abc import Mapping
from types import MappingProxyType

from mxbackup.errors import RenderError
from mxbackup.targets import goodrcptto, morercpthosts, qpsmtpd, rcpthosts, smtpd_check_rules, smtproutes
from mxbackup.targets.target import Target

ALL: tuple[Target, ...] = tuple(
    module.TARGET for module in (smtpd_check_rules, rcpthosts, morercpthosts, smtproutes, goodrcptto, qpsmtpd)
)
# Those of which templates of e-smith ask for our share, by name.
EXPANDED: Mapping[str, Target] = MappingProxyType({target.name: target for target in ALL if target.expanded})


def expanded(name: str) -> Target:
    """Return the target of that name. Raises RenderError for an unknown one."""
    if name not in EXPANDED:
        raise RenderError('There is no target "{target}". Targets: {known}.', target=name, known=", ".join(EXPANDED))
    return EXPANDED[name]
