# SPDX-License-Identifier: GPL-2.0-or-later
"""`mxbackup apply` on a host with qmail and without e-smith."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup import rules
from mxbackup.errors import DatabaseMissing, HostError
from mxbackup.service import applying, changing
from mxbackup.targets import block
from mxbackup.targets.block import BEGIN, END
from tests.conftest import Outcome
from tests.heldmail import empty_queue
from tests.scratch import Scratch, letter_to_owner

CONTROL = "/var/qmail/control"
MISSING = (
    f"{CONTROL}/rcpthosts is missing: qmail accepts the mail of the whole world then (open relay). "
    "To make it of the names in me, locals and virtualdomains: mxbackup apply --create"
)
BLOCK = f"{BEGIN}\ndupontnet.com\n.dupontnet.com\n{END}\n"
CONTROL_TEXTS = st.lists(
    st.sampled_from(["durantcom.net", ".durantcom.net", "# END", "#BEGIN mxbackup", "", " x", "a\r", "é", "\0", "\x0b"])
).map("\n".join)


def plain_qmail(root: Path) -> Scratch:
    scratch = Scratch(root)
    scratch.write(f"{CONTROL}/me", "mail.durantcom.net\n")
    scratch.write(f"{CONTROL}/locals", "durantcom.net\nmail.durantcom.net\n")
    scratch.write(f"{CONTROL}/rcpthosts", "durantcom.net\n")
    empty_queue(scratch.path("/var/qmail/queue"), split=1)
    return scratch


@pytest.fixture
def server(tmp_path: Path) -> Scratch:
    return plain_qmail(tmp_path / "host")


def controls(server: Scratch) -> dict[str, str]:
    found = sorted(path for path in server.path(CONTROL).iterdir() if path.suffix != ".cdb")
    return {path.name: path.read_text() for path in found}


def test_before_the_first_rule_there_is_none(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    assert mxbackup("list") == (0, "No rule yet. Make one: mxbackup add example.com\n", "")
    _, out, errors = mxbackup("status")
    assert (out.splitlines()[1], errors) == ("Rules: 0 for domains, 0 for hosts, 0 invalid.", "")
    assert mxbackup("check") == (0, "Rules checked: 0; with errors: 0; with warnings: 0; fine: 0.\n", "")


def test_a_rule_waits_for_apply(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    assert mxbackup("add", "dupontnet.com") == (
        0,
        f"Added dupontnet.com (Domain). To put it into force: mxbackup apply\n{letter_to_owner('dupontnet.com')}",
        "",
    )
    assert server.read("/etc/mxbackup/domains").splitlines()[-1] == "dupontnet.com=mxbackup|Kind|domain"
    assert controls(server)["rcpthosts"] == "durantcom.net\n"
    status, out, _ = mxbackup("status")
    assert (status, out.splitlines()[3:6]) == (
        1,
        [
            "smtproutes: not on this host",
            "morercpthosts: not on this host",
            f"rcpthosts: {CONTROL}/rcpthosts is out of date. Run: mxbackup apply",
        ],
    )


def test_apply_writes_the_block_once(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    mxbackup("add", "dupontnet.com")
    assert mxbackup("apply") == (0, f"changed {CONTROL}/rcpthosts\n", "")
    assert controls(server)["rcpthosts"] == f"durantcom.net\n{BLOCK}"
    before = server.path(f"{CONTROL}/rcpthosts").stat()
    assert mxbackup("apply") == (0, "Nothing to do: the files are up to date.\n", "")
    assert server.path(f"{CONTROL}/rcpthosts").stat().st_ino == before.st_ino
    assert mxbackup("status")[0] == 0


def test_removing_all_rules_leaves_the_file_as_it_was(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    before = controls(server)
    mxbackup("add", "dupontnet.com")
    mxbackup("apply")
    mxbackup("remove", "dupontnet.com")
    mxbackup("apply")
    assert controls(server) == before


def test_disabled_there_is_no_block(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    before = controls(server)
    mxbackup("add", "dupontnet.com", "--route", "192.0.2.1")
    mxbackup("disable")
    assert mxbackup("apply") == (0, "Nothing to do: the files are up to date.\n", "")
    assert controls(server) == before


def test_before_an_erase_the_block_goes_and_the_rule_stays(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    mxbackup("add", "dupontnet.com", "--route", "192.0.2.1")
    mxbackup("apply")
    assert mxbackup("apply", "--leave") == (
        0,
        f"changed {CONTROL}/smtproutes\nchanged {CONTROL}/rcpthosts\nNo new mail is accepted for the rules, which "
        "stay recorded. Messages that wait and keep their way: 0.\n",
        "",
    )
    assert BEGIN not in server.read(f"{CONTROL}/rcpthosts") + server.read(f"{CONTROL}/smtproutes")
    mxbackup("apply")
    assert BLOCK in server.read(f"{CONTROL}/rcpthosts")


def test_a_dry_run_is_a_diff(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.write(f"{CONTROL}/rcpthosts", "durantcom.net")
    mxbackup("add", "dupontnet.com", "--kind", "host", "--route", "192.0.2.1:26")
    before = controls(server)
    assert mxbackup("apply", "--dry-run")[:2] == (
        0,
        f"--- /dev/null\n+++ {CONTROL}/smtproutes\n@@ -0,0 +1,3 @@\n"
        f"+{BEGIN}\n+dupontnet.com:[192.0.2.1]:26\n+{END}\n"
        f"--- {CONTROL}/rcpthosts\n+++ {CONTROL}/rcpthosts\n@@ -1 +1,4 @@\n"
        f"-durantcom.net\n\\ No newline at end of file\n+durantcom.net\n+{BEGIN}\n+dupontnet.com\n+{END}\n",
    )
    assert controls(server) == before


def test_the_smart_host_of_smtproutes_is_gone_around(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.write(f"{CONTROL}/smtproutes", "# all else\n:smtp.provider.net:587\n")
    mxbackup("add", "dupontnet.com")
    mxbackup("apply")
    assert controls(server)["smtproutes"] == (
        f"# all else\n:smtp.provider.net:587\n{BEGIN}\ndupontnet.com:\n.dupontnet.com:\n{END}\n"
    )


@pytest.mark.parametrize(
    ("control", "name"),
    [
        ("locals", "durantcom.net"),
        ("locals", "mail.durantcom.net"),
        ("virtualdomains", "virtual.example.com"),
        ("virtualdomains", "www.example.net"),
    ],
)
def test_a_name_that_qmail_delivers_itself_is_refused(
    control: str, name: str, server: Scratch, mxbackup: Callable[..., Outcome]
) -> None:
    server.write(f"{CONTROL}/virtualdomains", "virtual.example.com:alias\n.example.net:x\njo@a.com:jo\n")
    status, _, err = mxbackup("add", name)
    assert (status, "is a local domain of this server" in err) == (2, True), control


@pytest.mark.parametrize("name", ["mail.durantcom.net", "example.net", "exc.example.net", "a.com"])
def test_a_name_that_qmail_does_not_deliver_itself_is_taken(
    name: str, server: Scratch, mxbackup: Callable[..., Outcome]
) -> None:
    server.write(f"{CONTROL}/locals", "durantcom.net\n")
    server.write(f"{CONTROL}/virtualdomains", ".example.net:x\nexc.example.net:\njo@a.com:jo\n")
    assert mxbackup("add", name)[0] == 0


def test_a_rule_that_virtualdomains_takes_is_left_out_and_told(
    server: Scratch, mxbackup: Callable[..., Outcome]
) -> None:
    mxbackup("add", "www.example.net")
    mxbackup("add", "exc.example.net")
    mxbackup("apply")
    server.write(f"{CONTROL}/virtualdomains", ".example.net:x\nexc.example.net:\n")
    status, out, _ = mxbackup("status")
    assert status == 1
    assert out.splitlines()[1:4] == [
        "Rules: 1 for domains, 0 for hosts, 1 invalid.",
        "No rule has been checked yet. To check them: mxbackup check",
        'Left out, the record www.example.net is no rule: "www.example.net" is a local domain of this server: it '
        'delivers that mail itself because of the line ".example.net:x" in virtualdomains. Take the line out, or add '
        'the exception "www.example.net:". To remove it: mxbackup remove www.example.net',
    ]


def test_a_missing_rcpthosts_is_made_of_virtualdomains_too(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    virtual = "virtual.test:alias\n.below.test:alias\nexc.below.test:\njo@address.test:jo\nfriend.test:\n:catch-all\n"
    server.write(f"{CONTROL}/virtualdomains", virtual)
    mxbackup("add", "friend.test")
    server.path(f"{CONTROL}/rcpthosts").unlink()
    mxbackup("apply", "--create")
    assert controls(server)["rcpthosts"].startswith(
        "mail.durantcom.net\ndurantcom.net\nvirtual.test\n.below.test\naddress.test\n"
    )
    assert "exc.below.test" not in controls(server)["rcpthosts"]


def many_rules(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    source = server.write("/list", "".join(f"d{number:02}.example.com\n" for number in range(52)))
    mxbackup("import", str(source))


@pytest.mark.parametrize("damage", ["emptied", "older", "gone", "no database", "with a strange name"])
def test_what_is_compiled_is_compared_whatever_its_date(
    damage: str, server: Scratch, mxbackup: Callable[..., Outcome]
) -> None:
    server.with_newmrh()
    server.write(f"{CONTROL}/morercpthosts", "Much.example.net\n")
    source = server.path(f"{CONTROL}/morercpthosts")
    compiled = server.path(f"{CONTROL}/morercpthosts.cdb")
    server.host.run_newmrh()
    older = compiled.read_bytes()
    many_rules(server, mxbackup)
    mxbackup("apply")
    assert mxbackup("status")[0] == 0
    whole, text = compiled.read_bytes(), source.read_bytes()
    if damage == "gone":
        compiled.unlink()
    elif damage == "with a strange name":
        source.write_bytes(text + b"stranger.test\n")
        server.host.run_newmrh()
        source.write_bytes(text)
    else:
        compiled.write_bytes({"emptied": b"", "older": older, "no database": b"x" * 3000}[damage])
    status, out, _ = mxbackup("status")
    path = f"{CONTROL}/morercpthosts"
    if damage in ("emptied", "no database"):
        told = f"{path}.cdb is damaged, and qmail takes no names from it. Compile it again: /var/qmail/bin/qmail-newmrh"
    else:
        told = f"{path} is out of date. Run: mxbackup apply"
    assert (status, f"morercpthosts: {told}" in out.splitlines()) == (1, True)
    assert mxbackup("apply", "--dry-run") == (0, f"{path} is not compiled as it stands\n", "")
    assert mxbackup("apply") == (0, f"compiled {path}\n", "")
    assert compiled.read_bytes() == whole
    assert mxbackup("status")[0] == 0


def test_names_that_stand_in_no_source_are_told(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.with_newmrh()
    server.write(f"{CONTROL}/morercpthosts", "much.example.net\n")
    server.host.run_newmrh()
    server.path(f"{CONTROL}/morercpthosts").unlink()
    mxbackup("add", "dupontnet.com")
    assert mxbackup("apply")[0] == 0
    status, out, _ = mxbackup("status")
    assert status == 1
    assert (
        f"warning: {CONTROL}/morercpthosts.cdb: It accepts names that stand in no morercpthosts (1, the first is "
        f"much.example.net). Write them there, or remove it: rm {CONTROL}/morercpthosts.cdb\n"
    ) in out


@pytest.mark.parametrize("sign", ["/etc/qpsmtpd/plugins", "/usr/share/qpsmtpd/plugins/rcpt_ok"])
def test_where_qpsmtpd_is_all_rules_are_in_rcpthosts(
    sign: str, server: Scratch, mxbackup: Callable[..., Outcome]
) -> None:
    server.with_newmrh()
    many_rules(server, mxbackup)
    mxbackup("apply")
    assert controls(server)["rcpthosts"].count(".example.com\n") == 100
    server.write(sign)
    status, out, _ = mxbackup("status")
    assert (status, f"rcpthosts: {CONTROL}/rcpthosts is out of date. Run: mxbackup apply\n" in out) == (1, True)
    assert mxbackup("apply")[1] == f"changed {CONTROL}/rcpthosts\nchanged {CONTROL}/morercpthosts\n"
    assert controls(server)["rcpthosts"].count(".example.com\n") == 104
    assert (controls(server)["morercpthosts"], server.compiled()) == ("", "")
    assert mxbackup("status")[0] == 0


def test_a_missing_rcpthosts_is_an_error_and_is_made_on_demand(
    server: Scratch, mxbackup: Callable[..., Outcome]
) -> None:
    mxbackup("add", "dupontnet.com", "--route", "192.0.2.1")
    server.path(f"{CONTROL}/rcpthosts").unlink()
    before = controls(server)
    assert mxbackup("apply") == (3, "", f"mxbackup: {MISSING}\n")
    assert f"rcpthosts: {MISSING}\n" in mxbackup("status")[1]
    assert controls(server) == before
    assert mxbackup("apply", "--create")[1] == f"created {CONTROL}/smtproutes\ncreated {CONTROL}/rcpthosts\n"
    assert controls(server)["rcpthosts"] == f"mail.durantcom.net\ndurantcom.net\n{BLOCK}"


def test_a_dangling_link_is_as_bad_as_no_rcpthosts(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    mxbackup("add", "dupontnet.com")
    server.path(f"{CONTROL}/rcpthosts").unlink()
    server.path(f"{CONTROL}/rcpthosts").symlink_to("/nowhere/rcpthosts")
    assert mxbackup("apply") == (3, "", f"mxbackup: {MISSING}\n")


def test_without_a_database_nothing_is_taken_out(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    mxbackup("add", "dupontnet.com")
    mxbackup("apply")
    server.path("/etc/mxbackup/domains").unlink()
    before = controls(server)
    path = server.path("/etc/mxbackup/domains")
    assert mxbackup("apply") == (
        3,
        "",
        f"mxbackup: There is no database {path}. The first rule makes it: mxbackup add example.com\n",
    )
    assert controls(server) == before


def test_many_rules_go_to_morercpthosts(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.with_newmrh()
    server.write(f"{CONTROL}/morercpthosts", "much.example.net\n")
    many_rules(server, mxbackup)
    assert mxbackup("apply")[1] == f"changed {CONTROL}/morercpthosts\nchanged {CONTROL}/rcpthosts\n"
    found = controls(server)
    assert found["morercpthosts"] == (
        f"much.example.net\n{BEGIN}\nd50.example.com\n.d50.example.com\nd51.example.com\n.d51.example.com\n{END}\n"
    )
    assert server.compiled() == (
        "much.example.net\nd50.example.com\n.d50.example.com\nd51.example.com\n.d51.example.com\n"
    )
    assert found["rcpthosts"].count("\n") == 1 + 2 + 100
    mxbackup("remove", "d00.example.com")
    mxbackup("remove", "d01.example.com")
    # Each rule that goes back is in rcpthosts before it leaves the other.
    assert mxbackup("apply")[1] == f"changed {CONTROL}/rcpthosts\nchanged {CONTROL}/morercpthosts\n"
    assert controls(server)["morercpthosts"] == server.compiled() == "much.example.net\n"


def test_without_qmail_newmrh_all_rules_are_in_rcpthosts(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    source = server.write("/list", "".join(f"d{number:02}.example.com\n" for number in range(52)))
    mxbackup("import", str(source))
    mxbackup("apply")
    assert controls(server)["rcpthosts"].count("\n") == 1 + 2 + 104
    assert "morercpthosts" not in controls(server)


def test_when_compiling_fails_the_source_is_what_is_compiled(server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    server.write(f"{CONTROL}/morercpthosts", "much.example.net\n")
    server.script("/var/qmail/bin/qmail-newmrh", "echo 'unable to write to morercpthosts.tmp' >&2; exit 111")
    source = server.write("/list", "".join(f"d{number:02}.example.com\n" for number in range(52)))
    mxbackup("import", str(source))
    before = controls(server)
    assert mxbackup("apply") == (
        3,
        "",
        "mxbackup: /var/qmail/bin/qmail-newmrh failed, and the names in /var/qmail/control/morercpthosts count as "
        "before: unable to write to morercpthosts.tmp\n",
    )
    assert controls(server) == before


def test_owner_and_mode_stay_and_new_files_can_be_read_by_qmail(
    server: Scratch, mxbackup: Callable[..., Outcome]
) -> None:
    path = server.path(f"{CONTROL}/rcpthosts")
    path.chmod(0o604)
    mxbackup("add", "dupontnet.com", "--route", "192.0.2.1")
    umask = os.umask(0o077)
    try:
        mxbackup("apply")
    finally:
        os.umask(umask)
    assert [oct(server.path(f"{CONTROL}/{name}").stat().st_mode)[-3:] for name in ("rcpthosts", "smtproutes")] == [
        "604",
        "604",
    ]


def test_expanding_does_the_same(server: Scratch) -> None:
    with pytest.raises(DatabaseMissing, match="The first rule makes it"):
        applying.expand(server.context)
    changing.add(server.context, rules.make("dupontnet.com", route="192.0.2.1"))
    applying.expand(server.context)
    assert server.read(f"{CONTROL}/rcpthosts") == f"durantcom.net\n{BLOCK}"
    assert not any(change.pending for change in applying.apply(server.context, dry_run=True))


def test_an_sme_server_is_not_edited(tmp_path: Path) -> None:
    host = plain_qmail(tmp_path / "sme")
    host.database("domains", "dupontnet.com=mxbackup|Kind|domain")
    with pytest.raises(HostError, match="expanded from templates"):
        applying.apply(host.context)


@pytest.mark.parametrize(
    "content",
    [f"{BEGIN}\n", f"{END}\n", f"{END}\n{BEGIN}\n", f"{BLOCK}{BLOCK}", f"{BEGIN}\n{BEGIN}\n{END}\n"],
)
def test_damaged_comments_stop_it(content: str, server: Scratch, mxbackup: Callable[..., Outcome]) -> None:
    mxbackup("add", "dupontnet.com")
    server.write(f"{CONTROL}/rcpthosts", content)
    status, _, err = mxbackup("apply")
    assert (status, err.startswith(f"mxbackup: {CONTROL}/rcpthosts was not changed: The lines ")) == (3, True)
    assert controls(server)["rcpthosts"] == content


@given(before=CONTROL_TEXTS, after=CONTROL_TEXTS, new=st.sampled_from([BLOCK, ""]))
def test_a_block_takes_the_place_of_the_old_one(before: str, after: str, new: str) -> None:
    before = f"{before}\n" if before else ""
    old = f"{BEGIN}\nold.example.com\n{END}\n"
    assert block.replace(before + old + after, new) == before + new + after


@given(content=st.binary() | CONTROL_TEXTS.map(str.encode), routes=st.binary() | st.none())
def test_apply_changes_nothing_outside_its_block(content: bytes, routes: bytes | None) -> None:
    with TemporaryDirectory() as directory:
        host = plain_qmail(Path(directory))
        host.write(f"{CONTROL}/rcpthosts", content)
        if routes is not None:
            host.write(f"{CONTROL}/smtproutes", routes)
        changing.add(host.context, rules.make("dupontnet.com", route="192.0.2.1"))
        applying.apply(host.context)
        written = host.path(f"{CONTROL}/rcpthosts").read_bytes()
        gap = b"\n" if content and not content.endswith(b"\n") else b""
        assert written == content + gap + BLOCK.encode()
        changing.remove(host.context, "dupontnet.com")
        applying.apply(host.context)
        assert host.path(f"{CONTROL}/rcpthosts").read_bytes() == content + gap
        if routes:
            assert host.path(f"{CONTROL}/smtproutes").read_bytes().removesuffix(b"\n") == routes.removesuffix(b"\n")
