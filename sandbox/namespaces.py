# SPDX-License-Identifier: GPL-2.0-or-later
"""An overlay of the running system in namespaces of its own (unshare(1), mount(8), pivot_root(8), nsenter(1))."""

import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
UNSHARE = ("unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child")
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
DEVICE_LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/sbin/e-smith:/var/qmail/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


def mount(*arguments: str | Path) -> None:
    """Run mount(8); CalledProcessError with its words on stderr when it fails."""
    subprocess.run(["mount", *arguments], check=True)


def assemble(work: Path, image: Path | None = None, binds: Sequence[Path] = ()) -> Path:
    """Mount the overlay below WORK and return its root.

    To be called in new mount, network and pid namespaces. What is written goes to a tmpfs that goes with them:
    `work/upper`, filled from the tar file IMAGE before. The checkout is there read-only and always as it is now,
    BINDS are there read-write, /tmp and /run are empty.
    """
    mount("-t", "tmpfs", "-o", "mode=755", "sandbox", work)
    upper, scratch, root = (work / name for name in ("upper", "scratch", "root"))
    for directory in (upper, scratch, root):
        directory.mkdir()
    if image:
        subprocess.run(["tar", "-xf", image, "-C", upper, "--xattrs", "--xattrs-include=trusted.overlay.*"], check=True)
    mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={scratch}", "overlay", root)
    mount("-t", "proc", "proc", root / "proc")
    mount("-t", "sysfs", "-o", "ro", "sysfs", root / "sys")
    mount("-t", "tmpfs", "-o", "mode=755", "run", root / "run")
    mount("-t", "tmpfs", "-o", "mode=1777", "tmp", root / "tmp")
    (root / "run/lock").mkdir(mode=0o755)
    make_devices(root / "dev")
    bind(CHECKOUT, root, "ro")
    for directory in binds:
        bind(directory, root, "rw")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return root


def make_devices(directory: Path) -> None:
    """Fill DIRECTORY with the devices that every program expects, terminals of its own among them."""
    mount("-t", "tmpfs", "-o", "mode=755", "dev", directory)
    for name, (major, minor) in DEVICES.items():
        os.mknod(directory / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (directory / name).chmod(0o666)
    for name, target in DEVICE_LINKS.items():
        (directory / name).symlink_to(target)
    for name in ("pts", "shm"):
        (directory / name).mkdir()
    mount("-t", "devpts", "-o", "newinstance,gid=5,mode=620,ptmxmode=666", "devpts", directory / "pts")
    mount("-t", "tmpfs", "-o", "mode=1777", "shm", directory / "shm")


def bind(directory: Path, root: Path, mode: str) -> None:
    """Show DIRECTORY of the machine at the same path below ROOT, MODE being `ro` or `rw`."""
    place = root / directory.relative_to("/")
    place.mkdir(parents=True, exist_ok=True)
    mount("--bind", "-o", mode, directory, place)


def move_into(root: Path) -> None:
    """Make ROOT the root directory of this mount namespace and let go of the machine's."""
    old = root / "run/machine"
    old.mkdir()
    subprocess.run(["pivot_root", root, old], check=True)
    os.chdir("/")
    subprocess.run(["umount", "--lazy", "/run/machine"], check=True)
    Path("/run/machine").rmdir()


def command_inside(pid: int, command: Sequence[str]) -> list[str]:
    """Return the command line that runs COMMAND in the namespaces of the process PID, at the root there.

    When it is killed, COMMAND is killed too.
    """
    namespaces = ("--mount", "--net", "--pid", "--uts", "--ipc", "--root", "--wd")
    return ["nsenter", f"--target={pid}", *namespaces, "--", "setpriv", "--pdeathsig=KILL", "--", *command]


def environment() -> dict[str, str]:
    """Return the environment of a command in the sandbox."""
    return {**ENVIRONMENT, "TERM": os.environ.get("TERM", "dumb")}
