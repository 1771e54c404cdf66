# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that is kept for a container while others have to give theirs back."""
from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.limit_bench import limit, usage

MIB = 1 << 20
FILL = "dd if=/dev/zero of=/file bs=1M count=48 2>/dev/null; cat /file >/dev/null; echo filled; sleep 1000"


@pytest.mark.parametrize("option", ["memory_reservation", "memory_min"])
def test_protected_memory_stays_where_others_give(host: Host, option: str) -> None:
    """When the group above all containers has to give memory back, a protected one keeps what it has."""
    if cgroups.cgroups().version == 1:
        # There a soft limit is heeded only when the whole host runs short, which no test is to bring about.
        pytest.skip("version 1 protects no memory, and heeds a soft limit only where the whole host runs short")
    # What is cached of a file system in a file can be given back, unlike what is in one in memory.
    for name in ("kept", "given"):
        container = host.shell(FILL, name, storage_opts={"size": "80m"})
        wait(lambda: "filled" in host.log(container), 60)  # noqa: B023 - it is waited for within the turn
    subprocess.run(["sync"], check=True)
    wanted: dict[str, Any] = {option: "160m"}
    limit(host, "kept", **wanted)
    before = {name: usage(host, name)["memory"] for name in ("kept", "given")}
    with suppress(OSError):  # as far as it can
        cgroups.write_file(f"{cgroups.cgroups().directories('pycontainers')[0]}/memory.reclaim", "30M")
    lost = {name: before[name] - usage(host, name)["memory"] for name in before}
    assert lost["kept"] < 4 * MIB < 20 * MIB < lost["given"], (before, lost)
