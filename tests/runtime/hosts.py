# SPDX-License-Identifier: GPL-2.0-or-later
"""Old machines to run the packaged interpreter on: an almost empty root, old kernels, an old processor."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

PYTHON = "/usr/share/mxbackup/python/bin/python3"
UNISTD_32 = Path("/usr/include/x86_64-linux-gnu/asm/unistd_32.h")
QEMU = Path("/usr/bin/qemu-i386-static")
PENTIUM3 = (f"/{QEMU.name}", "-cpu", "pentium3", "-r", "2.6.9")
PERL_LIBRARY = Path("/usr/lib/x86_64-linux-gnu/perl-base")
TEXT_TEMPLATE = Path("/usr/share/perl5/Text")
DEVICES = {"null": (1, 3), "zero": (1, 5), "urandom": (1, 9), "tty": (5, 0), "ptmx": (5, 2)}
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/false\n",
    "group": "root:x:0:\nadmin:x:101:\n",
    "hosts": "127.0.0.1 localhost\n",
    "services": "smtp 25/tcp\n",
}


@dataclass(frozen=True)
class Runtime:
    """What runtime/build made: the package, and the directory with its files (root) and sources (src)."""

    package: Path
    directory: Path


def unpack_rpm(package: Path, root: Path) -> None:
    """Lay the package's files below root with rpm2cpio and cpio, as on a machine without its rpm database."""
    archive = subprocess.run(["rpm2cpio", package], check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["cpio", "--quiet", "-idm"], cwd=root, input=archive, check=True)


def make_root(root: Path, packages: list[Path]) -> None:
    """Make a root directory with the files of the packages and nothing else but devices and four of /etc.

    Needs root, for the devices.
    """
    for name in ("dev", "etc", "proc", "root", "tmp", "var"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, (major, minor) in DEVICES.items():
        os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
    for name, text in ETC.items():
        (root / "etc" / name).write_text(text)
    for package in packages:
        unpack_rpm(package, root)


def add_programs(root: Path, programs: list[str]) -> None:
    """Add programs of the machine, with the libraries that they are linked to."""
    listing = subprocess.run(["ldd", *programs], check=True, capture_output=True, text=True).stdout
    for file in [*programs, *re.findall(r"(/\S+) \(", listing)]:
        (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / file[1:])


def add_perl(root: Path) -> None:
    """Add the machine's perl, its base modules and Text::Template, which e-smith's templates need."""
    add_programs(root, ["/usr/bin/perl"])
    for directory in (PERL_LIBRARY, TEXT_TEMPLATE):
        shutil.copytree(directory, root / directory.relative_to("/"))


def add_perl_modules(root: Path, modules: list[str]) -> None:
    """Add modules of the machine's perl, with all that they load."""
    loads = [f"-M{module}" for module in modules]
    program = 'print join "\\n", values %INC, @DynaLoader::dl_shared_objects'
    listing = subprocess.check_output(["/usr/bin/perl", "-MDynaLoader", *loads, "-e", program], text=True)
    for file in listing.splitlines():
        (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / file[1:])


@dataclass(frozen=True)
class Host:
    """One emulated machine: programs run in its root, behind the emulator's command, if any."""

    name: str
    root: Path
    emulator: tuple[str | Path, ...] = ()  # outside the root
    inside: tuple[str, ...] = ()  # a program in the root that runs the program
    log: Path | None = None  # oldkern's log

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command with no environment but what is given; its output is in the result."""
        full: list[str | Path] = [*self.emulator, "/usr/sbin/chroot", self.root, *self.inside, *command]
        environment = {"PATH": "/usr/bin:/bin", **environment}
        return subprocess.run(
            [str(word) for word in full],
            check=False, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, env=environment,
        )  # fmt: skip

    def unknown_calls(self) -> set[str]:
        """Names of the system calls that the last command made and this kernel did not have (ENOSYS)."""
        if self.log is None:
            return set()
        names = {int(number): name for name, number in re.findall(r"__NR_(\w+) (\d+)", UNISTD_32.read_text())}
        rows = [tuple(map(int, line.split())) for line in self.log.read_text().splitlines()]
        return {names[call] for _, call, operation in rows if operation == 0}


@dataclass(frozen=True)
class Emulators:
    """Maker of hosts; `root` is where they run, `directory` holds oldkern and its logs."""

    root: Path
    directory: Path

    def host(self, name: str, root: Path | None = None) -> Host:
        """The host `chroot`, `2.6.9` or `2.4.20` (kernels) or `pentium3`; on another root if one is given."""
        root = root or self.root
        if name == "chroot":
            return Host(name, root)
        if name == "pentium3":
            shutil.copy(QEMU, root)
            return Host(name, root, inside=PENTIUM3)
        log = self.directory / f"{name}.log"
        return Host(name, root, emulator=(self.directory / "oldkern", name, log), log=log)


def compile_oldkern(directory: Path) -> None:
    """Compile the emulator of old kernels into the directory."""
    source = Path(__file__).with_name("oldkern.c")
    command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(directory / "oldkern"), str(source)]
    subprocess.run(command, check=True)
