# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI configuration (runtime-spec config.md) that a container gets unless it asks for something else."""
from __future__ import annotations

from collections.abc import Sequence

from ..kernel.security import DEFAULT_CAPABILITIES
from ..lean.dataclasses import dataclass, field
from ..typed import Any
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

NODE_OPTIONS = ("bind", "ro", "nosuid", "noexec")
"""A device can be written to through a read-only mount; its node, which is the host's, can't be changed."""

NAMESPACES = ("pid", "ipc", "uts", "mount", "cgroup")
"""The namespaces made new at each start; the network's is made before, so that it outlives a restart."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a container asks for beside its program: by default nothing.

    ``capabilities`` is the bounding set, and what root has in effect. ``profile`` is a seccomp profile, None for none.
    With ``exposed`` no kernel file is hidden or read-only. ``nodes`` are devices of the host and their places,
    ``tmpfs`` targets and options, ``shared`` the kinds of namespaces that stay the host's. Each of ``rlimits`` is what
    an OCI configuration has in that list. ``console_size`` are lines and columns of the terminal, if they are known.
    """

    capabilities: tuple[str, ...] = tuple(DEFAULT_CAPABILITIES)
    profile: dict[str, Any] | None = field(default_factory=lambda: _default_profile(DEFAULT_CAPABILITIES))
    no_new_privileges: bool = False
    exposed: bool = False
    privileged: bool = False
    readonly: bool = False
    shm_size: int = 64 << 20
    tmpfs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    nodes: tuple[tuple[str, str], ...] = ()
    rlimits: tuple[dict[str, Any], ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    oom_score_adj: int | None = None
    domainname: str = ""
    terminal: bool = False
    console_size: tuple[int, ...] = ()
    shared: frozenset[str] = frozenset()


def _default_profile(capabilities: Sequence[str]) -> dict[str, Any]:
    from .default_seccomp import default_profile

    return default_profile(capabilities)


def configuration(
    *,
    arguments: list[str],
    environment: list[str],
    user: User,
    cwd: str,
    hostname: str,
    rootfs: str,
    binds: list[tuple[str, str, bool]],
    network: str | None,
    cgroup: str,
    wishes: Wishes | None = None,
    propagation: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A config.json. ``binds`` are source, destination and whether read-only; ``network`` is a namespace's path.

    With none it is the caller's. ``propagation`` is, by destination, what mounts below a bind have to do with the host.
    """
    wishes = wishes or Wishes()
    process = {
        "args": arguments,
        "env": _completed(environment, user, hostname, wishes.terminal),
        "cwd": cwd or "/",
        **identity(user, wishes.capabilities),
        "noNewPrivileges": wishes.no_new_privileges,
        "rlimits": list(wishes.rlimits),
    }
    if wishes.oom_score_adj is not None:
        process["oomScoreAdj"] = wishes.oom_score_adj
    if wishes.terminal:
        process |= _console(wishes.console_size)
    kinds = [each for each in NAMESPACES if each not in wishes.shared]
    joined = [{"type": "network", "path": network}] if network else []
    config: dict[str, Any] = {
        "ociVersion": "1.2.0",
        "process": process,
        "root": {"path": rootfs, "readonly": wishes.readonly},
        "mounts": _mounts(binds, wishes, propagation or {}),
        "linux": {
            "namespaces": [{"type": kind} for kind in kinds] + joined,
            "cgroupsPath": cgroup,
            "maskedPaths": [] if wishes.exposed else list(MASKED_PATHS),
            "readonlyPaths": [] if wishes.exposed else list(READONLY_PATHS),
            "sysctl": dict(wishes.sysctls),
        },
    }
    if "uts" in kinds:
        config["hostname"] = hostname
        if wishes.domainname:
            config["domainname"] = wishes.domainname
    if wishes.profile is not None:
        config["linux"]["seccomp"] = wishes.profile
    return config


def identity(user: User, capabilities: Sequence[str]) -> dict[str, Any]:
    """The part of ``process`` that says who runs it: root has the capabilities in effect, nobody else has."""
    effective = [] if user.uid else list(capabilities)
    return {
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
        "capabilities": {
            "bounding": list(capabilities),
            "effective": effective,
            "permitted": effective,
            "inheritable": [],
            "ambient": [],
        },
    }


def _mounts(
    binds: list[tuple[str, str, bool]], wishes: Wishes, propagation: dict[str, str]
) -> list[dict[str, Any]]:
    """The kernel's filesystems, then what is put in: of two places one below the other, that above comes first."""
    own = [_kernel_mount(*each, wishes) for each in MOUNTS]
    # Else a device node that the container makes in a volume would be the host's device.
    modes = ("rbind", "nodev")
    words = {target: (word,) for target, word in propagation.items()}
    placed = [
        _bind(source, target, (*modes, "ro" if readonly else "rw", *words.get(target, ())))
        for source, target, readonly in binds
    ]
    placed += [_mount(target, "tmpfs", "tmpfs", options) for target, options in wishes.tmpfs]
    placed.sort(key=lambda each: str(each["destination"]).count("/"))
    nodes = [_bind(source, target, NODE_OPTIONS) for source, target in wishes.nodes]
    return own + placed + nodes


def _kernel_mount(target: str, fstype: str, source: str, options: tuple[str, ...], wishes: Wishes) -> dict[str, Any]:
    """One of :data:`MOUNTS`. By custom shared memory is the host's where the IPC namespace is."""
    if "ipc" in wishes.shared and target == "/dev/shm":
        return _bind(target, target, ("rbind", "nosuid", "noexec", "nodev"))
    if target == "/dev/shm":
        options = tuple(each for each in options if not each.startswith("size=")) + (f"size={wishes.shm_size}",)
    if wishes.privileged:
        options = tuple(each for each in options if each != "ro" and (target, each) != ("/dev", "nodev"))
    return _mount(target, fstype, source, options)


def _bind(source: str, target: str, options: Sequence[str]) -> dict[str, Any]:
    return _mount(target, "bind", source, options)


def _mount(target: str, fstype: str, source: str, options: Sequence[str]) -> dict[str, Any]:
    return {"destination": target, "type": fstype, "source": source, "options": list(options)}


def _console(size: tuple[int, ...]) -> dict[str, Any]:
    return {"terminal": True} | ({"consoleSize": {"height": size[0], "width": size[1]}} if size else {})


def _completed(environment: list[str], user: User, hostname: str, terminal: bool) -> list[str]:
    """The environment with what every program expects, where it is not said otherwise."""
    names = {each.partition("=")[0] for each in environment}
    defaults = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname, "HOME": user.home} | ({"TERM": "xterm"} if terminal else {})
    return [f"{name}={value}" for name, value in defaults.items() if name not in names] + environment
