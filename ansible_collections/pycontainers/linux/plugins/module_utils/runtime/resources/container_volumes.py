# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes of a container: those that it names, those without a name, and those that its image declares."""
from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from ..core.layout import Layout
from ..image import content
from ..lean.dataclasses import replace
from .container_model import Container
from .container_mounts import Volume, one_each
from .volume_model import DATA


def anonymous_name(identity: str, target: str) -> str:
    """The name of a volume that was given none: it follows from its container's id, so a check tells it too."""
    from hashlib import sha256

    return sha256(f"{identity} {target}".encode(errors="surrogateescape")).hexdigest()


def of_image(config: Mapping[str, Any]) -> list[str]:
    """The places that an image declares to be volumes (image-spec config.md, Volumes)."""
    said = config.get("Volumes") or {}
    found = {"/" + posixpath.normpath(f"/{each}").lstrip("/") for each in said}
    return sorted(found - {"/"})


def in_use(container: Container, config: Mapping[str, Any]) -> tuple[Volume, ...]:
    """All that is put into a container of what is the host's, with a source each. Its own words go over its image's."""
    own = container.volumes or ()
    places = {each.target for each in own} | {each.target for each in container.tmpfs or ()}
    declared = tuple(Volume(each) for each in of_image(config) if each not in places)
    return tuple(each if each.source else _anonymous(container, each) for each in one_each((*own, *declared)))


def _anonymous(container: Container, volume: Volume) -> Volume:
    """A volume without a name with the one that it has: that of the container before, if it was taken over."""
    taken = dict(container.anonymous or ()).get(volume.target)
    return replace(volume, source=taken or anonymous_name(container.id or "", volume.target))


def anonymous(container: Container, config: Mapping[str, Any]) -> dict[str, str]:
    """The names of a container's volumes that were given none, by their places."""
    named = {each.target for each in container.volumes or () if each.source}
    return {each.target: each.source for each in in_use(container, config) if each.target not in named}


def image_config(layout: Layout, container: Container) -> Mapping[str, Any]:
    """The configuration of a container's image; empty where that is not in the store."""
    image = content.find_id(layout, container.image_id) if container.image_id else None
    return image.config if image else {}


def names(container: Container, config: Mapping[str, Any]) -> set[str]:
    """The names of all volumes that a container uses."""
    return {each.name for each in in_use(container, config) if each.name}


def named(container: Container) -> tuple[str, ...]:
    """The names that a container's own words give."""
    return tuple(dict.fromkeys(each.name for each in container.volumes or () if each.name))


def source(layout: Layout, volume: Volume) -> str:
    """The path of the host that is put into the container."""
    return volume.source if volume.is_bind else layout.volume(volume.name, DATA)
