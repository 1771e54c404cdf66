# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``volume_info``: what there is to know of volumes, which containers use them, and what they take on the disk."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.kinds import BOOL, TEXTS
from ..core.layout import Layout
from ..core.model import option
from ..core.question import Question
from ..image.room import size_of
from ..lean.dataclasses import dataclass
from . import volume_facts, volume_model
from .volume_users import users


@dataclass(frozen=True, kw_only=True)
class VolumeInfo:
    """The rows of a question. ``name`` are volumes; left out, all are meant. ``size`` asks what they take."""

    name: tuple[str, ...] | None = option(TEXTS, request=True)
    size: bool = option(BOOL, default=False, request=True)
    state: str = "present"


class VolumeInfoResource(Question[VolumeInfo]):
    """The volumes of one host."""

    model = VolumeInfo

    def facts(self, layout: Layout, have: VolumeInfo | None) -> Mapping[str, Any]:
        """The volumes that there are of those asked for, by name."""
        asked = None if have is None else have.name
        found = [each for each in volume_model.names(layout) if asked is None or each in asked]
        return {"volumes": documents(layout, found, bool(have and have.size))}


def documents(layout: Layout, names: list[str], size: bool = False) -> list[dict[str, Any]]:
    """Volumes as Docker shows them, with the containers that use them, and if that is wanted their size in bytes."""
    using, found = users(layout), []
    for name in names:
        known = volume_model.load(layout, name)
        if known is None:
            continue
        document = volume_facts.document(layout, known)
        document["Containers"] = {identity: {"Name": title} for identity, title in using.get(name, {}).items()}
        if size:
            taken = size_of([str(document["Mountpoint"])])
            document["UsageData"] = {"Size": taken, "RefCount": len(document["Containers"])}
        found.append(document)
    return found


VOLUME_INFO = VolumeInfoResource()
