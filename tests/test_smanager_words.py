# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page in the new manager says, and the lexicons it reads that from, which Perl itself reads here."""

import gettext
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mxbackup.words import lexicon

TOP = Path(__file__).parents[1]
SMANAGER = TOP / "root/usr/share/smanager"
CONTROLLER = SMANAGER / "lib/SrvMngr/Controller/Mxbackup.pm"
TEMPLATE = SMANAGER / "themes/default/templates/mxbackup.html.ep"
# As locales2-conf and Locale::Maketext do: the lines are a list, and maketext finds the text of a key in it.
READ = """
package Page; use parent 'Locale::Maketext';
package Page::fr; our @ISA = 'Page'; our %Lexicon = eval 'use utf8; (' . do { local $/; <STDIN> } . ')'; die $@ if $@;
package main; binmode STDOUT, ':utf8'; my $page = Page->get_handle('fr');
print "$_\\t", $page->maketext($_), "\\n" for grep { /^[^_]/ } sort keys %Page::fr::Lexicon;
"""


@pytest.fixture(scope="module")
def finish_install() -> dict[str, Any]:
    return runpy.run_path(str(TOP / "tools/finish-install"))


def read_by_perl(text: str) -> dict[str, str]:
    done = subprocess.run(
        ["perl", "-w", "-CI", "-e", READ], input=text, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stderr == ""
    return dict(line.split("\t") for line in done.stdout.splitlines())


def test_the_page_says_what_the_lexicons_hold(finish_install: dict[str, Any]) -> None:
    code = CONTROLLER.read_text() + TEMPLATE.read_text()
    said = re.findall(r"^# description : (.*)$", code, re.MULTILINE) + re.findall(r"\bl\('([^']*)'\)", code)
    assert said == list(finish_install["SMANAGER_PAGE"])


@pytest.mark.parametrize("language", ["en-us", "fr", "de"])
def test_perl_reads_the_lexicon(language: str, finish_install: dict[str, Any]) -> None:
    words = lexicon.load(language)
    found = read_by_perl(finish_install["smanager_lexicon"](words.catalogue))
    assert found == {key: words.text(key) for key in finish_install["SMANAGER_PAGE"]}


def test_no_text_means_anything_else_to_perl_or_maketext(finish_install: dict[str, Any]) -> None:
    class Hostile(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return r"l'été [_1] ~ ] $x @y"

    assert set(read_by_perl(finish_install["smanager_lexicon"](Hostile())).values()) == {r"l'été [_1] ~ ] $x @y"}


def test_the_menu_can_read_the_lexicons(finish_install: dict[str, Any]) -> None:
    """A line is parted where " => " stands, apostrophes are dropped, and the section is the manager's own word."""
    for language in ("en-us", "fr", "de"):
        lines = finish_install["smanager_lexicon"](lexicon.load(language).catalogue).splitlines()
        assert all(line.count(" => ") == 1 for line in lines)
        assert "'" not in lexicon.load(language).text("MX-Backup")
        assert not [line for line in lines if line.lower().startswith("'system'")]
