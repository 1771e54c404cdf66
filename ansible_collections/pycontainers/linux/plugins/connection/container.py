# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection plugin ``container``."""

from __future__ import annotations

DOCUMENTATION = r"""
name: container
short_description: Run tasks in containers of hosts
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Runs tasks in a container, so that roles and modules which know nothing of containers work in it.
  - The container is one of a host of the inventory, which is reached as its own variables say, by ssh or however else;
    or of the controller. Each command is run by the host's runtime, as C(pycontainers exec) runs programs.
  - The inventory plugin P(pycontainers.linux.containers#inventory) finds containers and sets all that is needed.
  - In the container there have to be C(/bin/sh), C(cat), C(head) and C(dd), and Python for all modules but
    M(ansible.builtin.raw). The container has to run.
options:
  container:
    description:
      - The container's name, its id, or the first characters of that, 4 or more.
      - Left out, it is called as in the inventory, or as C(ansible_host) says.
    type: str
    vars:
      - name: ansible_pycontainers_name
  host:
    description:
      - The host of the inventory that the container is on. All variables that say how to reach it and how to become
        root there are taken from that host, such as C(ansible_connection), C(ansible_host), C(ansible_user) and
        C(ansible_become). It can't be a container itself.
      - Left out, the container is one of the controller.
    type: str
    default: localhost
    vars:
      - name: ansible_pycontainers_host
  host_become:
    description:
      - Whether to become root on the host, which its runtime needs. How, and with which password, say the variables
        of the host.
      - Left out, its C(ansible_become) says it. C(become) of a play or task is for the user in the container.
    type: bool
    vars:
      - name: ansible_pycontainers_host_become
  remote_user:
    description:
      - The user in the container, and after a colon the group, each a name in the container or a number.
      - Who logs in to hosts means nothing in their containers. So an C(ansible_user) counts only if the host does not
        have the same, and a C(remote_user) of the play or task only if it is another than that of the command line and
        of the configuration.
    type: str
    default: root
    vars:
      - name: ansible_user
      - name: ansible_pycontainers_user
    keyword:
      - name: remote_user
  root:
    description: Where the host's runtime keeps what it keeps.
    type: str
    default: /var/lib/pycontainers
    vars:
      - name: ansible_pycontainers_root
  run:
    description: Where the host's runtime has what may go at a reboot.
    type: str
    default: /run/pycontainers
    vars:
      - name: ansible_pycontainers_run
  pipelining:
    description:
      - Whether modules go to Python by its standard input, instead of being copied into the container first.
      - Nothing in a container speaks against it, and each task is faster by it.
    type: bool
    default: true
    vars:
      - name: ansible_pipelining
      - name: ansible_pycontainers_pipelining
notes:
  - What is copied passes through programs in the container, so no link there leads to files of the host.
  - Variables of a group that has hosts and their containers are for both. Where C(ansible_python_interpreter) is such a
    one and does not fit, set it for the containers.
  - If the host asks for a password to become root, the container can't ask for another one.
seealso:
  - plugin: pycontainers.linux.containers
    plugin_type: inventory
  - module: pycontainers.linux.container_exec
"""

EXAMPLES = r"""
# An inventory with a container of a host, and one of the controller.
all:
  hosts:
    alpine1:
      ansible_host: 192.0.2.11
      ansible_user: deploy
      ansible_become: true
    web.alpine1:
      ansible_connection: pycontainers.linux.container
      ansible_pycontainers_host: alpine1
      ansible_pycontainers_name: web
    scratch:
      ansible_connection: pycontainers.linux.container
"""

from ..plugin_utils.container_connection import InContainer


class Connection(InContainer):
    """Run tasks in a container."""
