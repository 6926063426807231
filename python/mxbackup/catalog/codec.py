# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules to a catalog zone and back (RFC 9432).

Each rule is a member zone: `HASH.zones PTR dupontnet.com.` What decides about its mail stands in custom properties
(section 4.5), `route.mxbackup.ext.HASH.zones TXT "mail.dupontnet.com"`, where it is not the default. So a catalog that
a name server made of its own zones holds domain rules. What is read is validated as if somebody had typed it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from mxbackup import rules
from mxbackup.catalog.resources import Contents, Resource
from mxbackup.errors import InvalidInput, Message
from mxbackup.rules import PROPERTIES, Rule, names

VERSION = Resource("version", "TXT", '"2"')
CARRIED = tuple(prop for prop in PROPERTIES if prop.carried)
# Says that mxbackup made the catalog, and may take out what is in it.
MARK = Resource("made.mxbackup.ext", "TXT", '"1"')
_SPACE = "mxbackup.ext"  # no property of the standard, nor of others, is called so
_MEMBERS = "zones"
_LONGEST = 255  # octets of a character string (RFC 1035 section 3.3.14)
# Labels of the longest owner, `recipients.mxbackup.ext.HASH.zones`, in octets on the wire.
ROOM = 1 + len("recipients") + 1 + len("mxbackup") + 1 + len("ext") + 1 + 40 + 1 + len(_MEMBERS)


@dataclass(frozen=True)
class LeftOut:
    """A member that makes no rule, and why."""

    member: str
    reason: Message


@dataclass(frozen=True)
class Decoded:
    """What a catalog says: its rules by name, and the members that make none, in the order of their labels."""

    rules: Mapping[str, Rule]
    left_out: tuple[LeftOut, ...]


def zone_name(text: str) -> str:
    """Return the name of a catalog as typed, without its final dot. Raises InvalidName."""
    name = names.parse_host(text)
    if len(name) + 2 + ROOM > _LONGEST:
        raise InvalidInput(
            'The name of the catalog "{zone}" is too long: with what stands below it, it would not fit into the DNS.',
            zone=text,
        )
    return name


def encode(published: Iterable[Rule]) -> set[Resource]:
    """Return what a catalog of these rules holds."""
    found = {VERSION, MARK}
    for rule in published:
        node = f"{_hash(rule.name)}.{_MEMBERS}"
        found.add(Resource(node, "PTR", f"{rule.name}."))
        for prop in CARRIED:
            text = prop.text(rule)
            if text != prop.default:
                found.add(Resource(f"{prop.name}.{_SPACE}.{node}", "TXT", _quoted(text)))
    return found


def decode(contents: Contents) -> Decoded:
    """Return the rules that a catalog holds. Raises InvalidInput when it is none, or not of version 2."""
    versions = [one for one in contents if one.owner == VERSION.owner and one.type == VERSION.type]
    if versions != [VERSION]:
        raise InvalidInput("The zone is no catalog of version 2 (RFC 9432): its version record is missing or another.")
    members: dict[str, list[str]] = defaultdict(list)
    said: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in contents:
        below, _, node = one.owner.removesuffix(f".{_MEMBERS}").rpartition(".")
        if one.owner.endswith(f".{_MEMBERS}"):
            if one.type == "PTR" and not below:
                members[node].append(one.data)
            elif one.type == "TXT" and below.endswith(f".{_SPACE}"):
                said[node].append((below.removesuffix(f".{_SPACE}"), one.data))
    return _decoded(members, said)


def members(contents: Contents) -> dict[str, str]:
    """Return the names of the members by their labels, as the catalog has them."""
    found = (one for one in contents if one.type == "PTR" and one.owner.endswith(f".{_MEMBERS}"))
    return {one.owner.removesuffix(f".{_MEMBERS}"): one.data.removesuffix(".") for one in found}


def _decoded(members: Mapping[str, list[str]], said: Mapping[str, list[tuple[str, str]]]) -> Decoded:
    found: dict[str, Rule] = {}
    left_out = []
    claims = Counter(target.lower() for targets in members.values() for target in targets)
    for node in sorted(members):
        try:
            rule = _rule(members[node], claims, said.get(node, ()))
            found[rule.name] = rule
        except InvalidInput as reason:
            left_out.append(LeftOut(min(members[node]).removesuffix("."), reason.message))
    return Decoded(found, tuple(left_out))


def _rule(targets: list[str], claims: Counter[str], said: Iterable[tuple[str, str]]) -> Rule:
    """Return the rule of a member. Raises InvalidInput."""
    if len(targets) > 1 or claims[targets[0].lower()] > 1:
        raise InvalidInput("The catalog is at odds with itself about this member.")
    return rules.make(targets[0].removesuffix("."), **_properties(said))


def _properties(said: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the properties of a member; those that are not known here are a later version's.

    Raises InvalidInput.
    """
    found: dict[str, str] = {}
    for name, data in said:
        if all(prop.name != name for prop in CARRIED):
            continue
        if name in found:
            raise InvalidInput("The catalog is at odds with itself about this member.")
        found[name] = _text(data)
    return found


def _hash(name: str) -> str:
    """A label for a member that stays its own: SHA-1 of the name on the wire in hexadecimal, as BIND makes them."""
    wire = b"".join(bytes([len(label)]) + label.encode() for label in f"{name}.".split("."))
    return hashlib.sha1(wire, usedforsecurity=False).hexdigest()


@lru_cache(1024)
def _quoted(text: str) -> str:
    from dns.rdataclass import IN
    from dns.rdatatype import TXT
    from dns.rdtypes.ANY.TXT import TXT as Text

    octets = text.encode()
    return Text(IN, TXT, [octets[at : at + _LONGEST] for at in range(0, len(octets) or 1, _LONGEST)]).to_text()


@lru_cache(1024)
def _text(data: str) -> str:
    """Return what a TXT record says. Raises InvalidInput when it is no UTF-8."""
    import dns.exception
    from dns.rdata import from_text

    try:
        return b"".join(from_text("IN", "TXT", data).strings).decode()  # type: ignore[attr-defined]
    except (UnicodeDecodeError, dns.exception.DNSException):
        raise InvalidInput("A property of this member is no text in UTF-8.") from None
