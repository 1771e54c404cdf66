# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image out of the store into a registry: what it is made of, and the steps that bring it there.

The store keeps each layer's blob as it was pulled beside the unpacked layer, so what is pushed is byte for byte
what was pulled, and has its digests.
"""
from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..lean.dataclasses import dataclass
from . import content
from . import manifest as documents
from .manifest import Descriptor
from .reference import Reference, parse_reference

if TYPE_CHECKING:
    from .pull import Progress
    from .upload import Destination

_FIX = "pull it again"


@dataclass(frozen=True)
class Document:
    """A manifest or an index, as it is in the store."""

    digest: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Parcel:
    """All that a reference of the store leads to, in the order in which a registry takes it.

    ``blobs`` are configurations and layers, none twice. ``documents`` are manifests, those of an index before it: the
    last is what the tag names. ``elsewhere`` are digests of an index's manifests that the store has not. ``pulled`` is
    what the registry called it that it came from: the digest of an index, if it was pulled by one.
    """

    blobs: tuple[Descriptor, ...]
    documents: tuple[Document, ...]
    elsewhere: tuple[str, ...]
    pulled: str

    @property
    def digest(self) -> str:
        """What the registry is going to call it."""
        return self.documents[-1].digest


def parcel(layout: Layout, reference: Reference, operation: str) -> Parcel | None:
    """What a reference of the store leads to, or None if it has no such reference.

    Raises :class:`Failure` of the operation if the store is damaged.
    """
    entry = next((each for each in content.entries(layout) if content.entry_name(each) == str(reference)), None)
    if entry is None:
        return None
    found = _Gathering(layout)
    try:
        found.add(documents.descriptor(entry, "its entry in the store"))
    except ValueError as error:
        raise Failure(operation, error, _FIX) from error
    top = entry["digest"]
    if top not in found.documents:
        raise Failure(operation, f"the store lacks its manifest {top}", _FIX)
    return Parcel(
        tuple(found.blobs.values()),
        tuple(found.documents.values()),
        tuple(found.elsewhere),
        content.registry_digest(entry),
    )


class _Gathering:
    """What a walk through a reference's documents has found, in the order of what needs what."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.blobs: dict[str, Descriptor] = {}
        self.documents: dict[str, Document] = {}
        self.elsewhere: list[str] = []

    def add(self, part: Descriptor) -> None:
        """Add a manifest or an index after all that it leads to."""
        read = store.read(content.blob(self.layout, part.digest))
        if read is None:
            self.elsewhere.append(part.digest)
            return
        # A registry takes what a tag is to name by its word: nothing but this says that it is the same still.
        if part.digest != f"sha256:{hashlib.sha256(read).hexdigest()}":
            raise ValueError(f"its manifest {part.digest} is damaged in the store")
        said = documents.document(read, part.media_type)
        for each in self._descriptors(said, "manifests"):
            if each.digest not in self.documents:
                self.add(each)
        if "layers" in said:
            config = documents.descriptor(said.get("config"), "its configuration")
            for each in (*self._descriptors(said, "layers"), config):
                self.blobs.setdefault(each.digest, each)
        self.documents[part.digest] = Document(part.digest, part.media_type, read)

    def _descriptors(self, said: dict[str, Any], member: str) -> Iterator[Descriptor]:
        listed = said.get(member, [])
        if not isinstance(listed, list):
            raise ValueError(f"its {member} are no list")
        return (documents.descriptor(each, f"one of its {member}") for each in listed)


def neighbours(layout: Layout, destination: Reference, blobs: tuple[Descriptor, ...]) -> dict[str, tuple[str, ...]]:
    """By digest, the other repositories of the destination's registry that a blob of the store was pulled from."""
    found: dict[str, dict[str, None]] = {blob.digest: {} for blob in blobs}
    for entry in content.entries(layout):
        try:
            reference = parse_reference(content.entry_name(entry))
            near = reference.registry == destination.registry and reference.repository != destination.repository
            other = parcel(layout, reference, "") if near else None
        except (ValueError, Failure):
            continue  # a name that is none, or an image that is damaged, and not the one that is pushed
        for blob in other.blobs if other else ():
            if blob.digest in found:
                found[blob.digest][reference.repository] = None
    return {digest: tuple(repositories) for digest, repositories in found.items()}


def check_blob(layout: Layout, blob: Descriptor, operation: str) -> None:
    """Raise :class:`Failure` if the store can't give a blob that the registry lacks."""
    try:
        size = os.stat(content.blob(layout, blob.digest), follow_symlinks=False).st_size
    except FileNotFoundError:
        raise Failure(operation, f"neither the store nor the registry has its blob {blob.digest}", _FIX) from None
    if size != blob.size:
        raise Failure(operation, f"its blob {blob.digest} is damaged in the store", f"remove it and {_FIX}")


@dataclass(frozen=True)
class PutBlob:
    """The step that brings a blob of the store into a repository. ``sources`` are repositories to mount it from."""

    layout: Layout
    destination: Destination
    blob: Descriptor
    sources: tuple[str, ...]
    progress: Progress | None = None

    def describe(self) -> str:
        """Which blob, its size, and where to."""
        size = f"{self.blob.size / 1e6:.1f} MB" if self.blob.size >= 1e5 else f"{self.blob.size} bytes"
        return f"bring blob {self.blob.digest[:19]} ({size}) to {self.destination.reference.name}"

    def do(self) -> None:
        """Mount or send it."""
        if self.progress:
            self.progress(self.describe())
        path = content.blob(self.layout, self.blob.digest)
        self.destination.put_blob(self.blob.digest, self.blob.size, path, self.sources)

    def undo(self) -> None:
        """Leave it: a registry collects what no manifest leads to, and the next push goes on from it."""


@dataclass(frozen=True)
class PutManifest:
    """The step that puts a manifest into a repository by its digest, or lets a tag lead to it. There is no way back."""

    destination: Destination
    document: Document
    target: str
    progress: Progress | None = None

    def describe(self) -> str:
        """Which manifest, and under which name."""
        name, digest = self.destination.reference.name, self.document.digest[:19]
        if self.target == self.document.digest:
            return f"put manifest {digest} into {name}"
        return f"let {name}:{self.target} name {digest}"

    def do(self) -> None:
        """Put it."""
        if self.progress:
            self.progress(self.describe())
        self.destination.put_manifest(self.target, self.document.media_type, self.document.content)

    def undo(self) -> None:
        """Raise: others may have pulled it meanwhile."""
        raise Failure(f"take back {self.destination.reference}", "it is published", "push what it named before")
