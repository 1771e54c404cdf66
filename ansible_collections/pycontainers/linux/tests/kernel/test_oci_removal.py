# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``delete --force`` of containers that are not as they should be: damaged records, processes that nobody reaps."""
from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci, wait


def test_a_process_that_its_caller_does_not_reap(oci: Oci) -> None:
    """What exec ran is dead when it has ended, also as a zombie of whoever called: nobody waits for it."""
    first = oci.run()
    pid_file = oci.bundle / "exec.pid"
    words = ["exec", "--detach", "--pid-file", str(pid_file), "c", "sleep", "1000"]
    # What is left to the test process is reaped at the end. The program would hold pipes open.
    subprocess.run([COMMAND, "--root", oci.root, *words], check=True, timeout=30, env={}, stdout=subprocess.DEVNULL)
    pid = int(pid_file.read_text())
    begun = time.monotonic()
    oci.ok("delete", "--force", "c")
    took = time.monotonic() - begun
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    assert (state, took < 3) == ("Z", True)
    assert oci.call("state", "c").returncode == 1
    # Its namespace's first process ends when that one is reaped.
    wait(lambda: oci.reap() or not os.path.exists(f"/proc/{first}"))
