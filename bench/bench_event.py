# SPDX-License-Identifier: GPL-2.0-or-later
"""One change of one rule: the whole event mxbackup-modify, against what the old contrib did, alone and in an event."""

import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import SIZES, Cost, fill, one_cost, settle

OLD_CHANGE = Path(__file__).with_name("old_change.pl")
NAME = "customer000000.example.com"
TEMPLATES = Path("/etc/e-smith/templates")
OLD_FILES = Path("/var/lib/old-contrib")
# What it took for each rule, beside the host's own fragments of each file.
OLD_LINES = {
    "/var/qmail/control/rcpthosts": r"$_\n.$_\n",
    "/var/qmail/control/smtproutes": r"$_:\n.$_:\n",
    "/var/service/qpsmtpd/config/goodrcptto": r"\@$_\n",
}
OLD_FRAGMENT = """{
    use lib '/usr/share/sme-sandbox/perl';
    use SandboxDB;
    my $domains = SandboxDB::records(SandboxDB::file('domains'));
    my @ours = grep { (SandboxDB::parse($domains->{$_}))[0] eq 'mxbackup' } keys %$domains;
    my @sorted = map { $_->[1] } sort { $a->[0] cmp $b->[0] } map { [join('.', reverse split /\\./), $_] } @ours;
    $OUT = join '', map { "LINES" } @sorted;
}
"""
PACKAGED = Path("/usr/share/mxbackup/python/bin/python3")


def lay_out() -> None:
    """Lay down the old contrib's templates and its event."""
    OLD_FILES.mkdir(exist_ok=True)
    for path, lines in OLD_LINES.items():
        source = TEMPLATES / path.lstrip("/")
        template = TEMPLATES / str(OLD_FILES).lstrip("/") / source.name
        shutil.copytree(source, template, ignore=shutil.ignore_patterns("*mxbackup"), dirs_exist_ok=True)
        (template / "50old").write_text(OLD_FRAGMENT.replace("LINES", lines))
    action = Path("/etc/e-smith/events/old-modify/S20old-change")
    action.parent.mkdir(exist_ok=True)
    action.unlink(missing_ok=True)
    os.symlink(OLD_CHANGE, action)


@contextmanager
def machines_python() -> Iterator[None]:
    """Have mxbackup start with the machine's Python."""
    hidden = PACKAGED.rename(PACKAGED.with_name("hidden"))
    try:
        yield
    finally:
        hidden.rename(PACKAGED)


def ratios(costs: list[Cost], others: list[Cost]) -> tuple[float, float]:
    """Return the median ratios, pair by pair, of processor time and of wall-clock time."""
    pairs = list(zip(costs, others, strict=True))
    return (
        statistics.median(one.processor / other.processor for one, other in pairs),
        statistics.median(one.seconds / other.seconds for one, other in pairs),
    )


def row(python: str, size: int, times: int) -> str:
    """Measure in turn, as the machine's speed drifts; return a line of the table."""
    commands = {
        "ours": ["/sbin/e-smith/signal-event", "mxbackup-modify", NAME],
        "old": ["/usr/bin/perl", str(OLD_CHANGE), NAME],
        "event": ["/sbin/e-smith/signal-event", "old-modify", NAME],
    }
    taken: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            taken[name].append(one_cost(command))
    alone, event = ratios(taken["ours"], taken["old"]), ratios(taken["ours"], taken["event"])
    middle = {name: statistics.median(cost.processor for cost in costs) for name, costs in taken.items()}
    peak = max(cost.mebibytes for cost in taken["ours"])
    return (
        f"{python:<9}{size:>7}  {middle['old']:>7.3f}  {middle['event']:>7.3f}  {middle['ours']:>7.3f}"
        f"  {alone[0]:>6.1f} {alone[1]:>6.1f}  {event[0]:>6.1f} {event[1]:>6.1f}  {peak:>5.0f}"
    )


def main() -> None:
    """Print the table; processor time in seconds, ratios of processor and wall-clock time, the largest process."""
    lay_out()
    print("                     old      old     ours  ours/old       ours/old event")
    print("python     rules  alone s  event s  event s     cpu   wall     cpu   wall    MiB", flush=True)
    for size in SIZES:
        fill(size)
        settle()
        times = 15 if size < 1000 else 3
        print(row("packaged", size, times), flush=True)
        with machines_python():
            print(row("machine's", size, times), flush=True)
    fill(1)
    settle()


if __name__ == "__main__":
    main()
