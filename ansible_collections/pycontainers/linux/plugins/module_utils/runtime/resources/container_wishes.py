# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's options mean on this host: the privileges, devices, limits and filesystems of its program.

Making a container's wishes is also the check of them: what this host can't give is refused by the option's name.
"""
from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from typing import Any

from ..core import store
from ..errors import Failure, InvalidValue
from ..kernel import syscalls
from ..kernel.security import CAPABILITIES, DEFAULT_CAPABILITIES, mask
from ..oci.spec import Wishes
from . import container_init
from .container_kinds import ALL, PRIVATE, SHM_SIZE, own_network
from .container_model import Container
from .device_access import DeviceAccess
from .process_steps import rlimits

NO_NODES = ("/dev/console", "/dev/ptmx", "/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages", "/dev/fd")
"""What a container's /dev has of its own."""

_OWN = {
    "pid_mode": "pid",
    "ipc_mode": "ipc",
    "uts": "uts",
    "cgroupns_mode": "cgroup",
}
"""The options that say whether a namespace is the container's own, and its OCI name."""


def device_access(container: Container) -> DeviceAccess:
    """The access to devices that a container asks for."""
    some = tuple((each.source, each.access) for each in container.devices or ())
    return DeviceAccess(some, bool(container.privileged), container.device_cgroup_rules or ())


def wishes(container: Container) -> Wishes:
    """What a container asks for. Raises :class:`InvalidValue` for what this host can't give it."""
    privileged = bool(container.privileged)
    capabilities = granted(container)
    options = container.security_opts or ()
    shared = frozenset(kind for name, kind in _OWN.items() if getattr(container, name) not in (PRIVATE, None))
    shared |= frozenset() if own_network(container.network_mode) else {"network"}
    for name in ("hostname", "domainname"):
        if "uts" in shared and getattr(container, name):
            raise InvalidValue(name, getattr(container, name), "with uts=host it would be the host's", "leave it out")
    _check_places(container)
    if container.init and "pid" in shared:
        reason = f"with pid_mode={container.pid_mode} it would not be process 1, to which orphans are left"
        raise InvalidValue("init", True, reason, "leave it out")
    if container.init:
        container_init.find()
    device_access(container).rules()
    return Wishes(
        capabilities=capabilities,
        profile=_profile(options, capabilities, privileged),
        no_new_privileges="no-new-privileges" in options,
        exposed=privileged or "systempaths=unconfined" in options,
        privileged=privileged,
        readonly=bool(container.read_only),
        shm_size=container.shm_size or SHM_SIZE,
        tmpfs=tuple((each.target, each.options) for each in container.tmpfs or ()),
        nodes=_nodes(container),
        rlimits=tuple(rlimits(container)),
        sysctls=_sysctls(container, shared),
        oom_score_adj=container.oom_score_adj or None,
        domainname=container.domainname or "",
        terminal=bool(container.tty),
        console_size=container.console_size,
        shared=shared,
    )


def granted(container: Container) -> tuple[str, ...]:
    """The capabilities of a container's bounding set: the default ones, without the dropped, with the added."""
    available = _available()
    if container.privileged:
        return available
    add, drop = container.cap_add or (), container.cap_drop or ()
    if ALL in add:
        found = set(available)
    elif ALL in drop:
        found = set()
    else:
        found = set(DEFAULT_CAPABILITIES) & set(available)
    found = found - set(drop) | set(add) - {ALL}
    for each in add:
        if each != ALL and each not in available:
            raise InvalidValue("cap_add", each, "nobody has this capability on this host")
    return tuple(sorted(found))


def _available() -> tuple[str, ...]:
    """The capabilities that the kernel knows and we may pass on."""
    with open("/proc/self/status", encoding="ascii") as file:
        bounds = next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd:"))
    return tuple(f"CAP_{each}" for each in CAPABILITIES if bounds & mask([each]))


def _profile(options: tuple[str, ...], capabilities: tuple[str, ...], privileged: bool) -> dict[str, Any] | None:
    """The seccomp profile: the one that is given; else none for who may do all anyway, for others the default."""
    from ..oci import default_seccomp, docker_seccomp, seccomp

    said = next((each.partition("=")[2] for each in options if each.startswith("seccomp=")), "")
    if not said:
        return None if privileged else default_seccomp.default_profile(capabilities)
    if said == "unconfined":
        return None
    try:
        content = store.read(said)
        if content is None:
            raise InvalidValue("security_opts", f"seccomp={said}", "there is no such file on the host", "put it there")
        found = docker_seccomp.resolved(json.loads(content), capabilities)
        if seccomp.read(found).notifies:
            raise ValueError("SCMP_ACT_NOTIFY has nobody here who would answer")
    except (OSError, ValueError, InvalidValue) as error:
        if isinstance(error, InvalidValue) and error.option == "security_opts":
            raise
        raise InvalidValue("security_opts", f"seccomp={said}", f"it is not a seccomp profile: {error}") from error
    return found


def _nodes(container: Container) -> tuple[tuple[str, str], ...]:
    """The devices to be bound: those that are asked for; with ``privileged`` every one that is in the host's /dev."""
    own = {each.target: each.source for each in container.devices or ()}
    every = {path: path for path in _every_node("/dev")} if container.privileged else {}
    return tuple((source, target) for target, source in (every | own).items())


def _every_node(folder: str) -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        if entry.path in NO_NODES:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _every_node(entry.path)
        elif stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) in (stat.S_IFCHR, stat.S_IFBLK):
            yield entry.path


def _sysctls(container: Container, shared: frozenset[str]) -> dict[str, str]:
    """The kernel settings, all of which the container's namespaces must have of their own."""
    from ..oci.config_linux import NAMESPACES, Namespaces, sysctls
    from ..oci.fields import Field

    settings = dict(container.sysctls or ())
    new = 0
    for kind, flag in NAMESPACES.items():
        new |= 0 if kind in shared else flag
    sysctls(Field("sysctls", settings, []), Namespaces(new & ~syscalls.CLONE_NEWUSER, ()))
    for name, value in settings.items():
        # Those of an interface are there once that is.
        path = name.translate({ord("."): "/", ord("/"): "."})
        if not {"conf", "neigh"} & set(path.split("/")) and not os.path.exists(f"/proc/sys/{path}"):
            raise InvalidValue(f"sysctls['{name}']", value, "this kernel has no such setting", "leave it out")
    return settings


def _check_places(container: Container) -> None:
    places = {each.target for each in container.volumes or ()}
    for each in container.tmpfs or ():
        if each.target in places:
            raise InvalidValue("tmpfs", each.target, "there is a volume at the same place")


def checked(container: Container) -> None:
    """Refuse what the host can't give. Raises :class:`InvalidValue`."""
    try:
        wishes(container)
    except InvalidValue:
        raise
    except Failure as error:
        raise InvalidValue("security_opts", list(container.security_opts or ()), str(error)) from error
