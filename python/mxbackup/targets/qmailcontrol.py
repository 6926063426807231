# SPDX-License-Identifier: GPL-2.0-or-later
"""qmail's control files that no template makes: our block between two comments, in the administrator's files.

Without e-smith these are all of them; with it `morercpthosts` is, on hosts whose mail program reads it as qmail does.
qmail-smtpd(8) reads `rcpthosts` and `morercpthosts.cdb` at each connection, qmail-remote(8) reads `smtproutes`
at each delivery, so nothing has to be restarted.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mxbackup.errors import Finding, FindingKind, HostError, Severity
from mxbackup.esmith import files
from mxbackup.esmith.expansion import END
from mxbackup.esmith.host import CONTROL, MORERCPTHOSTS, NEWMRH, Host
from mxbackup.esmith.settings import Settings
from mxbackup.routing import qmail_remote
from mxbackup.rules import Rule, RuleSet, localmail
from mxbackup.targets import cdb, render
from mxbackup.targets.render import BEGIN

RCPTHOSTS = CONTROL / "rcpthosts"
SMTPROUTES = CONTROL / "smtproutes"
MORERCPTHOSTS_CDB = CONTROL / "morercpthosts.cdb"

# Many times what a million rules take.
LARGEST_CDB = 256 << 20

# qmail-smtpd(8): the most used names in `rcpthosts`, the others, from 50 on, in `morercpthosts`.
IN_RCPTHOSTS = 50

NO_SOURCE = FindingKind(
    "no-source", Severity.WARNING,
    "It accepts names that stand in no morercpthosts ({count}, the first is {first}).",
    "Write them there, or remove it: rm {path}",
    source="qmail-newmrh(8)",
)  # fmt: skip


@dataclass(frozen=True)
class FileChange:
    """One control file as it is and as it should be; None is a file that is not there.

    `stale` is whether what is compiled of it is not what stands in it.
    """

    path: Path
    before: str | None
    after: str | None
    stale: bool = False

    @property
    def pending(self) -> bool:
        """Whether there is something to do."""
        return self.before != self.after

    def diff(self) -> str:
        """Return what would change as a unified diff."""
        import difflib

        before, after = ((text or "").splitlines(keepends=True) for text in (self.before, self.after))
        old = "/dev/null" if self.before is None else str(self.path)
        lines = difflib.unified_diff(before, after, old, str(self.path))
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def smarthost(host: Host) -> str:
    """Return the route of all other mail, `host[:port]`, or nothing. Raises HostError."""
    return qmail_remote.parse_routes((read(host, SMTPROUTES) or "").encode("utf-8", "surrogateescape")).get("", "")


def plan(
    host: Host,
    rules: RuleSet,
    settings: Settings,
    draining: Collection[Rule] = (),
    *,
    more: bool,
    create: bool = False,
) -> list[FileChange]:
    """Return the control files as they are and should be, in the order in which they are to be written.

    Rules that are `draining` have their way out alone. A rule that goes from one file to another stands in the new one
    before it leaves the old one. A missing `rcpthosts`, which makes qmail accept everything, is made of `me`, `locals`
    and `virtualdomains` with `create`. `more` is whether `morercpthosts` is read.
    Raises HostError when it is missing otherwise, when a file cannot be read, or when our comments are damaged.
    """
    ours = list(rules) if settings.enabled else []
    here = IN_RCPTHOSTS if more else len(ours)
    accepting = [
        _change(host, MORERCPTHOSTS, _block("rcpthosts", ours[here:], settings)),
        _change(host, RCPTHOSTS, _block("rcpthosts", ours[:here], settings), _local_hosts(host, create)),
    ]
    # The rules are sorted, so all that move go the same way.
    more_names = _more_names(host)
    if any(rule.name in more_names for rule in ours[:here]):
        accepting.reverse()
    return [_change(host, SMTPROUTES, _block("smtproutes", ours, settings, draining)), *accepting]


def carry_out(host: Host, changes: Sequence[FileChange]) -> None:
    """Write the files that are to change, each in one step, and compile `morercpthosts`.

    Raises HostError; the file it names is then as it was.
    """
    for change in changes:
        if change.pending:
            _write(host, change.path, change.after or "")
        if change.stale or (change.pending and change.path == MORERCPTHOSTS):
            try:
                host.run_newmrh()
            except HostError:
                if change.pending:
                    _write(host, change.path, change.before or "")
                raise


def in_rcpthosts(host: Host, rules: RuleSet) -> RuleSet:
    """Return which of the sorted rules `rcpthosts` is to hold: the first ones, and those not compiled elsewhere yet.

    So no name is refused when its template is expanded before `morercpthosts` is written. Raises HostError.
    """
    compiled = set() if _out_of_date(host) else _more_names(host)
    ours = list(rules)
    return RuleSet([*ours[:IN_RCPTHOSTS], *(rule for rule in ours[IN_RCPTHOSTS:] if rule.name not in compiled)])


def more(host: Host, rules: RuleSet, settings: Settings, *, keep: bool = False) -> FileChange:
    """Return `morercpthosts` as it is and as it should be: with the sorted rules after the first ones.

    With `keep` also with those of the first that it holds now, until `rcpthosts` holds them. Raises HostError.
    """
    ours = list(rules) if settings.enabled else []
    kept = _more_names(host) if keep else set()
    first = [rule for rule in ours[:IN_RCPTHOSTS] if rule.name in kept]
    return _change(host, MORERCPTHOSTS, _block("rcpthosts", [*first, *ours[IN_RCPTHOSTS:]], settings))


def without_more(host: Host) -> list[FileChange]:
    """Return the changes by which our rules leave `morercpthosts`, none where it has no block of ours.

    The block goes last: as long as it is there, an emptied file may not be compiled yet. Raises HostError.
    """
    emptied = _change(host, MORERCPTHOSTS, f"{BEGIN}\n{END}\n")
    gone = _change(host, MORERCPTHOSTS, "")
    return [emptied, FileChange(MORERCPTHOSTS, emptied.after, gone.after)] if gone.pending else []


def compiled_names(host: Host) -> frozenset[str]:
    """Return what is accepted by `morercpthosts.cdb`, nothing where it is not there. Raises HostError."""
    try:
        with host.path(MORERCPTHOSTS_CDB).open("rb") as file:
            content = file.read(LARGEST_CDB)
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise HostError("{path} cannot be read: {reason}.", path=MORERCPTHOSTS_CDB, reason=error.strerror) from error
    try:
        return frozenset(key.decode(localmail.CHARSET) for key in cdb.keys(content))
    except cdb.Damaged:
        raise HostError(
            "{path} is damaged, and qmail takes no names from it. Compile it again: {command}",
            path=MORERCPTHOSTS_CDB,
            command=NEWMRH,
        ) from None


def lone_names(host: Host) -> list[Finding]:
    """Return a warning where `morercpthosts.cdb` accepts names though there is nothing that it could be made of."""
    if host.path(MORERCPTHOSTS).exists():
        return []
    try:
        names = sorted(compiled_names(host))
    except HostError:
        names = []
    return [NO_SOURCE.found(MORERCPTHOSTS_CDB, count=len(names), first=names[0])] if names else []


def replace_block(content: str, block: str) -> str:
    """Return the content with `block` in the place of ours, or at its end; every other line is as it was.

    An empty block takes ours out. Raises HostError when our two comments do not stand there once each, in order.
    """
    lines = content.split("\n")
    begins = [at for at, line in enumerate(lines) if line.rstrip() == BEGIN]
    ends = [at for at, line in enumerate(lines) if line.rstrip() == END]
    if not begins and not ends:
        gap = "\n" if block and content and not content.endswith("\n") else ""
        return content + gap + block
    if len(begins) != 1 or len(ends) != 1 or begins > ends:
        raise HostError(
            'The lines "{begin}" and "{end}" must stand there once each, in this order, and do not. '
            "Take them out by hand, and our rules between them.",
            begin=BEGIN,
            end=END,
        )
    return "".join(line + "\n" for line in lines[: begins[0]]) + block + "\n".join(lines[ends[0] + 1 :])


def _change(host: Host, path: Path, block: str, initial: str | None = None) -> FileChange:
    before = read(host, path)
    if before is None and initial is None and not block:
        return FileChange(path, None, None)
    stale = path == MORERCPTHOSTS and before is not None and _out_of_date(host)
    try:
        return FileChange(path, before, replace_block(before or initial or "", block), stale)
    except HostError as reason:
        raise HostError("{path} was not changed: {reason}", path=path, reason=reason) from reason


def _block(target: str, rules: Iterable[Rule], settings: Settings, draining: Collection[Rule] = ()) -> str:
    """Return our block, or nothing when it would hold no line."""
    text = render.fragment(target, RuleSet(rules), settings, draining=draining)
    return "" if text == f"{BEGIN}\n{END}\n" else text


def _local_hosts(host: Host, create: bool) -> str | None:
    """Return what a missing `rcpthosts` begins with; None when it is there."""
    if read(host, RCPTHOSTS) is not None:
        return None
    names = _received_here(host)
    if not create or not names:
        raise HostError(
            "{path} is missing: qmail accepts the mail of the whole world then (open relay). "
            "To make it of the names in me, locals and virtualdomains: mxbackup apply --create",
            path=RCPTHOSTS,
        )
    return "".join(f"{name}\n" for name in names)


def _more_names(host: Host) -> set[str]:
    """Return the lines of our block in `morercpthosts`."""
    content = read(host, MORERCPTHOSTS) or ""
    return set(content.partition(f"{BEGIN}\n")[2].partition(f"{END}\n")[0].split("\n"))


def _out_of_date(host: Host) -> bool:
    """Whether `morercpthosts` is there and what is compiled of it is anything else. Raises HostError.

    qmail believes what is compiled whatever its date, so contents are compared, in lower case as qmail-newmrh(8) does.
    """
    source = host.path(MORERCPTHOSTS)
    if not source.exists():
        return False
    try:
        compiled = compiled_names(host)
    except HostError:
        return True
    return compiled != {name.lower() for name in localmail.entries(source)}


def _received_here(host: Host) -> list[str]:
    """Return what `rcpthosts` must hold for the mail that stays here: `virtualdomains` names no domain for the rest."""
    me, local, virtual = (localmail.entries(host.path(CONTROL / name)) for name in ("me", "locals", "virtualdomains"))
    kept = (key.rpartition("@")[2] for key, user in localmail.virtual_domains(virtual).items() if user)
    return list(dict.fromkeys(name for name in [*me, *local, *kept] if name))


def read(host: Host, path: Path) -> str | None:
    """Return a control file, whatever bytes are in it; None when there is none."""
    try:
        return host.path(path).read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HostError("{path} cannot be read: {reason}.", path=path, reason=error.strerror) from error


def _write(host: Host, path: Path, text: str) -> None:
    """Write a control file; a new one gets owner and mode of `rcpthosts` or of `me`, which qmail can read."""
    known = (host.path(like) for like in (path, RCPTHOSTS, CONTROL / "me"))
    like = next((file for file in known if file.exists()), None)
    try:
        files.replace(host.path(path), text.encode("utf-8", "surrogateescape"), like=like, mode=0o644)
    except OSError as error:
        raise HostError("{path} cannot be written: {reason}.", path=path, reason=error.strerror) from error
