# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many containers at once whose programs end as soon as they are started. PYCONTAINERS_LOOPS is how many."""
from __future__ import annotations

import os
import time
from itertools import pairwise

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import restart_policy, supervise
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, wait

LOOPS = int(os.environ.get("PYCONTAINERS_LOOPS", "20"))
SECONDS = 3.0
EACH = 2
"""Processes of ours that a container in a crash loop has: who waits or begins the next run, and the first of that."""


def test_many_crash_loops_at_once(host: Host) -> None:
    """Each waits twice as long each time, whatever the others do; processes and logs grow no further than that."""
    script = "cat /proc/uptime; exit 1"
    loops = [host.shell(script, f"loop{number}", restart_policy="always") for number in range(LOOPS)]
    end, most, busy = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end:
        there = processes(host.layout)
        most, busy = max(most, len(there)), max(busy, sum(" resume " in each and "flock" not in each for each in there))
        time.sleep(0.1)
    assert most <= EACH * LOOPS
    # Those are looked at one after the other, and one may have begun when another one has just ended.
    assert busy <= 2 * (os.cpu_count() or 1)
    wait(lambda: all(host.log(each).count("\n") > 2 for each in loops), max(60, LOOPS))
    assert supervise.shutdown(host.layout) == []
    for each in loops:
        moments = [float(line.split()[0]) for line in host.log(each).splitlines()]
        gaps = [second - first for first, second in pairwise(moments)]
        assert len(gaps) >= 2
        # The kernel tells the time in hundredths.
        assert all(gap >= restart_policy.delay(number) - 0.01 for number, gap in enumerate(gaps)), gaps
    wait(lambda: processes(host.layout) == [])
    assert [host.observed(each.name).remains for each in loops] == [()] * LOOPS
