# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin ``containers``."""

from __future__ import annotations

DOCUMENTATION = r"""
name: containers
short_description: Containers of hosts, as hosts
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Asks hosts for their containers, and makes each a host of the inventory that tasks run in by the connection plugin
    P(pycontainers.linux.container#connection).
  - Which hosts there are is told by the sources of the inventory before this one. They are reached as their variables
    say; a host without a runtime has no containers.
  - The file's name ends in C(containers.yml) or C(containers.yaml), such as C(fleet.pycontainers.yml).
  - Each container is in the group C(pycontainers), and in groups by host, image, state, health and labels, such as
    C(pycontainers_host_alpine1), C(pycontainers_image_nginx_1_27), C(pycontainers_state_running),
    C(pycontainers_health_healthy) and C(pycontainers_label_app_shop).
  - Variables tell of each container. They are C(pycontainers_name), C(pycontainers_host), C(pycontainers_id),
    C(pycontainers_image), C(pycontainers_state), C(pycontainers_health) (V(none) where nothing is checked),
    C(pycontainers_labels), C(pycontainers_addresses), and as C(docker inspect) has them C(pycontainers_networks) and
    C(pycontainers_ports).
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: The name of this plugin, which tells that the file is one of its own.
    type: str
    required: true
    choices: [pycontainers.linux.containers]
  hosts:
    description:
      - The hosts to ask, as a pattern. It sees what the sources before this one have.
      - V(localhost) is the controller, also where no source names it.
    type: str
    default: all
  hostname:
    description:
      - What a container is called in the inventory, as an expression of the variables that tell of it. No host can be
        called so already.
    type: str
    default: pycontainers_name ~ '.' ~ pycontainers_host
  host_become:
    description:
      - Whether to become root on the hosts, which their runtime needs. How, and with which password, say the variables
        of each host.
      - Left out, its C(ansible_become) says it.
    type: bool
  strict_hosts:
    description: Whether a host that can't tell its containers is an error. If not, it is a warning.
    type: bool
    default: false
  timeout:
    description: How many seconds each host may take to answer.
    type: int
    default: 30
  forks:
    description: How many hosts are asked at a time.
    type: int
    default: 20
  root:
    description: Where the hosts' runtime keeps what it keeps.
    type: str
    default: /var/lib/pycontainers
  run:
    description: Where the hosts' runtime has what may go at a reboot.
    type: str
    default: /run/pycontainers
notes:
  - Passwords that the command line asks for are not known yet when an inventory is read. What is needed to reach hosts
    has to be in their variables.
seealso:
  - plugin: pycontainers.linux.container
    plugin_type: connection
  - module: pycontainers.linux.container_info
"""

EXAMPLES = r"""
# All containers of all hosts before:
#   ansible-playbook -i hosts.yml -i fleet.pycontainers.yml site.yml
plugin: pycontainers.linux.containers

---
# Those of some hosts, called and grouped otherwise. Hosts that can't be asked are an error.
plugin: pycontainers.linux.containers
hosts: web:!web9
hostname: pycontainers_host ~ '-' ~ pycontainers_name
strict_hosts: true
keyed_groups:
  - key: pycontainers_labels.project
    prefix: project
groups:
  broken: pycontainers_health == 'unhealthy'
compose:
  ansible_python_interpreter: "'/usr/bin/python3'"

---
# Those of the controller.
plugin: pycontainers.linux.containers
hosts: localhost
hostname: pycontainers_name
"""

from ..plugin_utils.container_inventory import ContainersOfHosts


class InventoryModule(ContainersOfHosts):
    """Containers of hosts, as hosts."""
