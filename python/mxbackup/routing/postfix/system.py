# SPDX-License-Identifier: GPL-2.0-or-later
"""Postfix as one of the mail systems."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from mxbackup.lookup.answers import Lookup
from mxbackup.routing.postfix import delivery, transport
from mxbackup.routing.postfix.parameters import Postfix
from mxbackup.routing.verdict import Delivery, Route, Target


@dataclass(frozen=True, slots=True)
class System:
    """Postfix with these parameters. See `verdict.MailSystem`; the routes are the entries of transport_maps."""

    postfix: Postfix
    name: str = "Postfix"
    program: str = "Postfix"
    table: str = "transport"
    reads_networks: bool = True  # proxy_interfaces
    knows_greeting: bool = True

    @property
    def types(self) -> tuple[str, ...]:
        """What inet_protocols allows."""
        return self.postfix.types

    def route(self, name: str, routes: Mapping[str, str]) -> Route | None:
        """See `transport.route`."""
        return transport.route(name, routes, self.postfix)

    def tiers(
        self, name: str, routes: Mapping[str, str], lookup: Lookup, own: Container[str]
    ) -> tuple[tuple[Target, ...], ...] | Delivery:
        """See `delivery.tiers`."""
        return delivery.tiers(name, routes, lookup, own, self.postfix)

    def outcomes(
        self,
        name: str,
        routes: Mapping[str, str],
        lookup: Lookup,
        own: Container[str],
        public: Container[str],
        unreachable: Container[Target],
    ) -> tuple[Delivery, ...]:
        """See `delivery.outcomes`."""
        return delivery.outcomes(name, routes, lookup, own, public, unreachable, self.postfix)
