#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``bridge_network``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bridge_network
short_description: Have networks of containers
version_added: 0.1.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Declares a network; a bridge of the host, its address, and its place in the host's firewall. Or, with another
    O(driver), that of an interface of the host, on which containers are then machines like others.
  - Containers on one network reach each other. They reach the outside under the host's address, unless told otherwise.
    Nothing outside reaches them but by ports that they publish.
  - What is declared is compared with the kernel's interfaces, addresses, settings and nftables. What is missing there
    is put back, such as after a reboot.
  - All rules are in an nftables table of their own named C(pycontainers), which matches the bridges of these networks
    only. The host's setting C(net.ipv4.ip_forward) is switched on, unless O(internal=true), and with IPv6
    C(net.ipv6.conf.all.forwarding) too. Interfaces of the host that hear IPv6 routers then go on to
    (C(accept_ra=2)), which they otherwise would not.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The network's name.
      - It starts with a letter or digit and goes on with letters, digits, C(_), C(.) and C(-), at most 128 in all.
    type: str
    required: true
  state:
    description:
      - V(present) makes the network, and brings it to what is declared.
      - V(absent) removes it. Fails if containers are on it.
    type: str
    default: present
    choices: [absent, present]
  driver:
    description:
      - What the containers are connected by. V(bridge) is a network of the host's own. With V(macvlan) and V(ipvlan)
        they are on the network that the interface O(parent) is on; with V(macvlan) each has a MAC address of its own,
        with V(ipvlan) all have the parent's, as switches that allow one MAC address want it.
      - On a parent's network the host has no address for the containers, masquerades nothing, and leads no ports to
        them; the kernel keeps them and the host apart. They reach others on the network, and are reached by them.
      - For a new network the default is V(bridge). Left out, an existing one keeps what it has. Can't be changed while
        containers are on the network.
    type: str
    choices: [bridge, ipvlan, macvlan]
  parent:
    description:
      - The host's interface whose network the containers are on, with V(macvlan) or V(ipvlan) as O(driver), such as
        V(eth0). It can be that of one network only, and is no port of a bridge. It is left as it is.
    type: str
  vlan:
    description:
      - The number of a VLAN on O(parent) that the containers are on, from 1 to 4094. Its interface, such as
        C(eth0.10), is made, and goes with the network. For one that the host has already, name it as O(parent).
    type: int
  mode:
    description:
      - With V(macvlan) as O(driver), what the kernel does with packets from one container to another. V(bridge) hands
        them over, V(private) drops them, V(vepa) leaves it to the switch.
      - With V(ipvlan), whether containers are neighbours of the others on the parent's network (V(l2)), or the kernel
        routes what they send, without a gateway, and others have to be told of the way to O(subnet) (V(l3), and V(l3s),
        with which the host's firewall sees it).
      - For a new network the default is V(bridge), or V(l2).
    type: str
    choices: [bridge, private, vepa, l2, l3, l3s]
  subnet:
    description:
      - The range of addresses for the network's containers, as its first address and the length of its prefix, from
        8 to 30, such as V(10.88.0.0/24). It must not overlap one that the host knows already.
      - For a new network the default is the first C(/24) of C(10.89.0.0/16) that overlaps none. Left out, an existing
        one keeps what it has.
      - On a O(parent) it is the subnet of that one's network, and has to be given. Addresses that the host has itself
        are not given out; O(ip_range) keeps containers to a part that nobody else gives out.
      - Can't be changed while containers are on the network.
    type: str
  gateway:
    description:
      - The address of the bridge, which is the containers' gateway. An address within O(subnet).
      - On a O(parent) it is that of the router there, and in modes V(l3) and V(l3s) there is none.
      - For a new network the default is the first one after the start of O(subnet). Left out, an existing one keeps
        what it has.
      - Can't be changed while containers are on the network.
    type: str
  ip_range:
    description:
      - The part of O(subnet) from which containers get addresses if they ask for none, such as V(10.88.0.128/25).
      - For a new network the default is all of O(subnet), which is also how to give up a narrower one. Left out, an
        existing one keeps what it has.
    type: str
  enable_ipv6:
    description:
      - Whether containers have an address of IPv6 too. V(true) without O(ipv6_subnet) takes a free C(/64) of addresses
        that are the host's own (RFC 4193).
      - It can be switched on while containers are on the network, each of which has its address from its next task or
        start on. It can't be switched off then.
      - For a new network the default is whether there is an O(ipv6_subnet). Left out, an existing one keeps what it
        has.
    type: bool
  ipv6_subnet:
    description:
      - The range of IPv6 addresses for the network's containers, as its first address and the length of its prefix,
        from 16 to 126, such as V(fd00:88::/64). It must not overlap one that the host knows already.
      - Left out, an existing network keeps what it has.
      - Can't be changed while containers are on the network.
    type: str
  ipv6_gateway:
    description:
      - The address of the bridge within O(ipv6_subnet).
      - The default is the first one after the start of O(ipv6_subnet). Left out, an existing network keeps what it has.
      - Can't be changed while containers are on the network.
    type: str
  ipv6_range:
    description:
      - The part of O(ipv6_subnet) from which containers get addresses if they ask for none, as O(ip_range) is of
        O(subnet).
    type: str
  bridge_name:
    description:
      - The name of the bridge's interface; at most 15 letters, digits, C(_), C(.) and C(-).
      - For a new network the default is C(pyc-) and the network's name, cut and told apart by a checksum if that is too
        long. Left out, an existing one keeps what it has.
      - Can't be changed while containers are on the network.
    type: str
  mtu:
    description:
      - The largest packet, in bytes, from 68 to 65535; with IPv6 at least 1280. Containers on the network follow at
        their next task or start.
      - For a new network the default is that of the interface that leads outside, at most 1500. Left out, an existing
        one keeps what it has.
    type: int
  masquerade:
    description:
      - Whether containers reach the outside under the host's address. V(false) is for networks whose addresses are
        routed by others.
      - For a new network the default is V(true). Left out, an existing one keeps what it has.
    type: bool
  internal:
    description:
      - Whether nothing leaves and nothing enters the network, so that its containers reach each other and the
        host's address on it only.
      - For a new network the default is V(false). Left out, an existing one keeps what it has.
    type: bool
  isolate:
    description:
      - Whether nothing but what is published reaches the network from other networks. V(false) lets it and others that
        are not isolated reach each other, by addresses.
      - For a new network the default is V(true). Left out, an existing one keeps what it has.
    type: bool
  routes:
    description:
      - What containers on the network reach by another gateway than its own. They follow at their next task or start.
      - For a new network the default is none. Left out, an existing one keeps what it has.
    type: list
    elements: dict
    suboptions:
      destination:
        description: A subnet of IPv4 or IPv6, such as V(10.20.0.0/16).
        type: str
        required: true
      gateway:
        description: An address on the network.
        type: str
        required: true
      metric:
        description: Of several routes to one destination the one with the smallest is taken.
        type: int
  labels:
    description:
      - Labels by name. They tell of the network and change nothing in it.
      - Values must be strings. Quote what YAML would read as a number, as a boolean or as nothing.
      - For a new network the default is none. Left out, an existing one keeps what it has.
    type: dict
seealso:
  - module: pycontainers.linux.bridge_network_info
  - module: pycontainers.linux.container
"""

EXAMPLES = r"""
- name: Have a network for what faces the outside
  pycontainers.linux.bridge_network:
    name: front
    subnet: 10.88.0.0/24

- name: Have a network of which only the name matters
  pycontainers.linux.bridge_network:
    name: apps

- name: Have one between the application and its database, which nothing else can reach
  pycontainers.linux.bridge_network:
    name: back
    subnet: 10.88.1.0/24
    gateway: 10.88.1.254
    bridge_name: br-back
    internal: true

- name: Have one with addresses of both families, of which containers that ask for none get those from 128 on
  pycontainers.linux.bridge_network:
    name: dual
    subnet: 10.88.2.0/24
    ip_range: 10.88.2.128/25
    ipv6_subnet: fd00:88:2::/64

- name: Use larger packets on a network whose addresses the site routes
  pycontainers.linux.bridge_network:
    name: storage
    subnet: 10.20.30.0/24
    masquerade: false
    mtu: 9000

- name: Have containers on the network that eth0 is on, as machines of their own there
  pycontainers.linux.bridge_network:
    name: lan
    driver: macvlan
    parent: eth0
    subnet: 192.168.10.0/24
    gateway: 192.168.10.1
    ip_range: 192.168.10.192/26

- name: Have them on a VLAN of it
  pycontainers.linux.bridge_network:
    name: voice
    driver: ipvlan
    parent: eth0
    vlan: 20
    subnet: 192.168.20.0/24

- name: Remove a network
  pycontainers.linux.bridge_network:
    name: back
    state: absent
"""

RETURN = r"""
network:
  description:
    - The network after the task, in the shape of C(docker network inspect). In check mode it is as it is now.
    - Empty if there is none.
  returned: success
  type: dict
  contains:
    Name:
      description: The network's name.
      returned: if there is one
      type: str
      sample: front
    Driver:
      description: What its containers are connected by; V(bridge), V(ipvlan) or V(macvlan).
      returned: if there is one
      type: str
      sample: bridge
    EnableIPv6:
      description: Whether containers have an address of IPv6 too.
      returned: if there is one
      type: bool
      sample: false
    IPAM:
      description: Subnet and gateway of each family.
      returned: if there is one
      type: dict
      sample: {"Config": [{"Subnet": "10.88.0.0/24", "Gateway": "10.88.0.1"}]}
    Internal:
      description: Whether nothing leaves and nothing enters it.
      returned: if there is one
      type: bool
      sample: false
    Isolated:
      description: Whether only published ports are reached from other networks.
      returned: if there is one
      type: bool
      sample: true
    Routes:
      description: What its containers reach by another gateway.
      returned: if there is one
      type: list
      elements: dict
      sample: []
    Labels:
      description: Its labels by name.
      returned: if there is one
      type: dict
      sample: {}
    Options:
      description: The bridge's interface and what it does; on a parent that, its VLAN, and the mode.
      returned: if there is one
      type: dict
      sample: {"bridge_name": "pyc-front", "mtu": 1500, "masquerade": true}
    Containers:
      description: The containers on it, by id.
      returned: if there is one
      type: dict
      sample:
        5b0a3f9d2c7e41d8a6f0b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f60:
          Name: web
          IPv4Address: 10.88.0.2/24
          IPv6Address: ""
          MacAddress: "02:70:0a:58:00:02"
          Aliases: []
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["write network /var/lib/pycontainers/networks/front.json", "create bridge pyc-front"]
changes:
  description: The options that differ. Empty if none does.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: The option's name, or that of a fact that the host decides, such as an image's C(id).
      returned: success
      type: str
      sample: masquerade
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: true
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: false
    effect:
      description: What the change costs containers on the network; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: live
  sample:
    - option: masquerade
      before: true
      after: false
      effect: live
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: network front
    after_header: network front
    before: "masquerade: true\n"
    after: "masquerade: false  # live\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.network import NETWORK


def main() -> None:
    """Converge the network that the task declares."""
    resource_module.run(NETWORK)


if __name__ == "__main__":
    main()
