# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that a container's program listens on: those that it or its image exposes, and where they are published.

Which port of the host leads to one that nobody has given one follows from the container's name, so a check tells the
port that the run then takes; it is in the record, so that it stays. Only where somebody else has it when the container
is started again, another one is taken.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, InvalidValue
from ..image import content
from ..lean.dataclasses import replace
from . import container_network, user_network
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
    """The published ports that somebody has asked for, without those that are chosen as all are to be published."""
    return tuple(each for each in container.published_ports or () if each not in (container.chosen_ports or ()))


def asked(container: Container) -> tuple[Port, ...]:
    """The same as somebody has asked for them, which may be without a port of the host."""
    free = container.free_ports or ()
    return tuple(replace(each, host_port=0) if each in free else each for each in named(container))


def chosen(
    layout: Layout, full: Container, want: Container, kept: Container | None, have: Container | None
) -> Container:
    """The container with its published ports: those that are asked for, and where all are to be, the others exposed.

    Those that name no port of the host have the one that they had, or else a free one. ``want`` is what the task says,
    ``kept`` the record. Raises :class:`InvalidValue` where they would lead nowhere.
    """
    said = asked(full) if want.published_ports is None else full.published_ports or ()
    before = _before(layout, full, kept, have)
    all_of_them = full.publish_all_ports and own_network(full.network_mode)
    every = _others(layout, full, want, said, before) if all_of_them else []
    if not full.networks and user_network.of(full) is None:
        if every:
            raise InvalidValue("publish_all_ports", True, "the container is on no network", "give it one in networks")
        return replace(full, published_ports=said, free_ports=None, chosen_ports=None)
    busy = cache(lambda: [*before, *_busy(layout, full.name)])
    found = [each for each in said if each.host_port]

    def given(option: str, port: Port) -> Port:
        port = _as_before(port, before, said)
        if not port.host_port or any(map(port.meets, found)):
            port = _free(option, full.name, port, [*found, *busy()])
        found.append(port)
        return port

    free = tuple(sorted(given("published_ports", each) for each in said if not each.host_port))
    more = tuple(sorted(given("publish_all_ports", each) for each in every))
    return replace(full, published_ports=tuple(sorted(found)), free_ports=free or None, chosen_ports=more or None)


def _before(layout: Layout, full: Container, kept: Container | None, have: Container | None) -> list[Port]:
    """The ports of the host that it has been given, but for one that is taken before it is started again."""
    given = [*(kept.free_ports or ()), *(kept.chosen_ports or ())] if kept else []
    if have is None or have.state == "started" or full.state != "started":
        return given
    return [each for each in given if not _is_taken(layout, full, have, each)]


def _is_taken(layout: Layout, full: Container, have: Container, port: Port) -> bool:
    try:
        container_network.check_ports(layout, replace(full, published_ports=(port,)), have.id, ())
    except InvalidValue:
        return True
    return False


def _as_before(port: Port, before: Sequence[Port], said: Sequence[Port]) -> Port:
    """The port of the host that it had; also of another address, unless that is asked for beside."""
    same = [each for each in before if (each.protocol, each.container_port) == (port.protocol, port.container_port)]
    exact = [each for each in same if each.address == port.address]
    spare = [each for each in same if replace(each, host_port=0) not in said]
    return next((replace(each, address=port.address) for each in (*exact, *spare)), port)


def _others(
    layout: Layout, full: Container, want: Container, said: Sequence[Port], before: Sequence[Port]
) -> list[Port]:
    """The ports that are exposed and that nobody publishes by name, at the address at which they are."""
    led = {Exposed(each.container_port, each.protocol) for each in said}
    places = {Exposed(each.container_port, each.protocol): each.address for each in before}
    if want.default_host_ip is not None:
        places = dict.fromkeys(places, want.default_host_ip)
    usual = want.default_host_ip or EVERY
    exposed = sorted({*(full.exposed_ports or ()), *_declared(layout, full)} - led)
    return [Port(each.protocol, places.get(each, usual), 0, each.port) for each in exposed]


def _declared(layout: Layout, full: Container) -> set[Exposed]:
    """What the image exposes, by the registry's word where it is yet to be pulled."""
    image = content.find_id(layout, full.image_id or "")
    if image is not None:
        return of_image(image.config.get("ExposedPorts") or ())
    if full.image is None:
        return set()
    from ..image.pull import resolve

    return of_image(resolve(layout, full.image).exposed)


def _free(option: str, name: str, port: Port, busy: list[Port]) -> Port:
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
    said = True if option == "publish_all_ports" else str(port)
    raise InvalidValue(option, said, reason, "name ports of the host in published_ports")


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
