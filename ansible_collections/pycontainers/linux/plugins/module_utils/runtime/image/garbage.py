# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What in the store nothing leads to, neither a reference nor a container nor a mount: found, and removed."""
from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure, failing
from ..lean.dataclasses import dataclass, replace
from .content import (
    ASIDE,
    blob,
    descriptors,
    diff_ids_of,
    discard,
    entries,
    entry_name,
    images_of_records,
    listed_in,
    lock,
    set_entry,
)
from .reference import Reference

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Unused:
    """What nothing leads to: blobs and layers by the digits of their digests, and what was left aside by its path.

    ``size`` is what they take on the disk, in bytes; 0 if it was not asked for.
    """

    blobs: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    size: int = 0

    def paths(self, layout: Layout) -> list[str]:
        """Where all of it is; layers before the blobs that they come from."""
        layers = [layout.layer(f":{name}") for name in self.layers]
        return [*self.aside, *layers, *(f"{layout.images}/blobs/sha256/{name}" for name in self.blobs)]


def prune(layout: Layout) -> None:
    """Remove all blobs and layers that no entry of the index and no container leads to. Needs the lock.

    Raises :class:`Failure`, having removed nothing, if it can't be told what is in use.
    """
    _discard(layout, unused(layout))


def _discard(layout: Layout, found: Unused) -> None:
    with failing(f"remove what is unused in {layout.root}"):
        for path in found.paths(layout):
            discard(path)


def unused(
    layout: Layout, gone: frozenset[str] = frozenset(), removed: frozenset[str] = frozenset(), measure: bool = False
) -> Unused:
    """What :func:`prune` would remove if the references ``gone`` and the containers ``removed`` were no more.

    Raises :class:`Failure` if it can't be told what is in use.
    """
    blobs, layers = _used(layout, gone, removed)
    folder = f"{layout.images}/blobs/sha256"
    folders = (layout.layer(""), folder)
    aside = [f"{each}/{name}" for each in folders for name in listed_in(each) if name.endswith(ASIDE)]
    found = Unused(
        tuple(sorted(each for each in listed_in(folder) if _HEX.fullmatch(each) and each not in blobs)),
        tuple(sorted(each for each in listed_in(layout.layer("")) if _HEX.fullmatch(each) and each not in layers)),
        tuple(sorted(aside)),
    )
    if not measure:
        return found
    from .room import size_of

    return replace(found, size=size_of(found.paths(layout)))


def _used(layout: Layout, gone: frozenset[str], removed: frozenset[str]) -> tuple[set[str], set[str]]:
    """The blobs and the layers in use, by the hexadecimal digits of their digests."""
    blobs: set[str] = set()
    layers = _mounted(layout)
    ahead = [entry["digest"] for entry in entries(layout) if entry_name(entry) not in gone]
    configs = [identity for container, identity in images_of_records(layout) if container not in removed]
    made_from = set(configs)
    while ahead:
        digest = ahead.pop()
        if digest.partition(":")[2] in blobs:
            continue
        blobs.add(digest.partition(":")[2])
        with _needed():
            manifest = _document(layout, digest) or {}
        ahead += [each["digest"] for each in descriptors(manifest, "manifests")]
        blobs |= {each["digest"].partition(":")[2] for each in descriptors(manifest, "layers")}
        configs += [each["digest"] for each in descriptors({"config": [manifest.get("config")]}, "config")]
    for digest in configs:
        blobs.add(digest.partition(":")[2])
        with _needed():
            image = _document(layout, digest)
            if image is None and digest in made_from:
                raise Failure(f"read {blob(layout, digest)}", "a container was made from it, and it is missing")
            layers |= {each.partition(":")[2] for each in (diff_ids_of(image) if image else ())}
    return blobs, layers


def _document(layout: Layout, digest: str) -> dict[str, Any] | None:
    """A document of the store, if it is what its name says. Raises :class:`Failure` if it is not."""
    path = blob(layout, digest)
    content = store.read(path)
    if content is not None and hashlib.sha256(content).hexdigest() != os.path.basename(path):
        raise Failure(f"read {path}", "its content is not what its name says")
    return store.read_json(path)


@contextmanager
def _needed() -> Iterator[None]:
    """Read documents that say what is in use: as long as one is damaged nothing may be removed."""
    try:
        yield
    except Failure as error:
        fix = "pull or load the image again; pycontainers image check says which one it is of"
        raise Failure(error.operation, error.reason, fix) from error


def _mounted(layout: Layout) -> set[str]:
    """The layers that an overlay stands on which this process sees, whoever has mounted it."""
    import functools

    from ..kernel.mounts import mounts
    from ..kernel.overlay import overlay

    found = set()
    for mount in filter(lambda each: each.fstype == "overlay", mounts()):
        for lower in overlay(mount, functools.partial(layout.overlay, mount.target)).lower:
            folder, name = os.path.split(lower)
            if folder == layout.layer("").rstrip("/"):
                found.add(name)
    return found


def remove(layout: Layout, reference: Reference) -> bool:
    """Take a reference away, and with an image's last one all that nothing else uses; whether it was there.

    Raises :class:`Failure`, having changed nothing, if it can't be told what else is in use.
    """
    with lock(layout):
        there = any(entry_name(entry) == str(reference) for entry in entries(layout))
        found = unused(layout, frozenset({str(reference)}))
        if there:
            set_entry(layout, reference, None)
        _discard(layout, found)
        return there
