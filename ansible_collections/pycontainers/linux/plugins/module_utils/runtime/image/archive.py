# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images in a file or folder: an OCI image layout (image-layout.md), packed or not, or what ``docker save`` writes.

Names in an archive are only keys: nothing is extracted, and all content is verified by its digest before it is
kept. An archive may lack blobs that the store has already.
"""
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import posixpath
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

from ..core.layout import Layout
from ..errors import Failure
from ..lean.dataclasses import dataclass, field
from . import content
from . import manifest as documents
from .content import MANIFESTS
from .keep import PIECE, Keeper, keeping, layer_type, manifest_of
from .layer import decompressed, most_unpacked
from .manifest import Parts
from .reference import Reference, parse_reference

CONTAINERD_NAME = "io.containerd.image.name"
LARGEST_DOCUMENT = 8 << 20
MOST_FILES = 100_000
_UNUSABLE = (tarfile.TarError, zlib.error, EOFError, UnicodeError, RecursionError)


class Lacking(Failure):
    """Layers that neither an archive nor the store has. ``facts`` tells a program of them, by the archive's names."""

    def __init__(self, operation: str, names: list[str]) -> None:
        super().__init__(operation, f"the archive lacks {', '.join(names)}", "save it anew")
        self.facts = {"missing": names}


@dataclass(frozen=True)
class PackedImage:
    """An image in an archive.

    ``names`` are the references that it has there. ``layers`` are the archive's files of its layers, the lowest
    first. An OCI layout has a manifest; what Docker saves has none, and gets one when it is kept.
    """

    names: tuple[Reference, ...]
    id: str
    config: bytes
    diff_ids: tuple[str, ...]
    layers: tuple[str, ...]
    manifest: bytes = b""
    media_type: str = MANIFESTS[0]
    parts: Parts | None = None


@dataclass
class Archive:
    """Files by their names in an archive, each a place in a file: the tar itself, or one of a folder."""

    path: str
    folder: int | None = None
    tar: IO[bytes] | None = None
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    @property
    def operation(self) -> str:
        """What an error is about."""
        return f"read the images in {self.path}"

    @property
    def form(self) -> str:
        """What it is, in the words of :mod:`export`."""
        return "oci-dir" if self.folder is not None else "oci-archive" if self.is_layout else "docker-archive"

    @property
    def is_layout(self) -> bool:
        """Whether it is an OCI image layout."""
        return self.size("index.json") is not None and self.size("oci-layout") is not None

    def size(self, name: str) -> int | None:
        """A file's size, or None if there is none of the name."""
        if self.folder is None:
            place = self.places.get(self._followed(name))
            return place[1] if place else None
        try:
            with self._opened(name) as file:
                return os.fstat(file.fileno()).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def pieces(self, name: str) -> Iterator[bytes]:
        """A file's content. Raises :class:`Failure` if there is none of the name."""
        size = self.size(name)
        if size is None:
            raise Failure(self.operation, f"it lacks {name!r}", "save it anew")
        if self.tar is not None:
            offset = self.places[self._followed(name)][0]
            while size:
                self.tar.seek(offset)
                piece = self.tar.read(min(size, PIECE))
                if not piece:
                    raise Failure(self.operation, f"it ends in the middle of {name!r}", "save it anew")
                offset, size = offset + len(piece), size - len(piece)
                yield piece
            return
        with self._opened(name) as file:
            while piece := file.read(PIECE):
                yield piece

    def document(self, name: str) -> bytes:
        """A small file's content."""
        if (size := self.size(name)) is not None and size > LARGEST_DOCUMENT:
            raise ValueError(f"{name!r} has {size} bytes, more than {LARGEST_DOCUMENT}")
        return b"".join(self.pieces(name))

    def blob(self, digest: str) -> bytes:
        """A small blob of an OCI layout, verified."""
        said = self.document(blob_name(digest))
        if hashlib.sha256(said).hexdigest() != digest.partition(":")[2]:
            raise ValueError(f"the blob {digest} has another content than its digest says")
        return said

    def _opened(self, name: str) -> BinaryIO:
        """A file of the folder. Names come from documents: none with .. gets here, and no link is followed."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        return open(os.open(name, flags, dir_fd=self.folder), "rb")

    def _followed(self, name: str) -> str:
        """Older versions of Docker save a layer that several images have once, and link the others to it."""
        for _ in range(8):
            if name not in self.links:
                break
            name = posixpath.normpath(posixpath.join(posixpath.dirname(name), self.links[name]))
        return name


def blob_name(digest: str) -> str:
    """The file of a blob in an OCI layout."""
    return f"blobs/sha256/{digest.partition(':')[2]}"


@contextlib.contextmanager
def opened(path: str) -> Iterator[Archive]:
    """An archive to read from. Raises :class:`Failure` for what is none."""
    archive = Archive(path)
    with contextlib.ExitStack() as stack:
        try:
            if os.path.isdir(path):
                archive.folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, archive.folder)
            else:
                archive.tar = stack.enter_context(_uncompressed(stack.enter_context(open(path, "rb"))))
                _list(archive, archive.tar)
        except (ValueError, *_UNUSABLE) as error:
            raise Failure(archive.operation, f"it is no archive of images ({error})", _FORMS) from error
        except OSError as error:
            raise Failure(archive.operation, error) from error
        yield archive


_FORMS = "give an OCI layout (a directory or tar) or what docker save writes"


def _uncompressed(file: BinaryIO) -> IO[bytes]:
    """The file itself, or its content in one without a name: members are read in any order."""
    magic = file.read(4)
    file.seek(0)
    if magic[:2] != b"\x1f\x8b" and magic != b"\x28\xb5\x2f\xfd":
        return file
    limit = most_unpacked(os.fstat(file.fileno()).st_size)
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the caller
    try:
        for piece in decompressed(file):
            if unpacked.tell() + len(piece) > limit:
                raise ValueError(f"it unpacks to more than {limit} bytes")
            unpacked.write(piece)
        unpacked.seek(0)
    except BaseException:
        unpacked.close()
        raise
    return unpacked


def _list(archive: Archive, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for count, member in enumerate(tar):
            if count >= MOST_FILES:
                raise ValueError(f"it has more than {MOST_FILES} files")
            name = posixpath.normpath(member.name)
            if member.isreg() and not member.issparse():
                archive.places[name] = (member.offset_data, member.size)
            elif member.issym():
                archive.links[name] = member.linkname


def images(archive: Archive) -> list[PackedImage]:
    """The images for this machine, with their documents verified. Raises :class:`Failure` if there is none."""
    try:
        if archive.is_layout:
            found = _of_layout(archive)
        elif archive.size("manifest.json") is not None:
            found = _of_docker(archive)
        else:
            raise ValueError("it has neither index.json and oci-layout nor manifest.json")
    except (ValueError, *_UNUSABLE) as error:
        raise Failure(archive.operation, str(error), _FORMS) from error
    except OSError as error:
        raise Failure(archive.operation, error) from error
    return found


def _json(said: bytes, what: str) -> Any:
    try:
        return json.loads(said)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not JSON ({error})") from error


def _of_layout(archive: Archive) -> list[PackedImage]:
    index = _json(archive.document("index.json"), "index.json")
    listed = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(listed, list):
        raise ValueError("index.json has no list of manifests")
    found: dict[str, PackedImage] = {}
    reason = ValueError("it holds no image")
    for entry in listed:
        try:
            image = _of_descriptor(archive, entry)
        except ValueError as error:
            reason = error  # Of another platform, or no image but a signature: others may do.
            continue
        names = (*found[image.id].names, *image.names) if image.id in found else image.names
        found[image.id] = PackedImage(**{**vars(image), "names": tuple(dict.fromkeys(names))})
    if not found:
        raise reason
    return list(found.values())


def _of_descriptor(archive: Archive, entry: Any) -> PackedImage:
    pointed = documents.descriptor(entry, "an image in index.json")
    said = documents.document(archive.blob(pointed.digest), pointed.media_type)
    if "manifests" in said:
        pointed = documents.of_platform(said)
        said = documents.document(archive.blob(pointed.digest), pointed.media_type)
    parts = documents.image_parts(said)
    config = archive.blob(parts.config.digest)
    return PackedImage(
        names=_names(entry.get("annotations")),
        id=parts.config.digest,
        config=config,
        diff_ids=content.diff_ids_of(documents.image(config, parts)),
        layers=tuple(blob_name(each.digest) for each in parts.layers),
        manifest=archive.blob(pointed.digest),
        media_type=pointed.media_type,
        parts=parts,
    )


def _names(annotations: Any) -> tuple[Reference, ...]:
    """The references in an entry's annotations; a tag alone is none."""
    said = annotations if isinstance(annotations, dict) else {}
    for each in (said.get(CONTAINERD_NAME), said.get(content.REF_NAME)):
        if isinstance(each, str) and ("/" in each or ":" in each):
            with contextlib.suppress(ValueError):
                return (parse_reference(each),)
    return ()


def _of_docker(archive: Archive) -> list[PackedImage]:
    """What ``docker save`` writes (Docker's image specification 1.2, "Combined Image JSON + Filesystem Changeset")."""
    listed = _json(archive.document("manifest.json"), "manifest.json")
    if not isinstance(listed, list) or not listed:
        raise ValueError("manifest.json is no list of images")
    found = []
    for each in listed:
        said = each if isinstance(each, dict) else {}
        name, layers, tags = said.get("Config"), said.get("Layers"), said.get("RepoTags")
        if not isinstance(name, str) or not isinstance(layers, list) or not all(isinstance(x, str) for x in layers):
            raise ValueError("manifest.json has an image without Config and Layers")
        if not isinstance(tags or [], list):
            raise ValueError("manifest.json has RepoTags that are no list")
        if len(layers) > documents.MOST_LAYERS:
            raise ValueError(f"an image has more than {documents.MOST_LAYERS} layers")
        if any(".." in path.split("/") or path.startswith("/") or b"\0" in path.encode() for path in (name, *layers)):
            raise ValueError("manifest.json names files outside of the archive")
        config = archive.document(name)
        image = documents.image(config, Parts(_ANY, (_ANY,) * len(layers)))
        found.append(
            PackedImage(
                names=tuple(parse_reference(tag) for tag in tags or () if isinstance(tag, str)),
                id=f"sha256:{hashlib.sha256(config).hexdigest()}",
                config=config,
                diff_ids=content.diff_ids_of(image),
                layers=tuple(layers),
            )
        )
    return found


_ANY = documents.Descriptor("", "", 0)
"""What a layer without a descriptor is counted by."""


def keep(layout: Layout, archive: Archive, image: PackedImage, names: tuple[Reference, ...]) -> None:
    """Bring an image of an archive into the store, and let references name it.

    Raises :class:`Failure`; the store is then as it was.
    """
    operation = f"load {names[0] if names else image.id} from {archive.path}"
    with keeping(layout, operation) as keeper:
        wanted = [each.digest for each in image.parts.layers] if image.parts else list(image.diff_ids)
        there = [_there(keeper, archive, image, number) for number in range(len(wanted))]
        lacking = [
            name for name, size in zip(image.layers, there, strict=True) if size is None and archive.size(name) is None
        ]
        if lacking:
            raise Lacking(operation, lacking)
        keeper.document(image.config)
        described = []
        for number, (name, diff_id) in enumerate(zip(image.layers, image.diff_ids, strict=True)):
            digest, size = wanted[number], there[number]
            if size is None:
                digest, size = keeper.blob(archive.pieces(name), digest if image.parts else "")
            keeper.layer(digest, diff_id, image.diff_ids[:number])
            described.append((layer_type(layout, digest), digest, size))
        keeper.name(names, image.manifest or manifest_of(image.config, described), image.media_type)


def _there(keeper: Keeper, archive: Archive, image: PackedImage, number: int) -> int | None:
    """The size of a layer's blob that the store has, None if it has to come from the archive.

    Docker's archives have no digests of blobs: of those a layer is in the store only if it has come so before.
    """
    if image.parts:
        wanted = image.parts.layers[number]
        return wanted.size if keeper.size(wanted.digest) == wanted.size else None
    return keeper.size(image.diff_ids[number]) if archive.size(image.layers[number]) is None else None


def chosen(archive: Archive, found: list[PackedImage], wanted: str = "") -> PackedImage:
    """The one image that is meant: of this name or id, else the only one. Raises :class:`Failure`."""
    named = [each for each in found if wanted in (each.id, *map(str, each.names))] if wanted else []
    if len(named or found) == 1:
        return (named or found)[0]
    names = ", ".join(str(name) for each in found for name in each.names or (each.id,))
    reason = f"it holds {len(found)} images ({names}), and none of them is {wanted}" if wanted else "it holds several"
    raise Failure(archive.operation, reason, "name one of these")
