# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container asks for and can't have, told before anything is touched."""
from __future__ import annotations

import os
from collections.abc import Mapping

from ..core.kinds import UNLIMITED
from ..core.layout import Layout
from ..errors import InvalidValue
from ..image import content
from ..kernel import mounts
from ..kernel.cgroups import cgroups
from . import (
    cgroup_parent,
    container_logs,
    container_network,
    container_order,
    container_pids,
    container_state,
    container_wishes,
    container_words,
    endpoint,
    storage_opts,
    user_network,
)
from .addresses import BITS4, BITS6, bits_of
from .attachments import names_of
from .container_model import Container
from .container_mounts import Volume
from .container_target import recreates, restarts
from .limit_rules import check_host
from .name_kinds import HOST_GATEWAY
from .network_model import declared_network, reached_on
from .network_routes import Place, own_place
from .rates import show_rate


def check(layout: Layout, full: Container, have: Container | None, leftovers: tuple[str, ...]) -> None:
    """Refuse, before anything is touched, what would fail halfway."""
    for each in full.volumes or ():
        if each.is_bind and not os.path.exists(each.source):
            raise InvalidValue("volumes", each.source, "there is nothing at this path on the host", "make it first")
        if each.propagation:
            _check_spreads(each)
    if full.auto_remove and full.restart_policy not in (None, "no"):
        reason = f"restart_policy is {full.restart_policy}: there would be nothing left to restart"
        raise InvalidValue("auto_remove", True, reason, "leave out one of the two")
    if full.cgroup_parent and full.state == "started":
        cgroup_parent.check(full.cgroup_parent)
    container_wishes.checked(full)
    container_logs.check_options(full)
    check_host(cgroups(), container_state.cgroup(have or full), full)
    program = user_network.of(full)
    if not program:
        _check_gateway(layout, full)
    container_network.check(layout, full)
    begins = have is None or have.state != "started" or recreates(full, have) or restarts(full, have)
    container_order.check(layout, full, full.state == "started" and begins)
    if full.state == "started":
        container_pids.check(layout, full)
    kept = have.id if have and not recreates(full, have) else None
    storage_opts.target(layout, kept or "new", full.storage_opts)
    stored = content.find_id(layout, full.image_id or "") if full.image_id else None
    if stored:
        container_words.arguments(full, stored.config)
    endpoint.check_networks(layout, full.networks or (), have.id if have else None, leftovers)
    shown = [str(each) for each in full.published_ports or ()]
    if shown and not full.networks and not program:
        raise InvalidValue("published_ports", shown, "the container is on no network", "give it one in networks")
    _check_rates(layout, full)
    _check_routes(layout, full, dict(have.held) if have else {})
    if full.state == "started":
        if not program:
            _check_reached(layout, full)
        # Ports that still lead to a leftover are free by the time that they are published.
        freed = [port for each in leftovers for port in endpoint.observe_ports(layout, each)]
        freed += [port for each in leftovers for port in user_network.held_ports(layout, each)]
        container_network.check_ports(layout, full, have.id if have else None, freed)


def _check_spreads(volume: Volume) -> None:
    """Refuse to share what the host's mount does not share: nothing would ever spread."""
    place, kinds = mounts.propagation(volume.source)
    wanted = ("shared",) if "shared" in volume.propagation else ("shared", "master")
    if not set(wanted) & set(kinds):
        reason = f"its mount on {place} is not shared, so {volume.propagation} has no effect"
        raise InvalidValue("volumes", volume.source, reason, f"mount --make-shared {place}, or leave it out")


def _check_gateway(layout: Layout, full: Container) -> None:
    """Refuse to name the host's address where the container has no way to it."""
    if all(address != HOST_GATEWAY for _, address in full.etc_hosts or ()):
        return
    first = (*names_of(full.networks), "")[0]
    if not first:
        raise InvalidValue("etc_hosts", HOST_GATEWAY, "the container is on no network", "give it one in networks")
    if declared_network(layout, first).on_parent:
        reason = f"on the network {first} the kernel keeps host and containers apart"
        raise InvalidValue("etc_hosts", HOST_GATEWAY, reason, "name one with a bridge first in networks")


def _check_rates(layout: Layout, full: Container) -> None:
    """Refuse rates where there is nothing to hold back, or no place to do so."""
    for name in ("ingress_rate", "egress_rate"):
        rate = getattr(full, name)
        if rate in (None, UNLIMITED):
            continue
        if not full.networks:
            raise InvalidValue(name, show_rate(rate), "the container is on no network", "give it one in networks")
        on_parent = [each for each in names_of(full.networks) if declared_network(layout, each).on_parent]
        if on_parent and name == "ingress_rate":
            reason = f"on the network {on_parent[0]} nothing of the host's holds back what a container receives"
            raise InvalidValue(name, show_rate(rate), reason, "use networks with a bridge only")


def _check_routes(layout: Layout, full: Container, held: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse networks of which one would take a route from the other, in a container that is on both."""
    found: dict[Place, str] = {}
    for each in full.networks or ():
        known, own = declared_network(layout, each.name), {*each.addresses, *held.get(each.name, ())}
        places = [route.place for route in known.routes or () if route.gateway not in own]
        for place in (*map(own_place, known.subnets), *places):
            other = found.setdefault(place, each.name)
            if other != each.name:
                reason = f"{other} and {each.name} both have a route to {place[0]} of the same metric"
                fix = "give one of the routes another metric, or leave out one of the networks"
                raise InvalidValue("networks", [*names_of(full.networks)], reason, fix)


def _check_reached(layout: Layout, full: Container) -> None:
    """Refuse ports that can't lead to the container, as it has no address for them."""
    names = names_of(full.networks)
    families = {bits for bits in (BITS4, BITS6) if reached_on(layout, names, bits)}
    for port in full.published_ports or ():
        leading = [name for bits in families if (name := reached_on(layout, names, bits))]
        kept_apart = [name for name in leading if declared_network(layout, name).on_parent]
        if kept_apart:
            reason = f"it gets outside by the network {kept_apart[0]}, to which the host leads no ports"
            raise InvalidValue("published_ports", str(port), reason, "name one with a bridge first in networks")
        if not families:
            reason = f"nothing from outside gets to it: of its networks ({', '.join(names)}) all are internal"
            fix = "put it on one that isn't internal too, or publish none"
            raise InvalidValue("published_ports", str(port), reason, fix)
        if port.address and bits_of(port.address) not in families:
            reason = "the container is on no network with IPv6 that isn't internal"
            raise InvalidValue("published_ports", str(port), reason, "give a network of its an ipv6_subnet")
