# SPDX-License-Identifier: GPL-2.0-or-later
"""What we find in a constant database is what the CDB library that qpsmtpd uses put there."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxbackup.targets import cdb

# Writes the lines of its standard input, in hexadecimal, as keys.
WRITER = """
my $made = CDB_File->new($ARGV[0], "$ARGV[0].tmp") or die;
while (<STDIN>) { chomp; $made->insert(pack('H*', $_), '') }
$made->finish or die;
"""


def written(keys: list[bytes]) -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "x.cdb"
        lines = "".join(f"{key.hex()}\n" for key in keys)
        subprocess.run(["perl", "-MCDB_File", "-e", WRITER, str(path)], input=lines, text=True, check=True)
        return path.read_bytes()


NAMES = [f"d{number}.example.com".encode() for number in range(2000)]
MANY = written(NAMES)


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=20)))
def test_all_keys_and_no_others_are_found(keys: list[bytes]) -> None:
    assert cdb.keys(written(keys)) == frozenset(keys)


def test_many_keys_are_found() -> None:
    assert cdb.keys(MANY) == frozenset(NAMES)


@pytest.mark.parametrize("length", [0, 1, 2047, 2048, len(MANY) // 2, len(MANY) - 1])
def test_a_part_of_a_file_is_damaged(length: int) -> None:
    with pytest.raises(cdb.Damaged):
        cdb.keys(MANY[:length])


@given(st.integers(0, len(MANY) - 1), st.integers(0, 255))
def test_a_changed_byte_never_stops_it_and_never_adds_a_key_unseen(at: int, byte: int) -> None:
    changed = MANY[:at] + bytes([byte]) + MANY[at + 1 :]
    try:
        found = cdb.keys(changed)
    except cdb.Damaged:
        return
    assert found <= frozenset(NAMES)


@given(st.binary(max_size=4096))
def test_no_content_stops_it(content: bytes) -> None:
    try:
        cdb.keys(content)
    except cdb.Damaged:
        return
