# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is documented of limits: the options that containers and their cgroups have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """The limits of ``container`` and ``cgroup_limit``."""

    DOCUMENTATION = r"""
options:
  memory:
    description:
      - The most memory that can be used, in bytes, or as a number with one of the units C(b), C(k), C(m), C(g), C(t)
        and C(p), which are powers of 1024, such as V(512m), or as a percentage of the host's memory, such as V(25%).
        It is rounded down to whole pages of 4096 bytes.
      - V(max), V(unlimited), V(-1) and V(0) mean no limit.
      - When more is needed than the kernel can get back, it ends a process. While more than a new limit is in use,
        setting that fails.
    type: str
  memory_swap:
    description:
      - The most memory and swap together, said as O(memory) is. It needs a limit of O(memory), and is not below that;
        if it is the same, nothing is swapped out. When O(memory) is cleared, so is this.
      - V(max), V(unlimited), V(-1) and V(0) mean no limit.
    type: str
  memory_reservation:
    description:
      - The memory that is left to it while others can give some back, said as O(memory) is.
      - V(max), V(unlimited), V(-1) and V(0) mean none.
    type: str
  memory_high:
    description:
      - The memory above which its processes are slowed down and memory is got back from them, said as O(memory) is.
        None is ended for that. Only with cgroup version 2.
      - V(max), V(unlimited), V(-1) and V(0) mean no limit.
    type: str
  memory_min:
    description:
      - The memory that is never taken from it, said as O(memory) is. Only with cgroup version 2.
      - V(max), V(unlimited), V(-1) and V(0) mean none.
    type: str
  memory_swappiness:
    description:
      - How readily its memory is swapped out, from V(0) to V(100). Only with cgroup version 1.
      - V(max), V(unlimited), V(-1) and V(default) mean what the group above has.
    type: str
  oom_group:
    description:
      - Whether all of its processes are ended together when memory runs out, and not one of them. Only with cgroup
        version 2.
      - V(false) is no limit.
    type: bool
  oom_killer:
    description:
      - Whether nothing is killed when memory runs out, so that whoever asks for more waits until there is some. As with
        Docker, V(true) switches the kernel's killer off. Only with cgroup version 1.
      - V(false) is no limit.
    type: bool
  cpus:
    description:
      - The processor time that can be used, in processors, such as V(1.5), between 0.001 and 10000, or as a percentage
        of the host's processors, such as V(50%). The kernel counts it in microseconds of O(cpu_period).
      - V(max), V(unlimited), V(-1) and V(0) mean no limit.
    type: str
  cpu_period:
    description:
      - The microseconds over which O(cpus) are counted, from V(1000) to V(1000000). When it changes, O(cpus) stay what
        they are.
      - V(max), V(unlimited), V(-1), V(0) and V(default) mean V(100000).
    type: str
  cpu_burst:
    description:
      - The microseconds of O(cpus) that are saved while they are not used, to be used at once later. Not more than is
        allowed in one period.
      - V(max), V(unlimited), V(-1) and V(0) mean none.
    type: str
  cpu_quota:
    description:
      - O(cpus) in another way; the microseconds that can be used in a period, V(1000) at least. It is shown and kept as
        O(cpus).
      - V(max), V(unlimited), V(-1) and V(0) mean no limit.
      - O(cpus) can't be in the same task as this or O(cpu_period).
    type: str
  cpu_shares:
    description:
      - How much processor time it gets beside others who want some too, from V(2) to V(262144). With cgroup version 2
        it is converted to C(cpu.weight).
      - V(max), V(unlimited), V(-1), V(0) and V(default) mean what everybody has, V(1024).
    type: str
  cpu_idle:
    description:
      - Whether it gets only the processor time that nobody else wants. O(cpu_shares) count again when this is V(false).
    type: bool
  cpuset_cpus:
    description:
      - The processors that can be used, as a list such as V(0-2,4).
      - V(""), V(max), V(unlimited) and V(-1) mean those that the group above has.
    type: str
  cpuset_mems:
    description:
      - The memory nodes that can be used, as a list such as V(0-1).
      - V(""), V(max), V(unlimited) and V(-1) mean those that the group above has.
    type: str
  pids_limit:
    description:
      - The most processes and threads. Those that are there already stay.
      - V(max), V(unlimited), V(-1) and V(0) mean no limit.
    type: str
  blkio_weight:
    description:
      - How much of a block device's time it gets beside others who want some too, from V(10) to V(1000). It counts
        where the device has a scheduler that shares by weight.
      - V(max), V(unlimited), V(-1), V(0) and V(default) mean what everybody has.
    type: str
  device_read_bps:
    description:
      - The most bytes a second that are read from block devices. An empty list is no limit.
      - A device is known by its own name afterwards, whatever it was said as.
    type: list
    elements: dict
    suboptions: &bytes
      path:
        description:
          - The device; its path, C(major:minor), or a directory, which stands for the disk that its filesystem is on.
            Partitions stand for their disk.
        type: str
        required: true
      rate:
        description:
          - Bytes a second, as a number or with a unit as in O(memory).
        type: str
        required: true
  device_write_bps:
    description:
      - The most bytes a second that are written to block devices. An empty list is no limit.
      - With cgroup version 1 only what is written past the page cache, or synchronously, is held to it.
    type: list
    elements: dict
    suboptions: *bytes
  device_read_iops:
    description:
      - The most read operations a second of block devices. An empty list is no limit.
    type: list
    elements: dict
    suboptions: &operations
      path:
        description:
          - The device, said as in O(device_read_bps).
        type: str
        required: true
      rate:
        description:
          - Operations a second.
        type: int
        required: true
  device_write_iops:
    description:
      - The most write operations a second of block devices. An empty list is no limit.
    type: list
    elements: dict
    suboptions: *operations
  hugetlb:
    description:
      - The most bytes in huge pages, by their size, such as C(2MB). They are said as O(memory) is, and rounded down to
        whole pages of that size. An empty dictionary is no limit.
    type: dict
  rdma:
    description:
      - The most C(handles) and C(objects) of RDMA devices, by the device's name. An empty dictionary is no limit.
    type: dict
  misc:
    description:
      - The most of other resources that the kernel counts, by their names in C(misc.capacity). An empty dictionary is
        no limit. Only with cgroup version 2.
    type: dict
  device_cgroup_rules:
    description:
      - Devices that can be used beside the default ones, each as C(type major:minor access), such as V(c 1:3 rwm); the
        type is C(a), C(b) or C(c), a number can be C(*), the access is made of C(r), C(w) and C(m).
      - For containers only.
    type: list
    elements: str
  paused:
    description:
      - Whether all processes are held still where they are. Left out, it stays as it is.
      - It is a state of what runs, as with Docker, and not kept. A container that is stopped and started, or replaced,
        by hand, at boot, or by a task that does not say so, runs. Of one that does not run it says nothing.
    type: bool
"""
