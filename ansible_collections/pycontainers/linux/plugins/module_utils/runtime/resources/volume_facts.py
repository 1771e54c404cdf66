# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume as ``docker volume inspect`` shows it, in Docker's names where they mean the same."""
from __future__ import annotations

from typing import Any

from ..core.layout import Layout
from .volume_model import DATA, LOCAL, Volume


def document(layout: Layout, volume: Volume) -> dict[str, Any]:
    """Docker's document of a volume."""
    return {
        "Name": volume.name,
        "Driver": volume.driver or LOCAL,
        "Mountpoint": layout.volume(volume.name, DATA),
        "CreatedAt": volume.created or "",
        "Labels": dict(volume.labels or ()),
        "Options": dict(volume.driver_options or ()),
        "Scope": "local",
        "Anonymous": volume.anonymous is not None,
    }
