# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first content of a volume: what the image has at its place, copied by descriptors and single names.

No link is followed, on either side, and whatever is made is made aside and renamed, so a copy that was cut short is
simply done again: it goes over what the one before it has left.
"""
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress

from ..errors import Failure
from ..lean.dataclasses import dataclass, field

DEEPEST = 255
PIECE = 1 << 20
ASIDE = ".pycontainers-copy.new"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ITEM = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OF_THE_HOST = ("security.selinux",)
"""Attributes that are the host's to give."""


@dataclass
class Copy:
    """One copy, of what is behind one descriptor to what is behind another; both are folders.

    ``seen`` are files of several names, by inode, with the first of their names as parts of a path.
    """

    source: int
    target: int
    seen: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)

    def run(self) -> None:
        """Copy all that is in the folder, and owner, mode, times and attributes of the folder itself."""
        self._contents(self.source, self.target, ())
        _dress(self.source, self.target)

    def _contents(self, source: int, target: int, path: tuple[str, ...]) -> None:
        if len(path) > DEEPEST:
            raise Failure("copy the image's content into a volume", f"it is more than {DEEPEST} folders deep")
        with suppress(FileNotFoundError):
            os.unlink(ASIDE, dir_fd=target)
        for name in sorted(os.listdir(source)):
            self._copy(source, target, name, (*path, name))

    def _copy(self, source: int, target: int, name: str, path: tuple[str, ...]) -> None:
        there = os.stat(name, dir_fd=source, follow_symlinks=False)
        kind = stat.S_IFMT(there.st_mode)
        if kind == stat.S_IFDIR:
            self._folder(source, target, name, path)
        elif kind == stat.S_IFSOCK:
            return
        elif there.st_nlink > 1 and (first := self.seen.get((there.st_dev, there.st_ino))):
            _aside(target, name, lambda: self._link(first, target))
        else:
            _aside(target, name, lambda: _make(source, target, name, there))
            self.seen[there.st_dev, there.st_ino] = path

    def _folder(self, source: int, target: int, name: str, path: tuple[str, ...]) -> None:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=target)
        inner = os.open(name, _FOLDER, dir_fd=source)
        try:
            made = os.open(name, _FOLDER, dir_fd=target)
            try:
                self._contents(inner, made, path)
                _dress(inner, made)
            finally:
                os.close(made)
        finally:
            os.close(inner)

    def _link(self, first: tuple[str, ...], target: int) -> None:
        """Give a file that was copied already another name."""
        folder = os.dup(self.target)
        try:
            for name in first[:-1]:
                inner = os.open(name, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            os.link(first[-1], ASIDE, src_dir_fd=folder, dst_dir_fd=target, follow_symlinks=False)
        finally:
            os.close(folder)


def _aside(target: int, name: str, make: Callable[[], None]) -> None:
    make()
    os.rename(ASIDE, name, src_dir_fd=target, dst_dir_fd=target)


def _make(source: int, target: int, name: str, there: os.stat_result) -> None:
    if stat.S_ISREG(there.st_mode):
        _write(source, target, name)
    elif stat.S_ISLNK(there.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), ASIDE, dir_fd=target)
    else:
        # What a container sees of a volume honours no devices.
        os.mknod(ASIDE, stat.S_IFMT(there.st_mode) | 0o600, there.st_rdev, dir_fd=target)
    item = os.open(name, _ITEM, dir_fd=source)
    try:
        made = os.open(ASIDE, _ITEM, dir_fd=target)
        try:
            _dress(item, made)
        finally:
            os.close(made)
    finally:
        os.close(item)


def _write(source: int, target: int, name: str) -> None:
    content = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        copy = os.open(ASIDE, _CREATE, 0o600, dir_fd=target)
        try:
            while os.sendfile(copy, content, None, PIECE):
                pass
        finally:
            os.close(copy)
    finally:
        os.close(content)


def _dress(item: int, made: int) -> None:
    """Owner, mode, attributes and times of what is behind a descriptor. A change of owner takes away some of these."""
    there, place, origin = os.fstat(item), f"/proc/self/fd/{made}", f"/proc/self/fd/{item}"
    # A descriptor's own name in /proc leads to the very thing, also where that is a link.
    os.chown(place, there.st_uid, there.st_gid)
    if not stat.S_ISLNK(there.st_mode):
        os.chmod(place, stat.S_IMODE(there.st_mode))
        for name in os.listxattr(origin):
            if name not in _OF_THE_HOST:
                _set(place, name, os.getxattr(origin, name))
    os.utime(place, ns=(there.st_atime_ns, there.st_mtime_ns))


def _set(place: str, name: str, value: bytes) -> None:
    try:
        os.setxattr(place, name, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:  # a tmpfs, say, has none of users
            raise
