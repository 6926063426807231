# SPDX-License-Identifier: GPL-2.0-or-later
"""What Obtuse smtpd does with a recipient, by smtpd_check_rules(5): Debian has no such smtpd."""

import re

LONGEST = 1024
RULE = re.compile(r"(allow|deny|noto|deny_delay|noto_delay|debug):([^:]*):([^:]*):([^:]*)(?::(.*))?\Z")


def answer(rules: str, source: str, sender: str, recipient: str) -> str:
    """Return the action of the first rule that matches; what no rule matches, or cannot be read, is `allow`."""
    for line in rules.split("\n"):
        if not line or line.startswith("#"):
            continue
        rule = RULE.match(line)
        if rule is None or len(line.encode()) > LONGEST:
            return "allow"
        action, *patterns, _message = rule.groups()
        matches = zip(patterns, (source, sender, recipient), strict=True)
        if action != "debug" and all(_any(pattern, text) for pattern, text in matches):
            return action
    return "allow"


def _any(patterns: str, text: str) -> bool:
    return any(_matches(pattern, text) for pattern in re.split(r"[ ,\t]+", patterns) if pattern)


def _matches(pattern: str, text: str) -> bool:
    """ALL, a glob against the whole address, or one on each side of the last @."""
    if pattern == "ALL":
        return True
    if "@" not in pattern:
        return _glob(pattern, text)
    (user, host), (of_user, of_host) = pattern.rsplit("@", 1), ["", *text.rsplit("@", 1)][-2:]
    return _glob(user, of_user) and _glob(host, of_host)


def _glob(pattern: str, text: str) -> bool:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None
