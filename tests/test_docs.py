# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written for people: the manual builds, no link is dead, and the commands it shows are those there are."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest
from babel.messages.pofile import read_po

from mxbackup import cli

TOP = Path(__file__).parents[1]
MANUAL = TOP / "docs/manual"
READ_HERE = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
WITH_COMMANDS = [TOP / "README.md", TOP / "LISEZMOI.md", *TOP.glob("docs/servers*.md"), *MANUAL.rglob("*.md")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual as make manual builds it."""
    made = tmp_path_factory.mktemp("manual")
    command: list[str | Path] = ["/usr/bin/mkdocs", "build", "--strict", "--quiet", "--site-dir", made]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return made


class Links(HTMLParser):
    """What a page links to, what it loads, and the anchors it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.language = ""
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "html":
            self.language = found["lang"] or ""
        self.anchors |= {value for key, value in attrs if key == "id" and value}
        target = found.get("href") or found.get("src") or ""
        (self.links if tag == "a" else self.loaded).extend([target] if target else [])


@cache
def parsed(page: Path) -> Links:
    return Links(page.read_text())


def test_every_page_of_the_manual_is_there_in_both_languages() -> None:
    assert {page.name for page in (MANUAL / "en").iterdir()} == {page.name for page in (MANUAL / "fr").iterdir()}


def test_no_link_in_the_manual_is_dead(site: Path) -> None:
    dead = []
    for page in site.rglob("*.html"):
        for link in [*parsed(page).links, *parsed(page).loaded]:
            to = urlsplit(link)
            if to.scheme:
                continue
            target = Path(os.path.normpath(page.parent / unquote(to.path))) if to.path else page
            if not target.is_file() or (to.fragment and to.fragment not in parsed(target).anchors):
                dead.append(f"{page.relative_to(site)}: {link}")
    assert dead == []


def test_the_manual_asks_nothing_of_the_network(site: Path) -> None:
    assert not [link for page in site.rglob("*.html") for link in parsed(page).loaded if urlsplit(link).netloc]


def test_a_page_is_sound(site: Path) -> None:
    proprietary = ("--warn-proprietary-attributes", "no")  # older than aria-current
    command: list[str | Path] = ["tidy", "-quiet", "-errors", *proprietary, *sorted(site.rglob("*.html"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_says_its_language(site: Path) -> None:
    assert parsed(site / "manual/en/index.html").language == "en"
    assert parsed(site / "manual/fr/index.html").language == "fr"
    assert parsed(site / "servers.fr.html").language == "fr"


def slug(heading: str) -> str:
    """The anchor of a heading on a code host."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_no_link_in_what_is_read_in_the_repository_is_dead() -> None:
    dead = []
    for page in READ_HERE:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if urlsplit(link).scheme:
                continue
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE) if anchor and target.is_file() else []
            if not target.exists() or (anchor and anchor not in map(slug, headings)):
                dead.append(f"{page.relative_to(TOP)}: {link}")
    assert dead == []


def shown(page: Path) -> Iterator[tuple[str, bool]]:
    """Yield each command of ours that a page shows, and whether it is whole: a sentence may only name it."""
    text = page.read_text()
    blocks = re.findall(r"^ {4}(.*)", text, re.MULTILINE)
    written = [part for line in blocks for part in re.split(r"\s&&\s|\s\|\s", re.sub(r"(?:^|\s)#\s.*", "", line))]
    named = re.findall(r"`([^`\n]+)`", text)
    for command, whole in [*((one, True) for one in written), *((one, False) for one in named)]:
        if called := re.match(r"(?:[\d*]+ .*\* )?(?:\S*/)?mxbackup (?=[a-z-])(.*)", command):
            yield called[1].rstrip(), whole


def parse(arguments: list[str], whole: bool = True) -> None:
    """Raises click.UsageError unless the arguments are those of a command that there is; a whole one lacks nothing."""
    command: click.Command = cli.mxbackup
    context = click.Context(command, info_name="mxbackup")
    while isinstance(command, click.Group):
        parameters, arguments, _ = command.make_parser(context).parse_args(arguments)
        if parameters or not arguments:
            return
        _, found, arguments = command.resolve_command(context, arguments)
        assert found
        command, context = found, click.Context(found, parent=context, info_name=found.name)
    if "--help" in arguments:
        return
    parameters, _, _ = command.make_parser(context).parse_args(arguments)
    for param in command.params:
        value = parameters.get(param.name or "")
        if isinstance(value, str) and not isinstance(param.type, click.File | click.Path):
            param.type.convert(value, param, context)
        if whole and param.required and param.value_is_missing(value):
            raise click.MissingParameter(ctx=context, param=param)


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: str(page.relative_to(TOP)))
def test_the_commands_it_shows_are_those_there_are(page: Path) -> None:
    for command, whole in shown(page):
        arguments = shlex.split(command.partition(" > ")[0])
        if arguments[0] != "action":  # not for people, but one that mends
            try:
                parse(arguments, whole)
            except click.UsageError as error:
                pytest.fail(f"mxbackup {command}: {error.format_message()}")


def test_commands_are_found_and_wrong_ones_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`mxbackup status`\n\n    mxbackup add a.fr && mxbackup list   # mxbackup x\n    cat x | mxbackup import -\n"
    )
    assert [*shown(page)] == [("add a.fr", True), ("list", True), ("import -", True), ("status", False)]
    for wrong in ("vanish a.fr", "add", "audit a.fr --limit forever", "list --colour"):
        with pytest.raises(click.UsageError):
            parse(wrong.split())


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_button_that_the_manual_names_is_called_so(language: str) -> None:
    """Bold is what the panel says."""
    with (TOP / "python/mxbackup/locale/fr/LC_MESSAGES/mxbackup.po").open("rb") as file:
        words = {message.id if language == "en" else message.string for message in read_po(file)}
    bold = {text for page in (MANUAL / language).iterdir() for text in re.findall(r"\*\*(.+?)\*\*", page.read_text())}
    assert bold - words == set()
    assert len(bold) > 5
