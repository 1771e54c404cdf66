# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network needs of the kernel's settings, the files below /proc/sys/net; see ip-sysctl.rst of the kernel.

A bridge is to the host an interface like any other. So that nobody on it passes for a router, the host listens to none
there (CVE-2020-13401), and has IPv6 on it only if the network has.

A host that forwards IPv6 takes itself for a router, forgets the default routes that routers have told it, and hears
no more of them: its own connection goes with its first network. Interfaces that hear routers are therefore told to go
on (accept_ra of 2) before forwarding is switched on.
"""
from __future__ import annotations

import os

from ..kernel import links
from .network_model import IPV6_MTU, Network

HEARS, HEARS_AS_ROUTER = "1", "2"


def wanted(network: Network) -> tuple[str, ...]:
    """What must hold, in the order in which it is written: those of the bridge, then those of the host.

    127.0.0.1 may lead to containers, and their packets are routed.
    """
    if network.on_parent:
        return ()
    ipv6 = network.ipv6_subnet is not None
    found = [f"ipv4/conf/{network.bridge_name}/route_localnet=1"]
    # The kernel has nothing of IPv6 on an interface that is too small for it.
    if ipv6 or (_has_ipv6() and (network.mtu or IPV6_MTU) >= IPV6_MTU):
        found.append(f"ipv6/conf/{network.bridge_name}/accept_ra=0")
        found.append(f"ipv6/conf/{network.bridge_name}/disable_ipv6={0 if ipv6 else 1}")
    if not network.internal:
        found.append("ipv4/ip_forward=1")
        if ipv6:
            found += [f"{path}={HEARS_AS_ROUTER}" for path in _hearing(network)]
            found.append("ipv6/conf/all/forwarding=1")
    return tuple(found)


def read(network: Network) -> tuple[str, ...]:
    """What holds now of what is wanted."""
    paths = (setting.partition("=")[0] for setting in wanted(network))
    found = ((path, links.setting(path)) for path in paths)
    return tuple(f"{path}={value}" for path, value in found if value is not None)


def of_bridge(setting: str, bridge: str) -> bool:
    """Whether a setting is one of the bridge's, which come and go with it."""
    return f"/conf/{bridge}/" in setting


def _hearing(network: Network) -> list[str]:
    """The settings of the host's interfaces that hear routers, and would no more once IPv6 is forwarded.

    Where it is forwarded already they don't hear, and that is not ours to change. A bridge's ports hear nothing.
    """
    if links.setting("ipv6/conf/all/forwarding") == "1":
        return []
    own = [link.name for link in links.links().values() if not link.master and not link.loopback]
    paths = [f"ipv6/conf/{name}/accept_ra" for name in sorted(own) if name != network.bridge_name]
    return [path for path in paths if links.setting(path) == HEARS]


def _has_ipv6() -> bool:
    return os.path.isdir("/proc/sys/net/ipv6")
