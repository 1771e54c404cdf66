# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook limit_fleet: limits of ten containers on each of two hosts change on both, or on neither."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, Fleet, Run

ONE, OTHER = HOSTS
STORE = "/var/lib/pycontainers"
COUNT = 10
LABELS = {"app": "fleet"}
BEFORE, AFTER = 32 << 20, 48 << 20
HOG = "dd if=/dev/zero of=/dev/shm/held bs=1M count=24 2>/dev/null; sleep 1000"
"""What holds more memory than some limit."""


@pytest.fixture(scope="module")
def hosts(fleet: Fleet) -> Iterator[Fleet]:
    """Ten containers with a label on each host, and one without."""
    names = [f"fleet{number}" for number in range(COUNT)]
    image = f"{fleet.registry}/busybox:latest"
    run = f"pycontainers run -d --memory {BEFORE}"
    for host in HOSTS:
        assert not fleet.task(host, "runtime", {"state": "present"})["failed"]
        insecure = json.dumps({"insecure": [fleet.registry]})
        fleet.shell(host, f"mkdir -p {STORE} && cat > {STORE}/registries.json", insecure)
        each = f"{run} --label app=fleet --name $name {image} sleep 1000"
        fleet.shell(host, f"for name in {' '.join(names)}; do {each}; done; {run} --name apart {image} sleep 1000")
    yield fleet
    for host in HOSTS:
        fleet.shell(host, f"pycontainers rm -f {' '.join(names)} apart; pycontainers rm -f hog 2>/dev/null || true")


def play(fleet: Fleet, *options: str, **variables: Any) -> Run:
    """Run the playbook for the containers with the label."""
    chosen = {"limit_fleet_hosts": ",".join(HOSTS), "limit_fleet_labels": LABELS}
    return fleet.play("limit_fleet", *options, **chosen, **variables)


def state(fleet: Fleet, host: str) -> dict[str, tuple[int, str, int]]:
    """Memory limits and processors of the containers here as the kernel holds them, and their pids."""
    shown = json.loads(fleet.shell(host, "pycontainers ps -q --no-trunc | xargs pycontainers inspect"))
    found = {}
    for each in shown:
        group, name = f"pycontainers/{each['Id']}", each["Name"].lstrip("/")
        if not name.startswith(("fleet", "apart", "hog")):
            continue
        files = f"memory/{group}/memory.limit_in_bytes", f"cpu/{group}/cpu.cfs_quota_us"
        memory, quota = fleet.shell(host, f"cd /sys/fs/cgroup; cat {' '.join(files)}").split()
        found[name] = int(memory), quota, each["State"]["Pid"]
    return found


def test_all_change_in_one_play(hosts: Fleet) -> None:
    """A check tells all 20 and changes none; then all have the limits, and the same pids; once more nothing differs."""
    limits = {"memory": "48m", "cpus": "0.5"}
    before = {host: state(hosts, host) for host in HOSTS}
    checked = play(hosts, "--check", "--diff", limit_fleet_limits=limits)
    assert checked.status == 0, checked.output
    assert len([line for line in checked.diff_lines if line.startswith("+") and "memory: " in line]) == 2 * COUNT
    assert f"fleet3: memory would be {AFTER}, was {BEFORE}" in checked.output
    assert {host: state(hosts, host) for host in HOSTS} == before
    done = play(hosts, limit_fleet_limits=limits)
    assert done.status == 0, done.output
    assert done.output.count(f": memory is {AFTER}, was {BEFORE}") == 2 * COUNT
    for host in HOSTS:
        after = state(hosts, host)
        assert after.pop("apart") == before[host].pop("apart")
        assert {name: each[:2] for name, each in after.items()} == dict.fromkeys(after, (AFTER, "50000"))
        assert {name: each[2] for name, each in after.items()} == {name: e[2] for name, e in before[host].items()}
    again = play(hosts, limit_fleet_limits=limits)
    assert [again.count(host, "changed") for host in HOSTS] == [0, 0], again.output
    assert again.output.count("nothing differs") == len(HOSTS)
    cleared = play(hosts, limit_fleet_limits={"cpus": "max", "memory": str(BEFORE)})
    assert cleared.status == 0, cleared.output
    assert {name: each[:2] for name, each in state(hosts, ONE).items()}["fleet0"] == (BEFORE, "-1")


@pytest.mark.parametrize("serial", ["100%", 1])
def test_one_host_that_fails_has_all_put_back(hosts: Fleet, serial: object) -> None:
    """A container there uses more than the limit allows: on both hosts all is as it was, and the play fails for it."""
    hosts.shell(OTHER, "pycontainers rm -f hog 2>/dev/null || true")
    image = f"{hosts.registry}/busybox:latest"
    hosts.shell(OTHER, f"pycontainers run -d --memory {BEFORE} --label app=fleet --name hog {image} sh -c '{HOG}'")
    held = "$(pycontainers exec hog stat -c %s /dev/shm/held)"
    hosts.shell(OTHER, f"for i in $(seq 100); do [ {held} = {24 << 20} ] && exit; sleep 0.1; done; exit 1")
    before = {host: state(hosts, host) for host in HOSTS}
    failed = play(hosts, limit_fleet_limits={"pids_limit": "50", "memory": "16m"}, limit_fleet_serial=serial)
    assert failed.status != 0
    assert {host: state(hosts, host) for host in HOSTS} == before
    assert "bytes are in use" in failed.output
    assert f"fleet3: memory is {BEFORE} again, and was {16 << 20} for a while" in failed.output
    assert [failed.count(host, "failed") for host in HOSTS] == [0, 1], failed.output


def test_hosts_after_one_that_fails_are_left_alone(hosts: Fleet) -> None:
    """With one host at a time, the one to come is not touched."""
    before = state(hosts, OTHER)
    hosts.shell(ONE, f"mv {STORE}/names {STORE}/names.away; echo > {STORE}/names")
    try:
        failed = play(hosts, limit_fleet_limits={"pids_limit": "50"}, limit_fleet_serial=1)
    finally:
        hosts.shell(ONE, f"rm {STORE}/names; mv {STORE}/names.away {STORE}/names")
    assert failed.status != 0
    assert state(hosts, OTHER) == before
    assert failed.count(OTHER, "changed") == 0
    assert "nothing was changed" in failed.output or "nothing differs" in failed.output
