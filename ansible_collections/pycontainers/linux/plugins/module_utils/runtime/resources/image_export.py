# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``image_export``: an archive that holds images of the store."""
from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..core.kinds import BOOL, PATH, TEXT, TEXTS
from ..core.layout import Layout
from ..core.model import Effect, option
from ..core.plan import Plan
from ..errors import Failure, InvalidValue, NotFound
from ..image import content
from ..image.content import StoredImage
from ..image.reference import Reference
from ..lean.dataclasses import dataclass, replace
from .image_kinds import REFERENCES

FORMATS = ("docker-archive", "oci-archive", "oci-dir")


@dataclass(frozen=True, kw_only=True)
class ImageExport:
    """The rows of an export. ``images`` are the names in the archive, each with the id of its image."""

    path: str = option(PATH, required=True)
    names: tuple[Reference, ...] = option(REFERENCES, default=[], request=True)
    format: str = option(TEXT, default="oci-archive", choices=FORMATS)
    force: bool = option(BOOL, default=False, request=True)
    images: tuple[str, ...] | None = option(TEXTS, Effect.RECREATE, internal=True)
    state: str = "present"
    stored: tuple[tuple[Reference, StoredImage], ...] = ()


@dataclass(frozen=True)
class Export:
    """The step that writes an archive. There is no way back: what it replaces is gone."""

    layout: Layout
    path: str
    format: str
    stored: tuple[tuple[Reference, StoredImage], ...]

    def describe(self) -> str:
        """What, and where to."""
        return f"export {', '.join(str(name) for name, _ in self.stored)} to {self.path} as {self.format}"

    def do(self) -> None:
        """Write it aside, and give it its name."""
        from ..image import export

        export.write(self.layout, chosen(self.stored), self.format, self.path)

    def undo(self) -> None:
        """Raise: what was there before is replaced."""
        raise Failure(f"put {self.path} back", "it is replaced", "restore it from a backup")


def chosen(stored: tuple[tuple[Reference, StoredImage], ...]) -> list[tuple[StoredImage, tuple[Reference, ...]]]:
    """Each image once, with all the names that it is to have."""
    ids = dict.fromkeys(image.id for _, image in stored)
    images = {image.id: image for _, image in stored}
    return [(images[each], tuple(name for name, image in stored if image.id == each)) for each in ids]


def named(layout: Layout, name: Reference) -> StoredImage:
    """The image of a name. Raises :class:`NotFound`."""
    found = content.find(layout, name)
    if found is None:
        raise NotFound(f"use the image {name}", "it is not in the store", "pull or load it first")
    return found


class ImageExportResource:
    """One archive."""

    model = ImageExport

    def lock(self, layout: Layout, want: ImageExport) -> AbstractContextManager[object]:
        """None over all: the store's is taken while it is read."""
        return nullcontext()

    def observe(self, layout: Layout, want: ImageExport) -> ImageExport | None:
        """What the archive holds now; None if there is none."""
        if not os.path.lexists(want.path):
            return None
        from ..image import archive

        try:
            with archive.opened(want.path) as source:
                names = [f"{name} {each.id}" for each in archive.images(source) for name in each.names]
                return replace(want, format=source.form, images=tuple(sorted(names)))
        except Failure as failure:
            if want.force or (os.path.isdir(want.path) and not os.listdir(want.path)):
                return None
            raise Failure(f"export to {want.path}", failure.reason, "give another path, or force: true") from failure

    def resolve(self, layout: Layout, want: ImageExport, have: ImageExport | None) -> ImageExport:
        """The images that the names stand for. Refuses names that stand for none."""
        if not want.names:
            raise InvalidValue("names", [], "it is empty", "name at least one image of the store")
        if not os.path.isdir(os.path.dirname(want.path)):
            raise InvalidValue("path", want.path, "there is no directory to write it in", "make that first")
        nameless = [str(name) for name in want.names if not name.tag]
        if nameless and want.format == "docker-archive":
            reason = "a docker-archive has no names but those with tags"
            raise InvalidValue("names", nameless[0], reason, "give a tag, or format: oci-archive")
        stored = tuple((name, named(layout, name)) for name in dict.fromkeys(want.names))
        shown = sorted(f"{_shown(name, want.format)} {image.id}" for name, image in stored)
        return replace(want, images=tuple(shown), stored=stored)

    def plan(self, layout: Layout, want: ImageExport, have: ImageExport | None) -> Plan:
        """Write it, if it is not there with just these images."""
        same = have is not None and (have.format, have.images) == (want.format, want.images)
        if same and not want.force:
            return Plan()
        return Plan(purge=(Export(layout, want.path, want.format, want.stored),))

    def facts(self, layout: Layout, have: ImageExport | None) -> Mapping[str, Any]:
        """The names in the archive, and its path."""
        return {"path": have.path if have else None, "images": list(have.images or ()) if have else []}


def _shown(name: Reference, form: str) -> Reference:
    """A name as the archive holds it: Docker's has tags only."""
    return replace(name, digest=None) if form == "docker-archive" and name.tag else name


IMAGE_EXPORT = ImageExportResource()
