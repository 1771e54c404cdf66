# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of health checks share."""
from __future__ import annotations

import json
from typing import Any

from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

FAST: dict[str, Any] = {"interval": "50ms", "retries": 2}
PATIENCE = 30.0


def check(script: str, **others: Any) -> dict[str, Any]:
    """A check that comes often."""
    return FAST | {"test": script} | others


def health(host: Host, name: str = "c") -> dict[str, Any]:
    """What inspect tells of the health."""
    found: dict[str, Any] = json.loads(host.ok("inspect", name))[0]["State"]["Health"]
    return found


def becomes(host: Host, status: str) -> None:
    """Wait for a health."""
    wait(lambda: host.observed().health == status, PATIENCE)
