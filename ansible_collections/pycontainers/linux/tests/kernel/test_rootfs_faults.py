# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of ``overlay_rootfs`` that fails or is killed at any of its steps."""
from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, Step, apply
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import rootfs_size
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.rootfs import ROOTFS, OverlayRootfs
from ansible_collections.pycontainers.linux.tests.kernel.broken import Broken
from ansible_collections.pycontainers.linux.tests.kernel.rootfs_bench import Place, held_files


def broken_run(place: Place, values: dict[str, Any], number: int, killed: bool) -> bool:
    """Declare, but break at a step; whether there was one of this number."""
    want = parse(OverlayRootfs, {"path": place.path, **values})
    with ROOTFS.lock(place.layout, want):
        seen = ROOTFS.observe(place.layout, want)
        plan = ROOTFS.plan(place.layout, ROOTFS.resolve(place.layout, want, seen), seen)
        steps: list[Step] = [*plan.steps, *plan.purge] if killed else list(plan.steps)
        if number >= len(steps):
            return False
        steps[number] = Broken(steps[number], killed)
        cut = len(plan.steps)
        apply(Plan(tuple(steps[:cut]), tuple(steps[cut:])))
    return True


def killed_run(place: Place, values: dict[str, Any], number: int) -> bool:
    """Declare in a child that is killed at a step."""
    child = os.fork()
    if not child:
        os._exit(broken_run(place, values, number, killed=True))
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def traces(place: Place) -> list[Any]:
    """All there is to see of an overlay, but for which loop device is beneath it."""
    files = sorted(str(each.relative_to(place.folder)) for each in place.folder.glob("*"))
    seen = ROOTFS.observe(place.layout, parse(OverlayRootfs, {"path": place.path}))
    return [files, seen, mounted(place.above["upper"]) is None, held_files(), rootfs_size.observe(place.above["upper"])]


@pytest.mark.parametrize("broken", [killed_run, None])
def test_a_run_that_breaks_at_any_step(sized: Place, broken: Any) -> None:
    """After a kill the next run comes to the same; after a failure all is as before."""
    wanted: dict[str, Any] = {"lower": sized.lower, "size": "32m", **sized.above}
    turned: dict[str, Any] = {"lower": sized.lower[::-1]}
    gone: dict[str, Any] = {"state": "absent", "purge": True, **sized.above}

    def breaks(values: dict[str, Any], number: int) -> bool:
        if broken:
            return bool(broken(sized, values, number))
        before, said = traces(sized), ""
        try:
            broken_run(sized, values, number, killed=False)
        except Failure as error:
            said = str(error)
        assert traces(sized) == before
        assert "not put back" not in said
        return bool(said)

    def each_step(values: dict[str, Any], others: dict[str, Any]) -> int:
        number = 0
        while breaks(values, number):
            sized.declare(**values)
            assert not sized.declare(**values).changed
            sized.declare(**others)
            number += 1
        return number

    assert each_step(wanted, gone) >= 4
    sized.declare(**wanted)
    assert each_step(turned, wanted) >= 2
    sized.declare(**wanted)
    assert each_step(gone, wanted) >= (3 if broken else 1)
    sized.declare(**gone)
    assert sorted(os.listdir(sized.folder)) == ["a", "b", "merged"]
