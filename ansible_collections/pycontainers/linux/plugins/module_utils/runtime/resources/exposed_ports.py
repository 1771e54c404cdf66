# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that a container's program listens on: those that it or its image exposes, and where all of them are published.

Which port of the host leads to one that nobody has given one follows from the container's name, so a check tells the
port that the run then takes; it is in the record, so that it stays.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, InvalidValue
from ..image import content
from ..lean.dataclasses import replace
from . import user_network
from .container_kinds import own_network
from .container_model import Container
from .ports import EVERY, EXPOSED, Exposed, Port

RANGE = "/proc/sys/net/ipv4/ip_local_port_range"


def of_image(exposed: Iterable[str]) -> set[Exposed]:
    """What an image declares (image-spec config.md, ExposedPorts), as far as those are ports."""
    found = set()
    for each in exposed:
        with suppress(ValueError):
            found |= set(EXPOSED.parse([each]))
    return found


def exposed(container: Container, config: Mapping[str, Any]) -> tuple[Exposed, ...]:
    """The ports that a container exposes by its own words, by its image's, and by publishing them."""
    published = {Exposed(each.container_port, each.protocol) for each in container.published_ports or ()}
    return tuple(sorted({*(container.exposed_ports or ()), *of_image(config.get("ExposedPorts") or ()), *published}))


def named(container: Container) -> tuple[Port, ...]:
    """The published ports that somebody has named, without those that were chosen."""
    return tuple(each for each in container.published_ports or () if each not in (container.chosen_ports or ()))


def chosen(layout: Layout, full: Container, want: Container, kept: Container | None) -> Container:
    """The container with its published ports: those that are asked for, and where all are to be, the others exposed.

    ``want`` is what the task says, ``kept`` the record. Raises :class:`InvalidValue` where they would lead nowhere.
    """
    before = (kept.chosen_ports if kept else None) or ()
    own = named(full) if want.published_ports is None else full.published_ports or ()
    if not full.publish_all_ports or not own_network(full.network_mode):
        return replace(full, published_ports=own, chosen_ports=None) if before else full
    led = {Exposed(each.container_port, each.protocol) for each in own}
    wanted = sorted({*(full.exposed_ports or ()), *_declared(layout, full)} - led)
    if wanted and not full.networks and user_network.of(full) is None:
        raise InvalidValue("publish_all_ports", True, "the container is on no network", "give it one in networks")
    known = {Exposed(each.container_port, each.protocol): each for each in before}
    found: list[Port] = []
    others = cache(lambda: [*known.values(), *_busy(layout, full.name)])
    for each in wanted:
        port = known.get(each) or Port(each.protocol, want.default_host_ip or EVERY, 0, each.port)
        if want.default_host_ip is not None:
            port = replace(port, address=want.default_host_ip)
        if not port.host_port or any(map(port.meets, (*own, *found))):
            port = _free(full.name, port, [*own, *found, *others()])
        found.append(port)
    return replace(full, published_ports=tuple(sorted({*own, *found})), chosen_ports=tuple(sorted(found)) or None)


def _declared(layout: Layout, full: Container) -> set[Exposed]:
    """What the image exposes, by the registry's word where it is yet to be pulled."""
    image = content.find_id(layout, full.image_id or "")
    if image is not None:
        return of_image(image.config.get("ExposedPorts") or ())
    if full.image is None:
        return set()
    from ..image.pull import resolve

    return of_image(resolve(layout, full.image).exposed)


def _free(name: str, port: Port, busy: list[Port]) -> Port:
    """The port with the first one of the host that nobody has, from a place on that the container's name tells."""
    from hashlib import sha256

    with open(RANGE, encoding="ascii") as file:
        first, last = map(int, file.read().split())
    size = last - first + 1
    start = int(sha256(f"{name} {port.container_port}/{port.protocol}".encode()).hexdigest(), 16)
    for step in range(size):
        found = replace(port, host_port=first + (start + step) % size)
        if not any(map(found.meets, busy)):
            return found
    reason = f"of the host's ports from {first} to {last} none is free"
    raise InvalidValue("publish_all_ports", True, reason, "name ports of the host in published_ports")


def _busy(layout: Layout, name: str) -> Iterator[Port]:
    """Ports that somebody has, or will have when it is started again."""
    from . import container_state, firewall
    from .listeners import listening

    yield from listening()
    yield from (Port(*place, 0) for place in firewall.read_ports())
    for identity in container_state.identities(layout):
        with suppress(Failure):
            other = container_state.load(layout, identity)
            if other is not None and other.name != name:
                yield from other.published_ports or ()
