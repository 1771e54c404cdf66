# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a member of a layer's archive gives its file: content, owner, mode, attributes, times."""
from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping

from .tar import Member, shown

_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def write(descriptor: int, member: Member, content: Iterator[memoryview]) -> None:
    """Fill an empty file."""
    if member.fragments is None:
        for piece in content:
            while piece:
                piece = piece[os.write(descriptor, piece) :]
    else:
        _scatter(descriptor, member.fragments, content)
        os.ftruncate(descriptor, member.length)
    dress(descriptor, member)
    os.utime(descriptor, ns=(member.mtime, member.mtime))


def _scatter(descriptor: int, fragments: list[tuple[int, int]], content: Iterator[memoryview]) -> None:
    piece = memoryview(b"")
    for offset, count in fragments:
        os.lseek(descriptor, offset, os.SEEK_SET)
        while count:
            piece = piece or next(content)
            written = os.write(descriptor, piece[:count])
            piece, count = piece[written:], count - written


def dress(descriptor: int, member: Member) -> None:
    """Owner, mode, attributes; in this order, as a change of owner takes set-user-ID and capabilities away."""
    os.fchown(descriptor, member.uid, member.gid)
    os.fchmod(descriptor, member.mode)
    if member.xattrs:
        set_xattrs(descriptor, member.name, member.xattrs)


def dress_nameless(folder: int, last: str, member: Member) -> None:
    """Owner, times and but for symbolic links the mode of what can't be opened."""
    os.chown(last, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)
    os.utime(last, ns=(member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)


def chmod_nameless(folder: int, last: str, mode: int) -> None:
    """fchmodat(2) follows links and has no flag against it before Linux 6.6; a descriptor by O_PATH follows none."""
    descriptor = os.open(last, _PATH, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


def set_xattrs(descriptor: int, name: str, xattrs: Mapping[str, bytes]) -> None:
    """Capabilities and programs' own attributes.

    Others, trusted.overlay.* first of all, would tell overlayfs or the host's security modules what to do.
    Raises ``ValueError`` for one that no file can have.
    """
    for key, value in xattrs.items():
        if not is_kept(key):
            continue
        try:
            os.setxattr(descriptor, key, value)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) == errno.ENOTSUP and key.startswith("user."):
                continue  # tmpfs has none before Linux 6.6; programs have to live with that
            if isinstance(error, OSError) and _is_of_the_disk(descriptor, error):
                raise
            said = error.strerror if isinstance(error, OSError) else error
            raise ValueError(f"the attribute {key[:60]!r} of {shown(name)} can't be set ({said})") from error


def is_kept(key: str) -> bool:
    """Whether an extended attribute is one that images may set."""
    return key == "security.capability" or (key.startswith("user.") and not key.startswith("user.overlay."))


def _is_of_the_disk(descriptor: int, error: OSError) -> bool:
    """Whether it is not the attribute's fault: ext4 says that the disk is full also when an attribute is too long."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        there = os.fstatvfs(descriptor)
        return there.f_bavail == 0 or error.errno == errno.EDQUOT
    return error.errno not in (errno.EINVAL, errno.ERANGE, errno.E2BIG, errno.EPERM)
