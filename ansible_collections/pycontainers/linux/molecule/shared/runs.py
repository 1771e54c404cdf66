# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs of a scenario's playbooks have said, and runs of converge.yml for tests that have broken something."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

CONVERGE = "converge.yml"


@dataclass(frozen=True)
class Run:
    """A run of a playbook: whether it was one in check mode, and the result of each of its tasks on each host."""

    playbook: str
    check: bool
    results: list[dict[str, Any]]

    @property
    def changes(self) -> dict[tuple[str, str], Any]:
        """By host and task what has changed, or in check mode would: options with values, and steps."""
        changed = (each for each in self.results if each.get("changed"))
        return {(each["host"], each["task"]): (each.get("changes"), each.get("actions")) for each in changed}

    @property
    def left_out(self) -> set[tuple[str, str]]:
        """Host and task of what was skipped."""
        return {(each["host"], each["task"]) for each in self.results if each.get("skipped")}


def ephemeral() -> Path:
    """Molecule's directory of the scenario."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


def recorded() -> list[Run]:
    """All runs since the hosts were made, in order."""
    return [Run(**json.loads(path.read_text())) for path in sorted((ephemeral() / "runs").glob("*.json"))]


def pairs() -> Iterator[tuple[Run, Run]]:
    """Each run of converge.yml with the next one, if nothing else came between them."""
    runs = recorded()
    for before, after in pairwise(runs):
        if before.playbook == after.playbook == CONVERGE:
            yield before, after


def assert_foretold(check: Run, run: Run) -> None:
    """A run has made the changes that its check told, and others only in tasks that the check left out."""
    assert check.changes
    assert check.changes.items() <= run.changes.items()
    assert run.changes.keys() - check.changes.keys() <= check.left_out


def converge(*options: str) -> Run:
    """Run converge.yml as molecule does; it must succeed, and warn of nothing."""
    scenario = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
    inventories = ephemeral() / "inventory", scenario / "inventory", scenario.parent / "shared/inventory"
    command = ["ansible-playbook", *(f"--inventory={each}/" for each in inventories), *options, CONVERGE]
    done = subprocess.run(command, cwd=scenario, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert warnings(done.stderr) == []
    return recorded()[-1]


def mend(*options: str) -> Run:
    """Converge after a check, which must have foretold it; return what was done."""
    check, run = converge("--check", *options), converge(*options)
    assert_foretold(check, run)
    return run


def warnings(output: str) -> list[str]:
    """What Ansible warns of, but for the program s6-log, which the testbed has no package of for Alpine."""
    return [line for line in output.splitlines() if "WARNING]" in line and "s6-log" not in line]
