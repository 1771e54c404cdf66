# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks spell out is what the modules know."""
from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import rows
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import Limits

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"


def test_limits_of_a_fleet_are_all_limits() -> None:
    """A task can't take its options from a variable without a warning, so it names each, by its own name."""
    (task,) = yaml.safe_load((PLAYBOOKS / "tasks/limit.yml").read_text())
    given = task["pycontainers.linux.cgroup_limit"]
    values = {name: said for name, said in given.items() if "limit_values" in said}
    assert set(values) == {row.name for row in rows(Limits)}
    assert values == {name: f"{{{{ limit_values.{name} | default(omit) }}}}" for name in values}
