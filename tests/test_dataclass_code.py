# SPDX-License-Identifier: GPL-2.0-or-later
"""Methods of dataclasses that were compiled when the package was built are those that dataclasses writes."""

import subprocess
import sys

import pytest

from mxbackup import rules
from mxbackup.errors import Message
from mxbackup.service.applying import Expansion
from tests.scratch import PACKAGE

TOOL = PACKAGE.parent / "tools/dataclass_code.py"
# Starts as mxbackup does, with $MODULE if any; prints what dataclasses compiled, then what values say and do.
EVENT = """
import os, sys, types
from mxbackup import __main__ as start
if text := os.environ["MODULE"]:
    sys.modules["mxbackup.dataclass_code"] = module = types.ModuleType("mxbackup.dataclass_code")
    exec(text, module.__dict__)
compiled = []
def note(event, given):
    if event == "compile" and "__create_fn__" in str(given[0]):
        compiled.append(given)
sys.addaudithook(note)
start._take_compiled_dataclasses()
from dataclasses import FrozenInstanceError, replace
from mxbackup.hooks import actions
from mxbackup.hosts import esmith
from mxbackup import rules
from mxbackup.errors import Message
from mxbackup.service.applying import Expansion
print(bool(compiled))
one = rules.make("example.org", description="x")
print(one, one == replace(one), hash(one) == hash(replace(one)), one == replace(one, description="y"))
print(repr(Message("{a}", a=1)), Expansion([], left_out=[]))
try:
    one.description = "z"
except FrozenInstanceError as error:
    print(error)
"""


def said(module: str) -> list[str]:
    """Lines of a process that takes its methods from this module."""
    environment = {"PYTHONPATH": str(PACKAGE), "MODULE": module}
    command = [sys.executable, "-c", EVENT]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture(scope="module")
def module() -> str:
    return subprocess.run(
        [sys.executable, TOOL], env={"PYTHONPATH": str(PACKAGE)}, capture_output=True, text=True, check=True
    ).stdout


def test_an_event_compiles_none_and_has_the_same_values(module: str) -> None:
    rule = rules.make("example.org", description="x")
    values = [
        f"{rule} True True False",
        f"{Message('{a}', a=1)!r} {Expansion([], left_out=[])}",
        "cannot assign to field 'description'",
    ]
    assert said(module) == ["False", *values]
    assert said("") == ["True", *values]
    assert said("CODE = {}") == ["True", *values]
