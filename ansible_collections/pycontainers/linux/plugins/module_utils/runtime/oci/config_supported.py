# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can do what a configuration asks for. Pure: the facts are given, nothing is looked up."""
from __future__ import annotations

from ..errors import InvalidValue
from ..kernel import syscalls
from ..kernel.mount_options import MOUNT_ATTR_NOSYMFOLLOW
from ..kernel.process_attributes import RLIMITS
from ..typed import Any, NamedTuple
from .config import Config
from .config_linux import NAMESPACES
from .config_process import Process
from .config_resources import Resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Host(NamedTuple):
    """Facts of a host.

    ``controllers`` are those of the cgroup ``version`` in use (0: none is mounted). ``knobs`` are the files that a
    group has, with version 1 as ``controller/file``; None where that is not known, then only controllers are asked for.
    ``namespaces`` are OCI's names of the types that the kernel has; ``own`` are paths of a configuration that turned
    out to be the runtime's own namespaces. ``kernel`` is its release, as (6, 1). ``last_capability`` is from
    /proc/sys/kernel/cap_last_cap, ``most_files`` from fs.nr_open, ``page_sizes`` are as in names of hugetlb's files,
    ``seccomp_actions`` as in /proc/sys/kernel/seccomp/actions_avail.
    """

    version: int
    controllers: frozenset[str]
    knobs: frozenset[str] | None
    namespaces: frozenset[str]
    own: frozenset[str]
    kernel: tuple[int, int]
    last_capability: int
    most_files: int
    page_sizes: frozenset[str]
    seccomp_actions: frozenset[str]
    apparmor: bool
    selinux: bool


_NONE = ""
"""A version's file where it has none for a limit."""

_KNOBS: tuple[tuple[str, str, str], ...] = (
    ("memory.limit", "memory/memory.limit_in_bytes", "memory.max"),
    ("memory.reservation", "memory/memory.soft_limit_in_bytes", "memory.low"),
    ("memory.swap", "memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
    ("memory.kernelTCP", "memory/memory.kmem.tcp.limit_in_bytes", _NONE),
    ("memory.swappiness", "memory/memory.swappiness", _NONE),
    ("memory.disableOOMKiller", "memory/memory.oom_control", _NONE),
    ("cpu.shares", "cpu/cpu.shares", "cpu.weight"),
    ("cpu.quota", "cpu/cpu.cfs_quota_us", "cpu.max"),
    ("cpu.period", "cpu/cpu.cfs_period_us", "cpu.max"),
    ("cpu.burst", "cpu/cpu.cfs_burst_us", "cpu.max.burst"),
    ("cpu.realtimeRuntime", "cpu/cpu.rt_runtime_us", _NONE),
    ("cpu.realtimePeriod", "cpu/cpu.rt_period_us", _NONE),
    ("cpu.cpus", "cpuset/cpuset.cpus", "cpuset.cpus"),
    ("cpu.mems", "cpuset/cpuset.mems", "cpuset.mems"),
    ("cpu.idle", "cpu/cpu.idle", "cpu.idle"),
    ("pids.limit", "pids/pids.max", "pids.max"),
    ("blockIO.leafWeight", "blkio/blkio.leaf_weight", _NONE),
    ("blockIO.throttleReadBpsDevice", "blkio/blkio.throttle.read_bps_device", "io.max"),
    ("blockIO.throttleWriteBpsDevice", "blkio/blkio.throttle.write_bps_device", "io.max"),
    ("blockIO.throttleReadIOPSDevice", "blkio/blkio.throttle.read_iops_device", "io.max"),
    ("blockIO.throttleWriteIOPSDevice", "blkio/blkio.throttle.write_iops_device", "io.max"),
    ("network.classID", "net_cls/net_cls.classid", _NONE),
    ("network.priorities", "net_prio/net_prio.ifpriomap", _NONE),
    ("rdma", "rdma/rdma.max", "rdma.max"),
)
"""Field below linux.resources, and the file that keeps it in versions 1 and 2."""

_WEIGHTS = (("blkio/blkio.weight", "blkio/blkio.bfq.weight"), ("io.weight", "io.bfq.weight"))
"""The files of which one keeps blockIO.weight, by version; which depends on the I/O scheduler."""


def supported(config: Config, host: Host) -> tuple[str, ...]:
    """Warnings about what will have no effect. Raises :class:`InvalidValue` for the first thing this host can't do."""
    _namespaces(config, host)
    _limits(config.resources, host, "linux.resources")
    _labels(config, host)
    _mounts(config, host)
    _seccomp(config, host)
    return tuple(_process(config, host))


def supported_resources(resources: Resources, host: Host) -> None:
    """The same for the limits of an ``update``."""
    _limits(resources, host, "resources")


def _refuse(path: str, value: object, reason: str) -> InvalidValue:
    return InvalidValue(path, value, reason)


def _namespaces(config: Config, host: Host) -> None:
    wanted = config.namespaces
    for name, flag in NAMESPACES.items():
        if wanted.has(flag) and name not in host.namespaces:
            raise _refuse("linux.namespaces", name, "this kernel has no namespaces of this type")
    paths = {flag: path for flag, path in wanted.joined if path in host.own}
    for setting, _ in config.sysctls:
        name = "network" if setting.startswith("net/") else "uts" if setting == "kernel/domainname" else "ipc"
        if NAMESPACES[name] in paths:
            path = paths[NAMESPACES[name]]
            raise _refuse(f"linux.sysctl[{setting!r}]", path, f"this {name} namespace is the runtime's own")
    if config.net_devices and NAMESPACES["network"] in paths:
        raise _refuse("linux.netDevices", paths[NAMESPACES["network"]], "this network namespace is the runtime's own")


def _limits(resources: Resources, host: Host, above: str) -> None:
    given = dict(_given(resources))
    if (given or resources.unified or resources.hugepages) and not host.version:
        raise _refuse(above, next(iter(given), "limits"), "no cgroup filesystem is mounted on this host")
    for field, *files in _KNOBS:
        if field in given:
            _knob(f"{above}.{field}", given[field], (files[host.version - 1],), host)
    for field in ("blockIO.weight", "blockIO.weightDevice"):
        if field in given:
            _knob(f"{above}.{field}", given[field], _WEIGHTS[host.version - 1], host)
    if resources.unified and host.version == 1:
        reason = "this host has cgroup version 1, which has no such file"
        raise _refuse(f"{above}.unified", resources.unified[0][0], reason)
    for name, _ in resources.unified:
        _knob(f"{above}.unified[{name!r}]", name, (name,), host)
    for size, _ in resources.hugepages:
        if size not in host.page_sizes:
            known = ", ".join(sorted(host.page_sizes)) or "none"
            raise _refuse(f"{above}.hugepageLimits", size, f"this host's huge page sizes are: {known}")


def _given(resources: Resources) -> Iterator[tuple[str, Any]]:
    """The fields that say something, by their names."""
    memory, cpu, block_io = resources.memory, resources.cpu, resources.block_io
    values = {
        "memory.limit": memory.limit,
        "memory.reservation": memory.reservation,
        "memory.swap": memory.swap,
        "memory.kernelTCP": memory.kernel_tcp,
        "memory.swappiness": memory.swappiness,
        "memory.disableOOMKiller": memory.disable_oom_killer or None,
        "cpu.shares": cpu.shares,
        "cpu.quota": cpu.quota,
        "cpu.period": cpu.period,
        "cpu.burst": cpu.burst,
        "cpu.realtimeRuntime": cpu.realtime_runtime,
        "cpu.realtimePeriod": cpu.realtime_period,
        "cpu.cpus": cpu.cpus or None,
        "cpu.mems": cpu.mems or None,
        "cpu.idle": cpu.idle,
        "pids.limit": resources.pids,
        "blockIO.weight": block_io.weight,
        "blockIO.leafWeight": block_io.leaf_weight,
        "blockIO.weightDevice": block_io.weights or None,
        "blockIO.throttleReadBpsDevice": block_io.read_bps or None,
        "blockIO.throttleWriteBpsDevice": block_io.write_bps or None,
        "blockIO.throttleReadIOPSDevice": block_io.read_iops or None,
        "blockIO.throttleWriteIOPSDevice": block_io.write_iops or None,
        "network.classID": resources.class_id,
        "network.priorities": resources.priorities or None,
        "rdma": resources.rdma or None,
    }
    return ((name, value) for name, value in values.items() if value is not None)


def _knob(path: str, value: Any, files: tuple[str, ...], host: Host) -> None:
    if not any(files):
        raise _refuse(path, value, f"cgroup version {host.version}, which this host has, has no such limit")
    controllers = {name.partition("/" if host.version == 1 else ".")[0] for name in files} - {"cgroup"}
    if controllers and not controllers & host.controllers:
        raise _refuse(path, value, f"the cgroup controller {min(controllers)} is not there on this host")
    if host.knobs is not None and not host.knobs & set(files):
        raise _refuse(path, value, f"this kernel's cgroups have no {' or '.join(files)}")


def supported_labels(process: Process, host: Host) -> None:
    """The same for the profile and the label of a process, as ``exec`` has them too."""
    if process.apparmor_profile and not host.apparmor:
        raise _refuse("process.apparmorProfile", process.apparmor_profile, "AppArmor is not enabled on this host")
    if process.selinux_label and not host.selinux:
        raise _refuse("process.selinuxLabel", process.selinux_label, "SELinux is not enabled on this host")


def _labels(config: Config, host: Host) -> None:
    if config.process:
        supported_labels(config.process, host)
    if config.mount_label and not host.selinux:
        raise _refuse("linux.mountLabel", config.mount_label, "SELinux is not enabled on this host")


def _mounts(config: Config, host: Host) -> None:
    needs = (
        ("an id-mapped mount", (5, 12), lambda mount: mount.id_mapping),
        ("mount options for all mounts below", (5, 12), lambda mount: any(mount.recursive)),
        ("nosymfollow", (5, 10), lambda mount: mount.flags & syscalls.MS_NOSYMFOLLOW),
        ("nosymfollow as an attribute", (5, 14), lambda mount: mount.recursive[0] & MOUNT_ATTR_NOSYMFOLLOW),
    )
    for index, mount in enumerate(config.mounts):
        for what, since, asked in needs:
            if asked(mount) and host.kernel < since:
                reason = f"{what} needs Linux {since[0]}.{since[1]}, this is {host.kernel[0]}.{host.kernel[1]}"
                raise _refuse(f"mounts[{index}].options", mount.destination, reason)


def _seccomp(config: Config, host: Host) -> None:
    profile = config.seccomp
    if profile is None:
        return
    from ..kernel.seccomp_names import FLAGS, KERNEL_NAMES, SECCOMP_RET_ACTION_FULL

    if not host.seccomp_actions:
        raise _refuse("linux.seccomp", profile.rules[0].names[0] if profile.rules else "", "this kernel has no seccomp")
    asked = [("linux.seccomp.defaultAction", profile.default)]
    asked += [(f"linux.seccomp.syscalls[{index}].action", rule.action) for index, rule in enumerate(profile.rules)]
    for path, action in asked:
        name = KERNEL_NAMES[action & SECCOMP_RET_ACTION_FULL]
        if name not in host.seccomp_actions:
            raise _refuse(path, name, "this kernel's filters have no such action")
    if (profile.flags or 0) & FLAGS["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] and host.kernel < (5, 19):
        raise _refuse("linux.seccomp.flags", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "it needs Linux 5.19")


def _process(config: Config, host: Host) -> Iterator[str]:
    process = config.process
    if process is None:
        return
    for number, soft, hard in process.rlimits:
        if number == RLIMITS["RLIMIT_NOFILE"] and hard > host.most_files:
            reason = f"this kernel lets a process have {host.most_files} files at most (fs.nr_open)"
            raise _refuse("process.rlimits", max(soft, hard), reason)
    sets = process.capabilities
    union = sets.bounding | sets.effective | sets.permitted | sets.inheritable | sets.ambient
    if union >> host.last_capability + 1:
        yield f"process.capabilities: this kernel knows none above number {host.last_capability}, they are left out"
