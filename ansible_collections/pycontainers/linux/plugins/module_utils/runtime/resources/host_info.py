# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``host_info``: what a host has for containers and what is on it, in the words of ``docker info`` where they fit."""
from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..core.kinds import BOOL
from ..core.layout import Layout
from ..core.model import option
from ..core.question import Question
from ..errors import Failure
from ..image import content
from ..image.room import size_of
from ..kernel import features, libseccomp, quota
from ..kernel.cgroups import Cgroups, cgroups
from ..lean.dataclasses import dataclass
from ..oci import lifecycle
from . import container_state, service, supervise
from .network_model import names


@dataclass(frozen=True, kw_only=True)
class HostInfo:
    """The row of a question: whether to add up what the store takes, for which all of it has to be looked at."""

    disk_usage: bool = option(BOOL, default=False, request=True)
    state: str = "present"


class HostInfoResource(Question[HostInfo]):
    """One host."""

    model = HostInfo

    def facts(self, layout: Layout, have: HostInfo | None) -> Mapping[str, Any]:
        """All there is to tell."""
        return {"host_info": described(layout, bool(have and have.disk_usage))}


def described(layout: Layout, disk_usage: bool) -> dict[str, Any]:
    """The host, its kernel, and what is in the store."""
    system, version = os.uname(), service.installed(layout)
    return {
        "Name": system.nodename,
        "OperatingSystem": _operating_system(),
        "OSType": system.sysname.lower(),
        "Architecture": system.machine,
        "KernelVersion": system.release,
        "Kernel": _kernel(layout),
        "NCPU": os.cpu_count() or 0,
        "MemTotal": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "InitSystem": _init_system(),
        **_cgroups(),
        **_security(),
        **_containers(layout),
        "Images": len(content.images(layout)),
        "Networks": len(names(layout)),
        "Driver": "overlay",
        "RootDir": layout.root,
        "RunDir": layout.run,
        "Store": _room(layout),
        "RuntimeVersion": version,
        "RuntimePath": f"{layout.runtimes}/current" if version else "",
        **({"DiskUsage": _disk_usage(layout)} if disk_usage else {}),
    }


def _operating_system() -> str:
    """What the distribution calls itself (os-release(5))."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            found = dict(line.strip().split("=", 1) for line in file if "=" in line)
            return found.get("PRETTY_NAME", found.get("NAME", "")).strip("\"'")
    return ""


def _init_system() -> str:
    """What started the host: systemd and OpenRC by what they leave in /run, others by the name of process 1."""
    for name, folder in (("systemd", "/run/systemd/system"), ("openrc", "/run/openrc")):
        if os.path.isdir(folder):
            return name
    with suppress(OSError), open("/proc/1/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
    return ""


def _kernel(layout: Layout) -> dict[str, bool | None]:
    """What the kernel has, and whether the filesystem of the store is mounted with project quotas."""
    folder = layout.root
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return {**features.features(), "project_quota": quota.enforced(folder)}


def _cgroups() -> dict[str, Any]:
    try:
        groups = cgroups()
    except Failure:
        return {"CgroupDriver": "none", "CgroupVersion": "", "CgroupControllers": []}
    return {
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": str(groups.version),
        "CgroupControllers": _controllers(groups),
    }


def _controllers(groups: Cgroups) -> list[str]:
    """Those that can be used: with version 1 those that are mounted, of the ones that containers get a group in."""
    if groups.version == 2:
        with open(groups.file(".", "cgroup.controllers"), encoding="utf-8") as file:
            return sorted(file.read().split())
    return sorted(getattr(groups, "hierarchies", {}))


def _security() -> dict[str, Any]:
    """The security modules, and as Docker lists them what confines containers: here the seccomp profile only."""
    try:
        version = libseccomp.version()
    except Failure:
        version = ""
    confining = [*(["name=seccomp,profile=builtin"] if version else []), "name=cgroupns"]
    return {
        "SecurityOptions": confining,
        "SecurityModules": features.security_modules(),
        "LibseccompVersion": version,
    }


def _containers(layout: Layout) -> dict[str, Any]:
    """How many containers are in which state, and a line for each that can't be read."""
    found, failures = supervise.named(layout)
    counts = dict.fromkeys(("Running", "Paused", "Restarting", "Stopped"), 0)
    for each in found:
        if each.state != "started":
            word = "Stopped"
        elif not lifecycle.running(layout, each.id or ""):
            word = "Restarting"
        else:
            word = "Paused" if container_state.paused(each) else "Running"
        counts[word] += 1
    told = {f"Containers{word}": count for word, count in counts.items()}
    return {"Containers": len(found), **told, "Failures": failures}


def _room(layout: Layout) -> dict[str, int]:
    """The filesystem that the store is on, or will be: bytes in all and bytes free, for whoever is not root."""
    folder = layout.root
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    there = os.statvfs(folder)
    return {"Size": there.f_blocks * there.f_frsize, "Free": there.f_bavail * there.f_frsize}


def _disk_usage(layout: Layout) -> dict[str, int]:
    """Bytes on the disk."""
    upper = [layout.container(each) for each in container_state.identities(layout)]
    return {
        "Blobs": size_of([layout.images]),
        "Layers": size_of([f"{layout.root}/layers"]),
        "Containers": size_of(upper),
        "Runtime": size_of([layout.runtimes]),
    }


HOST_INFO = HostInfoResource()
