# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in the mail files that are already there, which the mail programs pass over in silence.

`findings` is pure: it is handed the files' texts. Each check names the program whose reading it follows.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mxbackup.errors import MxBackupError
from mxbackup.esmith.expansion import END
from mxbackup.esmith.host import CONTROL, DATABASES, MORERCPTHOSTS, PEER_LISTS, PLUGIN_LIST, TEMPLATES, Host
from mxbackup.esmith.settings import Settings
from mxbackup.routing.entries import Way, meant_way
from mxbackup.rules import Rule, RuleSet, localmail
from mxbackup.rules.localmail import LocalMail
from mxbackup.targets.render import BEGIN, TARGETS
from mxbackup.transfer import recognise
from mxbackup.transfer.recognise import Form

OURS, CUSTOM = TEMPLATES
RCPTHOSTS = TARGETS["rcpthosts"].path
SMTPROUTES = TARGETS["smtproutes"].path
CHECK_RULES = TARGETS["smtpd_check_rules"].path
VIRTUALDOMAINS, PERCENTHACK = CONTROL / "virtualdomains", CONTROL / "percenthack"
CONFIGURATION = DATABASES / "configuration"
SME5_LIST = Path("/etc/MXBackupDomains")

# The how-to's fragments for SME 5.5 and SME 5, by the file that holds their domains.
OLD_FRAGMENTS = {
    CUSTOM / RCPTHOSTS.relative_to("/") / "20QandD": (CUSTOM / RCPTHOSTS.relative_to("/") / "20QandD", Form.QMAIL),
    CUSTOM / CHECK_RULES.relative_to("/") / "61MXBackupDomains": (SME5_LIST, Form.LIST),
}

CLOSING_RULE = "noto:ALL:ALL:ALL"
LONGEST_CHECK_RULE = 1000

_HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_RCPT_HOST = re.compile(rf"\.?{_HOST}\Z")
_ROUTE = re.compile(rf"(?:\.?{_HOST})?:(?:(?:{_HOST}\.?|\[[0-9.]+\])(?::[0-9]{{1,5}})?)?\Z")


class Level(StrEnum):
    """How bad it is: mail is lost or strangers' mail accepted, a line has no effect, or good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Mistake(MxBackupError):
    """What is wrong in a file, and the remedy."""


@dataclass(frozen=True)
class Finding:
    """One kind of mistake in one file, in these lines, counted from 1; no line when it is the file."""

    level: Level
    code: str
    path: Path
    mistake: Mistake
    lines: tuple[int, ...] = ()


def read(host: Host) -> dict[Path, str | None]:
    """Return the texts that `findings` looks at, by path; None for a `rcpthosts` that is missing.

    A file that cannot be read is left out: whoever expands or writes it says so.
    """
    directories = [*(target.path for target in TARGETS.values()), *PEER_LISTS, PLUGIN_LIST]
    custom = [path for directory in directories for path in host.files(CUSTOM / directory.relative_to("/"))]
    ours = [path for path in custom if host.path(OURS / path.relative_to(CUSTOM)).exists()]
    paths = [RCPTHOSTS, MORERCPTHOSTS, SMTPROUTES, CHECK_RULES, VIRTUALDOMAINS, PERCENTHACK]
    paths += [path for path in ours if _is_ours(path)]
    for fragment, (source, _form) in OLD_FRAGMENTS.items():
        paths += [fragment, source] if fragment in custom else []
    texts: dict[Path, str | None] = {}
    for path in paths:
        with suppress(OSError):
            texts[path] = host.path(path).read_bytes().decode("utf-8", "surrogateescape")
    if host.path(RCPTHOSTS).parent.is_dir() and not host.path(RCPTHOSTS).exists():
        texts[RCPTHOSTS] = None
    return texts


def findings(
    files: Mapping[Path, str | None], rules: RuleSet, settings: Settings, *, routes: bool = True
) -> list[Finding]:
    """Return what is wrong in these files, as `read` gives them, for these rules on this server.

    routes: whether `smtproutes` is expanded on this server.
    """
    texts = {path: text for path, text in files.items() if text is not None}
    found: list[Finding] = []
    if RCPTHOSTS in files.keys() - texts.keys():
        found.append(Finding(Level.ERROR, "open-relay", RCPTHOSTS, _no_rcpthosts()))
    for path in (RCPTHOSTS, MORERCPTHOSTS):
        found += _dead_lines(path, texts.get(path, ""), _RCPT_HOST, "not-a-name")
    found += _dead_lines(SMTPROUTES, texts.get(SMTPROUTES, ""), _ROUTE, "bad-route")
    found += _overridden_routes(texts.get(SMTPROUTES, ""))
    if CHECK_RULES in texts:
        found += _check_rules(texts[CHECK_RULES])
    if not settings.postfix:
        found += _percenthack(texts.get(PERCENTHACK, ""), rules.nearest)
        found += _kept_here(texts.get(VIRTUALDOMAINS, ""), rules.nearest, settings.local)
    names = {rule.name for rule in rules}
    for path in texts:
        found += _custom_fragment(path, texts, lambda name: name in names or settings.local.delivers(name) is not None)
    concerned = [rule for rule in rules if meant_way(rule, settings) in (Way.ROUTE, Way.BYPASS)]
    if settings.postfix:
        level = Level.WARNING if concerned else Level.NOTE
        found.append(Finding(level, "no-routes", SMTPROUTES, _postfix(len(concerned))))
    elif concerned and not routes:
        found.append(Finding(Level.WARNING, "no-routes", SMTPROUTES, _not_expanded(len(concerned))))
    return found


def of_settings(settings: Settings) -> list[Finding]:
    """Return what is wrong in the settings themselves."""
    return [
        Finding(Level.WARNING, "bad-public-address", CONFIGURATION, _no_address(text))
        for text in bad_addresses(settings)
    ]


def bad_addresses(settings: Settings) -> list[str]:
    """Return what PublicAddress holds besides IP addresses, which has no effect."""
    return sorted(text for text in settings.public_addresses if not _is_address(text))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _dead_lines(path: Path, text: str, entry: re.Pattern[str], code: str) -> Iterator[Finding]:
    """control_readfile of qmail: only trailing blanks go, and `#` is a comment in column 0 alone."""
    dead: dict[str, list[int]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        content = line.rstrip(" \t")
        if content and not content.startswith("#") and not entry.match(content):
            dead.setdefault(_why(content, entry, code), []).append(number)
    for why, lines in dead.items():
        yield Finding(Level.WARNING, why, path, _DEAD[why], tuple(lines))


_DEAD = {
    "carriage-return": Mistake(
        "qmail does not take the line: it ends in a carriage return, as Windows writes it. Remove it."
    ),
    "leading-blank": Mistake("qmail does not take the line: it begins with a blank. Remove the blank."),
    "inline-comment": Mistake(
        "qmail does not take the line: a comment must stand on a line of its own, with # at its start."
    ),
    "not-a-name": Mistake('qmail does not take the line: it is neither a name nor ".name". Mend it or take it out.'),
    "bad-route": Mistake('qmail does not take the line as a route. Write "name:relay", "name:relay:port" or "name:".'),
}


def _why(content: str, entry: re.Pattern[str], code: str) -> str:
    if "\r" in content:
        return "carriage-return"
    if content[0] in " \t" and entry.match(content.lstrip()):
        return "leading-blank"
    return "inline-comment" if re.search(r"[ \t]#|\S#", content) else code


def _overridden_routes(text: str) -> Iterator[Finding]:
    """constmap of qmail: of two equal keys in smtproutes the last counts."""
    ours: dict[str, str] = {}
    inside = seen = False
    for number, line in enumerate(text.split("\n"), 1):
        content = line.rstrip()
        if content in (BEGIN, END):
            inside, seen = content == BEGIN, True
            continue
        key, colon, route = content.partition(":")
        if colon and inside:
            ours[key.lower()] = route
        elif colon and seen and ours.get(key.lower(), route) != route:
            yield Finding(Level.ERROR, "route-overridden", SMTPROUTES, _overridden(key, route), (number,))


def _percenthack(text: str, accepting: Callable[[str], Rule | None]) -> Iterator[Finding]:
    """qmail-send(8): `user%else@name` of these names, exactly, is delivered to `user@else`, wherever that is."""
    for number, line in _control_lines(text):
        if accepting(line.lower()):
            yield Finding(Level.ERROR, "percenthack", PERCENTHACK, _relays(line), (number,))


def _kept_here(text: str, accepting: Callable[[str], Rule | None], local: LocalMail) -> Iterator[Finding]:
    """qmail-send(8): what of a rule's mail `virtualdomains` keeps here; where it is all, the rule is left out."""
    for number, line in _control_lines(text):
        key, colon, user = line.lower().partition(":")
        name = key.rpartition("@")[2]
        # Any name below stands for all that a wildcard takes.
        rule = accepting(f"any{name}" if name.startswith(".") else name) if colon and user else None
        if rule and key != name:
            yield Finding(Level.NOTE, "address-kept-here", VIRTUALDOMAINS, _address_kept(key, rule), (number,))
        elif rule and key not in local.names:
            yield Finding(Level.WARNING, "kept-here", VIRTUALDOMAINS, _name_kept(key, rule), (number,))


def _control_lines(text: str) -> Iterator[tuple[int, str]]:
    return localmail.control_lines(text.encode("utf-8", "surrogateescape"))


def _check_rules(text: str) -> Iterator[Finding]:
    """smtpd_check_rules(5): the first rule that matches counts, and mail that none matches is accepted."""
    lines = text.split("\n")
    closing = next((at for at, line in enumerate(lines) if line.rstrip() == CLOSING_RULE), None)
    if closing is None:
        yield Finding(Level.ERROR, "open-relay", CHECK_RULES, _no_closing_rule())
    elif BEGIN in lines[closing:]:
        yield Finding(Level.ERROR, "after-closing-rule", CHECK_RULES, _behind(), (lines.index(BEGIN, closing) + 1,))
    if long := tuple(number for number, line in enumerate(lines, 1) if len(line.encode()) > LONGEST_CHECK_RULE):
        yield Finding(Level.ERROR, "line-too-long", CHECK_RULES, _too_long(), long)


def _custom_fragment(path: Path, files: Mapping[Path, str], known: Callable[[str], bool]) -> Iterator[Finding]:
    """A fragment of templates-custom of the same name takes the place of the one in templates."""
    if CUSTOM in path.parents and _is_ours(path):
        yield Finding(Level.ERROR, "shadowed", path, _shadows(path))
    if path not in OLD_FRAGMENTS:
        return
    source, form = OLD_FRAGMENTS[path]
    entries = recognise.read(files.get(source, ""), form).entries
    missing = [entry.name for entry in entries if not known(entry.name)]
    if missing:
        yield Finding(Level.WARNING, "no-rules-yet", path, _to_import(source, missing))
    elif entries:
        yield Finding(Level.WARNING, "needless-fragment", path, _needless(path))


def _postfix(concerned: int) -> Mistake:
    if not concerned:
        return Mistake("Postfix delivers the mail of this server: routes of rules would have no effect here.")
    return Mistake(
        "Postfix delivers the mail of this server: the routes of rules and the way around the smart host have no "
        "effect here (rules concerned: {count}). Set them in Postfix.",
        count=concerned,
    )


def _not_expanded(concerned: int) -> Mistake:
    return Mistake(
        "This server has no template for the file, and we leave it alone: the routes of rules and the way around "
        "the smart host have no effect here (rules concerned: {count}). Write them by hand.",
        count=concerned,
    )


def _is_ours(path: Path) -> bool:
    return path.name[2:] == "mxbackup"


def _no_rcpthosts() -> Mistake:
    return Mistake(
        "The file is missing, and qmail accepts the mail of the whole world then (open relay). Expand it, on a "
        "server without e-smith: mxbackup apply --create"
    )


def _relays(name: str) -> Mistake:
    """Return what it means that a name for which mail is accepted stands in `percenthack`."""
    return Mistake(
        "Mail for user%there@{name} is accepted by a rule and sent on to user@there, for anybody and to "
        "anywhere (open relay). Take {name} out of it, then restart qmail.",
        name=name,
    )


def _address_kept(address: str, rule: Rule) -> Mistake:
    return Mistake(
        "Mail for {address} is delivered here and not passed on, though there is a rule for {name}.",
        address=address,
        name=rule.name,
    )


def _name_kept(key: str, rule: Rule) -> Mistake:
    return Mistake(
        'Mail for "{key}" is delivered here and not passed on, though the rule for {name} reaches there. Take the '
        "line out, or give the rule the kind host.",
        key=key,
        name=rule.name,
    )


def _overridden(key: str, route: str) -> Mistake:
    return Mistake(
        'This line gives "{key}" the route "{route}" instead of the one of the rule, because the last of two counts. '
        "Take it out, or give the rule this route.",
        key=key,
        route=route,
    )


def _no_closing_rule() -> Mistake:
    return Mistake(
        'The line "{line}" is missing at the end, so mail for everybody is accepted (open relay). Add it, or expand '
        "the file again.",
        line=CLOSING_RULE,
    )


def _behind() -> Mistake:
    return Mistake('Our rules stand behind "{line}" and never count. Move that line to the end.', line=CLOSING_RULE)


def _too_long() -> Mistake:
    return Mistake(
        "The line has more than {limit} characters, and smtpd accepts everything where it cannot read a line. "
        "Divide it.",
        limit=LONGEST_CHECK_RULE,
    )


def _shadows(path: Path) -> Mistake:
    return Mistake(
        "It takes the place of our fragment, so the rules do not reach the file. Remove it: rm {path}", path=path
    )


def _to_import(source: Path, missing: Sequence[str]) -> Mistake:
    return Mistake(
        "It holds names that are no rules yet ({count}, the first is {first}). Take them over: mxbackup import {path}",
        count=len(missing),
        first=missing[0],
        path=source,
    )


def _no_address(text: str) -> Mistake:
    return Mistake(
        '"{text}" in PublicAddress is no IP address and has no effect. '
        "Set it: db configuration setprop mxbackup PublicAddress ADDRESS",
        text=text,
    )


def _needless(path: Path) -> Mistake:
    return Mistake(
        "All its names are rules, but with it they stay accepted when the rules are removed. Remove it: rm {path}",
        path=path,
    )
