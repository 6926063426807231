# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates that were translated when the package was built say what Jinja2 says."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxbackup
from mxbackup.errors import RenderError
from mxbackup.esmith.settings import Settings
from mxbackup.recipients.policies import NOTHING, table
from mxbackup.routing.entries import entries, keys
from mxbackup.rules import Kind, Rule, RuleSet
from mxbackup.rules.names import Name
from mxbackup.targets import templates
from mxbackup.targets.registry import ALL

TEMPLATES = sorted({target.template or target.name for target in ALL})
SOURCES = Path(mxbackup.__file__).parent / "templates"
FILLED_IN = [name for name in TEMPLATES if "{%" in (SOURCES / f"{name}.j2").read_text()]  # others hold no rule
RULES = st.builds(
    Rule,
    name=st.sampled_from(["dupontnet.com", "www.dupontnet.com", "martin.fr"]).map(Name),
    kind=st.sampled_from(Kind),
    route=st.sampled_from(["", "[192.0.2.1]:26"]),
)


def translated(name: str) -> Any:
    module: dict[str, Any] = {}
    exec(templates.translate(name), module)
    return module["root"]


def test_each_target_has_its_template() -> None:
    assert {path.stem for path in Path(mxbackup.__path__[0], "templates").glob("*.j2")} == set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
@given(st.lists(RULES, unique_by=lambda rule: rule.name))
def test_a_translated_template_says_the_same(name: str, held: list[Rule]) -> None:
    rules = RuleSet(held)
    routed = list(entries(rules, Settings(smarthost="smtp.provider.net")))
    values = {"rules": rules, "entries": routed, "keys": keys, "table": table(rules, NOTHING)}
    assert templates.run(translated(name), values) == templates.fill_in(name, **values)


@pytest.mark.parametrize("name", FILLED_IN)
def test_a_value_that_is_not_given_is_an_error_in_both(name: str) -> None:
    with pytest.raises(RenderError):
        templates.fill_in(name)
    with pytest.raises(LookupError):
        templates.run(translated(name), {})
