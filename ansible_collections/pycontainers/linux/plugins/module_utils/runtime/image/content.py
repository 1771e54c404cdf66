# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of images: an OCI image layout (image-spec, image-layout.md), and beside it each layer unpacked once.

``index.json`` names the images; whatever no entry of it and no container leads to is garbage. Blobs and layers
come first and are complete under their final names, the entry comes last, so a reader needs no lock and a kill
leaves garbage at worst. Reading needs nothing but json, since every task does it.
"""
from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure, failing
from ..lean.dataclasses import dataclass, replace
from . import overlay
from .reference import Reference, is_digest, parse_reference

REF_NAME = "org.opencontainers.image.ref.name"
REGISTRY_DIGEST = "pycontainers.registry.digest"
"""Annotation: what the registry said of the reference, the digest of an index where the image came out of one."""

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")

ASIDE = ".new"
"""The ending of what is not complete yet, or is being removed."""

_held: set[str] = set()


@dataclass(frozen=True)
class StoredImage:
    """An image of the store.

    ``id`` is the digest of its configuration, which is Docker's image id. ``config`` is what the image says of
    the process to start: Env, Entrypoint, Cmd, WorkingDir, User, ExposedPorts, StopSignal, Labels (image-spec,
    config.md). ``digests`` are its repositories with what their registries call the image, as Docker's RepoDigests.
    ``layers`` are directories as overlayfs takes them: the uppermost first, none twice, none that is hidden as a
    whole. ``size`` is the bytes of the layers as the registry holds them, mostly compressed.
    """

    id: str
    manifest_digest: str
    registry_digest: str
    references: tuple[str, ...]
    digests: tuple[str, ...]
    config: Mapping[str, Any]
    architecture: str
    os: str
    created: str
    diff_ids: tuple[str, ...]
    layers: tuple[str, ...]
    size: int
    entry: Mapping[str, Any]


@contextmanager
def lock(layout: Layout) -> Iterator[None]:
    """Keep other processes from changing the store. May be asked for again by who holds it; not for threads."""
    path = layout.lock("images")
    if path in _held:
        yield
        return
    with store.lock(path):
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)


def blob(layout: Layout, digest: str) -> str:
    """Where the blob of a digest is, or would be."""
    if not is_digest(digest):
        raise Failure(f"find the blob {digest!r}", "it is not sha256: and 64 of 0-9a-f")
    return f"{layout.images}/blobs/sha256/{digest.partition(':')[2]}"


def entries(layout: Layout) -> list[dict[str, Any]]:
    """The descriptors of ``index.json``, ours and those that other programs put there."""
    path = f"{layout.images}/index.json"
    index = store.read_json(path)
    if index is None:
        return []
    found = index.get("manifests", [])
    if not isinstance(found, list) or not all(map(_is_descriptor, found)):
        fix = "restore it from a backup, or remove it and pull again"
        raise Failure(f"read {path}", "its manifests are no list of descriptors", fix)
    return found


def _is_descriptor(entry: Any) -> bool:
    return isinstance(entry, dict) and is_digest(_text(entry, "digest"))


def descriptors(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The descriptors that a document of the store lists; what is none is left out."""
    listed = document.get(key)
    return [each for each in listed if _is_descriptor(each)] if isinstance(listed, list) else []


def entry_name(entry: Mapping[str, Any]) -> str:
    """The reference in a descriptor's annotations, or nothing."""
    return _text(entry.get("annotations"), REF_NAME)


def find(layout: Layout, reference: Reference) -> StoredImage | None:
    """The image that a reference names, or None if there is none or a part of it is missing or damaged.

    Raises :class:`Failure` if the index is damaged.
    """
    listed = entries(layout)
    for entry in listed:
        if entry_name(entry) == str(reference):
            return _image(layout, entry, listed)
    return None


def find_id(layout: Layout, identity: str) -> StoredImage | None:
    """The image with an id. One that only containers use still has no references and no manifest."""
    listed = entries(layout)
    for entry in listed:
        image = _image(layout, entry, listed) if entry_name(entry) else None
        if image and image.id == identity:
            return image
    return _described(layout, identity, {"digest": ""}, {}, [])


def images(layout: Layout) -> list[StoredImage]:
    """Every complete image that has a reference, each once, with all references to it."""
    listed = entries(layout)
    found: dict[str, StoredImage] = {}
    for image in filter(None, (_image(layout, entry, listed) for entry in listed if entry_name(entry))):
        first = found.get(image.id, image)
        references = tuple(sorted({*first.references, *image.references}))
        digests = tuple(sorted({*first.digests, *image.digests}))
        found[image.id] = replace(first, references=references, digests=digests)
    return list(found.values())


def _image(layout: Layout, entry: Mapping[str, Any], listed: list[dict[str, Any]]) -> StoredImage | None:
    """The image of an entry, unless it is incomplete: what is damaged is as good as missing, and a pull mends it."""
    try:
        return _complete(layout, entry, listed)
    except Failure as error:
        if isinstance(error.__cause__, OSError):
            raise  # it may be whole: the disk, or the lack of something, kept us from seeing it
        return None


def _complete(layout: Layout, entry: Mapping[str, Any], listed: list[dict[str, Any]]) -> StoredImage | None:
    manifest = store.read_json(blob(layout, entry["digest"]))
    if manifest is None or not isinstance(manifest.get("config"), dict):
        return None
    same = [each for each in listed if each["digest"] == entry["digest"]]
    return _described(layout, _text(manifest["config"], "digest"), entry, manifest, same)


def _described(
    layout: Layout, identity: str, entry: Mapping[str, Any], manifest: Mapping[str, Any], same: list[dict[str, Any]]
) -> StoredImage | None:
    image = store.read_json(blob(layout, identity))
    if image is None:
        return None
    diff_ids = diff_ids_of(image)
    layers = tuple(dict.fromkeys(layout.layer(diff_id) for diff_id in reversed(diff_ids)))
    if not all(map(os.path.isdir, layers)):
        return None
    named = [(reference, each) for each in same if (reference := _reference(each))]
    return StoredImage(
        id=identity,
        manifest_digest=entry["digest"],
        registry_digest=registry_digest(entry),
        references=tuple(sorted(str(reference) for reference, _ in named)),
        digests=tuple(sorted({f"{reference.name}@{registry_digest(each)}" for reference, each in named})),
        config=image.get("config") or {},
        architecture=_text(image, "architecture"),
        os=_text(image, "os"),
        created=_text(image, "created"),
        diff_ids=diff_ids,
        layers=overlay.shown(layers),
        size=_size(manifest),
        entry=entry,
    )


def _size(manifest: Mapping[str, Any]) -> int:
    """What the layers of a manifest have together, in bytes. Raises :class:`Failure` if it does not say so."""
    layers = manifest.get("layers", [])
    try:
        return sum(int(each["size"]) for each in layers)
    except (KeyError, TypeError, ValueError):
        reason = "its layers are no list of descriptors with sizes"
        raise Failure("read an image's manifest", reason) from None


def _reference(entry: Mapping[str, Any]) -> Reference | None:
    """The reference that an entry is for; other programs' entries have names that are none."""
    try:
        found = parse_reference(entry_name(entry))
    except ValueError:
        return None
    return found if str(found) == entry_name(entry) else None


def registry_digest(entry: Mapping[str, Any]) -> str:
    """What a registry calls the image of a descriptor: its digest, or that of the index that it came out of."""
    return _text(entry.get("annotations"), REGISTRY_DIGEST) or _text(entry, "digest")


def diff_ids_of(image: Mapping[str, Any]) -> tuple[str, ...]:
    """The digests of the uncompressed layers in an image's configuration, the lowest first.

    Raises :class:`Failure` if they are no digests, since they become names of directories.
    """
    rootfs = image.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, str) and is_digest(each) for each in found):
        raise Failure("read an image's configuration", "its rootfs.diff_ids is no list of sha256 digests")
    return tuple(found)


def _text(mapping: Any, key: str) -> str:
    """A text in what should be a JSON object, or nothing: entries of other programs may hold anything."""
    value = mapping.get(key) if isinstance(mapping, dict) else None
    return value if isinstance(value, str) else ""


def prepare(layout: Layout, wanted: Collection[str] = ()) -> None:
    """Make the folders of the store, and remove what a killed pull or removal left half done. Needs the lock.

    Paths that are ``wanted`` are left, to be gone on with.
    """
    with failing(f"prepare the image store {layout.images}"):
        for folder in (f"{layout.images}/blobs/sha256", layout.layer("")):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        # Layers hold programs with set-user-ID bits and old holes: nobody but root may reach them by a path.
        os.chmod(layout.layer(""), 0o700)
        if not os.path.exists(f"{layout.images}/oci-layout"):
            store.write_json(f"{layout.images}/oci-layout", {"imageLayoutVersion": "1.0.0"})
        for folder in (layout.images, f"{layout.images}/blobs/sha256", layout.layer("")):
            for name in os.listdir(folder):
                path = f"{folder}/{name}"
                if name.endswith(ASIDE) and path not in wanted:
                    discard(path)


def set_entry(layout: Layout, reference: Reference, entry: Mapping[str, Any] | None) -> None:
    """Let a reference name the image of a descriptor, or none. Needs the lock."""
    name = str(reference)
    named = [] if entry is None else [{**entry, "annotations": {**entry.get("annotations", {}), REF_NAME: name}}]
    _replace(layout, name, named)


def forget(layout: Layout, name: str) -> None:
    """Let a name, even one that is no reference of ours, name nothing. Needs the lock."""
    _replace(layout, name, [])


def _replace(layout: Layout, name: str, named: list[dict[str, Any]]) -> None:
    kept = [each for each in entries(layout) if entry_name(each) != name]
    index = {"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": [*kept, *named]}
    with failing(f"record {name} in {layout.images}"):
        store.write_json(f"{layout.images}/index.json", index)


def images_of_records(layout: Layout) -> Iterator[tuple[str, str]]:
    """The ids of containers, each with the id of the image that it was made from."""
    for container in listed_in(layout.containers):
        identity = _text(store.read_json(layout.container(container, "container.json")) or {}, "image_id")
        if is_digest(identity):
            yield container, identity


def listed_in(folder: str) -> list[str]:
    """The names in a folder, none if it is not there."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def discard(path: str) -> None:
    """Remove a file or a whole directory; a directory never stands half removed under its own name."""
    from .erase import erase

    if os.path.islink(path) or not os.path.isdir(path):
        store.remove(path)
        return
    aside = path if path.endswith(ASIDE) else f"{path}.gone{ASIDE}"
    if aside != path:
        os.rename(path, aside)
    erase(aside)
