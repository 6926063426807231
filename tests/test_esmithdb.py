# SPDX-License-Identifier: GPL-2.0-or-later
"""The database file: its bytes, its lock, and that no change is ever lost or torn."""

import fcntl
import os
import random
import re
import stat
import subprocess
import sys
import syslog
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.errors import DatabaseError, DatabaseMissing, InvalidRule
from mxbackup.esmith import database
from mxbackup.esmith.database import Database, Record, Store
from tests.scratch import run_python

NOW = "Tue Mar  9 21:00:00 2004"
HEADER = b"""\
# DO NOT MODIFY THIS FILE.
# This file is automatically maintained by the Mitel Networks SME Server
# configuration software.  Manually editing this file may put your\x20
# system in an unknown state.
#
# updated: Tue Mar  9 21:00:00 2004
"""
FOREIGN = HEADER + (
    b"\n"
    b"   # a remark, and a line of nothing but blanks:\n"
    b"  \t\n"
    b"zoe.net=domain|Content|Primary|Description|Soci\xe9t\xe9\n"
    b"Empty=service||X|p\n"
    b"Odd=service|Alone\n"
    b"NoEquals\n"
    b"Value=a=b=c\n"
    b"Twice=first\n"
    b"Twice=second\n"
    b"Escaped=note|Text|one\\ntwo|Bar|a\\|b\n"
)


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, log: list[str]) -> Store:
    (tmp_path / "db").mkdir()
    return Store(tmp_path / "db/domains", log.extend)


def undated(path: Path) -> bytes:
    """The file's content with the date of its comment block replaced by NOW."""
    return re.sub(rb"(?<=# updated: ).*", NOW.encode(), path.read_bytes())


def set_one(database: Database) -> None:
    database.set("dupontnet.com", "mxbackup", {"Kind": "domain"})


# The bytes


def test_reading_ignores_comments_and_blank_lines_and_of_equal_keys_the_last_counts() -> None:
    database = Database.parse(FOREIGN)
    assert database.raw == {
        b"zoe.net": b"domain|Content|Primary|Description|Soci\xe9t\xe9",
        b"Empty": b"service||X|p",
        b"Odd": b"service|Alone",
        b"NoEquals": b"",
        b"Value": b"a=b=c",
        b"Twice": b"second",
        b"Escaped": b"note|Text|one\\ntwo|Bar|a\\|b",
    }
    assert database.get("zoe.net") == Record("domain", {"Content": "Primary", "Description": "Soci\udce9t\udce9"})
    assert database.get("Empty") == Record("service", {"": "X", "p": ""})
    assert database.get("Odd") == Record("service", {"Alone": ""})
    assert database.get("Value") == Record("a=b=c", {})
    assert database.get("Escaped") == Record("note", {"Text": "one\ntwo", "Bar": "a\\|b"})
    assert database.get("missing") is None
    assert "Odd" in database
    assert "missing" not in database


def test_writing_keeps_what_is_foreign_and_sorts_keys_and_properties_by_their_bytes(store: Store) -> None:
    store.path.write_bytes(FOREIGN)

    def change(database: Database) -> None:
        database.set("dupontnet.com", "mxbackup", {"Route": "mail.dupontnet.com:26", "Kind": "domain", "a": "é"})
        database.set("zoe.net", "domain", {"Added": "yes"})

    store.update(change)
    assert undated(store.path) == HEADER + (
        b"Empty=service||X|p\n"
        b"Escaped=note|Text|one\\ntwo|Bar|a\\|b\n"
        b"NoEquals=\n"
        b"Odd=service|Alone\n"
        b"Twice=second\n"
        b"Value=a=b=c\n"
        b"dupontnet.com=mxbackup|Kind|domain|Route|mail.dupontnet.com:26|a|\xc3\xa9\n"
        b"zoe.net=domain|Added|yes|Content|Primary|Description|Soci\xe9t\xe9\n"
    )


def test_the_comment_block_ends_in_the_date_of_the_change(store: Store) -> None:
    store.update(set_one)
    date = store.path.read_text().splitlines()[5].removeprefix("# updated: ")
    assert time.asctime(time.strptime(date)) == date


def test_none_removes_a_property_and_unknown_ones_stay() -> None:
    database = Database({b"dupontnet.com": b"mxbackup|Kind|host|Other|\xe9|Route|mail.dupontnet.com"})
    database.set("dupontnet.com", "mxbackup", {"Route": None, "Missing": None, "Kind": "domain"})
    assert database.raw == {b"dupontnet.com": b"mxbackup|Kind|domain|Other|\xe9"}


def test_a_newline_is_stored_as_two_characters_and_blanks_around_a_value_are_dropped() -> None:
    database = Database()
    database.set("note", "text", {"Body": " one\ntwo\t\n"})
    assert database.raw == {b"note": b"text|Body|one\\ntwo"}
    assert database.get("note") == Record("text", {"Body": "one\ntwo"})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a|b", 'The property Route must not hold "|".'),
        ("a\\nb", 'The property Route must not hold "\\n" nor end in a backslash.'),
        ("a\\", 'The property Route must not hold "\\n" nor end in a backslash.'),
        ("a\\ \n", 'The property Route must not hold "\\n" nor end in a backslash.'),
    ],
)
def test_what_the_format_cannot_hold_is_refused_naming_the_property(value: str, reason: str) -> None:
    database = Database()
    with pytest.raises(InvalidRule) as refused:
        database.set("dupontnet.com", "mxbackup", {"Kind": "host", "Route": value})
    assert (str(refused.value), refused.value.field) == (reason, "Route")
    assert database.raw == {}


@pytest.mark.parametrize("key", ["", " a", "a ", "a=b", "a\nb", "#a", "\t"])
def test_a_key_that_would_not_be_read_back_is_refused(key: str) -> None:
    database = Database()
    with pytest.raises(InvalidRule) as refused:
        database.set(key, "mxbackup", {})
    assert (str(refused.value), refused.value.field) == (f'"{key}" cannot be the key of a record.', "name")
    assert database.raw == {}


def test_delete_tells_whether_there_was_a_record() -> None:
    database = Database({b"a": b"b"})
    assert database.delete("a")
    assert not database.delete("a")


def test_of_type_finds_records_with_and_without_properties_in_the_order_of_the_file() -> None:
    database = Database.parse(b"b=mxbackup|Kind|host\nc=mxbackups|Kind|host\na=mxbackup\nd=domain|x|mxbackup\n")
    assert list(database.of_type("mxbackup")) == [
        ("b", Record("mxbackup", {"Kind": "host"})),
        ("a", Record("mxbackup", {})),
    ]


PROPERTY_NAMES = st.from_regex(r"\A[A-Za-z0-9_-]{1,8}\Z")
VALUES = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\\n| \n=#"), max_size=20)
LATIN_1_VALUES = st.binary(max_size=10).map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@given(st.dictionaries(PROPERTY_NAMES, VALUES | LATIN_1_VALUES, max_size=4))
def test_accepted_values_are_read_back(properties: dict[str, str]) -> None:
    database = Database()
    try:
        database.set("key", "type", properties)
    except InvalidRule as refused:
        value = properties[refused.field].strip()
        assert "|" in value or "\\n" in value or value.endswith("\\")
        return
    stripped = {name: value.strip() for name, value in properties.items()}
    assert Database.parse(database.serialise(NOW)).get("key") == Record("type", stripped)


FOREIGN_LINES = st.binary(max_size=30).filter(lambda raw: b"\n" not in raw)


@given(st.lists(FOREIGN_LINES, max_size=8))
def test_foreign_records_come_through_untouched(lines: list[bytes]) -> None:
    before = Database.parse(b"\n".join(lines))
    changed = Database(dict(before.raw))
    changed.set("dupontnet.com", "mxbackup", {"Kind": "domain"})
    after = Database.parse(changed.serialise(NOW))
    assert after.raw == before.raw | {b"dupontnet.com": changed.raw[b"dupontnet.com"]}


# The file


def test_a_missing_database_is_told_from_an_empty_one(store: Store) -> None:
    with pytest.raises(DatabaseMissing) as refused:
        store.read()
    assert str(refused.value) == f"There is no database {store.path}."
    store.path.write_bytes(HEADER)
    assert store.read().raw == {}


def test_a_database_without_even_its_comments_is_damaged_and_stays_as_it_is(store: Store) -> None:
    store.path.write_bytes(b"")
    for attempt in (store.read, lambda: store.update(set_one)):
        with pytest.raises(DatabaseError) as refused:
            attempt()
        assert str(refused.value) == (f"The database {store.path} is empty: it was damaged. Restore it from a backup.")
    assert store.path.read_bytes() == b""
    assert Store(store.path, disposable=True).read().raw == {}


def test_blanks_around_keys_and_values_do_not_count() -> None:
    parsed = Database.parse(b" dupontnet.com = mxbackup|Kind|domain \nlocal.com =domain\n")
    assert parsed.raw == {b"dupontnet.com": b"mxbackup|Kind|domain", b"local.com": b"domain"}


def test_what_is_no_character_is_refused() -> None:
    with pytest.raises(InvalidRule, match="The property Description holds what is no character"):
        Database().set("dupontnet.com", "mxbackup", {"Description": "\ud800"})


def test_a_database_that_cannot_be_read_is_an_error(store: Store) -> None:
    store.path.mkdir()
    for attempt in (store.read, lambda: store.update(set_one)):
        with pytest.raises(DatabaseError) as refused:
            attempt()
        assert str(refused.value) == f"The database {store.path} cannot be read: Is a directory."
    assert os.listdir(store.path.parent) == ["domains"]


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path, log: list[str]) -> None:
    path = tmp_path / "missing/domains"
    with pytest.raises(DatabaseError) as refused:
        Store(path, log.extend).update(set_one)
    assert str(refused.value) == f"The database {path} cannot be changed: No such file or directory."
    assert log == []


def test_a_new_file_has_the_hosts_mode_less_the_umask(store: Store) -> None:
    old = os.umask(0o027)
    try:
        store.update(set_one)
    finally:
        os.umask(old)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o640
    assert undated(store.path) == HEADER + b"dupontnet.com=mxbackup|Kind|domain\n"
    assert os.listdir(store.path.parent) == ["domains"]


def test_mode_and_owner_are_kept(store: Store) -> None:
    store.path.write_bytes(FOREIGN)
    store.path.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(store.path, 12345, 23456)
    before = store.path.stat()
    store.update(set_one)
    after = store.path.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(store: Store, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (store.path.parent / f"domains.{os.getpid()}").symlink_to(victim)
    with pytest.raises(DatabaseError):
        store.update(set_one)
    assert victim.read_text() == "precious"
    assert not store.path.exists()


def test_nothing_is_written_or_logged_when_nothing_changed(store: Store, log: list[str]) -> None:
    store.path.write_bytes(FOREIGN)
    before = store.path.stat()
    assert store.update(lambda database: len(database.raw)) == 7
    after = store.path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert log == []
    assert os.listdir(store.path.parent) == ["domains"]


def test_a_change_that_fails_changes_nothing(store: Store, log: list[str]) -> None:
    store.path.write_bytes(FOREIGN)

    def change(database: Database) -> None:
        set_one(database)
        raise InvalidRule("name", "No.")

    with pytest.raises(InvalidRule):
        store.update(change)
    assert store.path.read_bytes() == FOREIGN
    assert log == []
    assert os.listdir(store.path.parent) == ["domains"]


def test_changes_are_logged_as_the_host_logs_them(store: Store, log: list[str]) -> None:
    store.path.write_bytes(b"b=mxbackup|Kind|host\nc=value\nd=\xe9\n")

    def change(database: Database) -> None:
        database.set("a", "mxbackup", {"Kind": "domain"})
        database.set("b", "mxbackup", {"Kind": "domain"})
        database.delete("c")

    store.update(change)
    assert log == [
        f"{store.path}: OLD a=(undefined)",
        f"{store.path}: NEW a=mxbackup|Kind|domain",
        f"{store.path}: OLD b=mxbackup|Kind|host",
        f"{store.path}: NEW b=mxbackup|Kind|domain",
        f"{store.path}: DELETE c=value",
    ]


def test_syslog_gets_ascii_for_facility_local1(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *given: calls.append(given))
    monkeypatch.setattr(syslog, "syslog", lambda *given: calls.append(given))
    database.log_to_syslog(["domains: NEW a=mxbackup|Description|Soci\udce9té\nb"])
    assert calls == [
        ("mxbackup", syslog.LOG_PID, syslog.LOG_LOCAL1),
        (syslog.LOG_INFO, "domains: NEW a=mxbackup|Description|Soci_t__b"),
    ]


FULL = """
import resource, sys
from pathlib import Path
from mxbackup.errors import DatabaseError
from mxbackup.esmith.database import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
try:
    Store(Path(sys.argv[1]), print).update(lambda d: d.set("new.com", "mxbackup", {"Description": "x" * 100}))
except DatabaseError as error:
    print(error)
"""


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one_and_no_other(store: Store) -> None:
    store.path.write_bytes(FOREIGN)
    done = run_python("-c", FULL, str(store.path))
    assert (done.stdout, done.stderr) == (f"The database {store.path} cannot be changed: File too large.\n", "")
    assert store.path.read_bytes() == FOREIGN
    assert os.listdir(store.path.parent) == ["domains"]


# Other programs


def test_a_writer_without_the_lock_is_not_overwritten(store: Store) -> None:
    store.path.write_bytes(b"before=1\n")
    seen: list[list[bytes]] = []

    def change(database: Database) -> None:
        seen.append(sorted(database.raw))
        if len(seen) == 1:
            store.path.write_bytes(b"before=1\nbetween=2\n")
        set_one(database)

    store.update(change)
    assert seen == [[b"before"], [b"before", b"between"]]
    assert undated(store.path) == HEADER + b"before=1\nbetween=2\ndupontnet.com=mxbackup|Kind|domain\n"
    assert os.listdir(store.path.parent) == ["domains"]


def test_a_lock_that_was_unlinked_meanwhile_is_taken_again(store: Store, log: list[str]) -> None:
    """The host unlinks the lock file only after unlocking it, so it may be ours that it unlinks."""
    store.path.write_bytes(b"before=1\n")
    lock = store.path.with_name("domains.lock")
    calls: list[bool] = []

    def change(database: Database) -> None:
        calls.append(lock.exists())
        if len(calls) == 1:
            lock.unlink()
        set_one(database)

    store.update(change)
    assert calls == [True, True]
    assert undated(store.path) == HEADER + b"before=1\ndupontnet.com=mxbackup|Kind|domain\n"
    assert len(log) == 2
    assert os.listdir(store.path.parent) == ["domains"]


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; fail if it does not in a minute, which is for a test that hangs."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def is_waited_for(descriptor: int) -> bool:
    """Whether we have the locked file open a second time: what is not to be had at once is tried again and again."""
    mine, found = os.fstat(descriptor), 0
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            found += os.path.samestat(path.stat(), mine)
    return found > 1


def test_the_lock_of_the_host_is_waited_for_and_checked_again(store: Store) -> None:
    """Two programs in a row hold it, each in a file of its own, as the host's do; both change the database."""
    store.path.write_bytes(b"before=1\n")
    lock = store.path.with_name("domains.lock")
    first = lock.open("a")
    fcntl.flock(first, fcntl.LOCK_EX)
    seen: list[list[bytes]] = []

    def change(database: Database) -> None:
        seen.append(sorted(database.raw))
        set_one(database)

    ours = threading.Thread(target=store.update, args=[change])
    ours.start()
    wait_for(lambda: is_waited_for(first.fileno()))
    store.path.write_bytes(b"before=1\nfirst=1\n")
    lock.unlink()
    second = lock.open("a")
    fcntl.flock(second, fcntl.LOCK_EX)
    first.close()
    wait_for(lambda: is_waited_for(second.fileno()))
    store.path.write_bytes(b"before=1\nfirst=1\nsecond=1\n")
    lock.unlink()
    second.close()
    ours.join()
    assert seen == [[b"before", b"first", b"second"]]
    assert undated(store.path) == HEADER + (b"before=1\ndupontnet.com=mxbackup|Kind|domain\nfirst=1\nsecond=1\n")
    assert os.listdir(store.path.parent) == ["domains"]


def test_a_lock_that_is_never_given_back_is_told_and_nothing_is_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxbackup.esmith.database.LOCK_LIMIT", 0.1)
    store.path.write_bytes(b"before=1\n")
    with store.path.with_name("domains.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DatabaseError) as refused:
            store.update(set_one)
    assert str(refused.value) == (
        f"Another program has held the lock of the database {store.path} for 0.1 seconds, so it was not changed. "
        f"See who holds it: fuser {store.path}.lock"
    )
    assert store.path.read_bytes() == b"before=1\n"


FIFTY = """
import sys
from pathlib import Path
from mxbackup.esmith.database import Store
store = Store(Path(sys.argv[1]), lambda lines: None)
for number in range(50):
    store.update(lambda database: database.set(f"{sys.argv[2]}-{number:02}", "mxbackup", {"Kind": "host"}))
"""


def test_of_processes_that_change_at_once_no_change_is_lost(store: Store) -> None:
    store.path.write_bytes(FOREIGN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", FIFTY, store.path, str(number)], env=environment) for number in range(4)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    ours = [b"%d-%02d=mxbackup|Kind|host\n" % (p, number) for p in range(4) for number in range(50)]
    foreign = [b"%b=%b\n" % item for item in sorted(Database.parse(FOREIGN).raw.items())]
    assert undated(store.path) == HEADER + b"".join(ours + foreign)
    assert os.listdir(store.path.parent) == ["domains"]


ENDLESS = """
import itertools, sys
from pathlib import Path
from mxbackup.esmith.database import Store
store = Store(Path(sys.argv[1]), lambda lines: None)
def change(database):
    for number in range(500):
        database.set(f"d{number:03}.com", "mxbackup", {"Kind": "host", "Round": str(round)})
for round in itertools.count(1):
    store.update(change)
    print(round, flush=True)
"""


def test_a_program_killed_at_any_moment_leaves_the_old_file_or_the_new(store: Store) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command: list[str | Path] = [sys.executable, "-c", ENDLESS, store.path]
    for _ in range(30):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            done = int(process.stdout.readline())
            time.sleep(random.uniform(0, 0.02))
            process.kill()
            done = max([done, *map(int, process.stdout.read().split())])
        rounds = {record.properties["Round"] for _, record in store.read().of_type("mxbackup")}
        assert rounds <= {str(done), str(done + 1)}
        (last,) = rounds
        assert undated(store.path) == HEADER + b"".join(
            b"d%03d.com=mxbackup|Kind|host|Round|%b\n" % (number, last.encode()) for number in range(500)
        )
    store.update(set_one)
    assert "dupontnet.com" in store.read()
