# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``cgroup_limit``: the limits of a container, changed and cleared while it runs, and kept for its next start."""
from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from ..core.kinds import NAME, TEXT, UNLIMITED
from ..core.layout import Layout
from ..core.model import Effect, diff, option
from ..core.plan import Plan, Step
from ..errors import NotFound
from . import container_state
from .container_model import Container
from .limits import LIMIT_ROWS, Limits


@dataclass(frozen=True, kw_only=True)
class CgroupLimit(Limits):
    """The rows: which container, and its limits. ``absent`` clears them all.

    ``container`` is what was found, ``kept`` its record.
    """

    name: str = option(NAME, required=True)
    state: str = option(TEXT, Effect.LIVE, default="present", choices=("absent", "present"))
    container: Container | None = None
    kept: Container | None = None


class CgroupLimitResource:
    """Limits as a resource of their own, over the same rows, steps and record as the container's."""

    model = CgroupLimit

    def lock(self, layout: Layout, want: CgroupLimit) -> AbstractContextManager[None]:
        """The container's own lock."""
        return container_state.lock(layout, want.name)

    def observe(self, layout: Layout, want: CgroupLimit) -> CgroupLimit | None:
        """The limits in the kernel while the container runs, else those of its record."""
        have = container_state.observe(layout, want.name)
        if have is None:
            reason = "there is no container of this name"
            raise NotFound(f"limit container {want.name}", reason, "see pycontainers ps -a for those there are")
        kept = container_state.load(layout, have.id or "")
        limits = {row.name: getattr(have, row.name) for row in LIMIT_ROWS}
        return CgroupLimit(name=want.name, container=have, kept=kept, **limits)

    def resolve(self, layout: Layout, want: CgroupLimit, have: CgroupLimit | None) -> CgroupLimit:
        """``absent`` is no limit in every row; a row that was never limited needs no clearing."""
        if have is None or want.state == "present":
            return want
        cleared: dict[str, Any] = {row.name: UNLIMITED for row in LIMIT_ROWS if getattr(have, row.name) is not None}
        return replace(want, state="present", **cleared)

    def plan(self, layout: Layout, want: CgroupLimit, have: CgroupLimit | None) -> Plan:
        """A step per limit that differs from the kernel's, and the record, if that differs."""
        if have is None or have.container is None or have.kept is None:
            return Plan()
        current, kept = have.container, have.kept
        steps: list[Step] = []
        if current.state == "started" and diff(want, have):
            from .limit_steps import limit_steps

            steps += limit_steps(container_state.cgroup(current), want, container_state.limits(current))
        wanted = {row.name: value for row in LIMIT_ROWS if (value := getattr(want, row.name)) is not None}
        if any(_limit(kept, name) != value for name, value in wanted.items()):
            steps.append(container_state.record_step(layout, replace(kept, **wanted), kept))
        return Plan(tuple(steps))

    def facts(self, layout: Layout, have: CgroupLimit | None) -> Mapping[str, Any]:
        """The limits, and the container they are on."""
        if have is None or have.container is None:
            return {"cgroup_limit": {}}
        shown = {row.name: None if (v := getattr(have, row.name)) is None else row.kind.show(v) for row in LIMIT_ROWS}
        return {"cgroup_limit": {"container": have.container.id, "name": have.name, **shown}}


def _limit(container: Container, name: str) -> int:
    """A limit of a record, in which none and no limit are the same."""
    value: int | None = getattr(container, name)
    return UNLIMITED if value is None else value


CGROUP_LIMIT = CgroupLimitResource()
