# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin of qpsmtpd: whether it is asked about recipients, and having it loaded."""

from mxbackup.errors import Finding
from mxbackup.esmith.inventory import Inventory
from mxbackup.service.context import Context


def faults(context: Context, inventory: Inventory) -> list[Finding]:
    """Return why qpsmtpd does not ask our plugin about the recipients of the rules in force, if that is so."""
    if not inventory.settings.enabled or not context.kind.has_qpsmtpd():
        return []
    from mxbackup.targets import qpsmtpdplugin

    return qpsmtpdplugin.findings(context.host, inventory.rules)


def load(context: Context) -> str:
    """Have qpsmtpd load our plugin; return what was used to restart it, empty without it. Raises HostError."""
    from mxbackup.targets import qpsmtpdplugin

    before = qpsmtpdplugin.note(context.host)
    used = context.host.load_plugin()
    if used and context.host.live:
        qpsmtpdplugin.await_loaded(context.host, before)
    return used


def load_missing(context: Context) -> str:
    """Have qpsmtpd load our plugin where rules need it and it is not loaded; return as `load` does.

    A server that is stopped stays so. Raises DatabaseError, HostError.
    """
    if not context.kind.has_qpsmtpd():
        return ""
    from mxbackup.targets import qpsmtpdplugin

    if qpsmtpdplugin.is_asked(context.host):
        return ""  # whatever rules there are: they are not read for this
    found = faults(context, context.inventory())
    return load(context) if any(fault.kind is not qpsmtpdplugin.SILENT for fault in found) else ""
