# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the store as an OCI image layout, packed as tar or not, or as what ``docker load`` reads.

The same images give the same bytes. A file or folder is written aside and gets its name when it is whole.
"""
from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure, failing
from . import archive, content
from .content import ASIDE, StoredImage
from .keep import PIECE
from .layer import decompressed
from .reference import Reference

Chosen = Sequence[tuple[StoredImage, tuple[Reference, ...]]]


def write(layout: Layout, images: Chosen, form: str, path: str) -> None:
    """Write images, each with the names it is to have there. Replaces what is at ``path``.

    Raises :class:`Failure`; what was at ``path`` is then as it was.
    """
    operation = f"export to {path}"
    folder, name = os.path.split(path)
    aside, old = (os.path.join(folder, f".{name}{ending}{ASIDE}") for ending in ("", ".old"))
    with failing(operation, "make room, or give another path"), content.lock(layout):
        content.discard(aside)
        _settle(old, path)
        try:
            if form == "oci-dir":
                _check_folder(path, operation)
                os.mkdir(aside, 0o755)
                _fill_folder(layout, images, aside)
                for parent, _, _ in os.walk(aside):
                    store.sync(parent)
                if os.path.isdir(path):
                    os.rename(path, old)
            else:
                with open(aside, "xb", opener=_made) as file:
                    pack(layout, images, form, file)
                    file.flush()
                    os.fsync(file.fileno())
            os.rename(aside, path)
        finally:
            content.discard(aside)
            _settle(old, path)
        store.sync(folder)


def _made(path: str, flags: int) -> int:
    """Make a file that is not there. The folder may be one that others write to, who know what it will be called."""
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o644)


def _settle(old: str, path: str) -> None:
    """Let go of the folder that was replaced; where a kill or failure came between, it is what is at ``path``."""
    if os.path.isdir(old) and not os.path.lexists(path):
        os.rename(old, path)
    content.discard(old)


def _check_folder(path: str, operation: str) -> None:
    """What is replaced must be an OCI layout, lest a wrong path cost somebody a home."""
    if os.path.isdir(path) and os.listdir(path) and not os.path.exists(f"{path}/oci-layout"):
        raise Failure(operation, "there is a directory with something else in it", "give another path")


def pack(layout: Layout, images: Chosen, form: str, file: IO[bytes]) -> None:
    """Write images as tar to a file that is open. Needs the lock of the store."""
    for name, size, pieces in _docker(layout, images) if form == "docker-archive" else _oci(layout, images):
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o644
        file.write(member.tobuf(tarfile.PAX_FORMAT))
        for piece in pieces:
            file.write(piece)
        file.write(bytes(-size % tarfile.BLOCKSIZE))
    file.write(bytes(2 * tarfile.BLOCKSIZE))


def _fill_folder(layout: Layout, images: Chosen, folder: str) -> None:
    for name, _, pieces in _oci(layout, images):
        path = f"{folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())


File = tuple[str, int, Iterator[bytes]]


def _text(name: str, value: Any) -> File:
    said = store.encode(value)
    return name, len(said), iter((said,))


def _oci(layout: Layout, images: Chosen) -> Iterator[File]:
    """The files of an OCI image layout."""
    yield _text("oci-layout", {"imageLayoutVersion": "1.0.0"})
    listed, digests = [], []
    for image, names in images:
        entry = {key: image.entry[key] for key in ("mediaType", "digest", "size")}
        for name in names:
            named = {content.REF_NAME: str(name), archive.CONTAINERD_NAME: str(name)}
            listed.append({**entry, "annotations": named})
        if not names:
            listed.append(entry)
        manifest = _manifest(layout, image)
        digests += [image.manifest_digest, image.id, *(each["digest"] for each in manifest["layers"])]
    yield _text("index.json", {"schemaVersion": 2, "mediaType": content.INDEXES[0], "manifests": listed})
    for digest in dict.fromkeys(digests):
        path = content.blob(layout, digest)
        yield archive.blob_name(digest), _size(path), _verified(path, digest)


def _docker(layout: Layout, images: Chosen) -> Iterator[File]:
    """The files of what Docker saves (its image specification 1.2). Layers are not compressed in it."""
    listed: list[dict[str, Any]] = []
    done: set[str] = set()
    for image, names in images:
        layers = [each["digest"] for each in _manifest(layout, image)["layers"]]
        files = [f"{diff_id.partition(':')[2]}.tar" for diff_id in image.diff_ids]
        config = f"{image.id.partition(':')[2]}.json"
        tags = [f"{name.name}:{name.tag}" for name in names if name.tag]
        listed.append({"Config": config, "RepoTags": tags, "Layers": files})
        path = content.blob(layout, image.id)
        yield config, _size(path), _verified(path, image.id)
        for file, digest, diff_id in zip(files, layers, image.diff_ids, strict=True):
            if file not in done:
                done.add(file)
                blob = content.blob(layout, digest)
                size = sum(map(len, _unpacked(blob)))
                yield file, size, _hashed(_unpacked(blob), blob, diff_id)
    yield _text("manifest.json", listed)


def _manifest(layout: Layout, image: StoredImage) -> dict[str, Any]:
    found = store.read_json(content.blob(layout, image.manifest_digest)) if image.manifest_digest else None
    if found is None:
        raise _incomplete(image.id, "its manifest is not in the store any more")
    return found


def _incomplete(what: str, reason: str) -> Failure:
    return Failure(f"export {what}", reason, "pull or load the image again")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        raise _incomplete(path, "it is not in the store any more") from None


def _verified(path: str, digest: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        yield from _hashed(iter(lambda: file.read(PIECE), b""), path, digest)


def _unpacked(path: str) -> Iterator[bytes]:
    _size(path)
    with open(path, "rb") as file:
        try:
            yield from decompressed(file)
        except ValueError as error:
            raise _incomplete(path, str(error)) from error


def _hashed(pieces: Iterable[bytes], path: str, digest: str) -> Iterator[bytes]:
    """Pieces that must have a digest: what is damaged in the store does not leave it."""
    from hashlib import sha256

    hashed = sha256()
    for piece in pieces:
        hashed.update(piece)
        yield piece
    if f"sha256:{hashed.hexdigest()}" != digest:
        raise _incomplete(path, f"it has not the digest {digest} any more")
