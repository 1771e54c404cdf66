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
from dataclasses import dataclass, field

from ..core.layout import Layout
from ..errors import Failure, failing
from ..kernel import syscalls
from ..oci import lifecycle
from . import container_state
from .container_model import Container
from .container_rootfs import MountRootfs

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
    """One copy. ``archive`` keeps owners and set-user-ID bits; ``skipped`` are devices and sockets, which stay."""

    source: Place
    target: Place
    archive: bool = False
    follow: bool = False
    skipped: list[str] = field(default_factory=list)
    _top: tuple[int, int] = (0, 0)

    def run(self) -> None:
        """Copy. Raises :class:`Failure`; files that were replaced are whole, the old or the new."""
        with failing(f"copy {self.source} to {self.target}"):
            contents = self.source.path.endswith("/.") or self.source.path in (".", "/")
            flags = os.O_PATH if self.follow or contents else _ITEM
            item = self.source.open(self.source.path, flags)
            try:
                self._place(item, contents)
            finally:
                os.close(item)

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
        # The descriptor's own name in /proc is a link that leads to the very folder, wherever it is by now.
        source = os.open(f"/proc/self/fd/{item}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in sorted(os.listdir(source)):
                with suppress(FileNotFoundError):  # gone meanwhile
                    child = os.open(name, _ITEM, dir_fd=source)
                    try:
                        self._copy(child, folder, name, f"{path}/{name}", depth + 1)
                    finally:
                        os.close(child)
        finally:
            os.close(source)

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
        source = os.open(f"/proc/self/fd/{item}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            target = os.open(name, flags, 0o600, dir_fd=folder)
            try:
                while piece := os.read(source, PIECE):
                    view = memoryview(piece)
                    while view:
                        view = view[os.write(target, view) :]
                self._dress(target, there)
                os.utime(target, ns=(there.st_atime_ns, there.st_mtime_ns))
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _link(self, said: str, folder: int, name: str, there: os.stat_result) -> None:
        os.symlink(said, name, dir_fd=folder)
        owner = (there.st_uid, there.st_gid) if self.archive else self._owner()
        os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)

    def _dress(self, descriptor: int, there: os.stat_result) -> None:
        """Owner and mode. A container's set-user-ID programs are not to become the host's unless that is asked for."""
        os.fchown(descriptor, *((there.st_uid, there.st_gid) if self.archive else self._owner()))
        safe = self.archive or self.target.root is not None
        os.fchmod(descriptor, stat.S_IMODE(there.st_mode) & (0o7777 if safe else 0o1777))

    def _owner(self) -> tuple[int, int]:
        """In a container root, on the host whoever calls, as with Docker."""
        return (0, 0) if self.target.root is not None else (os.getuid(), os.getgid())


@contextmanager
def root_of(layout: Layout, wanted: str) -> Iterator[tuple[Container, int]]:
    """A container and the descriptor of its root: as its program sees it, or mounted meanwhile if it does not run.

    One that does not run is kept from starting. Raises :class:`Failure`.
    """
    container = container_state.find(layout, wanted)
    process = lifecycle.running(layout, container.id or "")
    if process is not None:
        with failing(f"reach the files of container {container.name}", "try again"):
            descriptor = os.open(f"/proc/{process.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if lifecycle.running(layout, container.id or "") != process:
                raise Failure(f"reach the files of container {container.name}", "it ended meanwhile", "try again")
            yield container, descriptor
        finally:
            os.close(descriptor)
        return
    with container_state.lock(layout, container.name):
        if lifecycle.running(layout, container.id or "") is not None:
            raise Failure(f"reach the files of container {container.name}", "it was started meanwhile", "try again")
        step = MountRootfs(layout, container)
        step.do()
        try:
            descriptor = os.open(layout.container(container.id or "", "merged"), os.O_PATH | os.O_DIRECTORY)
            try:
                yield container, descriptor
            finally:
                os.close(descriptor)
        finally:
            step.undo()
