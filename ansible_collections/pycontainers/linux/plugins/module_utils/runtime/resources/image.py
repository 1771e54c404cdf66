# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that is to be on the host, or not."""
from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ..core.kinds import BOOL, PATH, TEXT
from ..core.layout import Layout
from ..core.model import Effect, option
from ..core.plan import Plan, Step
from ..errors import Failure, InvalidValue, NotFound
from ..image import content
from ..image.content import StoredImage
from ..image.reference import REFERENCE, Reference, parse_reference
from ..lean.dataclasses import dataclass, replace
from .image_facts import inspect
from .image_kinds import INSTRUCTIONS, NAMES

if TYPE_CHECKING:
    from ..image.build import Recipe

SOURCES = ("archive", "pull", "tree")
POLICIES = ("always", "missing", "never", "newer")


@dataclass(frozen=True, kw_only=True)
class Image:
    """The rows of an image. ``id`` is its configuration's digest; the others say where its parts come from.

    ``stored`` is what the store has under the name, ``tagged`` under each name of ``tags``. ``known`` are those of the
    names that are in the store, also where a part of their image is missing. ``recipe`` is what makes the image of a
    directory.
    """

    name: Reference = option(REFERENCE, required=True)
    state: str = option(TEXT, default="present", choices=("absent", "present"))
    source: str = option(TEXT, default="pull", choices=SOURCES, request=True)
    path: str | None = option(PATH, request=True)
    remote_src: bool = option(BOOL, default=True, request=True)
    changes: tuple[str, ...] | None = option(INSTRUCTIONS, request=True)
    pull: str = option(TEXT, default="missing", choices=POLICIES, request=True)
    tags: tuple[Reference, ...] | None = option(NAMES)
    force: bool = option(BOOL, default=False, request=True)
    id: str | None = option(TEXT, Effect.RECREATE, internal=True)
    manifest_digest: str | None = option(TEXT, internal=True)
    registry_digest: str | None = option(TEXT, internal=True)
    stored: StoredImage | None = None
    tagged: tuple[tuple[Reference, StoredImage | None], ...] = ()
    known: tuple[Reference, ...] = ()
    recipe: Recipe | None = None


class ImageResource:
    """Images of one host's store."""

    model = Image

    def lock(self, layout: Layout, want: Image) -> AbstractContextManager[object]:
        """The store's own lock."""
        return content.lock(layout)

    def observe(self, layout: Layout, want: Image) -> Image | None:
        """What the store has under the name. Of an image that is to go, any of its names counts."""
        tagged = tuple((each, content.find(layout, each)) for each in want.tags or ())
        found = content.find(layout, want.name)
        if found is not None and want.state == "absent" and want.force:
            tagged += tuple((each, found) for each in _names(layout, found))
        known = _known(layout, (want.name, *(each for each, _ in tagged)))
        if not known if want.state == "absent" else found is None:
            return None
        same = tuple(each for each, image in tagged if found and image and image.id == found.id)
        return replace(
            want,
            state="present",
            tags=same if want.tags is not None else None,
            id=found.id if found else None,
            manifest_digest=found.manifest_digest if found else None,
            registry_digest=found.registry_digest if found else None,
            stored=found,
            tagged=tagged,
            known=known,
        )

    def resolve(self, layout: Layout, want: Image, have: Image | None) -> Image:
        """Ask the source which image it is, if there is none yet or its policy says so."""
        if want.state == "absent":
            return want
        tagged = tuple((each, content.find(layout, each)) for each in want.tags or ())
        want = replace(want, tagged=tagged)
        if want.source == "pull":
            if want.path or want.changes:
                given = "path" if want.path else "changes"
                value = getattr(want, given)
                raise InvalidValue(given, value, "an image that is pulled has none", "set source, or leave it out")
            want = _pulled(layout, want, have)
        if want.source != "archive" and not want.remote_src:
            reason = "only an archive comes from the controller"
            raise InvalidValue("remote_src", False, reason, "set source to archive")
        if want.source == "pull" and not _moved(want):
            return want
        from .image_sources import resolve

        return resolve(layout, want) if want.source != "pull" else want

    def plan(self, layout: Layout, want: Image, have: Image | None) -> Plan:
        """Pull, load, make, name or remove. A run that does neither is spared the import of what can."""
        if want.state == "absent":
            return self._removal(layout, want, have) if have else Plan()
        moved = _moved(want)
        before = have.stored if have else None
        same = have is not None and have.id == want.id
        if same and not moved:
            return Plan()
        from ..image.pull import Prune, Pull

        steps: list[Step] = []
        if not same and want.source == "pull":
            steps.append(Pull(layout, want.name, want.manifest_digest or "", before, want.registry_digest or ""))
        if moved or want.source != "pull":
            from .image_sources import GiveName, source_step

            steps += [] if same or want.source == "pull" else [source_step(layout, want, before)]
            steps += [GiveName(layout, each, want.name, stood) for each, stood in moved]
        replaced = (before is not None and not same) or any(stood for _, stood in moved)
        return Plan(tuple(steps), (Prune(layout),) if replaced else ())

    def _removal(self, layout: Layout, want: Image, have: Image) -> Plan:
        from ..image.pull import Remove

        return Plan(purge=tuple(Remove(layout, each) for each in have.known))

    def facts(self, layout: Layout, have: Image | None) -> Mapping[str, Any]:
        """The image as ``docker image inspect`` shows it, or nothing."""
        return {"image": inspect(have.stored)} if have and have.stored else {}


def _moved(want: Image) -> list[tuple[Reference, StoredImage | None]]:
    """The further names that do not stand for the image yet, with what they stand for."""
    return [(each, image) for each, image in want.tagged if image is None or image.id != want.id]


def _known(layout: Layout, names: tuple[Reference, ...]) -> tuple[Reference, ...]:
    """Those of the names that the index has, whether their images are whole or not: a damaged one can be removed."""
    listed = {content.entry_name(each) for each in content.entries(layout)}
    return tuple(each for each in dict.fromkeys(names) if str(each) in listed)


def _names(layout: Layout, image: StoredImage) -> list[Reference]:
    """All references to an image, by whatever manifest."""
    return [parse_reference(name) for each in content.images(layout) if each.id == image.id for name in each.references]


def _pulled(layout: Layout, want: Image, have: Image | None) -> Image:
    """The image that is to be there by the policy; what the registry says is asked only where it matters."""
    asks = want.pull in ("always", "newer") or (want.force and want.pull != "never")
    if have is not None and not asks:
        return replace(want, **_digests(have))
    if want.pull == "never":
        reason = "it is not in the store, and pull is never"
        raise NotFound(f"use the image {want.name}", reason, "pull it before, or set pull to missing")
    from ..image.pull import is_current, resolve

    try:
        if have is not None and have.stored is not None and is_current(layout, have.name, have.stored):
            return replace(want, **_digests(have))
        remote = resolve(layout, want.name)
    except Failure:
        # What may be newer can't be told: what there is will do.
        if have is None or want.pull != "newer" or want.force:
            raise
        return replace(want, **_digests(have))
    if have is not None and have.id == remote.id:
        return replace(want, **_digests(have))
    return replace(want, id=remote.id, manifest_digest=remote.manifest_digest, registry_digest=remote.registry_digest)


def _digests(have: Image) -> dict[str, Any]:
    return {"id": have.id, "manifest_digest": have.manifest_digest, "registry_digest": have.registry_digest}


IMAGE = ImageResource()
