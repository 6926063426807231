# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether it is told that Debian has newer sources of the interpreter."""

import os
import subprocess
from pathlib import Path

import pytest

PINS = Path(__file__).parents[1] / "tools/pins"
MADISON = """#!/bin/sh
case $2 in
libexpat1) echo "libexpat1 | {expat} | http://x/debian-security y/main amd64 Packages"
    echo "libexpat1 | 2.5.0-1 | http://x/debian y/main amd64 Packages" ;;
zlib1g) echo "zlib1g | 1:1.2.13.dfsg-1 | http://x/debian y/main amd64 Packages" ;;
libsqlite3-0) echo "libsqlite3-0 | 3.40.1-2+deb12u2 | http://x/debian y/main amd64 Packages" ;;
libpython3.11-stdlib) echo "libpython3.11-stdlib | 3.11.2-6+deb12u9 | http://x/debian-security y/main amd64 Packages" ;;
esac
"""


@pytest.mark.parametrize(
    ("expat", "status", "said"),
    [
        ("2.5.0-1+deb12u2", 0, []),
        ("2.5.0-1+deb12u99", 1, ["expat 2.5.0-1+deb12u2: Debian has 2.5.0-1+deb12u99"]),
    ],
)
def test_a_newer_source_is_told(expat: str, status: int, said: list[str], tmp_path: Path) -> None:
    apt = tmp_path / "apt-cache"
    apt.write_text(MADISON.format(expat=expat))
    apt.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([PINS], env=environment, capture_output=True, text=True, check=False)
    unknown = "musl 1.2.5-3.1~deb13u1: this machine's lists of apt do not name it"
    assert (done.returncode, done.stdout.splitlines()) == (status, [unknown, *said])
