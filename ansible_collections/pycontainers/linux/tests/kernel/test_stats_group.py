# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a control group has used, in the version of this kernel and in version 2 of another one."""
from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.statistics import statistics, swap
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_usage import (
    Reading,
    document,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limit_steps import limit_steps
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import Limits
from ansible_collections.pycontainers.linux.tests.kernel import other_kernel

MEBIBYTE = 1 << 20
LIMIT = 32 * MEBIBYTE
SPEND = "sum(range(3_000_000))"


@pytest.fixture
def group() -> Iterator[str]:
    """Give a group with a limit of memory."""
    groups, path = cgroups.cgroups(), "pycontainers/stats-group"
    groups.create(path)
    for step in limit_steps(path, Limits(memory=LIMIT), None):
        step.do()
    yield path
    cgroups.remove(groups, path)


def _in_group(path: str, script: str) -> int:
    """Run a program of Python's in the group; its exit status."""
    join = partial(cgroups.join, cgroups.cgroups().directories(path))
    return subprocess.run([sys.executable, "-I", "-S", "-c", script], preexec_fn=join, check=False).returncode


def test_what_a_group_has_used(group: str) -> None:
    """Its limit, the time it has spent, the most memory that it held, and what was killed for more."""
    groups = cgroups.cgroups()
    assert _in_group(group, f"x = b'x' * {8 * MEBIBYTE}; {SPEND}") == 0
    assert _in_group(group, f"x = b'x' * {99 * MEBIBYTE}") == -9
    read = statistics(groups, group)
    reading = Reading(
        1.0, read, {}, swap(groups, group, read["memory"]), cgroups.killed_for_memory(groups, group)
    )
    found = document(Container(name="g", id="g"), reading, None, 1 << 40)
    assert (found["memory_limit"], found["oom_kills"], found["pids_current"]) == (LIMIT, 1, 0)
    assert 0 <= found["memory_usage"] <= LIMIT
    assert found["memory_peak"] is None or 8 * MEBIBYTE < found["memory_peak"] <= LIMIT
    assert found["cpu_usage"] > 0
    assert (found["pids_limit"], found["swap_usage"], found["swap_limit"]) == (None, 0, None)


def test_the_same_in_version_2(tmp_path: Path) -> None:
    """In a kernel that has that, whatever this one has."""
    lacks = other_kernel.missing()
    if lacks:
        pytest.skip(lacks)
    options = ["-k", "not version_2", "-q", "--color=no", "-p", "no:cacheprovider", "--basetemp=/run/tests"]
    status, said = other_kernel.run(tmp_path, [sys.executable, "-m", "pytest", *options, __file__], 120)
    assert status == 0, said
    assert re.search(r"^1 passed, 1 deselected in", said, re.MULTILINE), said
