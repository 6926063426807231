# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures for the tests that need an SME Server. Without root they fail."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.system.machine import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """SME 7 with the base package alone, shared by all tests: use names of your own and leave no mark."""
    machine = Sandbox("base")
    machine.run(["true"])
    yield machine
    machine.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    """SME 7 with the contrib, for one module of tests."""
    machine = Sandbox("server")
    machine.install("smeserver-mxbackup-utf8")
    yield machine
    machine.stop()


@pytest.fixture
def new_sandbox(request: pytest.FixtureRequest) -> Callable[..., Sandbox]:
    """Make sandboxes for this test alone: `new_sandbox(profile="sme7", binds=())`."""
    made: list[Sandbox] = []

    def make(profile: str = "sme7", binds: Sequence[Path] = ()) -> Sandbox:
        machine = Sandbox(f"test{len(made)}", profile, binds)
        request.addfinalizer(machine.stop)
        made.append(machine)
        machine.run(["true"])
        return machine

    return make
