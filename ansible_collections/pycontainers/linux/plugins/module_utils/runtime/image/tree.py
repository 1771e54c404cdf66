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
import shutil
import stat
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeVar

from . import inode, overlay, tar
from .below import FOLDER, Below, Parts
from .tar import Member

T = TypeVar("T")

DEEPEST = 255
"""Folders within each other; each takes a descriptor. A path of Linux holds 2047 at most."""

LONGEST = 4095
"""Bytes of a path, PATH_MAX of limits.h without its NUL: what is below a longer one no program can name."""

MOST_LINKS = 40
"""Symbolic links that one path leads through, MAXSYMLINKS of the kernel."""

WHITEOUT, OPAQUE, META = ".wh.", ".wh..wh..opq", ".wh..wh."
_OF_THE_ARCHIVE = (
    errno.ENAMETOOLONG, errno.EINVAL, errno.EPERM, errno.EFBIG, errno.EMLINK, errno.EOVERFLOW,
)  # fmt: skip
_NODES = {tar.FIFO: stat.S_IFIFO, tar.CHARACTER: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK}
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def parts_of(name: str) -> Parts:
    """The names on a member's path, taken from the layer's root whether or not it starts with a slash.

    Raises ``ValueError`` for ``..``, which no builder of images writes, and for a path too deep to be honest.
    """
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise ValueError(f"{name!r} leads out of a folder by '..'")
    if len(parts) > DEEPEST:
        raise ValueError(f"{name[:60]!r}… is more than {DEEPEST} folders deep")
    if len(name) > LONGEST and sum(len(os.fsencode(part)) + 1 for part in parts) > LONGEST:
        raise ValueError(f"{name[:60]!r}… is a path of more than {LONGEST} bytes")
    return parts


def hidden_by(parts: Parts) -> str | None:
    """What a member's path says is deleted from the layers below: a name, everything (""), or None.

    Raises ``ValueError`` for a whiteout that hides nothing, and for something within one.
    """
    for part in parts[:-1]:
        if part.startswith(WHITEOUT):
            raise ValueError(f"{'/'.join(parts)!r} is within {part!r}, which is a whiteout")
    last = parts[-1]
    if not last.startswith(WHITEOUT):
        return None
    if last == OPAQUE:
        return ""
    hidden = last.removeprefix(WHITEOUT)
    if hidden in ("", ".", ".."):
        raise ValueError(f"the whiteout {'/'.join(parts)!r} hides no file")
    return hidden


def is_of_aufs(parts: Parts) -> bool:
    """Whether a member is one of aufs's own, which mean nothing to others (Docker passes over them, too)."""
    return any(part.startswith(META) and part != OPAQUE for part in parts)


class Tree:
    """The directory behind ``root`` while members are added to it.

    ``below`` are the directories of the layers that it will lie on, the uppermost first. A folder that the
    archive only implies gets owner, mode, time and attributes of the same one there: overlayfs shows the
    uppermost, and /tmp has to stay everybody's. Where a link is there, as /lib is one to usr/lib, what the archive
    has below it goes where the link leads; a folder in the link's place would hide all of it.
    """

    def __init__(self, root: int, below: tuple[str, ...] = ()) -> None:
        self._open: list[int] = [root]
        self._path: Parts = ()
        self._asked: Parts | None = None
        self._recent: tuple[str, Parts] = ("", ())
        self._times: dict[Parts, int] = {(): 0}
        self._implied: set[Parts] = {()}
        self._opaque: set[Parts] = set()
        self._below = Below(below)

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
            return
        try:
            if hidden is None:
                self._make(above, last, member, content)
            elif hidden != META:
                self._hide(above, hidden)
        except OSError as error:
            if error.errno not in _OF_THE_ARCHIVE:
                raise
            raise ValueError(f"{member.name[:300]!r} can't be made ({error.strerror})") from error
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
                raise ValueError(f"{member.name!r} would replace the layer's own root")
            return (), "", None
        if is_of_aufs(parts):
            return parts[:-1], parts[-1], META
        hidden = hidden_by(parts)
        if last == parts[-1] and len(parts) < DEEPEST:
            self._recent = text, parts[:-1]
        return parts[:-1], parts[-1], hidden

    def finish(self) -> None:
        """Set the folders' times, which making files in them has changed, and what implied folders are to be."""
        for parts in self._opaque:
            folder = self._still_there(parts)
            if folder is not None:
                _sweep(folder)
        for parts in sorted(self._implied):
            self._imitate(parts)
        for parts, mtime in sorted(self._times.items()):
            folder = self._still_there(parts)
            if folder is not None:
                os.utime(folder, ns=(mtime, mtime))

    def _still_there(self, parts: Parts) -> int | None:
        """A folder's descriptor, if no later member has taken its place."""
        try:
            return self._own_folder(parts)
        except (FileNotFoundError, ValueError):
            return None

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
            path = (*self._path, last)
            self._make_folder(folder, path)
            self._dress_folder(path, member)
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
        missing = f"{member.name!r} is a hard link to {member.target!r}, which is no earlier file of the layer"
        if not target:
            raise ValueError(missing)
        try:
            source = os.dup(self._folder(target[:-1], make=False))
        except FileNotFoundError:
            raise ValueError(missing) from None
        try:
            path, there = (*self._path, target[-1]), os.stat(target[-1], dir_fd=source, follow_symlinks=False)
            folder = self._folder(above)
            if stat.S_ISDIR(there.st_mode) or overlay.is_whiteout(there) or path == (*self._path, last):
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
            self._mark_opaque(self._path, folder)
            return
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=folder)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(hidden, dir_fd=folder, follow_symlinks=False).st_mode):
                path = (*self._path, hidden)
                self._mark_opaque(path, self._own_folder(path))

    def _mark_opaque(self, parts: Parts, folder: int) -> None:
        overlay.mark_opaque(folder)
        self._opaque.add(parts)

    def _make_folder(self, folder: int, parts: Parts) -> None:
        """A folder; in place of something else it hides what that hid, a folder of the layers below among others."""
        last, hidden = parts[-1], False
        try:
            os.mkdir(last, dir_fd=folder)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
                return
            os.unlink(last, dir_fd=folder)
            os.mkdir(last, dir_fd=folder)
            hidden = True
        self._times[parts] = 0  # unless a member or a layer below says it; the same whenever it is unpacked
        made = os.open(last, FOLDER, dir_fd=folder)
        try:
            os.fchmod(made, 0o755)  # whatever the umask is
            if hidden:
                self._mark_opaque(parts, made)
        finally:
            os.close(made)

    def _dress_folder(self, parts: Parts, member: Member) -> None:
        inode.dress(self._own_folder(parts), member)
        self._times[parts] = member.mtime
        self._implied.discard(parts)

    def _imitate(self, parts: Parts) -> None:
        folder = self._still_there(parts)
        there = self._below.folder(parts) if folder is not None and self._shows_below(parts) else None
        if folder is None or there is None:
            return
        os.fchown(folder, there.uid, there.gid)
        os.fchmod(folder, there.mode)
        inode.set_xattrs(folder, "/".join(parts), there.xattrs)
        self._times[parts] = there.mtime

    def _shows_below(self, parts: Parts) -> bool:
        """Whether no folder of this layer hides what lies below at a path."""
        return not any(parts[:depth] in self._opaque for depth in range(len(parts)))

    def _fresh(self, folder: int, last: str, make: Callable[[], T]) -> T:
        """Make something under a name; what has the name already goes first, so nothing is written through it."""
        try:
            return make()
        except FileExistsError:
            if stat.S_ISDIR(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
                shutil.rmtree(last, dir_fd=folder)
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
                raise ValueError(f"{'/'.join(parts)!r} leads through more than {MOST_LINKS} links of the layers below")
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
        hidden = _has(folder, name)
        target = self._below.link(path) if not hidden and self._shows_below(path) else None
        if target is None:
            if not make:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
            self._make_folder(folder, path)
            if not hidden:
                self._implied.add(path)
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
        for depth in range(common, len(parts)):
            self._open.append(self._enter(parts, depth))
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
        raise ValueError(f"{within!r} leads through {path!r}, which is a {kind}")

    def _leave(self, depth: int) -> None:
        """Close the folders that are more than ``depth`` below the root; the root is the caller's."""
        while len(self._open) > depth + 1:
            os.close(self._open.pop())
        self._path = self._path[:depth]


def _has(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _sweep(folder: int) -> None:
    """Take the whiteouts out of an opaque folder: they have nothing to hide, and overlayfs would list their names."""
    with os.scandir(folder) as listed:
        entries = list(listed)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            within = os.open(entry.name, FOLDER, dir_fd=folder)
            try:
                _sweep(within)
            finally:
                os.close(within)
        elif overlay.is_whiteout(entry.stat(follow_symlinks=False)):
            os.unlink(entry.name, dir_fd=folder)
