# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what each task of a playbook's run has said, for the tests of a scenario."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: aggregate
short_description: Keep what each task has said
description:
  - Writes a file for each run of a playbook below C(runs) in molecule's directory of the scenario.
requirements:
  - It runs under molecule.
"""

KEPT = ("changed", "skipped", "actions", "changes")


class CallbackModule(CallbackBase):
    """Collects results while a playbook runs, and writes them at its end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.playbook = ""
        self.results: list[dict[str, Any]] = []

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Remember which playbook runs."""
        self.playbook = os.path.basename(playbook._file_name)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep the result of a task that has done well."""
        self._keep(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep the result of a task that has failed."""
        self._keep(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Keep that a task was left out."""
        self._keep(result, skipped=True)

    def _keep(self, result: Any, **more: Any) -> None:
        said = {key: value for key, value in result.result.items() if key in KEPT}
        self.results.append({"host": result.host.get_name(), "task": result.task_name} | said | more)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write all of it."""
        folder = os.path.join(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "runs")
        os.makedirs(folder, exist_ok=True)
        run = {"playbook": self.playbook, "check": bool(context.CLIARGS["check"]), "results": self.results}
        with open(os.path.join(folder, f"{time.time_ns()}.json"), "w", encoding="utf-8") as file:
            json.dump(run, file)
