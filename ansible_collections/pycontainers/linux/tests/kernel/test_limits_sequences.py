# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits in sequences that nobody thought of: after each step the kernel holds what was said last.

``./dev soak`` runs more of them.
"""
from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import block_devices
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import LIMIT_ROWS, Limits
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.limit_bench import disk, in_kernel, limit, offered

SEQUENCES = int(os.environ.get("PYCONTAINERS_SEQUENCES", "5"))
STEPS = 20

MIB = 1 << 20
RATES = some.sampled_from([[], [{"path": disk(), "rate": 8192}], [{"path": disk(), "rate": 65536}]])
SAID: dict[str, some.SearchStrategy[Any]] = {
    "memory": some.sampled_from(["max", "64m", "80m", "128m", "25%"]),
    "memory_swap": some.sampled_from(["max", "72m", "96m", "256m"]),
    "memory_reservation": some.sampled_from(["max", "8m", "5000"]),
    "memory_high": some.sampled_from(["max", "96m", "200m"]),
    "memory_min": some.sampled_from(["max", "1m"]),
    "memory_swappiness": some.sampled_from(["default", 0, 50, 60]),
    "oom_group": some.booleans(),
    "oom_killer": some.booleans(),
    "cpus": some.sampled_from(["max", "0.3", "0.333333", 1, "1.5", "50%"]),
    "cpu_quota": some.sampled_from(["max", 30000, 43210, 200000]),
    "cpu_period": some.sampled_from(["default", 1000, 33333, 50000]),
    "cpu_burst": some.sampled_from([0, 500, 1000, 30000]),
    "cpu_shares": some.sampled_from(["default", 2, 1000, 1001, 262144]),
    "cpu_idle": some.booleans(),
    "cpuset_cpus": some.sampled_from(["", "0"]),
    "cpuset_mems": some.sampled_from(["", "0"]),
    "pids_limit": some.sampled_from(["max", 20, 4194304]),
    "blkio_weight": some.sampled_from(["default", 10, 333, 1000]),
    "device_read_bps": RATES,
    "device_write_bps": RATES,
    "device_read_iops": RATES,
    "device_write_iops": RATES,
    "device_cgroup_rules": some.sampled_from([[], ["c 10:229 rwm"], ["b *:* m"]]),
    "paused": some.booleans(),
}
TOGETHER = [
    ["memory", "memory_swap"],
    ["cpus", "cpu_quota", "cpu_period", "cpu_burst"],
    ["cpu_shares", "cpu_idle"],
    sorted(SAID),
]
"""Limits that have to do with each other are often said in one breath."""

CLEARED = {row.name: row.facts["cleared"] for row in LIMIT_ROWS}


class Sequences(RuleBasedStateMachine):
    """A container, and a model of its limits: what was said last of each; that it is paused, of the run alone."""

    host: Host
    known: set[str]

    @initialize()
    def begin(self) -> None:
        """A container without limits."""
        self.host.run()
        self.model: dict[str, Any] = {}
        self.runs = True

    @rule(data=some.data(), together=some.sampled_from(TOGETHER), by_itself=some.booleans())
    def say(self, data: some.DataObject, together: list[str], by_itself: bool) -> None:
        """Say some limits, to cgroup_limit or to container; the model knows what is refused."""
        names = data.draw(some.sets(some.sampled_from(together), min_size=1, max_size=3))
        said = {name: data.draw(SAID[name], name) for name in sorted(names & self.known)}
        normal = {name: getattr(parse(Limits, {name: value}), name) for name, value in said.items()}
        expected = self._expected(normal)
        if expected is None:
            with pytest.raises(InvalidValue):
                self._declare(said, by_itself)
            return
        self._declare(said, by_itself)
        self.model = expected
        if not self.runs:
            self.model.pop("paused", None)

    def _declare(self, said: dict[str, Any], by_itself: bool) -> None:
        if by_itself:
            limit(self.host, **said)
        else:
            self.host.converge(state="present", **said)

    def _expected(self, said: dict[str, Any]) -> dict[str, Any] | None:
        """The model after some limits are said; None if they can't go together."""
        after = {**self.model, **said}
        period = after.get("cpu_period", 100_000)
        if "cpus" in said and {"cpu_quota", "cpu_period"} & set(said):
            return None
        quota = after.pop("cpu_quota", None)
        if quota is not None:
            after["cpus"] = -1 if quota == -1 else round(quota * 10**9 / period)
        cpus = after.get("cpus", -1)
        held = round(cpus * period / 10**9)
        if cpus != -1 and (held < 1000 or after.get("cpu_burst", 0) > held):
            return None
        memory, both = after.get("memory", -1), after.get("memory_swap", -1)
        if both != -1 and memory == -1:
            if "memory_swap" in said:
                return None
            after["memory_swap"] = -1
        elif both != -1 and both < memory:
            return None
        return after

    @rule()
    def restart(self) -> None:
        """Stop it and start it."""
        self.host.converge(state="stopped")
        self.host.converge(state="started")
        self.model.pop("paused", None)
        self.runs = True

    @rule()
    def stop(self) -> None:
        """Stop it."""
        self.host.converge(state="stopped")
        self.model.pop("paused", None)
        self.runs = False

    @rule()
    def clear(self) -> None:
        """Take all limits away."""
        limit(self.host, state="absent")
        self.model = {name: CLEARED[name] for name in self.model}

    @invariant()
    def agrees(self) -> None:
        """The kernel holds what the model does, and nothing is left to do."""
        if not hasattr(self, "model"):
            return
        assert not self.host.converge(state="present").changed
        assert not limit(self.host).changed
        if not self.runs:
            return
        found = in_kernel(self.host, *(name for name in self.known if name not in ("cpu_quota", "device_cgroup_rules")))
        for name, value in found.items():
            wanted = self.model.get(name, CLEARED[name])
            if isinstance(wanted, tuple) and wanted:
                wanted = tuple((block_devices.name(block_devices.number(path)), rate) for path, rate in wanted)
            assert (CLEARED[name] if value is None else value) == wanted, name

    def teardown(self) -> None:
        """Take the container away."""
        self.host.converge(state="absent", stop_timeout=0)


def test_sequences_of_limits(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is said in whatever order, kernel and model agree after each step, and a second run changes nothing."""
    host.run()
    known = {name for name in SAID if name in ("cpu_quota", "device_cgroup_rules") or offered(host, name)}
    monkeypatch.setattr(Sequences, "host", host, raising=False)
    monkeypatch.setattr(Sequences, "known", known, raising=False)
    run_state_machine_as_test(
        Sequences,
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=SEQUENCES <= 5,
            suppress_health_check=list(HealthCheck),
            database=None,
            # To look for a shorter sequence takes a container for each try.
            phases=(Phase.generate,),
        ),
    )
