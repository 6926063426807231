# SPDX-License-Identifier: GPL-2.0-or-later
"""The addresses of this server in words: the same in the command and in the panel."""

from typing import TYPE_CHECKING

from mxbackup.words.lexicon import Lexicon

if TYPE_CHECKING:
    from collections.abc import Sequence


def belief(public: "Sequence[str]", *, stated: bool, words: Lexicon) -> str:
    """Return by which addresses strangers reach this server, as far as it knows; `stated` is whether it was told."""
    if not public:
        return words.text("By which address strangers reach this server is not known: its own are all private (NAT).")
    shown = ", ".join(public)
    if stated:
        return words.text("Strangers reach this server at {addresses}, as was stated.", addresses=shown)
    return words.text("Strangers reach this server at {addresses}, which its interfaces have.", addresses=shown)


def recorded(addresses: "Sequence[str]", words: Lexicon) -> str:
    """Return what was recorded."""
    if not addresses:
        return words.text("No public address is stated any more.")
    return words.text("Public address: {addresses}.", addresses=", ".join(addresses))
