# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages in dist/, read as the rpm of an old SME Server would."""

import gzip
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import rpm

from mxbackup import __version__, cli
from tools import release

CHECKOUT = Path(__file__).parents[1]
DIST = CHECKOUT / "dist"
LEGACY, UTF8 = "smeserver-mxbackup", "smeserver-mxbackup-utf8"
SMANAGER, LEX = "/usr/share/smanager", "mxbackup_{}.lex"
OLDEST_RPM = (4, 0, 4)

pytestmark = pytest.mark.parametrize("name", [LEGACY, UTF8])


@cache
def header(name: str) -> rpm.hdr:
    transaction = rpm.TransactionSet()
    transaction.setVSFlags(rpm._RPMVSF_NOSIGNATURES)
    with (DIST / f"{name}-{__version__}-1.noarch.rpm").open("rb") as package:
        return transaction.hdrFromFdno(package)


def files(name: str) -> dict[str, rpm.file]:
    return {file.name: file for file in rpm.files(header(name))}


def test_header(name: str) -> None:
    found = header(name)
    assert (found["name"], found["version"], found["release"], found["arch"], found["license"]) == (
        name,
        __version__,
        "1",
        "noarch",
        "GPL-2.0-or-later",
    )
    assert (found["payloadformat"], found["payloadcompressor"], found["payloadflags"]) == ("cpio", "gzip", "9")


def test_a_release_takes_it(name: str) -> None:
    assert f"{name}-{__version__}-1.noarch.rpm" in {file.name for file, _ in release.packages(DIST, __version__)}


def test_an_old_rpm_can_read_it(name: str) -> None:
    found = header(name)
    assert found["filedigestalgo"] in (None, 1)  # MD5, which old packages do not even name
    assert {len(file.digest) for file in files(name).values() if file.digest} <= {32, 64}
    needed = [version for feature, version in zip(found["requirename"], found["requireversion"], strict=True)
              if feature.startswith("rpmlib(")]  # fmt: skip
    assert needed
    assert all(tuple(map(int, version.split("-")[0].split("."))) <= OLDEST_RPM for version in needed)


def test_it_requires_the_host_by_name_and_nothing_automatic(name: str) -> None:
    required = {requirement for requirement in header(name)["requirename"] if not requirement.startswith("rpmlib(")}
    assert required == {"/bin/sh", "e-smith-base", "e-smith-lib", "perl", "smeserver-mxbackup-python"}
    assert not [requirement for requirement in required if re.match(r"(python|lib.*\.so|perl\()", requirement)]


def test_one_build_replaces_the_other(name: str) -> None:
    found = header(name)
    assert (found["obsoletename"], found["conflictname"]) == (([LEGACY], []) if name == UTF8 else ([], [UTF8]))


def test_a_build_for_one_release_of_sme_says_so(name: str) -> None:
    charset = "utf-8" if name == UTF8 else "iso-8859-1"
    command: list[str | Path] = ["rpmspec", "-q", f"--load={CHECKOUT}/rpm/macros", "--define", f"charset {charset}"]
    command += ["--define", "dist .el8.sme", "--qf", "%{nvr} [%{obsoletenevrs}]", CHECKOUT / "smeserver-mxbackup.spec"]
    replaced = f"{LEGACY} <= {__version__}-1.el8.sme" if name == UTF8 else ""
    assert subprocess.check_output(command, text=True) == f"{name}-{__version__}-1.el8.sme {replaced}"


def test_files_belong_to_root_and_directories_of_the_host_stay_its_own(name: str) -> None:
    found = files(name)
    assert {(file.user, file.group) for path, file in found.items() if "web/functions" not in path} == {
        ("root", "root")
    }
    assert found["/usr/bin/mxbackup"].mode & 0o7777 == 0o755
    shared = {"/etc/e-smith/events", "/etc/e-smith/events/actions", "/var/qmail/control", "/usr/bin", "/etc"}
    assert not shared & set(found)
    fragments = sorted(path for path in found if path.startswith("/etc/e-smith/templates/"))
    assert {
        "/etc/e-smith/templates/var/qmail/control/rcpthosts/20mxbackup",
        "/etc/e-smith/templates/var/qmail/control/smtproutes/30mxbackup",
        "/etc/e-smith/templates/var/service/qpsmtpd/config/goodrcptto/50mxbackup",
        "/etc/e-smith/templates/var/spool/smtpd/etc/smtpd_check_rules/61mxbackup",
    } <= set(fragments)


def test_rules_events_and_the_one_of_an_update(name: str) -> None:
    links = {path: file.linkto for path, file in files(name).items() if file.linkto and "/events/" in path}
    update = ["mxbackup-installed", "navigation-conf", "navigation2-conf", "routes2-conf", "locales2-conf"]
    events = {
        **{f"mxbackup-{event}": ["mxbackup-enforce"] for event in ("create", "modify", "delete", "update")},
        **{event: ["mxbackup-panel"] for event in ("bootstrap-console-save", "post-upgrade")},
        f"{name}-update": update,
    }
    expected = {(event, f"../actions/{action}") for event, actions in events.items() for action in actions}
    found = {(path.split("/")[4], to) for path, to in links.items() if "services2adjust" not in path}
    assert found == expected
    assert links[f"/etc/e-smith/events/{name}-update/services2adjust/smanager"] == "restart"
    # What the backup of SME 10 and 11 keeps besides.
    assert f"/etc/e-smith/events/{name}-update/templates2expand/etc/dar/DailyBackup.dcf" in files(name)
    assert "/etc/backup-data.d/smeserver-mxbackup.include" in files(name)
    assert f"/etc/e-smith/events/{name}-update" in files(name)  # an event that stayed would hide from dnf what is gone


def test_the_new_manager_gets_a_page_and_what_it_makes_of_the_lexicons_is_ours(name: str) -> None:
    found = files(name)
    ours = {path.removeprefix(SMANAGER): file for path, file in found.items() if path.startswith(f"{SMANAGER}/")}
    lexicons = "/lib/SrvMngr/I18N/Modules/Mxbackup"
    assert {path for path, file in ours.items() if file.mode == 0o100644} - {
        "/lib/SrvMngr/Controller/Mxbackup.pm",
        "/themes/default/templates/mxbackup.html.ep",
        "/themes/default/public/css/mxbackup.css",
        "/themes/default/public/js/mxbackup.js",
    } == {f"{lexicons}/{file}" for language in ("de", "en", "fr") for file in (f"{language}.pm", LEX.format(language))}
    assert {path for path, file in ours.items() if file.fflags & rpm.RPMFILE_GHOST} == {
        f"{lexicons}/{language}.pm" for language in ("de", "en", "fr")
    }
    directories = {str(parent) for path in ours for parent in Path(path).parents} - {"/"}
    assert {path for path, file in ours.items() if file.mode == 0o40755} == directories


def test_libraries_are_pure_python_with_byte_code(name: str) -> None:
    found = files(name)
    assert not [path for path in found if path.endswith((".so", ".pyd", ".dll"))]
    sources = {path for path in found if path.endswith(".py") and "/usr/share/mxbackup/" in path} - {
        "/usr/share/mxbackup/start.py"
    }
    compiled = {
        re.sub(r"__pycache__/(\w+)\.cpython-311\.pyc$", r"\1.py", path) for path in found if path.endswith(".pyc")
    }
    assert sources == compiled
    assert {path.split("/")[5] for path in found if path.startswith("/usr/share/mxbackup/lib/")} >= {
        "click", "dns", "idna", "jinja2", "markupsafe", "publicsuffixlist",
    }  # fmt: skip


def test_anyone_can_unpack_it(name: str, tmp_path: Path) -> None:
    package = DIST / f"{name}-{__version__}-1.noarch.rpm"
    archive = subprocess.run(["rpm2cpio", package], check=True, capture_output=True).stdout
    listed = subprocess.run(
        ["cpio", "-t", "--quiet"], input=archive, check=True, capture_output=True, text=False
    ).stdout
    packed = {path for path, file in files(name).items() if not file.fflags & rpm.RPMFILE_GHOST}
    assert {path.removeprefix(".") for path in listed.decode().split()} == packed


def test_building_again_gives_the_same_bytes_for_any_user(name: str, tmp_path: Path) -> None:
    """Once more, elsewhere, by another user where we are root; with its date, for a commit may have come since."""
    package = f"{name}-{__version__}-1.noarch.rpm"
    built = subprocess.check_output(["rpm", "-qp", "--qf", "%{BUILDTIME}", DIST / package], text=True)
    tree = tmp_path / "tree"
    copy_sources(tree)
    command = ["tools/build-rpms", str(CHECKOUT / ".venv/bin/python")]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "SOURCE_DATE_EPOCH": built,
        "GIT_DIR": git("rev-parse", "--absolute-git-dir").strip(),
        "GIT_WORK_TREE": str(tree),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", tmp_path], check=True)
        for parent in (tmp_path, *tmp_path.parents):
            if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
                parent.chmod(0o755)
        command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
    subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True)
    assert payload(tree / "dist" / package) == payload(DIST / package)


def copy_sources(tree: Path) -> None:
    """Copy what git lists and the libraries. Whatever else lies in a checkout comes and goes while other tests run."""
    for name in git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")[:-1]:
        if os.path.lexists(CHECKOUT / name):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, tree / name, follow_symlinks=False)
    shutil.copytree(CHECKOUT / "build/bundle", tree / "build/bundle")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout


def payload(package: Path) -> bytes:
    return subprocess.run(["rpm2cpio", package], check=True, capture_output=True).stdout


@pytest.mark.parametrize("language", ["", "fr/", "de/"])
def test_the_manual_tells_of_every_command(name: str, language: str, tmp_path: Path) -> None:
    archive = subprocess.run(["rpm2cpio", DIST / f"{name}-{__version__}-1.noarch.rpm"], check=True, capture_output=True)
    path = f"./usr/share/man/{language}man1/mxbackup.1.gz"
    subprocess.run(["cpio", "-id", "--quiet", path], cwd=tmp_path, input=archive.stdout, check=True)
    page = gzip.decompress((tmp_path / path).read_bytes()).decode("ascii")
    assert set(re.findall(r'^\.SS "mxbackup (\w+)', page, re.MULTILINE)) == set(cli.mxbackup.commands)
