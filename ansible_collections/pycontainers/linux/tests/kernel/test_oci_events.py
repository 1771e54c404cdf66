# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a container's use of memory, CPU and processes."""
from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci

MEBIBYTE = 1 << 20


def _limited(document: dict[str, Any]) -> None:
    document["linux"]["resources"] |= {"memory": {"limit": 32 * MEBIBYTE}, "pids": {"limit": 20}}


def test_statistics_are_what_the_kernel_counts(oci: Oci) -> None:
    """Once, as clients ask for it: limits, what is used of them, and the time that was spent."""
    oci.configure("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 1000", change=_limited)
    oci.run()
    event = json.loads(oci.ok("events", "--stats", "c"))
    assert (event["type"], event["id"]) == ("stats", "c")
    data = event["data"]
    assert data["memory"]["usage"]["limit"] == 32 * MEBIBYTE
    assert 0 < data["memory"]["usage"]["usage"] < 32 * MEBIBYTE
    assert data["pids"]["limit"] == 20
    assert data["pids"]["current"] >= 1
    assert data["cpu"]["usage"]["total"] > 0
    assert data["memory"]["raw"]["pgfault"] > 0


def test_events_are_told_until_the_container_ends(oci: Oci) -> None:
    """Statistics at each interval, and that a process was ended for want of memory; then the verb ends by itself."""
    hungry = "sleep 1; sh -c 'x=$(head -c 60000000 /dev/zero | tr \"\\0\" x)'; sleep 2"
    oci.configure("sh", "-c", hungry, change=_limited)
    oci.run()
    told = subprocess.run(
        [COMMAND, "--root", str(oci.root), "events", "--interval", "300ms", "c"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    kinds = [json.loads(line)["type"] for line in told.stdout.splitlines()]
    assert kinds.count("stats") > 1
    assert "oom" in kinds


@pytest.mark.parametrize("interval", ["0s", "-1s", "soon", "1e9s"])
def test_an_interval_is_a_time_above_zero(oci: Oci, interval: str) -> None:
    """Others are refused with the value and an example."""
    oci.create()
    done = oci.call("events", f"--interval={interval}", "c")
    assert done.returncode == 1
    assert "--interval" in done.stderr
    assert "500ms" in done.stderr


def test_there_is_nothing_to_tell_of_a_stopped_container(oci: Oci) -> None:
    """In the words that clients look for."""
    oci.configure("true")
    oci.run()
    oci.ended()
    assert "container not running" in oci.call("events", "--stats", "c").stderr
