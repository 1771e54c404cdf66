#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``container_info``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_info
short_description: Tell of containers
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Tells what there is to know of one, several or all containers of the host, as they are declared and as the kernel
    has them. Nothing is changed.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The containers, each by its name, its id or the first characters of that, 4 or more. One that is not
        there is passed over.
      - Left out, all containers are told of.
    type: list
    elements: str
  labels:
    description: Only containers that have all of these labels, each as C(KEY) or C(KEY=VALUE).
    type: list
    elements: str
  logs:
    description:
      - How many of the last lines that each container has written are told. Of what is longer than 1 MB, the end is.
      - Left out, none are.
    type: int
attributes:
  diff_mode:
    support: none
seealso:
  - module: pycontainers.linux.container
  - module: pycontainers.linux.host_info
"""

EXAMPLES = r"""
- name: Tell of all containers
  pycontainers.linux.container_info:

- name: Tell of those of a project, with what they have said last
  pycontainers.linux.container_info:
    labels: [project=shop]
    logs: 20
"""

RETURN = r"""
containers:
  description: The containers by name, in the shape of C(docker inspect).
  returned: success
  type: list
  elements: dict
  contains:
    Id:
      description: The id.
      returned: success
      type: str
      sample: a9e4aee5b367c2f1a9e4aee5b367c2f1a9e4aee5b367c2f1a9e4aee5b367c2f1
    Name:
      description: The name, after a slash.
      returned: success
      type: str
      sample: /web
    Created:
      description: When it was made, as RFC 3339 has it.
      returned: success
      type: str
      sample: "2026-11-03T09:12:44.000Z"
    Image:
      description: The id of its image.
      returned: success
      type: str
      sample: sha256:6b7a3f5c0d6e1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3
    Path:
      description: The program.
      returned: success
      type: str
      sample: nginx
    Args:
      description: Its arguments.
      returned: success
      type: list
      elements: str
      sample: ["-g", "daemon off;"]
    State:
      description: Whether it runs, since when, and how it ended last.
      returned: success
      type: dict
      sample: {"Status": "running", "Running": true, "Pid": 4711, "ExitCode": 0}
    Config:
      description: What is said of its program.
      returned: success
      type: dict
      sample: {"Image": "docker.io/library/nginx:1.27", "User": "", "Labels": {"project": "shop"}}
    HostConfig:
      description: What it is allowed, in the units of Docker, 0 for no limit.
      returned: success
      type: dict
      sample: {"Memory": 67108864, "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}
    GraphDriver:
      description: Where its root filesystem is.
      returned: success
      type: dict
      sample: {"Name": "overlay", "Data": {"MergedDir": "/var/lib/pycontainers/containers/a9e4/merged"}}
    Mounts:
      description: What of the host is mounted in it.
      returned: success
      type: list
      elements: dict
      sample: [{"Type": "bind", "Source": "/srv/pages", "Destination": "/pages", "RW": false}]
    NetworkSettings:
      description: Its networks and ports.
      returned: success
      type: dict
      sample: {"Networks": {"web": {"IPAddress": "10.88.0.2"}}, "Ports": {}}
    LogPath:
      description: The folder with what it has written, if its log driver is C(file).
      returned: success
      type: str
      sample: /var/lib/pycontainers/containers/a9e4/log
    RestartCount:
      description: How often it has been started again by itself.
      returned: success
      type: int
      sample: 0
    Logs:
      description: The last lines that it has written.
      returned: if O(logs) is given
      type: str
      sample: "ready\n"
failures:
  description: A line for each container that is there and can't be read. Empty if all can.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.container_info import CONTAINER_INFO


def main() -> None:
    """Tell of the containers that the task names."""
    resource_module.run(CONTAINER_INFO)


if __name__ == "__main__":
    main()
