# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for in other words than those of the rows that it is kept in."""
from __future__ import annotations

from typing import Any

from ..core.layout import Layout
from ..errors import Failure, InvalidValue
from ..lean.dataclasses import replace
from . import container_state, container_volumes
from .attachments import Attachment, filled
from .container_kinds import PRIVATE, Tmpfs
from .container_model import Container
from .container_mounts import MOUNTS, READ_ONLY, READ_WRITE, Volume, one_each
from .ports import EVERY, PORTS


def spelt(layout: Layout, want: Container) -> Container:
    """The container with all of that in its rows. Raises :class:`InvalidValue` for what is said twice."""
    want = _mounts(want)
    if want.env_file is not None:
        from . import env_file

        want = replace(want, env=tuple(sorted((env_file.read(want.env_file) | dict(want.env or ())).items())))
    if want.default_host_ip and want.published_ports is not None:
        want = replace(want, published_ports=_placed(want))
    return want if want.volumes_from is None else replace(want, volumes=_with_others(layout, want))


def _mounts(want: Container) -> Container:
    if want.mounts is None:
        return want
    filesystems = [each for each in want.mounts if isinstance(each, Tmpfs)]
    volumes = [each for each in want.mounts if isinstance(each, Volume)]
    try:
        put_in = one_each((*(want.volumes or ()), *volumes))
        tmpfs = one_each((*(want.tmpfs or ()), *filesystems))
    except ValueError as error:
        raise InvalidValue("mounts", MOUNTS.show(want.mounts), str(error), "leave out one of the two") from error
    return replace(want, volumes=put_in, tmpfs=tmpfs, mounts=None)


def _placed(want: Container) -> Any:
    """The ports, those without an address of the host with the one that is the default."""
    address = want.default_host_ip or EVERY
    ports = [each if each.address else replace(each, address=address) for each in want.published_ports or ()]
    try:
        return PORTS.parse(PORTS.show(tuple(ports)))
    except ValueError as error:
        raise InvalidValue("default_host_ip", address, str(error), "leave out one of the two") from error


def _with_others(layout: Layout, want: Container) -> tuple[Volume, ...]:
    """The volumes with those of other containers at places that are free."""
    found = {each.target: each for each in want.volumes or ()}
    taken = {*found, *(each.target for each in want.tmpfs or ())}
    for said in want.volumes_from or ():
        name, _, mode = said.partition(":")
        for each in _of_other(layout, want, said, name):
            if each.target not in taken:
                readonly = mode == READ_ONLY or (each.readonly and mode != READ_WRITE)
                found.setdefault(each.target, replace(each, readonly=readonly))
    return one_each(found.values())


def _of_other(layout: Layout, want: Container, said: str, name: str) -> tuple[Volume, ...]:
    if name == want.name:
        raise InvalidValue("volumes_from", said, "it is the container itself", "name another one")
    try:
        other = container_state.find(layout, name)
    except Failure as error:
        raise InvalidValue("volumes_from", said, error.reason, "make it first") from error
    return container_volumes.in_use(other, container_volumes.image_config(layout, other))


def networks(want: Container, kept: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """The networks of a container: those that it asks for, or else is on, with what is said of them elsewhere."""
    found = filled(kept if want.networks is None else want.networks, kept)
    if want.networks is not None and not want.purge_networks and want.network_mode in (None, PRIVATE):
        named = {each.name for each in found}
        found = (*found, *(each for each in kept if each.name not in named))
    mac = want.mac_address
    if mac is None or (not mac and not found):
        return found
    if not found:
        raise InvalidValue("mac_address", mac, "the container is on no network", "give it one in networks")
    first = want.networks[0].mac_address if want.networks else None
    if first not in (None, mac):
        raise InvalidValue("mac_address", mac, f"networks asks for {first} on the first", "leave out one of the two")
    if mac and any(each.mac_address == mac for each in found[1:]):
        raise InvalidValue("mac_address", mac, "it has that on another network", "give another one")
    return (replace(found[0], mac_address=mac or None), *found[1:])
