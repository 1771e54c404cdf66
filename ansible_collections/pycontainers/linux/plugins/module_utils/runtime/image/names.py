# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the name of a member of a layer's archive means: a place in the layer, or a deletion from the layers below."""
from __future__ import annotations

import os

from .tar import shown

Parts = tuple[str, ...]

DEEPEST = 255
"""Folders within each other; each takes a descriptor. A path of Linux holds 2047 at most."""

LONGEST = 4095
"""Bytes of a path, PATH_MAX of limits.h without its NUL: what is below a longer one no program can name."""

WHITEOUT, OPAQUE, META = ".wh.", ".wh..wh..opq", ".wh..wh."


def parts_of(name: str) -> Parts:
    """The names on a member's path, taken from the layer's root whether or not it starts with a slash.

    Raises ``ValueError`` for ``..``, which no builder of images writes, and for a path too deep to be honest.
    """
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise ValueError(f"{shown(name)} leads out of a folder by '..'")
    if len(parts) > DEEPEST:
        raise ValueError(f"{shown(name)} is more than {DEEPEST} folders deep")
    if len(name) > LONGEST and sum(len(os.fsencode(part)) + 1 for part in parts) > LONGEST:
        raise ValueError(f"{shown(name)} is a path of more than {LONGEST} bytes")
    return parts


def hidden_by(parts: Parts) -> str | None:
    """What a member's path says is deleted from the layers below: a name, everything (""), or None.

    Raises ``ValueError`` for a whiteout that hides nothing, and for something within one.
    """
    for part in parts[:-1]:
        if part.startswith(WHITEOUT):
            raise ValueError(f"{shown('/'.join(parts))} is within {part!r}, which is a whiteout")
    last = parts[-1]
    if not last.startswith(WHITEOUT):
        return None
    if last == OPAQUE:
        return ""
    hidden = last.removeprefix(WHITEOUT)
    if hidden in ("", ".", ".."):
        raise ValueError(f"the whiteout {shown('/'.join(parts))} hides no file")
    return hidden


def is_of_aufs(parts: Parts) -> bool:
    """Whether a member is one of aufs's own, which mean nothing to others (Docker passes over them, too)."""
    return any(part.startswith(META) and part != OPAQUE for part in parts)
