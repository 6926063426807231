# SPDX-License-Identifier: GPL-2.0-or-later
"""What the qmail-remote of two kinds of qmail did, and what is decided from the answers of a real name server."""

import json
from collections.abc import Iterator
from typing import TypedDict

import pytest

from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import Server
from mxbackup.routing.qmail_remote import LATER, UNPATCHED, outcomes, parse_routes
from mxbackup.routing.verdict import Target, Verdict
from tests.nameserver import Knot, free_port
from tests.recorded import DATA

SELF = "127.0.0.1"
NOBODY = {Target("127.0.0.9", 25), Target(SELF, 2599)}
KINDS = {"notqmail-1.08": UNPATCHED, "notqmail-1.09": LATER}

Case = TypedDict("Case", {"smtproutes": list[str], "domain": str, "notqmail-1.08": str, "notqmail-1.09": str})
CASES: list[Case] = json.loads((DATA / "qmail-kinds-cases.json").read_text())["cases"]


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dns]:
    port = free_port()
    zone = (DATA / "qmail-kinds.zone").read_text()
    knot = Knot(tmp_path_factory.mktemp("knot") / "test", {"test": zone}, ("127.0.0.1",), port)
    yield Dns([Server("127.0.0.1", port)], port=port, timeout=5)
    knot.stop()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join([case["domain"], *case["smtproutes"]]))
def test_recorded(dns: Dns, case: Case, kind: str) -> None:
    verdict, _, detail = (case["notqmail-1.08"] if kind == "notqmail-1.08" else case["notqmail-1.09"]).partition(" ")
    routes = parse_routes("".join(f"{line}\n" for line in case["smtproutes"]).encode())
    found = outcomes(case["domain"], routes, dns.lookup, {SELF}, unreachable=NOBODY, qmail=KINDS[kind])
    assert len(found) == 1
    if verdict == "deliver":
        assert found[0].verdict == (Verdict.LOOP if detail == f"{SELF}:25" else Verdict.DELIVER)
        assert detail in map(str, found[0].to)
    else:
        assert f"{found[0].verdict} {found[0].code}" == f"{verdict} {detail}"
