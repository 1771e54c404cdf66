#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``volume_info``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_info
short_description: Tell of volumes
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Tells what there is to know of one, several or all volumes of the host, and which containers use them. Nothing is
    changed.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The volumes. One that is not there is passed over.
      - Left out, all volumes are told of.
    type: list
    elements: str
  size:
    description: Whether to tell what they take on the disk. All their files have to be looked at for that.
    type: bool
    default: false
attributes:
  diff_mode:
    support: none
seealso:
  - module: pycontainers.linux.volume
"""

EXAMPLES = r"""
- name: Tell of all volumes
  pycontainers.linux.volume_info:

- name: Tell of one volume, and of its size
  pycontainers.linux.volume_info:
    name: [db-files]
    size: true
"""

RETURN = r"""
volumes:
  description: The volumes in the order of their names, in the shape of C(docker volume inspect).
  returned: success
  type: list
  elements: dict
  contains:
    Name:
      description: The volume's name.
      returned: success
      type: str
      sample: db-files
    Driver:
      description: Always V(local).
      returned: success
      type: str
      sample: local
    Mountpoint:
      description: The directory of the host that containers see.
      returned: success
      type: str
      sample: /var/lib/pycontainers/volumes/db-files/_data
    CreatedAt:
      description: When it was made.
      returned: success
      type: str
      sample: "2026-01-31T12:00:00.000Z"
    Labels:
      description: Its labels by name.
      returned: success
      type: dict
      sample: {"backup": "daily"}
    Options:
      description: What is mounted in it.
      returned: success
      type: dict
      sample: {}
    Scope:
      description: Always V(local).
      returned: success
      type: str
      sample: local
    Anonymous:
      description: Whether it was made for a container that gave it no name.
      returned: success
      type: bool
      sample: false
    Containers:
      description: The containers that use it, by id, whether they run or not.
      returned: success
      type: dict
      sample:
        5b0a3f9d2c7e41d8a6f0b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f60:
          Name: db
    UsageData:
      description: What it takes on the disk in bytes, and how many containers use it.
      returned: with O(size)
      type: dict
      sample: {"Size": 1048576, "RefCount": 1}
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.volume_info import VOLUME_INFO


def main() -> None:
    """Tell of the volumes that the task names."""
    resource_module.run(VOLUME_INFO)


if __name__ == "__main__":
    main()
