# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks on a parent: containers are on the network of an interface of the host, by macvlan or ipvlan.

Such a network has no bridge, no address of the host, and no place in the firewall: what its containers send leaves by
the parent as it is. With a VLAN the parent is an interface of the network's own, on top of the host's.
"""
from __future__ import annotations

from typing import Any

from ..errors import InvalidValue
from ..kernel import links
from ..lean.dataclasses import replace
from .network_model import BRIDGE, LONGEST, MODES, OF_DRIVER, ROUTED_MODES, Network

HOST = "host"
"""Who has the host's own addresses."""

_ONLY_HERE = "only macvlan and ipvlan have it"
_ONLY_BRIDGE = "only a bridge has it"


def check_options(want: Network, known: Network | None) -> None:
    """Refuse options that the driver has no use for, and the want of those that it needs. Raises InvalidValue."""
    driver = want.driver or (known.driver if known else None) or BRIDGE
    if driver == BRIDGE:
        _refuse(want, OF_DRIVER["parent"], _ONLY_HERE, "leave it out, or name a driver")
        return
    unused = [*OF_DRIVER["bridge"], "internal", *(("isolate",) if want.isolate is False else ())]
    _refuse(want, unused, _ONLY_BRIDGE, "leave it out")
    if want.mode and want.mode not in MODES[driver]:
        raise InvalidValue("mode", want.mode, f"modes of {driver} are {', '.join(MODES[driver])}", "name one of those")
    fresh = known is None or known.driver != driver
    for option, what in (("parent", "an interface of the host"), ("subnet", "that of the parent's network")):
        if fresh and getattr(want, option) is None:
            raise InvalidValue(option, None, f"a network of {driver} needs {what}", "name it")
    if want.enable_ipv6 and want.ipv6_subnet is None and (known is None or known.ipv6_subnet is None):
        raise InvalidValue("enable_ipv6", True, f"a network of {driver} has the addresses of its parent's network",
                           "name those in ipv6_subnet")  # fmt: skip


def _refuse(want: Network, options: Any, reason: str, fix: str) -> None:
    for option in options:
        value = getattr(want, option)
        if value not in (None, False) or (option == "isolate" and value is False):
            raise InvalidValue(option, value, reason, fix)


def completed(want: Network) -> Network:
    """Fill what was left out. A gateway is somebody else on the parent's network, or none where the kernel routes."""
    mode = want.mode or MODES[str(want.driver)][0]
    routed = mode in ROUTED_MODES
    for option in ("gateway", "ipv6_gateway"):
        if routed and getattr(want, option):
            raise InvalidValue(option, getattr(want, option), f"in mode {mode} containers have none", "leave it out")
    lower = links.links().get(want.lower) or links.links().get(str(want.parent))
    return replace(
        want,
        mode=mode,
        gateway=None if routed else want.gateway or want.range.first,
        ipv6_gateway=None if routed or not want.ipv6_subnet else want.ipv6_gateway or want.ipv6_subnet.first,
        bridge_name=None,
        masquerade=False,
        mtu=want.mtu or (lower.mtu if lower else None),
    )


def check(want: Network) -> None:
    """Refuse a parent that is not there, or does not take what is asked for. Raises :class:`InvalidValue`."""
    parent = links.links().get(str(want.parent))
    if parent is None:
        raise InvalidValue("parent", want.parent, "the host has no such interface", "name one that ip link shows")
    if parent.loopback:
        raise InvalidValue("parent", want.parent, "it leads nowhere but to the host itself", "name another")
    if want.vlan and len(want.lower) > LONGEST:
        reason = f"the name {want.lower} is longer than {LONGEST} characters"
        raise InvalidValue("parent", want.parent, reason, "give the host's interface a shorter name")
    if (want.mtu or 0) > parent.mtu:
        raise InvalidValue("mtu", want.mtu, f"that of {want.parent} is {parent.mtu}", "give a smaller one")


def observed(known: Network) -> Network:
    """A network with the state of the interface that its containers are connected to. Reads only; raises OSError."""
    link = links.links().get(known.lower)
    state = "missing" if link is None else "up"
    if link is not None and known.vlan:
        parent = links.links().get(str(known.parent))
        ours = link.kind == "vlan" and link.vlan == known.vlan and parent is not None and link.lower == parent.index
        state = "other" if not ours else "up" if link.up else "down"
    mtu = link.mtu if link and known.vlan else known.mtu
    return replace(known, link=state, mtu=mtu, addresses=(), settings=(), members=(), firewall=())


def taken_by_host(network: Network) -> dict[str, str]:
    """The addresses of the network that the host itself has, with who has them: no container can be given those."""
    if not network.on_parent:
        return {}
    found = {}
    for there in links.addresses().values():
        for address in (each.partition("/")[0] for each in there):
            if any(subnet.usable(address) for subnet in network.subnets):
                found[address] = HOST
    return found
