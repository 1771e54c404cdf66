# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an OCI configuration to the operations that :mod:`.init` carries out, in the order the kernel demands."""
from __future__ import annotations

import marshal
import os

from ..errors import InvalidValue
from ..kernel import syscalls
from ..kernel.cgroups import V1_CONTROLLERS, V1_SPARE, Cgroups
from ..kernel.mount_options import FLAGS, PROPAGATION
from ..kernel.mounts import mounts
from ..kernel.process_attributes import RLIMITS
from ..kernel.security import mask
from ..typed import Any
from .devices import LINKS

Operation = tuple[Any, ...]

NAMESPACE_FLAGS = {
    "mount": syscalls.CLONE_NEWNS,
    "uts": syscalls.CLONE_NEWUTS,
    "ipc": syscalls.CLONE_NEWIPC,
    "network": syscalls.CLONE_NEWNET,
    "cgroup": syscalls.CLONE_NEWCGROUP,
}
"""What the first process leaves by itself; the pid namespace it is born into."""

ATTRIBUTES = {
    "ro": syscalls.MOUNT_ATTR_RDONLY,
    "nosuid": syscalls.MOUNT_ATTR_NOSUID,
    "nodev": syscalls.MOUNT_ATTR_NODEV,
    "noexec": syscalls.MOUNT_ATTR_NOEXEC,
}
DEVICE_ATTRIBUTES = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NOEXEC
"""A device can be written to through a read-only mount; its node, which is the host's, can't be changed."""

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
"""The default devices. They are the host's own nodes, bound: the filesystems of a container honour no others."""

_SEPARATORS = {ord("."): "/", ord("/"): "."}
"""Of names of kernel settings: what is a dot in one is a slash in the path (sysctl.d(5))."""


def compile_program(config: dict[str, Any], groups: Cgroups, cache: str) -> tuple[Operation, ...]:
    """The whole program for a configuration. ``cache`` is the folder of compiled seccomp profiles.

    Cgroups are joined before the cgroup namespace is made, so that its root is the container's own group;
    mounts come before the pivot, while the host's paths and /proc are there to act through; capabilities go
    last but for exec, since all before needs them.
    """
    linux, process = config["linux"], config["process"]
    spreads = any(_propagation(each) for each in config["mounts"])
    return (
        ("cgroups", groups.directories(linux["cgroupsPath"])),
        *_namespaces(linux["namespaces"]),
        # While /proc is the host's: below the container's it may be read-only.
        *(("setting", name.translate(_SEPARATORS), value) for name, value in linux.get("sysctl", {}).items()),
        *(() if process.get("terminal") else (("streams", process["user"]["uid"]),)),
        *(("source", each["source"]) for each in config["mounts"] if _propagation(each) & syscalls.MS_SHARED),
        ("rootfs", config["root"]["path"]),
        *(operation for each in config["mounts"] for operation in _mount(each, groups, config)),
        *_devices(config["mounts"]),
        ("folder", process["cwd"]),
        *_terminal(process),
        *(("readonly", path) for path in linux["readonlyPaths"]),
        *(("mask", path) for path in linux["maskedPaths"]),
        *((("readonly_root",),) if config["root"].get("readonly") else ()),
        *((("out_of_memory", process["oomScoreAdj"]),) if "oomScoreAdj" in process else ()),
        ("pivot", spreads) if spreads else ("pivot",),
        *((name, config[name]) for name in ("hostname", "domainname") if name in config),
        *_process(process, filters(config, cache), by_trampoline=_fits_trampoline(config, cache)),
    )


def _fits_trampoline(config: dict[str, Any], cache: str) -> bool:
    from . import guard

    return guard.described_fits(config, filtered=any(not lets for _, lets in _filters(config, cache)))


def _terminal(process: dict[str, Any]) -> list[Operation]:
    """The terminal of a program that is to have one, before anything is masked that its place could lead to."""
    if not process.get("terminal"):
        return []
    size = process.get("consoleSize", {})
    return [("terminal", process["user"]["uid"], (size["height"], size["width"]) if size else ())]


def _devices(mounts: list[dict[str, Any]]) -> list[Operation]:
    """The default devices and links; none in a /dev that is a folder of the host, which they would change."""
    if any(each["destination"] == "/dev" and each["type"] == "bind" for each in mounts):
        return []
    taken = {each["destination"] for each in mounts}
    paths = [path for name in DEVICES if (path := f"/dev/{name}") not in taken]
    devices: list[Operation] = [("bind", path, path, DEVICE_ATTRIBUTES) for path in paths]
    return [*devices, *(("symlink", content, path) for content, path in LINKS)]


def _namespaces(namespaces: list[dict[str, str]]) -> list[Operation]:
    """Join those with a path, then leave for new ones; the mount namespace's turn comes with the new ones."""
    joined: list[Operation] = [("join", each["path"]) for each in namespaces if "path" in each]
    fresh = [each["type"] for each in namespaces if "path" not in each and each["type"] in NAMESPACE_FLAGS]
    return [*joined, ("unshare", sum(NAMESPACE_FLAGS[kind] for kind in fresh))]


def _propagation(entry: dict[str, Any]) -> int:
    """What a bind asks for of mounts that are made below it later, on either side; 0 for none."""
    if entry["type"] != "bind":
        return 0
    return sum(PROPAGATION.get(word, 0) for word in entry["options"])


def _mount(entry: dict[str, Any], groups: Cgroups, config: dict[str, Any]) -> list[Operation]:
    target, options = entry["destination"], entry["options"]
    if entry["type"] == "bind":
        attributes, propagation = sum(ATTRIBUTES.get(word, 0) for word in options), _propagation(entry)
        return [("bind", entry["source"], target, attributes, *((propagation,) if propagation else ()))]
    flags = 0
    for flag, on in (FLAGS[word] for word in options if word in FLAGS):
        flags = flags | flag if on else flags & ~flag
    rest = ",".join(word for word in options if word not in FLAGS)
    if entry["type"] == "cgroup":
        if groups.version == 1 and not any(each["type"] == "cgroup" for each in config["linux"]["namespaces"]):
            return _own_cgroups(target, flags, groups, config["linux"]["cgroupsPath"])
        return _cgroup_mounts(target, flags, groups, config["linux"]["cgroupsPath"])
    return [("mount", entry["source"], target, entry["type"], flags, rest)]


def _own_cgroups(target: str, flags: int, groups: Cgroups, path: str) -> list[Operation]:
    """In the host's cgroup namespace: the container's own group of each hierarchy, in place of the host's top."""
    attributes = DEVICE_ATTRIBUTES if flags & syscalls.MS_RDONLY else DEVICE_ATTRIBUTES & ~syscalls.MOUNT_ATTR_RDONLY
    found: list[Operation] = [("mount", "tmpfs", target, "tmpfs", flags & ~syscalls.MS_RDONLY, "mode=755,size=64k")]
    for folder in groups.directories(path):
        name = os.path.basename(folder.removesuffix(f"/{path}"))
        found.append(("bind", folder, f"{target}/{name}", attributes))
    return [*found, ("remount", target, flags)]


def _cgroup_mounts(target: str, flags: int, groups: Cgroups, path: str) -> list[Operation]:
    """The cgroup filesystem as the new cgroup namespace shows it: one mount, or with version 1 one per hierarchy."""
    if groups.version == 2:
        return [("mount", "cgroup", target, "cgroup2", flags, "")]
    found: list[Operation] = [("mount", "tmpfs", target, "tmpfs", flags & ~syscalls.MS_RDONLY, "mode=755,size=64k")]
    tops = {os.path.realpath(each.removesuffix(f"/{path}")) for each in groups.directories(path)}
    # By target, since one mount may lie on top of another like it, and the kernel refuses the second of two alike.
    for name, each in {each.target: each for each in mounts(kinds="cgroup") if each.fstype == "cgroup"}.items():
        if name in tops:
            controllers = ",".join(word for word in each.options if word in (*V1_CONTROLLERS, *V1_SPARE))
            found.append(("mount", "cgroup", f"{target}/{os.path.basename(name)}", "cgroup", flags, controllers))
    return [*found, ("remount", target, flags)]


def filters(config: dict[str, Any], cache: str) -> list[Operation]:
    """The operation that loads a configuration's seccomp profile; none without a profile.

    ``cache`` is the folder of compiled ones. Raises :class:`..errors.Failure` where libseccomp is missing.
    """
    return [operation for operation, _ in _filters(config, cache)]


def _filters(config: dict[str, Any], cache: str) -> list[tuple[Operation, bool]]:
    """That operation, and whether the profile lets the trampoline through (:mod:`..kernel.trampoline`)."""
    profile = config["linux"].get("seccomp")
    if profile is None:
        return []
    # Most containers of a host have the same: version 2 of the format is the same for what is equal.
    key = marshal.dumps((cache, profile), 2)
    if key not in _FILTERS:
        _FILTERS[key] = _filter(profile, cache)
    return [_FILTERS[key]]


_FILTERS: dict[bytes, tuple[Operation, bool]] = {}
"""What this process has made of profiles."""


def _filter(profile: Any, cache: str) -> tuple[Operation, bool]:
    from ..kernel.trampoline import SYSTEM_CALLS
    from . import guard, seccomp

    known = seccomp.read(profile)
    checked = seccomp.filter_of(known)
    if checked.notifies:
        raise InvalidValue("linux.seccomp", "SCMP_ACT_NOTIFY", "there is nobody here who would answer")
    operation = ("seccomp", seccomp.compiled(checked, cache), checked.flags)
    return operation, guard.lets_through(known, SYSTEM_CALLS)


def guest_program(config: dict[str, Any], changes: dict[str, Any], cache: str) -> tuple[Operation, ...]:
    """The program of another process in the container: as its own is confined, but for ``changes`` of ``process``."""
    return tuple(_process(config["process"] | changes, filters(config, cache)))


def _process(process: dict[str, Any], filtering: list[Operation], by_trampoline: bool = False) -> list[Operation]:
    """Become the program, ``by_trampoline`` if that will do to guard the interpreter (:mod:`.guard`).

    Without no_new_privs only an administrator may load a filter, so it goes before the change.
    With it, the filter goes last, so that it need not allow what init does.
    """
    user, sets = process["user"], process["capabilities"]
    names = ("bounding", "effective", "permitted", "inheritable", "ambient")
    masks = tuple(mask(sets.get(name, [])) for name in names)
    alone = bool(process.get("noNewPrivileges"))
    limits = process.get("rlimits", ())
    found: list[Operation] = [
        *(("limit", RLIMITS[each["type"]], each["soft"], each["hard"]) for each in limits),
        ("umask", user.get("umask", 0o022)),
        *(() if alone else filtering),
        ("identity", user["uid"], user["gid"], tuple(user.get("additionalGids", ())), masks),
        ("chdir", process["cwd"]),
    ]
    if alone:
        found += [("no_new_privileges",), *filtering]
    program = tuple(process["args"]), tuple(process["env"])
    return [*found, ("execute", *program, *((True,) if by_trampoline else ()))]
