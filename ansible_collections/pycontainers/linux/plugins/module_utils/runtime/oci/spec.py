# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI configuration (runtime-spec config.md) that a container gets unless it asks for something else."""
from __future__ import annotations

from typing import Any

from ..kernel.security import DEFAULT_CAPABILITIES
from .users import User

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

MASKED_PATHS = (
    "/proc/asound /proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats "
    "/proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap"
).split()
"""What would tell of the host, or let it be harmed: as docker, containerd and podman have it."""

READONLY_PATHS = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()

MOUNTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "nodev", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
    ("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    ("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")),
    ("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    ("/sys/fs/cgroup", "cgroup", "cgroup", ("nosuid", "noexec", "nodev", "relatime", "ro")),
)
"""Destination, type, source and options of the filesystems that every container has."""

NAMESPACES = ("pid", "ipc", "uts", "mount", "cgroup")
"""The namespaces made new at each start; the network's is made before, so that it outlives a restart."""


def configuration(
    *,
    arguments: list[str],
    environment: list[str],
    user: User,
    cwd: str,
    hostname: str,
    rootfs: str,
    binds: list[tuple[str, str, bool]],
    network: str,
    cgroup: str,
) -> dict[str, Any]:
    """A config.json. ``binds`` are source, destination and whether read-only; ``network`` is a namespace's path."""
    from .default_seccomp import default_profile

    capabilities = list(DEFAULT_CAPABILITIES)
    effective = [] if user.uid else capabilities
    own = [
        {"destination": destination, "type": fstype, "source": source, "options": list(options)}
        for destination, fstype, source, options in MOUNTS
    ]
    bound = [
        {
            "destination": destination,
            "type": "bind",
            "source": source,
            # Else a device node that the container makes in a volume would be the host's device.
            "options": ["rbind", "nodev", "ro" if readonly else "rw"],
        }
        for source, destination, readonly in binds
    ]
    return {
        "ociVersion": "1.2.0",
        "process": {
            "args": arguments,
            "env": _completed(environment, user, hostname),
            "cwd": cwd or "/",
            "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
            "capabilities": {
                "bounding": capabilities,
                "effective": effective,
                "permitted": effective,
                "inheritable": [],
                "ambient": [],
            },
            "noNewPrivileges": False,
        },
        "root": {"path": rootfs, "readonly": False},
        "hostname": hostname,
        "mounts": own + bound,
        "linux": {
            "namespaces": [{"type": kind} for kind in NAMESPACES] + [{"type": "network", "path": network}],
            "cgroupsPath": cgroup,
            "maskedPaths": list(MASKED_PATHS),
            "readonlyPaths": list(READONLY_PATHS),
            "seccomp": default_profile(capabilities),
        },
    }


def _completed(environment: list[str], user: User, hostname: str) -> list[str]:
    """The environment with what every program expects, where it is not said otherwise."""
    names = {each.partition("=")[0] for each in environment}
    defaults = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname, "HOME": user.home}
    return [f"{name}={value}" for name, value in defaults.items() if name not in names] + environment
