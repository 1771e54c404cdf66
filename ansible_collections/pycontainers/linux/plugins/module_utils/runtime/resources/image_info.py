# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``image_info``: what there is to know of images of the store."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import store
from ..core.kinds import TEXTS
from ..core.layout import Layout
from ..core.model import option
from ..core.question import Question
from ..image import content
from ..image.content import StoredImage
from ..image.reference import parse_reference
from ..image.room import size_of
from ..lean.dataclasses import dataclass
from . import container_state
from .image_facts import inspect


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """The rows of a question. ``name`` are references or ids; left out, all images are meant."""

    name: tuple[str, ...] | None = option(TEXTS, request=True)
    state: str = "present"


class ImageInfoResource(Question[ImageInfo]):
    """The images of one host's store."""

    model = ImageInfo

    def facts(self, layout: Layout, have: ImageInfo | None) -> Mapping[str, Any]:
        """The images that there are of those asked for."""
        found = content.images(layout)
        names = have.name if have else None
        if names is not None:
            found = [each for each in found if any(is_named(each, name) for name in names)]
        return {"images": [described(layout, each) for each in found]}


def is_named(image: StoredImage, said: str) -> bool:
    """Whether a reference or an id names the image. Raises :class:`ValueError` for what is neither."""
    if said.removeprefix("sha256:") == image.id.partition(":")[2]:
        return True
    try:
        return str(parse_reference(said)) in image.references
    except ValueError:
        return False


def _users(layout: Layout, identity: str) -> list[str]:
    """The names of the containers that were made of an image."""
    made = [container for container, image in content.images_of_records(layout) if image == identity]
    kept = ((each, store.read_json(container_state.record_path(layout, each)) or {}) for each in made)
    return sorted(str(record.get("name", each)) for each, record in kept)


def described(layout: Layout, image: StoredImage) -> dict[str, Any]:
    """An image as Docker shows it, with what only the store knows: blobs, layers, room on the disk, containers."""
    manifest = store.read_json(content.blob(layout, image.manifest_digest)) if image.manifest_digest else None
    whole = store.read_json(content.blob(layout, image.id)) or {}
    return {
        **inspect(image),
        "ManifestDigest": image.manifest_digest,
        "RegistryDigest": image.registry_digest,
        "Blobs": [
            {"MediaType": each["mediaType"], "Digest": each["digest"], "Size": each["size"]}
            for each in (manifest or {}).get("layers", ())
        ],
        "UnpackedSize": size_of(image.layers),
        "Author": str(whole.get("author") or ""),
        "History": list(whole.get("history") or ()),
        "UsedBy": _users(layout, image.id),
    }


IMAGE_INFO = ImageInfoResource()
