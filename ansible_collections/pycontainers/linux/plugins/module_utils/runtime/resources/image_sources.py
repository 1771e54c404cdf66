# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an image comes from, if not from a registry, and the steps that bring it and give it names."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..core.layout import Layout
from ..core.plan import Step
from ..errors import InvalidValue, NotFound
from ..image import content, garbage
from ..image.build import Recipe, build, recipe_of_tree
from ..image.content import StoredImage
from ..image.instructions import applied
from ..image.pack import Packing
from ..image.reference import Reference
from ..lean.dataclasses import dataclass, replace
from .image_load import load_step, packed_images

if TYPE_CHECKING:
    from .image import Image


@dataclass(frozen=True)
class GiveName:
    """The step that lets a name stand for the image of another. ``before`` is what it stands for now."""

    layout: Layout
    name: Reference
    image: Reference
    before: StoredImage | None

    def describe(self) -> str:
        """The name and the image."""
        return f"tag image {self.image} as {self.name}"

    def do(self) -> None:
        """Record it. Raises :class:`NotFound` if the image has gone."""
        with content.lock(self.layout):
            found = content.find(self.layout, self.image)
            if found is None:
                raise NotFound(f"tag image {self.image}", "it is not in the store", "pull or load it first")
            content.set_entry(self.layout, self.name, found.entry)

    def undo(self) -> None:
        """Let it stand for what it stood for."""
        with content.lock(self.layout):
            content.set_entry(self.layout, self.name, self.before.entry if self.before else None)


@dataclass(frozen=True)
class MakeOfTree:
    """The step that makes an image of a directory. ``before`` is what the name stands for now."""

    layout: Layout
    path: str
    recipe: Recipe
    name: Reference
    before: StoredImage | None

    def describe(self) -> str:
        """The name, the image, the directory."""
        return f"make image {self.name} ({self.recipe.id[:19]}) of {self.path}"

    def do(self) -> None:
        """Pack the directory as a layer, and record the image."""
        build(self.layout, self.recipe, Packing(self.path), None, (self.name,))

    def undo(self) -> None:
        """Let the name stand for what it stood for, and remove what nothing uses."""
        with content.lock(self.layout):
            content.set_entry(self.layout, self.name, self.before.entry if self.before else None)
            garbage.prune(self.layout)


def resolve(layout: Layout, want: Image) -> Image:
    """The image that an archive or a directory is. Reads only; refuses what can't be an image."""
    if want.path is None:
        raise InvalidValue("path", None, f"an image by source {want.source} needs one")
    if want.source == "archive":
        if want.changes:
            raise InvalidValue("changes", list(want.changes), "an archive's images are as they are", "leave it out")
        ((_, identity),) = packed_images(want.path, want.name)
        return replace(want, id=identity)
    recipe = _recipe(want)
    return replace(want, id=recipe.id, recipe=recipe)


def _recipe(want: Image) -> Recipe:
    path = want.path or ""
    if not os.path.isdir(path):
        reason = "it is not a directory" if os.path.exists(path) else "there is no such directory"
        raise InvalidValue("path", path, reason, "give the directory that the image is to hold")
    return recipe_of_tree(path, applied({}, want.changes or ()))


def source_step(layout: Layout, want: Image, before: StoredImage | None) -> Step:
    """The step that brings the image and gives it its name."""
    path = want.path or ""
    if want.recipe is not None:
        return MakeOfTree(layout, path, want.recipe, want.name, before)
    return load_step(layout, path, want.id or "", [str(want.name)], {str(want.name): before})
