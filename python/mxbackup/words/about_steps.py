# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of the how-to in words: how each stands, and what is to be done next."""

from collections.abc import Mapping
from dataclasses import dataclass

from mxbackup import rules
from mxbackup.errors import Sentence
from mxbackup.esmith import printable
from mxbackup.outage import NameServer, Record
from mxbackup.outage.steps import Force, Progress, Steps
from mxbackup.rules import Rule, names
from mxbackup.words import about_outages, spans
from mxbackup.words.lexicon import Lexicon

_PROGRESS: Mapping[Progress, Sentence] = {
    Progress.DONE: "done",
    Progress.TODO: "to do",
    Progress.WRONG: "something is wrong",
    Progress.UNKNOWN: "not known",
}
_FORCES: Mapping[Force, Sentence] = {
    Force.ACTIVE: "The rule is made and in force.",
    Force.OFF: "The rule is made, but MX backup is disabled.",
    Force.OUTDATED: "The rule is made, but not all files of the mail server hold it.",
}
_FORCE_REMEDIES: Mapping[Force, Sentence] = {
    Force.OFF: "To enable it: mxbackup enable",
    Force.OUTDATED: "To see which: mxbackup status",
}
_SILENT: Mapping[str, Sentence] = {
    "silent": "does not answer",
    "lame": "does not serve the domain",
}


@dataclass(frozen=True)
class Step:
    """One step: which, how it stands, a heading and what is known; `next` is what to do, empty when nothing.

    `lines` are what each name server says.
    """

    id: str
    progress: Progress
    title: str
    state: str
    said: str
    next: str = ""
    lines: tuple[str, ...] = ()


def steps(found: Steps, name: str, server: str, words: Lexicon) -> list[Step]:
    """Return the steps of the rule of a name. `server` is the name of this one, empty where that is not known."""
    return [
        _rule(found, words),
        _dns(found, name, words),
        _test(found, name, server or words.text("SERVER"), words),
        _drill(found, name, words),
    ]


def recorded(rule: Rule, words: Lexicon) -> str:
    """Return that a test is recorded."""
    return words.text("Recorded: {name} is tested from outside.", name=rules.shown(rule))


def lines(shown: list[Step]) -> list[str]:
    """Return the steps as a terminal shows them."""
    found = []
    for number, step in enumerate(shown, 1):
        found.append(f"{number}. {step.title} [{step.state}] {step.said}".rstrip())
        found += (f"   - {line}" for line in step.lines)
        found += [f"   {step.next}"] if step.next else []
    return found


def to_json(found: Steps, shown: list[Step]) -> list[dict[str, object]]:
    """Return what JSON has of them; times in seconds since 1970, null where there is none."""
    times = {"dns": found.checked, "test": found.test and found.test.time, "drill": found.drill and found.drill.time}
    return [
        {
            "step": step.id,
            "state": step.progress.value,
            "time": times.get(step.id) or None,
            "message": step.said,
            "next": step.next or None,
            **({"servers": [_server_json(server) for server in found.servers]} if step.id == "dns" else {}),
        }
        for step in shown
    ]


def _rule(found: Steps, words: Lexicon) -> Step:
    remedy = _FORCE_REMEDIES.get(found.force)
    return Step(
        "rule",
        found.rule,
        words.text("The rule"),
        words.text(_PROGRESS[found.rule]),
        words.text(_FORCES[found.force]),
        words.text(remedy) if remedy else "",
    )


def _dns(found: Steps, name: str, words: Lexicon) -> Step:
    said = after = ""
    if found.dns == Progress.TODO:
        said = words.text("What the domain's own name servers say has not been seen yet.")
        after = words.text("To ask them: mxbackup check {name}", name=name)
    elif found.servers:
        said = words.text(
            "Name servers of the domain that name this server: {ours} of {count}, seen {when}.",
            ours=sum(server.knows_us for server in found.servers),
            count=len(found.servers),
            when=spans.moment(found.checked),
        )
        if found.dns == Progress.WRONG:
            after = words.text(
                "The owner has to see to his DNS: mxbackup letter {name}. Then ask again: mxbackup check {name}",
                name=name,
            )
    shown = tuple(name_server(server, words) for server in found.servers)
    return Step("dns", found.dns, words.text("The domain's DNS"), words.text(_PROGRESS[found.dns]), said, after, shown)


def _test(found: Steps, name: str, server: str, words: Lexicon) -> Step:
    if found.test:
        by = printable.line(found.test.reason)
        said, after = words.text("Tested {when} by {by}.", when=spans.moment(found.test.time), by=by), ""
    elif found.known:
        said = words.text("No test of the last year is recorded.")
        after = words.text(
            "From any machine outside: mxbackup probe {server} postmaster@{name}. "
            "Then record it here: mxbackup check --tested {name} --by WHO",
            server=server,
            name=name,
        )
    else:
        said = after = ""
    title = words.text("Test from outside")
    return Step("test", found.tested, title, words.text(_PROGRESS[found.tested]), said, after)


def _drill(found: Steps, name: str, words: Lexicon) -> Step:
    said = after = ""
    if found.drill:
        happened = about_outages.happening(found.drill, words)
        said = words.text("{when}: {happened}.", when=spans.moment(found.drill.time), happened=happened.rstrip("."))
    elif found.known:
        said = words.text("No outage with held mail, and no test message of the last year is known.")
    if found.drilled == Progress.TODO:
        after = words.text("If the owner agrees, send one message: mxbackup check --replay {name} --yes", name=name)
    elif found.drilled == Progress.WRONG:
        after = words.text(
            "The owner has to exempt this server: mxbackup letter {name}. "
            "Then try again: mxbackup check --replay {name} --yes",
            name=name,
        )
    title = words.text("Outage drill")
    return Step("drill", found.drilled, title, words.text(_PROGRESS[found.drilled]), said, after)


def name_server(server: NameServer, words: Lexicon) -> str:
    """Return what a name server says, in one line."""
    silent = _SILENT.get(server.answer)
    if silent:
        said = words.text(silent)
    elif server.records:
        said = ", ".join(_record(record, words) for record in server.records)
    else:
        said = words.text("no MX record")
    return printable.line(f"{server.name}: {said}")


def _record(record: Record, words: Lexicon) -> str:
    said = f"{record.preference} {names.to_unicode(record.name) or '.'}"
    return words.text("{record} (this server)", record=said) if record.ours else said


def _server_json(server: NameServer) -> dict[str, object]:
    return {"name": server.name, "answer": server.answer, "mx": [record._asdict() for record in server.records]}
