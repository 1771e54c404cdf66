# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step that removes what a killed run has left of a container."""
from __future__ import annotations

from ..core import store
from ..core.layout import Layout
from ..image import content
from ..lean.dataclasses import dataclass, replace
from . import container_bare, container_observed, container_state, container_volumes
from .container_folder import RemoveFolder
from .container_model import Container
from .container_steps import end_steps, purge_steps
from .container_volume_steps import RemoveAnonymous


@dataclass(frozen=True)
class RemoveLeftover:
    """The step that removes a container that a killed run has begun, or not finished removing. It can't be undone.

    ``keep_volumes`` is what is asked for of its volumes without a name.
    """

    layout: Layout
    identity: str
    name: str
    keep_volumes: bool = True

    def describe(self) -> str:
        """Which container."""
        return f"remove unfinished container {self.identity[:12]}"

    def do(self) -> None:
        """End what runs of it and take away what is there of it; not if it has become one of another name."""
        with content.lock(self.layout):
            # Under this lock folders get their records, so one without is nobody's that is still to come.
            container = _recorded(self.layout, self.identity)
            if container is None:
                RemoveFolder(self.layout, Container(name=self.name, id=self.identity)).do()
        if container is None or container.name != self.name:
            return
        container = container_observed.observed(self.layout, container)
        volumes = container_volumes.anonymous(container, container_volumes.image_config(self.layout, container))
        gone = [] if self.keep_volumes else [RemoveAnonymous(self.layout, container, tuple(volumes.values()))]
        for step in [*end_steps(self.layout, container), *gone, *purge_steps(self.layout, container)]:
            step.do()

    def undo(self) -> None:
        """It was nobody's: nothing to bring back."""


def _recorded(layout: Layout, identity: str) -> Container | None:
    """The container of a record, also of another version's; None where there is none."""
    known = store.read_json(container_state.record_path(layout, identity))
    return replace(container_bare.load(layout, identity), name=str(known.get("name"))) if known else None
