# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of an archive of images, in the form of the whole: its documents, and such layers as somebody lacks."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable
from typing import IO, Any

from ..module_utils.runtime.errors import Failure
from ..module_utils.runtime.image.archive import Archive, blob_name
from ..module_utils.runtime.image.reference import is_digest

MOST_DOCUMENTS = 10_000


def documents(archive: Archive) -> list[str]:
    """The files that say what is in an archive: indexes, manifests and configurations, of all platforms.

    What can't be understood is passed over: whoever gets the part will tell of it.
    """
    found: dict[str, None] = {}
    for name in ("oci-layout", "index.json") if archive.is_layout else ("manifest.json",):
        found[name] = None
    ahead = [_read(archive, "index.json" if archive.is_layout else "manifest.json")]
    while ahead and len(found) < MOST_DOCUMENTS:
        said = ahead.pop()
        for name in _named(said):
            if name not in found and archive.size(name) is not None:
                found[name] = None
                ahead.append(_read(archive, name))
    return list(found)


def _named(said: Any) -> list[str]:
    """The documents that a document names; layers are none."""
    if isinstance(said, list):  # what Docker saves
        return [each["Config"] for each in said if isinstance(each, dict) and isinstance(each.get("Config"), str)]
    if not isinstance(said, dict):
        return []
    listed = said.get("manifests")
    pointed = [*(listed if isinstance(listed, list) else ()), said.get("config")]
    digests = [each.get("digest") for each in pointed if isinstance(each, dict)]
    return [blob_name(each) for each in digests if isinstance(each, str) and is_digest(each)]


def _read(archive: Archive, name: str) -> Any:
    try:
        return json.loads(archive.document(name))
    except (ValueError, RecursionError, Failure):
        return None


def write(archive: Archive, names: Iterable[str], file: IO[bytes]) -> None:
    """Write files of an archive as tar. Raises :class:`Failure` for one that is not there."""
    for name in names:
        size = archive.size(name)
        if size is None:
            raise Failure(archive.operation, f"it lacks {name!r}", "save it anew")
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o644
        file.write(member.tobuf(tarfile.PAX_FORMAT))
        for piece in archive.pieces(name):
            file.write(piece)
        file.write(bytes(-size % tarfile.BLOCKSIZE))
    file.write(bytes(2 * tarfile.BLOCKSIZE))
