# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs network and port: networks as Docker's verbs have them, and where a container's ports lead."""
from __future__ import annotations

import argparse
from typing import Any

from ..core.kinds import BOOL
from ..core.layout import Layout
from ..core.model import parse, rows
from ..core.plan import converge
from ..errors import Failure, InvalidValue, NotFound
from ..resources import container_observed, container_state, container_words
from ..resources.attachments import names_of
from ..resources.attachments import show_networks as shown_networks
from ..resources.container import CONTAINER
from ..resources.container_model import Container
from ..resources.network import NETWORK
from ..resources.network_info import facts
from ..resources.network_model import MODES, Network, declared_network, stored
from ..resources.network_model import names as all_names
from ..resources.ports import PROTOCOLS
from . import prune, table
from .complaint import to_each

OPTIONS = {
    "com.docker.network.bridge.name": "bridge_name",
    "com.docker.network.bridge.enable_ip_masquerade": "masquerade",
    "com.docker.network.driver.mtu": "mtu",
    "macvlan_mode": "mode",
    "ipvlan_mode": "mode",
    "mode": "mode",
    "mtu": "mtu",
    "parent": "parent",
    "vlan": "vlan",
    "isolate": "isolate",
}
"""What Docker's drivers take with --opt, by their names, and Podman's shorter ones."""

SWITCHES = tuple(row.name for row in rows(Network) if row.kind is BOOL)
TRUTHS = {"true": True, "1": True, "false": False, "0": False}
"""The rows that are true or false, and how Docker says so."""

FAMILIES = {
    "subnet": ("subnet", "ipv6_subnet"),
    "gateway": ("gateway", "ipv6_gateway"),
    "ip_range": ("ip_range", "ipv6_range"),
}
"""The rows for which an option stands, by the family of what it is given: of IPv4, of IPv6."""


def add(verbs: Any) -> None:
    """Declare the verbs."""
    group = verbs.add_parser("network", help="all verbs about networks").add_subparsers(metavar="VERB", required=True)
    listing = group.add_parser("ls", help="list networks")
    listing.add_argument("-q", "--quiet", action="store_true", help="names only")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(verb=list_networks)
    look = group.add_parser("inspect", help="show networks as JSON")
    look.add_argument("networks", nargs="+", metavar="NETWORK")
    look.set_defaults(verb=show_networks)
    _add_create(group)
    gone = group.add_parser("rm", help="remove networks")
    gone.add_argument("-f", "--force", action="store_true", help="that there is none is fine")
    gone.add_argument("networks", nargs="+", metavar="NETWORK")
    gone.set_defaults(verb=remove_networks)
    _add_connections(group)
    prune.add_network(group)
    add_port(verbs)


def add_port(verbs: Any) -> None:
    """Declare ``port``, which is there below ``container`` too."""
    ports = verbs.add_parser("port", help="show which ports of the host lead to a container")
    ports.add_argument("container", metavar="CONTAINER")
    ports.add_argument("port", nargs="?", metavar="PORT[/PROTOCOL]", help="only what leads to this one")
    ports.set_defaults(verb=show_ports)


def _add_create(group: Any) -> None:
    made = group.add_parser("create", help="make a network")
    made.add_argument("-d", "--driver", default="bridge", choices=tuple(MODES), help="what it is made of")
    words = "its addresses, such as 10.88.0.0/24, one for each family (default: one that is free)"
    made.add_argument("--subnet", action="append", default=[], help=words)
    made.add_argument("--gateway", action="append", default=[], help="the bridge's address (default: the first)")
    words = "where containers get addresses from (default: all of the subnet)"
    made.add_argument("--ip-range", action="append", default=[], metavar="SUBNET", help=words)
    made.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="tells of it")
    words = "what its containers reach by another gateway, and perhaps a metric"
    made.add_argument("--route", action="append", default=[], metavar="SUBNET,GATEWAY", help=words)
    made.add_argument("--ipv6", action="store_true", help="have addresses of IPv6 too")
    made.add_argument("--internal", action="store_true", help="nothing leaves and nothing enters it")
    made.add_argument("-o", "--opt", action="append", default=[], metavar="KEY=VALUE", help=f"of {', '.join(OPTIONS)}")
    made.add_argument("network", metavar="NETWORK")
    made.set_defaults(verb=create_network)


def _add_connections(group: Any) -> None:
    joined = group.add_parser("connect", help="put a container on a network, while it runs if it does")
    joined.add_argument("--ip", metavar="ADDRESS", help="its address there (default: a free one)")
    joined.add_argument("--ip6", metavar="ADDRESS", help="the same of IPv6")
    joined.add_argument("--mac-address", metavar="ADDRESS", help="of its interface there")
    joined.add_argument("--alias", action="append", default=[], metavar="NAME", help="another name for it there")
    joined.set_defaults(verb=connect)
    left = group.add_parser("disconnect", help="take a container from a network, while it runs if it does")
    left.set_defaults(verb=disconnect)
    for verb in (joined, left):
        verb.add_argument("network", metavar="NETWORK")
        verb.add_argument("container", metavar="CONTAINER")


def list_networks(layout: Layout, chosen: argparse.Namespace) -> int:
    """List the networks that are declared, whatever the kernel has of them."""
    found = [each for each in (stored(layout, name) for name in all_names(layout)) if each is not None]
    if chosen.json:
        table.show_json([_document(layout, each.name) for each in found])
    elif chosen.quiet:
        for each in found:
            print(each.name)
    else:
        subnets = {each.name: ", ".join(map(str, each.subnets)) for each in found}
        lines = [[each.name, str(each.driver), subnets[each.name], each.lower, _kind(each)] for each in found]
        table.show(["NAME", "DRIVER", "SUBNET", "INTERFACE", "OUTSIDE"], lines)
    return 0


def _kind(network: Network) -> str:
    if network.on_parent:
        return f"by {network.parent}"
    return "no" if network.internal else "masqueraded" if network.masquerade else "routed"


def show_networks(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print Docker's document of each network."""
    table.show_json([_document(layout, each) for each in chosen.networks])
    return 0


def _document(layout: Layout, name: str) -> Any:
    return facts(layout, declared_network(layout, name).name)


def create_network(layout: Layout, chosen: argparse.Namespace) -> int:
    """Make a network that is not there yet, and print its name, which is its id."""
    values: dict[str, Any] = {"name": chosen.network, "internal": chosen.internal or None}
    for option, names in FAMILIES.items():
        for said in getattr(chosen, option):
            name = names[":" in said]
            if name in values:
                raise InvalidValue(option, said, "there is one of this family already", "make another network for it")
            values[name] = said
    values["driver"] = chosen.driver
    values["enable_ipv6"] = chosen.ipv6 or None
    values["labels"] = dict(each.partition("=")[::2] for each in chosen.label)
    parts = "destination", "gateway", "metric"
    values["routes"] = [dict(zip(parts, each.split(","), strict=False)) for each in chosen.route]
    for said in chosen.opt:
        key, equals, value = said.partition("=")
        if not equals or key not in OPTIONS:
            raise InvalidValue("opt", said, f"it is not KEY=VALUE with one of {', '.join(OPTIONS)}")
        values[OPTIONS[key]] = TRUTHS.get(value.lower(), value) if OPTIONS[key] in SWITCHES else value
    want = parse(Network, values)
    if stored(layout, want.name) is not None:
        raise Failure(f"create network {want.name}", "there is one of this name", "remove it first, or name another")
    converge(NETWORK, layout, want, check=False)
    print(want.name)
    return 0


def remove_networks(layout: Layout, chosen: argparse.Namespace) -> int:
    """Remove networks that no container is on; names those it is done with, and goes on after a failure."""

    def remove(name: str) -> None:
        want = parse(Network, {"name": name, "state": "absent"})
        if not converge(NETWORK, layout, want, check=False).changed and not chosen.force:
            raise NotFound(f"remove network {name}", "there is none of this name", "see pycontainers network ls")

    return to_each(chosen.networks, remove)


def connect(layout: Layout, chosen: argparse.Namespace) -> int:
    """Put a container on one network more."""
    container = container_state.find(layout, chosen.container)
    declared_network(layout, chosen.network)
    if chosen.network in names_of(container.networks):
        reason = f"container {container.name} is on it already"
        raise Failure(f"connect network {chosen.network}", reason, "disconnect it first")
    asked = {"name": chosen.network, "ipv4_address": chosen.ip, "ipv6_address": chosen.ip6}
    asked |= {"mac_address": chosen.mac_address, "aliases": chosen.alias or None}
    return _rejoin(layout, container, [*shown_networks(container.networks or ()), asked])


def disconnect(layout: Layout, chosen: argparse.Namespace) -> int:
    """Take a container from one of its networks."""
    container = container_state.find(layout, chosen.container)
    if chosen.network not in names_of(container.networks):
        shown = ", ".join(names_of(container.networks)) or "no network"
        reason = f"container {container.name} is not on it, but on {shown}"
        raise NotFound(f"disconnect network {chosen.network}", reason)
    staying = tuple(each for each in container.networks or () if each.name != chosen.network)
    return _rejoin(layout, container, shown_networks(staying))


def _rejoin(layout: Layout, container: Container, networks: list[dict[str, Any]]) -> int:
    want = parse(Container, {"name": container.name, "state": "present", "networks": networks})
    converge(CONTAINER, layout, want, check=False)
    return 0


def show_ports(layout: Layout, chosen: argparse.Namespace) -> int:
    """List what the kernel leads to a container, a line per port. Raises :class:`NotFound` for one that is not."""
    found = container_observed.observed(layout, container_state.find(layout, chosen.container))
    wanted = _target(chosen.port) if chosen.port else None
    running = container_words.ports(found) if found.state == "started" else []
    ports = sorted(running, key=lambda each: (each.container_port, each.protocol, each.host_port))
    lines = [(f"{each.container_port}/{each.protocol}", each.place) for each in ports]
    for target, place in lines:
        if wanted is None:
            print(f"{target} -> {place}")
        elif target == wanted:
            print(place)
    if wanted is not None and wanted not in dict(lines):
        raise NotFound(f"show the port {wanted} of container {found.name}", "no port of the host leads to it")
    return 0


def _target(said: str) -> str:
    port, slash, protocol = said.partition("/")
    if not port.isdecimal() or (slash and protocol not in PROTOCOLS):
        raise InvalidValue("port", said, "it is no number, with /tcp, /udp, /sctp or nothing behind it")
    return f"{int(port)}/{protocol or 'tcp'}"
