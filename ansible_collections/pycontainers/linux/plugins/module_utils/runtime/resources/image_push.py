# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image of the host's store that is to be in a registry."""
from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from ..core.kinds import TEXT
from ..core.layout import Layout
from ..core.model import Kind, option
from ..core.plan import Plan, Step
from ..errors import Failure, NotFound
from ..image.reference import REFERENCE, Reference, is_digest
from ..lean.dataclasses import dataclass, replace

if TYPE_CHECKING:
    from ..image.pull import Progress
    from ..image.push import Parcel
    from ..image.upload import Destination


def digest(value: Any) -> str:
    """A digest, in lower case as registries write it."""
    if not isinstance(value, str) or not is_digest(value):
        raise ValueError("it is not sha256: and 64 of 0-9a-f")
    return value


DIGEST = Kind("digest", {"type": "str"}, digest)


@dataclass(frozen=True)
class Way:
    """From the store to a registry: what goes, and where to.

    ``missing`` is what the registry lacks of it, by digest, with the repositories that may have it; None if it was
    not asked.
    """

    parcel: Parcel
    destination: Destination
    missing: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, kw_only=True)
class ImagePush:
    """The rows of a push. ``digest`` is what the destination leads to; ``way`` is how it comes to do so."""

    name: Reference = option(REFERENCE, required=True)
    destination: Reference | None = option(REFERENCE)
    state: str = option(TEXT, default="present", choices=("present",), internal=True)
    digest: str | None = option(DIGEST)
    way: Way | None = None


@dataclass(frozen=True)
class ImagePushResource:
    """Images in registries. ``progress`` is told of each step when it begins."""

    progress: Progress | None = None
    model = ImagePush

    def lock(self, layout: Layout, want: ImagePush) -> AbstractContextManager[object]:
        """None: the store is only read, blobs never change, and nobody can lock a registry."""
        return nullcontext()

    def observe(self, layout: Layout, want: ImagePush) -> ImagePush:
        """What the destination leads to now. Raises :class:`NotFound` if there is no image to push."""
        from ..image.push import parcel
        from ..image.upload import Destination

        to = want.destination or want.name
        operation = f"push {want.name}" + (f" to {to}" if to != want.name else "")
        found = parcel(layout, want.name, operation)
        if found is None:
            raise NotFound(operation, "it is not in the store", "see pycontainers images for what is, or pull it")
        if {to.digest or found.digest, want.digest or found.digest} != {found.digest}:
            wanted = want.digest or to.digest
            raise Failure(operation, f"the store has {found.digest} of that name, and {wanted} is asked for", _OTHER)
        way = Way(found, Destination(layout, to, operation))
        return replace(want, destination=to, digest=way.destination.named() or None, way=way)

    def resolve(self, layout: Layout, want: ImagePush, have: ImagePush | None) -> ImagePush:
        """Ask the registry what it lacks of the image, if it is not there already; refuse what the store lacks too.

        An index that the image was pulled by leads to it: no push takes the other platforms away from a name.
        """
        if have is None or have.way is None:
            return want
        parts, to = have.way.parcel, have.way.destination
        if have.digest == parts.digest or (have.digest == parts.pulled and want.digest is None):
            return replace(want, destination=have.destination, digest=have.digest, way=have.way)
        want = replace(want, destination=have.destination, digest=parts.digest, way=have.way)
        from ..image.push import check_blob, neighbours

        for digest in parts.elsewhere:
            if not to.has("manifests", digest):
                reason = f"its index leads to {digest}, which neither the store nor the registry has"
                raise Failure(to.operation, reason, "pull its image for one platform and push that")
        blobs = tuple(each for each in parts.blobs if not to.has("blobs", each.digest))
        for blob in blobs:
            check_blob(layout, blob, to.operation)
        manifests = [each.digest for each in parts.documents[:-1] if not to.has("manifests", each.digest)]
        missing = {**dict.fromkeys(manifests, ()), **neighbours(layout, to.reference, blobs)}
        return replace(want, way=replace(have.way, missing=missing))

    def plan(self, layout: Layout, want: ImagePush, have: ImagePush | None) -> Plan:
        """Blobs, then manifests, then the name. Published is published: that is the plan's purge."""
        way = want.way
        if way is None or way.missing is None:
            return Plan()
        from ..image.push import PutBlob, PutManifest

        to, missing = way.destination, way.missing
        blobs = (each for each in way.parcel.blobs if each.digest in missing)
        steps: list[Step] = [PutBlob(layout, to, each, missing[each.digest], self.progress) for each in blobs]
        *children, top = way.parcel.documents
        puts = [PutManifest(to, each, each.digest, self.progress) for each in children if each.digest in missing]
        return Plan(tuple(steps), (*puts, PutManifest(to, top, to.reference.target, self.progress)))

    def facts(self, layout: Layout, have: ImagePush | None) -> Mapping[str, Any]:
        """Where the image is, and what it is called there."""
        if have is None:
            return {}
        return {"image_push": {"destination": str(have.destination), "digest": have.digest}}


_OTHER = "leave the digest out, or pull or build that image"

IMAGE_PUSH = ImagePushResource()
