# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's program has from whoever started it: nothing."""
from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.process_calls import _NUMBERS
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

REPOSITORY = Path(__file__).resolve().parents[5]
RUNTIME = "ansible_collections.pycontainers.linux.plugins.module_utils.runtime"


def burden() -> None:
    """Be someone with limits, little time and one processor. To raise a hard limit may be beyond the tests' rights."""
    little = {resource.RLIMIT_NOFILE: 200, resource.RLIMIT_FSIZE: 1 << 30, resource.RLIMIT_STACK: 1 << 20}
    for limit, soft in little.items():
        resource.setrlimit(limit, (soft, resource.getrlimit(limit)[1]))
    os.nice(7)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    Path("/proc/self/oom_score_adj").write_text("300")


def limits(pid: int) -> dict[str, tuple[str, str]]:
    """The soft and hard limits of a process."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): (line[26:47].strip(), line[47:68].strip()) for line in lines}


def test_a_program_has_nothing_of_who_started_it(host: Host) -> None:
    """Limits, priority, processors and the OOM score are the defaults, whoever calls the command line."""
    host.run()
    host.ok("stop", "c")
    started = host.cli("start", "c", preexec_fn=burden)
    assert started.returncode == 0, started.stderr
    pid = host.pid()
    found = limits(pid)
    assert found["Max open files"][0] == "1024"
    assert found["Max stack size"] == ("8388608", "unlimited")
    assert found["Max file size"] == ("unlimited", "unlimited")
    assert found["Max core file size"][0] == "0"
    assert found["Max pending signals"] == limits(1)["Max pending signals"]
    assert os.getpriority(os.PRIO_PROCESS, pid) == 0
    assert os.sched_getaffinity(pid) == os.sched_getaffinity(1)
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "0\n"


def test_a_session_keyring_is_left(tmp_path: Path) -> None:
    """The keys of whoever starts a container are not the container's: it gets another session keyring."""
    number = _NUMBERS[os.uname().machine]["keyctl"]
    script = f"""\
import ctypes
from {RUNTIME}.oci.surroundings import settle
keyctl = lambda *words: ctypes.CDLL(None).syscall({number}, *words)
keyctl(1, b"mine")
before = keyctl(0, -3, 0)
settle()
print(before, keyctl(0, -3, 0))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=30
    )
    before, after = map(int, done.stdout.split())
    assert before > 0
    assert after not in (before, -1)
