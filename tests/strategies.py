# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and rules for property tests."""

from hypothesis import strategies as st

from mxbackup.rules import Kind, Rule, SmartHostUse
from mxbackup.rules.names import Name

_LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(lambda x: x[2:4] != "--")

NAMES = st.builds(lambda labels, tld: Name(".".join([*labels, "example", tld])),
                  st.lists(_LABELS, min_size=1, max_size=3), st.sampled_from(["com", "fr", "org"]))  # fmt: skip
ROUTES = st.sampled_from(["", "mail.dupontnet.com", "mail.dupontnet.com:26", "192.0.2.1", "[192.0.2.1]:26"])
_PRINTABLE = st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="|\\")
DESCRIPTIONS = st.lists(st.text(_PRINTABLE | st.sampled_from(",;\"'#=")), max_size=4).map(" ".join).map(str.strip)

RULES = st.builds(
    Rule,
    name=NAMES,
    kind=st.sampled_from(Kind),
    route=ROUTES,
    smarthost=st.sampled_from(SmartHostUse),
    description=DESCRIPTIONS,
    hold=st.none() | st.integers(1, 30),
    contact=st.sampled_from(["", "jean@dupontnet.com", "=1+1@dupontnet.com"]),
)
RULE_SETS = st.lists(RULES, unique_by=lambda rule: rule.name)
