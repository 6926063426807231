# SPDX-License-Identifier: GPL-2.0-or-later
"""`kill -9` at any moment of `mxbackup add` leaves databases and files that are old or new."""

import json

from tests.system.machine import Sandbox

MOMENTS = 100

# Inside, because the moments are milliseconds: prints what is found after each kill.
KILLER = """
import json, os, signal, subprocess, sys, time
FILES = ("/home/e-smith/db/domains", "/var/qmail/control/rcpthosts", "/var/service/qpsmtpd/config/goodrcptto")
def add(name):
    return subprocess.Popen(["mxbackup", "add", name], start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def kill_templates():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if b"/sbin/e-smith/expand-template" in open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0"):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass
start = time.monotonic()
add("whole.example.org").wait()
whole = time.monotonic() - start
found = []
for moment in range(int(sys.argv[1])):
    process = add(f"k{moment}.example.org")
    time.sleep(whole * moment / int(sys.argv[1]))
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if moment % 2:
        kill_templates()  # which have process groups of their own
    process.wait()
    found.append([open(path).read() for path in FILES])
subprocess.run(["signal-event", "mxbackup-update"], check=True)
left = [name for path in FILES[1:] for name in os.listdir(os.path.dirname(path)) if name.rpartition(".")[2].isdigit()]
left += [name for name in os.listdir("/tmp") if "mxbackup" in name] + os.listdir("/var/lib/mxbackup/expansion")
print(json.dumps([found, left]))
"""


def names_in(text: str) -> set[str]:
    """Every rule that a file of any of the three kinds holds."""
    lines = [line.partition("=")[0].lstrip("@.") for line in text.splitlines() if not line.startswith("#")]
    return {line for line in lines if line.endswith(".example.org")}


def test_kill_at_any_moment(server: Sandbox) -> None:
    base = [set(server.read(path).splitlines()) for path in (
        "/home/e-smith/db/domains", "/var/qmail/control/rcpthosts", "/var/service/qpsmtpd/config/goodrcptto"
    )]  # fmt: skip
    found, left = json.loads(server.run(["python3", "-c", KILLER, str(MOMENTS)]).stdout)
    assert left == ["lock"], "the next expansion removes what a killed one leaves"
    recorded = {"whole.example.org"}
    landed = 0
    for moment, (domains, rcpthosts, goodrcptto) in enumerate(found):
        allowed = recorded | {f"k{moment}.example.org"}
        assert recorded <= names_in(domains) <= allowed, f"moment {moment}: a rule was lost or made up"
        assert {line for line in base[0] if not line.startswith("#")} <= set(domains.splitlines())
        for text, lines in ((rcpthosts, base[1]), (goodrcptto, base[2])):
            assert lines <= set(text.splitlines()), f"moment {moment}: the host's own lines were lost"
            assert text.count("# BEGIN mxbackup") == text.count("# END mxbackup") == 1
            assert names_in(text) <= allowed
        landed += f"k{moment}.example.org" in names_in(domains)
        recorded = names_in(domains)
    assert 0 < landed < MOMENTS, "the kills did not fall around the change"
    server.run(["signal-event", "mxbackup-update"])
    assert server.run(["mxbackup", "status"]).returncode == 0
    assert names_in(server.read("/var/qmail/control/rcpthosts")) == recorded
