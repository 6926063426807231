# SPDX-License-Identifier: GPL-2.0-or-later
"""Taking over the rules of a catalog: what it has becomes rules here, as far as this server's policy goes."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from mxbackup import rules
from mxbackup.catalog import codec, following, wire
from mxbackup.catalog.following import DAY, Plan
from mxbackup.catalog.state import Report, State
from mxbackup.catalog.wire import Peer
from mxbackup.catalog.zonefile import Catalog
from mxbackup.errors import CatalogError, HostError, InvalidInput, Message
from mxbackup.esmith import printable
from mxbackup.esmith.database import Database, log_to_syslog
from mxbackup.rules import ORIGIN, RECORD_TYPE, Rule
from mxbackup.service import applying, catalogs, records, removing
from mxbackup.service.catalogs import Catalogs, Followed
from mxbackup.service.context import Context

NOTHING = Plan()
_OFTEN = 600  # seconds after which a good word is noted again


def follow(context: Context, one: Followed, *, confirm: bool = False, dry_run: bool = False) -> Report:
    """Ask for a catalog, and make its rules those that are followed from it, as far as the policy goes.

    What waits is done with `confirm`. What its server lacks or sends amiss is in the result: the rules then stay.
    Raises DatabaseError, HostError; CatalogError when somebody is at it already.
    """
    context.prepare(not dry_run)
    store = Catalogs(context.host)
    with store.alone(one.zone):
        state, now = store.state(one.zone), int(time.time())
        seen = catalogs.stamp(context)
        try:
            catalog, fresh = _latest(store, one, state, seen, whole=confirm, look=confirm or dry_run)
            decoded = codec.decode(catalog.contents) if catalog else None
        except (CatalogError, InvalidInput, HostError) as error:
            return _in_trouble(store, one.zone, state, error.message, now, keep=not dry_run)
        asked = replace(state, asked=now, trouble=None, since=0)
        if decoded is None or catalog is None:
            if state.trouble or now - state.asked >= _OFTEN:
                store.put(one.zone, asked)
            return Report(one.zone, NOTHING, NOTHING, asked)
        taking = _Taking(context, one, decoded, asked.gone_since(now - DAY), confirm)
        done, waits = taking.look() if dry_run else taking.take()
        if not dry_run:
            if fresh:
                store.keep(catalog)
            asked = replace(asked, serial=catalog.serial, seen=seen).after(done, waits, now)
            store.put(one.zone, asked)
    if done and not dry_run:
        _enforce(context)
    return Report(one.zone, done, waits, asked)


def forget(context: Context, zone: str) -> int:
    """Follow a catalog no more; its rules stay, as rules that were made here. Return their number.

    Raises DatabaseError, HostError, CatalogError.
    """

    def change(domains: Database) -> int:
        found = [key for key, record in domains.of_type(RECORD_TYPE) if record.properties.get(ORIGIN) == zone]
        for key in found:
            domains.set(key, RECORD_TYPE, {ORIGIN: None})
        return len(found)

    store = Catalogs(context.host)
    with store.alone(zone):
        store.forget(zone)
        return 0 if context.before_first_rule() else context.domains.update(change)


def peer(one: Followed) -> Peer:
    """Return whom to ask for a catalog. Raises InvalidInput, HostError."""
    return catalogs.peer(one.zone, one.server, one.key)


class _Taking:
    """Making the rules of a catalog those that are followed from it."""

    def __init__(self, context: Context, one: Followed, decoded: codec.Decoded, gone: int, confirm: bool) -> None:
        self.context, self.one, self.decoded, self.gone, self.confirm = context, one, decoded, gone, confirm

    def look(self) -> tuple[Plan, Plan]:
        """Return what would be done, and what would wait."""
        return self._planned(Database() if self.context.before_first_rule() else self.context.domains.read())

    def take(self) -> tuple[Plan, Plan]:
        """Return what was done, and what waits."""
        done, waits = self.look()
        if not done:
            return done, waits
        draining = {rule.name for rule in self.context.inventory().draining} if done.added else set()
        done, waits = self.context.domains.update(self._change)
        self.context.removals.note([rule.name for rule in done.removed])
        added = {str(rule.name) for rule in done.added}
        self.context.draining.forget(added)
        self._forget_past(added - draining)
        return done, waits

    def _planned(self, domains: Database) -> tuple[Plan, Plan]:
        found, taken = _recorded(domains, self.one.zone)
        local = self.context.settings(domains).local
        plan = following.plan(self.decoded, self.one.policy, found, taken, local)
        if plan.trouble:
            return replace(plan, added=(), changed=(), removed=()), NOTHING
        if self.confirm:
            return plan, NOTHING
        waits = following.unconfirmed(plan, self.one.policy, len(found), self.gone)
        return following.without(plan, waits), waits

    def _change(self, domains: Database) -> tuple[Plan, Plan]:
        done, waits = self._planned(domains)
        removing.take_out(self.context, domains, [str(rule.name) for rule in done.removed])
        for rule in (*done.added, *done.changed):
            domains.set(rule.name, RECORD_TYPE, {**rules.to_properties(rule), ORIGIN: self.one.zone})
        return done, waits

    def _forget_past(self, names: set[str]) -> None:
        """What happened to older rules of the names is not shown for new ones."""
        from mxbackup.service.outages import Outages

        try:
            Outages(self.context.host).forget(names)
        except HostError as error:  # the rules stand all the same
            log_to_syslog([printable.line(str(error))])


def _latest(
    store: Catalogs, one: Followed, state: State, seen: str, *, whole: bool, look: bool
) -> tuple[Catalog | None, bool]:
    """Return the catalog as its server has it, and whether it is news; None where there is nothing to `look` at.

    Raises CatalogError, InvalidInput, HostError.
    """
    asked = peer(one)
    serial = wire.serial(asked)
    if serial == state.serial and seen == state.seen and not look:
        return None, False
    known = store.copy(one.zone)
    if known and known.serial == serial:
        return known, False
    return wire.transfer(asked, None if whole else known).catalog, True


def _in_trouble(store: Catalogs, zone: str, state: State, trouble: Message, now: int, *, keep: bool) -> Report:
    """Return that nothing could be had; note and log that unless it is known."""
    after = state.in_trouble(trouble, now)
    if keep and str(state.trouble) != str(trouble):
        store.put(zone, after)
        log_to_syslog([printable.line(f"{zone}: {trouble}")])
    return Report(zone, NOTHING, NOTHING, after, trouble)


def _recorded(domains: Database, zone: str) -> tuple[dict[str, Rule], Callable[[str], Message | None]]:
    """Return the rules that are followed from a catalog, and what says why a name is not to be had."""
    found = {str(rule.name): rule for key, rule in _valid(domains) if records.origin_of(domains, key) == zone}

    def taken(name: str) -> Message | None:
        record = domains.get(name)
        if record is None:
            return None
        if record.type != RECORD_TYPE:
            return Message("The database has a record of this name, of type {type}.", type=record.type)
        if origin := records.origin_of(domains, name):
            return Message("It is followed from the catalog {zone}.", zone=origin)
        return Message("A rule of this name was made here.")

    return found, taken


def _valid(domains: Database) -> Iterator[tuple[str, Rule]]:
    for key, record in domains.of_type(RECORD_TYPE):
        with suppress(InvalidInput):
            yield key, rules.from_record(key, record.properties)[0]


def _enforce(context: Context) -> None:
    """Put the rules into force. Raises HostError."""
    if context.kind.by_events:
        context.signal(True, "mxbackup-update")
    else:
        applying.apply(context)
