#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``container_stats``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_stats
short_description: Tell what containers use
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Tells what one, several or all running containers of the host use of processors, memory, network, block devices and
    processes, in numbers that a play can decide by. Nothing is changed.
  - C(pycontainers stats --json) prints the same.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The containers, by name or id. One that is not there is passed over; one that does not run is told of without
        numbers.
      - Left out, all that run are told of.
    type: list
    elements: str
  interval:
    description:
      - For how many seconds the share of the processors is measured, 60 at most. The task takes that long.
      - With V(0) it is not measured.
    type: float
    default: 0
attributes:
  diff_mode:
    support: none
seealso:
  - module: pycontainers.linux.container
  - module: pycontainers.linux.cgroup_limit
"""

EXAMPLES = r"""
- name: Tell what all running containers use
  pycontainers.linux.container_stats:

- name: Measure for two seconds what one container uses
  pycontainers.linux.container_stats:
    name: [web]
    interval: 2
"""

RETURN = r"""
containers:
  description:
    - What each container uses, in the order of O(name), or of their names. Counts are since the container was started.
    - What the host does not count is nothing, and so are all numbers of a container that does not run.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The container's id.
      returned: success
      type: str
      sample: 5b0a3f9d2c7e41d8a6f0b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f60
    name:
      description: The container's name.
      returned: success
      type: str
      sample: web
    running:
      description: Whether its program runs. If it does not, there are no numbers.
      returned: success
      type: bool
      sample: true
    read:
      description: When this was read, in UTC.
      returned: success
      type: str
      sample: "2026-11-30T05:29:55.164Z"
    cpu_percent:
      description: Its share of the processors over O(interval); 100 is one processor. Nothing if that is V(0).
      returned: success
      type: float
      sample: 53.78
    cpu_usage:
      description: Nanoseconds of processor time that it has used.
      returned: success
      type: int
      sample: 790484264
    cpu_usage_user:
      description: Nanoseconds of that outside of the kernel.
      returned: success
      type: int
      sample: 770000000
    cpu_usage_system:
      description: Nanoseconds of that in the kernel.
      returned: success
      type: int
      sample: 10000000
    cpu_periods:
      description: In how many periods of a tenth of a second it ran under a limit of processors.
      returned: success
      type: int
      sample: 16
    cpu_throttled_periods:
      description: In how many of these the limit held it back.
      returned: success
      type: int
      sample: 13
    cpu_throttled:
      description: For how many nanoseconds the limit held it back, summed over processors.
      returned: success
      type: int
      sample: 487473628
    memory_usage:
      description: Bytes of memory in use, without cache that has not been used lately, as Docker shows it.
      returned: success
      type: int
      sample: 27262976
    memory_limit:
      description: Bytes that it may use; without a limit, the memory of the host.
      returned: success
      type: int
      sample: 67108864
    memory_percent:
      description: The one in percent of the other.
      returned: success
      type: float
      sample: 40.63
    memory_peak:
      description: The most bytes that were in use at a time, with all cache. Version 2 tells it from Linux 5.19 on.
      returned: success
      type: int
      sample: 41943040
    memory_cache:
      description: Bytes of files in memory.
      returned: success
      type: int
      sample: 12582912
    swap_usage:
      description: Bytes of swap in use.
      returned: success
      type: int
      sample: 0
    swap_limit:
      description: Bytes of swap that it may use. Nothing if there is no limit.
      returned: success
      type: int
      sample: 67108864
    oom_kills:
      description: How many of its processes the kernel has killed for want of memory.
      returned: success
      type: int
      sample: 0
    networks:
      description: What has gone through its interfaces, by name. Empty if it has none of its own.
      returned: success
      type: dict
      sample:
        eth0:
          rx_bytes: 320
          rx_packets: 4
          rx_errors: 0
          rx_dropped: 0
          tx_bytes: 0
          tx_packets: 0
          tx_errors: 0
          tx_dropped: 0
    block_read_bytes:
      description: Bytes read from block devices.
      returned: success
      type: int
      sample: 1048576
    block_write_bytes:
      description: Bytes written to block devices.
      returned: success
      type: int
      sample: 4096
    block_read_ops:
      description: How many times was read from block devices.
      returned: success
      type: int
      sample: 12
    block_write_ops:
      description: How many times was written to block devices.
      returned: success
      type: int
      sample: 1
    pids_current:
      description: How many processes and threads it has.
      returned: success
      type: int
      sample: 5
    pids_limit:
      description: How many it may have. Nothing if there is no limit.
      returned: success
      type: int
      sample: 100
    pressure:
      description:
        - For how much of the last 10, 60 and 300 seconds, in percent, some or all of its processes waited for C(cpu),
          C(memory) and C(io), and for how many microseconds in all.
        - Empty in cgroup version 1, and where the kernel does not tell it.
      returned: success
      type: dict
      sample:
        memory:
          some: {avg10: 1.5, avg60: 0.25, avg300: 0.0, total: 77}
          full: {avg10: 0.0, avg60: 0.0, avg300: 0.0, total: 0}
unreadable:
  description: A sentence for each container whose record can't be read. Of these nothing is told.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.container_stats import CONTAINER_STATS


def main() -> None:
    """Tell what the containers that the task names use."""
    resource_module.run(CONTAINER_STATS)


if __name__ == "__main__":
    main()
