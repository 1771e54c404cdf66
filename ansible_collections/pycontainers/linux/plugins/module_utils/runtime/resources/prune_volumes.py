# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``prune`` does about volumes: which ones are of no use, and the step that removes one."""
from __future__ import annotations

from ..core.layout import Layout
from ..errors import Failure
from ..lean.dataclasses import dataclass
from . import volume_model, volume_steps
from .prune_filters import Filters, chooser, moment, named_too
from .volume_users import users


def unused(layout: Layout, filters: Filters, gone: frozenset[str], now: float) -> tuple[str, ...]:
    """The volumes that no container uses which stays, and that the filters choose: those without a name, unless all."""
    using = users(layout, gone)
    chosen, every = chooser(tuple(each for each in filters if each[0] != "all"), now), named_too(filters)
    found = (volume_model.load(layout, each) for each in volume_model.names(layout) if each not in using)
    return tuple(
        each.name
        for each in found
        if each
        and (every or each.anonymous is not None)
        and chosen(moment(each.created or ""), dict(each.labels or ()))
    )


@dataclass(frozen=True)
class RemoveUnused:
    """The step that removes a volume that no container uses. There is no way back."""

    layout: Layout
    name: str

    def describe(self) -> str:
        """Which volume."""
        return f"remove volume {self.name}"

    def do(self) -> None:
        """Remove it, unless a container has come to use it meanwhile."""
        with volume_model.lock(self.layout, self.name):
            if not users(self.layout).get(self.name):
                volume_steps.remove(self.layout, self.name)

    def undo(self) -> None:
        """Raise: what was in it is gone."""
        raise Failure(f"put volume {self.name} back", "it is removed", "declare it again")
