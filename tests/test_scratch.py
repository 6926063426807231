# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard that keeps tests off a real server."""

from pathlib import Path

import pytest


def test_a_test_that_reaches_for_the_real_server_fails(real_server_untouched: list[str]) -> None:
    with pytest.raises(AssertionError):
        Path("/home/e-smith/db/domains").read_text()
    with pytest.raises(AssertionError):
        Path("/home/e-smith").mkdir()
    assert real_server_untouched == ["open /home/e-smith/db/domains", "os.mkdir /home/e-smith"]
    real_server_untouched.clear()
