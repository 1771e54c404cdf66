# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that are held still, and let go on."""
from __future__ import annotations

from ..core.layout import Layout
from ..lean.dataclasses import dataclass
from . import journal
from .container_model import Container
from .container_state import cgroup
from .limit_steps import SetPaused
from .limits import Limits


@dataclass(frozen=True)
class Pause(SetPaused):
    """The step that holds all processes of a container still, or lets them go on."""

    layout: Layout
    container: Container

    def set(self, paused: bool) -> None:
        """Do so, and keep that it is so in the journal."""
        super().set(paused)
        journal.note(self.layout, self.container, "pause" if paused else "unpause")


def pause_steps(layout: Layout, container: Container, want: Limits, paused: bool | None) -> tuple[Pause, ...]:
    """Hold a container still, or let it go on, if that is wanted and not so."""
    if want.paused in (None, bool(paused)):
        return ()
    return (Pause(cgroup(container), bool(want.paused), layout, container),)
