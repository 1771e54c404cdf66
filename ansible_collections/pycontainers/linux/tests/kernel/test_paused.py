# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a container that is held still: it stays so until somebody lets it go on, or it is started again."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import store
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import freezer
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, supervise
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.cgroup_limit import (
    CGROUP_LIMIT,
    CgroupLimit,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait


def is_paused(host: Host) -> bool:
    """Whether the container's processes are held still, by the kernel's word and by inspect's."""
    found = container_state.paused(host.observed())
    assert host.ok("inspect", "-f", "{{.State.Status}}", "c").strip() == ("paused" if found else "running")
    return found


@pytest.mark.parametrize("said", [False, True, None])
def test_a_task_that_says_nothing_leaves_it_as_it_is(host: Host, said: bool | None) -> None:
    """Whatever earlier tasks said: what is done by hand is no drift to one that does not mention it."""
    given: dict[str, Any] = {} if said is None else {"paused": said}
    host.run(**given)
    if not said:
        host.ok("pause", "c")
    check = host.converge(memory="64m", check=True)
    assert [each.path for each in check.changes] == ["memory"]
    assert host.converge(memory="64m").changes == check.changes
    assert is_paused(host)
    assert "paused" not in host.ok("doctor")
    assert not host.converge().changed
    assert supervise.boot(host.layout) == []
    assert is_paused(host)
    host.ok("unpause", "c")
    assert not host.converge(memory="64m").changed
    assert not is_paused(host)


def test_a_task_that_says_it_has_its_way(host: Host) -> None:
    """At once, each time, and with the same process."""
    host.run()
    pid = host.pid()
    for paused in (True, False):
        host.ok("unpause" if paused else "pause", "c") if is_paused(host) == paused else None
        check = host.converge(paused=paused, check=True)
        done = host.converge(paused=paused)
        assert [each.path for each in done.changes] == ["paused"]
        assert check.changes == done.changes
        assert is_paused(host) == paused
        assert not host.converge(paused=paused).changed
    assert host.pid() == pid


def _by_task(host: Host) -> None:
    host.converge(restart=True)


def _by_stop_and_start(host: Host) -> None:
    host.converge(state="stopped")
    host.converge(state="started")


def _by_hand(host: Host) -> None:
    host.ok("restart", "-t", "0", "c")


def _by_boot(host: Host) -> None:
    supervise.shutdown(host.layout)
    assert supervise.boot(host.layout) == []


def _by_replacement(host: Host) -> None:
    host.converge(env={"A": "1"})


@pytest.mark.parametrize("again", [_by_task, _by_stop_and_start, _by_hand, _by_boot, _by_replacement])
def test_what_is_started_again_runs(host: Host, again: Callable[[Host], None]) -> None:
    """However it is started, unless the task says otherwise."""
    host.run(restart_policy="always", paused=True)
    assert is_paused(host)
    again(host)
    assert not is_paused(host)
    assert host.converge(paused=True, restart=True).changed
    assert is_paused(host)


def test_a_new_run_is_not_held_still(host: Host) -> None:
    """A container that is held still between two runs of its policy goes on with the next."""
    container = host.shell("sleep 1.2; exit 3", restart_policy="always")
    wait(lambda: lifecycle.running(host.layout, container.id or "") is None)
    freezer.freeze(cgroups(), container_state.cgroup(container))
    wait(lambda: container_state.status(host.layout, container.id or "").restarts > 0 and host.pid() > 0)
    wait(lambda: not container_state.paused(container))


def test_nothing_is_held_still_that_does_not_run(host: Host) -> None:
    """To ask for it then makes no difference, now or later, to either module, and is told as none."""

    def limited(check: bool) -> Outcome[CgroupLimit]:
        return converge(CGROUP_LIMIT, host.layout, parse(CgroupLimit, {"name": "c", "paused": True}), check)

    host.run()
    host.converge(state="stopped")
    for check in (True, False):
        outcomes = (host.converge(state="stopped", paused=True, check=check), limited(check))
        assert [(each.changed, each.changes) for each in outcomes] == [(False, ())] * 2
    host.converge(state="started")
    assert not is_paused(host)


def test_a_failed_change_leaves_it_paused(host: Host) -> None:
    """A container that had to stop for another one, which does not start, is as it was."""
    host.network()
    host.run(networks=[{"name": "front", "ipv4_address": "10.91.0.9"}], paused=True)
    with pytest.raises(Failure):
        host.converge(command=["sh", "-c", "exit 3"])
    assert is_paused(host)


def test_a_record_that_has_it_from_earlier_versions(host: Host) -> None:
    """What such a record says of it counts no more."""
    container = host.run()
    path = container_state.record_path(host.layout, container.id or "")
    store.write_json(path, {**(store.read_json(path) or {}), "paused": True})
    assert not host.converge().changed
    host.ok("restart", "-t", "0", "c")
    assert not is_paused(host)
