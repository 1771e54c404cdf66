# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are never half there, and locks between processes."""
from __future__ import annotations

import fcntl
import os
import stat

from ..errors import Failure, failing
from ..lean import json
from ..lean.contextlib import contextmanager, suppress
from ..typed import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedWriter


def write(path: str, content: bytes, mode: int = 0o600, *, durable: bool = True) -> None:
    """Replace a file: written aside, synced, renamed, and the folder synced. Folders above are made.

    Whoever reads sees the old content or the new, also after a power cut; that last promise costs milliseconds
    and is not kept for what need not be ``durable``. What a killed writer leaves aside is taken up by the next
    one of the same file. Raises ``OSError``.
    """
    folder, name = os.path.split(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with _aside(os.path.join(folder, f".{name}.new")) as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            os.rename(file.name, path)
        if durable:
            sync(folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or path) from error


def rewrite(path: str, content: bytes, mode: int = 0o600) -> None:
    """Replace a file of ours that need not outlive a power cut, unless it is so already. Raises ``OSError``."""
    with suppress(OSError), open(path, "rb", opener=_plainly) as file:
        there = os.fstat(file.fileno())
        ours = (there.st_mode, there.st_uid, there.st_gid) == (stat.S_IFREG | mode, os.geteuid(), os.getegid())
        if ours and there.st_size == len(content) and file.read() == content:
            return
    write(path, content, mode, durable=False)


def _plainly(path: str, flags: int) -> int:
    """Open through no link, and without waiting for whoever has put something else there."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


@contextmanager
def _aside(path: str) -> Iterator[BufferedWriter]:
    """The empty file that is to be renamed, locked: two writers of one file come one after the other.

    It is removed when the block fails. The name starts with a dot, as no record's does.
    """
    while True:
        with open(path, "wb", opener=_kept) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(file, path):
                continue  # The writer before us has renamed it while we waited: it is the content by now.
            file.truncate(0)
            try:
                yield file
            except BaseException:
                if _is_at(file, path):
                    remove(path)
                raise
            return


def _kept(path: str, flags: int) -> int:
    """Open without truncation, which has to wait for the lock, and through no link."""
    return os.open(path, flags & ~os.O_TRUNC | os.O_NOFOLLOW, 0o600)


def _is_at(file: BufferedWriter, path: str) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    return False


def sync(folder: str) -> None:
    """Make the entries of a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str, value: Any, mode: int = 0o600, *, durable: bool = True) -> None:
    """Replace a JSON file; see :func:`write`."""
    write(path, encode(value), mode, durable=durable)


def encode(value: Any) -> bytes:
    """A value as JSON that is the same for the same value."""
    from json import dumps

    return dumps(value, indent=1, sort_keys=True).encode() + b"\n"


_PART = 1 << 20


def read(path: str) -> bytes | None:
    """A file's content, or None where there is none."""
    try:
        # A file object asks the kernel four more questions, and a task may read hundreds of records.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        content = b""
        while part := os.read(descriptor, _PART):
            content += part
        return content
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(descriptor)


def read_json(path: str) -> dict[str, Any] | None:
    """A JSON object from a file, or None where there is no file. A damaged one is a :class:`Failure`."""
    with failing(f"read {path}"):
        content = read(path)
    return None if content is None else decoded(path, content)


def decoded(path: str, content: bytes) -> dict[str, Any]:
    """The JSON object that a file has for content. A damaged one is a :class:`Failure`."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Failure(f"read {path}", f"it is not JSON ({error})", "restore it from a backup, or remove it") from error
    if not isinstance(value, dict):
        raise Failure(f"read {path}", "it is not a JSON object", "restore it from a backup, or remove it")
    return value


def remove(path: str) -> None:
    """Remove a file or link; that there is none is fine."""
    with suppress(FileNotFoundError):
        os.unlink(path)


@contextmanager
def lock(path: str, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a file, waiting for whoever holds it. The kernel lets go of it when the process ends."""
    descriptor = lock_file(path)
    try:
        with failing(f"lock {path}"):
            fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock_file(path: str) -> int:
    """A descriptor of a file that is there to be locked.

    The file stays: removing it while another process waits for it would let two in at once.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with failing(f"lock {path}"):
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            return os.open(path, flags, 0o600)


class Write(NamedTuple):
    """The step that replaces a file. ``before`` is its content now, None if there is none."""

    path: str
    content: bytes
    before: bytes | None
    what: str
    mode: int = 0o600

    def describe(self) -> str:
        """What the file is for, and where it is."""
        return f"write {self.what} {self.path}"

    def do(self) -> None:
        """Replace the file."""
        write(self.path, self.content, self.mode)

    def undo(self) -> None:
        """Put the old content back, or remove the file."""
        remove(self.path) if self.before is None else write(self.path, self.before, self.mode)


class Remove(NamedTuple):
    """The step that removes a file. ``before`` is its content now."""

    path: str
    before: bytes | None
    what: str
    mode: int = 0o600

    def describe(self) -> str:
        """What the file is for, and where it is."""
        return f"remove {self.what} {self.path}"

    def do(self) -> None:
        """Remove the file."""
        remove(self.path)

    def undo(self) -> None:
        """Put the file back."""
        if self.before is not None:
            write(self.path, self.before, self.mode)


def write_record(path: str, value: dict[str, Any], before: dict[str, Any] | None, what: str) -> Write:
    """The step that replaces a JSON file by ``value``."""
    return Write(path, encode(value), None if before is None else encode(before), what)
