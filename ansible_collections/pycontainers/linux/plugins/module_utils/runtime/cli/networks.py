# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs network and port: networks as Docker's verbs have them, and where a container's ports lead."""
from __future__ import annotations

import argparse
from typing import Any

from ..core.layout import Layout
from ..core.model import parse
from ..core.plan import converge
from ..errors import Failure, InvalidValue, NotFound
from ..resources import container_state
from ..resources.network import NETWORK
from ..resources.network_info import facts
from ..resources.network_model import Network, declared_network, stored
from ..resources.network_model import names as all_names
from . import prune, table
from .complaint import to_each

OPTIONS = {
    "com.docker.network.bridge.name": "bridge_name",
    "com.docker.network.bridge.enable_ip_masquerade": "masquerade",
    "com.docker.network.driver.mtu": "mtu",
    "mtu": "mtu",
}
"""What Docker's bridge driver takes with --opt, by its names, and Podman's shorter one."""


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
    prune.add_network(group)
    ports = verbs.add_parser("port", help="show which ports of the host lead to a container")
    ports.add_argument("container", metavar="CONTAINER")
    ports.add_argument("port", nargs="?", metavar="PORT[/PROTOCOL]", help="only what leads to this one")
    ports.set_defaults(verb=show_ports)


def _add_create(group: Any) -> None:
    made = group.add_parser("create", help="make a network")
    made.add_argument("-d", "--driver", default="bridge", choices=("bridge",), help="what it is made of")
    made.add_argument("--subnet", help="its addresses, such as 10.88.0.0/24 (default: one that is free)")
    made.add_argument("--gateway", help="the bridge's address (default: the first)")
    made.add_argument("--internal", action="store_true", help="nothing leaves and nothing enters it")
    made.add_argument("-o", "--opt", action="append", default=[], metavar="KEY=VALUE", help=f"of {', '.join(OPTIONS)}")
    made.add_argument("network", metavar="NETWORK")
    made.set_defaults(verb=create_network)


def list_networks(layout: Layout, chosen: argparse.Namespace) -> int:
    """List the networks that are declared, whatever the kernel has of them."""
    found = [each for each in (stored(layout, name) for name in all_names(layout)) if each is not None]
    if chosen.json:
        table.show_json([_document(layout, each.name) for each in found])
    elif chosen.quiet:
        for each in found:
            print(each.name)
    else:
        lines = [[each.name, "bridge", str(each.subnet), str(each.bridge_name), _kind(each)] for each in found]
        table.show(["NAME", "DRIVER", "SUBNET", "BRIDGE", "OUTSIDE"], lines)
    return 0


def _kind(network: Network) -> str:
    return "no" if network.internal else "masqueraded" if network.masquerade else "routed"


def show_networks(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print Docker's document of each network."""
    table.show_json([_document(layout, each) for each in chosen.networks])
    return 0


def _document(layout: Layout, name: str) -> Any:
    return facts(layout, declared_network(layout, name).name)


def create_network(layout: Layout, chosen: argparse.Namespace) -> int:
    """Make a network that is not there yet, and print its name, which is its id."""
    values: dict[str, Any] = {"name": chosen.network}
    values |= {key: getattr(chosen, key) for key in ("subnet", "gateway", "internal") if getattr(chosen, key)}
    for said in chosen.opt:
        key, equals, value = said.partition("=")
        if not equals or key not in OPTIONS:
            raise InvalidValue("opt", said, f"it is not KEY=VALUE with one of {', '.join(OPTIONS)}")
        values[OPTIONS[key]] = value
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


def show_ports(layout: Layout, chosen: argparse.Namespace) -> int:
    """List what the kernel leads to a container, a line per port. Raises :class:`NotFound` for one that is not."""
    found = container_state.observed(layout, container_state.find(layout, chosen.container))
    wanted = _target(chosen.port) if chosen.port else None
    ports = sorted(found.published_ports or (), key=lambda each: (each.container_port, each.protocol, each.host_port))
    running = ports if found.state == "started" else []
    lines = [(f"{each.container_port}/{each.protocol}", f"{each.address}:{each.host_port}") for each in running]
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
    if not port.isdecimal() or (slash and protocol not in ("tcp", "udp")):
        raise InvalidValue("port", said, "it is no number, with /tcp or /udp behind it or nothing")
    return f"{int(port)}/{protocol or 'tcp'}"
