# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Content of an image into the store, piece by piece, or nothing of it if one fails.

Each blob and layer has its name only once it is verified and on the disk. After a kill the next pull, load or
removal takes away what was left aside.
"""
from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from . import content
from .content import ASIDE, MANIFESTS
from .layer import unpack
from .reference import Reference

PIECE = 1 << 20


class Keeper:
    """What of an image was put into the store so far. ``new`` is what was not there before."""

    def __init__(self, layout: Layout, operation: str) -> None:
        self.layout = layout
        self.operation = operation
        self.new: list[str] = []

    def document(self, said: bytes) -> str:
        """Keep a small blob; its digest."""
        digest = f"sha256:{hashlib.sha256(said).hexdigest()}"
        path = content.blob(self.layout, digest)
        if self.size(digest) != len(said):
            self._note(path)
            store.write(path, said)
        return digest

    def size(self, digest: str) -> int | None:
        """The size of a blob that the store has, or None."""
        try:
            return os.stat(content.blob(self.layout, digest), follow_symlinks=False).st_size
        except FileNotFoundError:
            return None

    def blob(self, pieces: Iterable[bytes], digest: str = "") -> tuple[str, int]:
        """Keep a large blob; its digest and size. Raises :class:`Failure` if it has not the digest that is wanted."""
        aside = f"{self.layout.images}/blobs/sha256/incoming{ASIDE}"
        hashed = hashlib.sha256()
        try:
            with open(aside, "wb") as file:
                for piece in pieces:
                    hashed.update(piece)
                    file.write(piece)
                size = file.tell()
                found = f"sha256:{hashed.hexdigest()}"
                if digest and found != digest:
                    raise Failure(self.operation, f"a blob has the digest {found} instead of {digest}", "get it anew")
                file.flush()
                os.fsync(file.fileno())
            path = content.blob(self.layout, found)
            self._note(path)
            os.rename(aside, path)
        finally:
            store.remove(aside)
        store.sync(os.path.dirname(path))
        return found, size

    def layer(self, digest: str, diff_id: str, below: Sequence[str]) -> None:
        """Unpack a layer's blob. ``below`` are the diff ids of the layers under it, the lowest first."""
        self._note(self.layout.layer(diff_id))
        try:
            folders = tuple(self.layout.layer(each) for each in reversed(below))
            unpack(self.layout, content.blob(self.layout, digest), diff_id, folders)
        except ValueError as error:
            reason = f"its layer {digest} can't be unpacked: {error}"
            fix = "nothing was kept; it was not built by an ordinary tool, or it is an attack"
            raise Failure(self.operation, reason, fix) from error

    def name(self, names: Iterable[Reference], manifest: bytes, media_type: str) -> None:
        """Keep the manifest, and let references name it. This comes last."""
        digest = self.document(manifest)
        entry: Mapping[str, Any] = {"mediaType": media_type, "digest": digest, "size": len(manifest)}
        for each in names:
            content.set_entry(self.layout, each, entry)

    def _note(self, path: str) -> None:
        if not os.path.lexists(path):
            self.new.append(path)


@contextmanager
def keeping(layout: Layout, operation: str) -> Iterator[Keeper]:
    """Add to the store under its lock; when the block fails, what was new in it goes again."""
    with content.lock(layout):
        content.entries(layout)  # a damaged index stops it before anything is written
        content.prepare(layout)
        keeper = Keeper(layout, operation)
        with all_or_nothing(layout, operation, keeper.new):
            yield keeper


@contextmanager
def all_or_nothing(layout: Layout, operation: str, new: list[str]) -> Iterator[None]:
    """Take away what was added to the store when the block fails. After a kill the next pull or removal does."""
    try:
        yield
    except BaseException as error:
        for path in new:
            with suppress(OSError):
                content.discard(path)
        if isinstance(error, OSError):
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            fix = f"make room on the file system of {layout.root}" if full else ""
            raise Failure(operation, error, fix) from error
        raise


def manifest_of(config: bytes, layers: Iterable[tuple[str, str, int]]) -> bytes:
    """The manifest of a configuration and of layers, each as media type, digest and size."""
    described = {
        "schemaVersion": 2,
        "mediaType": MANIFESTS[0],
        "config": {
            "mediaType": content.CONFIGS[0],
            "digest": f"sha256:{hashlib.sha256(config).hexdigest()}",
            "size": len(config),
        },
        "layers": [{"mediaType": kind, "digest": digest, "size": size} for kind, digest, size in layers],
    }
    return store.encode(described)


def pieces_of(path: str) -> Iterator[bytes]:
    """A file's content."""
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            yield piece


def layer_type(layout: Layout, digest: str) -> str:
    """The media type of a layer's blob, by its magic number: archives do not say how they are compressed."""
    with open(content.blob(layout, digest), "rb") as file:
        magic = file.read(4)
    kind = "+gzip" if magic[:2] == b"\x1f\x8b" else "+zstd" if magic == b"\x28\xb5\x2f\xfd" else ""
    return f"application/vnd.oci.image.layer.v1.tar{kind}"
