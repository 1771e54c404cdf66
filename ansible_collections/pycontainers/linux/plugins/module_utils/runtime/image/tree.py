# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of a layer's archive as files below one directory, and nowhere else.

Every file is made relative to a descriptor of its folder, and a folder is reached from the root's descriptor
one name at a time without following symbolic links. So no path in an archive is ever looked up by the kernel,
and what a symbolic link in it points to does not matter.
"""
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TypeVar

from . import inode, overlay, tar
from .below import FOLDER, Below
from .erase import erase
from .names import DEEPEST, META, WHITEOUT, Parts, hidden_by, is_of_aufs, parts_of
from .tar import Member, shown

T = TypeVar("T")

MOST_STEPS = 20_000_000
"""Folders that are opened for all members together: an archive that jumps about in deep ones ends in half a minute."""

MOST_LINKS = 40
"""Symbolic links that one path leads through, MAXSYMLINKS of the kernel."""

_OF_THE_ARCHIVE = (
    errno.ENAMETOOLONG, errno.EINVAL, errno.EPERM, errno.EFBIG, errno.EMLINK, errno.EOVERFLOW,
)  # fmt: skip
_NODES = {tar.FIFO: stat.S_IFIFO, tar.CHARACTER: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK}
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree:
    """The directory behind ``root`` while members are added to it.

    ``below`` are the directories of the layers that it will lie on, the uppermost first. A folder that the
    archive only implies gets owner, mode, time and attributes of the same one there: overlayfs shows the
    uppermost, and /tmp has to stay everybody's. Where a link is there, as /lib is one to usr/lib, what the archive
    has below it goes where the link leads; a folder in the link's place would hide all of it.
    """

    def __init__(self, root: int, below: Sequence[str] = ()) -> None:
        self._open: list[int] = [root]
        self._times: list[int] = [0]
        self._path: Parts = ()
        self._asked: Parts | None = None
        self._recent: tuple[str, Parts] = ("", ())
        self.below = Below(below)
        self._hides = False
        self._steps = 0
        self._root_implied = True
        self.implied = 0

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave(0)

    def add(self, member: Member, content: Iterator[memoryview]) -> None:
        """Make one member; a later one replaces an earlier of the same name, but folders are merged.

        Raises ``ValueError`` that names the member if it can't be made within the tree.
        """
        above, last, hidden = self._place(member)
        if not last:
            self._dress_folder((), member)
            self._root_implied = False
            return
        try:
            if hidden is None:
                self._make(above, last, member, content)
            elif hidden != META:
                self._hide(above, hidden)
        except OSError as error:
            if error.errno not in _OF_THE_ARCHIVE:
                raise
            raise ValueError(f"{shown(member.name)} can't be made ({error.strerror})") from error
        for _ in content:
            pass

    def _place(self, member: Member) -> tuple[Parts, str, str | None]:
        """Where a member belongs: its folder, its name there, and what it hides, if it is a whiteout.

        Most members are in the folder of the one before, whose path need not be looked at again.
        """
        text, _, last = member.name.rpartition("/")
        if text == self._recent[0] and last not in ("", ".", "..") and not last.startswith(WHITEOUT):
            return self._recent[1], last, None
        parts = parts_of(member.name)
        if not parts:
            if member.kind != tar.DIRECTORY:
                raise ValueError(f"{shown(member.name)} would replace the layer's own root")
            return (), "", None
        if is_of_aufs(parts):
            return parts[:-1], parts[-1], META
        hidden = hidden_by(parts)
        if last == parts[-1] and len(parts) < DEEPEST:
            self._recent = text, parts[:-1]
        return parts[:-1], parts[-1], hidden

    def finish(self) -> None:
        """See to what can only be seen to when nothing more is added."""
        self._leave(0)
        if self._root_implied:
            # Last, as the layer below may be one that is unpacked at the same time.
            self._imitate()
        if self._hides:
            _sweep(self._open[0], hidden=False)
        os.utime(self._open[0], ns=(self._times[0], self._times[0]))

    def _make(self, above: Parts, last: str, member: Member, content: Iterator[memoryview]) -> None:
        if member.kind == tar.HARD_LINK:
            self._link(above, last, member)
            return
        folder = self._folder(above)
        if member.kind == tar.FILE:
            descriptor = self._fresh(folder, last, lambda: os.open(last, _CREATE, 0o600, dir_fd=folder))
            try:
                inode.write(descriptor, member, content)
            finally:
                os.close(descriptor)
        elif member.kind == tar.DIRECTORY:
            self._make_folder(folder, last)
            self._dress_folder((*self._path, last), member)
        elif member.kind == tar.SYMLINK:
            self._fresh(folder, last, lambda: os.symlink(member.target, last, dir_fd=folder))
            inode.dress_nameless(folder, last, member)
        else:
            kind, device = _NODES[member.kind], os.makedev(*member.device)
            self._fresh(folder, last, lambda: os.mknod(last, kind | 0o600, device, dir_fd=folder))
            inode.dress_nameless(folder, last, member)
            inode.chmod_nameless(folder, last, member.mode)

    def _link(self, above: Parts, last: str, member: Member) -> None:
        """A hard link: both ends are names in this layer, and a symbolic link is linked itself, not followed."""
        target = parts_of(member.target)
        both = f"{shown(member.name)} is a hard link to {shown(member.target)}"
        missing = f"{both}, which is no earlier file of the layer"
        if not target:
            raise ValueError(missing)
        try:
            source = os.dup(self._folder(target[:-1], make=False))
        except FileNotFoundError:
            raise ValueError(missing) from None
        try:
            there, folder = os.stat(target[-1], dir_fd=source, follow_symlinks=False), self._folder(above)
            if stat.S_ISDIR(there.st_mode) or overlay.is_whiteout(there):
                raise ValueError(missing)

            def link() -> None:
                os.link(target[-1], last, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)

            self._fresh(folder, last, link)
        except FileNotFoundError:
            raise ValueError(missing) from None
        finally:
            os.close(source)

    def _hide(self, above: Parts, hidden: str) -> None:
        """A whiteout as overlayfs has it: a 0:0 device for a name, an attribute for a folder's whole content.

        It is about the layers below only: what this layer itself has under the name stays (layer.md, "Whiteouts").
        """
        folder = self._folder(above)
        if not hidden:
            self._mark_opaque(folder)
            return
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=folder)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(hidden, dir_fd=folder, follow_symlinks=False).st_mode):
                self._mark_opaque(self._own_folder((*self._path, hidden)))

    def _mark_opaque(self, folder: int) -> None:
        overlay.mark_opaque(folder)
        self._hides = True

    def _make_folder(self, folder: int, last: str) -> None:
        """A folder; in place of something else it hides what that hid, a folder of the layers below among others."""
        hides = False
        try:
            os.mkdir(last, dir_fd=folder)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
                return
            os.unlink(last, dir_fd=folder)
            os.mkdir(last, dir_fd=folder)
            hides = True
        made = os.open(last, FOLDER, dir_fd=folder)
        try:
            os.fchmod(made, 0o755)  # whatever the umask is
            os.utime(made, ns=(0, 0))  # unless a member or a layer below says it; the same whenever it is unpacked
            if hides:
                self._mark_opaque(made)
        finally:
            os.close(made)

    def _dress_folder(self, parts: Parts, member: Member) -> None:
        inode.dress(self._own_folder(parts), member)
        self._times[-1] = member.mtime

    def _imitate(self) -> None:
        """Give the innermost folder what the layers below say of it."""
        there = self.below.folder(self._path)
        if there is None:
            return
        os.fchown(self._open[-1], there.uid, there.gid)
        os.fchmod(self._open[-1], there.mode)
        inode.set_xattrs(self._open[-1], "/".join(self._path), there.xattrs)
        self._times[-1] = there.mtime

    def _fresh(self, folder: int, last: str, make: Callable[[], T]) -> T:
        """Make something under a name; what has the name already goes first, so nothing is written through it."""
        try:
            return make()
        except FileExistsError:
            if stat.S_ISDIR(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
                erase(last, folder)
            else:
                os.unlink(last, dir_fd=folder)
            return make()

    def _folder(self, parts: Parts, make: bool = True) -> int:
        """A descriptor of a folder, by way of the ones still open. Missing ones are made, root's and 0755.

        Links of the layers below are followed, each name from the root of the tree, so they lead nowhere but into
        it. Where the folder really is, ``_path`` says.
        """
        if parts is not self._asked:
            try:
                self._own_folder(parts)
            except FileNotFoundError:
                self._seek(parts, make)
            self._asked = parts
        return self._open[-1]

    def _seek(self, parts: Parts, make: bool) -> None:
        """Go to a folder that is not there, or not by this path."""
        ahead, links = list(reversed(parts)), 0
        place: Parts = ()
        while ahead:
            name = ahead.pop()
            if name == "..":
                place = place[:-1]
                continue
            target = self._step(place, name, make)
            if target is None:
                place = (*place, name)
                continue
            links += 1
            if links > MOST_LINKS:
                path = shown("/".join(parts))
                raise ValueError(f"{path} leads through more than {MOST_LINKS} links of the layers below")
            ahead += [each for each in reversed(target.split("/")) if each not in ("", ".")]
            place = () if target.startswith("/") else place
        self._own_folder(place)

    def _step(self, place: Parts, name: str, make: bool) -> str | None:
        """The target of the link that the layers below have under a name; else see that there is a folder."""
        path = (*place, name)
        try:
            self._own_folder(path)
            return None
        except FileNotFoundError:
            folder = self._own_folder(place)
        hidden = _has(folder, name) or any(map(overlay.is_opaque, self._open))
        target = None if hidden else self.below.link(path)
        if target is None:
            if not make:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
            self._make_folder(folder, name)
            self.implied += 1
            self._own_folder(path)
            if not hidden:
                self._imitate()
        return target

    def _own_folder(self, parts: Parts) -> int:
        """A descriptor of a folder that this layer has. Raises ``FileNotFoundError`` if there is none."""
        self._asked = None
        if parts == self._path:
            return self._open[-1]
        common = 0
        while common < min(len(parts), len(self._path)) and parts[common] == self._path[common]:
            common += 1
        self._leave(common)
        self._steps += len(parts) - common
        if self._steps + self.below.steps > MOST_STEPS:
            raise ValueError(f"its members lead in and out of more than {MOST_STEPS} folders")
        for depth in range(common, len(parts)):
            folder = self._enter(parts, depth)
            self._open.append(folder)
            self._times.append(os.fstat(folder).st_mtime_ns)
            self._path = parts[: depth + 1]
        return self._open[-1]

    def _enter(self, parts: Parts, depth: int) -> int:
        above, name = self._open[-1], parts[depth]
        try:
            return os.open(name, FOLDER, dir_fd=above)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            there = os.stat(name, dir_fd=above, follow_symlinks=False)
            if overlay.is_whiteout(there):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None
        kind = "symbolic link" if stat.S_ISLNK(there.st_mode) else "file"
        path, within = "/".join(parts[: depth + 1]), "/".join(parts)
        raise ValueError(f"{shown(within)} leads through {shown(path)}, which is a {kind}")

    def _leave(self, depth: int) -> None:
        """Close the folders that are more than ``depth`` below the root, which is the caller's.

        Each gets its time, which making files in it has changed: this takes no memory for any number of folders.
        """
        while len(self._open) > depth + 1:
            folder, time = self._open.pop(), self._times.pop()
            try:
                os.utime(folder, ns=(time, time))
            finally:
                os.close(folder)
        self._path = self._path[:depth]


def _has(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _sweep(folder: int, hidden: bool) -> None:
    """Take the whiteouts out of opaque folders: they have nothing to hide, and overlayfs would list their names."""
    hidden, time = hidden or overlay.is_opaque(folder), os.fstat(folder).st_mtime_ns
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                within = os.open(entry.name, FOLDER, dir_fd=folder)
                try:
                    _sweep(within, hidden)
                finally:
                    os.close(within)
            elif hidden and overlay.is_whiteout(entry.stat(follow_symlinks=False)):
                os.unlink(entry.name, dir_fd=folder)
    os.utime(folder, ns=(time, time))
