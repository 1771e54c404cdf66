# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of processes that were killed for want of memory, and how the kernel counts them."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import (
    V1,
    V2,
    killed_for_memory,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_memory,
    container_state,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_state import Status

EVENTS = "low 0\nhigh 0\nmax 1731\noom 12\noom_kill 3\noom_group_kill 1\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"


def test_version_2_counts_in_its_events(tmp_path: Path) -> None:
    """Of the lines of memory.events it is the one of kills: how often memory ran out is another number."""
    (tmp_path / "g").mkdir()
    assert killed_for_memory(V2(str(tmp_path)), "g") == 0
    (tmp_path / "g/memory.events").write_text(EVENTS)
    assert killed_for_memory(V2(str(tmp_path)), "g") == 3


def test_version_1_counts_in_its_control_file(tmp_path: Path) -> None:
    """A host without the memory controller counts none."""
    (tmp_path / "g").mkdir()
    (tmp_path / "g/memory.oom_control").write_text(CONTROL)
    assert killed_for_memory(V1({"memory": str(tmp_path)}), "g") == 3
    assert killed_for_memory(V1({"pids": str(tmp_path)}), "g") == 0


def test_a_status_of_before_is_read(tmp_path: Path) -> None:
    """A file that an earlier version wrote says nothing of it, and what is written now is read as it was."""
    layout = Layout(str(tmp_path), str(tmp_path / "run"))
    path = Path(layout.container("a", "status.json"))
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"wanted": "stopped", "exit_code": 137, "finished_at": 5.5, "error": ""}))
    status = container_state.status_or_failure(layout, "a")
    assert status == Status(exit_code=137, finished_at=5.5)
    assert not container_memory.ended_by_it(status)
    new = Status(exit_code=137, finished_at=5.5, oom_kills=4, oom_last_run=1, oom_counted=2, oom_ended_at=5.5)
    container_state.set_status(layout, "a", new)
    assert container_state.status_or_failure(layout, "a") == new
    assert container_memory.ended_by_it(new)


@pytest.mark.parametrize(
    ("counted", "stopped", "code", "kept", "ended_by_it"),
    [
        (2, False, 137, (5, 0), False),
        (4, False, 137, (7, 2), True),
        (4, False, 1, (7, 2), False),
        (4, True, 137, (7, 2), False),
        (0, False, 137, (5, 0), False),
    ],
)
def test_what_a_run_adds(counted: int, stopped: bool, code: int, kept: tuple[int, int], ended_by_it: bool) -> None:
    """Only what the cgroup counts beyond what is known; and an end has that reason only if nobody asked for it."""
    ended = Status(exit_code=code, finished_at=9.0, oom_kills=5, oom_last_run=9, oom_counted=2)
    found = container_memory.after_run(ended, counted, -1, stopped)
    assert (found.oom_kills, found.oom_last_run) == kept
    assert found.oom_counted == counted
    assert container_memory.ended_by_it(found) is ended_by_it
    assert ("the host's memory had run out" in found.error) is ended_by_it
