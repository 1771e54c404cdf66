#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``bridge_network_info``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bridge_network_info
short_description: Tell of networks
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Tells what there is to know of one, several or all networks of the host, and which containers are on them. Nothing
    is changed.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The networks. One that is not there is passed over.
      - Left out, all networks are told of.
    type: list
    elements: str
attributes:
  diff_mode:
    support: none
seealso:
  - module: pycontainers.linux.bridge_network
"""

EXAMPLES = r"""
- name: Tell of all networks
  pycontainers.linux.bridge_network_info:

- name: Tell of one network
  pycontainers.linux.bridge_network_info:
    name: [front]
"""

RETURN = r"""
networks:
  description: The networks in the order of their names, in the shape of C(docker network inspect).
  returned: success
  type: list
  elements: dict
  contains:
    Name:
      description: The network's name.
      returned: success
      type: str
      sample: front
    Driver:
      description: What its containers are connected by; V(bridge), V(ipvlan) or V(macvlan).
      returned: success
      type: str
      sample: bridge
    EnableIPv6:
      description: Whether containers have an address of IPv6 too.
      returned: success
      type: bool
      sample: false
    IPAM:
      description: Subnet and gateway of each family.
      returned: success
      type: dict
      sample: {"Config": [{"Subnet": "10.88.0.0/24", "Gateway": "10.88.0.1"}]}
    Internal:
      description: Whether nothing leaves and nothing enters it.
      returned: success
      type: bool
      sample: false
    Isolated:
      description: Whether only published ports are reached from other networks.
      returned: success
      type: bool
      sample: true
    Routes:
      description: What its containers reach by another gateway.
      returned: success
      type: list
      elements: dict
      sample: []
    Labels:
      description: Its labels by name.
      returned: success
      type: dict
      sample: {}
    Options:
      description: The bridge's interface and what it does; on a parent that, its VLAN, and the mode.
      returned: success
      type: dict
      sample: {"bridge_name": "pyc-front", "mtu": 1500, "masquerade": true}
    Containers:
      description: The containers on it, by id.
      returned: success
      type: dict
      sample:
        5b0a3f9d2c7e41d8a6f0b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f60:
          Name: web
          IPv4Address: 10.88.0.2/24
          IPv6Address: ""
          MacAddress: "02:70:0a:58:00:02"
          Aliases: []
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.network_info import NETWORK_INFO


def main() -> None:
    """Tell of the networks that the task names."""
    resource_module.run(NETWORK_INFO)


if __name__ == "__main__":
    main()
