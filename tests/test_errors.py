# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors say what is wrong, keep the English sentence as the key of its translation, and know their field."""

import pytest

from mxbackup import errors
from mxbackup.errors import (
    DatabaseError,
    DatabaseMissing,
    InvalidInput,
    InvalidName,
    InvalidRule,
    Message,
    MxBackupError,
)


def test_the_sentence_is_filled_in_and_stays_the_key() -> None:
    error = MxBackupError('"{name}" has {count} faults.', name="a{b}", count=2)
    assert str(error) == '"a{b}" has 2 faults.'
    assert error.message == Message('"{name}" has {count} faults.', name="a{b}", count=2)


def test_an_error_can_say_another() -> None:
    assert str(MxBackupError("Not done: {reason}", reason=InvalidName("No name."))) == "Not done: No name."


def test_invalid_input_names_its_field() -> None:
    assert InvalidName("No name.").field == "name"
    assert InvalidRule("Route", "No route.").field == "Route"


@pytest.mark.parametrize(
    ("special", "general"),
    [(InvalidName, InvalidInput), (InvalidRule, InvalidInput), (DatabaseMissing, DatabaseError)],
)
def test_kinds_are_told_apart(special: type[MxBackupError], general: type[MxBackupError]) -> None:
    assert issubclass(special, general)


def test_all_have_one_base() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BaseException)]
    assert all(issubclass(kind, MxBackupError) for kind in kinds)
