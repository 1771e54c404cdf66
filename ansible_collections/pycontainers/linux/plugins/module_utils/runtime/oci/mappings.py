# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime's side of a container in a user namespace: id maps, and the process behind the one that was forked.

What the first process does meanwhile is in :mod:`.stage_users`; :mod:`.stage` draws both.
"""
from __future__ import annotations

import os

from ..errors import InvalidValue
from ..kernel import syscalls
from ..kernel.cgroups import Cgroups
from ..lean import signal, socket
from ..lean.contextlib import contextmanager, suppress
from . import channel
from .config import Config
from .config_mounts import Extent, IdMapping
from .config_resources import resources
from .fields import Field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def has_users(config: Config) -> bool:
    """Whether the container has a user namespace that is not simply the runtime's."""
    return config.namespaces.has(syscalls.CLONE_NEWUSER)


def outside(extents: Sequence[Extent], identity: int) -> int:
    """The host's id for one inside; -1 where it is not mapped, or nothing is known of the map."""
    for inside, first, size in extents:
        if inside <= identity < inside + size:
            return first + identity - inside
    return -1


def cgroup_owner(config: Config) -> int:
    """The host's id of the user who may make groups in the container's; -1 where nobody new may, or it is not known.

    It is the program's user where the container has a cgroup namespace of its own and can write to what it is shown
    (runtime-spec config-linux.md, "Cgroup ownership").
    """
    shown = [each for each in config.mounts if each.destination == "/sys/fs/cgroup"]
    writable = shown and shown[-1].type.startswith("cgroup") and not shown[-1].flags & syscalls.MS_RDONLY
    if not writable or not config.process or not config.namespaces.new & syscalls.CLONE_NEWCGROUP:
        return -1
    return outside(config.uid_mappings, config.process.uid) if has_users(config) else config.process.uid


def check(config: Config) -> None:
    """What an unprivileged user can't have. Raises :class:`InvalidValue` with the field's path."""
    if not os.geteuid():
        return
    if not has_users(config):
        reason = "without a user namespace only root can create a container"
        raise InvalidValue("linux.namespaces", "no user namespace", reason, "add one of the type user")
    shifted = [index for index, mount in enumerate(config.mounts) if mount.id_mapping]
    if shifted:
        reason = "only root can have an id-mapped mount"
        raise InvalidValue(f"mounts[{shifted[0]}]", config.mounts[shifted[0]].destination, reason)
    from ..kernel import userns

    denied = config.namespaces.new & syscalls.CLONE_NEWUSER and userns.alone(config.uid_mappings, config.gid_mappings)
    if config.process and config.process.groups and denied:
        reason = "who maps only its own group gives up setgroups(2)"
        raise InvalidValue("process.user.additionalGids", config.process.groups, reason, "map more groups")


def usable(groups: Cgroups, path: str, config: Config) -> tuple[Cgroups | None, tuple[str, ...]]:
    """The cgroups if the caller may make this one, else none, with a warning. Raises :class:`InvalidValue` for limits.

    A user may where a group above has been handed over.
    """
    if not os.geteuid() or _makes(groups, path):
        return groups, ()
    nothing = resources(Field("resources", {}, []), fresh=True)
    if config.resources._replace(devices=()) != nothing._replace(devices=()):
        reason = "this user may make no cgroup, so there is nothing that would keep limits"
        raise InvalidValue("linux.resources", "limits", reason, "take them out, or have a cgroup handed over")
    return None, ("the container gets no cgroup, since this user may make none",)


def _makes(groups: Cgroups, path: str) -> bool:
    if groups.version == 1:
        return all(os.access(top, os.W_OK) for top in groups.directories(""))
    from .unified import within_reach

    return within_reach(groups, path)


@contextmanager
def shifts(config: Config) -> Iterator[dict[int, int]]:
    """Descriptors of user namespaces for the id-mapped mounts, by their index; closed at the end of the block."""
    found: dict[int, int] = {}
    try:
        for index, mount in enumerate(config.mounts):
            if mount.id_mapping:
                found[index] = _shift(config, mount.id_mapping)
        yield found
    finally:
        for descriptor in found.values():
            os.close(descriptor)


def _shift(config: Config, mapping: IdMapping) -> int:
    joined = [path for kind, path in config.namespaces.joined if kind == syscalls.CLONE_NEWUSER]
    if joined and not mapping.uids:
        return os.open(joined[0], os.O_RDONLY | os.O_CLOEXEC)
    from ..kernel import userns

    return userns.namespace(mapping.uids or config.uid_mappings, mapping.gids or config.gid_mappings)


def accompany(operation: str, peer: socket.socket, pid: int, config: Config | None) -> int:
    """Map the ids if ``config`` has a new user namespace, then learn which process is the container's: its pid.

    The forked process ``pid`` ends meanwhile, and is taken the status of. Raises :class:`Failure`; it has ended then.
    """
    try:
        if config and config.namespaces.new & syscalls.CLONE_NEWUSER:
            from ..kernel import userns

            channel.expect(operation, peer, channel.USERS)
            userns.write_maps(pid, config.uid_mappings, config.gid_mappings)
            channel.send(peer, channel.GO)
        born = int(channel.expect(operation, peer, channel.CHILD))
        os.waitpid(pid, 0)
        channel.send(peer, channel.GO)
        return born
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        raise
