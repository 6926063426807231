# SPDX-License-Identifier: GPL-2.0-or-later
"""A release, made of small packages and looked at with GnuPG 2, sha256sum and rpm, as whoever installs one would."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scratch import run_python
from tools import release

TOP = Path(__file__).parents[1]
SPEC = """\
Name: {name}
Version: {version}
Release: 1
Summary: x
License: x
BuildArch: {architecture}
%description
x
%files
"""
BUILT = (
    ("smeserver-mxbackup-utf8", "1.0.0", "noarch"),
    ("smeserver-mxbackup", "1.0.0", "noarch"),
    ("smeserver-mxbackup-python", "3.11.2", "noarch"),
)
UTF8 = "smeserver-mxbackup-utf8-1.0.0-1.noarch.rpm"
WHEEL = "smeserver_mxbackup-1.0.0-py3-none-any.whl"


def tell(*command: str | Path, at: Path) -> tuple[int, str]:
    """The exit status of a command and what it says."""
    gnupg = (at / "gnupg").resolve()
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C", "GNUPGHOME": str(gnupg)}
    done = subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dist/ as make packages leaves it, but small."""
    top = tmp_path_factory.mktemp("packages")
    dist = top / "dist"
    dist.mkdir()
    for name, version, architecture in BUILT:
        spec = top / f"{name}.spec"
        spec.write_text(SPEC.format(name=name, version=version, architecture=architecture))
        command: list[str | Path] = [
            "rpmbuild",
            "-ba",
            "--quiet",
            f"--load={TOP}/rpm/macros",
            "--define",
            f"_topdir {top}",
            spec,
        ]
        subprocess.run(command, check=True, capture_output=True)
    for package in top.glob("RPMS/noarch/*.rpm"):
        # Nothing that builds for an i686 is needed for its name.
        package.rename(dist / package.name.replace("python-3.11.2-1.noarch", "python-3.11.2-1.i686"))
    (top / "SRPMS/smeserver-mxbackup-1.0.0-1.src.rpm").rename(dist / "smeserver-mxbackup-1.0.0-1.src.rpm")
    (dist / "mxbackup_1.0.0-1_all.deb").write_bytes(b"debian")
    (dist / WHEEL).write_bytes(b"wheel")
    return dist


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secret") / "signing"


@pytest.fixture
def made(dist: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(release.SIGNING_HOME, str(home))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1078866000")
    return release.make(dist, "1.0.0", tmp_path / "KEY.asc")


@pytest.fixture
def there(made: Path, tmp_path: Path) -> Iterator[Path]:
    """The release on the machine of somebody who has fetched it, and taken the key."""
    there = made.rename(tmp_path / "there")
    with tempfile.TemporaryDirectory(dir="/tmp") as gnupg:  # the path to a socket in it must be short
        (there / "gnupg").symlink_to(gnupg)
        (there / "gnupg/gpg.conf").write_text("no-autostart\n")  # an agent would stay
        assert tell("gpg", "--import", "KEY.asc", at=there)[0] == 0
        assert tell("rpm", "--dbpath", there / "db", "--import", "KEY.asc", at=there) == (0, "")
        yield there


def test_what_a_release_is_made_of(made: Path) -> None:
    packages = sorted(file.name for file in made.iterdir() if file.suffix in {".rpm", ".deb", ".whl"})
    assert sorted(file.name for file in made.iterdir()) == sorted(
        [*packages, "CHANGES.md", "KEY.asc", "SHA256SUMS", "SHA256SUMS.asc", "index.html"]
    )
    assert {file.stat().st_mtime for file in made.iterdir()} == {1078866000}
    linked = set(re.findall(r'href="([^"#]+)"', (made / "index.html").read_text()))
    assert linked == {file.name for file in made.iterdir()} - {"index.html"}
    assert re.findall(r"^## .*", (made / "CHANGES.md").read_text(), re.MULTILINE) == ["## [1.0.0] - unreleased"]
    assert "PRIVATE" not in (made / "KEY.asc").read_text()


def test_the_page_is_sound(made: Path) -> None:
    assert tell("tidy", "-quiet", "-errors", made / "index.html", at=made) == (0, "")


def test_it_is_verified_as_the_page_says(there: Path) -> None:
    [commands, _] = re.findall(r"<pre>(gpg.*?)</pre>", (there / "index.html").read_text(), re.DOTALL)
    status, said = tell("sh", "-ec", commands, at=there)
    assert status == 0
    assert 'Good signature from "The smeserver-mxbackup project <mxbackup@localhost>"' in said
    assert f"{UTF8}: OK\n" in said
    assert f"{WHEEL}: OK\n" in said
    printed = re.findall(r"Primary key fingerprint: (.*)", said)[0].replace(" ", "")
    assert re.findall(r"<pre>([0-9A-F ]+)</pre>", (there / "index.html").read_text())[0].replace(" ", "") == printed


def test_every_rpm_bears_signatures_that_old_servers_read(there: Path) -> None:
    for package in sorted(there.glob("*.rpm")):
        status, said = tell("rpm", "--dbpath", there / "db", "--checksig", "--verbose", package, at=there)
        assert status == 0
        kinds = re.findall(r"^ +(.*) Signature, key ID .*: OK$", said, re.MULTILINE)
        assert kinds == ["Header V3 RSA/SHA1", "V3 RSA/SHA1"]


def test_a_package_whose_signature_is_gone_is_not_called_signed(there: Path) -> None:
    """As the page says: rpm says OK of it, too."""
    command = ("rpm", "--dbpath", there / "db", "--checksig", UTF8)
    assert tell(*command, at=there) == (0, f"{UTF8}: digests signatures OK\n")
    assert tell("rpmsign", "--delsign", UTF8, at=there)[0] == 0
    assert tell(*command, at=there) == (0, f"{UTF8}: digests OK\n")


@pytest.mark.parametrize("name", [UTF8, WHEEL, "SHA256SUMS"])
def test_a_changed_byte_is_noticed(name: str, there: Path) -> None:
    data = bytearray((there / name).read_bytes())
    data[-1] ^= 1
    (there / name).write_bytes(data)
    signature, _ = tell("gpg", "--verify", "SHA256SUMS.asc", "SHA256SUMS", at=there)
    sums, _ = tell("sha256sum", "--check", "--ignore-missing", "SHA256SUMS", at=there)
    package, _ = tell("rpm", "--dbpath", there / "db", "--checksig", UTF8, at=there)
    assert (signature != 0, sums != 0, package != 0) == (name == "SHA256SUMS", name != "SHA256SUMS", name == UTF8)


def test_the_key_is_made_once_and_only_its_owner_reads_it(made: Path, home: Path, dist: Path) -> None:
    first = (made / "KEY.asc").read_text()
    assert release.make(dist, "1.0.0", made / "KEY.asc") == made
    assert (made / "KEY.asc").read_text() == first
    assert home.stat().st_mode & 0o777 == 0o700


def test_another_key_than_the_published_one_is_refused(
    made: Path, dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(release.SIGNING_HOME, str(tmp_path / "empty"))
    with pytest.raises(release.Failed, match="has no secret key, and releases are signed with that of"):
        release.make(dist, "1.0.0", made / "KEY.asc")
    monkeypatch.setenv(release.SIGNING_HOME, str(tmp_path / "other"))
    release.signing_key(tmp_path / "other", tmp_path / "none.asc")
    before = (made / "SHA256SUMS").read_text()
    with pytest.raises(release.Failed, match="is not that of"):
        release.make(dist, "1.0.0", made / "KEY.asc")
    assert (made / "SHA256SUMS").read_text() == before


def test_no_secret_in_the_repository(dist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(release.SIGNING_HOME, str(TOP / "signing"))
    with pytest.raises(release.Failed, match="is in the repository, where no secret may be"):
        release.make(dist, "1.0.0")
    assert not (TOP / "signing").exists()


def test_a_package_that_is_missing_or_there_twice(tmp_path: Path) -> None:
    with pytest.raises(release.Failed, match=r"one smeserver-mxbackup-utf8-1\.0\.0-\*\.noarch\.rpm, and has none"):
        release.packages(tmp_path, "1.0.0")
    for build in (1, 2):
        (tmp_path / f"smeserver-mxbackup-utf8-1.0.0-{build}.noarch.rpm").touch()
    with pytest.raises(release.Failed, match=r"has smeserver-mxbackup-utf8-1\.0\.0-1\.noarch\.rpm, smeserver"):
        release.packages(tmp_path, "1.0.0")


def test_a_version_without_changes() -> None:
    with pytest.raises(release.Failed, match=r"CHANGELOG\.md says nothing of 2\.0\.0"):
        release.changes((TOP / "CHANGELOG.md").read_text(), "2.0.0")


def test_what_could_not_be_done_is_told(tmp_path: Path) -> None:
    tool, environment = str(TOP / "tools/release.py"), {release.SIGNING_HOME: str(TOP), "SOURCE_DATE_EPOCH": "0"}
    done = run_python(tool, environment=environment)
    assert done.returncode == 3
    assert done.stderr.startswith("tools/release.py: ")
