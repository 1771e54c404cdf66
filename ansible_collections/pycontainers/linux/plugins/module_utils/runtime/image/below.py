# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the layers under one show at a path, found as overlayfs finds it, without mounting them."""
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from . import inode, overlay
from .names import Parts

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Folder:
    """A folder's owner, mode, time in nanoseconds and attributes."""

    uid: int
    gid: int
    mode: int
    mtime: int
    xattrs: dict[str, bytes]


class Below:
    """Directories of layers, the uppermost first."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots

    def link(self, parts: Parts) -> str | None:
        """The target of the symbolic link at a path, or None where there is none."""
        found = self._at(parts)
        return found if isinstance(found, str) else None

    def folder(self, parts: Parts) -> Folder | None:
        """The folder at a path, or None where there is none."""
        found = self._at(parts)
        return found if isinstance(found, Folder) else None

    def _at(self, parts: Parts) -> str | Folder | None:
        """What the uppermost layer has there, unless one above it hides that. Links on the way are not followed."""
        for root in self._roots:
            descriptor, depth, hides = os.open(root, FOLDER), 0, False
            try:
                hides = overlay.is_opaque(descriptor)
                while depth < len(parts):
                    above, descriptor = descriptor, os.open(parts[depth], FOLDER, dir_fd=descriptor)
                    os.close(above)
                    depth += 1
                    hides = hides or (depth < len(parts) and overlay.is_opaque(descriptor))
                return _folder(descriptor)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
                    raise
                if error.errno != errno.ENOENT:
                    there = os.stat(parts[depth], dir_fd=descriptor, follow_symlinks=False)
                    if stat.S_ISLNK(there.st_mode) and depth == len(parts) - 1:
                        return os.readlink(parts[depth], dir_fd=descriptor)
                    hides = hides or overlay.is_whiteout(there)
            finally:
                os.close(descriptor)
            if hides:
                return None
        return None


def _folder(descriptor: int) -> Folder:
    there = os.fstat(descriptor)
    xattrs = {key: os.getxattr(descriptor, key) for key in os.listxattr(descriptor) if inode.is_kept(key)}
    return Folder(there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode), there.st_mtime_ns, xattrs)
