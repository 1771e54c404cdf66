# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host can do, for :func:`.config_supported.supported`."""
from __future__ import annotations

import os

from ..kernel.cgroup_values import page_sizes
from ..kernel.cgroups import V1, Cgroups, read_file
from ..lean.contextlib import suppress
from .config import Config
from .config_linux import NAMESPACES
from .config_supported import Host

_FILES = {"network": "net", "mount": "mnt"}
"""Namespace types whose file in /proc/PID/ns is not named as OCI names them."""


def facts(groups: Cgroups | None, config: Config | None = None) -> Host:
    """The facts; ``groups`` is None where the container gets no cgroup."""
    release = os.uname().release.split(".")
    return Host(
        version=groups.version if groups else 0,
        controllers=_controllers(groups),
        knobs=None,
        namespaces=frozenset(kind for kind in NAMESPACES if os.path.exists(namespace_file("self", kind))),
        own=frozenset(path for _, path in config.namespaces.joined if _own(path)) if config else frozenset(),
        kernel=(int(release[0]), int("".join(filter(str.isdigit, release[1])))),
        last_capability=int(_read("/proc/sys/kernel/cap_last_cap") or 40),
        most_files=int(_read("/proc/sys/fs/nr_open") or 1 << 20),
        page_sizes=page_sizes(),
        seccomp_actions=frozenset(_read("/proc/sys/kernel/seccomp/actions_avail").split()),
        apparmor=_read("/sys/module/apparmor/parameters/enabled") == "Y",
        selinux=os.path.exists("/sys/fs/selinux/enforce"),
    )


def namespace_file(process: int | str, kind: str) -> str:
    """The file that stands for the namespace of a process; ``kind`` is OCI's name."""
    return f"/proc/{process}/ns/{_FILES.get(kind, kind)}"


def _controllers(groups: Cgroups | None) -> frozenset[str]:
    if groups is None:
        return frozenset()
    if isinstance(groups, V1):
        return frozenset(groups.hierarchies)
    return frozenset(read_file(groups.file(".", "cgroup.controllers")).split())


def _own(path: str) -> bool:
    with suppress(OSError):
        there = os.stat(path)
        return any(
            os.path.samestat(there, os.stat(namespace_file("self", kind)))
            for kind in NAMESPACES
            if os.path.exists(namespace_file("self", kind))
        )
    return False


def _read(path: str) -> str:
    with suppress(OSError):
        return read_file(path)
    return ""
