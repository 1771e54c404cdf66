# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the normal form of a configuration to the operations that :mod:`.stage` carries out, in the kernel's order."""
from __future__ import annotations

import os

from ..kernel import syscalls
from ..kernel.cgroups import V1, Cgroups
from ..kernel.mount_options import MOUNT_ATTR_NOSYMFOLLOW
from ..typed import Any
from . import mappings
from .config import Config
from .config_mounts import Mount
from .config_process import Process
from .devices import LINKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .config_seccomp import Seccomp

Operation = tuple[Any, ...]

BEFORE_FORK = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWTIME
"""Namespaces that a process is born into, so the runtime makes or joins them before it forks."""

NODES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
"""The default devices with their numbers (runtime-spec config-linux.md, "Default Devices")."""

_CHARACTER = 0o020666


def compile_config(
    config: Config,
    process: Process,
    cgroup: tuple[Cgroups, str] | None,
    filters: str,
    *,
    pivot: bool,
    keyring: bool,
    shifts: Mapping[int, int],
) -> tuple[Operation, ...]:
    """The whole program. ``cgroup`` is the container's, None for none; ``filters`` keeps compiled seccomp profiles.

    ``shifts`` are descriptors of the user namespaces for id-mapped mounts, by their index.

    Cgroups are joined before the cgroup namespace is made, so that its root is the container's own group; mounts
    come before the new root, while the host's paths and /proc are there to act through.
    """
    kinds = config.namespaces
    users = mappings.has_users(config)
    found: list[Operation] = [("cgroups", cgroup[0].directories(cgroup[1]))] if cgroup else []
    found += _before_users(config, process) if users else []
    found += _shifted(config, shifts)
    found += _into_users(config) if users else _into(config)
    found += [("environment",), *_agent(config.seccomp)]
    found += _key_label(process) if keyring else []
    found += [("keyring",)] if keyring else []
    found += [("hostname", config.hostname)] if config.hostname else []
    found += [("domainname", config.domainname)] if config.domainname else []
    found += [("setting", path, value) for path, value in config.sysctls]
    found += [("tree", config.rootfs, config.propagation)]
    for mount in config.mounts:
        shown = _own_sysfs(mount) if users and not kinds.new & syscalls.CLONE_NEWNET else mount
        found += _mount(shown, cgroup, bool(kinds.has(syscalls.CLONE_NEWCGROUP)))
    found += _devices(config)
    found += [("folder", process.cwd)]
    found += [("terminal", process.uid, process.console or ())] if process.terminal else [("standard", process.uid)]
    if config.hooks["createContainer"]:
        found += [("hooks", "createContainer", config.hooks["createContainer"])]
    found += [("readonly", path) for path in config.readonly_paths]
    found += [("mask", path) for path in config.masked_paths]
    found += [("remount", mount.destination, mount.flags) for mount in config.mounts if _later(mount)]
    found += [("readonly_root",)] if config.readonly else []
    found += [] if users else _scores(process)
    found += _exec_labels(process)
    found += [("become_root", pivot, config.propagation)]
    found += [("domain", config.personality)] if config.personality is not None else []
    load = _filter(config.seccomp, filters)
    found += _identity(process, load)
    found += [("ready",), ("wait", '"creating"', '"created"')]
    if config.hooks["startContainer"]:
        found += [("hooks", "startContainer", config.hooks["startContainer"])]
    found += _end(process, load)
    if config.mount_label:
        from .labels import mounted

        return tuple(mounted(found, config.mount_label))
    return tuple(found)


def compile_process(
    process: Process, profile: Seccomp | None, directories: tuple[str, ...], target: int, kinds: int, filters: str
) -> tuple[Operation, ...]:
    """The program of another process in a running container: the one behind the pidfd ``target``."""
    load = _filter(profile, filters)
    return (
        *((("cgroups", directories),) if directories else ()),
        *_scores(process),
        *_exec_labels(process),
        *_agent(profile),
        ("enter", target, kinds),
        *((("mapped_root",), ("reborn",)) if kinds & syscalls.CLONE_NEWUSER else ()),
        ("terminal", process.uid, process.console or ()) if process.terminal else ("standard", process.uid),
        *_identity(process, load),
        ("ready",),
        *_end(process, load),
    )


def _into(config: Config) -> list[Operation]:
    """Join namespaces and make new ones, without a user namespace."""
    kinds = config.namespaces
    joined = sorted(kinds.joined, key=lambda each: each[0] == syscalls.CLONE_NEWNS)
    found: list[Operation] = [("join_kind", path, kind) for kind, path in joined if not kind & BEFORE_FORK]
    return [*found, *([("unshare", kinds.new & ~BEFORE_FORK)] if kinds.new & ~BEFORE_FORK else [])]


def _before_users(config: Config, process: Process) -> list[Operation]:
    """What needs rights over the host, or its paths."""
    found = _scores(process)
    outside = mappings.outside(config.uid_mappings, process.uid)
    found += [("standard", outside)] if not process.terminal and outside >= 0 else []
    if not os.geteuid() and config.namespaces.new & syscalls.CLONE_NEWNS:
        plain = [each for each in config.mounts if each.bind and each.source and not each.id_mapping]
        deep = [(each.source, bool(each.flags & syscalls.MS_REC)) for each in plain]
        found.append(("sources", [(config.rootfs, True), *deep]))
    return found


def _shifted(config: Config, shifts: Mapping[int, int]) -> list[Operation]:
    found: list[Operation] = []
    for index, users in shifts.items():
        mount = config.mounts[index]
        below = mount.id_mapping is not None and mount.id_mapping.recursive
        field = f"mounts[{index}].uidMappings"
        found.append(("mapped", mount.source, bool(mount.flags & syscalls.MS_REC), users, below, field))
    return found


def _into_users(config: Config) -> list[Operation]:
    """The user namespace, and the others so that they are owned by it."""
    kinds = config.namespaces
    joined = tuple((path, kind) for kind, path in kinds.joined)
    found: list[Operation] = [("join_kinds", joined)] if joined else []
    found += [("users",)] if kinds.new & syscalls.CLONE_NEWUSER else []
    found += [("mapped_root",)]
    fresh = kinds.new & ~syscalls.CLONE_NEWUSER
    found += [("unshare", fresh)] if fresh else []
    found += [("offsets", config.time_offsets)] if config.time_offsets else []
    return [*found, ("reborn",)]


def _own_sysfs(mount: Mount) -> Mount:
    """A sysfs shows a network namespace, and who does not own that can only have the one that is there."""
    if mount.type != "sysfs":
        return mount
    return mount._replace(type="", source="/sys", flags=mount.flags | syscalls.MS_BIND | syscalls.MS_REC, options="")


def _later(mount: Mount) -> bool:
    """Whether a mount becomes read-only only when all mounts below it have been made."""
    return mount.type == "tmpfs" and bool(mount.flags & syscalls.MS_RDONLY)


def _mount(mount: Mount, cgroup: tuple[Cgroups, str] | None, namespace: bool) -> list[Operation]:
    target, flags = mount.destination, mount.flags
    found: list[Operation]
    if flags & syscalls.MS_REMOUNT:
        found = [("remount", target, flags & ~(syscalls.MS_REMOUNT | syscalls.MS_REC))]
    elif mount.bind:
        found = [("attach", mount.source, target, bool(flags & syscalls.MS_REC), mount.attributes, mount.recursive)]
    elif mount.type in ("cgroup", "cgroup2"):
        found = _cgroup(target, flags, cgroup, namespace)
    else:
        plain = flags & ~(syscalls.MS_RDONLY if _later(mount) else 0)
        extra = mount.recursive[0] | mount.attributes[0] & MOUNT_ATTR_NOSYMFOLLOW
        if mount.copy_up:
            found = [("copy_up", mount.source or mount.type, target, mount.type, plain, mount.options)]
            return [*found, *(("propagate", target, each) for each in mount.propagation)]
        found = [("filesystem", mount.source or mount.type, target, mount.type, plain, mount.options, extra)]
    return [*found, *(("propagate", target, each) for each in mount.propagation)]


def _cgroup(target: str, flags: int, cgroup: tuple[Cgroups, str] | None, namespace: bool) -> list[Operation]:
    """The cgroup filesystem: as a namespace shows it, or without one the container's own folders bound."""
    if cgroup is None:
        return []
    groups, path = cgroup
    if namespace:
        return _namespaced(target, flags, groups)
    attributes = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV | syscalls.MOUNT_ATTR_NOEXEC
    attributes |= syscalls.MOUNT_ATTR_RDONLY if flags & syscalls.MS_RDONLY else 0
    own = groups.directories(path)
    if groups.version == 2:
        return [("attach", own[0], target, False, (attributes, 0), (0, 0))]
    found: list[Operation] = [("mount", "tmpfs", target, "tmpfs", flags & ~syscalls.MS_RDONLY, "mode=755,size=64k")]
    for folder in own:
        name = os.path.basename(folder.removesuffix(f"/{path}"))
        found.append(("attach", folder, f"{target}/{name}", False, (attributes, 0), (0, 0)))
    return [*found, ("remount", target, flags)]


def _namespaced(target: str, flags: int, groups: Cgroups) -> list[Operation]:
    """The cgroup filesystem as the new cgroup namespace shows it: with version 1 a mount per hierarchy."""
    if not isinstance(groups, V1):
        return [("mount", "cgroup", target, "cgroup2", flags, "")]
    found: list[Operation] = [("mount", "tmpfs", target, "tmpfs", flags & ~syscalls.MS_RDONLY, "mode=755,size=64k")]
    together: dict[str, list[str]] = {}
    for controller, folder in groups.hierarchies.items():
        together.setdefault(folder, []).append(controller)
    for folder, controllers in together.items():
        place = f"{target}/{os.path.basename(folder)}"
        found.append(("mount", "cgroup", place, "cgroup", flags, ",".join(controllers)))
    return [*found, ("remount", target, flags)]


def _devices(config: Config) -> list[Operation]:
    """Default devices, then those of the configuration, which may replace them; none in a /dev of the host's."""
    found: list[Operation] = []
    bound = any(each.destination == "/dev" and each.bind for each in config.mounts)
    own = {each.path for each in config.devices}
    if not bound:
        for name, major, minor in NODES:
            if f"/dev/{name}" not in own:
                found.append(("node", f"/dev/{name}", _CHARACTER, os.makedev(major, minor), 0, 0))
    found += [("node", *each) for each in config.devices]
    return found if bound else [*found, *(("link", content, path) for content, path in LINKS)]


def _scores(process: Process) -> list[Operation]:
    """What needs rights that the identity may not have, or the host's /proc."""
    found: list[Operation] = []
    found += [("out_of_memory", process.oom_score_adj)] if process.oom_score_adj is not None else []
    found += [("limit", *each) for each in process.rlimits]
    found += [("scheduler", *process.scheduler)] if process.scheduler else []
    found += [("io_priority", process.io_priority)] if process.io_priority is not None else []
    found += [("affinity", process.final_cpus)] if process.final_cpus else []
    return found


def _exec_labels(process: Process) -> list[Operation]:
    """What a security module is to confine the program by."""
    if not process.apparmor_profile and not process.selinux_label:
        return []
    from .labels import OWN_FOLDER, for_exec

    return for_exec(process, os.path.isdir(f"/proc/thread-self/{OWN_FOLDER}"))


def _key_label(process: Process) -> list[Operation]:
    if not process.selinux_label:
        return []
    from .labels import for_keys

    return for_keys(process.selinux_label)


def _identity(process: Process, load: list[Operation]) -> list[Operation]:
    """Become the user. Without no_new_privs only an administrator may load a filter, so it goes before the change."""
    variables = dict(each.partition("=")[::2] for each in process.environment)
    return [
        ("umask", process.umask),
        *(() if variables.get("HOME") else (("home", process.uid),)),
        *(() if process.no_new_privileges else load),
        ("identity", process.uid, process.gid, process.groups, _known(process.capabilities)),
        ("chdir", process.cwd),
        ("find", process.arguments[0], variables.get("PATH", "")),
    ]


def _known(sets: tuple[int, ...]) -> tuple[int, ...]:
    """The sets without what this kernel does not know."""
    with open("/proc/sys/kernel/cap_last_cap", encoding="utf-8") as file:
        mask = (1 << int(file.read()) + 1) - 1
    return tuple(each & mask for each in sets)


def _end(process: Process, load: list[Operation]) -> list[Operation]:
    """What must not hinder anything before it, and the program."""
    last: list[Any] = [("no_new_privileges",), *load] if process.no_new_privileges else []
    return [*last, ("become", process.arguments, process.environment)]


def _agent(profile: Seccomp | None) -> list[Operation]:
    """Reach whoever answers for system calls while the host's paths are there."""
    return [("agent", profile.listener_path, profile.listener_metadata)] if profile and profile.notifies else []


def _filter(profile: Seccomp | None, cache: str) -> list[Operation]:
    if profile is None:
        return []
    from .seccomp import compiled, filter_of

    checked = filter_of(profile)
    return [("seccomp", compiled(checked, cache), checked.flags)]
