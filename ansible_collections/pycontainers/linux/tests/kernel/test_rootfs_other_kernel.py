# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of root filesystems in a kernel that has project quotas, whatever this one was built with."""
from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.tests.kernel import other_kernel
from ansible_collections.pycontainers.linux.tests.kernel.conftest import LENT

CASES = tuple(f"test_rootfs_{each}.py" for each in ("size", "faults", "layers", "storage"))


def test_all_holds_in_a_kernel_with_quotas(stored: tuple[Layout, str], tmp_path: Path) -> None:
    """Every case of sizes passes there, by quotas of ext4 and xfs and by images that grow: none is skipped."""
    lacks = other_kernel.missing()
    if lacks:
        pytest.skip(lacks)
    here = Path(__file__).parent
    # What breaks with an image does so in any kernel.
    options = ["-k", "not (breaks and image)", "-q", "--color=no", "-p", "no:cacheprovider", "--basetemp=/run/tests"]
    words = ["env", f"{LENT}={stored[0].root} {stored[1]}", sys.executable, "-m", "pytest", *options]
    status, said = other_kernel.run(tmp_path, [*words, *(str(here / case) for case in CASES)], 240)
    assert status == 0, said
    assert re.search(r"^\d+ passed, \d+ deselected in", said, re.MULTILINE), said
