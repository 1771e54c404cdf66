# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer's blob becomes a directory that overlayfs can take as a lower (image-spec, layer.md).

The stream is decompressed, hashed and taken apart in one pass. It is unpacked aside and gets its name once
the hash is the diff id, so a layer under its name is whole and is what the image says.
"""
from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..kernel import syscalls
from .ahead import ahead
from .below import MARK, Below
from .content import ASIDE
from .erase import erase
from .tar import Member, Source, members, shown
from .tree import Tree

PIECE = 1 << 20
MOST_MEMBERS = 1_000_000
"""Files, and folders that are there only by the paths of files."""

MOST_FRAGMENTS = 1_000_000
"""Parts of all sparse files together; a part costs four bytes of the archive, and a system call."""

LEAST_LIMIT = 1 << 30
"""Bytes that any layer may unpack to, however well it is compressed."""

LARGEST_RATIO = 250
"""What a bigger layer may unpack to, as a multiple of its blob. Programs compress to a third, zeros to a thousandth."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Bytes(Protocol):
    """What is read of a file."""

    def read(self, length: int, /) -> bytes:
        """The next bytes, fewer than ``length`` at the end only."""

    def seek(self, position: int, /) -> object:
        """Go back to a place."""


def unpack(layout: Layout, blob: str, diff_id: str, below: Sequence[str] = ()) -> None:
    """Unpack a blob to ``layout.layer(diff_id)``, unless that is there already. Needs the lock of the store.

    ``below`` are the directories of the layers under it in its image, the uppermost first.
    Raises ``ValueError`` with what is wrong with the layer, ``OSError`` with what is wrong with the disk; then
    nothing is left. Raises :class:`Failure` if it is there and would be another one on these layers.
    """
    target = layout.layer(diff_id)
    if os.path.isdir(target):
        if target not in below:
            compare(target, diff_id, below)
        return
    aside = target + ASIDE
    with open(blob, "rb") as file:
        fill(aside, file, os.fstat(file.fileno()).st_size, diff_id, below)
    try:
        sync_all(aside)
        os.rename(aside, target)
    except BaseException:
        with contextlib.suppress(OSError):
            erase(aside)
        raise
    store.sync(os.path.dirname(target))


def compare(target: str, diff_id: str, below: Sequence[str]) -> None:
    """Refuse a layer that is there and would be another one on these layers. Raises :class:`Failure`."""
    try:
        mark = os.getxattr(target, MARK)
    except OSError:
        return  # it depends on nothing
    differs = Below(below).differs(mark)
    if differs:
        reason = f"it is in the store as it lies on other layers, and here {differs}"
        raise Failure(f"unpack layer {diff_id}", reason, "remove the images that have it, then pull again")


def fill(folder: str, file: Bytes, size: int, diff_id: str, below: Sequence[str] = ()) -> None:
    """Unpack what is read from a blob of a size to a new folder, see :func:`unpack`. It is not on the disk yet."""
    if os.path.lexists(folder):
        erase(folder)
    os.mkdir(folder)
    try:
        os.chmod(folder, 0o755)  # whatever the umask is
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = _unpacked(root, file, size, below)
        finally:
            os.close(root)
        if found != diff_id:
            raise ValueError(f"unpacked it has the digest {found}, the image says {diff_id}")
    except BaseException:
        with contextlib.suppress(OSError):
            erase(folder)
        raise


def sync_all(folder: str) -> None:
    """Have all of a folder's file system on the disk: fsync of thousands of small files takes minutes on a slow one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        syscalls.syncfs(descriptor)
    finally:
        os.close(descriptor)


def most_unpacked(size: int) -> int:
    """How many bytes something compressed may unpack to, by its size."""
    return max(LEAST_LIMIT, LARGEST_RATIO * size)


def _unpacked(root: int, file: Bytes, size: int, below: Sequence[str]) -> str:
    """Make the members below a directory's descriptor; the digest of the uncompressed archive."""
    limit = most_unpacked(size)
    hashed = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        total = 0
        for piece in decompressed(file):
            total += len(piece)
            if total > limit:
                raise ValueError(f"it unpacks to more than {limit} bytes, the limit for a layer of {size}")
            hashed.update(piece)
            yield piece

    with contextlib.closing(ahead(pieces())) as stream, Tree(root, below) as tree:
        source = Source(stream)
        for count, member in enumerate(_bounded(members(source), limit)):
            if count + tree.implied >= MOST_MEMBERS:
                raise ValueError(f"it has more than {MOST_MEMBERS} members")
            tree.add(member, source.content(member.size))
            source.pad(member.size)
        tree.finish()
        mark = tree.below.mark()
        if mark:
            os.setxattr(root, MARK, mark)
    return f"sha256:{hashed.hexdigest()}"


def _bounded(found: Iterator[Member], limit: int) -> Iterator[Member]:
    """Members, up to what all of them together may cost beside the bytes of the archive."""
    holes = fragments = 0
    for member in found:
        holes += member.length - member.size
        if member.size > limit or holes > limit:
            raise ValueError(f"{shown(member.name)} says it has {member.length} bytes, more than {limit}")
        fragments += len(member.fragments or ())
        if fragments > MOST_FRAGMENTS:
            raise ValueError(f"its sparse files have more than {MOST_FRAGMENTS} parts")
        yield member


def decompressed(file: Bytes) -> Iterator[bytes]:
    """A blob's content uncompressed, whatever its media type says: gzip and zstd by their magic numbers."""
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(_GZIP):
        yield from _gunzipped(file)
    elif magic == _ZSTD:
        # Few layers need it, and it loads ctypes' library.
        from . import zstd

        yield from zstd.decompressed(file.read)
    else:
        while piece := file.read(PIECE):
            yield piece


def _gunzipped(file: Bytes) -> Iterator[bytes]:
    """Gzip, which may be several compressed files in a row (RFC 1952, 2.2). Pieces are bounded."""
    unzip, ahead = zlib.decompressobj(wbits=31), file.read(PIECE)
    while ahead:
        try:
            yield unzip.decompress(ahead, PIECE)
        except zlib.error as error:
            raise ValueError(f"it can't be uncompressed ({error})") from error
        ahead = unzip.unconsumed_tail or unzip.unused_data or file.read(PIECE)
        if unzip.eof and ahead:
            if not ahead.startswith(_GZIP[:1]):
                raise ValueError("something follows its compressed content")
            unzip = zlib.decompressobj(wbits=31)
    while piece := unzip.decompress(b"", PIECE) if not unzip.eof else b"":
        yield piece
    if not unzip.eof:
        raise ValueError("its compressed content ends too early")
