# SPDX-License-Identifier: GPL-2.0-or-later
"""What a program needs of its interpreter, tried one by one; run by the packaged interpreter.

Prints one JSON object: the name of each feature, and "" or the error it ended in.
"""

import asyncio
import concurrent.futures
import contextlib
import csv
import email.message
import email.policy
import fcntl
import glob
import gzip
import hashlib
import hmac
import io
import ipaddress
import json
import logging
import logging.handlers
import os
import pathlib
import pwd
import queue
import secrets
import select
import selectors
import shutil
import signal
import smtplib
import socket
import sqlite3
import stat
import subprocess
import sys
import syslog
import tarfile
import tempfile
import threading
import time
import traceback
import unicodedata
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

FEATURES: list[Callable[[], None]] = []


def feature(function: Callable[[], None]) -> Callable[[], None]:
    """Add the function to the list."""
    FEATURES.append(function)
    return function


@feature
def atomic_replace() -> None:
    descriptor, name = tempfile.mkstemp(dir=".")
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write("é\n" * 10000)
        file.flush()
        os.fsync(file.fileno())
    os.chown(name, 0, 101)
    os.chmod(name, 0o640)
    os.replace(name, "replaced")
    assert pathlib.Path("replaced").read_text(encoding="utf-8") == "é\n" * 10000
    status = os.stat("replaced")
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o640, 101)


@feature
def exclusive_lock() -> None:
    with open("lock", "a") as mine, open("lock", "a") as other:
        fcntl.flock(mine, fcntl.LOCK_EX)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            raise AssertionError("locked twice")
        fcntl.flock(mine, fcntl.LOCK_UN)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@feature
def file_is_not_inherited() -> None:
    with open(__file__) as file:
        assert fcntl.fcntl(file, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    reading, writing = os.pipe()
    assert not os.get_inheritable(reading)
    os.close(reading)
    os.close(writing)


@feature
def directories() -> None:
    os.makedirs("tree/a/b")
    pathlib.Path("tree/a/file").touch()
    os.symlink("file", "tree/a/link")
    assert sorted(glob.glob("tree/**", recursive=True)) == sorted(
        ["tree/", "tree/a", "tree/a/b", "tree/a/file", "tree/a/link"]
    )
    assert sorted((e.name, e.is_dir(), e.is_symlink()) for e in os.scandir("tree/a")) == [
        ("b", True, False), ("file", False, False), ("link", False, True)]  # fmt: skip
    assert len(list(os.walk("tree"))) == 3


@feature
def remove_tree() -> None:
    os.makedirs("gone/a/b")
    shutil.rmtree("gone")
    assert not os.path.exists("gone")
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(f"{directory}/a")
    assert not os.path.exists(directory)


@feature
def copy_tree() -> None:
    os.makedirs("from/a")
    pathlib.Path("from/a/file").write_bytes(os.urandom(200_000))
    os.symlink("file", "from/a/link")
    shutil.copytree("from", "to", symlinks=True)
    assert pathlib.Path("to/a/file").read_bytes() == pathlib.Path("from/a/file").read_bytes()
    assert os.readlink("to/a/link") == "file"


@feature
def file_times() -> None:
    pathlib.Path("timed").touch()
    os.utime("timed", (10**9, 10**9))
    assert os.stat("timed").st_mtime == 10**9


@feature
def file_beyond_4_gb() -> None:
    with open("big", "wb") as file:
        file.seek(5 * 2**30)
        file.write(b"x")
    assert os.stat("big").st_size == 5 * 2**30 + 1
    os.truncate("big", 0)


@feature
def file_system_size() -> None:
    assert shutil.disk_usage(".").total > 0


@feature
def bytes_in_file_names() -> None:
    name = b"\xff\xe9".decode("utf-8", "surrogateescape")
    pathlib.Path(name).touch()
    assert name in os.listdir(".")


@feature
def run_program() -> None:
    program = "import os, sys; print(os.getcwd(), os.environ, sys.stdin.read()); sys.exit(3)"
    done = subprocess.run([sys.executable, "-ISBc", program], input="in", capture_output=True, text=True, cwd="/",
                          env={"A": "é"}, check=False)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (3, "/ environ({'A': 'é'}) in\n", "")


@feature
def run_program_in_session() -> None:
    program = [sys.executable, "-ISBc", "import os; os._exit(os.getsid(0) != os.getpid())"]
    assert subprocess.run(program, start_new_session=True, check=False).returncode == 0


@feature
def run_program_timeout() -> None:
    try:
        subprocess.run([sys.executable, "-ISBc", "import time; time.sleep(60)"], timeout=0.3, check=False)
    except subprocess.TimeoutExpired:
        return
    raise AssertionError("no timeout")


@feature
def run_missing_program() -> None:
    try:
        subprocess.run(["/no/such/program"], check=False)
    except FileNotFoundError as error:
        assert error.filename == "/no/such/program"  # noqa: PT017
    else:
        raise AssertionError("ran")


@feature
def fork_and_wait() -> None:
    pid = os.fork()
    if not pid:
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5


@feature
def spawn() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-ISBc", "raise SystemExit(4)"], {})
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4


@feature
def abort_is_a_signal() -> None:
    pid = os.fork()
    if not pid:
        os.abort()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGABRT


@feature
def tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        with peer:
            assert not peer.get_inheritable()
            client.sendall(b"hello")
            assert peer.recv(100) == b"hello"
            client.settimeout(0.1)
            try:
                client.recv(1)
            except TimeoutError:
                pass
            else:
                raise AssertionError("no timeout")


@feature
def connection_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    try:
        socket.create_connection(address, timeout=5)
    except ConnectionRefusedError:
        return
    raise AssertionError("connected")


@feature
def udp() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        other.sendto(b"x", one.getsockname())
        assert one.recvfrom(10)[0] == b"x"


@feature
def unix_socket() -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("socket")
        server.listen()
        client.connect("socket")
        with server.accept()[0] as peer:
            client.sendall(b"x")
            assert peer.recv(1) == b"x"
    one, other = socket.socketpair()
    with one, other:
        assert socket.socket(fileno=os.dup(one.fileno())).family == socket.AF_UNIX


@feature
def names_from_etc() -> None:
    assert socket.getaddrinfo("localhost", "smtp", type=socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 25)
    assert pwd.getpwuid(0).pw_name == "root"


@feature
def select_poll_selectors() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    assert select.select([reading], [], [], 5)[0] == [reading]
    assert select.select([], [], [], 0.01) == ([], [], [])
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    assert poll.poll(5000) == [(reading, select.POLLIN)]
    with selectors.DefaultSelector() as selector:
        key = selector.register(reading, selectors.EVENT_READ)
        assert selector.select(5) == [(key, selectors.EVENT_READ)]


@feature
def epoll() -> None:
    reading, writing = os.pipe()
    with select.epoll() as poll:
        poll.register(reading, select.EPOLLIN)
        os.write(writing, b"x")
        assert poll.poll(5) == [(reading, select.EPOLLIN)]


@feature
def lock_timeout() -> None:
    lock = threading.Lock()
    lock.acquire()
    assert not lock.acquire(timeout=0.05)
    assert not threading.Event().wait(0.05)


@feature
def smtp_dialogue() -> None:
    replies = {b"rcpt": b"550 no such user", b"quit": b"221 bye"}
    server = socket.create_server(("127.0.0.1", 0))
    pid = os.fork()
    if not pid:
        connection, _ = server.accept()
        with connection.makefile("rwb", buffering=0) as stream:
            stream.write(b"220 here\r\n")
            for line in stream:
                stream.write(replies.get(line[:4].lower(), b"250 ok") + b"\r\n")
        os._exit(0)
    with smtplib.SMTP("127.0.0.1", server.getsockname()[1], "me", timeout=20) as client:
        assert client.helo("me") == (250, b"ok")
        assert client.mail("") == (250, b"ok")
        assert client.rcpt("a@b.example") == (550, b"no such user")
    server.close()
    os.waitpid(pid, 0)


@feature
def clocks() -> None:
    before, monotonic = time.time(), time.monotonic()
    time.sleep(0.05)
    assert time.time() - before >= 0.05
    assert time.monotonic() - monotonic >= 0.05
    assert time.process_time() > 0
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
    assert time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(1_720_000_000)) == "2024-07-03 11:46 CEST"
    assert time.gmtime(2**33).tm_year == 2242


@feature
def signals() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    signal.pause()
    signal.raise_signal(signal.SIGALRM)
    assert seen == [signal.SIGALRM] * 2


@feature
def randomness() -> None:
    assert len({os.urandom(16), secrets.token_bytes(16), uuid.uuid4().bytes}) == 3


@feature
def drop_privileges() -> None:
    pid = os.fork()
    if not pid:
        os.setgroups([])
        os.setgid(99)
        os.setuid(99)
        os._exit(os.getuid() != 99 or os.access("/etc/passwd", os.W_OK))
    assert os.waitpid(pid, 0)[1] == 0


@feature
def sqlite_wal() -> None:
    with sqlite3.connect("wal.db") as one, sqlite3.connect("wal.db", timeout=0) as other:
        assert one.execute("pragma journal_mode=wal").fetchone() == ("wal",)
        one.execute("create table t (n integer primary key, s text)")
        one.executemany("insert into t (s) values (?)", [(f"é{n}",) for n in range(1000)])
        one.commit()
        one.execute("begin immediate")
        one.execute("delete from t")
        assert other.execute("select count(*), max(s) from t").fetchone() == (1000, "é999")
        try:
            other.execute("begin immediate")
        except sqlite3.OperationalError as error:
            assert str(error) == "database is locked"  # noqa: PT017
        else:
            raise AssertionError("two writers")
        one.rollback()
    assert os.path.exists("wal.db-shm")


@feature
def text_formats() -> None:
    table = io.StringIO()
    csv.writer(table).writerow(["é", 'a"b', 1])
    assert table.getvalue() == 'é,"a""b",1\r\n'
    assert json.loads(json.dumps({"é": [1.5, None]})) == {"é": [1.5, None]}
    lexicon = '<?xml version="1.0" encoding="iso-8859-1"?><l lang="fr"><t>é</t></l>'.encode("iso-8859-1")
    assert ElementTree.fromstring(lexicon).findtext("t") == "é"
    message = email.message.EmailMessage(email.policy.SMTP)
    message["Subject"] = "é"
    message.set_content("x")
    assert bytes(message).startswith(b"Subject: =?utf-8?")


@feature
def text_codecs() -> None:
    assert "é€".encode("cp1252") == b"\xe9\x80"
    assert "é".encode("iso-8859-15") == b"\xe9"
    assert "bücher.example".encode("idna") == b"xn--bcher-kva.example"
    assert unicodedata.normalize("NFC", "e\u0301") == "é"
    assert (sys.getfilesystemencoding(), sys.stdout.encoding) == ("utf-8", "utf-8")


@feature
def addresses() -> None:
    assert ipaddress.IPv6Address("::ffff:192.0.2.1").ipv4_mapped == ipaddress.ip_address("192.0.2.1")


@feature
def digests() -> None:
    names = ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b")
    assert [hashlib.new(name, b"").hexdigest()[:6] for name in names] == [
        "d41d8c", "da39a3", "e3b0c4", "cf83e1", "a7ffc6", "786a02"]  # fmt: skip
    assert hmac.digest(b"key", b"what", "md5").hex() == hmac.new(b"key", b"what", "md5").hexdigest()


@feature
def compression() -> None:
    with gzip.open("x.gz", "wb") as file:
        file.write(b"q" * 9999)
    with tarfile.open("x.tgz", "w:gz") as archive:
        archive.add("x.gz")
    with tarfile.open("x.tgz") as archive:
        member = archive.extractfile("x.gz")
        assert member is not None
        assert gzip.decompress(member.read()) == b"q" * 9999


@feature
def logs() -> None:
    syslog.openlog("features")
    syslog.syslog("nobody listens")
    handler = logging.handlers.RotatingFileHandler("x.log", maxBytes=100, backupCount=1)
    handler.emit(logging.makeLogRecord({"msg": "x" * 90}))
    handler.emit(logging.makeLogRecord({"msg": "y" * 90}))
    handler.close()
    assert pathlib.Path("x.log.1").read_text() == "x" * 90 + "\n"


@feature
def floats() -> None:
    assert (0.1 + 0.2, round(2.675, 2), 1e23, float("1.7976931348623157e308")) == (
        0.30000000000000004, 2.67, 9.999999999999999e22, sys.float_info.max)  # fmt: skip
    assert json.loads("1e-310") == 1e-310


@feature
def templates() -> None:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string("{% for n in names %}{{ n }}{{ mark }} {% endfor %}")
    assert template.render(names=["a", "b"], mark="<") == "a&lt; b&lt; "


@feature
def command_line() -> None:
    import click

    @click.command()
    @click.option("--count", type=int)
    def main(count: int) -> None:
        click.echo("é" * count)

    with contextlib.redirect_stdout(io.StringIO()) as output:
        main(["--count", "3"], standalone_mode=False)
    assert output.getvalue() == "ééé\n"


@feature
def dns_query() -> None:
    import dns.message
    import dns.resolver
    import dns.rrset

    server = socket.socket(type=socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    pid = os.fork()
    if not pid:
        packet, client = server.recvfrom(4096)
        query = dns.message.from_wire(packet)
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "MX", "10 mail.example.org."))
        server.sendto(reply.to_wire(), client)
        os._exit(0)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], server.getsockname()[1], 20
    assert str(resolver.resolve("example.org", "MX")[0]) == "10 mail.example.org."
    server.close()
    os.waitpid(pid, 0)


# What starts threads comes last: under qemu-i386 7.2 a signal handler's return after the first thread crashes
# (its threads share one descriptor table); the kernels have no such trouble.


@feature
def threads() -> None:
    numbers: queue.Queue[int | None] = queue.Queue()
    seen: list[int] = []

    def collect() -> None:
        while (number := numbers.get()) is not None:
            seen.append(number)

    workers = [threading.Thread(target=collect) for _ in range(8)]
    for worker in workers:
        worker.start()
    for number in [*range(2000), *[None] * len(workers)]:
        numbers.put(number)
    for worker in workers:
        worker.join()
    assert sorted(seen) == list(range(2000))


@feature
def thread_that_forks() -> None:
    def fork() -> int:
        pid = os.fork()
        if not pid:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        assert list(executor.map(lambda _: fork(), range(20))) == [7] * 20


async def echo_once() -> bytes:
    """A line sent to a server of our own, and back in upper case."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"line\n")
    line = await reader.readline()
    writer.close()
    server.close()
    return line


@feature
def asyncio_streams() -> None:
    assert asyncio.run(asyncio.wait_for(echo_once(), 20)) == b"LINE\n"


async def program_output() -> bytes:
    """The output of a program run by asyncio."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-ISBc", "print(1)", stdout=subprocess.PIPE)
    return (await process.communicate())[0]


@feature
def asyncio_subprocess() -> None:
    assert asyncio.run(asyncio.wait_for(program_output(), 20)) == b"1\n"


def main() -> None:
    """Try each in a directory of its own; what failed is told in full on stderr."""
    results = {}
    for function in FEATURES:
        os.chdir(tempfile.mkdtemp())
        print("trying", function.__name__, file=sys.stderr, flush=True)  # the last one, if it ends us
        try:
            function()
            results[function.__name__] = ""
        except Exception as error:
            traceback.print_exc()
            results[function.__name__] = f"{type(error).__name__}: {error}"
    print(json.dumps(results))


main()
