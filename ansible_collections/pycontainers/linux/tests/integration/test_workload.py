# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A workload on two hosts: deployed, looked at for drift, taken down, and pruned after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, Fleet, Run

ONE, OTHER = HOSTS
SHOP, DB = "workload-shop", "workload-db"
BEFORE, MEMORY = 32 << 20, 48 << 20
"""The limit of a container that is deployed with the first, and has the second after the first change."""


@dataclass(frozen=True)
class Deployment:
    """What happened on hosts that had nothing of it: a run in check mode, a real one, and another."""

    checked: Run
    first: Run
    second: Run


def workload(fleet: Fleet, memory: int = MEMORY) -> dict[str, Any]:
    """Variables of the role: a container that depends on another, their network, a volume, a name of an image."""
    image = f"{fleet.registry}/busybox:latest"
    sleep = {"image": image, "command": ["sleep", "1000"], "networks": [{"name": "workload"}], "stop_timeout": 0}
    return {
        "workload_networks": [{"name": "workload", "subnet": "10.88.7.0/24"}],
        "workload_volumes": [{"name": "workload-files", "labels": {"backup": "daily"}}],
        "workload_images": [{"name": image, "tags": ["workload.test/tagged:1"]}],
        "workload_containers": [
            sleep | {"name": DB, "volumes": ["workload-files:/data"], "env": {"PASSWORD": "secret"}},
            sleep | {"name": SHOP, "depends_on": [DB], "memory": str(memory)},
        ],
    }


def deploy(fleet: Fleet, *options: str, **variables: Any) -> Run:
    """Deploy the workload on both hosts, but for what variables say otherwise."""
    fixed = {"deploy_workload_hosts": ",".join(HOSTS), "host_insecure_registries": [fleet.registry]}
    return fleet.play("deploy_workload", *options, **{**fixed, **workload(fleet), **variables})


def again(fleet: Fleet, *options: str, **variables: Any) -> Run:
    """Run what of it comes after the role host, on hosts that have that."""
    return deploy(fleet, "--start-at-task", "Require a name of everything that is declared", *options, **variables)


def drift(fleet: Fleet, **variables: Any) -> Run:
    """Look for drift on the first host."""
    return fleet.play("drift", **{"drift_hosts": ONE, **variables})


def prune(fleet: Fleet, *options: str) -> Run:
    """Remove from both hosts what nobody needs, names of images too."""
    what = {"containers": True, "images": True, "images_filters": {"dangling": False}, "networks": True}
    hosts = {"prune_fleet_hosts": ",".join(HOSTS), "prune_fleet_serial": 1}
    return fleet.play("prune_fleet", *options, **hosts, prune_fleet_what=what)


def state(fleet: Fleet, host: str) -> dict[str, tuple[str, int]]:
    """Of each container of the workload that is there, its id and its pid."""
    shown = fleet.task(host, "container_info", {"name": [SHOP, DB]})["containers"]
    return {each["Name"].lstrip("/"): (each["Id"], each["State"]["Pid"]) for each in shown}


@pytest.fixture(scope="module")
def deployment(fleet: Fleet) -> Iterator[Deployment]:
    """The playbook, first in check mode, then for real, then again; in the end all of it is removed."""
    variables = workload(fleet, BEFORE)
    checked = deploy(fleet, "--check", **variables)
    first = deploy(fleet, deploy_workload_serial=1, **variables)
    yield Deployment(checked, first, again(fleet, **variables))
    for host in HOSTS:
        fleet.shell(host, f"(pycontainers rm -f {SHOP} {DB}; pycontainers network rm workload) 2>/dev/null || true")


def test_a_workload_is_deployed(fleet: Fleet, deployment: Deployment) -> None:
    """All of it is on each host after the first run, with what the entries say."""
    assert deployment.checked.status == 0, deployment.checked.output
    assert deployment.first.status == 0, deployment.first.output
    for host in HOSTS:
        (shop,) = fleet.task(host, "container_info", {"name": [SHOP]})["containers"]
        assert shop["HostConfig"]["Memory"] == BEFORE
        assert shop["HostConfig"]["DependsOn"] == [{"Name": DB, "Condition": "started"}]
        fleet.shell(host, f"pycontainers exec {SHOP} ping -c 1 {DB}")
        assert "daily" in fleet.shell(host, "pycontainers volume inspect workload-files")
        assert fleet.shell(host, "pycontainers images -q workload.test/tagged:1")


def test_a_second_run_changes_nothing(deployment: Deployment) -> None:
    """The same again finds everything as it should be."""
    assert deployment.second.status == 0, deployment.second.output
    assert [deployment.second.count(host, "changed") for host in HOSTS] == [0, 0], deployment.second.output


def test_a_check_predicts_what_the_run_does(fleet: Fleet, deployment: Deployment) -> None:
    """A limit changed in the variables is one live change of one container of each host, in both."""
    before = state(fleet, ONE)
    checked, done = again(fleet, "--check", "--diff"), again(fleet, "--diff")
    expected = [f"-memory: {BEFORE}", f"+memory: {MEMORY}  # live"] * len(HOSTS)
    assert (checked.diff_lines, done.diff_lines) == (expected, expected)
    assert state(fleet, ONE) == before


def test_what_fails_tells_no_environment(fleet: Fleet, deployment: Deployment) -> None:
    """An entry that is refused is named, and its environment is not told; the next host is left alone."""
    wrong = workload(fleet)["workload_containers"]
    wrong[0]["memory"] = "much"
    failed = again(fleet, workload_containers=wrong, deploy_workload_serial=1)
    assert failed.status != 0
    assert DB in failed.output
    assert "secret" not in failed.output
    assert "memory" in failed.output
    assert f"[{OTHER}]" not in failed.output


def test_no_drift_is_told_as_none(fleet: Fleet, deployment: Deployment) -> None:
    """After a deployment nothing differs."""
    run = drift(fleet, **workload(fleet))
    assert run.status == 0, run.output
    assert "nothing differs" in run.output


def test_drift_is_told_and_not_touched(fleet: Fleet, deployment: Deployment) -> None:
    """A limit written by hand and a container that was killed are told with who says otherwise, and fail the play.

    Without the variables it is the records that say so; and if a report is all that is wanted, the play does not fail.
    """
    identity, _ = state(fleet, ONE)[SHOP]
    files = " ".join(
        f"/sys/fs/cgroup/{each}"
        for each in (f"memory/pycontainers/{identity}/memory.limit_in_bytes", f"pycontainers/{identity}/memory.max")
    )
    fleet.shell(ONE, f"for file in {files}; do [ ! -e $file ] || echo {40 << 20} > $file; done")
    fleet.shell(ONE, f"kill -9 {state(fleet, ONE)[DB][1]}")
    fleet.shell(ONE, f"pycontainers wait {DB} || true")
    before = state(fleet, ONE)
    memory = f"container {SHOP}: memory is {40 << 20}, would be {MEMORY} as"
    declared = drift(fleet, **workload(fleet))
    assert declared.status != 0
    assert f"{memory} the playbook has it (live)" in declared.output, declared.output
    assert f"container {DB}: state is stopped, would be started as the playbook has it" in declared.output
    assert declared.count(ONE, "changed") == 0
    recorded = drift(fleet, drift_report_only=True)
    assert recorded.status == 0, recorded.output
    assert f"{memory} its record has it (live)" in recorded.output, recorded.output
    assert state(fleet, ONE) == before


def test_what_nothing_needs_is_pruned(fleet: Fleet, deployment: Deployment) -> None:
    """A check tells what the run then removes, with the bytes of each host and of all; what is in use stays."""
    assert again(fleet).status == 0
    ids = []
    for host in HOSTS:
        create = f"pycontainers create --name workload-old {fleet.registry}/busybox:latest true"
        ids.append(fleet.shell(host, create))
        fleet.shell(host, "pycontainers network create workload-old")
    kept = {host: state(fleet, host) for host in HOSTS}
    for options, done in (("--check",), "would be"), ((), "was"):
        run = prune(fleet, *options)
        assert run.status == 0, run.output
        for identity in ids:
            assert f"container {identity} {done} removed" in run.output
        assert run.output.count(f"network workload-old {done} removed") == len(HOSTS)
        assert f"bytes {done} freed on {len(HOSTS)} hosts" in run.output
    assert {host: state(fleet, host) for host in HOSTS} == kept


def test_a_host_that_fails_keeps_no_other_from_being_pruned(fleet: Fleet, deployment: Deployment) -> None:
    """The play goes on with the next host, and fails in the end for the one that failed."""
    store = "/var/lib/pycontainers"
    fleet.shell(OTHER, "pycontainers network create workload-old")
    fleet.shell(ONE, f"mv {store}/names {store}/names.away; echo > {store}/names")
    try:
        failed = prune(fleet)
    finally:
        fleet.shell(ONE, f"rm {store}/names; mv {store}/names.away {store}/names")
    assert failed.status != 0
    assert "network workload-old was removed" in failed.output
    assert [failed.count(host, "failed") for host in HOSTS] == [1, 0], failed.output


def test_a_workload_is_taken_down(fleet: Fleet, deployment: Deployment) -> None:
    """Containers and network go, image and volume stay unless they are to go too."""
    down = again(fleet, workload_state="absent")
    assert down.status == 0, down.output
    for host in HOSTS:
        assert state(fleet, host) == {}
        left = fleet.shell(host, "pycontainers network ls -q; pycontainers volume ls -q").split()
        assert "workload" not in left
        assert "workload-files" in left
    everything = again(fleet, workload_state="absent", workload_remove_images=True, workload_remove_volumes=True)
    assert everything.status == 0, everything.output
    assert [everything.count(host, "changed") for host in HOSTS] == [2, 2], everything.output
    for host in HOSTS:
        listed = fleet.shell(host, "pycontainers volume ls; pycontainers images")
        assert "workload" not in listed
