# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether unpacked layers are still what their blobs hold: each is unpacked once more beside, and compared.

That costs the time of unpacking all, and the room of the largest layer.
"""
from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from . import content
from .check import PULL, Finding
from .content import ASIDE, StoredImage
from .layer import PIECE, unpack


def check_layers(layout: Layout) -> Iterator[Finding]:
    """Layers that differ from their blobs, each with the first file that does. Takes the lock of the store."""
    done: set[str] = set()
    with content.lock(layout):
        for image in content.images(layout):
            for number, (diff_id, blob) in enumerate(_layers(layout, image)):
                if diff_id not in done and os.path.exists(blob):
                    done.add(diff_id)
                    yield from _compared(layout, image, number, diff_id, blob)


def _layers(layout: Layout, image: StoredImage) -> list[tuple[str, str]]:
    """The diff id and the blob of each layer of an image, the lowest first."""
    manifest = store.read_json(content.blob(layout, image.manifest_digest)) or {}
    blobs = [content.blob(layout, each["digest"]) for each in manifest.get("layers", ())]
    return list(zip(image.diff_ids, blobs, strict=False))


def _compared(layout: Layout, image: StoredImage, number: int, diff_id: str, blob: str) -> Iterator[Finding]:
    # What a kill leaves here the next pull removes.
    scratch = Layout(f"{layout.layer('')}check{ASIDE}", layout.run)
    content.discard(scratch.root)
    os.makedirs(scratch.layer(""), mode=0o700)
    try:
        below = tuple(layout.layer(each) for each in reversed(image.diff_ids[:number]))
        unpack(scratch, blob, diff_id, below)
        path = difference(scratch.layer(diff_id), layout.layer(diff_id))
        if path is not None:
            reason = f"{path or '/'} is not as in its blob: it was changed since it was unpacked"
            yield Finding(layout.layer(diff_id), reason, PULL)
    except (ValueError, OSError, Failure) as error:
        yield Finding(blob, f"it can't be unpacked to compare it ({error})", PULL)
    finally:
        content.discard(scratch.root)


def difference(one: str, other: str, path: str = "") -> str | None:
    """The first path, below both directories, at which they differ; None if they are the same."""
    if _described(one) != _described(other):
        return path
    if stat.S_ISDIR(os.lstat(one).st_mode):
        names, others = sorted(os.listdir(one)), sorted(os.listdir(other))
        if names != others:
            return f"{path}/{sorted(set(names) ^ set(others))[0]}"
        for name in names:
            found = difference(f"{one}/{name}", f"{other}/{name}", f"{path}/{name}")
            if found is not None:
                return found
    return None if not stat.S_ISREG(os.lstat(one).st_mode) or _same_content(one, other) else path


def _described(path: str) -> tuple[object, ...]:
    """What of a file is the layer's."""
    there = os.lstat(path)
    is_folder, is_link = stat.S_ISDIR(there.st_mode), stat.S_ISLNK(there.st_mode)
    # A folder that an archive only implies, and a deletion, have the time at which they were unpacked.
    is_timeless = is_folder or (stat.S_ISCHR(there.st_mode) and there.st_rdev == 0)
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return (
        there.st_mode,
        there.st_uid,
        there.st_gid,
        there.st_rdev,
        None if is_timeless else there.st_mtime_ns,
        None if is_folder else there.st_size,
        os.readlink(path) if is_link else "",
        [(name, os.getxattr(path, name, follow_symlinks=False)) for name in names if not name.startswith("security.s")],
    )


def _same_content(one: str, other: str) -> bool:
    with open(one, "rb") as first, open(other, "rb") as second:
        while piece := first.read(PIECE):
            if piece != second.read(PIECE):
                return False
    return True
