# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook deploy_nginx on real hosts, from nothing to a reboot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, Fleet, Run

ONE, OTHER = HOSTS
MUTE = {"command": ["sh", "-c", "echo nothing to say to you; sleep 1000"], "networks": [{"name": "nginx"}]}


@dataclass(frozen=True)
class Deployment:
    """What happened on hosts that had nothing: a run in check mode between two snapshots, a real one, and another."""

    before: dict[str, Any]
    checked: Run
    after: dict[str, Any]
    first: Run
    second: Run


def deploy(fleet: Fleet, *options: str, **variables: Any) -> Run:
    """Run the playbook with the image of the testbed's registry."""
    fixed = {"deploy_nginx_image": f"{fleet.registry}/nginx:latest", "host_insecure_registries": [fleet.registry]}
    fixed |= {"deploy_nginx_hosts": ",".join(HOSTS)}
    return fleet.play("deploy_nginx", *options, **fixed, **variables)


def again(fleet: Fleet, *options: str, **variables: Any) -> Run:
    """Run what of it comes after the role, on hosts that have that."""
    return deploy(fleet, "--start-at-task", "Have the network", *options, **variables)


def snapshots(fleet: Fleet) -> dict[str, Any]:
    """A snapshot of each host."""
    return {host: fleet.snapshot(host) for host in HOSTS}


def inspect(fleet: Fleet, host: str, name: str = "nginx") -> dict[str, Any]:
    """The container as the host's own command shows it."""
    found: dict[str, Any] = json.loads(fleet.shell(host, f"/usr/local/bin/pycontainers inspect {name}"))[0]
    return found


def memory_in_kernel(fleet: Fleet, host: str) -> int:
    """The memory limit of the container in the file of its cgroup, of either version."""
    identity = inspect(fleet, host)["Id"]
    files = f"memory/pycontainers/{identity}/memory.limit_in_bytes", f"pycontainers/{identity}/memory.max"
    return int(fleet.shell(host, " || ".join(f"cat /sys/fs/cgroup/{file} 2>/dev/null" for file in files)))


@pytest.fixture(scope="module")
def deployment(fleet: Fleet) -> Deployment:
    """The playbook, first in check mode, then for real, then again."""
    before = snapshots(fleet)
    checked = deploy(fleet, "--check", "--diff")
    after = snapshots(fleet)
    return Deployment(before, checked, after, deploy(fleet), deploy(fleet))


def test_check_mode_works_on_hosts_that_have_nothing(deployment: Deployment) -> None:
    """The playbook in check mode ends well on new hosts, and says that there is something to do."""
    assert deployment.checked.status == 0, deployment.checked.output
    assert all(deployment.checked.count(host, "changed") > 0 for host in HOSTS)


def test_check_mode_changes_nothing(deployment: Deployment) -> None:
    """Files, mounts, links, rules, settings and cgroups are after a run in check mode what they were before."""
    assert deployment.after == deployment.before


def test_deployment_succeeds(deployment: Deployment) -> None:
    """The playbook ends well on new hosts, without a warning."""
    assert deployment.first.status == 0, deployment.first.output


@pytest.mark.parametrize("host", HOSTS)
def test_every_host_serves_the_page(fleet: Fleet, deployment: Deployment, host: str) -> None:
    """The page is there at the port of every host, for others than the host itself."""
    assert "Welcome to nginx" in fleet.page(host)


def test_a_second_run_changes_nothing(deployment: Deployment) -> None:
    """The same playbook again finds everything as it should be."""
    assert deployment.second.status == 0, deployment.second.output
    assert [deployment.second.count(host, "changed") for host in HOSTS] == [0, 0], deployment.second.output


def test_hosts_list_the_container(fleet: Fleet, deployment: Deployment) -> None:
    """``pycontainers ps -a`` on a host shows the container, running."""
    lines = fleet.shell(ONE, "/usr/local/bin/pycontainers ps -a").splitlines()
    assert len(lines) == 2
    assert "nginx" in lines[1]


def test_a_memory_change_is_one_live_change(fleet: Fleet, deployment: Deployment) -> None:
    """The diff of a run with more memory has for each host the old and the new limit, marked as live, and no more."""
    run = again(fleet, "--check", "--diff", deploy_nginx_memory="128m")
    assert run.diff_lines == ["-memory: 67108864", "+memory: 134217728  # live"] * len(HOSTS), run.output
    assert [run.count(host, "changed") for host in HOSTS] == [1, 1]
    assert memory_in_kernel(fleet, ONE) == 64 << 20


def test_memory_changes_live(fleet: Fleet, deployment: Deployment) -> None:
    """More memory is in the kernel's file while the same process goes on; and so is the old limit again."""
    before = {host: inspect(fleet, host) for host in HOSTS}
    try:
        assert again(fleet, deploy_nginx_memory="128m").status == 0
        assert [memory_in_kernel(fleet, host) for host in HOSTS] == [128 << 20] * len(HOSTS)
    finally:
        assert again(fleet).status == 0
    assert [memory_in_kernel(fleet, host) for host in HOSTS] == [64 << 20] * len(HOSTS)
    after = {host: inspect(fleet, host) for host in HOSTS}
    for host in HOSTS:
        assert after[host]["Id"] == before[host]["Id"]
        assert after[host]["State"]["Pid"] == before[host]["State"]["Pid"]


def test_a_killed_nginx_is_back(fleet: Fleet, deployment: Deployment) -> None:
    """When nginx's first process is killed by SIGKILL, another answers at the same port, and nobody has run a task."""
    before = inspect(fleet, ONE)
    fleet.shell(ONE, f"kill -9 {before['State']['Pid']}")
    fleet.seconds_until_page(ONE, most=15)
    after = inspect(fleet, ONE)
    assert after["Id"] == before["Id"]
    assert after["State"]["Pid"] != before["State"]["Pid"]
    assert after["RestartCount"] == before["RestartCount"] + 1


def test_a_reboot_keeps_the_container(fleet: Fleet, deployment: Deployment) -> None:
    """A host that has rebooted serves the page by itself, from the container of the same id, and nothing differs."""
    before = inspect(fleet, OTHER)["Id"]
    fleet.testbed("reboot", OTHER)
    fleet.seconds_until_page(OTHER, most=15)
    assert inspect(fleet, OTHER)["Id"] == before
    run = deploy(fleet, "--limit", OTHER)
    assert run.status == 0, run.output
    assert run.count(OTHER, "changed") == 0, run.output


def test_no_answer_brings_the_log(fleet: Fleet, deployment: Deployment) -> None:
    """When the page does not come in time, the error has the last lines of the container's log."""
    variables = {"deploy_nginx_name": "mute", "deploy_nginx_port": 8081, "deploy_nginx_timeout": 1}
    try:
        started = fleet.task(ONE, "container", {"name": "mute", "image": f"{fleet.registry}/nginx:latest"} | MUTE)
        assert not started["failed"], started["msg"]
        run = again(fleet, "--limit", ONE, **variables)
        assert run.status != 0
        assert "Container mute did not answer at port 8081" in run.output
        assert "nothing to say to you" in run.output
    finally:
        fleet.task(ONE, "container", {"name": "mute", "state": "absent"})
