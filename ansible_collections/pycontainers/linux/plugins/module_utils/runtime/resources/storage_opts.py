# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container may write to its own layer: the option ``storage_opts``, and the layer that it is about.

The layer is held to its size as that of any overlay is, see :mod:`.rootfs_size`. An image comes beneath it only where
it is new: so a container that has written without a size, on a filesystem without quotas, is made anew for one.
"""
from __future__ import annotations

import os
from typing import Any

from ..core.kinds import UNLIMITED, mapping
from ..core.layout import Layout
from ..core.model import Kind
from ..errors import InvalidValue
from . import rootfs_size
from .rootfs_size import IMAGE, INODES, SIZE, Room

KINDS = {"inodes": INODES, "size": SIZE}

Options = tuple[tuple[str, int], ...]


def storage_opts(value: Any) -> Options:
    """Limits by name, sorted; one that is none is left out."""
    value = mapping(value)
    found = []
    for name, said in value.items():
        if name not in KINDS:
            raise ValueError(f"{name!r} is not known; {' and '.join(KINDS)} are")
        found.append((name, KINDS[name].parse(said)))
    return tuple(sorted((name, limit) for name, limit in found if limit != UNLIMITED))


STORAGE_OPTS = Kind("storage_opts", {"type": "dict"}, storage_opts, dict)


def of_room(room: Room | None) -> Options:
    """What a layer may take as the option's value."""
    limits = {"inodes": room.inodes, "size": room.size} if room else {}
    return tuple((name, limit) for name, limit in limits.items() if limit != UNLIMITED)


def to_room(options: Options | None, by: str) -> Room | None:
    """The option's value as what the layer may take; None if it has no limit."""
    limits = dict(options or ())
    return Room(by, limits.get("size", UNLIMITED), limits.get("inodes", UNLIMITED)) if limits else None


def layer(layout: Layout, identity: str) -> tuple[str, str]:
    """The upper and work directories of a container, before an image comes beneath them."""
    return layout.container(identity, "upper"), layout.container(identity, "work")


def has_image(layout: Layout, identity: str) -> bool:
    """Whether a container's layer is in an image."""
    return os.path.exists(rootfs_size.image(layer(layout, identity)[0]))


def takes_image(layout: Layout, identity: str, options: Options | None, has: bool) -> bool | None:
    """Whether the layer of a container that is there is to be in an image; None if that makes no difference."""
    upper = layer(layout, identity)[0]
    if not os.path.isdir(upper):
        return None
    return bool(options) and (has or rootfs_size.means(upper) == IMAGE)


def target(layout: Layout, identity: str, options: Options | None) -> tuple[Room | None, Room | None]:
    """What the layer of a container is to take, and what it may take now.

    Raises :class:`InvalidValue` for what the host can't hold it to.
    """
    upper, limits = layer(layout, identity)[0], dict(options or ())
    have = rootfs_size.observe(upper)
    if have is not None and have.by == IMAGE and not limits:
        return have, have
    try:
        wanted = rootfs_size.target(upper, limits.get("size", UNLIMITED), limits.get("inodes", UNLIMITED), have)
        return wanted, have
    except InvalidValue as error:
        raise InvalidValue(f"storage_opts.{error.option}", error.value, error.reason, error.fix) from None
