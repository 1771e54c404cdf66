# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``routes`` of a network: what its containers reach by another gateway on it than its own."""
from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ..core.kinds import text, whole
from ..core.model import Kind
from ..kernel.links import Way
from ..lean.dataclasses import dataclass
from .addresses import BITS6, Subnet, bits_of, number, subnet_of, written

DEFAULT_METRIC6, OWN_METRIC6 = 1024, 256
"""What the kernel makes of a route of IPv6 that is given no metric, and of that of an address (linux/ipv6_route.h)."""

Place = tuple[Subnet, int]
"""Destination and metric of a route: there is one of the same at a time."""


def own_place(subnet: Subnet) -> Place:
    """That of the route which comes with an address of a subnet."""
    return subnet, OWN_METRIC6 if subnet.bits == BITS6 else 0


@dataclass(frozen=True, order=True)
class Route:
    """A route: where to, by which address on the network; of several the one with the smallest metric is taken."""

    destination: Subnet
    gateway: str
    metric: int = 0

    @property
    def way(self) -> Way:
        """The route as the kernel has it."""
        metric = self.metric or (DEFAULT_METRIC6 if self.destination.bits == BITS6 else 0)
        return Way(written(self.destination.base, self.destination.bits), self.destination.prefix, self.gateway, metric)

    @property
    def place(self) -> Place:
        """Where the kernel has room for one route."""
        return self.destination, self.way.metric


_PARTS = ("destination", "gateway", "metric")


def routes(value: Any) -> tuple[Route, ...]:
    """Routes, each a dictionary with destination and gateway, and with a metric if need be; sorted."""
    if not isinstance(value, list | tuple):
        raise ValueError("it is not a list")
    found = sorted(map(_route, value), key=lambda each: (each.destination.bits, each))
    for one, other in pairwise(sorted(found, key=lambda each: each.place)):
        if one.place == other.place:
            raise ValueError(f"there are two routes to {one.destination} of the same metric")
    return tuple(found)


def _route(value: Any) -> Route:
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a dictionary with destination and gateway")
    unknown = [key for key, given in value.items() if key not in _PARTS and given is not None]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known of a route; {', '.join(_PARTS)} are")
    said, gateway = (text(value.get(part)) for part in _PARTS[:2])
    destination = subnet_of(said)
    if number(said.partition("/")[0]) != destination.base:
        raise ValueError(f"{said} is an address within a network; the network itself is {destination}")
    if not destination.prefix:
        raise ValueError("the default route leads to the network's own gateway; a route has a narrower destination")
    if bits_of(gateway) != destination.bits:
        raise ValueError(f"{gateway} is not of the family of {destination}")
    metric = whole(value.get("metric") or 0)
    if not 0 <= metric < 1 << 32:
        raise ValueError(f"the metric {metric} is not between 0 and {(1 << 32) - 1}")
    return Route(destination, written(number(gateway), bits_of(gateway)), metric)


def _show(value: tuple[Route, ...]) -> list[dict[str, Any]]:
    """Routes as a playbook writes them."""
    shown = (dict(zip(_PARTS, (str(each.destination), each.gateway, each.metric), strict=True)) for each in value)
    return [{part: said for part, said in each.items() if said} for each in shown]


ROUTES = Kind(
    "routes",
    {
        "type": "list",
        "elements": "dict",
        "options": {
            "destination": {"type": "str", "required": True},
            "gateway": {"type": "str", "required": True},
            "metric": {"type": "int"},
        },
    },
    routes,
    _show,
)
