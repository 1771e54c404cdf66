# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container whose record can't be read, as far as its id tells: enough to end and remove all there is of it.

Process, cgroup, mounts, namespace, links, leases and folder are named by the id, and the ports by the leased
addresses. So a damaged record, or one in another version's format, keeps nobody from removing the container.
"""
from __future__ import annotations

import os

from ..core.layout import Layout
from ..errors import Failure
from . import cgroup_parent, container_observed, container_state, endpoint, leases, user_network, volume_model
from .attachments import Attachment
from .container_model import Container
from .container_mounts import Volume


def observe(layout: Layout, name: str) -> Container | None:
    """The container of a name as it is to be removed: observed, with as much as there is to read of it."""
    identity = container_state.identity_of(layout, name)
    container = load(layout, identity) if identity else None
    return container_observed.observed(layout, container) if container else None


def load(layout: Layout, identity: str) -> Container:
    """The container as its record has it, else by its id alone."""
    try:
        container = container_state.load(layout, identity)
    except Failure:
        container = None
    return container or _bare(layout, identity)


def _bare(layout: Layout, identity: str) -> Container:
    """A container by its id. Its policy is not known: while it has a waiter, it may be between two runs.

    Nor is its pid_mode: it may be one in which not all ends with the first process.
    """
    return Container(
        name=_name(layout, identity),
        id=identity,
        networks=tuple(map(Attachment, leases.held(layout, identity))),
        network_mode=user_network.running(layout, identity),
        published_ports=endpoint.observe_ports(layout, identity),
        restart_policy="always",
        pid_mode="host",
        cgroup_parent=cgroup_parent.found(identity) or None,
        volumes=tuple(Volume(f"/{each}", each) for each in volume_model.held(layout, identity)),
    )


def _name(layout: Layout, identity: str) -> str:
    """The name that stands for a container; of one that has none, the id, which is nobody's name."""
    there = os.listdir(layout.names) if os.path.isdir(layout.names) else []
    return next((each for each in there if container_state.identity_of(layout, each) == identity), identity)
