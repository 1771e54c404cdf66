#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``cgroup_limit``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cgroup_limit
short_description: Limit what a container or another cgroup can use, while it runs
version_added: 0.1.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Sets, changes and clears limits of an existing container, of all containers with some labels, or of any other
    cgroup, such as that of a service of the host.
  - What runs goes on undisturbed. Its cgroup is written to, of either cgroup version. Limits of a container are kept
    for its next start; a container that does not run is limited from then on. Those of another cgroup last as long as
    that does.
  - The same limits are options of M(pycontainers.linux.container). This module is for changing them without declaring
    anything else, for example fleet-wide during an incident.
  - All limits of a task are set, or none. A limit that is left out stays what it is. One that the host's kernel or its
    cgroup version does not have is refused, unless it is to be cleared.
extends_documentation_fragment:
  - pycontainers.linux.common
  - pycontainers.linux.container_limits
options:
  name:
    description:
      - The container; its name, its id, or the first characters of that, 4 or more. It must exist.
      - Exactly one of O(name), O(labels) and O(path) is given.
    type: str
  labels:
    description:
      - All containers that have all of these labels, running or not, of their own or of their image. If there is none,
        nothing is done.
    type: dict
  path:
    description:
      - A cgroup by its path below the root of the hierarchy, such as V(/system.slice/cron.service) or
        V(/openrc.crond). It must exist.
      - Refused if process 1, an SSH server or this task itself is in it or below it, unless O(force) says otherwise.
    type: str
  state:
    description:
      - V(present) sets the limits that are given, and leaves the others alone.
      - V(absent) clears all limits.
    type: str
    default: present
    choices: [absent, present]
  force:
    description:
      - Limit the cgroup at O(path) even if the host lives by what is in it.
    type: bool
    default: false
  reclaim:
    description:
      - When more than a new limit of O(memory) is in use, have the kernel get back what it can first. Without it, and
        if that is not enough within O(reclaim_timeout), the task fails and tells both numbers.
    type: bool
    default: false
  reclaim_timeout:
    description:
      - The seconds that O(reclaim) may take.
    type: int
    default: 10
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

- name: Hold all containers of a team to two processors and a slow disk, and take their memory back down
  pycontainers.linux.cgroup_limit:
    labels:
      team: reports
    cpus: "2"
    memory: 10%
    reclaim: true
    device_write_bps:
      - path: /var/lib
        rate: 10m

- name: Hold a service of the host to a quarter of its processors
  pycontainers.linux.cgroup_limit:
    path: /system.slice/backup.service
    cpus: 25%

- name: Clear all limits
  pycontainers.linux.cgroup_limit:
    name: crawler
    state: absent
"""

RETURN = r"""
cgroup_limit:
  description:
    - The limits after the task, each under the name of its option, as the kernel holds them if it runs. A limit that
      the host does not have, or of a container that does not run has never been set, is nothing. In check mode they are
      as they are now.
    - Empty if O(labels) have chosen.
  returned: success
  type: dict
  contains: &limited
    container:
      description: The container's id.
      returned: for containers
      type: str
      sample: 5b0a3f9d2c7e41d8a6f0b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f60
    name:
      description: The container's name.
      returned: for containers
      type: str
      sample: web
    path:
      description: The cgroup's path.
      returned: for other cgroups
      type: str
      sample: /system.slice/cron.service
    memory:
      description: Bytes, or V(max) for no limit; the other limits likewise in the form of their options.
      returned: success
      type: raw
      sample: 268435456
    cpus:
      description: Processors, or V(max) for no limit.
      returned: success
      type: raw
      sample: 0.5
    usage:
      description:
        - What is used; C(memory), C(memory_peak) and C(swap) in bytes, C(pids), C(cpu) and C(cpu_throttled) in
          nanoseconds, C(memory_events) as the kernel counts them, such as C(oom_kill), and C(pressure), the time that
          processes have waited, where the kernel tells that.
        - Empty if it does not run.
      returned: success
      type: dict
      sample: {memory: 51380224, memory_peak: 60817408, swap: 0, pids: 3, cpu: 81230000, cpu_throttled: 0}
cgroup_limits:
  description: The same of each that was chosen.
  returned: success
  type: list
  elements: dict
  contains: *limited
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
    name:
      description: The container's name, or the cgroup's path.
      returned: success
      type: str
      sample: web
    option:
      description: The option's name.
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
    - name: web
      option: memory
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
    before: "web.memory: 67108864\n"
    after: "web.memory: 268435456  # live\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.cgroup_limit import CGROUP_LIMIT


def main() -> None:
    """Converge the limits that the task declares."""
    resource_module.run(CGROUP_LIMIT)


if __name__ == "__main__":
    main()
