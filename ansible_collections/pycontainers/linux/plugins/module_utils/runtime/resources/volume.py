# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``volume``: a folder of the host that containers share and that outlives them, or what is mounted in it."""
from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..core.layout import Layout
from ..core.model import diff
from ..core.plan import Plan
from ..errors import Failure
from ..lean.dataclasses import replace
from . import container_state, volume_facts, volume_model
from .volume_model import DATA, LOCAL, MISSING, THERE, Volume


class VolumeResource:
    """Volumes of one host."""

    model = Volume

    def lock(self, layout: Layout, want: Volume) -> AbstractContextManager[object]:
        """A lock per name."""
        return volume_model.lock(layout, want.name)

    def observe(self, layout: Layout, want: Volume) -> Volume | None:
        """The record, and whether the folder is there."""
        known = volume_model.load(layout, want.name)
        if known is None:
            return None
        there = os.path.isdir(layout.volume(want.name, DATA))
        return replace(known, folder=THERE if there else MISSING)

    def resolve(self, layout: Layout, want: Volume, have: Volume | None) -> Volume:
        """Fill in what was left out from the record; refuse what containers hinder."""
        if want.state == "absent":
            if have is not None:
                _refuse_used(layout, want.name)
            return want
        if have is None:
            created = container_state.timestamp(time.time())
            full = replace(want, created=created, driver_options=want.driver_options or (), labels=want.labels or ())
            return replace(full, driver=LOCAL)
        kept = {name: getattr(have, name) for name in ("driver", "driver_options", "labels", "created", "anonymous")}
        kept = {name: value for name, value in kept.items() if getattr(want, name) is None}
        full = replace(want, **kept, content=have.content, folder=THERE)
        if full.driver_options != have.driver_options:
            _refuse_mounted(layout, want.name)
            # What is mounted from now on is something else, with a first use of its own.
            full = replace(full, content=None)
        return full

    def plan(self, layout: Layout, want: Volume, have: Volume | None) -> Plan:
        """The one step, if there is anything to do."""
        from .volume_steps import ChangeVolume, MakeVolume, RemoveVolume

        if want.state == "absent":
            return Plan(purge=(RemoveVolume(layout, want.name),)) if have else Plan()
        if have is None:
            return Plan((MakeVolume(layout, want, locked=True),))
        return Plan((ChangeVolume(layout, want, have),)) if diff(want, have) else Plan()

    def facts(self, layout: Layout, have: Volume | None) -> Mapping[str, Any]:
        """Return the volume in the shape of ``docker volume inspect``; empty if there is none."""
        return {"volume": volume_facts.document(layout, have) if have else {}}


def _refuse_used(layout: Layout, name: str) -> None:
    from .volume_users import users

    using = sorted(users(layout).get(name, {}).values())
    if using:
        fix = "remove them first, or leave the volume"
        raise Failure(f"remove the volume {name}", f"containers use it: {', '.join(using)}", fix)


def _refuse_mounted(layout: Layout, name: str) -> None:
    from .volume_users import users

    holders, using = volume_model.holders(layout, name), users(layout).get(name, {})
    running = sorted(using.get(each, each[:12]) for each in holders)
    if running:
        reason = f"what is in it is mounted for containers: {', '.join(running)}"
        raise Failure(f"change driver_options of the volume {name}", reason, "stop them first")


VOLUME = VolumeResource()
