# SPDX-License-Identifier: GPL-2.0-or-later
"""The sandbox and its base package: what E-SMITH-like hosts do, without the contrib."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.machine import CHECKOUT, ENTER, Sandbox, wait_until

Maker = Callable[..., Sandbox]
HEADER = (
    "# DO NOT MODIFY THIS FILE.\n"
    "# This file is automatically maintained by the Mitel Networks SME Server\n"
    "# configuration software.  Manually editing this file may put your \n"
    "# system in an unknown state.\n"
    "#\n"
    "# updated: "
)
BANNER = (
    "#------------------------------------------------------------\n"
    "#              DO NOT MODIFY THIS FILE.\n"
    "#\n"
    "# It is made from the fragments in /etc/e-smith/templates;\n"
    "# changes made here are lost when that is done again.\n"
    "#------------------------------------------------------------\n"
)


def database(sandbox: Sandbox, name: str) -> str:
    """Return the records of a database file whose comment block is as it must be."""
    text = sandbox.read(f"/home/e-smith/db/{name}")
    assert text.startswith(HEADER)
    assert re.match(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \d{4}\n", text.removeprefix(HEADER))
    return text.removeprefix(HEADER).partition("\n")[2]


# The machine


def test_command_gets_arguments_input_and_a_clean_environment(sandbox: Sandbox) -> None:
    done = sandbox.run(
        ["sh", "-c", 'cat; printf "%s|" "$PWD" "$HOME" "${PYTEST_CURRENT_TEST-none}" "$@"', "sh", "a b", "$c"],
        "in",
    )
    assert done.stdout == "in/|/root|none|a b|$c|"


def test_exit_status_and_stderr_come_through(sandbox: Sandbox) -> None:
    done = sandbox.run(["sh", "-c", "echo no >&2; exit 42"], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (42, "", "no\n")


def test_nothing_written_inside_is_outside(sandbox: Sandbox) -> None:
    before = Path("/etc/hostname").read_bytes()
    sandbox.sh("echo changed > /etc/hostname; for d in / /etc /tmp /run /var /dev; do touch $d/only-inside; done; sync")
    assert Path("/etc/hostname").read_bytes() == before
    assert [d for d in ("/", "/etc", "/tmp", "/run", "/var", "/dev") if Path(d, "only-inside").exists()] == []


def test_source_tree_is_there_as_it_is_now_and_read_only(sandbox: Sandbox) -> None:
    sandbox.run(["ls", str(CHECKOUT / "build/sandbox")])
    with tempfile.NamedTemporaryFile("w", dir=CHECKOUT / "build/sandbox") as new:
        new.write("new\n")
        new.flush()
        assert sandbox.read(new.name) == "new\n"
    assert "Read-only file system" in sandbox.run(["touch", ENTER], check=False).stderr


def test_bound_directory_is_shared(new_sandbox: Maker, tmp_path: Path) -> None:
    machine = new_sandbox(binds=[tmp_path])
    machine.sh(f"echo hello > {tmp_path}/from-inside")
    assert (tmp_path / "from-inside").read_text() == "hello\n"


def test_sandboxes_are_separate(sandbox: Sandbox, new_sandbox: Maker) -> None:
    other = new_sandbox()
    other.sh("db configuration set OnlyThere yes; sv stop /service/qpsmtpd; touch /root/only-there")
    assert sandbox.run(["config", "get", "OnlyThere"], check=False).stdout == ""
    assert sandbox.run(["ls", "/root/only-there"], check=False).returncode == 2
    assert sandbox.smtp("QUIT").splitlines()[3].startswith("220 ")
    assert sandbox.sh("readlink /proc/self/ns/net") != other.sh("readlink /proc/self/ns/net")


def test_fresh_and_stop_leave_nothing(new_sandbox: Maker) -> None:
    machine = new_sandbox()
    machine.sh("echo old > /root/mark; setsid sleep 4321 > /dev/null 2>&1 &")
    again = subprocess.run([*machine.enter, "--fresh", "cat", "/root/mark"], capture_output=True, text=True)
    assert (again.returncode, again.stdout) == (1, "")
    machine.stop()
    wait_until(lambda: subprocess.run(["pgrep", "-f", machine.name], stdout=subprocess.DEVNULL).returncode == 1)
    assert machine.name not in Path("/proc/mounts").read_text()
    assert list(Path("/run/mxbackup-sandbox").glob(f"*{machine.name}*")) == []


def test_it_outlives_the_process_that_started_it(sandbox: Sandbox, new_sandbox: Maker) -> None:
    machine = new_sandbox()
    subprocess.run(["setsid", "--wait", *machine.enter, "--fresh", "touch", "/root/mark"], check=True)
    assert machine.run(["ls", "/root/mark"]).stdout == "/root/mark\n"


def test_two_starters_at_once_get_the_same_one(new_sandbox: Maker) -> None:
    machine = new_sandbox()
    machine.stop()
    starters = [
        subprocess.Popen([*machine.enter, "readlink", "/proc/self/ns/net"], stdout=subprocess.PIPE) for _ in range(3)
    ]
    assert len({starter.communicate()[0] for starter in starters}) == 1


def test_killing_enter_kills_the_command(sandbox: Sandbox) -> None:
    with subprocess.Popen([*sandbox.enter, "sleep", "4322"]) as running:
        wait_until(lambda: sandbox.run(["pgrep", "-f", "^sleep 4322"], check=False).returncode == 0)
        running.kill()
    wait_until(lambda: sandbox.run(["pgrep", "-f", "^sleep 4322"], check=False).returncode == 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give either a command or --stop"),
        (["--name", "../x", "true"], "a name is made of letters"),
        (["--profile", "sme99", "true"], "invalid choice: 'sme99'"),
        (["--bind", "nowhere", "true"], "not the absolute path of a directory"),
    ],
)
def test_wrong_use_is_refused(arguments: list[str], words: str) -> None:
    done = subprocess.run([ENTER, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert words in done.stderr


def test_other_profile_than_the_running_one_is_refused(sandbox: Sandbox) -> None:
    done = subprocess.run([ENTER, "--name", sandbox.name, "--profile", "sme6", "true"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        f"sandbox/enter: {sandbox.name} runs as sme7; use --fresh or another --name.\n",
    )


def test_directory_that_the_running_one_does_not_share_is_refused(sandbox: Sandbox) -> None:
    done = subprocess.run([ENTER, "--name", sandbox.name, "--bind", "/srv", "true"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        f"sandbox/enter: {sandbox.name} runs without that --bind; use --fresh or another --name.\n",
    )


def test_without_root_it_says_so() -> None:
    def nobody() -> None:
        os.setgid(65534)
        os.setuid(65534)

    done = subprocess.run([ENTER, "true"], capture_output=True, text=True, preexec_fn=nobody)
    assert (done.returncode, done.stderr) == (
        3,
        "sandbox/enter: this needs root, for the namespaces and mounts of the sandbox.\n",
    )


def test_rpm_works_as_an_administrator_types_it(sandbox: Sandbox) -> None:
    assert sandbox.run(["rpm", "-q", "sme-sandbox-base"]).stdout == "sme-sandbox-base-1.0-1.sme7.noarch\n"
    assert sandbox.run(["rpm", "-q", "--whatprovides", "/bin/sh", "smeserver-qpsmtpd"]).stdout.split() == [
        "sme-sandbox-base-1.0-1.sme7.noarch",
        "sme-sandbox-base-1.0-1.sme7.noarch",
    ]
    assert sandbox.run(["rpm", "-V", "sme-sandbox-base"]).stdout == ""


# The databases


def test_db_set_replaces_and_sorts(sandbox: Sandbox) -> None:
    sandbox.sh(
        "db t1 set b.example thing Zeta 1 Alpha 2\n"
        "db t1 set a.example plain\n"
        "db t1 set B.example thing Gone yes\n"
        "db t1 set B.example thing Kept 'a b'\n"
    )
    assert database(sandbox, "t1") == "B.example=thing|Kept|a b\na.example=plain\nb.example=thing|Alpha|2|Zeta|1\n"


def test_db_changes_properties(sandbox: Sandbox) -> None:
    sandbox.sh("db t2 set k thing A 1 B 2 C 3; db t2 setprop k B '' D 4; db t2 delprop k A Missing")
    assert database(sandbox, "t2") == "k=thing|B||C|3|D|4\n"


def test_db_reads(sandbox: Sandbox) -> None:
    sandbox.sh("db t3 set k thing A 1 B 'x y'; db t3 set j plain")
    said = sandbox.sh(
        "db t3 keys; db t3 print; db t3 print k; db t3 show; db t3 show j;"
        "db t3 get k; db t3 gettype k; db t3 getprop k B"
    )
    assert said == (
        "j\nk\n"
        "j=plain\nk=thing|A|1|B|x y\n"
        "k=thing|A|1|B|x y\n"
        "j=plain\nk=thing\n    A=1\n    B=x y\n"
        "j=plain\n"
        "thing|A|1|B|x y\n"
        "thing\n"
        "x y\n"
    )


@pytest.mark.parametrize(
    "command", ["show none", "get none", "gettype none", "getprop k none", "delete none", "setprop none a b"]
)
def test_db_says_by_its_status_that_there_is_none(sandbox: Sandbox, command: str) -> None:
    sandbox.sh("db t4 set k thing")
    done = sandbox.run(["db", "t4", *command.split()], check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert database(sandbox, "t4") == "k=thing\n"


@pytest.mark.parametrize(
    "command", ["", "frobnicate k", "set k", "set k t odd", "setprop k", "setprop k odd", "delete"]
)
def test_db_refuses_wrong_use(sandbox: Sandbox, command: str) -> None:
    done = sandbox.run(["db", "t5", *command.split()], check=False)
    assert done.returncode == 255
    assert done.stderr.startswith("usage:")


def test_db_keeps_foreign_bytes_newlines_and_odd_fields(sandbox: Sandbox) -> None:
    record = "a=thing|Empty||Latin|caf\udce9|Text|one\\ntwo|Bar|x\\|y\n"
    sandbox.write("/home/e-smith/db/t6", f"# mine\n\n  spaced =  value  \n{record}", "600")
    assert sandbox.run(["db", "t6", "getprop", "a", "Text"]).stdout == "one\ntwo\n"
    sandbox.run(["db", "t6", "set", "b", "two\nlines"])
    assert database(sandbox, "t6") == f"{record}b=two\\nlines\nspaced=value\n"
    assert sandbox.sh("stat -c '%a %U %G' /home/e-smith/db/t6") == "600 root admin\n"


def test_db_writes_a_bar_raw(sandbox: Sandbox) -> None:
    sandbox.run(["db", "t7", "set", "k", "thing", "A", "x|B|y"])
    assert database(sandbox, "t7") == "k=thing|A|x|B|y\n"


def test_db_path_in_the_environment(sandbox: Sandbox) -> None:
    sandbox.sh("mkdir -p /tmp/dbs; DBPATH=/tmp/dbs db t8 set k thing")
    assert sandbox.sh("ls /tmp/dbs") == "t8\n"


def test_config_is_db_configuration(sandbox: Sandbox) -> None:
    assert sandbox.run(["config", "get", "DomainName"]).stdout == "durantcom.net\n"


def test_db_tells_syslog(sandbox: Sandbox) -> None:
    sandbox.sh("db t9 set k old; db t9 set k 'caf\udce9'; db t9 delete k")
    wait_until(lambda: "t9: DELETE" in sandbox.read("/var/log/messages"))
    lines = re.findall(r"local1\.info db\[\d+\]: (/home/e-smith/db/t9: .*)", sandbox.read("/var/log/messages"))
    assert [line.removeprefix("/home/e-smith/db/t9: ") for line in lines] == [
        "OLD k=(undefined)",
        "NEW k=old",
        "OLD k=old",
        "NEW k=caf_",
        "DELETE k=caf_",
    ]


def test_db_loses_nothing_among_many_writers(sandbox: Sandbox) -> None:
    sandbox.sh("for w in 1 2 3 4; do (for n in 1 2 3 4 5 6 7 8; do db t10 set $w-$n thing A 1; done) & done; wait")
    assert database(sandbox, "t10") == "".join(f"{w}-{n}=thing|A|1\n" for w in range(1, 5) for n in range(1, 9))
    assert sandbox.sh("ls /home/e-smith/db | grep t10") == "t10\n"


def test_defaults_fill_gaps_and_overwrite_nothing(sandbox: Sandbox) -> None:
    defaults = "/etc/e-smith/db/configuration/defaults/filled"
    sandbox.sh(f"mkdir -p {defaults}; cd {defaults}; echo service > type; echo enabled > status; echo 25 > Port")
    sandbox.sh("/etc/e-smith/events/actions/initialize-default-databases")
    assert sandbox.run(["config", "get", "filled"]).stdout == "service|Port|25|status|enabled\n"
    sandbox.sh("config setprop filled status disabled; config delprop filled Port")
    sandbox.sh("/etc/e-smith/events/actions/initialize-default-databases")
    assert sandbox.run(["config", "get", "filled"]).stdout == "service|Port|25|status|disabled\n"


# Templates


@pytest.fixture
def template(sandbox: Sandbox, request: pytest.FixtureRequest) -> str:
    """The path of a file of which a test may make a template; its directory exists."""
    path = f"/etc/try/{request.node.name.partition('[')[0]}"
    sandbox.sh("mkdir -p /etc/try")
    return path


def fragments(sandbox: Sandbox, path: str, **texts: str) -> None:
    """Write the fragments of a file; `_30x` stands for the name `30x`."""
    for name, text in texts.items():
        sandbox.write(f"/etc/e-smith/templates{path}/{name.removeprefix('_').replace('__', '-')}", text)


def test_fragments_come_in_order(sandbox: Sandbox, template: str) -> None:
    fragments(sandbox, template, _20b="b\n", _10z="z\n", _9a="9\n", template__end="end\n", Za="Za\n")
    sandbox.sh(
        f"cd /etc/e-smith/templates{template}; mkdir 15dir; : > 40empty;"
        "echo no | tee 20b~ 30.orig 31.rpmnew 32.rpmsave 33.swp 34.rpmorig"
    )
    sandbox.write(f"/etc/e-smith/templates-custom{template}/20b", "custom\n")
    sandbox.write(f"/etc/e-smith/templates-custom{template}/30only-custom", "only custom\n")
    assert sandbox.run(["expand-template", template]).stderr == ""
    assert sandbox.read(template) == f"{BANNER}z\ncustom\nonly custom\n9\nZa\nend\n"


def test_own_beginning_replaces_the_banner(sandbox: Sandbox, template: str) -> None:
    fragments(sandbox, template, template__begin="mine\n", _10a="a\n")
    sandbox.run(["expand-template", template])
    assert sandbox.read(template) == "mine\na\n"


def test_fragments_see_the_configuration(sandbox: Sandbox, template: str) -> None:
    sandbox.run(["config", "set", "seen", "service", "status", "enabled"])
    fragments(
        sandbox,
        template,
        template__begin="",
        _10plain="{ $DomainName } { our $kept = 7; $OUT = 'out' }\n",
        _20record="{ $seen{status} } { $seen } { $kept }\n",
    )
    sandbox.run(["expand-template", template])
    assert sandbox.read(template) == "durantcom.net out\nenabled service|status|enabled 7\n"


@pytest.mark.parametrize("broken", ["{ die qq(no rules\\n) }", "{ 1 + ; }", "{ not closed"])
def test_error_keeps_the_file_and_has_status_0(sandbox: Sandbox, template: str, broken: str) -> None:
    sandbox.sh(f"rm -rf /etc/e-smith/templates{template}; echo old > {template}")
    fragments(sandbox, template, _10a="a\n", _20broken=broken)
    done = sandbox.run(["expand-template", template], check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"ERROR in /etc/e-smith/templates{template}/20broken: ")
    assert done.stderr.endswith(f"\nERROR: Template processing failed for {template}: 1 fragment generated errors\n")
    assert sandbox.read(template) == "old\n"


def test_missing_directory_or_template_is_an_error(sandbox: Sandbox) -> None:
    fragments(sandbox, "/etc/no/such/directory", _10a="a\n")
    said = [sandbox.run(["expand-template", path]).stderr for path in ("/etc/no/such/directory", "/etc/untemplated")]
    assert [re.sub(r"\.\d+:", ".PID:", line) for line in said] == [
        "ERROR: Template processing failed for /etc/no/such/directory: "
        "cannot create /etc/no/such/directory.PID: No such file or directory\n",
        "ERROR: Template processing failed for /etc/untemplated: there is no template of that name\n",
    ]


def test_warnings_are_passed_on(sandbox: Sandbox, template: str) -> None:
    fragments(sandbox, template, template__begin="", _10a="{ warn qq(careful\\n); 'text' }\n")
    assert sandbox.run(["expand-template", template]).stderr == (
        f"WARNING in /etc/e-smith/templates{template}/10a: careful\n"
    )
    assert sandbox.read(template) == "text\n"


def test_same_text_leaves_the_file_alone_and_another_keeps_owner_and_mode(sandbox: Sandbox, template: str) -> None:
    fragments(sandbox, template, template__begin="", _10a="a\n")
    sandbox.sh(
        f"echo a > {template}; chown qmaild:admin {template}; chmod 640 {template}; ln {template} {template}.link"
    )
    sandbox.run(["expand-template", template])
    assert sandbox.sh(f"stat -c '%h' {template}") == "2\n"
    fragments(sandbox, template, _10a="b\n")
    sandbox.run(["expand-template", template])
    assert sandbox.sh(f"stat -c '%h %a %U %G' {template}; cat {template}") == "1 640 qmaild admin\nb\n"


def test_metadata(sandbox: Sandbox, template: str) -> None:
    fragments(sandbox, template, template__begin="", _10a="a\n")
    sandbox.write(
        f"/etc/e-smith/templates.metadata{template}.1", f'TEMPLATE_PATH="{template}"\nPERMS=0600\nUID="qmaild"\n'
    )
    sandbox.write(f"/etc/e-smith/templates.metadata{template}.2/TEMPLATE_PATH", f'"{template}"')
    sandbox.write(f"/etc/e-smith/templates.metadata{template}.2/OUTPUT_FILENAME", f'"{template}.elsewhere"')
    sandbox.write(f"/etc/e-smith/templates.metadata{template}.3", "DELETE=1\n")
    sandbox.sh(f"touch {template}.3; expand-template {template}.1 {template}.2 {template}.3")
    assert sandbox.sh(f"cd /etc/try; stat -c '%n %a %U %G' {Path(template).name}*") == (
        f"{Path(template).name}.1 600 qmaild root\n{Path(template).name}.elsewhere 644 root root\n"
    )


# Events


def test_event_runs_every_action_in_order(sandbox: Sandbox) -> None:
    action = '#!/bin/sh\necho "${0##*/} $*" | tee -a /tmp/event-try\n'
    for name, more in (("S50b", ""), ("S10a", "echo oops >&2; exit 3\n"), ("S80c", "")):
        sandbox.write(f"/etc/e-smith/events/try-create/{name}", action + more, "755")
    done = sandbox.run(["signal-event", "try-create", "dupontnet.com", "x y"], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert sandbox.read("/tmp/event-try") == "".join(
        f"{name} try-create dupontnet.com x y\n" for name in ("S10a", "S50b", "S80c")
    )
    wait_until(lambda: "S80c: S80c try-create" in sandbox.read("/var/log/messages"))
    assert re.findall(r"esmith::event\[\d+\]: (.*)", sandbox.read("/var/log/messages"))[:8] == [
        "Processing event: try-create dupontnet.com x y",
        "Running event handler: /etc/e-smith/events/try-create/S10a",
        "S10a: S10a try-create dupontnet.com x y",
        "S10a: oops",
        "S10a: exit status 3",
        "Running event handler: /etc/e-smith/events/try-create/S50b",
        "S50b: S50b try-create dupontnet.com x y",
        "Running event handler: /etc/e-smith/events/try-create/S80c",
    ]
    sandbox.sh("rm /etc/e-smith/events/try-create/S10a; signal-event try-create")


def test_event_must_exist(sandbox: Sandbox) -> None:
    done = sandbox.run(["signal-event", "no-such-event"], check=False)
    assert done.returncode != 0
    assert done.stderr == "There is no event no-such-event: /etc/e-smith/events/no-such-event is not a directory.\n"


def test_event_expands_and_restarts(sandbox: Sandbox, template: str) -> None:
    fragments(sandbox, template, template__begin="", _10a="a\n")
    event = "/etc/e-smith/events/try-update"
    sandbox.write(f"{event}/templates2expand{template}", "")
    sandbox.sh(f"mkdir {event}/services2adjust; ln -s restart {event}/services2adjust/qmail")
    sandbox.sh(f"ln -s restart {event}/services2adjust/none; config set qmail service status enabled")
    starts = sandbox.qmail_starts()
    sandbox.run(["signal-event", "try-update"])
    sandbox.sh("config delete qmail")
    assert sandbox.read(template) == "a\n"
    wait_until(lambda: sandbox.qmail_starts() == starts + 1)


def test_menu_comes_from_the_comments_of_the_panels(sandbox: Sandbox) -> None:
    panel = "#!/usr/bin/python3\n# heading     : Configuration\n# description : MX-Backup\n# navigation  : 6000 6710\n"
    functions = "/etc/e-smith/web/functions"
    for name, mode in (("try", "755"), ("plain", "644"), ("unlinked", "755")):
        sandbox.write(f"{functions}/{name}", panel, mode=mode)
    sandbox.sh("cd /etc/e-smith/web/panels/manager/cgi-bin; for name in try plain; do ln -s /any/wrapper $name; done")
    sandbox.run(["/etc/e-smith/events/actions/navigation-conf"])
    assert sandbox.read("/var/cache/e-smith/navigation") == "6000\t6710\tConfiguration\tMX-Backup\ttry\n"


# Mail


def test_qpsmtpd_takes_what_both_lists_hold(new_sandbox: Maker) -> None:
    machine = new_sandbox()
    control, config = "/var/qmail/control/rcpthosts", "/var/service/qpsmtpd/config/goodrcptto"
    machine.sh(
        f"printf 'dupontnet.com\\n.dupontnet.com\\nother.org\\n' >> {control}; printf '@dupontnet.com\\n' >> {config}"
    )
    asked = [
        "jean.dupont@dupontnet.com",
        "x@WWW.dupontnet.com",
        "admin@other.org",
        "x@other.org",
        "tomy@hotmail.com",
    ]
    assert {address: machine.rcpt(address) for address in asked} == {
        "jean.dupont@dupontnet.com": "250 <jean.dupont@dupontnet.com>, recipient ok",
        "x@WWW.dupontnet.com": "550 invalid recipient x@WWW.dupontnet.com",
        "admin@other.org": "250 <admin@other.org>, recipient ok",
        "x@other.org": "550 invalid recipient x@other.org",
        "tomy@hotmail.com": "550 invalid recipient tomy@hotmail.com",
    }
    machine.sh(f"echo '# nobody' > {config}")
    assert machine.rcpt("x@www.dupontnet.com") == "250 <x@www.dupontnet.com>, recipient ok"
    assert machine.rcpt("tomy@hotmail.com") == "550 Relaying denied (#5.7.1)"


def test_the_list_for_strangers_is_made_from_the_fragments_of_plugins_too(new_sandbox: Maker) -> None:
    machine = new_sandbox()
    config = "/var/service/qpsmtpd/config"
    lists = {peers: machine.read(f"{config}/peers/{peers}") for peers in ("0", "local")}
    names = {peers: re.findall("^[a-z].*", text, re.MULTILINE) for peers, text in lists.items()}
    both = ["relay", "badmailfrom", "badrcptto", "check_goodrcptto", "rcpt_ok", "queue/qmail-queue"]
    assert names == {"0": ["count_unrecognized_commands 4", *both], "local": both}
    machine.write(f"/etc/e-smith/templates{config}/peers/0/39own", "own\n")
    for path, there in (("peers/0", True), ("plugins", False)):
        machine.run(["expand-template", f"{config}/{path}"])
        assert (path, "\nown\n" in machine.read(f"{config}/peers/0")) == (path, there)
    assert machine.read(f"{config}/plugins") == "hosts_allow\npeers\n"


def test_check_smtp_forward_asks_the_server_of_a_route(new_sandbox: Maker) -> None:
    machine = new_sandbox()
    machine.sh("printf 'dupontnet.com\n.dupontnet.com\n' >> /var/qmail/control/rcpthosts")
    routes = "dupontnet.com:[127.0.0.1]:9\n.dupontnet.com:127.0.0.1:9\nmartin.fr:127.0.0.1:2525\n:127.0.0.1:9\nx.org:\n"
    machine.write("/var/qmail/control/smtproutes", routes)
    machine.sh(
        "db domains setprop durantcom.net MailServer localhost; echo '# off' > /var/service/qpsmtpd/config/goodrcptto;"
        "expand-template /var/service/qpsmtpd/config/plugins; sv h /service/qpsmtpd; sleep 0.5"
    )
    asked = ["x@dupontnet.com", "x@www.dupontnet.com", "x@x.org", "x@martin.fr"]
    assert {address: machine.rcpt(address) for address in asked} == {
        "x@dupontnet.com": "450 Unable to connect to 127.0.0.1",
        "x@www.dupontnet.com": "250 <x@www.dupontnet.com>, recipient ok",
        "x@x.org": "550 Relaying denied (#5.7.1)",
        "x@martin.fr": "550 Sorry, that domain isn't in my list of allowed rcpthosts.",
    }


def test_relay_clients_may_send_anywhere(new_sandbox: Maker) -> None:
    machine = new_sandbox()
    machine.sh("echo 127.0.0.1 > /var/service/qpsmtpd/config/relayclients; sv h /service/qpsmtpd")
    assert machine.rcpt("tomy@hotmail.com") == "250 <tomy@hotmail.com>, recipient ok"


def test_mailfront_takes_what_rcpthosts_holds(new_sandbox: Maker) -> None:
    machine = new_sandbox()
    machine.sh("printf 'dupontnet.com\\n.dupontnet.com\\n' >> /var/qmail/control/rcpthosts")
    asked = ["jean.dupont@dupontnet.com", "x@www.dupontnet.com", "tomy@hotmail.com"]
    assert [machine.rcpt(address, port=2525) for address in asked] == [
        "250 2.1.5 Recipient accepted.",
        "250 2.1.5 Recipient accepted.",
        "553 Sorry, that domain isn't in my list of allowed rcpthosts.",
    ]


@pytest.mark.parametrize("port", [25, 2525])
def test_accepted_mail_is_delivered(new_sandbox: Maker, port: int) -> None:
    machine = new_sandbox()
    session = machine.smtp(
        "HELO anything.other.org",
        "MAIL From:<admin@anything.other.org>",
        "RCPT To:<jean.durant@durantcom.net>",
        "DATA",
        "Subject: Test",
        "",
        "Essai particulièrement brillant !",
        ".",
        "QUIT",
        port=port,
    )
    assert "\n354 " in session
    wait_until(lambda: "\nend msg" in re.sub("(?m)^@[0-9a-f]{24} ", "", machine.read("/var/log/qmail/current")))
    log = machine.read("/var/log/qmail/current")
    assert " from <admin@anything.other.org> qp " in log
    assert " to local jean.durant@durantcom.net\n" in log
    message = machine.sh("cat /var/qmail/delivered/jean.durant@durantcom.net/*")
    assert message.endswith("Subject: Test\n\nEssai particulièrement brillant !\n")
    assert machine.sh("find /var/qmail/queue -type f ! -path '*/lock/*'") == ""


# Profiles


@pytest.fixture(scope="module")
def of_profile() -> Iterator[Callable[[str], Sandbox]]:
    """Gives the sandbox of a profile that the tests of profiles share."""
    machines: dict[str, Sandbox] = {}

    def get(profile: str) -> Sandbox:
        return machines.setdefault(profile, Sandbox(profile, profile))

    yield get
    for machine in machines.values():
        machine.stop()


@pytest.mark.parametrize(
    ("profile", "commands", "restart", "directories"),
    [
        ("sme5", [], "/etc/rc.d/init.d/qmail restart", ["/var/spool/smtpd/etc"]),
        ("sme55", [], "/etc/rc.d/init.d/qmail restart", []),
        ("sme6", ["svc"], "svc -t /service/qmail", []),
        ("sme7", ["sv"], "sv t /service/qmail", ["/var/service/qpsmtpd/config"]),
        ("sme11", ["systemctl"], "", ["/var/service/qpsmtpd/config"]),
    ],
)
def test_profile(of_profile: Maker, profile: str, commands: list[str], restart: str, directories: list[str]) -> None:
    machine = of_profile(profile)
    assert (
        machine.sh("for c in sv svc systemctl; do command -v $c >/dev/null && echo $c; done; true").split() == commands
    )
    assert machine.sh("ls -d /var/spool/smtpd/etc /var/service/qpsmtpd/config 2>&-; true").split() == directories
    assert machine.sh("test -d /var/qmail/control && rpm -V sme-sandbox-base") == ""
    if restart:
        starts = machine.qmail_starts()
        machine.sh(restart)
        wait_until(lambda: machine.qmail_starts() == starts + 1)


@pytest.mark.parametrize(
    ("profile", "answer"),
    [
        ("sme55", "553 Sorry, that domain isn't in my list of allowed rcpthosts."),
        ("sme6", "553 Sorry, that domain isn't in my list of allowed rcpthosts."),
        ("sme7", "550 invalid recipient tomy@hotmail.com"),
        ("sme11", "550 invalid recipient tomy@hotmail.com"),
    ],
)
def test_profile_relays_for_nobody(of_profile: Maker, profile: str, answer: str) -> None:
    machine = of_profile(profile)
    assert machine.rcpt("jean.durant@durantcom.net").startswith("250 ")
    assert machine.rcpt("tomy@hotmail.com") == answer


@pytest.mark.parametrize("profile", ["sme6", "sme7"])
def test_control_fifo_restarts_qmail(of_profile: Maker, profile: str) -> None:
    machine = of_profile(profile)
    starts = machine.qmail_starts()
    machine.sh("test -p /service/qmail/supervise/control && printf t > /service/qmail/supervise/control")
    wait_until(lambda: machine.qmail_starts() == starts + 1)
    machine.sh("printf a > /service/qmail/supervise/control")
    wait_until(lambda: "signal ALRM" in machine.read("/var/log/messages"))
    assert machine.qmail_starts() == starts + 1


def test_sme11_restarts_qpsmtpd(of_profile: Maker) -> None:
    machine = of_profile("sme11")
    find = "pgrep -o -f '^/usr/bin/perl.*qpsmtpd-forkserver.* --port 25 '; true"
    pid = machine.sh(find)
    machine.run(["systemctl", "restart", "qpsmtpd"])
    wait_until(lambda: machine.sh(find) not in ("", pid))
    assert machine.run(["systemctl", "restart", "qmail"], check=False).stderr == "Unit qmail.service not found.\n"
