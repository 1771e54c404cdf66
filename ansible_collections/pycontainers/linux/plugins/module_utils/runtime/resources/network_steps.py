# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that change a network: each is one operation on the bridge, on its settings, or on the firewall."""
from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ..core import store
from ..core.layout import Layout
from ..errors import Failure, explain
from ..kernel import links, netlink
from ..lean.dataclasses import dataclass
from . import firewall, network_settings


@dataclass(frozen=True)
class CreateBridge:
    """Make a bridge."""

    bridge: str
    mac: str

    def describe(self) -> str:
        """The bridge."""
        return f"create bridge {self.bridge}"

    def do(self) -> None:
        """Make it, down, without addresses."""
        netlink.create_bridge(self.bridge, self.mac)

    def undo(self) -> None:
        """Delete it."""
        netlink.delete_link(self.bridge)


@dataclass(frozen=True)
class DeleteBridge:
    """Delete a bridge. The fields are how it was."""

    bridge: str
    mac: str
    mtu: int
    addresses: tuple[str, ...]
    settings: tuple[str, ...]

    def describe(self) -> str:
        """The bridge."""
        return f"delete bridge {self.bridge}"

    def do(self) -> None:
        """Delete it with its addresses and routes."""
        netlink.delete_link(self.bridge)

    def undo(self) -> None:
        """Make it again as it was."""
        netlink.create_bridge(self.bridge, self.mac)
        if self.mtu != links.links()[self.bridge].mtu:
            netlink.set_mtu(self.bridge, self.mtu)
        for setting in self.settings:
            path, _, value = setting.partition("=")
            if network_settings.of_bridge(setting, self.bridge):
                write_setting(path, value)
        for address in self.addresses:
            netlink.add_address(self.bridge, address)
        netlink.set_up(self.bridge, True)


@dataclass(frozen=True)
class CreateVlan:
    """Make the interface of a VLAN on top of one of the host's."""

    link: str
    parent: str
    vlan: int

    def describe(self) -> str:
        """The interface."""
        return f"create {self.link}, VLAN {self.vlan} of {self.parent}"

    def do(self) -> None:
        """Make it, down."""
        with kernel_with("8021q", self.describe()):
            netlink.create_vlan(self.link, self.parent, self.vlan)

    def undo(self) -> None:
        """Delete it."""
        netlink.delete_link(self.link)


@dataclass(frozen=True)
class DeleteVlan:
    """Delete the interface of a VLAN. The fields are how it was."""

    link: str
    parent: str
    vlan: int
    mtu: int

    def describe(self) -> str:
        """The interface."""
        return f"delete {self.link}"

    def do(self) -> None:
        """Delete it."""
        netlink.delete_link(self.link)

    def undo(self) -> None:
        """Make it again as it was."""
        netlink.create_vlan(self.link, self.parent, self.vlan)
        netlink.set_mtu(self.link, self.mtu)
        netlink.set_up(self.link, True)


@contextmanager
def kernel_with(module: str, operation: str) -> Iterator[None]:
    """Say which module the kernel lacks where it does not know a kind of interface."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        raise Failure(operation, f"the kernel has no {module}", f"load the module {module}") from error


@dataclass(frozen=True)
class SetMtu:
    """Set the largest packet of an interface of a network."""

    bridge: str
    before: int
    after: int

    def describe(self) -> str:
        """Both sizes."""
        return f"set mtu of {self.bridge} from {self.before} to {self.after}"

    def do(self) -> None:
        """Set it."""
        netlink.set_mtu(self.bridge, self.after)

    def undo(self) -> None:
        """Set it back."""
        netlink.set_mtu(self.bridge, self.before)


@dataclass(frozen=True)
class SetUp:
    """Bring a bridge up."""

    bridge: str

    def describe(self) -> str:
        """The bridge."""
        return f"bring {self.bridge} up"

    def do(self) -> None:
        """Bring it up."""
        netlink.set_up(self.bridge, True)

    def undo(self) -> None:
        """Bring it down."""
        netlink.set_up(self.bridge, False)


@dataclass(frozen=True)
class AddAddress:
    """Give a bridge an address. ``before`` says whether it has it already, and might lose it with another."""

    bridge: str
    address: str
    before: bool

    def describe(self) -> str:
        """Address and bridge."""
        return f"{'keep' if self.before else 'add'} address {self.address} on {self.bridge}"

    def do(self) -> None:
        """Add it, if it isn't there."""
        netlink.add_address(self.bridge, self.address)

    def undo(self) -> None:
        """Remove it, if it is new."""
        if not self.before:
            netlink.remove_address(self.bridge, self.address)


@dataclass(frozen=True)
class RemoveAddress:
    """Take an address from a bridge."""

    bridge: str
    address: str

    def describe(self) -> str:
        """Address and bridge."""
        return f"remove address {self.address} from {self.bridge}"

    def do(self) -> None:
        """Remove it."""
        netlink.remove_address(self.bridge, self.address)

    def undo(self) -> None:
        """Add it."""
        netlink.add_address(self.bridge, self.address)


@dataclass(frozen=True)
class JoinBridge:
    """Connect the host's end of a container's interface with the bridge again."""

    interface: str
    bridge: str

    def describe(self) -> str:
        """Interface and bridge."""
        return f"connect {self.interface} to bridge {self.bridge}"

    def do(self) -> None:
        """Make it a port of the bridge."""
        netlink.set_master(self.interface, self.bridge)

    def undo(self) -> None:
        """Leave it without a bridge."""
        netlink.set_master(self.interface, "")


@dataclass(frozen=True)
class SetSetting:
    """Write a file below /proc/sys/net; see ip-sysctl.rst of the kernel."""

    path: str
    before: str | None
    after: str

    def describe(self) -> str:
        """The setting as sysctl(8) writes it, apart from its slashes."""
        return f"set net/{self.path} to {self.after}"

    def do(self) -> None:
        """Write it."""
        write_setting(self.path, self.after)

    def undo(self) -> None:
        """Write the old value; a setting of an interface that is gone by now has none."""
        if self.before is not None:
            write_setting(self.path, self.before)


@dataclass(frozen=True)
class Place:
    """Have a bridge be in just these sets of the firewall, whose rules are put right on the way."""

    layout: Layout
    bridge: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def describe(self) -> str:
        """What becomes of the bridge."""
        if not self.after:
            return f"take {self.bridge} out of the firewall"
        return f"set firewall of {self.bridge}: {', '.join(self.after)}"

    def do(self) -> None:
        """Change rules and elements in one transaction."""
        with firewall_of(self.layout, self.describe()):
            firewall.place(self.bridge, self.after)

    def undo(self) -> None:
        """Put the bridge into the sets it was in."""
        with firewall_of(self.layout, self.describe()):
            firewall.place(self.bridge, self.before)


@contextmanager
def firewall_of(layout: Layout, operation: str) -> Iterator[None]:
    """Keep others from changing the table meanwhile, and say what the kernel refused."""
    with store.lock(layout.lock("firewall")):
        try:
            yield
        except OSError as error:
            reason = f"nf_tables: {explain(error)}"
            raise Failure(operation, reason, "check that the kernel has nf_tables with nat") from error


def write_setting(path: str, value: str) -> None:
    """Write a file below /proc/sys/net of the caller's namespace. Raises ``OSError``."""
    with open(f"/proc/sys/net/{path}", "w") as file:
        file.write(value)
