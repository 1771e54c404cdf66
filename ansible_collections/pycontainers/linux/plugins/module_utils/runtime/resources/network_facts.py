# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network as ``docker network inspect`` shows it, in Docker's names where they mean the same."""
from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..kernel import links
from . import leases
from .addresses import BITS4, BITS6, of_family
from .network_model import IPVLAN, Network, mac
from .network_routes import ROUTES


def document(layout: Layout, network: Network) -> dict[str, Any]:
    """Docker's document of a network that is declared, with the containers that have addresses on it."""
    pools = [_pool(network, subnet, of_family(network.gateways, subnet.bits) or "") for subnet in network.subnets]
    options = ("parent", "vlan", "mode", "mtu") if network.on_parent else ("bridge_name", "mtu", "masquerade")
    return {
        "Name": network.name,
        "Driver": network.driver,
        "EnableIPv6": network.ipv6_subnet is not None,
        "IPAM": {"Config": pools},
        "Internal": bool(network.internal),
        "Options": {name: value for name in options if (value := getattr(network, name)) is not None},
        "Isolated": network.isolate is not False,
        "Routes": ROUTES.show(network.routes or ()),
        "Labels": dict(network.labels or ()),
        "Containers": _containers(layout, network),
    }


def _pool(network: Network, subnet: Any, gateway: str) -> dict[str, str]:
    given = network.range_of(subnet)
    narrower = {} if given == subnet else {"IPRange": str(given)}
    return {"Subnet": str(subnet), **narrower, "Gateway": gateway}


def _containers(layout: Layout, network: Network) -> dict[str, Any]:
    """The containers by id, in the order in which they are leased addresses."""
    titles, held = container_names(layout), leases.read(layout, network.name)
    found = {}
    for identity in dict.fromkeys(held.values()):
        own = [network.with_prefix(address) for address, holder in held.items() if holder == identity]
        address, asked = of_family(own, BITS4) or "", _asked(layout, identity, network.name)
        found[identity] = {
            "Name": titles.get(identity, ""),
            "IPv4Address": address,
            "IPv6Address": of_family(own, BITS6) or "",
            "MacAddress": asked.get("mac_address") or _mac(network, address.partition("/")[0]),
            "Aliases": list(asked.get("aliases") or ()),
        }
    return found


def _mac(network: Network, address: str) -> str:
    """The MAC address of a container's interface: with ipvlan it is that of the parent."""
    if network.driver != IPVLAN:
        return mac(address)
    lower = links.links().get(network.lower)
    return lower.mac if lower else ""


def _asked(layout: Layout, identity: str, network: str) -> Mapping[str, Any]:
    """What a container's record asks for on a network; nothing where that can't be read."""
    with suppress(Failure):
        record = store.read_json(layout.container(identity, "container.json")) or {}
        return next((each for each in record.get("networks") or () if each.get("name") == network), {})
    return {}


def container_names(layout: Layout) -> dict[str, str]:
    """The names of containers by id."""
    try:
        with os.scandir(layout.names) as entries:
            return {os.path.basename(os.readlink(entry.path)): entry.name for entry in entries if entry.is_symlink()}
    except FileNotFoundError:
        return {}
