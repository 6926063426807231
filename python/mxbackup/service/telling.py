# SPDX-License-Identifier: GPL-2.0-or-later
"""Sending the mails that are due: in the server's language; to owners, whose language is not known, in two."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mxbackup.errors import HostError, MxBackupError
from mxbackup.esmith import sendmail
from mxbackup.esmith.inventory import Inventory
from mxbackup.outage import Kind, Notice
from mxbackup.service.context import Context
from mxbackup.words import lexicon, outage_mail

if TYPE_CHECKING:
    from mxbackup.check.collecting import Report

OWNERS_LANGUAGES = ("fr", lexicon.FALLBACK)
_OF_CHECKS = (Kind.BROKEN, Kind.WELL)


def tell(
    context: Context,
    notices: Sequence[Notice],
    inventory: Inventory,
    trouble: Callable[[MxBackupError], object],
    log: Callable[[list[str]], None],
    reports: "Mapping[str, Report]" = {},  # noqa: B006 - it is not changed
) -> list[Notice]:
    """Send what is due to admin, and of each outage to the owners of its rules; return what could not be sent.

    Where there is no program that sends mail it is left out, with a line in the log. `reports` are of the checks.
    """
    if not sendmail.can_send(context.host):
        log([f"not mailed, as there is no {sendmail.SENDMAIL}: {n.kind} {', '.join(n.names)}" for n in notices])
        return []
    settings = inventory.settings
    words = lexicon.load(lexicon.language_of(settings.language))
    of_checks = [notice for notice in notices if notice.kind in _OF_CHECKS]
    mails = [
        ([notice], outage_mail.of_outage(notice, settings, words)) for notice in notices if notice not in of_checks
    ]
    if of_checks:
        mails.append((of_checks, outage_mail.of_checks(of_checks, reports, settings, words)))
    failed: list[Notice] = []
    for about, message in mails:
        try:
            sendmail.send(context.host, message)
        except HostError as error:
            trouble(error)
            failed += about
    _tell_owners(context, [notice for notice in notices if notice not in failed], inventory, trouble)
    return failed


def _tell_owners(
    context: Context, notices: Sequence[Notice], inventory: Inventory, trouble: Callable[[MxBackupError], object]
) -> None:
    """One mail to each owner, of his rules alone; one that cannot be sent is not sent again."""
    languages = [lexicon.load(language) for language in OWNERS_LANGUAGES]
    for notice in notices:
        owners: dict[str, list[str]] = {}
        for name in notice.names:
            rule = inventory.with_draining.get(name)
            if rule and rule.contact:
                owners.setdefault(rule.contact, []).append(name)
        for contact, own in owners.items():
            message = outage_mail.to_owner(replace(notice, names=tuple(own)), contact, inventory.settings, languages)
            if message is not None:
                try:
                    sendmail.send(context.host, message)
                except HostError as error:
                    trouble(error)
