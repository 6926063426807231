# SPDX-License-Identifier: GPL-2.0-or-later
"""The base package of a profile, and what its installation writes, kept as a tar file in `build/sandbox`."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sandbox.namespaces import CHECKOUT, UNSHARE, assemble, environment
from sandbox.profiles import COMMON, PROFILES

BASE = CHECKOUT / "sandbox/base"
RUNNER = CHECKOUT / "sandbox/queuerunner"
BUILD = CHECKOUT / "build/sandbox"
HOSTNAME = "sme.durantcom.net"
NETWORK = {
    "etc/hostname": f"{HOSTNAME}\n",
    "etc/hosts": f"127.0.0.1\tlocalhost {HOSTNAME} sme\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\n",
}
# What the image is made of besides our own files: a new Debian package or account on the machine makes it stale.
MACHINE = (Path("/var/lib/dpkg/status"), Path("/etc/passwd"), Path("/etc/group"))


def image(profile: str) -> Path:
    """Return the tar file for PROFILE, made first when its inputs changed since (a few seconds)."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{profile}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = BUILD / f"{profile}-{fingerprint(profile)}.tar"
        if not path.exists():
            for old in BUILD.glob(f"{profile}-*.tar"):
                old.unlink()
            make(profile, path)
    return path


def fingerprint(profile: str) -> str:
    """Return a short digest of everything that goes into the image of PROFILE."""
    digest = hashlib.sha256(repr((PROFILES[profile], COMMON)).encode())
    parts = [BASE / "parts" / part for part in PROFILES[profile].parts]
    sources = [BASE / "sme-sandbox-base.spec", BASE / "root", RUNNER, *parts]
    files = [
        file
        for source in sources
        for file in (sorted(source.rglob("*")) if source.is_dir() else [source])
        if "__pycache__" not in file.parts
    ]
    for file in [*files, Path(__file__), Path(__file__).with_name("namespaces.py"), *MACHINE]:
        digest.update(f"{file} {file.lstat().st_mode} {file.is_symlink() and file.readlink()}\n".encode())
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def make(profile: str, path: Path) -> None:
    """Build the base package of PROFILE, install it in a sandbox of its own, and keep what that wrote in PATH."""
    with tempfile.TemporaryDirectory(prefix=f"{profile}-", dir=BUILD) as scratch:
        package = build_package(profile, Path(scratch)) if PROFILES[profile].esmith else Path(scratch)
        work = Path(scratch, "work")
        work.mkdir()
        unfinished = Path(scratch, "image.tar")
        run([*UNSHARE, sys.executable, "-m", "sandbox.image", profile, package, work, unfinished])
        unfinished.rename(path)


def build_package(profile: str, scratch: Path) -> Path:
    """Build the base package of PROFILE below SCRATCH and return its path."""
    defines = {
        "_topdir": scratch / "rpmbuild",
        "_dbpath": scratch / "rpmdb",
        "source": BASE,
        "profile": profile,
        "parts": " ".join(PROFILES[profile].parts),
        "provided": ", ".join(COMMON + PROFILES[profile].provides),
    }
    options = [option for name, value in defines.items() for option in ("--define", f"{name} {value}")]
    run(["rpmbuild", "-bb", "--quiet", *options, BASE / "sme-sandbox-base.spec"])
    (package,) = (scratch / "rpmbuild/RPMS/noarch").glob("*.rpm")
    return package


def run(command: Sequence[str | Path]) -> None:
    """Run COMMAND silently; CalledProcessError with all that it wrote when it fails."""
    subprocess.run(
        command,
        check=True,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=CHECKOUT,
    )


def install(profile: str, package: Path, work: Path, path: Path) -> None:
    """Install PACKAGE, or what stands in for it, in the overlay mounted at WORK; keep what that wrote in the tar PATH.

    To be called in the new namespaces.
    """
    root = assemble(work)
    for name, text in NETWORK.items():
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text)
    if PROFILES[profile].esmith:
        shutil.copy(package, root / "run/base.rpm")
        rpm: list[str | Path] = ["chroot", root, "rpm", "-Uvh", "--dbpath", "/var/lib/rpm", "/run/base.rpm"]
        subprocess.run(rpm, check=True, env=environment())
    else:
        for part in PROFILES[profile].parts:
            shutil.copytree(BASE / "parts" / part, root, dirs_exist_ok=True)
    for command in PROFILES[profile].absent:
        (root / command.removeprefix("/")).unlink(missing_ok=True)
    options = ["--xattrs", "--xattrs-include=trusted.overlay.opaque"]
    subprocess.run(["tar", "-cf", path, "-C", work / "upper", *options, "."], check=True)


if __name__ == "__main__":
    os.umask(0o022)
    install(sys.argv[1], *map(Path, sys.argv[2:]))
