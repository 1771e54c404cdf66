#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``cgroup_limit``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cgroup_limit
short_description: Limit what a container can use, while it runs
version_added: 0.1.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Sets, changes and clears limits of an existing container, whether it runs or not.
  - A container that runs goes on undisturbed. Its cgroup is written to, of either cgroup version, and the limits are
    kept for its next start.
  - The same limits are options of M(pycontainers.linux.container). This module is for changing them without declaring
    anything else, for example fleet-wide during an incident.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The name of the container. It must exist.
    type: str
    required: true
  state:
    description:
      - V(present) sets the limits that are given, and leaves the others alone.
      - V(absent) clears all limits.
    type: str
    default: present
    choices: [absent, present]
  memory:
    description:
      - The most memory that the container can use, in bytes, or as a number with one of the units C(b), C(k), C(m),
        C(g), C(t) and C(p), which are powers of 1024, such as V(512m).
        It is rounded down to whole pages of 4096 bytes.
      - V(max), V(unlimited), V(-1) and V(0) mean no limit. Left out, it stays what it is.
      - Fails if the container uses more than that and the kernel can't get it back.
    type: str
  cpus:
    description:
      - The processor time that the container can use, in processors, such as V(1.5); between 0.01 and 10000, in steps
        of 0.00001. It is counted over 100 milliseconds.
      - V(max), V(unlimited), V(-1) and V(0) mean no limit. Left out, it stays what it is.
    type: str
  pids_limit:
    description:
      - The most processes and threads that the container can have. Those that it has already stay.
      - V(max), V(unlimited), V(-1) and V(0) mean no limit. Left out, it stays what it is.
    type: str
seealso:
  - module: pycontainers.linux.container
"""

EXAMPLES = r"""
- name: Give the web servers of the fleet more memory while they run
  pycontainers.linux.cgroup_limit:
    name: web
    memory: 256m

- name: Throttle a container that takes more than its share
  pycontainers.linux.cgroup_limit:
    name: crawler
    cpus: "0.25"
    pids_limit: "50"

- name: Let it have all processors again, and keep the other limits
  pycontainers.linux.cgroup_limit:
    name: crawler
    cpus: max

- name: Clear all limits
  pycontainers.linux.cgroup_limit:
    name: crawler
    state: absent
"""

RETURN = r"""
cgroup_limit:
  description:
    - The container's limits after the task, as the kernel holds them if it runs. In check mode they are as they are
      now.
  returned: success
  type: dict
  contains:
    container:
      description: The container's id.
      returned: success
      type: str
      sample: 5b0a3f9d2c7e41d8a6f0b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f60
    name:
      description: The container's name.
      returned: success
      type: str
      sample: web
    memory:
      description: Bytes, or V(max) for no limit. Nothing if it has never been limited.
      returned: success
      type: raw
      sample: 268435456
    cpus:
      description: Processors, or V(max) for no limit. Nothing if it has never been limited.
      returned: success
      type: raw
      sample: 0.5
    pids_limit:
      description: Processes and threads, or V(max) for no limit. Nothing if it has never been limited.
      returned: success
      type: raw
      sample: 100
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["set memory to 268435456 (was 67108864) on cgroup pycontainers/5b0a3f9d2c7e"]
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
      sample: memory
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: 67108864
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: 268435456
    effect:
      description: What the change costs the container; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: live
  sample:
    - option: memory
      before: 67108864
      after: 268435456
      effect: live
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: cgroup_limit web
    after_header: cgroup_limit web
    before: "memory: 67108864\n"
    after: "memory: 268435456  # live\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.cgroup_limit import CGROUP_LIMIT


def main() -> None:
    """Converge the limits that the task declares."""
    resource_module.run(CGROUP_LIMIT)


if __name__ == "__main__":
    main()
