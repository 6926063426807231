# SPDX-License-Identifier: GPL-2.0-or-later
"""Domain names: the only place that knows what one is.

A `Name` is lower-case, made of A-labels, without a trailing dot, and safe to write into every
configuration file. RFC 1035 section 2.3.4 (sizes), RFC 1123 section 2.1 (letters, digits, hyphens),
RFC 5891 (IDNA 2008), UTS 46 (mapping of what people type).
"""

import ipaddress
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NewType

from mxbackup.errors import InvalidName

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

Name = NewType("Name", str)

MAX_NAME = 253
MAX_LABEL = 63

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# What needs no mapping: most stored names, by the hundred thousand.
_PLAIN = re.compile(rf"(?=.{{1,{MAX_NAME}}}\Z)(?:(?!xn--){_LABEL}\.)+(?!xn--|[0-9]+\Z){_LABEL}\Z")
# RFC 6761 section 6.3, and what Linux distributions call a machine without a name.
_LOCAL = (".localhost", ".localdomain")
_WEB = r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)"  # compiled where it is met, which most events are spared


def parse(text: str) -> Name:
    """Return the name that `text` means, ready to be the name of a rule.

    Blanks around it, upper case, a trailing dot and U-labels are normalised away.
    Raises InvalidName with one sentence that says what is wrong and what would be right.
    """
    name = parse_host(text)
    if name.endswith(_LOCAL):
        raise _local(name)
    if _is_public_suffix(to_unicode(name)):
        raise InvalidName(
            '"{name}" is a public suffix, under which strangers register their names. '
            "Give the name of one domain, such as example.{name}.",
            name=to_unicode(name),
        )
    return name


def parse_host(text: str) -> Name:
    """Return the host name that `text` means; unlike `parse`, a public suffix may be one.

    Raises InvalidName.
    """
    if _PLAIN.match(text):
        return Name(text)
    text = text.strip(" \t").removesuffix(".")
    _refuse_what_is_no_name(text)
    name = _to_ascii(text)
    _refuse_bad_sizes_and_labels(name, text)
    return Name(name)


def to_unicode(name: str) -> str:
    """The name as people read it, in U-labels; unchanged where that is not possible."""
    if "xn--" not in name:
        return name
    import idna

    try:
        return idna.decode(name)
    except idna.IDNAError:
        return name


def is_local(text: str) -> bool:
    """Tell whether the text is a name that every machine has for itself, common in a `rcpthosts`."""
    return f".{text.strip().rstrip('.').lower()}".endswith(_LOCAL)


def sort_key(name: str) -> str:
    """Sorts names by their labels from the right, so that a domain stands before what is in it."""
    # NUL sorts before whatever a label holds, and texts are compared faster than lists.
    return "\0".join(name.split(".")[::-1])


def reading_key(name: str) -> str:
    """Sorts names as people read them: by the domain that somebody registered, and below it by labels from the right.

    They are compared in U-labels, first without accents.
    """
    registered = _registered(name)
    key = "\0\0".join((to_unicode(registered), sort_key(name.removesuffix(registered)), name))
    if key.isascii():
        return key
    import unicodedata

    return "".join(char for char in unicodedata.normalize("NFKD", key) if not unicodedata.combining(char))


def _registered(name: str) -> str:
    """The domain just below a public suffix that the name lies in; the name itself where there is none."""
    above = reversed(parents(name))
    return next((domain for domain in above if not _is_public_suffix(to_unicode(domain))), name)


def parents(name: str) -> list[str]:
    """The domains that `name` lies in, nearest first, down to two labels."""
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels) - 1)]


def _is_public_suffix(shown: str) -> bool:
    """Ask the library only where its list has a word for it: the name, or a wildcard for it or for what it is in."""
    above = shown.partition(".")[2]
    words = (shown.encode(), f"*.{shown}".encode(), f"*.{above}".encode())
    return not _listed_words().isdisjoint(words) and _public_suffixes().is_public(shown)


@cache
def _listed_words() -> frozenset[bytes]:
    """Every word of the list, those of its comments too: found in a fifth of the time that parsing it takes."""
    from publicsuffixlist import PSLFILE

    return frozenset(Path(PSLFILE).read_bytes().lower().split())


@cache
def _public_suffixes() -> "PublicSuffixList":
    # Loaded when first needed: the list takes longer to read than most databases.
    from publicsuffixlist import PublicSuffixList

    # In U-labels only: encoding all of them takes twice as long as reading them.
    return PublicSuffixList(accept_encoded_idn=False)


def _refuse_what_is_no_name(text: str) -> None:
    """Recognise what people type instead of a domain name, and say what they should type."""
    if not text:
        raise InvalidName("The name is empty. Give a domain name such as example.com.")
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text):
        raise InvalidName("The name holds a control character. Type it again: letters, digits, hyphens, dots.")
    if _is_address(text):
        raise InvalidName('"{text}" is an IP address. Give the domain name that stands behind the @.', text=text)
    if web := re.match(_WEB, text, re.IGNORECASE):
        raise InvalidName('"{text}" is a web address. Give only: {host}', text=text, host=web[1])
    if "@" in text:
        behind = text.rpartition("@")[2]
        raise InvalidName(
            '"{text}" is an e-mail address. Give only the part behind the @: {behind}', text=text, behind=behind
        )
    if text.startswith(("*.", ".")):
        bare = text.lstrip("*.")
        raise InvalidName(
            '"{text}" is a pattern. For the name and everything below it, give "{bare}" with kind "domain".',
            text=text,
            bare=bare,
        )


def _local(text: str) -> InvalidName:
    return InvalidName(
        'Every machine calls itself "{text}", so it can be no rule. Give a name that the DNS knows.', text=text
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.removeprefix("[").removesuffix("]").removeprefix("IPv6:"))
    except ValueError:
        return False
    return True


def _to_ascii(text: str) -> str:
    """Map by UTS 46 and encode by IDNA 2008. Pure ASCII without A-labels is only lower-cased."""
    lower = text.lower()
    if lower.isascii() and "xn--" not in lower:
        return lower
    import idna

    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode("ascii").removesuffix(".")
    except idna.IDNAError as error:
        from mxbackup.rules import idnareasons

        raise InvalidName(
            '"{text}" is not a valid internationalised name ({reason}). Check how it is spelt.',
            text=text,
            reason=idnareasons.reason(error),
        ) from error


def _refuse_bad_sizes_and_labels(name: str, text: str) -> None:
    if len(name) > MAX_NAME:
        raise InvalidName(
            "The name has {length} characters; a domain name has at most {limit}.",
            length=len(name),
            limit=MAX_NAME,
        )
    labels = name.split(".")
    for label in labels:
        if not label:
            raise InvalidName('"{text}" has two dots in a row. Leave one out.', text=text)
        if len(label) > MAX_LABEL:
            raise InvalidName(
                '"{label}" has {length} characters; a label between dots has at most {limit}.',
                label=label,
                length=len(label),
                limit=MAX_LABEL,
            )
        if bad := re.sub(r"[a-z0-9-]", "", label):
            raise InvalidName(
                '"{text}" holds the character "{bad}". A name is made of letters, digits, hyphens and dots.',
                text=text,
                bad=bad[0],
            )
        if label.startswith("-") or label.endswith("-"):
            raise InvalidName('"{label}" begins or ends with a hyphen. Leave the hyphen out.', label=label)
    if len(labels) == 1:
        if is_local(name):
            raise _local(text)
        known = _public_suffixes().is_public(to_unicode(name), accept_unknown=False)
        raise InvalidName(
            '"{text}" has no dot: it would stand for a whole top-level domain. Give a name such as {example}.',
            text=text,
            example=f"example.{text}" if known else f"{text}.com",
        )
    if labels[-1].isdigit():
        raise InvalidName(
            '"{text}" ends in a number, and no top-level domain is a number. Give the whole name.', text=text
        )
