# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the store holds what it says it holds: every blob by its digest, every reference and container to its end.

Reads everything, and changes nothing. What it finds is a sentence each, with what helps.
"""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..core.layout import Layout
from ..errors import Failure
from . import content, garbage
from .content import ASIDE
from .reference import is_digest

PULL = "remove it and pull or load it again"
PRUNE = "the next pull removes it, and so does pycontainers image prune"


class Finding(NamedTuple):
    """Something that is not as it should be. ``path`` is where; ``harmless`` says that it only takes room."""

    path: str
    reason: str
    fix: str
    harmless: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}; {self.fix}"


def check(layout: Layout) -> list[Finding]:
    """All that is wrong with the store of images, the worst first. Takes its lock, so that nothing is half done."""
    if not os.path.isdir(layout.images):
        return []
    with content.lock(layout):
        found = [*_index(layout), *_blobs(layout), *_containers(layout), *_unused(layout)]
    return sorted(dict.fromkeys(found), key=lambda each: each.harmless)


def _blobs(layout: Layout) -> Iterator[Finding]:
    """Blobs whose content is not that of their name."""
    folder = f"{layout.images}/blobs/sha256"
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else ()):
        path = f"{folder}/{name}"
        if is_digest(f"sha256:{name}") and (found := _digest(path)) != name:
            yield Finding(path, f"its content has the digest {found[:12]}…, not that of its name", PULL)


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _index(layout: Layout) -> Iterator[Finding]:
    """Entries of the index that do not lead to all of an image."""
    try:
        listed = content.entries(layout)
    except Failure as failure:
        yield Finding(f"{layout.images}/index.json", failure.reason, failure.fix)
        return
    for entry in listed:
        name = content.entry_name(entry) or entry["digest"]
        yield from _manifest(layout, name, entry["digest"], entry.get("size"))


def _manifest(layout: Layout, name: str, digest: str, size: Any) -> Iterator[Finding]:
    """What an image's manifest, or each that an index lists, lacks of its blobs and layers."""
    path = content.blob(layout, digest)
    manifest = _document(path)
    if manifest is None:
        yield Finding(path, f"the manifest of {name} is missing or is no JSON object", PULL)
        return
    if isinstance(size, int) and os.stat(path).st_size != size:
        yield Finding(path, f"the manifest of {name} has not the {size} bytes that the index says", PULL)
    for each in content.descriptors(manifest, "manifests"):
        # Of an image for several platforms only one is brought to the host.
        if os.path.exists(content.blob(layout, each["digest"])):
            yield from _manifest(layout, name, each["digest"], each.get("size"))
    for each in content.descriptors(manifest, "layers"):
        part = content.blob(layout, each["digest"])
        if not os.path.exists(part):
            yield Finding(part, f"a layer's blob of {name} is missing", PULL)
        elif os.stat(part).st_size != each.get("size"):
            yield Finding(part, f"a layer's blob of {name} has not the {each.get('size')} bytes of its manifest", PULL)
    for each in content.descriptors({"config": [manifest.get("config")]}, "config"):
        yield from _configuration(layout, name, each["digest"])


def _configuration(layout: Layout, name: str, digest: str) -> Iterator[Finding]:
    """An image's configuration, and the unpacked layers that it names."""
    path = content.blob(layout, digest)
    image = _document(path)
    if image is None:
        yield Finding(path, f"the configuration of {name} is missing or is no JSON object", PULL)
        return
    try:
        diff_ids = content.diff_ids_of(image)
    except Failure as failure:
        yield Finding(path, f"the configuration of {name} can't be used: {failure.reason}", PULL)
        return
    for diff_id in diff_ids:
        if not os.path.isdir(layout.layer(diff_id)):
            yield Finding(layout.layer(diff_id), f"a layer of {name} is missing", PULL)


def _document(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            said = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _containers(layout: Layout) -> Iterator[Finding]:
    """Containers whose image is not whole."""
    try:
        for container, identity in content.images_of_records(layout):
            yield from _configuration(layout, f"container {container[:12]}", identity)
    except Failure as failure:
        yield Finding(layout.containers, f"cannot {failure.operation}: {failure.reason}", failure.fix)


def _unused(layout: Layout) -> Iterator[Finding]:
    """What nothing leads to: of no use and no harm."""
    try:
        found = garbage.unused(layout)
    except Failure:
        return  # told by the others
    for path in found.paths(layout):
        reason = "it was left half done" if path.endswith(ASIDE) else "no image and no container leads to it"
        yield Finding(path, reason, PRUNE, harmless=True)
