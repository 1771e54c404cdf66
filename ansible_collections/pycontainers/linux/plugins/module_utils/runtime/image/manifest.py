# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What manifests, indexes and configurations of images say, checked before anything is done with it.

The documents are image-spec's (manifest.md, image-index.md, config.md) and Docker's version 2, schema 2, which
have the same members. What does not hold is a ``ValueError`` with the reason.
"""
from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ..lean.dataclasses import dataclass
from .content import CONFIGS, INDEXES, MANIFESTS
from .reference import is_digest

LAYERS = tuple(
    f"application/vnd.oci.image.layer.v1.tar{compression}" for compression in ("", "+gzip", "+zstd")
) + tuple(f"application/vnd.docker.image.rootfs.diff.tar{compression}" for compression in ("", ".gzip", ".zstd"))

MOST_LAYERS = 500
"""What overlayfs takes (fs/overlayfs/params.h, OVL_MAX_STACK)."""

_ARCHITECTURES = {
    "x86_64": ("amd64", ("", "v1")),
    "aarch64": ("arm64", ("v8", "")),
    "armv8l": ("arm", ("v7", "v6", "v5", "")),
    "armv7l": ("arm", ("v7", "v6", "v5", "")),
    "armv6l": ("arm", ("v6", "v5", "")),
    "i686": ("386", ("",)),
    "i586": ("386", ("",)),
    "loongarch64": ("loong64", ("",)),
}
"""What uname(2) says, as Go's GOARCH and its variants, the best one first."""

_TEXTS = ("User", "WorkingDir", "StopSignal")
_LISTS = ("Env", "Entrypoint", "Cmd")
_OBJECTS = ("Labels", "ExposedPorts", "Volumes")


@dataclass(frozen=True)
class Descriptor:
    """What points to a blob (descriptor.md)."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True)
class Parts:
    """The blobs that make an image."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


def document(content: bytes, media_type: str) -> dict[str, Any]:
    """A manifest's or index's members. One that could be read as both is refused (CVE-2021-41190)."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its manifest is not JSON ({error})") from error
    if not isinstance(said, dict):
        raise ValueError("its manifest is not a JSON object")
    if media_type not in (*INDEXES, *MANIFESTS):
        raise ValueError(
            f"its manifest has the media type {media_type!r}, which is neither OCI's nor Docker's version 2, schema 2"
        )
    if said.get("mediaType", media_type) != media_type:
        raise ValueError(f"its manifest was sent as {media_type} and calls itself {said['mediaType']!r}")
    if ("manifests" in said) == ("layers" in said) or ("manifests" in said) != (media_type in INDEXES):
        raise ValueError(f"its manifest is not what {media_type} is")
    return said


def descriptor(value: Any, what: str) -> Descriptor:
    """A descriptor out of a document."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no descriptor")
    media_type, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
    if not isinstance(media_type, str) or not isinstance(digest, str) or not is_digest(digest):
        raise ValueError(f"{what} has no media type or no sha256 digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 53:
        raise ValueError(f"{what} has no size")
    return Descriptor(media_type, digest, size)


def image_parts(manifest: Mapping[str, Any]) -> Parts:
    """The configuration and the layers of an image's manifest."""
    config = descriptor(manifest.get("config"), "its configuration")
    if config.media_type not in CONFIGS:
        raise ValueError(f"it is no container image but {config.media_type!r}")
    if not isinstance(manifest["layers"], list) or len(manifest["layers"]) > MOST_LAYERS:
        raise ValueError(f"its layers are not a list of at most {MOST_LAYERS}")
    layers = tuple(descriptor(each, "a layer") for each in manifest["layers"])
    for layer in layers:
        if layer.media_type not in LAYERS:
            raise ValueError(f"its layer {layer.digest} has the unsupported media type {layer.media_type!r}")
    return Parts(config, layers)


def of_platform(index: Mapping[str, Any]) -> Descriptor:
    """The manifest in an index that is for this machine; of several the best variant, the first of equals."""
    architecture, variants = machine()
    listed: list[str] = []
    best: tuple[int, Any] | None = None
    for each in index["manifests"] if isinstance(index["manifests"], list) else ():
        platform = each.get("platform") if isinstance(each, dict) else None
        system, processor, variant = _platform(platform if isinstance(platform, dict) else {})
        if system == "linux" and processor == architecture and variant in variants:
            rank = variants.index(variant)
            best = (rank, each) if best is None or rank < best[0] else best
        elif system not in ("", "unknown"):  # attestations are for the platform unknown/unknown
            listed.append("/".join(filter(None, (system, processor, variant))))
    if best is None:
        others = ", ".join(listed) or "no platform at all"
        raise ValueError(f"it has no image for linux/{architecture}, only for {others}")
    return descriptor(best[1], "an image in its index")


def image(content: bytes, parts: Parts) -> dict[str, Any]:
    """An image's configuration, if it fits its manifest, this machine, and what a process is started from."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its configuration is not JSON ({error})") from error
    if not isinstance(said, dict):
        raise ValueError("its configuration is not a JSON object")
    system, processor, _ = _platform(said)
    if (system or "linux", processor) != ("linux", machine()[0]):
        raise ValueError(f"it is for {system}/{processor or '(not said)'}, and this machine is linux/{machine()[0]}")
    rootfs = said.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or not all(isinstance(each, str) and is_digest(each) for each in diff_ids):
        raise ValueError("its rootfs.diff_ids is no list of sha256 digests")
    if len(diff_ids) != len(parts.layers):
        raise ValueError(f"its manifest has {len(parts.layers)} layers, its configuration {len(diff_ids)}")
    _check_config(said.get("config") or {})
    return said


def _check_config(config: Any) -> None:
    if not isinstance(config, dict):
        raise ValueError("its config is not an object")
    for key in _TEXTS:
        if not isinstance(config.get(key) or "", str):
            raise ValueError(f"its {key} is not text")
    for key in _LISTS:
        value = config.get(key) or []
        if not isinstance(value, list) or not all(isinstance(each, str) and "\0" not in each for each in value):
            raise ValueError(f"its {key} is not a list of texts")
    for key in _OBJECTS:
        if not isinstance(config.get(key) or {}, dict):
            raise ValueError(f"its {key} is not an object")


def machine() -> tuple[str, tuple[str, ...]]:
    """The machine's architecture as images name it, and the variants that it runs, the best first."""
    said = os.uname().machine
    return _ARCHITECTURES.get(said, (said, ("",)))


def _platform(said: Mapping[str, Any]) -> tuple[str, str, str]:
    found = [said.get(key) for key in ("os", "architecture", "variant")]
    system, processor, variant = (each if isinstance(each, str) and each.isprintable() else "" for each in found)
    return system, processor, variant
