# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``storage_opts``: a container writes no more to its layer than it may, by quota or in an image."""
from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, apply
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import quota
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import rootfs_size, storage_opts
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_facts import inspect
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.rootfs_size_steps import MountImage
from ansible_collections.pycontainers.linux.tests.kernel.broken import Broken
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.rootfs_bench import MIB, held_files, may_grow


def upper(host: Host) -> str:
    """The upper directory of the container."""
    return storage_opts.layer(host.layout, host.observed().id or "")[0]


def by_image(host: Host) -> bool:
    """Whether the container's layer is in an image."""
    return bool(host.observed().layer_image)


def write(host: Host, megabytes: int, name: str) -> str:
    """Let the container append to a file; what it says."""
    words = ["dd", "if=/dev/zero", f"of=/{name}", "bs=1M", f"count={megabytes}", "oflag=append", "conv=notrunc"]
    return host.cli("exec", "c", *words).stderr


def written(host: Host, megabytes: int, name: str = "big") -> int:
    """Let the container append to a file; how large the file is then."""
    write(host, megabytes, name)
    return int(host.ok("exec", "c", "stat", "-c", "%s", f"/{name}"))


def test_a_container_writes_no_more_than_its_size(sized_host: Host) -> None:
    """Beyond its size writing fails in it, a second run changes nothing, and inspect shows size and means."""
    host = sized_host
    host.run(storage_opts={"size": "32m"})
    assert 16 * MIB <= written(host, 64) <= 32 * MIB
    said = write(host, 4, "big")
    assert "No space left" in said or "quota exceeded" in said
    outcome = host.converge(storage_opts={"size": "32m"})
    assert (outcome.actions, outcome.changes) == ((), ())
    found = inspect(host.layout, host.observed())
    assert found["HostConfig"]["StorageOpt"] == {"size": str(32 * MIB)}
    assert found["GraphDriver"]["Data"]["SizeBy"] == ("image" if by_image(host) else "quota")
    assert Path(found["GraphDriver"]["Data"]["UpperDir"], "big").exists()


def test_its_size_grows_while_it_runs(sized_host: Host) -> None:
    """The program goes on, with the same pid, and writes what it could not before."""
    host = sized_host
    host.run(storage_opts={"size": "32m"})
    may_grow(by_image(host))
    pid, before = host.pid(), written(host, 64)
    told = host.converge(storage_opts={"size": "64m"}, check=True)
    done = host.converge(storage_opts={"size": "64m"})
    assert (done.actions, done.changes) == (told.actions, told.changes)
    assert [change.effect.name for change in done.changes] == ["LIVE"]
    assert written(host, 64) >= before + 24 * MIB
    assert host.pid() == pid
    assert not host.converge(storage_opts={"size": "64m"}).changed


def test_its_size_shrinks_by_quota_only(sized_host: Host) -> None:
    """A quota goes below what is written; an image is refused with both sizes, and nothing is touched."""
    host = sized_host
    host.run(storage_opts={"size": "32m"})
    pid, before = host.pid(), written(host, 12)
    if by_image(host):
        for check in (True, False):
            with pytest.raises(Failure, match=rf"use {8 * MIB} as storage_opts.size: .* has {32 * MIB} bytes"):
                host.converge(storage_opts={"size": "8m"}, check=check)
    else:
        host.converge(storage_opts={"size": "8m"})
        assert written(host, 1, "other") == 0
        host.converge(storage_opts={})
        assert written(host, 40) == before + 40 * MIB
    assert host.pid() == pid


def test_a_size_for_one_that_runs_without(sized_host: Host) -> None:
    """By quota it counts what was written before; where it takes an image the container is made anew, and says so."""
    host = sized_host
    old = host.run()
    written(host, 12)
    pid = host.pid()
    changes = host.converge(storage_opts={"size": "32m"}).changes
    if by_image(host):
        assert [(each.path, each.effect.name) for each in changes] == [
            ("storage_opts", "LIVE"),
            ("layer_image", "RECREATE"),
        ]
        assert host.observed().id != old.id
    else:
        assert [(each.path, each.effect.name) for each in changes] == [("storage_opts", "LIVE")]
        assert host.pid() == pid
    assert written(host, 64) <= 32 * MIB


def test_a_stopped_container_keeps_its_layer(sized_host: Host) -> None:
    """It holds nothing of the kernel's while it is stopped, and has what it wrote and its size when it starts again."""
    host = sized_host
    host.run(storage_opts={"size": "32m"})
    assert written(host, 2) == 2 * MIB
    host.converge(state="stopped")
    assert (mounted(upper(host)), host.observed().remains) == (None, ())
    assert upper(host) not in "".join(held_files())
    assert not host.converge(state="stopped").changed
    if by_image(host):
        MountImage(upper(host)).do()
        assert host.observed().remains == ("root filesystem",)
        assert host.converge(state="stopped").changed
        assert mounted(upper(host)) is None
    host.converge(storage_opts={"size": "40m"}, state="stopped")
    if by_image(host):
        may_grow(True)
    host.converge(state="started")
    assert 24 * MIB <= written(host, 64) <= 40 * MIB


def test_a_limit_that_somebody_has_changed(sized_host: Host) -> None:
    """A quota that was changed by hand while it runs is drift, also where the task is silent."""
    host = sized_host
    host.run(storage_opts={"size": "32m"})
    if by_image(host):
        os.truncate(rootfs_size.image(upper(host)), 48 * MIB)
        assert not host.converge().changed
        return
    project = quota.project(upper(host))
    quota.set_quota(upper(host), project, quota.Quota(0, 0))
    assert [each.path for each in host.converge().changes] == ["storage_opts"]
    assert quota.quota(upper(host), project).size == 32 * MIB


def test_a_removed_container_leaves_no_limit(sized_host: Host) -> None:
    """With it go its image, or its project's limit; and the next container of the name has a fresh layer."""
    host = sized_host
    host.run(storage_opts={"size": "32m"})
    place, project = upper(host), quota.project(upper(host))
    host.converge(state="absent")
    assert not os.path.exists(os.path.dirname(place))
    assert held_files() == [] or place not in "".join(held_files())
    if project:
        assert quota.quota(os.path.dirname(os.path.dirname(place)), project)[:2] == (0, 0)
    host.run(storage_opts={"size": "32m"})
    assert written(host, 1) == MIB


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_what_it_has_written_is_shown_and_committed(sized_host: Host, state: str) -> None:
    """The verbs diff and commit find its files wherever its layer is, also while it is stopped."""
    host = sized_host
    host.run(storage_opts={"size": "32m"})
    written(host, 1, "made")
    host.converge(state=state)
    assert host.ok("diff", "c").splitlines()[-1] == "A /made"
    host.ok("commit", "c", "registry.test/committed")
    assert (mounted(upper(host)) is None) == (state == "stopped" or not by_image(host))
    host.converge("other", image="registry.test/committed", command=["stat", "-c", "%s", "/made"])
    host.ended(host.observed("other"))
    assert host.log(host.observed("other")) == f"{MIB}\n"


def test_run_takes_a_size(sized_host: Host) -> None:
    """The command line has Docker's option."""
    host = sized_host
    host.ok("run", "-d", "--name", "c", "--storage-opt", "size=32m", host.busybox, "sleep", "1000")
    assert host.observed().storage_opts == (("size", 32 * MIB),)
    assert 16 * MIB <= written(host, 64) <= 32 * MIB
    host.converge(state="absent", stop_timeout=0)


@pytest.mark.parametrize("task", ["create", "stop", "remove"])
def test_one_that_is_killed_at_any_step_comes_to_the_same(sized_host: Host, task: str) -> None:
    """Whatever of mounts, loop devices and projects a killed run has left, the next run goes on from there."""
    host = sized_host
    made: dict[str, Any] = {"image": host.busybox, "command": ["sleep", "1000"], "storage_opts": {"size": "32m"}}
    tasks = {"create": made, "stop": {"state": "stopped"}, "remove": {"state": "absent"}}
    values = {"stop_timeout": 0, **tasks[task]}

    def killed(number: int) -> bool:
        want = parse(Container, {"name": "c", **values})
        with CONTAINER.lock(host.layout, want):
            have = CONTAINER.observe(host.layout, want)
            plan = CONTAINER.plan(host.layout, CONTAINER.resolve(host.layout, want, have), have)
            steps = [*plan.steps, *plan.purge]
            if number >= len(steps):
                return False
            child = os.fork()
            if not child:
                steps[number] = Broken(steps[number], killed=True)
                apply(Plan(tuple(steps)))
                os._exit(0)
            return os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    number = 0
    while True:
        host.converge(state="absent", stop_timeout=0)
        if task != "create":
            host.converge(**made, stop_timeout=0)
        if not killed(number):
            break
        host.converge(**values)
        assert not host.converge(**values).changed
        if task == "stop":
            assert host.observed().remains == ()
        number += 1
    assert number >= 3
