# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of a container now, over what its record has: state, limits, networks, ports, size, waiter.

Who asks for the limits alone (:func:`.container_state.limited`) need not import what it takes to read all the others.
"""
from __future__ import annotations

import os
from typing import Any

from ..core.layout import Layout
from ..kernel import namespaces
from ..kernel.cgroups import cgroups
from ..kernel.mounts import mounted
from ..lean.dataclasses import replace
from ..oci import lifecycle
from . import (
    container_health,
    container_watch,
    endpoint,
    leases,
    rates,
    rootfs_size,
    storage_opts,
    user_network,
    volume_model,
)
from .attachments import names_of
from .container_model import Container
from .container_state import cgroup, identity_of, limited, load, status


def observe(layout: Layout, name: str) -> Container | None:
    """The container of a name: its record, with the kernel's readings over it while it runs."""
    identity = identity_of(layout, name)
    container = load(layout, identity) if identity else None
    return observed(layout, container) if container else None


def observed(layout: Layout, container: Container) -> Container:
    """A container with its state, and while it runs limits, networks and ports as the kernel has them.

    Between two runs it counts as started.
    """
    identity = container.id or ""
    image = storage_opts.has_image(layout, identity)
    container = replace(container, held=tuple(leases.held(layout, identity).items()), layer_image=image)
    container = limited(layout, container)
    if container.state == "stopped":
        return replace(container, remains=_remains(layout, container))
    readings: dict[str, Any] = {}
    if container.networks:
        there = endpoint.observe_endpoint(layout, identity, container.networks)
        names = names_of(container.networks)
        well = (name for name in names if name in there and there[name].present)
        readings["attached"] = (*well, *(name for name in there if name not in names))
        readings["ingress_rate"] = rates.told(container.ingress_rate, (each.ingress for each in there.values()))
        readings["egress_rate"] = rates.told(container.egress_rate, (each.egress for each in there.values()))
    program = user_network.of(container)
    if program:
        readings |= user_network.observe(layout, container, program)
    elif container.published_ports:
        readings["published_ports"] = endpoint.observe_ports(layout, identity, container)
    if container.storage_opts:
        upper = storage_opts.layer(layout, identity)[0]
        readings["storage_opts"] = storage_opts.of_room(rootfs_size.observe(upper))
    waiter = container_watch.observe(layout, identity)
    if lifecycle.running(layout, identity):
        readings |= container_health.observe(layout, identity)
    return replace(container, wanted=status(layout, identity).wanted, waiter=waiter, **readings)


def _remains(layout: Layout, container: Container) -> tuple[str, ...]:
    """What there is of the kernel's for a container that does not run: nothing, unless its end was cut short."""
    identity, groups = container.id or "", cgroups()
    found = {
        "cgroup": any(map(os.path.isdir, groups.directories(cgroup(container)))),
        "root filesystem": mounted(layout.container(identity, "merged")) is not None
        or rootfs_size.is_mounted(layout.container(identity, "upper")),
        "network namespace": namespaces.pinned(layout.netns(identity)),
        "health checker": lifecycle.checker(layout, identity) is not None,
        "network program": user_network.running(layout, identity) is not None,
        "volumes": bool(volume_model.held(layout, identity)),
        "published ports": bool(container.published_ports and endpoint.observe_ports(layout, identity)),
    }
    return tuple(what for what, there in found.items() if there)
