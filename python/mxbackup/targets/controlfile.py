# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that no template makes: our block stands in the administrator's own, and we write it.

Without e-smith these are all of qmail's control files and the tables of Postfix; with it `morercpthosts` is.
qmail-smtpd(8) reads `rcpthosts` and `morercpthosts.cdb` at each connection, qmail-remote(8) reads `smtproutes`
at each delivery, so nothing has to be restarted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mxbackup.errors import HostError
from mxbackup.esmith import files
from mxbackup.esmith.host import CONTROL, Host
from mxbackup.esmith.inventory import Inventory
from mxbackup.recipients.policies import NOTHING, Known
from mxbackup.rules import Rule, RuleSet
from mxbackup.targets import block
from mxbackup.targets.block import BEGIN
from mxbackup.targets.target import Target


@dataclass(frozen=True)
class FileChange:
    """One control file as it is and as it should be; None is a file that is not there.

    `stale` is whether what is compiled of it is not what stands in it.
    """

    target: Target
    before: str | None
    after: str | None
    stale: bool = False

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.target.path

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


def change(
    host: Host,
    target: Target,
    inventory: Inventory,
    rules: Iterable[Rule],
    initial: str | None = None,
    known: Known = NOTHING,
) -> FileChange:
    """Return the file as it is and as it should be, with a block of these rules of the inventory, or none for no lines.

    A missing file begins with `initial`. Raises RenderError, HostError.
    """
    text = target.fragment(replace(inventory, rules=RuleSet(rules)), known)
    return with_block(host, target, "" if text == f"{BEGIN}\n{target.end}\n" else text, initial)


def with_block(host: Host, target: Target, text: str, initial: str | None = None) -> FileChange:
    """Return the file as it is and as it should be, with this block. Raises HostError."""
    before = read(host, target.path)
    if before is None and initial is None and not text:
        return FileChange(target, None, None)
    stale = before is not None and target.stale(host)
    try:
        return FileChange(target, before, block.replace(before or initial or "", text), stale)
    except HostError as reason:
        raise HostError("{path} was not changed: {reason}", path=target.path, reason=reason) from reason


def carry_out(host: Host, changes: Sequence[FileChange]) -> None:
    """Write the files that are to change, each in one step, and compile what is read compiled.

    Raises HostError; the file it names is then as it was.
    """
    for change in changes:
        if change.pending:
            _write(host, change.target, change.after or "")
        if change.stale or change.pending:
            try:
                change.target.compile(host)
            except HostError:
                if change.pending:
                    _write(host, change.target, change.before or "")
                raise


def read(host: Host, path: Path) -> str | None:
    """Return a control file, whatever bytes are in it; None when there is none."""
    try:
        return host.path(path).read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HostError("{path} cannot be read: {reason}.", path=path, reason=error.strerror) from error


def _write(host: Host, target: Target, text: str) -> None:
    """Write a control file; a new one gets owner and mode of `rcpthosts` or of `me`, which qmail can read."""
    path = target.path
    known = (host.path(like) for like in (path, CONTROL / "rcpthosts", CONTROL / "me"))
    like = next((file for file in known if file.exists()), None)
    try:
        if target.own_directory:
            host.path(path).parent.mkdir(mode=0o755, exist_ok=True)
        files.replace(host.path(path), text.encode("utf-8", "surrogateescape"), like=like, mode=0o644)
    except OSError as error:
        raise HostError("{path} cannot be written: {reason}.", path=path, reason=error.strerror) from error
