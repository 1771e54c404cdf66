# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Project quotas: what all files of a project may take together, on ext4 and xfs alike (quotactl(2)).

A file's project is a number in its inode (ioctl_xfs_fsgetxattr(2)). Files that are made in a directory that passes its
project on have it too.
"""
from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
import struct
from ctypes import c_int, c_long, c_uint

from ..lean.contextlib import suppress
from ..typed import NamedTuple
from .syscalls import libc

_SYS_QUOTACTL_FD = 443
PRJQUOTA = 2
Q_GETQUOTA, Q_SETQUOTA, Q_XGETQSTATV = 0x800007, 0x800008, ord("X") << 8 | 8
QIF_LIMITS = 1 | 4
"""The fields that Q_SETQUOTA takes: limits of blocks and of inodes."""

FS_QUOTA_PDQ_ENFD = 1 << 5
FS_QSTATV_VERSION1 = 1
BLOCK = 1024
"""Bytes that a limit is counted in (linux/quota.h, QIF_DQBLKSIZE)."""

FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR, FS_XFLAG_PROJINHERIT = 0x801C581F, 0x401C5820, 0x200

_BLOCKS = struct.Struct("=8QI4x")
"""``struct if_dqblk``: hard and soft limit and use of blocks, the same of inodes, times of grace, fields that hold."""

_STATE = struct.Struct("=bxH164x")
"""``struct fs_quota_statv``: version and flags, and what is of no interest here."""

_ATTRIBUTES = struct.Struct("=5I8x")
"""``struct fsxattr``: flags, extent size, extents, project, and another extent size."""


DEEPEST = 255
"""Folders within each other that are gone into; who needs more must be given its project before it makes them."""


class Quota(NamedTuple):
    """What a project may take and takes: bytes and inodes. A limit of 0 is none."""

    size: int
    inodes: int
    used: int = 0
    used_inodes: int = 0


def _quotactl(folder: str, command: int, identity: int, argument: ctypes.Array[ctypes.c_char]) -> None:
    descriptor = _opened(folder)
    try:
        words = (c_int(descriptor), c_uint(command << 8 | PRJQUOTA), c_uint(identity), ctypes.byref(argument))
        if libc.syscall(c_long(_SYS_QUOTACTL_FD), *words) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), folder)
    finally:
        os.close(descriptor)


def _opened(folder: str) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def enforced(folder: str) -> bool:
    """Whether the filesystem of a folder keeps projects to their limits."""
    state = ctypes.create_string_buffer(_STATE.pack(FS_QSTATV_VERSION1, 0), _STATE.size)
    try:
        _quotactl(folder, Q_XGETQSTATV, 0, state)
    except OSError as error:
        # What a kernel without quotas, a filesystem without any, and a mount without project quotas say.
        if error.errno in (errno.ENOSYS, errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP, errno.ESRCH, errno.ENODEV):
            return False
        raise
    return bool(_STATE.unpack(state.raw)[1] & FS_QUOTA_PDQ_ENFD)


def quota(folder: str, project: int) -> Quota:
    """The limits and the use of a project on the filesystem of a folder. Raises ``OSError``."""
    found = ctypes.create_string_buffer(_BLOCKS.size)
    try:
        _quotactl(folder, Q_GETQUOTA, project, found)
    except FileNotFoundError:  # xfs has no entry for a project that never had a file or a limit
        return Quota(0, 0)
    blocks, _, used, inodes, _, used_inodes, *_ = _BLOCKS.unpack(found.raw)
    return Quota(blocks * BLOCK, inodes, used, used_inodes)


def set_quota(folder: str, project: int, wanted: Quota) -> None:
    """Limit a project on the filesystem of a folder; nothing is counted beyond. Raises ``OSError``."""
    blocks = wanted.size // BLOCK
    packed = _BLOCKS.pack(blocks, blocks, 0, wanted.inodes, wanted.inodes, 0, 0, 0, QIF_LIMITS)
    _quotactl(folder, Q_SETQUOTA, project, ctypes.create_string_buffer(packed, _BLOCKS.size))


def project(folder: str) -> int:
    """The project of a folder, 0 if it has none or its filesystem knows none."""
    descriptor = _opened(folder)
    try:
        return _attributes(descriptor)[3]
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
            return 0
        raise
    finally:
        os.close(descriptor)


def _attributes(descriptor: int) -> list[int]:
    return list(_ATTRIBUTES.unpack(fcntl.ioctl(descriptor, FS_IOC_FSGETXATTR, bytes(_ATTRIBUTES.size))))


def set_project(folder: str, identity: int) -> None:
    """Give a folder and all files and folders in it to a project, which what is made there then belongs to.

    Links and devices have none: they take no blocks to speak of. Raises ``OSError``.
    """
    top = _opened(folder)
    try:
        _give_below(top, identity, 0)
    except BaseException:
        os.close(top)
        raise
    # Last, so that by it one can tell that all is done.
    _give(top, identity)


def _give_below(folder: int, identity: int, depth: int) -> None:
    """A program that runs there may take things away, or put others in their places, or make folders without end."""
    if depth > DEEPEST:
        raise OSError(errno.ENAMETOOLONG, f"there are more than {DEEPEST} folders in each other")
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):
            kind = os.lstat(name, dir_fd=folder).st_mode
            if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                continue
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    _give_below(descriptor, identity, depth + 1)
            except BaseException:
                os.close(descriptor)
                raise
            _give(descriptor, identity)


def _give(descriptor: int, identity: int) -> None:
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return
        values = _attributes(descriptor)
        values[3] = identity
        if stat.S_ISDIR(mode):
            values[0] = values[0] | FS_XFLAG_PROJINHERIT if identity else values[0] & ~FS_XFLAG_PROJINHERIT
        fcntl.ioctl(descriptor, FS_IOC_FSSETXATTR, _ATTRIBUTES.pack(*values))
    finally:
        os.close(descriptor)
