# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image from its registry into the store: resolve, fetch, unpack, record.

Each blob and layer has its name only once it is verified and on the disk, and the reference is recorded last:
a kill between any two steps leaves a store that is right, and the next pull goes on from what is there. What
asks a registry or unpacks is imported when that is done, since most runs do neither.
"""
from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..lean.dataclasses import dataclass
from . import content, garbage
from .content import ASIDE, StoredImage
from .reference import Reference

if TYPE_CHECKING:
    from .arrival import Tell
    from .manifest import Descriptor, Parts
    from .registry import Manifest
    from .sources import Sources


Progress = Callable[[str], None]
"""What is told in lines how far something is."""


@dataclass(frozen=True)
class Remote:
    """What a reference stands for at its registry now.

    ``registry_digest`` is what the registry calls it: the digest of an index if the reference leads to one, else
    ``manifest_digest`` again. ``id`` is the digest of the image's configuration, ``exposed`` the ports that has.
    """

    id: str
    manifest_digest: str
    registry_digest: str
    exposed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Image:
    """An image at a registry, with all of its documents."""

    remote: Remote
    manifest: Manifest
    parts: Parts
    config: bytes
    diff_ids: tuple[str, ...]


def resolve(layout: Layout, reference: Reference) -> Remote:
    """Ask the registry what a reference stands for. Writes nothing; refuses what could not be pulled."""
    from .sources import Sources

    return _resolved(layout, Sources(layout, reference), reference.target).remote


def is_current(layout: Layout, reference: Reference, image: StoredImage) -> bool:
    """Whether the registry still has the stored image under the reference: one small request."""
    from .sources import Sources

    return Sources(layout, reference).digest() == image.registry_digest


def pull(layout: Layout, reference: Reference, tell: Tell | None = None) -> StoredImage:
    """Bring an image into the store, or what the registry has newer under the reference. Takes the store's lock.

    Fetches only what is not there. Raises :class:`Failure`; the store is then as it was.
    """
    with content.lock(layout):
        before = content.find(layout, reference)
        if before and is_current(layout, reference, before):
            return before
        return fetch(layout, reference, reference.target, "", tell)


def fetch(
    layout: Layout, reference: Reference, target: str, registry_digest: str, tell: Tell | None = None
) -> StoredImage:
    """Bring the image of a tag or digest into the store and let the reference name it. Needs the store's lock."""
    from .arrival import Layers
    from .keep import all_or_nothing
    from .sources import Sources

    content.entries(layout)  # a damaged index stops the pull before anything is fetched
    sources = Sources(layout, reference)
    image = _resolved(layout, sources, target)
    # What a killed pull has received of these layers is gone on with.
    content.prepare(layout, [f"{content.blob(layout, part.digest)}{ASIDE}" for part in image.parts.layers])
    with all_or_nothing(layout, sources.operation, _to_be_added(layout, image)):
        _keep(layout, image.remote.id, image.config)
        Layers(layout, sources, image.parts.layers, image.diff_ids, tell or (lambda arrival: None)).bring()
        _keep(layout, image.manifest.digest, image.manifest.content)
        entry = {
            "mediaType": image.manifest.media_type,
            "digest": image.manifest.digest,
            "size": len(image.manifest.content),
            "annotations": {content.REGISTRY_DIGEST: registry_digest or image.remote.registry_digest},
        }
        content.set_entry(layout, reference, entry)
    found = content.find(layout, reference)
    if found is None:
        raise Failure(sources.operation, "a part of it vanished from the store meanwhile", "pull it again")
    return found


def _resolved(layout: Layout, sources: Sources, target: str) -> _Image:
    from . import manifest as documents

    try:
        first = found = sources.manifest(target)
        said = documents.document(found.content, found.media_type)
        if "manifests" in said:
            found = sources.manifest(documents.of_platform(said).digest)
            said = documents.document(found.content, found.media_type)
            if "manifests" in said:
                raise ValueError("its index leads to another index")
        parts = documents.image_parts(said)
        config = _stored(layout, parts.config) or sources.small(parts.config.digest, parts.config.size)
        document = documents.image(config, parts)
        diff_ids = content.diff_ids_of(document)
    except ValueError as error:
        raise Failure(sources.operation, error) from error
    exposed = tuple((document.get("config") or {}).get("ExposedPorts") or ())
    return _Image(Remote(parts.config.digest, found.digest, first.digest, exposed), found, parts, config, diff_ids)


def _stored(layout: Layout, part: Descriptor) -> bytes | None:
    """A small blob that is in the store, and not damaged there."""
    from hashlib import sha256

    from .arrival import has
    from .registry import LARGEST_MANIFEST

    path = content.blob(layout, part.digest)
    found = store.read(path) if part.size <= LARGEST_MANIFEST and has(path, part.size) else None
    return found if found is not None and f"sha256:{sha256(found).hexdigest()}" == part.digest else None


def _keep(layout: Layout, digest: str, document: bytes) -> None:
    path = content.blob(layout, digest)
    if store.read(path) != document:
        store.write(path, document)


def _to_be_added(layout: Layout, image: _Image) -> list[str]:
    """The paths of what the store lacks of an image, also as they are called while it comes."""
    from .unpacker import WHOLE

    digests = [image.remote.id, image.manifest.digest, *(part.digest for part in image.parts.layers)]
    paths = [content.blob(layout, digest) for digest in digests] + [layout.layer(each) for each in image.diff_ids]
    new = [path for path in paths if not os.path.lexists(path)]
    return new + [path + ending for path in new for ending in (ASIDE, WHOLE)]


@dataclass(frozen=True)
class Pull:
    """The step that lets a reference name the image of a manifest digest, fetching what is missing.

    ``before`` is the image that it names now, None if none; ``registry_digest`` is as in :class:`Remote`.
    """

    layout: Layout
    reference: Reference
    manifest_digest: str
    before: StoredImage | None
    registry_digest: str = ""

    def describe(self) -> str:
        """The reference, and which image it stands for."""
        return f"pull image {self.reference} ({self.manifest_digest[:19]})"

    def do(self) -> None:
        """Fetch, unpack, record."""
        with content.lock(self.layout):
            fetch(self.layout, self.reference, self.manifest_digest, self.registry_digest)

    def undo(self) -> None:
        """Let the reference name what it named before, and remove what nothing uses."""
        with content.lock(self.layout):
            content.set_entry(self.layout, self.reference, self.before.entry if self.before else None)
            garbage.prune(self.layout)


@dataclass(frozen=True)
class Remove:
    """The step that takes a reference away, and all that was there for it alone. There is no way back."""

    layout: Layout
    reference: Reference

    def describe(self) -> str:
        """The reference."""
        return f"remove image {self.reference}"

    def do(self) -> None:
        """Remove the reference and what nothing else uses."""
        garbage.remove(self.layout, self.reference)

    def undo(self) -> None:
        """Raise: what is gone would have to be pulled."""
        raise Failure(f"put image {self.reference} back", "its blobs are removed", "pull it again")


@dataclass(frozen=True)
class Prune:
    """The step that removes blobs and layers that no reference and no container uses. There is no way back."""

    layout: Layout

    def describe(self) -> str:
        """What goes."""
        return "remove image layers that nothing uses"

    def do(self) -> None:
        """Remove them."""
        with content.lock(self.layout):
            garbage.prune(self.layout)

    def undo(self) -> None:
        """Raise: what is gone would have to be pulled."""
        raise Failure("put image layers back", "they are removed", "pull the image again")
