# SPDX-License-Identifier: GPL-2.0-or-later
"""What is remembered of an audit, and what has changed since. Pure.

Words of servers are not compared: they hold numbers and times that are others every night.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mxbackup.audit.facts import Asked, Audited
from mxbackup.errors import Finding, InvalidInput

VERSION = 1


@dataclass(frozen=True)
class Memory:
    """An audit as it is remembered: each exchanger's answers, and each finding's sentence by what it is about."""

    domain: str
    when: int
    exchangers: Mapping[str, tuple[str, ...]]
    findings: Mapping[str, str]

    def json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        exchangers = {name: list(answers) for name, answers in self.exchangers.items()}
        return {"version": VERSION, "domain": self.domain, "when": self.when, "exchangers": exchangers,
                "findings": dict(self.findings)}  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """What is otherwise than before: sentences of findings that are `new` or `gone`, and exchangers."""

    since: int
    new: tuple[str, ...]
    gone: tuple[str, ...]
    exchangers: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.new or self.gone or self.exchangers)


def of(facts: Audited, findings: Iterable[tuple[Finding, str]]) -> Memory:
    """Return what is to be remembered of an audit; the findings come with their sentences."""
    said = {_key(finding): sentence for finding, sentence in findings}
    return Memory(facts.name, facts.now, {one.name: _answers(facts, one) for one in facts.asked}, said)


def parse(stored: object, domain: str) -> Memory:
    """Return what was stored of the last audit of a domain. Raises InvalidInput for anything else."""
    match stored:
        case {"version": 1, "domain": str(name), "when": int(when), "exchangers": dict(hosts), "findings": dict(known)}:
            if name == domain and all(isinstance(answers, list) for answers in hosts.values()):
                answers = {str(host): tuple(map(str, answers)) for host, answers in hosts.items()}
                return Memory(name, when, answers, {str(key): str(value) for key, value in known.items()})
    raise InvalidInput("This is not what an audit of {name} has remembered.", name=domain)


def changes(before: Memory, now: Memory) -> Changes:
    """Return what has changed from one audit to the next."""
    hosts = dict.fromkeys((*before.exchangers, *now.exchangers))
    return Changes(
        before.when,
        tuple(sentence for key, sentence in now.findings.items() if key not in before.findings),
        tuple(sentence for key, sentence in before.findings.items() if key not in now.findings),
        tuple(host for host in hosts if before.exchangers.get(host) != now.exchangers.get(host)),
    )


def _key(finding: Finding) -> str:
    about = (str(finding.parameters.get(key, "")) for key in ("exchanger", "server"))
    return " ".join(filter(None, (finding.severity.value, finding.id, *about)))


def _answers(facts: Audited, one: Asked) -> tuple[str, ...]:
    dialogue, security = one.dialogue, one.security
    known = [str(one.exchanger.preference), "backup" if one in facts.backups else "primary", one.unasked or ""]
    if dialogue:
        replies = (dialogue.nobody, dialogue.refuse)
        known += [dialogue.outcome, *(reply.outcome if reply else "" for reply in replies)]
        known += [f"starttls={dialogue.starttls}"]
    if security:
        known += [security.version, f"trusted={security.trusted}"]
    return tuple(map(str, known))
