# SPDX-License-Identifier: GPL-2.0-or-later
"""A server's tree in a scratch directory, with real files and small real programs in it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mxbackup.esmith.database import HEADER
from mxbackup.esmith.host import Host
from mxbackup.service.context import Context

PACKAGE = Path(__file__).parents[1] / "python"
EXPAND_TEMPLATE = "/sbin/e-smith/expand-template"
# What expand-template does where our fragment is the whole template: without it, nothing.
# The file of the plugin's table has another name than the target.
EXPANSION = (
    'name=${1##*/}; [ "$name" != mxbackup ] || name=qpsmtpd; '
    'read -r _; cat "$MXBACKUP_RENDERED/$name" > "$1.new" && mv "$1.new" "$1"'
)
# In the place of qmail-newmrh(8), which Debian does not have: the same file, by the CDB library that qpsmtpd uses.
NEWMRH = """#!/usr/bin/perl
use strict; use warnings; use CDB_File;
my ($bin) = $0 =~ m{(.*)/};
chdir "$bin/../control" or exit 111;
open my $source, '<', 'morercpthosts' or exit 111;
my $compiled = CDB_File->new('morercpthosts.cdb', 'morercpthosts.tmp') or exit 111;
while (my $line = <$source>) {
    $line =~ s/[ \\t\\n]+\\z//;
    $compiled->insert(lc $line, '') if $line ne '' && $line !~ /^#/;
}
$compiled->finish or exit 111;
"""
SIGNAL_EVENT = "/sbin/e-smith/signal-event"


def settle(path: Path) -> None:
    """Have a main.cf look settled: each program of Postfix waits two seconds for one that has just changed."""
    os.utime(path, (path.stat().st_mtime - 60,) * 2)


@dataclass(frozen=True)
class Scratch:
    """The tree below `root`; every path given to it is the server's own, such as `/var/qmail/control/me`."""

    root: Path

    def path(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    def write(self, absolute: str, content: str | bytes = "") -> Path:
        path = self.path(absolute)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if path.suffix == ".cf":
            settle(path)
        return path

    def read(self, absolute: str) -> str:
        return self.path(absolute).read_text()

    def script(self, absolute: str, body: str) -> Path:
        """Lay down a shell script, in which $0 is its full path."""
        path = self.write(absolute, f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def with_newmrh(self) -> None:
        """Give the server the program that compiles morercpthosts."""
        self.write("/var/qmail/bin/qmail-newmrh", NEWMRH).chmod(0o755)

    def compiled(self, absolute: str = "/var/qmail/control/morercpthosts.cdb") -> str:
        """The names in a constant database, a line each, as the CDB library finds them."""
        reading = "tie my %h, 'CDB_File', shift or exit 1; print map { \"$_\\n\" } keys %h"
        command = ["perl", "-MCDB_File", "-e", reading, str(self.path(absolute))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def database(self, name: str, *records: str | bytes) -> Path:
        """Lay down a database of these records, a line each."""
        lines = [line if isinstance(line, bytes) else line.encode() for line in records]
        content = HEADER.format(now="Tue Mar  9 21:00:00 2004").encode() + b"".join(line + b"\n" for line in lines)
        return self.write(f"/home/e-smith/db/{name}", content)

    def records(self, name: str) -> list[str]:
        """The lines of a database without its comments."""
        text = self.path(f"/home/e-smith/db/{name}").read_text("utf-8", "surrogateescape")
        return [line for line in text.splitlines() if not line.startswith("#")]

    def with_events(self, status: int = 0) -> None:
        """Give the server a signal-event that records its arguments in /events and exits with `status`."""
        self.script(SIGNAL_EVENT, f'echo "$*" >> "{self.root}/events"\nexit {status}')

    def events(self) -> list[str]:
        path = self.path("/events")
        return path.read_text().splitlines() if path.exists() else []

    @property
    def host(self) -> Host:
        return Host(self.root)

    @property
    def context(self) -> Context:
        return Context.below(self.root)

    def run(
        self, *arguments: str, stdout: int | IO[str] = subprocess.PIPE, environment: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """Run the command `mxbackup` on this server, in a process of its own."""
        environment = {"MXBACKUP_ROOT": str(self.root), **environment}
        return run_python("-m", "mxbackup", *arguments, stdout=stdout, environment=environment)


def letter_to_owner(name: str) -> str:
    """What the command says at the end of an addition."""
    return f"What its owner has to do: mxbackup letter {name}\n"


def way_back(*rules: str) -> str:
    """What the command says at the end of a removal of these rules, which are objects of JSON."""
    rows = ",\n".join(rules)
    return f"To bring it back: mxbackup import - <<'END'\n{{\"rules\": [\n{rows}\n]}}\nEND\n"


def run_python(
    *arguments: str, stdout: int | IO[str] = subprocess.PIPE, environment: Mapping[str, str] = {}
) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with the package on its path, in English unless `environment` says otherwise."""
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), "LC_ALL": "C.UTF-8"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env={**clean, **environment}, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )
