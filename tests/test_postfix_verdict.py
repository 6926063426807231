# SPDX-License-Identifier: GPL-2.0-or-later
"""What is decided for random zones, tables and parameters, and what Debian's real Postfix did with mail.

MXBACKUP_CASES=5000 tries as many cases, others each time; MXBACKUP_SEED with what it printed tries the same again.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from mxbackup.hosts import sending
from mxbackup.lookup.nameservers import Dns
from mxbackup.lookup.query import Server
from mxbackup.routing.postfix.delivery import Attempt, outcomes
from mxbackup.routing.postfix.hosts import Finder, type_of
from mxbackup.routing.postfix.parameters import Postfix
from mxbackup.routing.postfix.transport import MAILBOX, resolve, site_of
from mxbackup.routing.postfix.trying import Servers
from mxbackup.routing.verdict import Target
from tests import realpostfix
from tests.nameserver import Knot, free_port
from tests.postfixhost import plain_postfix
from tests.realpostfix import OWN, PUBLIC, SINKS, Order, Sent, World

CASES = int(os.environ.get("MXBACKUP_CASES", "640"))
PER_WORLD = 80
SEED = int(os.environ.get("MXBACKUP_SEED", random.randrange(10**9) if "MXBACKUP_CASES" in os.environ else 5321))
REACHED = frozenset(Target(*sink) for sink in SINKS) | {Target(address, 25) for address in (*OWN, *PUBLIC, "0.0.0.0")}
SOA = "@ SOA ns h 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n"
HOSTS = {
    "self": ["A 127.0.0.1"],
    "self6": ["AAAA ::1"],
    "selfboth": ["A 127.0.0.1", "AAAA ::1"],
    "nat": ["A 192.0.2.1"],
    "nat6": ["AAAA 2001:db8::1"],
    "proxy": ["A 192.0.2.7"],
    "prim": ["A 127.0.0.2"],
    "prim6": ["AAAA 2001:db8::2"],
    "primboth": ["A 127.0.0.2", "AAAA 2001:db8::2"],
    "second": ["A 127.0.0.3"],
    "dead": ["A 127.0.0.9"],
    "dead6": ["AAAA 2001:db8::9"],
    "mixed": ["A 127.0.0.2", "A 127.0.0.9"],
    "selfmixed": ["A 127.0.0.2", "A 127.0.0.1"],
    "dead4s": [f"A 127.0.1.{number}" for number in range(4)],
    "dead6s": [f"AAAA 2001:db8::a{number}" for number in range(5)],
    "any": ["A 0.0.0.0"],
    "alias": ["CNAME prim"],
    "aliasself": ["CNAME self"],
    "aliasalias": ["CNAME alias"],
    "aliasout": ["CNAME h.elsewhere.example."],
    "aliasnot": ["CNAME nosuch"],
    "circle": ["CNAME circle2"],
    "circle2": ["CNAME circle"],
    "text": ["TXT x"],
    "star.wild": ["A 127.0.0.3"],
    "under_score": ["A 127.0.0.2"],
    "a\\032b": ["A 127.0.0.2"],
}
OTHERS = ["nosuch", "h.elsewhere.example.", "h.broken.", "127.0.0.2.", "127.0.0.1.", "127.0.0.9.", "a\\032b", "1.2."]
TARGETS = ["self", "prim", "dead", *HOSTS, *OTHERS, "self", "prim", "prim6", "nat", "self6"]
PREFERENCES = [0, 5, 10, 10, 10, 20, 30, 40000, 65535]
DESTINATIONS = [
    "[prim.test]", "prim.test", "[127.0.0.2]", "[127.0.0.2]:26", "127.0.0.2", "[prim.test]:26", "prim.test:26",
    "[ipv6:2001:db8::2]", "[IPv6:2001:db8::2]:26", "[self.test]", "self.test", "[127.0.0.1]", "[127.0.0.1]:26",
    "[ipv6:::1]", "[nat.test]", "[192.0.2.1]", "[nosuch.test]", "nosuch.test", "[dead.test]", "[dead.test]:26",
    "[h.elsewhere.example]", "h.elsewhere.example", "[h.broken]", "[mixed.test]", "mixed.test:smtp", "[alias.test]",
    "[dead.test], [prim.test]", "[nosuch.test] [prim.test]", "[self.test], [prim.test]", "[proxy.test]", "[any.test]",
    "[listed.test]", "listed.test", "[127.0.0.2]:", "[text.test]", "[aliasnot.test]", "[prim6.test]:26",
    "[nat.test], [prim.test]", "[2001:db8::2]", "[0x7f.0.0.2]",
]  # fmt: skip
FATAL = [",", "[prim.test", "[prim.test]x", "prim.test:no-such-port", "[ipv6:127.0.0.1]", "[prim.test]:0", "[127.1]",
         "[prim.test]:65536", "-x.test", "pr im.test:0", "[1.2]:26"]  # fmt: skip
SERVICES = ["smtp", "smtp", "", "relay", "error", "retry", "discard"]
REASONS = ["", "5.7.1 no", "4.2.1 later", "no reason", "2.0.0 fine", "5.7.1x no"]
VERDICTS = {"sent": "deliver", "deferred": "defer", "SOFTBOUNCE": "defer", "bounced": "bounce", "discarded": "local"}


class Dead:
    """The targets that accept no connection."""

    def __contains__(self, target: object) -> bool:
        return target not in REACHED


def records(dice: random.Random, others: list[str]) -> list[str]:
    """The records of a name."""
    match dice.randrange(12):
        case 0:
            return [record for host in dice.sample(sorted(HOSTS), 2) for record in HOSTS[host] if "A " in record]
        case 1:
            return [f"CNAME {dice.choice([*TARGETS, *others])}"]
        case 2:
            return ["MX 0 ."] + [f"MX 10 {dice.choice(TARGETS)}"] * dice.randrange(2)
        case 3:
            return HOSTS[dice.choice(["text", "dead6", "prim6", "primboth", "selfmixed", "any", "self6"])]
        case 4:
            return []
        case _:
            chosen = (dice.choice(TARGETS) for _ in range(dice.choice([1, 1, 2, 2, 2, 3, 3, 4, 6])))
            return sorted({f"MX {dice.choice(PREFERENCES)} {host}" for host in chosen})


def table(dice: random.Random, names: list[str]) -> dict[str, str]:
    """A transport table; each fatal destination has a service of its own."""
    found: dict[str, str] = {}
    for name in dice.sample(names, len(names) // 3):
        key = dice.choice(
            [name, name, f"{MAILBOX}@{name}", f".{name}", f".{name.partition('.')[2]}", name.partition(".")[2]]
        )
        service = dice.choice(SERVICES)
        found[key] = f"{service}:{dice.choice(REASONS if service in ('error', 'retry') else ['', *DESTINATIONS])}"
    found = {key: value for key, value in found.items() if key.strip(".") not in ("", "test", "example", "broken")}
    for number, name in enumerate(dice.sample(names, 4)):
        found[name] = f"once{number}:{dice.choice(FATAL)}"
    wide = {"*": ["smtp:", ":", "smtp:[prim.test]", "relay:", ":[dead.test]"], ".test": ["smtp:[127.0.0.2]:26"]}
    for key, values in wide.items():
        if dice.random() < 0.15:
            found[key] = dice.choice(values)
    return found


def world(dice: random.Random, names: list[str]) -> World:
    """Random parameters, a table, and what /etc/hosts holds."""
    usable = [one for one in DESTINATIONS if "nosuch" not in one or dice.random() < 0.5]
    choices = {
        "relayhost": dice.choice(usable) if dice.random() < 0.3 else "",
        "smtp_fallback_relay": dice.choice(usable) if dice.random() < 0.25 else "",
        "inet_protocols": dice.choice(["all", "all", "ipv4", "ipv4", "ipv6"]),
        "proxy_interfaces": dice.choice(["", "", "192.0.2.1", "192.0.2.7, 2001:db8::1"]),
        "smtp_host_lookup": dice.choice([*["dns"] * 7, "dns, native", "native"]),
        "smtp_dns_support_level": dice.choice([*["enabled"] * 9, "", "disabled"]),
        "ignore_mx_lookup_error": dice.choice(["no", "no", "yes"]),
        "smtp_defer_if_no_mx_address_found": dice.choice(["no", "no", "yes"]),
        "best_mx_transport": dice.choice(["", "", "discard"]),
        "soft_bounce": dice.choice(["no", "no", "no", "no", "yes"]),
        "smtp_mx_address_limit": dice.choice(["5", "5", "0", "1", "2", "3"]),
        "smtp_balance_inet_protocols": dice.choice(["yes", "yes", "no"]),
        "smtp_address_preference": dice.choice(["any", "any", "ipv4", "ipv6"]),
        "relay_transport": dice.choice(["relay", "relay", "relay", "smtp", "smtp:[prim.test]:26"]),
        "parent_domain_matches_subdomains": dice.choice(["", "transport_maps"]),
    }
    if choices["inet_protocols"] == "ipv6":
        choices["proxy_interfaces"] = dice.choice(["", "2001:db8::1"])
    elif choices["inet_protocols"] == "ipv4":
        choices["proxy_interfaces"] = dice.choice(["", "192.0.2.1", "192.0.2.7"])
    listed = {"listed.test": ["127.0.0.3", "2001:db8::2"], "prim6.test": ["127.0.0.2"], "aliasnot.test": ["127.0.0.3"]}
    return World(choices, table(dice, names), listed, names)


def order(dice: random.Random, cases: int) -> Order:
    """Random zones and worlds, of PER_WORLD cases each."""
    zone, worlds = [SOA, *(f"{host} {record}" for host, found in HOSTS.items() for record in found)], []
    for number in range(max(1, cases // PER_WORLD)):
        names = [f"{dice.choice(['', 'h.', 'H.x.'])}w{number}c{case}" for case in range(PER_WORLD - 4)]
        for name in names:
            zone += [f"{name} {record}" for record in records(dice, names)]
        inside = [f"{name}.test" for name in names]
        outside = [f"w{number}.elsewhere.example", f"w{number}.broken", f"w{number}.nosuch.test", f"a.w{number}.test"]
        worlds.append(world(dice, inside + outside))
    return Order({"test": "\n".join(zone), "broken": "@ is not a zone"}, worlds)


def postfix(world: World, root: Path) -> Postfix:
    """The parameters of a world, as the checks read them."""
    server = plain_postfix(
        root, "".join(f"{key} = {value}\n" for key, value in realpostfix.MAIN.items() | world.main.items())
    )
    server.write("/etc/postfix/master.cf", realpostfix.master())
    server.write("/etc/hosts", realpostfix.hosts(world))
    return sending.system(server.host).postfix


def by_order(dns: Dns, nexthop: str) -> bool:
    """Whether chance decides in which order exchangers are looked up, and with it what the last error is."""
    sites = [site_of(one) for one in nexthop.replace(",", " ").split()]
    preferences = [mx[0] for one in sites if one for mx in dns.lookup(one.host, "MX").exchangers]
    return len(set(preferences)) < len(preferences)


def alike(code: str, by_chance: bool, native: bool) -> str:
    """One of the codes that cannot be told apart: see `by_order`, and `routing.postfix` for getaddrinfo(3)."""
    if native:
        code = code.replace(".3.0", ".4.4")
    return code.replace("4.4.3", "4.4.4") if by_chance else code


def differences(world: World, found: Postfix, sent: dict[str, Sent], dns: Dns) -> Iterator[str]:
    """Yield a line for each name of whose mail something else was decided."""
    own = {address for address in OWN if type_of(address) in found.types}
    own |= set(world.main["proxy_interfaces"].replace(",", " ").split())
    table = {key.lower(): value for key, value in world.table.items()}  # as postmap(1) makes it
    for name in world.names:
        way = resolve(name, table, found)
        attempt = Attempt(way.nexthop, Finder(dns.lookup, own, found), Servers(own, PUBLIC, Dead()))
        answering = {str(end.target) for end in attempt.ends()}
        ways = outcomes(name, table, dns.lookup, own, PUBLIC, Dead(), found)
        loose = by_order(dns, way.nexthop), found.native
        decided = {(str(way.verdict), alike(way.code, *loose)) for way in ways}
        real = sent[name]
        got = (VERDICTS[real.status], alike(real.code, *loose) if real.code[0] in "45" else "")
        if got not in decided or (real.to and real.to not in answering):
            answers = {kind: dns.lookup(name, kind) for kind in ("MX", "A", "AAAA", "CNAME")}
            yield f"{name}: {real}, not {ways}\n  by {way}\n  {answers}\n  {world.main}"


def test_postfix_does_what_is_decided(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("postfix")
    asked = order(random.Random(SEED), CASES)
    sent = realpostfix.send(asked, directory / "real")
    port = free_port()
    knot = Knot(directory / "knot", asked.zones, ("127.0.0.1",), port)
    found = []
    try:
        for number, (world, of_world) in enumerate(zip(asked.worlds, sent, strict=True)):
            dns = Dns([Server("127.0.0.1", port)], port=port, timeout=5)
            parameters = postfix(world, directory / f"host{number}")
            found += list(differences(world, parameters, of_world, dns))
    finally:
        knot.stop()
    print(f"seed {SEED}: {sum(len(world.names) for world in asked.worlds)} cases, {len(found)} differences")
    assert not found, "\n".join(found[:20])
