# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as they are named at a command line: by reference, by id, or by the beginning of an id."""
from __future__ import annotations

import re

from ..core import ids
from ..core.layout import Layout
from ..errors import Failure, InvalidValue, NotFound
from ..image import content
from ..image.content import StoredImage
from ..image.reference import Reference, parse_reference

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})", re.ASCII)


def reference(said: str) -> Reference:
    """A reference. Raises :class:`InvalidValue`."""
    try:
        return parse_reference(said)
    except ValueError as error:
        raise InvalidValue("IMAGE", said, str(error)) from error


def image(layout: Layout, said: str) -> StoredImage:
    """The image of a reference, or of an id or its beginning. Raises :class:`NotFound`."""
    name: Reference | None
    try:
        name = parse_reference(said)
    except ValueError as error:
        if not _ID.fullmatch(said):
            raise InvalidValue("IMAGE", said, str(error)) from error
        name = None
    found = content.find(layout, name) if name else None
    if found is not None:
        # With all its names, not only those of the same manifest.
        return next((each for each in content.images(layout) if each.id == found.id), found)
    match = _ID.fullmatch(said)
    said_id = match[1] if match else ""
    matching = [each for each in content.images(layout) if ids.begins(each.id.removeprefix("sha256:"), said_id)]
    if len(matching) > 1:
        raise Failure(f"find image {said}", f"{len(matching)} ids begin so", "give more of the id, or the name")
    if not matching:
        raise NotFound(f"find image {said}", ids.none_of(said_id or said), "see pycontainers images")
    return matching[0]
