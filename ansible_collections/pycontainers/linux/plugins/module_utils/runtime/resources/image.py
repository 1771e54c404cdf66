# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that is to be on the host, or not."""
from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from ..core.kinds import TEXT
from ..core.layout import Layout
from ..core.model import Effect, option
from ..core.plan import Plan
from ..errors import NotFound
from ..image import content
from ..image.content import StoredImage
from ..image.reference import REFERENCE, Reference, parse_reference


@dataclass(frozen=True, kw_only=True)
class Image:
    """The rows of an image. ``id`` is its configuration's digest; the others say where its parts come from.

    ``stored`` is what the store has under the name.
    """

    name: Reference = option(REFERENCE, required=True)
    state: str = option(TEXT, default="present", choices=("absent", "present"))
    pull: str = option(TEXT, default="missing", choices=("always", "missing", "never"), request=True)
    id: str | None = option(TEXT, Effect.RECREATE, internal=True)
    manifest_digest: str | None = option(TEXT, internal=True)
    registry_digest: str | None = option(TEXT, internal=True)
    stored: StoredImage | None = None


class ImageResource:
    """Images of one host's store."""

    model = Image

    def lock(self, layout: Layout, want: Image) -> AbstractContextManager[object]:
        """The store's own lock."""
        return content.lock(layout)

    def observe(self, layout: Layout, want: Image) -> Image | None:
        """What the store has under the name."""
        found = content.find(layout, want.name)
        if found is None:
            return None
        return replace(
            want,
            state="present",
            id=found.id,
            manifest_digest=found.manifest_digest,
            registry_digest=found.registry_digest,
            stored=found,
        )

    def resolve(self, layout: Layout, want: Image, have: Image | None) -> Image:
        """Ask the registry which image it is, if there is none yet or ``pull`` is ``always``."""
        if want.state == "absent":
            return want
        if have is not None and (want.pull != "always" or _is_current(layout, have)):
            return replace(want, **_digests(have))
        if want.pull == "never":
            reason = "it is not in the store, and pull is never"
            raise NotFound(f"use the image {want.name}", reason, "pull it before, or set pull to missing")
        from ..image.pull import resolve

        remote = resolve(layout, want.name)
        if have is not None and have.id == remote.id:
            return replace(want, **_digests(have))
        return replace(
            want, id=remote.id, manifest_digest=remote.manifest_digest, registry_digest=remote.registry_digest
        )

    def plan(self, layout: Layout, want: Image, have: Image | None) -> Plan:
        """Pull or remove. A run that does neither is spared the import of what can."""
        if have is None if want.state == "absent" else have is not None and have.id == want.id:
            return Plan()
        from ..image.pull import Prune, Pull, Remove

        if want.state == "absent":
            return Plan(purge=(Remove(layout, want.name),))
        before = have.stored if have else None
        pull = Pull(layout, want.name, want.manifest_digest or "", before, want.registry_digest or "")
        return Plan((pull,), (Prune(layout),) if before else ())

    def facts(self, layout: Layout, have: Image | None) -> Mapping[str, Any]:
        """The image as ``docker image inspect`` shows it, or nothing."""
        return {"image": inspect(have.stored)} if have and have.stored else {}


def inspect(image: StoredImage) -> dict[str, Any]:
    """What Docker shows of an image (its API, "Inspect an image"). Size is that of the layers as pulled."""
    references = [parse_reference(each) for each in image.references]
    return {
        "Id": image.id,
        "RepoTags": [f"{each.name}:{each.tag}" for each in references if each.tag],
        "RepoDigests": list(image.digests),
        "Architecture": image.architecture,
        "Os": image.os,
        "Size": image.size,
        "Created": image.created,
        "Config": dict(image.config),
        "RootFS": {"Type": "layers", "Layers": list(image.diff_ids)},
    }


def _is_current(layout: Layout, have: Image) -> bool:
    from ..image.pull import is_current

    return have.stored is not None and is_current(layout, have.name, have.stored)


def _digests(have: Image) -> dict[str, Any]:
    return {"id": have.id, "manifest_digest": have.manifest_digest, "registry_digest": have.registry_digest}


IMAGE = ImageResource()
