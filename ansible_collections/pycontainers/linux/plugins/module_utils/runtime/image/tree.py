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

from . import tar
from .tar import Member

T = TypeVar("T")
Parts = tuple[str, ...]

DEEPEST = 255
"""Folders within each other; each takes a descriptor. A path of Linux holds 2047 at most."""

WHITEOUT, OPAQUE, META = ".wh.", ".wh..wh..opq", ".wh..wh."
OVERLAY_OPAQUE = "trusted.overlay.opaque"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
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
    archive only implies gets owner, mode and time of the same one there: overlayfs shows the uppermost, and
    /tmp has to stay everybody's.
    """

    def __init__(self, root: int, below: tuple[str, ...] = ()) -> None:
        self._open: list[int] = [root]
        self._path: list[str] = []
        self._times: dict[Parts, int] = {}
        self._implied: set[Parts] = {()}
        self._below = below

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave(0)

    def add(self, member: Member, content: Iterator[memoryview]) -> None:
        """Make one member; a later one replaces an earlier of the same name, but folders are merged.

        Raises ``ValueError`` that names the member if it can't be made within the tree.
        """
        parts = parts_of(member.name)
        if not parts:
            if member.kind != tar.DIRECTORY:
                raise ValueError(f"{member.name!r} would replace the layer's own root")
            self._dress_folder(parts, member)
            return
        if not is_of_aufs(parts):
            try:
                self._place(parts, member, content)
            except OSError as error:
                if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL, errno.EPERM):
                    raise
                raise ValueError(f"{member.name!r} can't be made ({error.strerror})") from error
        for _ in content:
            pass

    def finish(self) -> None:
        """Set the folders' times, which making files in them has changed, and what implied folders are to be."""
        for parts in sorted(self._implied):
            self._imitate(parts)
        for parts, mtime in sorted(self._times.items()):
            folder = self._still_there(parts)
            if folder is not None:
                os.utime(folder, ns=(mtime, mtime))

    def _still_there(self, parts: Parts) -> int | None:
        """A folder's descriptor, if no later member has taken its place."""
        try:
            return self._folder(parts, make=False)
        except (FileNotFoundError, ValueError):
            return None

    def _place(self, parts: Parts, member: Member, content: Iterator[memoryview]) -> None:
        hidden = hidden_by(parts)
        if hidden is not None:
            self._hide(parts[:-1], hidden)
        else:
            self._make(parts[:-1], parts[-1], member, content)

    def _make(self, above: Parts, last: str, member: Member, content: Iterator[memoryview]) -> None:
        if member.kind == tar.HARD_LINK:
            self._link(above, last, member)
            return
        folder = self._folder(above)
        if member.kind == tar.DIRECTORY:
            self._make_folder(folder, last)
            self._dress_folder((*above, last), member)
        elif member.kind == tar.FILE:
            descriptor = self._fresh(folder, last, lambda: os.open(last, _CREATE, 0o600, dir_fd=folder))
            _write(descriptor, member, content)
        elif member.kind == tar.SYMLINK:
            self._fresh(folder, last, lambda: os.symlink(member.target, last, dir_fd=folder))
            _own_nameless(folder, last, member)
        else:
            types = {tar.FIFO: stat.S_IFIFO, tar.CHARACTER: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK}
            kind, device = types[member.kind], os.makedev(*member.device)
            self._fresh(folder, last, lambda: os.mknod(last, kind | 0o600, device, dir_fd=folder))
            _own_nameless(folder, last, member)
            _chmod_nameless(folder, last, member.mode)

    def _link(self, above: Parts, last: str, member: Member) -> None:
        """A hard link: both ends are names in this layer, and a symbolic link is linked itself, not followed."""
        target = parts_of(member.target)
        missing = f"{member.name!r} is a hard link to {member.target!r}, which is no earlier file of the layer"
        if not target or target == (*above, last):
            raise ValueError(missing)
        try:
            source = os.dup(self._folder(target[:-1], make=False))
        except FileNotFoundError:
            raise ValueError(missing) from None
        try:
            if stat.S_ISDIR(os.stat(target[-1], dir_fd=source, follow_symlinks=False).st_mode):
                raise ValueError(missing)
            folder = self._folder(above)

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
            _mark_opaque(folder)
            return
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=folder)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(hidden, dir_fd=folder, follow_symlinks=False).st_mode):
                _mark_opaque(self._folder((*above, hidden)))

    def _make_folder(self, folder: int, last: str) -> None:
        hidden = False
        try:
            os.mkdir(last, dir_fd=folder)
        except FileExistsError:
            there = os.stat(last, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(there.st_mode):
                return
            os.unlink(last, dir_fd=folder)
            os.mkdir(last, dir_fd=folder)
            hidden = _is_whiteout(there)
        made = os.open(last, _FOLDER, dir_fd=folder)
        try:
            os.fchmod(made, 0o755)  # whatever the umask is
            if hidden:
                _mark_opaque(made)
        finally:
            os.close(made)

    def _dress_folder(self, parts: Parts, member: Member) -> None:
        _dress(self._folder(parts), member)
        self._times[parts] = member.mtime
        self._implied.discard(parts)

    def _imitate(self, parts: Parts) -> None:
        folder = self._still_there(parts)
        if folder is None:
            return
        for root in self._below:
            try:
                there = _folder_at(root, parts)
            except OSError:
                continue  # not in that layer, or no folder there
            try:
                seen = os.fstat(there)
                os.fchown(folder, seen.st_uid, seen.st_gid)
                os.fchmod(folder, stat.S_IMODE(seen.st_mode))
                self._times[parts] = seen.st_mtime_ns
            finally:
                os.close(there)
            return

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
        """A descriptor of a folder, by way of the ones still open. Missing ones are made, root's and 0755."""
        common = 0
        while common < min(len(parts), len(self._path)) and parts[common] == self._path[common]:
            common += 1
        self._leave(common)
        for depth in range(common, len(parts)):
            self._open.append(self._enter(parts, depth, make))
            self._path.append(parts[depth])
        return self._open[-1]

    def _enter(self, parts: Parts, depth: int, make: bool) -> int:
        above, name = self._open[-1], parts[depth]
        try:
            return os.open(name, _FOLDER, dir_fd=above)
        except FileNotFoundError:
            if not make:
                raise
            self._make_folder(above, name)
            self._implied.add(parts[: depth + 1])
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            there = os.stat(name, dir_fd=above, follow_symlinks=False)
            if not make or not _is_whiteout(there):
                kind = "symbolic link" if stat.S_ISLNK(there.st_mode) else "file"
                path, within = "/".join(parts[: depth + 1]), "/".join(parts)
                raise ValueError(f"{within!r} leads through {path!r}, which is a {kind}") from None
            self._make_folder(above, name)
        return os.open(name, _FOLDER, dir_fd=above)

    def _leave(self, depth: int) -> None:
        """Close the folders that are more than ``depth`` below the root; the root is the caller's."""
        while len(self._path) > depth:
            os.close(self._open.pop())
            self._path.pop()


def _folder_at(root: str, parts: Parts) -> int:
    """A descriptor of a folder below a directory, reached without following links."""
    descriptor = os.open(root, _FOLDER)
    for name in parts:
        above = descriptor
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=above)
        finally:
            os.close(above)
    return descriptor


def _is_whiteout(there: os.stat_result) -> bool:
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def _write(descriptor: int, member: Member, content: Iterator[memoryview]) -> None:
    try:
        for piece in content:
            while piece:
                piece = piece[os.write(descriptor, piece) :]
        _dress(descriptor, member)
        os.utime(descriptor, ns=(member.mtime, member.mtime))
    finally:
        os.close(descriptor)


def _mark_opaque(folder: int) -> None:
    os.setxattr(folder, OVERLAY_OPAQUE, b"y")


def _dress(descriptor: int, member: Member) -> None:
    """Owner, mode, attributes; in this order, as a change of owner takes set-user-ID and capabilities away."""
    os.fchown(descriptor, member.uid, member.gid)
    os.fchmod(descriptor, member.mode)
    for name, value in member.xattrs.items():
        # Others, trusted.overlay.* first of all, would tell overlayfs or the host's security modules what to do.
        if name == "security.capability":
            os.setxattr(descriptor, name, value)
        elif name.startswith("user.") and not name.startswith("user.overlay."):
            _set_user_xattr(descriptor, name, value)


def _set_user_xattr(descriptor: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(descriptor, name, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:  # tmpfs has none before Linux 6.6; programs have to live with that
            raise


def _own_nameless(folder: int, last: str, member: Member) -> None:
    """Owner and times of what can't be opened."""
    os.chown(last, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)
    os.utime(last, ns=(member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)


def _chmod_nameless(folder: int, last: str, mode: int) -> None:
    """fchmodat(2) follows links and has no flag against it before Linux 6.6; a descriptor by O_PATH follows none."""
    descriptor = os.open(last, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)
