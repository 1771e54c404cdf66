# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files between the host and a container, whatever the container does to its paths meanwhile.

A path in a container is looked up once, with the container's root as the root (openat2(2), RESOLVE_IN_ROOT). From
then on there are only descriptors and single names that are not followed: a link that is put in the place of a
file or folder is copied as a link, or is refused where something is to be written.
"""
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..errors import Failure, failing
from ..kernel import syscalls
from ..lean.dataclasses import dataclass, field

MOST_LINKS = 40
"""How many symbolic links the kernel follows in one path (linux/namei.h, MAXSYMLINKS)."""

DEEPEST = 255
PIECE = 1 << 20
ASIDE = ".pycontainers-cp.new"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ITEM = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_RESOLVE = syscalls.RESOLVE_IN_ROOT


@dataclass(frozen=True)
class Place:
    """A path of the host, or with the descriptor of its root one of a container. ``name`` is for people."""

    path: str
    root: int | None = None
    name: str = ""

    def open(self, path: str, flags: int) -> int:
        """Open a path there. Raises ``OSError``."""
        if self.root is None:
            return os.open(path, flags | os.O_CLOEXEC)
        return syscalls.openat2(self.root, path or "/", flags, _RESOLVE)

    def __str__(self) -> str:
        return f"{self.name}:{self.path}" if self.root is not None else self.path


@dataclass
class Copy:
    """One copy. ``archive`` keeps owners and set-user-ID bits; ``skipped`` are devices and sockets, which stay.

    An ``exact`` one is to be at the target's very path, and there only what differs is replaced, unless ``always``.
    With ``through`` that is where a link at that path leads to. ``owner`` is whose all is, ``mode`` that of files.
    """

    source: Place
    target: Place
    archive: bool = False
    follow: bool = False
    exact: bool = False
    always: bool = False
    through: bool = False
    owner: tuple[int, int] | None = None
    mode: int | None = None
    skipped: list[str] = field(default_factory=list)
    _top: tuple[int, int] = (0, 0)

    def run(self) -> None:
        """Copy. Raises :class:`Failure`; files that were replaced are whole, the old or the new."""
        with failing(f"copy {self.source} to {self.target}"), self.item() as item:
            self._exactly(item) if self.exact else self._place(item, self._is_contents())

    @contextmanager
    def item(self) -> Iterator[int]:
        """The descriptor of what is to be copied. Raises ``OSError``."""
        flags = os.O_PATH if self.follow or self._is_contents() else _ITEM
        item = self.source.open(self.source.path, flags)
        try:
            yield item
        finally:
            os.close(item)

    def _is_contents(self) -> bool:
        return self.source.path.endswith("/.") or self.source.path in (".", "/")

    @contextmanager
    def end(self) -> Iterator[tuple[int, str, str]]:
        """Where an exact copy gets to: the folder's descriptor, the name in it, and the path. Raises ``OSError``."""
        path = self.target.path
        for _ in range(MOST_LINKS):
            path = path.rstrip("/") or "/"
            parent, name = os.path.split(path)
            folder = self.target.open(parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                said = _link(folder, name) if self.through else ""
                if not said:
                    self._guard(folder)
                    yield folder, name or ".", os.path.normpath(path)
                    return
            finally:
                os.close(folder)
            path = os.path.join(parent, said)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self.target.path)

    def _exactly(self, item: int) -> None:
        with self.end() as (folder, name, _):
            if name == "." and stat.S_ISDIR(os.fstat(item).st_mode):
                self._contents(item, folder, "", 0)
            else:
                self._copy(item, folder, name, "", 0)

    def _place(self, item: int, contents: bool) -> None:
        """Docker's rules: into a folder that is there, else under the last name of the target."""
        is_folder = stat.S_ISDIR(os.fstat(item).st_mode)
        path = self.target.path
        try:
            there = self.target.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            if path.endswith("/") and not is_folder:
                raise Failure(f"copy {self.source} to {self.target}", "there is no such directory", "make it") from None
        except NotADirectoryError:
            if is_folder:
                reason = "a directory can't take the place of a file"
                raise Failure(f"copy {self.source} to {self.target}", reason, "give a directory") from None
        else:
            try:
                self._guard(there)
                if contents and is_folder:
                    self._contents(item, there, "", 0)
                else:
                    self._copy(item, there, os.path.basename(self.source.path.rstrip("/")), "", 0)
            finally:
                os.close(there)
            return
        parent, name = os.path.split(path.rstrip("/"))
        there = self.target.open(parent or ("." if self.target.root is None else "/"), os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._guard(there)
            self._copy(item, there, name, "", 0)
        finally:
            os.close(there)

    def _guard(self, folder: int) -> None:
        """What is written must be files of a file system, not knobs of the kernel that a link may lead to."""
        found = os.fstat(folder)
        self._top = (found.st_dev, found.st_ino)
        if syscalls.filesystem(folder) in syscalls.KERNEL_FILESYSTEMS:
            raise Failure(f"copy {self.source} to {self.target}", "that is the kernel's", "give another path")

    def _copy(self, item: int, folder: int, name: str, path: str, depth: int) -> None:
        there = os.fstat(item)
        kind = stat.S_IFMT(there.st_mode)
        if name in ("", ".", ".."):
            raise Failure(f"copy {self.source} to {self.target}", "the target has no name of its own", "name it")
        if kind == stat.S_IFDIR:
            self._copy_folder(item, folder, name, path, depth)
        elif self._is_there(item, folder, name):
            return
        elif kind == stat.S_IFREG:
            self._aside(folder, name, lambda aside: self._write(item, folder, aside, there))
        elif kind == stat.S_IFLNK:
            said = os.readlink("", dir_fd=item)
            self._aside(folder, name, lambda aside: self._link(said, folder, aside, there))
        else:
            self.skipped.append(path or str(self.source))

    def _copy_folder(self, item: int, folder: int, name: str, path: str, depth: int) -> None:
        if depth >= DEEPEST:
            raise Failure(f"copy {self.source} to {self.target}", f"it is more than {DEEPEST} folders deep")
        there = os.fstat(item)
        if (there.st_dev, there.st_ino) == self._top:
            raise Failure(f"copy {self.source} to {self.target}", "the target is inside of the source", "give another")
        if syscalls.filesystem(item) in syscalls.KERNEL_FILESYSTEMS:
            self.skipped.append(path or str(self.source))
            return
        new = True
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
        except FileExistsError:
            new = False
        try:
            made = os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            reason = f"{path or name} is no directory there but a file or link"
            raise Failure(f"copy {self.source} to {self.target}", reason, "remove that first") from error
        try:
            self._contents(item, made, path, depth)
            if new:  # of one that was there only the content is ours to say
                self._dress(made, there)
                os.utime(made, ns=(there.st_atime_ns, there.st_mtime_ns))
        finally:
            os.close(made)

    def _contents(self, item: int, folder: int, path: str, depth: int) -> None:
        for child, name in _children(item):
            with suppress(FileNotFoundError):  # gone meanwhile
                self._copy(child, folder, name, f"{path}/{name}", depth + 1)

    def _aside(self, folder: int, name: str, make: Callable[[str], None]) -> None:
        """Make something beside and rename it into place, so nothing is written through what has the name."""
        with suppress(FileNotFoundError):
            os.unlink(ASIDE, dir_fd=folder)
        try:
            make(ASIDE)
            os.rename(ASIDE, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(ASIDE, dir_fd=folder)
            raise

    def _write(self, item: int, folder: int, name: str, there: os.stat_result) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(name, flags, 0o600, dir_fd=folder)
        try:
            for piece in pieces(item, there.st_size):
                view = memoryview(piece)
                while view:
                    view = view[os.write(target, view) :]
            self._dress(target, there)
            os.utime(target, ns=(there.st_atime_ns, there.st_mtime_ns))
        finally:
            os.close(target)

    def _link(self, said: str, folder: int, name: str, there: os.stat_result) -> None:
        os.symlink(said, name, dir_fd=folder)
        os.chown(name, *self._owner(there), dir_fd=folder, follow_symlinks=False)

    def _dress(self, descriptor: int, there: os.stat_result) -> None:
        os.fchown(descriptor, *self._owner(there))
        os.fchmod(descriptor, self._rights(there))

    def _rights(self, there: os.stat_result) -> int:
        """The mode. A container's set-user-ID programs are not to become the host's unless that is asked for."""
        if self.mode is not None and stat.S_ISREG(there.st_mode):
            return self.mode
        safe = self.archive or self.target.root is not None
        return stat.S_IMODE(there.st_mode) & (0o7777 if safe else 0o1777)

    def _owner(self, there: os.stat_result) -> tuple[int, int]:
        """Unless that is said, in a container root, on the host whoever calls, as with Docker."""
        if self.archive:
            return there.st_uid, there.st_gid
        if self.owner:
            return self.owner
        return (0, 0) if self.target.root is not None else (os.getuid(), os.getgid())

    def _is_there(self, item: int, folder: int, name: str) -> bool:
        if not self.exact or self.always:
            return False
        with opened(folder, name) as there:
            return there is not None and told(there) == self.wanted(item)

    def wanted(self, item: int) -> str:
        """What a file, link or folder is to be in its new place."""
        there = os.fstat(item)
        return told(item, self._owner(there), self._rights(there))

    def compare(self) -> dict[str, tuple[str, str]]:
        """What there is at each path of an exact copy ("" for nothing), and what is to be. Reads only."""
        found: dict[str, tuple[str, str]] = {}
        operation = f"compare {self.source} with {self.target}"
        with failing(operation), self.item() as item, self.end() as (folder, name, path):
            self._compare(item, folder, name, path, found)
        return found

    def _compare(self, item: int, folder: int | None, name: str, path: str, found: dict[str, tuple[str, str]]) -> None:
        if stat.S_IFMT(os.fstat(item).st_mode) not in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR):
            return
        with opened(folder, name) as there:
            found[path] = ("" if there is None else told(there), self.wanted(item))
            if not stat.S_ISDIR(os.fstat(item).st_mode) or syscalls.filesystem(item) in syscalls.KERNEL_FILESYSTEMS:
                return
            is_folder = there is not None and stat.S_ISDIR(os.fstat(there).st_mode)
            if path.count("/") > DEEPEST + self.target.path.count("/"):
                raise Failure(f"copy {self.source} to {self.target}", f"it is more than {DEEPEST} folders deep")
            for child, each in _children(item):
                self._compare(child, there if is_folder else None, each, os.path.join(path, each), found)


@contextmanager
def opened(folder: int | None, name: str) -> Iterator[int | None]:
    """The descriptor of what has a name in a folder, not followed if it is a link; None for nothing."""
    descriptor = None
    if folder is not None:
        with suppress(FileNotFoundError):
            descriptor = os.open(name, _ITEM, dir_fd=folder)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _link(folder: int, name: str) -> str:
    """What the link of this name says; nothing if there is none."""
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return ""


def told(item: int, owner: tuple[int, int] | None = None, mode: int | None = None) -> str:
    """A file, link or folder in words that are the same for the same; with another owner and mode if they are given.

    Of a folder owner and mode are its own affair.
    """
    there = os.fstat(item)
    whose = "{}:{}".format(*(owner or (there.st_uid, there.st_gid)))
    if stat.S_ISDIR(there.st_mode):
        return "directory"
    if stat.S_ISLNK(there.st_mode):
        return f"link to {os.readlink('', dir_fd=item)}, {whose}"
    if not stat.S_ISREG(there.st_mode):
        return "device, pipe or socket"
    rights = stat.S_IMODE(there.st_mode) if mode is None else mode
    return f"file {rights:04o} {whose} {there.st_size} bytes sha256:{_digest(item, there.st_size)}"


def _digest(item: int, size: int) -> str:
    from hashlib import sha256

    total = sha256()
    for piece in pieces(item, size):
        total.update(piece)
    return total.hexdigest()


def pieces(item: int, size: int) -> Iterator[bytes]:
    """The content of a file, no more than so many bytes: it may be written to as fast as it is read."""
    source = os.open(f"/proc/self/fd/{item}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while size > 0 and (piece := os.read(source, min(size, PIECE))):
            size -= len(piece)
            yield piece
    finally:
        os.close(source)


def _children(item: int) -> Iterator[tuple[int, str]]:
    """The descriptors and names of what is in a folder, none of them followed; each is closed when the next comes."""
    # The descriptor's own name in /proc is a link that leads to the very folder, wherever it is by now.
    source = os.open(f"/proc/self/fd/{item}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in sorted(os.listdir(source)):
            with opened(source, name) as child:
                if child is not None:  # else gone meanwhile
                    yield child, name
    finally:
        os.close(source)
