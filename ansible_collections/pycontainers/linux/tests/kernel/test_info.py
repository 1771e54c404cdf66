# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container_info``, ``host_info`` and ``pycontainers info``: what is told of containers and their host."""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import features, freezer
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, service
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_info import (
    CONTAINER_INFO,
    ContainerInfo,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.host_info import HOST_INFO, HostInfo
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot


def told(host: Host, **values: Any) -> dict[str, dict[str, Any]]:
    """The containers that are told of, by name."""
    facts = converge(CONTAINER_INFO, host.layout, parse(ContainerInfo, values), False).facts
    assert facts["failures"] == []
    return {each["Name"][1:]: each for each in facts["containers"]}


def of_host(host: Host, **values: Any) -> dict[str, Any]:
    """What is told of the host."""
    found: dict[str, Any] = converge(HOST_INFO, host.layout, parse(HostInfo, values), False).facts["host_info"]
    return found


def test_containers_are_chosen_by_name_id_and_label(host: Host) -> None:
    """All that is asked for has to fit; nothing asked means all."""
    host.run(labels={"tier": "web", "odd": "a=b"})
    host.converge("d", image=host.busybox, command=["true"], state="present", labels={"tier": "db"})
    identity = host.observed("c").id or ""
    assert list(told(host)) == ["c", "d"]
    assert told(host)["c"] == json.loads(host.ok("inspect", "c"))[0]
    assert list(told(host, name=["d", "none"])) == ["d"]
    assert list(told(host, name=[identity])) == list(told(host, name=[identity[:12]])) == ["c"]
    assert list(told(host, labels=["tier"])) == ["c", "d"]
    assert list(told(host, labels=["tier=web", "odd=a=b"])) == ["c"]
    assert told(host, name=["d"], labels=["tier=web"]) == told(host, name=[""]) == {}
    assert [told(host)[name]["State"]["Status"] for name in "cd"] == ["running", "created"]


@pytest.mark.parametrize(("count", "said"), [(0, ""), (1, "three"), (2, "two\nthree"), (9, "one\ntwo\nthree")])
def test_the_end_of_a_log(host: Host, count: int, said: str) -> None:
    """So many of the last lines are told, and none unless they are asked for."""
    host.ended(host.shell("echo one; echo two; printf three"))
    assert told(host, logs=count)["c"]["Logs"] == said
    assert "Logs" not in told(host)["c"]


def test_a_long_line_is_not_told_whole(host: Host) -> None:
    """A container decides how long its lines are, and not how much memory a task takes."""
    host.run()
    folder = Path(lifecycle.log_folder(host.layout, host.observed().id or ""))
    (folder / "output").write_bytes(b"x" * (3 << 20) + b"end\n")
    said = told(host, logs=2)["c"]["Logs"]
    assert len(said) == 1 << 20
    assert said.endswith("xend\n")


def test_what_can_not_be_read_is_told(host: Host) -> None:
    """A damaged record does not keep the others from being told of."""
    host.run()
    damaged = host.run(name="d")
    path = Path(container_state.record_path(host.layout, damaged.id or ""))
    before = path.read_bytes()
    path.write_text("{")
    facts = converge(CONTAINER_INFO, host.layout, ContainerInfo(), False).facts
    failures = of_host(host)["Failures"]
    path.write_bytes(before)
    assert [each["Name"] for each in facts["containers"]] == ["/c"]
    assert len(facts["failures"]) == 1
    assert failures == facts["failures"]
    assert str(path) in failures[0]


def test_containers_of_a_host_are_counted_by_state(host: Host) -> None:
    """Each is in one state; what is told of it has changed nothing."""
    host.network()
    for name in "abc":
        host.run(name=name)
    host.converge("b", state="stopped")
    path = container_state.cgroup(host.observed("c"))
    freezer.freeze(cgroups(), path)
    before = snapshot(host.layout)
    found = of_host(host, disk_usage=True)
    assert snapshot(host.layout) == before
    freezer.thaw(cgroups(), path)
    counts = {name: value for name, value in found.items() if name.startswith("Containers")}
    assert counts == {"Containers": 3, "ContainersRunning": 1, "ContainersPaused": 1, "ContainersRestarting": 0,
                      "ContainersStopped": 1}  # fmt: skip
    assert (found["Images"], found["Networks"]) == (1, 1)
    assert found["RuntimeVersion"] == service.installed(host.layout) != ""
    assert all(size > 0 for size in found["DiskUsage"].values())
    assert found["Store"]["Size"] > found["Store"]["Free"] > 0


def test_the_host_is_what_the_kernel_says(host: Host) -> None:
    """Each is read where it is; what these tests use is there."""
    found = of_host(host)
    assert found["KernelVersion"] == os.uname().release
    assert found["CgroupVersion"] == str(cgroups().version)
    assert {"memory", "pids"} <= set(found["CgroupControllers"])
    assert found["Kernel"]["overlay"]
    assert found["Kernel"]["seccomp"]
    assert found["Kernel"]["user_namespaces"]
    assert set(found["Kernel"].values()) <= {True, False, None}
    assert found["LibseccompVersion"].count(".") == 2
    assert "DiskUsage" not in found


def test_nothing_is_there_yet(host: Host, tmp_path: Path) -> None:
    """A host without a store is told of too, and gets none by that."""
    place = {"PYCONTAINERS_ROOT": f"{tmp_path}/none/a", "PYCONTAINERS_RUN": f"{tmp_path}/none/b"}
    command = [host.command()[2], "info", "--json", "--size"]
    done = subprocess.run(command, env=os.environ | place, capture_output=True, check=True, timeout=30)
    found = json.loads(done.stdout)
    assert (found["Containers"], found["Images"], found["RuntimeVersion"]) == (0, 0, "")
    assert not (tmp_path / "none").exists()


def test_the_verb_tells_the_same(host: Host) -> None:
    """As JSON it is what the module returns, else lines of it."""
    host.run()
    found = json.loads(host.ok("info", "--json"))
    free = found["Store"].pop("Free")
    expected = of_host(host)
    assert abs(free - expected["Store"].pop("Free")) < free
    assert found == expected
    lines = host.ok("info").splitlines()
    assert "ContainersRunning: 1" in lines
    assert " overlay: yes" in lines


def test_features_are_told_by_what_is_written_down() -> None:
    """A sign that it is there counts most; a module without a file is none; what is nowhere written is not known."""
    feature = features.Feature("A_B", "a_b", "abfs", "/no/such")
    nothing = frozenset[str]()
    for expected, config, modules, filesystems in (
        (True, {}, nothing, frozenset({"abfs"})),
        (True, {"CONFIG_A_B": "y"}, None, nothing),
        (True, {"CONFIG_A_B": "m"}, frozenset({"a_b"}), nothing),
        (False, {"CONFIG_A_B": "m"}, nothing, nothing),
        (None, {"CONFIG_A_B": "m"}, None, nothing),
        (False, {}, None, nothing),
        (True, None, frozenset({"a_b"}), nothing),
        (False, None, nothing, nothing),
        (None, None, None, nothing),
    ):
        assert features._has(feature, config, modules, filesystems) is expected
