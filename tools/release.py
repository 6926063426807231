#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the release page dist/release of the packages in dist/: signed packages, checksums, the key, how to verify them.

usage: tools/release.py

The packages are signed with the only secret key of the GnuPG directory that MXBACKUP_SIGNING_HOME names, by default
~/.config/smeserver-mxbackup/signing; where there is none, it is made. Once KEY.asc, the public part of it, is in the
repository, no other key is taken. Nothing is asked of the network. Exit status 3 when it could not be done.

GnuPG 1.4 signs: rpm 4.4 of SME 8 calls a signature BAD that is not of version 3, or whose key has subkeys, and GnuPG
2.1 and later make none but version 4 (gpg(1), --force-v3-sigs).
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2

TOP = Path(__file__).resolve().parents[1]
SIGNING_HOME = "MXBACKUP_SIGNING_HOME"
GPG: tuple[str | Path, ...] = ("gpg1", "--no-options", "--no-permission-warning")
# A key that signs and has no subkey, without a passphrase: gpg1 --edit-key adds one, and asks for it from then on.
NEW_KEY = """\
Key-Type: RSA
Key-Length: 3072
Key-Usage: sign
Name-Real: The smeserver-mxbackup project
Name-Email: mxbackup@localhost
Expire-Date: 0
"""
# SHA-1, for rpm 4.3 and 4.4 know no other for sure; the checksums are signed with SHA-256.
RPM_SIGNING = (
    "%{__gpg} gpg --no-options --no-permission-warning --force-v3-sigs --digest-algo sha1 --no-verbose --no-armor"
    ' -u "%{_gpg_name}" -sbo "%{__signature_filename}" "%{__plaintext_filename}"'
)


class Failed(Exception):
    """Why there is no release."""


@dataclass(frozen=True)
class Kind:
    """A file of a release: the pattern of its name in dist/, and for whom it is."""

    pattern: str
    en: str
    fr: str


KINDS = (
    Kind(
        "smeserver-mxbackup-utf8-{version}-*.noarch.rpm",
        "SME Server since April 2008: 7.3 with UTF-8, 8, 9, 10 and 11",
        "SME Server depuis avril 2008 : 7.3 en UTF-8, 8, 9, 10 et 11",
    ),
    Kind(
        "smeserver-mxbackup-{version}-*.noarch.rpm",
        "SME Server before April 2008 (ISO-8859-1): 5 to 7.3",
        "SME Server d’avant avril 2008 (ISO-8859-1) : 5 à 7.3",
    ),
    Kind(
        "smeserver-mxbackup-python-*.i686.rpm",
        "goes in together with either of these two, on every SME Server, whether 32 or 64 bits",
        "s’installe avec l’un ou l’autre de ces deux, sur toute SME Server, 32 ou 64 bits",
    ),
    Kind(
        "mxbackup_{version}-*_all.deb",
        "Debian 12 or later, with Postfix or qmail",
        "Debian 12 ou plus récent, avec Postfix ou qmail",
    ),
    Kind(
        "smeserver_mxbackup-{version}-py3-none-any.whl",
        "any machine with Python 3.11 or later, to look from outside (probe, audit)",
        "toute machine avec Python 3.11 ou plus récent, pour regarder de l’extérieur (probe, audit)",
    ),
    Kind(
        "smeserver-mxbackup-{version}-*.src.rpm",
        "the sources, for whoever builds the packages",
        "les sources, pour qui construit les paquets",
    ),
)


def packages(dist: Path, version: str) -> list[tuple[Path, Kind]]:
    """Return the packages of a version, each with what it is. Raises Failed if one is missing or there twice."""
    found = [(sorted(dist.glob(kind.pattern.format(version=version))), kind) for kind in KINDS]
    for files, kind in found:
        if len(files) != 1:
            names = ", ".join(file.name for file in files) or "none"
            raise Failed(
                f"{dist} should have one {kind.pattern.format(version=version)}, and has {names}: make packages"
            )
    return [(files[0], kind) for files, kind in found]


def signing_home() -> Path:
    """Return the directory of the secret key."""
    return Path(os.environ.get(SIGNING_HOME) or Path.home() / ".config/smeserver-mxbackup/signing").absolute()


def run(command: Sequence[str | Path], text: str | None = None) -> str:
    """Return what a command prints. Raises Failed with what it says on failure."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed: sandbox/install-packages") from error
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command[:3]))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def fingerprints(home: Path, query: str | Path) -> list[str]:
    """Return the fingerprints in what a query of gpg1 lists: an option, or the file of a key."""
    listed = run([*GPG, "--homedir", home, "--with-colons", "--with-fingerprint", query])
    return re.findall(r"^fpr:+(\w+):", listed, re.MULTILINE)


def signing_key(home: Path, published: Path) -> str:
    """Return the fingerprint of the key in home, made where there is none. Raises Failed if another is published."""
    if home.is_relative_to(TOP):
        raise Failed(f"{home} is in the repository, where no secret may be: give another directory in {SIGNING_HOME}")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (found := fingerprints(home, "--list-secret-keys")):
        if published.exists():
            raise Failed(f"{home} has no secret key, and releases are signed with that of {published}")
        run([*GPG, "--homedir", home, "--batch", "--cert-digest-algo", "SHA256", "--gen-key"], NEW_KEY)
        found = fingerprints(home, "--list-secret-keys")
        print(f"A key was made in {home}. Keep a copy of that directory in a safe place, and give it to nobody.")
    if len(found) != 1:
        raise Failed(f"{home} has {len(found)} secret keys, and one is needed")
    if published.exists() and fingerprints(home, published) != found:
        raise Failed(
            f"the key in {home} is not that of {published}: {SIGNING_HOME} names the directory of the right one"
        )
    return found[0]


def sign(release: Path, home: Path, key: str) -> None:
    """Sign the RPMs in place, then write KEY.asc, SHA256SUMS and its detached signature."""
    macros = {"__gpg": shutil.which("gpg1") or "gpg1", "_gpg_path": str(home), "_gpg_name": key,
              "__gpg_sign_cmd": RPM_SIGNING}  # fmt: skip
    defined = [part for name, value in macros.items() for part in ("--define", f"{name} {value}")]
    run(["rpmsign", "--addsign", "--rpmv3", *defined, *sorted(release.glob("*.rpm"))])
    gpg: list[str | Path] = [*GPG, "--homedir", home, "--local-user", key]
    (release / "KEY.asc").write_text(run([*gpg, "--armor", "--no-version", "--export", key]))
    sums = release / "SHA256SUMS"
    listed = sorted(file for file in release.iterdir() if file.name != "KEY.asc")
    sums.write_text("".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in listed))
    run([*gpg, "--digest-algo", "SHA256", "--armor", "--no-version", "--detach-sign", sums])


def changes(changelog: str, version: str) -> str:
    """Return what the changelog says of a version. Raises Failed when it does not know that."""
    found = re.search(rf"^## \[{re.escape(version)}\].*?(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found:
        raise Failed(f"CHANGELOG.md says nothing of {version}")
    return found[0]


def page(files: Sequence[tuple[Path, Kind]], version: str, key: str, day: str) -> str:
    """Return the index page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    names = {name: file.name for (file, _), name in zip(files, ("utf8", "old", "python", "deb", "wheel"), strict=False)}
    grouped = " ".join(re.findall("....", key))
    facts = {"files": files, "names": names, "version": version, "fingerprint": grouped, "day": day}
    return environment.get_template("release.html.j2").render(facts)


def make(dist: Path, version: str, published: Path = TOP / "KEY.asc") -> Path:
    """Make dist/release anew and return it. Raises Failed, and leaves the one before, if it cannot be whole."""
    found = packages(dist, version)
    home = signing_home()
    key = signing_key(home, published)
    release, new = dist / "release", dist / "release.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for file, _ in found:
        shutil.copy(file, new)
    (new / "CHANGES.md").write_text(changes((TOP / "CHANGELOG.md").read_text(), version))
    sign(new, home, key)
    when = int(os.environ.get("SOURCE_DATE_EPOCH") or run(["git", "-C", TOP, "log", "-1", "--format=%ct"]))
    copied = [(new / file.name, kind) for file, kind in found]
    (new / "index.html").write_text(page(copied, version, key, f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d}"))
    for file in new.iterdir():
        os.utime(file, (when, when))
    shutil.rmtree(release, ignore_errors=True)
    return new.rename(release)


def main() -> int:
    """Make it, and say where it is."""
    version = re.search(r"^%define version (\S+)", (TOP / "smeserver-mxbackup.spec").read_text(), re.MULTILINE)
    assert version  # noqa: S101 - the spec is ours
    try:
        release = make(TOP / "dist", version[1])
    except Failed as error:
        print(f"tools/release.py: {error}", file=sys.stderr)
        return 3
    print(f"{release}/index.html is the release page; publish the whole directory.")
    if not (TOP / "KEY.asc").exists():
        print(f"Commit the public key, so that whoever has the sources can compare: cp {release}/KEY.asc {TOP}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
