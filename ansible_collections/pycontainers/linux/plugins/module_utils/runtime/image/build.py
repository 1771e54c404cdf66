# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of directories: one of a directory alone, and one of a directory on top of another image."""
from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..lean.dataclasses import dataclass
from . import content
from . import manifest as documents
from .content import StoredImage
from .keep import keeping, layer_type, manifest_of, pieces_of
from .layer import decompressed
from .pack import Packing
from .reference import Reference

GZIPPED = "application/vnd.oci.image.layer.v1.tar+gzip"
LEVEL = 6


@dataclass(frozen=True)
class Recipe:
    """An image to be: its one new layer by its diff id, and what its configuration says."""

    diff_id: str
    config: bytes

    @property
    def id(self) -> str:
        """The digest of the configuration."""
        return f"sha256:{hashlib.sha256(self.config).hexdigest()}"


def recipe_of_tree(path: str, config: Mapping[str, Any], comment: str = "") -> Recipe:
    """The image of one layer that holds a directory. Reads all of it. Raises :class:`Failure`.

    It was created when the latest file was changed, so the same directory is the same image.
    """
    packing = Packing(path)
    diff_id = _digest(packing, path)
    return _recipe({}, diff_id, config, _time(packing.newest), "pycontainers import", comment)


def recipe_of_changes(
    upper: str, base: Mapping[str, Any], config: Mapping[str, Any], by: str, comment: str, author: str
) -> Recipe:
    """The image of an overlay's upper directory on top of an image's configuration. Raises :class:`Failure`."""
    packing = Packing(upper, overlay=True)
    diff_id = _digest(packing, upper)
    return _recipe(base, diff_id, config, _time(packing.newest), by, comment, author)


def _recipe(
    base: Mapping[str, Any],
    diff_id: str,
    config: Mapping[str, Any],
    created: str,
    by: str,
    comment: str,
    author: str = "",
) -> Recipe:
    step = {"created": created, "created_by": by, "comment": comment, "author": author}
    below = content.diff_ids_of(base) if base else ()
    document = {
        "os": "linux",
        "architecture": documents.machine()[0],
        **{key: value for key, value in base.items() if key in ("os", "architecture", "variant", "os.version")},
        "created": created,
        **({"author": author} if author else {}),
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [*below, diff_id]},
        "history": [*(base.get("history") or ()), {key: value for key, value in step.items() if value}],
    }
    return Recipe(diff_id, store.encode(document))


def _time(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _digest(packing: Packing, path: str) -> str:
    hashed = hashlib.sha256()
    try:
        for piece in packing.pieces():
            hashed.update(piece)
    except (OSError, ValueError) as error:
        raise Failure(f"make a layer of {path}", error) from error
    return f"sha256:{hashed.hexdigest()}"


def build(
    layout: Layout, recipe: Recipe, packing: Packing, base: StoredImage | None, names: Sequence[Reference]
) -> None:
    """Bring the image of a recipe into the store, and let references name it.

    Raises :class:`Failure`, also if the directory is not any more what the recipe was made of; the store is then
    as it was.
    """
    operation = f"make the image {names[0]} of {packing.root}"
    with keeping(layout, operation) as keeper:
        below, layers = layers_below(layout, base, operation)
        try:
            digest, size = keeper.blob(_gzipped(packing.pieces()))
        except ValueError as error:
            raise Failure(operation, error) from error
        try:
            keeper.layer(digest, recipe.diff_id, below)
        except Failure as failure:
            fix = "try again when nothing is written there"
            raise Failure(operation, f"it was changed meanwhile ({failure.reason})", fix) from failure
        keeper.document(recipe.config)
        manifest = manifest_of(recipe.config, [*layers, (GZIPPED, digest, size)])
        keeper.name(names, manifest, content.MANIFESTS[0])


def layers_below(
    layout: Layout, base: StoredImage | None, operation: str
) -> tuple[tuple[str, ...], list[tuple[str, str, int]]]:
    """The layers to build on: their diff ids, and their blobs as a manifest has them.

    Raises :class:`Failure` if the store may have lost them. They stay as long as its lock is held.
    """
    if base is None:
        return (), []
    manifest = store.read_json(content.blob(layout, base.manifest_digest)) if base.manifest_digest else None
    if manifest is None:
        reason = "the image that it stands on has no name any more, and its layers' blobs may be gone"
        raise Failure(operation, reason, "pull or load that image again")
    return base.diff_ids, [(each["mediaType"], each["digest"], each["size"]) for each in manifest["layers"]]


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Compressed content without a name or time in its header."""
    gzip = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)
    for piece in pieces:
        if compressed := gzip.compress(piece):
            yield compressed
    yield gzip.flush()


def base_config(layout: Layout, image: StoredImage) -> dict[str, Any]:
    """The whole configuration of a stored image. Raises :class:`Failure`."""
    found = store.read_json(content.blob(layout, image.id))
    if found is None:
        raise Failure(f"read the configuration of {image.id}", "it is not in the store", "pull the image again")
    return found


def import_archive(
    layout: Layout, path: str, config: Mapping[str, Any], names: Sequence[Reference], comment: str
) -> Recipe:
    """Make an image of a root filesystem's archive, compressed or not; the archive is its one layer as it is.

    Raises :class:`Failure`; the store is then as it was.
    """
    operation = f"import {path}"
    with keeping(layout, operation) as keeper:
        digest, size = keeper.blob(pieces_of(path))
        hashed = hashlib.sha256()
        try:
            with open(content.blob(layout, digest), "rb") as file:
                for piece in decompressed(file):
                    hashed.update(piece)
        except ValueError as error:
            raise Failure(operation, error, "give a tar, compressed or not") from error
        diff_id = f"sha256:{hashed.hexdigest()}"
        recipe = _recipe({}, diff_id, config, _time(int(time.time())), "pycontainers import", comment)
        keeper.layer(digest, diff_id, ())
        keeper.document(recipe.config)
        layers = [(layer_type(layout, digest), digest, size)]
        keeper.name(names, manifest_of(recipe.config, layers), content.MANIFESTS[0])
    return recipe
