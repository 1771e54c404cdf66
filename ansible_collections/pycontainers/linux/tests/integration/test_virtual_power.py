# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts: the virtual machine is killed, so that what its kernel has not written is lost, at any moment.

PYCONTAINERS_CUTS is how often, and PYCONTAINERS_BOOTS how often the policies are looked at after a boot of either kind.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, Fleet

pytestmark = pytest.mark.vm

HOST = "vm1"
CUTS = int(os.environ.get("PYCONTAINERS_CUTS", "2"))
BOOTS = int(os.environ.get("PYCONTAINERS_BOOTS", "1"))
CHURN = Path(__file__).with_name("churn.py")
LONGEST = 25.0
"""Seconds after which the power is cut at the latest: some ten operations under emulation."""


def cut(fleet: Fleet) -> None:
    """Kill the virtual machine."""
    pid = int((fleet.instance.state / HOST / "keeper").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    while os.path.exists(f"/proc/{pid}"):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)


def boot(fleet: Fleet) -> None:
    """Start it again, and wait until its service has started what is to run."""
    fleet.testbed("up", str(len(HOSTS)), "--vm")
    fleet.shell(HOST, "for i in $(seq 600); do rc-service -q pycontainers status && exit; sleep 0.2; done; exit 1")


def inspect(fleet: Fleet) -> dict[str, Any]:
    """All containers there, by name."""
    found = json.loads(fleet.shell(HOST, "pycontainers ps -a --json"))
    return {each["Name"].lstrip("/"): each for each in found}


@pytest.fixture(scope="module")
def power(machine: Fleet) -> Iterator[Fleet]:
    """The machine with a network and the programs of these tests."""
    machine.shell(HOST, "cat > /root/churn.py", CHURN.read_text(encoding="utf-8"))
    machine.shell(HOST, "pycontainers network create --subnet 10.99.0.0/24 power")
    yield machine
    machine.shell(HOST, "pycontainers ps -aq | xargs pycontainers rm -f; pycontainers network rm power")


POLICIES = {
    "always": ("always", False, True),
    "always-stopped": ("always", True, True),
    "unless": ("unless-stopped", False, True),
    "unless-stopped": ("unless-stopped", True, False),
    "failure": ("on-failure", False, True),
    "none": ("no", False, False),
}
"""Containers by name: policy, whether somebody has stopped it, and whether it runs after a boot."""


@pytest.fixture(scope="module")
def policies(power: Fleet) -> Fleet:
    """Containers of all policies, each on the network with a port and limits."""
    image = f"{power.registry}/busybox:latest"
    for number, (name, (policy, _, _)) in enumerate(POLICIES.items()):
        limits = f"--memory {16 + number}m --pids-limit {20 + number} --cpus 0.{number + 1}"
        place = f"--network power -p {9000 + number}:80"
        power.shell(HOST, f"pycontainers run -d --name {name} --restart {policy} {limits} {place} {image} sleep 1000")
    return power


def kept(container: dict[str, Any]) -> tuple[Any, ...]:
    """What of a container has to outlive a boot."""
    return container["Id"], container["HostConfig"], container["NetworkSettings"]


def limits(fleet: Fleet, container: dict[str, Any]) -> str:
    """Its limits as the kernel has them."""
    folder = f"/sys/fs/cgroup/pycontainers/{container['Id']}"
    return fleet.shell(HOST, f"cd {folder} && cat memory.max pids.max cpu.max")


@pytest.mark.parametrize("how", ["reboot", "power cut"])
def test_a_boot_brings_back_what_the_policies_say(policies: Fleet, how: str) -> None:
    """Ids, addresses, ports and limits are those of before; whoever somebody has stopped only comes back if always."""
    for _ in range(BOOTS):
        began = inspect(policies)
        down = [name for name in POLICIES if not began[name]["State"]["Running"]]
        policies.shell(HOST, f"pycontainers start {' '.join(down)}" if down else "true")
        before = inspect(policies)
        bound = {name: limits(policies, before[name]) for name in POLICIES}
        policies.shell(HOST, "pycontainers stop -t 0 always-stopped unless-stopped")
        if how == "reboot":
            policies.testbed("reboot", HOST)
        else:
            cut(policies)
        boot(policies)
        after = inspect(policies)
        assert {name: after[name]["State"]["Running"] for name in POLICIES} == {
            name: runs for name, (_, _, runs) in POLICIES.items()
        }
        assert {name: after[name]["Id"] for name in after} == {name: before[name]["Id"] for name in before}
        for name, (_, _, runs) in POLICIES.items():
            if runs:
                assert kept(after[name]) == kept(before[name])
                assert limits(policies, after[name]) == bound[name]
        assert kept(after["nginx"]) == kept(before["nginx"])
        policies.seconds_until_page(HOST, most=60)


def churned(fleet: Fleet, seed: str, seconds: float) -> list[list[str]]:
    """Have containers and an image change until the power is cut; the lines that were told of it."""
    command = ["ssh", "-F", f"{fleet.instance.state}/ssh_config", HOST, "exec python3 /root/churn.py"]
    with subprocess.Popen([*command, seed, fleet.registry], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        first = running.stdout.readline()
        time.sleep(seconds)
        cut(fleet)
        # What had come is told by then; by itself ssh would wait for more for a minute.
        time.sleep(1)
        running.kill()
        lines = [first, *running.stdout]
    return [json.loads(line) for line in lines if line.endswith("\n")]


def possible(known: dict[str, str], told: list[list[str]]) -> dict[str, set[str]]:
    """What each thing may be after a cut: what was acknowledged, or what was begun and not."""
    found = {name: {value} for name, value in known.items()}
    for what, name, value in told:
        found[name] = {value} if what == "done" else found[name] | {value}
    return found


def states(fleet: Fleet) -> dict[str, str]:
    """What each thing is: the value of a container's variable, or that it is gone; whether the image is there."""
    there = inspect(fleet)
    found = dict.fromkeys("abc", "gone")
    for name in found.keys() & there.keys():
        assert there[name]["State"]["Running"], there[name]["State"]
        found[name] = next(each[2:] for each in there[name]["Config"]["Env"] if each.startswith("V="))
    listed = fleet.shell(HOST, "pycontainers images")
    return found | {"image": "image" if "/nginx" in listed else "no image"}


def settled(fleet: Fleet) -> dict[str, str]:
    """Bring all to one state: whatever was there, that does well, and once more it changes nothing."""
    first, second, _, image = json.loads(fleet.shell(HOST, f"python3 /root/churn.py settle {fleet.registry}"))
    assert len(first) == 3
    assert (second, image) == ([False] * 3, [False])
    return dict.fromkeys("abc", "settled") | {"image": "image"}


def test_power_cuts(power: Fleet) -> None:
    """After each, what was acknowledged is there and runs, the doctor leaves all well, and the next run converges."""
    power.shell(HOST, "pycontainers ps -aq | xargs pycontainers rm -f")
    seed = os.environ.get("PYCONTAINERS_SEED", str(time.time_ns()))
    chance = random.Random(seed)
    for number in range(CUTS):
        known = settled(power)
        told = churned(power, f"{seed}.{number}", chance.uniform(0, LONGEST))
        boot(power)
        shown = f"cut {number} of seed {seed}, after {told[-3:]}"
        print(shown, flush=True)
        doctor = power.shell(HOST, "pycontainers doctor --mend --json || true")
        print(doctor, flush=True)
        power.shell(HOST, "pycontainers doctor")
        there = states(power)
        wrong = {name: there[name] for name, values in possible(known, told).items() if there[name] not in values}
        assert not wrong, shown
