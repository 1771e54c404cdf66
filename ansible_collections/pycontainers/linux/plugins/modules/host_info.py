#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``host_info``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Tell what a host has for containers
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Tells of the host, its kernel and what is in the store. Nothing is changed and nothing is tried, so that no module
    of the kernel is loaded by the question.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  disk_usage:
    description: Whether to add up what the store takes on the disk, for which every file in it is looked at.
    type: bool
    default: false
attributes:
  diff_mode:
    support: none
seealso:
  - module: pycontainers.linux.container_info
  - module: pycontainers.linux.image_info
"""

EXAMPLES = r"""
- name: Tell what the host has
  pycontainers.linux.host_info:

- name: Tell what the store takes, too
  pycontainers.linux.host_info:
    disk_usage: true
"""

RETURN = r"""
host_info:
  description: The host, in the words of C(docker info) where they mean the same.
  returned: success
  type: dict
  contains:
    Name:
      description: The host name.
      returned: success
      type: str
      sample: web1
    OperatingSystem:
      description: The distribution.
      returned: success
      type: str
      sample: Alpine Linux v3.23
    OSType:
      description: The kind of kernel.
      returned: success
      type: str
      sample: linux
    Architecture:
      description: The processor's architecture, in the kernel's words.
      returned: success
      type: str
      sample: x86_64
    KernelVersion:
      description: The kernel's release.
      returned: success
      type: str
      sample: 6.18.1-0-virt
    Kernel:
      description:
        - What the kernel has or can load. Nothing where that can't be told without trying it.
        - C(project_quota) is of the filesystem that O(root) is on.
      returned: success
      type: dict
      sample: {"overlay": true, "nf_tables": true, "macvlan": false, "project_quota": false}
    NCPU:
      description: How many processors there are.
      returned: success
      type: int
      sample: 2
    MemTotal:
      description: Bytes of memory.
      returned: success
      type: int
      sample: 2048000000
    InitSystem:
      description: What has started the host, V(openrc), V(systemd) or the name of its first process.
      returned: success
      type: str
      sample: openrc
    CgroupDriver:
      description: V(cgroupfs), or V(none) if no control groups are mounted.
      returned: success
      type: str
      sample: cgroupfs
    CgroupVersion:
      description: The version of control groups.
      returned: success
      type: str
      sample: "2"
    CgroupControllers:
      description: The controllers that can be used.
      returned: success
      type: list
      elements: str
      sample: ["cpu", "io", "memory", "pids"]
    SecurityOptions:
      description: What confines containers besides namespaces and capabilities.
      returned: success
      type: list
      elements: str
      sample: ["name=seccomp,profile=builtin"]
    SecurityModules:
      description: The Linux security modules that are on.
      returned: success
      type: list
      elements: str
      sample: ["capability", "landlock", "yama"]
    LibseccompVersion:
      description: The version of libseccomp. Empty if it is missing, and then no container starts.
      returned: success
      type: str
      sample: 2.6.0
    Containers:
      description: How many containers there are.
      returned: success
      type: int
      sample: 3
    ContainersRunning:
      description: How many run.
      returned: success
      type: int
      sample: 2
    ContainersPaused:
      description: How many are held still.
      returned: success
      type: int
      sample: 0
    ContainersRestarting:
      description: How many are between two runs.
      returned: success
      type: int
      sample: 0
    ContainersStopped:
      description: How many do not run.
      returned: success
      type: int
      sample: 1
    Failures:
      description: A line for each container that can't be read.
      returned: success
      type: list
      elements: str
      sample: []
    Images:
      description: How many images the store has.
      returned: success
      type: int
      sample: 4
    Networks:
      description: How many networks there are.
      returned: success
      type: int
      sample: 1
    Driver:
      description: What root filesystems are made with.
      returned: success
      type: str
      sample: overlay
    RootDir:
      description: The directory of what is kept.
      returned: success
      type: str
      sample: /var/lib/pycontainers
    RunDir:
      description: The directory of what is gone after a reboot.
      returned: success
      type: str
      sample: /run/pycontainers
    Store:
      description: The filesystem that O(root) is on; bytes in all, and free.
      returned: success
      type: dict
      sample: {"Size": 21474836480, "Free": 12884901888}
    RuntimeVersion:
      description: The digest of the installed runtime. Empty if none is.
      returned: success
      type: str
      sample: 3f2a91c07d5e8b64
    RuntimePath:
      description: Where it is installed.
      returned: success
      type: str
      sample: /var/lib/pycontainers/runtime/current
    DiskUsage:
      description: Bytes on the disk; of blobs, unpacked layers, what containers have written, and runtimes.
      returned: if O(disk_usage=true)
      type: dict
      sample: {"Blobs": 72950432, "Layers": 190840832, "Containers": 409600, "Runtime": 3145728}
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.host_info import HOST_INFO


def main() -> None:
    """Tell of the host."""
    resource_module.run(HOST_INFO)


if __name__ == "__main__":
    main()
