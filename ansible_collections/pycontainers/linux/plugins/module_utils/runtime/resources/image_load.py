# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``image_load``: the images of an archive are in the store, under the names that they have there."""
from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..core.kinds import BOOL, PATH, TEXTS
from ..core.layout import Layout
from ..core.model import Effect, option
from ..core.plan import Plan
from ..errors import Failure
from ..image import content, garbage
from ..image.content import StoredImage
from ..image.reference import REFERENCE, Reference, parse_reference
from ..lean.dataclasses import dataclass, replace
from .image_facts import inspect

Named = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class ImageLoad:
    """The rows of a loading. ``images`` are names, each with the id of the image that it stands for."""

    path: str = option(PATH, required=True)
    name: Reference | None = option(REFERENCE, request=True)
    remote_src: bool = option(BOOL, default=True, request=True)
    images: tuple[str, ...] | None = option(TEXTS, Effect.RECREATE, internal=True)
    state: str = "present"
    packed: Named = ()
    before: tuple[tuple[str, StoredImage | None], ...] = ()


@dataclass(frozen=True)
class Load:
    """The step that brings an image of an archive into the store and gives it names."""

    layout: Layout
    path: str
    id: str
    names: tuple[Reference, ...]
    before: tuple[StoredImage | None, ...]

    def describe(self) -> str:
        """The names, the image, the archive."""
        return f"load image {', '.join(map(str, self.names))} ({self.id[:19]}) from {self.path}"

    def do(self) -> None:
        """Load it."""
        from ..image import archive

        with archive.opened(self.path) as source:
            for image in archive.images(source):
                if image.id == self.id:
                    archive.keep(self.layout, source, image, self.names)
                    return
        raise Failure(f"load {self.id} from {self.path}", "it is not there any more", "leave the archive alone")

    def undo(self) -> None:
        """Let the names stand for what they stood for before, and remove what nothing uses."""
        with content.lock(self.layout):
            for name, image in zip(self.names, self.before, strict=True):
                content.set_entry(self.layout, name, image.entry if image else None)
            garbage.prune(self.layout)


class ImageLoadResource:
    """The images of one archive."""

    model = ImageLoad

    def lock(self, layout: Layout, want: ImageLoad) -> AbstractContextManager[object]:
        """The store's own lock."""
        return content.lock(layout)

    def observe(self, layout: Layout, want: ImageLoad) -> ImageLoad | None:
        """What the store has under the names that the archive's images are to have."""
        packed = want.packed or packed_images(want.path, want.name)
        before = tuple((name, content.find(layout, parse_reference(name))) for name, _ in packed)
        names = tuple(f"{name} {image.id}" for name, image in before if image)
        return replace(want, packed=packed, before=before, images=names)

    def resolve(self, layout: Layout, want: ImageLoad, have: ImageLoad | None) -> ImageLoad:
        """Each name stands for the archive's image."""
        packed = have.packed if have else ()
        return replace(want, packed=packed, images=tuple(f"{name} {image}" for name, image in packed))

    def plan(self, layout: Layout, want: ImageLoad, have: ImageLoad | None) -> Plan:
        """One step for each image of which a name is missing or stands for another."""
        before = dict(have.before) if have else {}
        missing: dict[str, list[str]] = {}
        for name, identity in want.packed:
            there = before.get(name)
            if there is None or there.id != identity:
                missing.setdefault(identity, []).append(name)
        return Plan(tuple(load_step(layout, want.path, identity, names, before) for identity, names in missing.items()))

    def facts(self, layout: Layout, have: ImageLoad | None) -> Mapping[str, Any]:
        """The names, and the images as ``docker image inspect`` shows them."""
        found = {image.id: image for _, image in have.before if image} if have else {}
        names = [name for name, _ in have.packed] if have else []
        return {"image_names": names, "images": [inspect(image) for image in found.values()]}


def load_step(
    layout: Layout, path: str, identity: str, names: list[str], before: Mapping[str, StoredImage | None]
) -> Load:
    """The step that loads one image under names."""
    return Load(layout, path, identity, tuple(map(parse_reference, names)), tuple(before.get(name) for name in names))


def packed_images(path: str, name: Reference | None) -> Named:
    """The names that an archive's images are to have, with the images' ids.

    With ``name`` it is one image, of that name in the archive or the only one. Raises :class:`Failure`.
    """
    from ..image import archive

    with archive.opened(path) as source:
        found = archive.images(source)
        if name is not None:
            return ((str(name), archive.chosen(source, found, str(name)).id),)
        for image in found:
            if not image.names:
                reason = f"the image {image.id[:19]} has no name in it"
                raise Failure(f"load the images in {path}", reason, "give it one (option name, or load --name)")
        return tuple((str(each), image.id) for image in found for each in image.names)


IMAGE_LOAD = ImageLoadResource()
