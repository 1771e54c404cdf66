# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the layers under one show at a path, found as overlayfs finds it, without mounting them.

A layer is unpacked once for all images that have it, and in some it may lie on others: an image of a stranger's could
give its folders an owner and a mode that they have in another image, too. So what a layer depends on is noted with it.
"""
from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Sequence

from ..lean.dataclasses import dataclass
from . import inode, overlay
from .names import Parts

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

MARK = "trusted.overlay.pycontainers"
"""The attribute of a layer's root with what it depends on. Overlayfs shows none that begins so, and knows none such."""

LONGEST_MARK = 2048
"""Bytes: ext4 has room for 4096, all attributes of a file together."""


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
        self._said: dict[str, str] = {}
        self._noted = 0
        self.steps = 0
        """Folders that were opened so far."""

    def link(self, parts: Parts) -> str | None:
        """The target of the symbolic link at a path, or None where there is none."""
        found = self._at(parts)
        if not isinstance(found, str):
            return None
        self._note(parts, found)
        return found

    def folder(self, parts: Parts) -> Folder | None:
        """The folder at a path, or None where there is none."""
        found = self._at(parts)
        self._note(parts, found)
        return found if isinstance(found, Folder) else None

    def mark(self) -> bytes:
        """What was found, to be compared with; if that is much, which layers these are; nothing if it is nothing."""
        text = json.dumps(self._said).encode() if self._said else b""
        return text if len(text) <= LONGEST_MARK else self._names()

    def differs(self, mark: bytes) -> str:
        """What is another way here than where a mark was made, or nothing."""
        if not mark.startswith(b"{"):
            return "" if mark == self._names() else "these are not the same layers"
        for path, said in json.loads(mark).items():
            now = _shortly(self._at(tuple(filter(None, path.split("/")))))
            if now != said:
                return f"/{path} is {now} where it was {said}"
        return ""

    def _note(self, parts: Parts, found: str | Folder | None) -> None:
        # The root of a layer is never seen: a container's is its upper directory.
        if parts and self._noted <= LONGEST_MARK:
            self._said["/".join(parts)] = _shortly(found)
            self._noted += sum(map(len, parts)) + 1

    def _names(self) -> bytes:
        # A layer that is being pulled has an ending yet.
        names = "\n".join(os.path.basename(root).partition(".")[0] for root in self._roots)
        return hashlib.sha256(names.encode()).hexdigest().encode()

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
                    self.steps += 1
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


def _shortly(found: str | Folder | None) -> str:
    """Without times, which another version of the same lower layer has other ones of. No folder is an usual one."""
    if isinstance(found, str):
        return f"a link to {found}"
    return f"{found.mode:04o} of {found.uid}:{found.gid}" if found else "0755 of 0:0"
