# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How overlayfs writes deletions in a layer (overlayfs.rst, "whiteouts and opaque directories")."""
from __future__ import annotations

import os
import stat

OPAQUE = "trusted.overlay.opaque"


def is_whiteout(there: os.stat_result) -> bool:
    """Whether a file is one by which overlayfs hides a name."""
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def is_opaque(folder: int | str) -> bool:
    """Whether a folder hides, in overlayfs, what lies below it."""
    try:
        return os.getxattr(folder, OPAQUE) == b"y"
    except OSError:
        return False


def mark_opaque(folder: int | str) -> None:
    """Let a folder hide what lies below it."""
    os.setxattr(folder, OPAQUE, b"y")


def shown(layers: tuple[str, ...]) -> tuple[str, ...]:
    """The layers, the uppermost first, down to one that hides all below it: in a root overlayfs does not heed that."""
    for count, each in enumerate(layers, 1):
        if is_opaque(each):
            return layers[:count]
    return layers
