# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``cgroup_limit``: limits that are changed and cleared while processes run: of containers, and of any other cgroup.

Those of a container are kept for its next start. Those of another cgroup are the kernel's alone.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from ..core.kinds import BOOL, NAME, PATH, TEXT
from ..core.layout import Layout
from ..core.model import Change, Effect, diff, option, rows
from ..core.plan import Plan, Step
from ..kernel.cgroups import cgroups, looked_once
from ..lean.dataclasses import dataclass, replace
from . import container_state, limit_rules, limit_targets
from .container_kinds import LABELS
from .container_model import SECONDS, Container
from .limit_targets import Limited
from .limits import LIMIT_ROWS, Limits, cleared, limits_of, show_limits

PATIENCE = 10
"""Seconds that the kernel is given to reclaim memory unless said otherwise."""


@dataclass(frozen=True, kw_only=True, repr=False)
class CgroupLimit(Limits):
    """The rows: which containers, or which cgroup, and limits. ``absent`` clears them all.

    ``found`` is what they are on.
    """

    name: str | None = option(NAME)
    labels: tuple[tuple[str, str], ...] | None = option(LABELS)
    path: str | None = option(PATH)
    state: str = option(TEXT, Effect.LIVE, default="present", choices=("absent", "present"))
    force: bool | None = option(BOOL, default=False, request=True)
    reclaim: bool | None = option(BOOL, default=False, request=True)
    reclaim_timeout: int | None = option(SECONDS, default=PATIENCE, request=True)
    found: tuple[Limited, ...] = ()


class CgroupLimitResource:
    """Limits as a resource of their own, over the same rows, steps and record as the container's."""

    model = CgroupLimit

    @contextmanager
    def lock(self, layout: Layout, want: CgroupLimit) -> Iterator[None]:
        """The containers' own locks, in the order of their names."""
        names = limit_targets.names(layout, want.name, want.labels, want.path)
        with ExitStack() as locks:
            for name in sorted(names):
                locks.enter_context(container_state.lock(layout, name))
            yield

    def observe(self, layout: Layout, want: CgroupLimit) -> CgroupLimit | None:
        """The limits in the kernel of what runs, those of its record of what does not."""
        found = limit_targets.observe(layout, want.name, want.labels, want.path, limits_of(want))
        return CgroupLimit(name=want.name, labels=want.labels, path=want.path, found=found)

    def resolve(self, layout: Layout, want: CgroupLimit, have: CgroupLimit | None) -> CgroupLimit:
        """The limits of each; ``absent`` is no limit in every row. Refuses what this host does not have."""
        limit_rules.check_said(want)
        found = have.found if have else ()
        said = limits_of(want)
        named = {row.name: value for row in rows(Limits) if (value := getattr(said, row.name)) is not None}
        resolved = tuple(replace(each, want=_wanted(want.state, said, named, each)) for each in found)
        for each in resolved:
            if each.want is not None and diff(each.want, each.have):
                limit_targets.check(each, bool(want.force))
                limit_rules.check_host(cgroups(), each.path, each.want)
        return replace(want, state="present", found=resolved)

    def differences(self, want: CgroupLimit, have: CgroupLimit | None) -> tuple[Change, ...]:
        """The limits that differ, each with the name of its container, or the path of its cgroup."""
        return tuple(replace(one, of=each.name) for each in want.found for one in diff(each.want, each.have))

    def plan(self, layout: Layout, want: CgroupLimit, have: CgroupLimit | None) -> Plan:
        """A step per limit that differs from the kernel's, and the record, if that differs."""
        patience = float(want.reclaim_timeout or 0) if want.reclaim else 0.0
        return Plan(tuple(step for each in want.found for step in _steps(layout, each, patience)))

    def facts(self, layout: Layout, have: CgroupLimit | None) -> Mapping[str, Any]:
        """The limits of each, what it is, and what it uses."""
        with looked_once():
            told = [_facts(each) for each in have.found] if have else []
        one = told[0] if have and have.labels is None and told else {}
        return {"cgroup_limit": one, "cgroup_limits": told}


def _wanted(state: str, said: Limits, named: Mapping[str, Any], each: Limited) -> Limits:
    """The limits that are to change or to be kept of one, in the form that is compared.

    ``named`` are those of ``said`` that are said, by row name.
    """
    if state == "absent":
        named = {row.name: cleared(row) for row in LIMIT_ROWS if getattr(each.have, row.name) is not None}
        said = Limits(**named)
    below = limits_of(each.kept) if each.kept else each.have
    full = replace(below, **named)
    settled = limit_rules.settled(full, said, each.kept, each.have)
    wanted = {row.name: getattr(settled, row.name) for row in LIMIT_ROWS}
    differ = {name: value for name, value in wanted.items() if value != getattr(below, name) or name in named}
    # What does not run can't be held still, and that is not kept for later.
    return replace(Limits(), **differ | ({} if each.runs else {"paused": None}))


def _steps(layout: Layout, each: Limited, patience: float) -> list[Step]:
    steps: list[Step] = []
    want, current, kept = each.want or Limits(), each.container, each.kept
    if each.runs and diff(want, each.have):
        from . import container_pause
        from .limit_steps import limit_steps, pause_steps

        have = {row.name: getattr(each.have, row.name) for row in LIMIT_ROWS}
        steps += limit_steps(each.path, want, have, patience)
        if current is not None and want.device_cgroup_rules is not None:
            steps += _device_steps(each.path, current, want.device_cgroup_rules)
        if current is None:
            steps += pause_steps(each.path, want, each.have.paused)
        else:
            steps += container_pause.pause_steps(layout, current, want, each.have.paused)
    if kept is not None:
        wanted = {row.name: value for row in LIMIT_ROWS if (value := getattr(want, row.name)) is not None}
        new = replace(kept, **wanted)
        if new != kept and not container_state.same(new, kept):
            steps.append(container_state.record_step(layout, new, kept))
    return steps


def _device_steps(path: str, current: Container, rules: tuple[str, ...]) -> list[Step]:
    from .container_wishes import device_access
    from .limit_steps import SetDeviceRules

    before, after = device_access(current), device_access(replace(current, device_cgroup_rules=rules))
    return [SetDeviceRules(path, before, after)] if before != after else []


def _facts(each: Limited) -> dict[str, Any]:
    what = {"container": each.container.id, "name": each.name} if each.container else {"path": f"/{each.path}"}
    return {**what, **show_limits(each.have), "usage": limit_targets.usage(each)}


CGROUP_LIMIT = CgroupLimitResource()
