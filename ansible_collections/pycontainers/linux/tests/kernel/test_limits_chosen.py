# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cgroup_limit is put on: a container by name or id, all with some labels, a cgroup of the host by its path."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import (
    V1,
    cgroups,
    join,
    members,
    remove,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import Limits, observe_limits
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot, wait
from ansible_collections.pycontainers.linux.tests.kernel.limit_bench import in_kernel, limit, short_of_processors

MIB = 1 << 20
SERVICE = f"pycontainers-test-service-{os.getpid()}"


@pytest.fixture
def service() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a cgroup that is no container's, as a service of the host is."""
    groups = cgroups()
    groups.create(SERVICE)
    directories = groups.directories(SERVICE)
    running = subprocess.Popen(["sleep", "1000"], preexec_fn=lambda: join(directories))
    yield running
    running.kill()
    running.wait()
    remove(groups, SERVICE)


def held(path: str = SERVICE) -> dict[str, Any]:
    """The limits of the service's cgroup."""
    return observe_limits(cgroups(), path, Limits())


def test_a_container_is_chosen_by_its_id(host: Host) -> None:
    """The id of a container and the beginning of it stand for the container as its name does."""
    identity = host.run().id or ""
    for number, name in enumerate((identity, identity[:12], identity[:5]), 9):
        assert limit(host, name, pids_limit=number).facts["cgroup_limit"]["name"] == "c"
        assert in_kernel(host, "pids_limit") == {"pids_limit": number}
    assert not limit(host, pids_limit=11).changed


def test_containers_are_chosen_by_labels(host: Host) -> None:
    """All containers that have all labels are limited, running or not, and no other; each difference names its own."""
    for name, labels in (("a", {"team": "x", "tier": "1"}), ("b", {"team": "x"}), ("d", {"team": "y"}), ("e", {})):
        host.run(name=name, labels=labels)
    host.converge("b", state="stopped")
    values: dict[str, Any] = {"labels": {"team": "x"}, "pids_limit": 9, "memory": "64m"}
    told, done = limit(host, None, check=True, **values), limit(host, None, **values)
    assert (told.changes, told.actions) == (done.changes, done.actions)
    assert [(each.of, each.path) for each in done.changes] == [
        (name, option) for name in ("a", "b") for option in ("memory", "pids_limit")
    ]
    assert [each["name"] for each in done.facts["cgroup_limits"]] == ["a", "b"]
    assert done.facts["cgroup_limit"] == {}
    assert not limit(host, None, **values).changed
    host.converge("b", state="started")
    found = {name: in_kernel(host, "pids_limit", name=name)["pids_limit"] for name in "abde"}
    assert found == {"a": 9, "b": 9, "d": -1, "e": -1}
    assert limit(host, None, labels={"team": "x", "tier": "1"}, state="absent").changed
    assert in_kernel(host, "pids_limit", name="a") == {"pids_limit": -1}
    assert in_kernel(host, "pids_limit", name="b") == {"pids_limit": 9}
    nobody = limit(host, None, labels={"team": "z"}, pids_limit=1)
    assert (nobody.actions, nobody.facts["cgroup_limits"]) == ((), [])


def test_labels_of_an_image_choose_too(host: Host) -> None:
    """A container has the labels of its image."""
    host.converge(image=host.image("labelled", {"Labels": {"team": "x"}}), command=["sleep", "1000"], state="stopped")
    assert limit(host, None, labels={"team": "x"}, pids_limit=9).changed


def test_all_that_labels_choose_are_limited_or_none(host: Host) -> None:
    """When a limit is refused for one of several containers the others are as they were."""
    host.run(name="a", labels={"team": "x"})
    full = host.shell("head -c 20000000 /dev/zero | tail -c 19000000 > /dev/shm/kept; echo full; sleep 1000",
                      name="b", labels={"team": "x"})  # fmt: skip
    wait(lambda: "full" in host.log(full))
    before = snapshot(host.layout)
    with pytest.raises(Failure, match="bytes are in use"):
        limit(host, None, labels={"team": "x"}, memory="8m", pids_limit=9)
    assert snapshot(host.layout) == before


def test_a_service_is_chosen_by_its_path(host: Host, service: subprocess.Popen[bytes]) -> None:
    """A cgroup of the host is limited like a container: set, changed, told, cleared; nothing is kept of it."""
    path = f"/{SERVICE}"
    values: dict[str, Any] = {"path": path, "memory": "64m", "cpu_shares": 300, "pids_limit": 20}
    told, done = limit(host, None, check=True, **values), limit(host, None, **values)
    assert (told.changes, told.actions) == (done.changes, done.actions)
    assert not limit(host, None, **values).changed
    assert (held()["memory"], held()["pids_limit"]) == (64 * MIB, 20)
    facts = done.facts["cgroup_limit"]
    assert (facts["path"], facts["memory"], facts["usage"]["pids"]) == (path, 64 * MIB, 1)
    assert limit(host, None, path=path, pids_limit="max").changed
    assert held()["pids_limit"] == -1
    assert limit(host, None, path=path, state="absent").changed
    assert not limit(host, None, path=path, state="absent").changed
    assert held()["memory"] == -1
    assert service.poll() is None
    assert not os.path.exists(host.layout.containers)


def test_a_service_gets_a_controller_that_it_lacks(host: Host, service: subprocess.Popen[bytes]) -> None:
    """A group that a limit needs is made, and what runs goes there, with the same pid; a refused one is not left."""
    groups = cgroups()
    if not groups.offers("cpuset"):
        with pytest.raises(InvalidValue, match="has no controller cpuset"):
            limit(host, None, path=f"/{SERVICE}", cpuset_cpus="0")
        return
    if isinstance(groups, V1):
        with short_of_processors("."), pytest.raises(Failure, match="cannot set cpus to 0"):
            limit(host, None, path=f"/{SERVICE}", cpuset_cpus="0", cpus="0.9")
        assert not os.path.exists(f"{groups.spare['cpuset']}/{SERVICE}")
    limit(host, None, path=f"/{SERVICE}", cpuset_cpus="0")
    assert os.sched_getaffinity(service.pid) == {0}
    if isinstance(groups, V1):
        assert Path(f"{groups.spare['cpuset']}/{SERVICE}/cgroup.procs").read_text() == f"{service.pid}\n"
    assert members(groups, SERVICE) == (service.pid,)


@pytest.mark.parametrize("path", ["/", "//"])
def test_the_root_is_refused(host: Host, path: str) -> None:
    """There are no limits at the root of the hierarchy."""
    with pytest.raises(InvalidValue, match="it is the root of the hierarchy"):
        limit(host, None, path=path, memory="64m")


def test_what_the_host_lives_by_is_refused(host: Host, service: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """A group with this task, or a server that people log in by, in it or below it, is limited by force only."""
    path, groups = f"/{SERVICE}", cgroups()
    server = tmp_path / "sshd"
    server.symlink_to("/bin/sleep" if not os.path.islink("/bin/sleep") else sys.executable)
    inner = groups.directories(f"{SERVICE}/below")
    for directory in inner:
        os.mkdir(directory)
    with subprocess.Popen([server, "1000"], preexec_fn=lambda: join(inner)) as running:
        try:
            wait(lambda: Path(f"/proc/{running.pid}/comm").read_text() == "sshd\n")
            for check in (True, False):
                with pytest.raises(InvalidValue, match=rf"sshd \(process {running.pid}\) is in it; use force"):
                    limit(host, None, check=check, path=path, pids_limit=9)
            assert held()["pids_limit"] == -1
            assert limit(host, None, path=path, pids_limit=9, force=True).changed
            assert not limit(host, None, path=path, pids_limit=9).changed
        finally:
            running.kill()


def test_this_task_does_not_limit_itself(host: Host, service: subprocess.Popen[bytes]) -> None:
    """A task is not slowed down by a limit of its own."""
    directories = cgroups().directories(SERVICE)
    child = os.fork()
    if not child:
        status = 1
        try:
            join(directories)
            limit(host, None, path=f"/{SERVICE}", pids_limit=9)
        except InvalidValue as error:
            status = 0 if "this task itself is in it" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert held()["pids_limit"] == -1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "none of name, labels and path is given"),
        ({"name": "c", "path": "/a"}, "several of name, labels and path are given"),
        ({"labels": {"a": "b"}, "path": "/a"}, "several of name, labels and path are given"),
        ({"labels": {}}, "would choose every container"),
    ],
)
def test_one_way_to_choose(host: Host, values: dict[str, Any], reason: str) -> None:
    """Exactly one of name, labels and path says what is limited."""
    for check in (True, False):
        with pytest.raises(InvalidValue, match=reason):
            limit(host, values.get("name"), check=check, **{key: values[key] for key in values if key != "name"})


def test_a_path_that_is_not_there(host: Host) -> None:
    """Limits of a cgroup that is not there are refused in one sentence."""
    with pytest.raises(NotFound, match=r"^cannot limit cgroup /no/such: there is none of this path"):
        limit(host, None, path="/no/such", memory="1g")


def test_only_containers_have_device_rules(host: Host, service: subprocess.Popen[bytes]) -> None:
    """Rules about devices are beside those of a container, and a service has none of these."""
    with pytest.raises(InvalidValue, match="beside a container's own, and this is none"):
        limit(host, None, path=f"/{SERVICE}", device_cgroup_rules=["c 1:3 r"])


def test_percentages_are_of_the_host(host: Host) -> None:
    """Memory and processors can be shares of the host's; what is kept is what they came to."""
    host.run()
    page = os.sysconf("SC_PAGE_SIZE")
    limit(host, memory="25%", memory_reservation="10 %", cpus="50%")
    expected = {
        "memory": os.sysconf("SC_PHYS_PAGES") // 4 * page,
        "cpus": os.sysconf("SC_NPROCESSORS_ONLN") * 500_000_000,
    }
    assert in_kernel(host, "memory", "cpus") == expected
    record = Path(host.layout.container(host.observed().id or "", "container.json")).read_text()
    assert "%" not in record
    assert not limit(host, memory="25%", cpus="50%").changed


def test_what_is_used_is_told(host: Host) -> None:
    """Beside the limits there is what is used; nothing of a container that does not run."""
    host.shell("head -c 20000000 /dev/zero | tail -c 19000000 > /dev/shm/kept; sleep 1000 & sleep 1000")
    wait(lambda: limit(host, check=True).facts["cgroup_limit"]["usage"]["memory"] > 18 * MIB)
    found = limit(host, check=True).facts["cgroup_limit"]["usage"]
    assert found["memory_peak"] >= found["memory"] > 18 * MIB
    assert found["pids"] >= 2
    assert found["cpu"] > 0
    assert set(found) == {
        "memory", "memory_peak", "swap", "memory_events", "pids", "cpu", "cpu_throttled", "pressure",
    }  # fmt: skip
    host.converge(state="stopped")
    assert limit(host, check=True).facts["cgroup_limit"]["usage"] == {}


def test_a_check_writes_nothing(host: Host) -> None:
    """A check of limits alone is changed, lists each of them, and leaves kernel and record as they are."""
    host.run(memory="64m")
    before = snapshot(host.layout)
    told = limit(host, check=True, memory="96m", cpus=1, pids_limit=9, paused=True)
    assert told.changed
    assert [each.path for each in told.changes] == ["memory", "cpus", "pids_limit", "paused"]
    declared = host.converge(check=True, memory="96m", cpus=1, pids_limit=9, paused=True)
    assert declared.changed
    assert [each.path for each in declared.changes] == ["memory", "cpus", "pids_limit", "paused"]
    assert snapshot(host.layout) == before
