# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``linux.netDevices``: network devices of the host that move into a container (runtime-spec config-linux.md, 1.3).

A device keeps its MAC, MTU and permanent global addresses, and is up inside. When the namespace ends the kernel moves
hardware to the host's first namespace and deletes what is virtual. So devices are moved back while creating fails.
"""
from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ..errors import InvalidValue, failing
from ..kernel import link_moves, syscalls
from ..kernel.link_moves import Address
from ..kernel.links import Link, links
from ..kernel.namespaces import OWN, entered
from ..typed import NamedTuple
from .config import Config

LOOPBACK = "lo"
TAKEN = "the container's network namespace has a device of this name already"


class Moved(NamedTuple):
    """A device that has been moved: what it was outside, its addresses, and its index inside."""

    link: Link
    addresses: tuple[Address, ...]
    inside: int


def field(name: str) -> str:
    """The path of a device's field in the configuration."""
    return f"linux.netDevices[{name!r}]"


def check(config: Config) -> None:
    """Raise :class:`InvalidValue` for a device that is not there or can't move, or a name that is taken."""
    if os.geteuid():
        name = config.net_devices[0][0]
        raise InvalidValue(field(name), name, "only root can move the host's network devices")
    here, taken = links(), _taken(config)
    for name, inside in config.net_devices:
        if name not in here:
            raise InvalidValue(field(name), name, "there is no network device of this name")
        if name == LOOPBACK:
            raise InvalidValue(field(name), name, "every namespace has its own loopback device, it can't be moved")
        if inside in taken:
            raise InvalidValue(f"{field(name)}.name", inside, TAKEN)


def _taken(config: Config) -> set[str]:
    """The names of the devices that there are in the namespace: in a new one the loopback device."""
    joined = [path for kind, path in config.namespaces.joined if kind == syscalls.CLONE_NEWNET]
    if not joined:
        return {LOOPBACK}
    with failing(f"look into the network namespace {joined[0]}"):
        return set(links(joined[0]))


@contextmanager
def moved(devices: Sequence[tuple[str, str]], pid: int) -> Iterator[None]:
    """Move devices (name here, name there) to the namespace of a process; back again if the block fails.

    Raises :class:`InvalidValue` for what the kernel refuses.
    """
    home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    # With the descriptor the namespace stays, also when the process ends.
    away = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    done: list[Moved] = []
    try:
        for name, inside in devices:
            try:
                _move(name, inside, away, done)
            except OSError as error:
                raise InvalidValue(field(name), inside, _reason(error)) from error
        yield
    except BaseException:
        for each in reversed(done):
            with suppress(OSError):
                _move_back(each, home, away)
        raise
    finally:
        os.close(home)
        os.close(away)


def _reason(error: OSError) -> str:
    known = {errno.EEXIST: TAKEN, errno.EINVAL: "the kernel keeps devices of this kind in their namespace"}
    return known.get(error.errno or 0, f"the kernel refuses it: {error.strerror}")


def _move(name: str, inside: str, away: int, done: list[Moved]) -> None:
    link = links()[name]
    addresses = link_moves.permanent_addresses(link.index)
    path = f"/proc/self/fd/{away}"
    before = {each.index for each in links(path).values()}
    link_moves.move(link.index, away, inside)
    new = [each for each in links(path).values() if each.index not in before]
    # A name with %d is chosen by the kernel; another is there at once, whoever else makes devices in there.
    index = next((each.index for each in new if "%d" in inside or each.name == inside), 0)
    done.append(Moved(link, addresses, index))
    with entered(path):
        _furnish(index, addresses)
        link_moves.set_up(index)


def _furnish(index: int, addresses: Sequence[Address]) -> None:
    for each in addresses:
        link_moves.add_address(index, each)


def _move_back(device: Moved, home: int, away: int) -> None:
    """Make a device what it was: name, addresses, whether it was up, and whose port."""
    link = device.link
    with entered(f"/proc/self/fd/{away}"):
        link_moves.move(device.inside, home, link.name)
    index = links()[link.name].index
    with suppress(OSError):
        _furnish(index, device.addresses)
    if link.up:
        link_moves.set_up(index)
    if link.master:
        link_moves.set_master(index, link.master)
