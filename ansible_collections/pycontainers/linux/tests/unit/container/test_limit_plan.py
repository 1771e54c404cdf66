# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import UNLIMITED
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.cgroup_limit import (
    CGROUP_LIMIT,
    CgroupLimit,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_folder import GiveName
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limit_targets import Limited
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import limits_of
from ansible_collections.pycontainers.linux.tests.unit.container.plan_cases import (
    LAYOUT,
    MIB,
    OLD,
    kept,
    record,
    started,
    stopped,
)


def said(**options: Any) -> CgroupLimit:
    """What a playbook says of the limits of the container "web"."""
    return parse(CgroupLimit, {"name": "web", **options})


def limited(container: Container, memory: int | None = 512 * MIB) -> CgroupLimit:
    """The limits of a container as they are observed; its record has this limit of memory and no other."""
    runs = container.state == "started"
    path = container_state.cgroup(container)
    there = Limited("web", path, runs, limits_of(container), container, kept(memory=memory))
    return CgroupLimit(name="web", found=(there,))


def lines(options: dict[str, Any], have: CgroupLimit) -> list[str]:
    """What is done to give a container these limits."""
    return CGROUP_LIMIT.plan(LAYOUT, CGROUP_LIMIT.resolve(LAYOUT, said(**options), have), have).describe()


def setting(text: str) -> str:
    """The line of a limit that is set."""
    return f"set {text} on cgroup pycontainers/{OLD}"


@pytest.mark.parametrize(
    ("options", "have", "expected"),
    [
        ({}, limited(started()), []),
        ({"memory": "512m"}, limited(started()), []),
        ({"memory": "256m"}, limited(started()), [setting(f"memory to {256 * MIB} (was {512 * MIB})"), record()]),
        ({"memory": "max"}, limited(started()), [setting(f"memory to max (was {512 * MIB})"), record()]),
        ({"memory": "256m"}, limited(stopped()), [record()]),
        ({"memory": "512m"}, limited(started(memory=MIB)), [setting(f"memory to {512 * MIB} (was {MIB})")]),
        ({"memory": "256m"}, limited(started(memory=256 * MIB)), [record()]),
        (
            {"cpus": 0.5, "pids_limit": 10},
            limited(started()),
            [setting("cpus to 0.5 (was max)"), setting("pids_limit to 10 (was max)"), record()],
        ),
        ({"state": "absent"}, limited(started()), [setting(f"memory to max (was {512 * MIB})"), record()]),
        ({"state": "absent"}, limited(started(memory=UNLIMITED), memory=None), []),
        ({"state": "absent"}, limited(started(memory=UNLIMITED)), [record()]),
        ({"state": "absent"}, limited(stopped()), [record()]),
        ({"state": "absent"}, limited(stopped(memory=None), memory=None), []),
    ],
)
def test_limits_are_changed_and_kept(options: dict[str, Any], have: CgroupLimit, expected: list[str]) -> None:
    """A limit that differs is written to the cgroup of what runs, and to the record for the next start."""
    assert lines(options, have) == expected


def test_the_limits_of_a_stopped_container_are_kept(tmp_path: Path) -> None:
    """What is set on a container that does not run is found there by the next run, and nothing else has changed."""
    layout = Layout(str(tmp_path / "root"), str(tmp_path / "run"))
    before = replace(stopped(), held=(), networks=(), published_ports=())
    container_state.record_step(layout, before, None).do()
    GiveName(layout, "web", OLD, None).do()
    assert converge(CGROUP_LIMIT, layout, said(memory="64m", cpus=2), check=False).changed
    again = converge(CGROUP_LIMIT, layout, said(memory="64m", cpus=2), check=False)
    assert (again.changed, again.facts["cgroup_limit"]["memory"]) == (False, 64 * MIB)
    after = container_state.load(layout, OLD)
    assert after is not None
    assert (after.memory, after.cpus, after.image, after.restart_policy) == (
        64 * MIB,
        2 * 10**9,
        before.image,
        "always",
    )


def test_only_a_container_can_be_limited(tmp_path: Path) -> None:
    """Limits for a container that is not there are refused, by its name."""
    layout = Layout(str(tmp_path / "root"), str(tmp_path / "run"))
    with pytest.raises(NotFound, match="cannot limit container web: there is no container of this name"):
        converge(CGROUP_LIMIT, layout, said(memory="64m"), check=True)
