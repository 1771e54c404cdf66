# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a scenario, for its tests."""

from __future__ import annotations

import pytest
import testinfra
from testinfra.host import Host

from ansible_collections.pycontainers.linux.molecule.shared.runs import ephemeral


@pytest.fixture(scope="session")
def hosts() -> list[Host]:
    """All hosts of the scenario."""
    inventory = str(ephemeral() / "inventory")
    found: list[Host] = testinfra.get_hosts(["ansible://all"], ansible_inventory=inventory)
    return found
