# SPDX-License-Identifier: GPL-2.0-or-later
"""Recognise by its content what a text to be imported is, and read it."""

import re
from collections.abc import Iterable
from enum import StrEnum

from mxbackup.errors import InvalidInput
from mxbackup.transfer.entries import Entry, Reading, lines_of
from mxbackup.transfer.formats import controlfiles, oldcontrib


class Form(StrEnum):
    """The forms a text can have."""

    LIST = "list"
    QMAIL = "qmail"
    CHECK_RULES = "smtpd_check_rules"
    CSV = "csv"
    JSON = "json"
    OLD_CONTRIB = "old-contrib"


# Files whose lines alone do not tell that `dom` is only that name there.
QMAIL_FILES = frozenset({"rcpthosts", "morercpthosts", "smtproutes", "20QandD"})


# What no text holds: the control characters of ASCII besides those that move to a new line, column or page.
_CONTROL = re.compile(rb"[\0-\x08\x0b\x0e-\x1f\x7f]")


def decode(content: bytes, path: str) -> str:
    """Return the text of a file: UTF-8, or the ISO-8859-1 of an SME Server before April 2008.

    Raises InvalidInput, which names the `path`, when it is no text.
    """
    if _CONTROL.search(content):
        raise InvalidInput("{path} is not text.", path=path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("iso-8859-1")


def recognise(text: str, file_name: str = "") -> Form:
    """Return the form of a text. `file_name`, without directories, decides only where the content cannot."""
    if text.lstrip().startswith(("{", "[")):
        return Form.JSON
    lines = [line for _, line in lines_of(text)]
    if any(line.startswith(oldcontrib.RECORD) for line in lines):
        return Form.OLD_CONTRIB
    if any(controlfiles.CHECK_RULE.match(line) for line in lines):
        return Form.CHECK_RULES
    if lines and re.search(r"[,;]", lines[0]):
        return Form.CSV
    if file_name in QMAIL_FILES or any(line.startswith(".") or ":" in line for line in lines):
        return Form.QMAIL
    return Form.LIST if not lines or lines[0].lower() != "name" else Form.CSV


def read(text: str, form: Form) -> Reading:
    """Return what the text says. Raises InvalidInput when it is not of that form at all."""
    if form in (Form.JSON, Form.CSV):
        from mxbackup.transfer.formats import (
            tables,  # of no use at the expansion of a template, which loads this module too
        )

        return tables.read_json(text) if form == Form.JSON else tables.read_csv(text)
    lines = lines_of(text)
    if form == Form.QMAIL:
        return controlfiles.read_qmail(lines)
    if form == Form.CHECK_RULES:
        return controlfiles.read_check_rules(lines)
    return oldcontrib.read(text) if form == Form.OLD_CONTRIB else _read_list(lines)


def _read_list(lines: Iterable[tuple[int, str]]) -> Reading:
    """One domain a line, as in the `/etc/MXBackupDomains` of SME 5."""
    reading = Reading()
    for number, line in lines:
        name = reading.name(number, line)
        if name is not None:
            reading.entries.append(Entry(number, name))
    return reading


def form(word: str) -> Form:
    """Return the form of that name. Raises InvalidInput."""
    try:
        return Form(word)
    except ValueError:
        raise InvalidInput('The form "{word}" is unknown. Forms: {known}.', word=word, known=", ".join(Form)) from None
