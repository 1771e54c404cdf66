# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the first process does for user namespaces, id-mapped mounts and ``tmpcopyup``, besides :mod:`.stage`.

Rights over the host end with the entry into a user namespace. So what needs them comes before it: cgroups, limits, and
copies of the mounts whose paths root inside may not be able to follow.
"""
from __future__ import annotations

import errno
import os
import stat

from ..errors import InvalidValue
from ..kernel import procfs, syscalls
from ..kernel.mount_options import MOUNT_ATTR_IDMAP
from ..lean import socket
from ..lean.contextlib import suppress
from . import channel, init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

COPIED = 1 << 20
"""Bytes that are copied at once."""


class Users(init.Init):
    """The operations, and the mounts that are copied before the user namespace, by source and depth."""

    peer: socket.socket

    def __init__(self) -> None:
        super().__init__()
        self.trees: dict[tuple[str, bool], list[int]] = {}
        self.on_top = False

    def sources(self, wanted: Sequence[tuple[str, bool]]) -> None:
        """Copy what is to be bound while the host's paths can be followed, in the order in which it is asked for."""
        for source, deep in wanted:
            tree = syscalls.open_tree(source, deep)
            # What is mounted inside must not appear on the host.
            syscalls.mount_setattr(tree, 0, recursive=deep, propagation=syscalls.MS_SLAVE)
            self.trees.setdefault((source, deep), []).append(tree)

    def copy_of(self, source: str, deep: bool) -> int:
        """A detached copy of a mount: one that was made before, else a new one."""
        kept = self.trees.get((source, deep))
        return kept.pop(0) if kept else syscalls.open_tree(source, deep)

    def mapped(self, source: str, deep: bool, users: int, below: bool, field: str) -> None:
        """Copy a mount with its ids as the user namespace behind a descriptor maps them, for ``attach``."""
        tree = syscalls.open_tree(source, deep)
        syscalls.mount_setattr(tree, 0, recursive=deep, propagation=syscalls.MS_SLAVE)
        try:
            syscalls.mount_setattr(tree, MOUNT_ATTR_IDMAP, recursive=below, users=users)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EPERM):
                raise
            reason = "its filesystem takes no id-mapped mounts, is id-mapped already, or this user may not map it"
            raise InvalidValue(field, source, reason, "bind it without mappings") from error
        self.trees.setdefault((source, deep), []).append(tree)

    def join_kinds(self, joined: Sequence[tuple[str, int]]) -> None:
        """Join namespaces, before the user namespace what the caller has rights to, after it what belongs to that.

        They are opened first, since their paths are those of the mount namespace that may be left.
        """
        found = [(os.open(path, os.O_RDONLY | os.O_CLOEXEC), kind) for path, kind in joined]
        found.sort(key=lambda each: each[1] in (syscalls.CLONE_NEWNS, syscalls.CLONE_NEWUSER))
        users = [each for each, kind in found if kind == syscalls.CLONE_NEWUSER]
        later = []
        for descriptor, kind in found:
            if kind != syscalls.CLONE_NEWUSER:
                try:
                    syscalls.setns(descriptor, kind)
                except PermissionError:
                    if not users:
                        raise
                    later.append((descriptor, kind))
        if users:
            syscalls.setns(users[0], syscalls.CLONE_NEWUSER)
        for descriptor, kind in later:
            syscalls.setns(descriptor, kind)
        for descriptor, _ in found:
            os.close(descriptor)

    def users(self) -> None:
        """Make a user namespace, and have the runtime map its ids.

        The files in /proc that this takes belong to root as long as this process can't be dumped. Root maps them all
        the same, and must not let go: root of another container owns this namespace too, and may trace who is in it.
        """
        root = not os.geteuid()
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0 if root else 1)
        channel.send(self.peer, channel.USERS)
        self.go()

    def mapped_root(self) -> None:
        """Become root of the user namespace, where it has one, so that files made from here on are its own."""
        with suppress(PermissionError):  # setgroups(2) may be given up
            os.setgroups([])
        with suppress(OSError):
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)

    def offsets(self, clocks: Sequence[tuple[str, int, int]]) -> None:
        """Shift the clocks of the new time namespace, before there is a process in it."""
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
        for clock, seconds, nanoseconds in clocks:
            procfs.write("self/timens_offsets", f"{clock} {seconds} {nanoseconds}")

    def reborn(self) -> None:
        """Fork into the pid and time namespaces; the runtime is the parent of both, and is told the pid by the elder.

        A user namespace that owns the pid namespace must be there before, so that the runtime can't fork into it.
        """
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        pid = syscalls.fork_sibling()
        if pid:
            channel.send(self.peer, channel.CHILD, str(pid).encode())
            os._exit(0)
        self.go()
        os.setsid()

    def attribute(self, field: str, value: str, name: str, text: str) -> None:
        """Write what a security module is to confine the next program by. Raises :class:`InvalidValue` of the field."""
        try:
            procfs.write(f"thread-self/{name}", text)
        except OSError as error:
            reason = f"the kernel does not take it ({error.strerror})"
            raise InvalidValue(field, value, reason, "see that the profile or policy is loaded") from error

    def label(self, target: str, label: str) -> None:
        """Give a place inside the root an SELinux label."""
        descriptor = self._existing(target)
        os.setxattr(f"/proc/self/fd/{descriptor}", "security.selinux", label.encode())
        os.close(descriptor)

    def go(self) -> None:
        """Wait for the runtime; without it there is nothing to be done."""
        if channel.receive(self.peer).kind != channel.GO:
            os._exit(1)

    def _set_groups(self, group: int, groups: Sequence[int]) -> None:
        """Set the groups; that there are none is so where setgroups(2) was given up."""
        try:
            super()._set_groups(group, groups)
        except PermissionError:
            if set(groups) - {group}:
                raise

    def copy_up(self, source: str, target: str, fstype: str, flags: int, options: str) -> None:
        """Mount a filesystem that begins with what is at that place in the root (``tmpcopyup``)."""
        before = self._existing(target)
        self.mount(source, target, fstype, flags, options)
        if before < 0:
            return
        now = self._existing(target)
        old = os.open(f"/proc/self/fd/{before}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        new = os.open(f"/proc/self/fd/{now}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        _copy_folder(old, new)
        for descriptor in (before, now, old, new):
            os.close(descriptor)


def _copy_folder(old: int, new: int) -> None:
    for name in sorted(os.listdir(old)):
        about = os.stat(name, dir_fd=old, follow_symlinks=False)
        if stat.S_ISLNK(about.st_mode):
            os.symlink(os.readlink(name, dir_fd=old), name, dir_fd=new)
        elif stat.S_ISDIR(about.st_mode):
            os.mkdir(name, 0o700, dir_fd=new)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = [os.open(name, flags, dir_fd=each) for each in (old, new)]
            _copy_folder(*inner)
            for each in inner:
                os.close(each)
        elif stat.S_ISREG(about.st_mode):
            _copy_file(name, old, new)
        else:
            continue
        os.chown(name, about.st_uid, about.st_gid, dir_fd=new, follow_symlinks=False)
        if not stat.S_ISLNK(about.st_mode):
            os.chmod(name, stat.S_IMODE(about.st_mode), dir_fd=new)
        os.utime(name, ns=(about.st_atime_ns, about.st_mtime_ns), dir_fd=new, follow_symlinks=False)


def _copy_file(name: str, old: int, new: int) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=old)
    copy = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=new)
    while os.sendfile(copy, source, None, COPIED):
        pass
    os.close(source)
    os.close(copy)
