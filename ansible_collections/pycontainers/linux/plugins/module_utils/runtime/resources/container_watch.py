# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody waits for the end of a container that runs, and having somebody wait again."""
from __future__ import annotations

from ..core.layout import Layout
from ..lean.dataclasses import dataclass
from ..oci import lifecycle
from .container_model import Container
from .container_words import short

THERE, LOST = "there", "lost"
"""What the row ``waiter`` of a container that runs says."""


def observe(layout: Layout, identity: str) -> str:
    """Whether its waiter is there."""
    return THERE if lifecycle.waiter(layout, identity) else LOST


@dataclass(frozen=True)
class StandIn:
    """The step that has a waiter again for a container whose own was killed: its end would be seen by nobody."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container."""
        return f"wait for the end of container {short(self.container)}"

    def do(self) -> None:
        """Start the stand-in."""
        lifecycle.stand_in(self.layout, self.container.id or "")

    def undo(self) -> None:
        """End it."""
        lifecycle.end_stand_in(self.layout, self.container.id or "")
