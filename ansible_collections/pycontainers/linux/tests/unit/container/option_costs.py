# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pages for those who come from elsewhere share: the options of a container, and what a change of each costs."""
from __future__ import annotations

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Effect, Row, rows
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container

SPELLINGS = {
    "cpu_quota": "cpus",
    "default_host_ip": "published_ports",
    "env_file": "env",
    "mac_address": "networks",
    "mounts": "volumes",
    "volumes_from": "volumes",
}
"""Options that are kept as another one."""

COSTS = {Effect.LIVE: "live", Effect.RECREATE: "another container"}


def options() -> dict[str, Row]:
    """What a user can say of a container, by name."""
    return {row.name: row for row in rows(Container) if not row.internal}


def cost(name: str) -> str:
    """What a change of an option costs a container that runs."""
    kept = options()[SPELLINGS.get(name, name)]
    return "asked for once" if kept.request else COSTS.get(kept.effect, "")
