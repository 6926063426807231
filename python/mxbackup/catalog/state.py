# SPDX-License-Identifier: GPL-2.0-or-later
"""What is remembered of a catalog that is followed, what came of asking for it, and what is wrong with that. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mxbackup.catalog.following import DAY, Plan
from mxbackup.errors import Finding, FindingKind, Message, Severity

AWAY = FindingKind(
    "catalog-away", Severity.WARNING,
    "The catalog {zone} could not be had for {hours} hours: {reason} Its rules stay as they were.",
    "To ask for it now: mxbackup follow {zone}",
    milder=Severity.NOTE,
)  # fmt: skip
WAITS = FindingKind(
    "catalog-waits", Severity.WARNING,
    "Changes of the catalog {zone} wait to be confirmed (new: {added}, changed: {changed}, removed: {removed}).",
    "To see them: mxbackup follow {zone} --dry-run. To have them: mxbackup follow {zone} --confirm",
)  # fmt: skip
REFUSED = FindingKind("catalog-refused", Severity.WARNING, "Nothing of the catalog {zone} is taken: {reason}")
LEFT_OUT = FindingKind(
    "catalog-left-out", Severity.NOTE,
    "Of the catalog {zone} {count} members make no rule here.",
    "To see why: mxbackup follow {zone} --dry-run",
)  # fmt: skip
UNPUBLISHED = FindingKind(
    "catalog-unpublished", Severity.WARNING,
    "The catalog {zone} could not be published for {hours} hours: {reason}",
    "To try it now: mxbackup publish {zone}",
)  # fmt: skip
_NUMBERS = ("serial", "asked", "since", "added", "changed", "removed", "left_out", "unwanted")


@dataclass(frozen=True)
class State:
    """What is remembered of a catalog that is followed; times in seconds since 1970.

    serial: of the copy. asked: when its server last had a good word. trouble, since: what has been wrong from then on.
    seen: what the databases were like when the copy was last compared with them.
    gone: when and how many rules went within the last day. added, changed, removed: how many wait for confirmation.
    refused: why nothing of the catalog is taken. left_out, unwanted: how many members make no rule here.
    """

    serial: int = 0
    asked: int = 0
    since: int = 0
    trouble: Message | None = None
    seen: str = ""
    gone: tuple[tuple[int, int], ...] = ()
    added: int = 0
    changed: int = 0
    removed: int = 0
    refused: Message | None = None
    left_out: int = 0
    unwanted: int = 0

    @property
    def waits(self) -> int:
        """How many changes wait for confirmation."""
        return self.added + self.changed + self.removed

    def gone_since(self, moment: int) -> int:
        """Return how many rules went since then."""
        return sum(count for when, count in self.gone if when > moment)

    def in_trouble(self, trouble: Message, now: int) -> "State":
        """Return the state when its server has no good word."""
        return replace(self, trouble=trouble, since=self.since or now)

    def after(self, done: Plan, waits: Plan, now: int) -> "State":
        """Return the state after so much of the catalog was taken over."""
        gone = [*self.gone, (now, len(done.removed))] if done.removed else self.gone
        return replace(
            self,
            gone=tuple(one for one in gone if one[0] > now - DAY),
            added=len(waits.added),
            changed=len(waits.changed),
            removed=len(waits.removed),
            refused=done.trouble,
            left_out=len(done.left_out),
            unwanted=done.unwanted,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        found = {name: getattr(self, name) for name in (*_NUMBERS, "seen", "gone")}
        return {**found, "trouble": _plain(self.trouble), "refused": _plain(self.refused)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "State":
        """Return what was stored. Raises ValueError, TypeError, KeyError or AttributeError."""
        numbers = {name: int(stored[name]) for name in _NUMBERS}
        gone = tuple((int(when), int(count)) for when, count in stored["gone"])
        trouble, refused = _message(stored["trouble"]), _message(stored["refused"])
        return cls(seen=str(stored["seen"]), gone=gone, trouble=trouble, refused=refused, **numbers)


@dataclass(frozen=True)
class Report:
    """What came of following a catalog: what was done, or would be, and what waits; the state as it now is."""

    zone: str
    done: Plan
    waits: Plan
    state: State
    trouble: Message | None = None


def findings(zone: str, state: State, path: Path, now: int) -> Iterator[Finding]:
    """Yield what is wrong with a catalog; `path` is of the database that says how it is followed.

    That it cannot be had is worth a warning after a day.
    """
    if state.trouble:
        lasts = now - state.since
        yield AWAY.found(path, mild=lasts < DAY, zone=zone, hours=lasts // 3600, reason=state.trouble)
    if state.refused:
        yield REFUSED.found(path, zone=zone, reason=state.refused)
    if state.waits:
        yield WAITS.found(path, zone=zone, added=state.added, changed=state.changed, removed=state.removed)
    if state.left_out:
        yield LEFT_OUT.found(path, zone=zone, count=state.left_out)


def unpublished(zone: str, state: State, path: Path, now: int) -> Iterator[Finding]:
    """Yield why a catalog is not where it is to be published."""
    if state.trouble:
        yield UNPUBLISHED.found(path, zone=zone, hours=(now - state.since) // 3600, reason=state.trouble)


def _plain(message: Message | None) -> dict[str, Any] | None:
    if message is None:
        return None
    return {"sentence": message.sentence, "parameters": {name: str(one) for name, one in message.parameters.items()}}


def _message(found: Mapping[str, Any] | None) -> Message | None:
    return None if found is None else Message(str(found["sentence"]), **found["parameters"])
