# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits in a kernel that has its controllers in cgroup version 2, whatever this one has, or swap."""
from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.tests.kernel import other_kernel
from ansible_collections.pycontainers.linux.tests.kernel.conftest import LENT

CASES = ("_rows", "_protected")
AT_LENGTH = ("_effects", "_chosen", "", "_sequences")
"""What ``./dev soak`` adds."""


def test_all_holds_in_cgroup_version_2(stored: tuple[Layout, str], tmp_path: Path) -> None:
    """Every limit is set, changed and cleared there, and none is skipped; in a soak all else of limits passes too."""
    cases = (*CASES, *(AT_LENGTH if "PYCONTAINERS_SEQUENCES" in os.environ else ()))
    _passes(stored, tmp_path, cases, 2)


def test_swap_with_cgroup_version_1(stored: tuple[Layout, str], tmp_path: Path) -> None:
    """What has to do with swap holds in a kernel that has some."""
    _passes(stored, tmp_path, ("_swap",), 1)


def _passes(stored: tuple[Layout, str], folder: Path, cases: tuple[str, ...], version: int) -> None:
    """Run tests of limits there, of which none fails and none is skipped."""
    lacks = other_kernel.missing()
    if lacks:
        pytest.skip(lacks)
    here = Path(__file__).parent
    # There are no bridges in it.
    options = ["-k", "not record_keeps", "-q", "--color=no", "-p", "no:cacheprovider", "--basetemp=/run/tests"]
    words = ["env", f"{LENT}={stored[0].root} {stored[1]}", sys.executable, "-m", "pytest", *options]
    words += [str(here / f"test_limits{case}.py") for case in cases]
    status, said = other_kernel.run(folder, words, 900, version=version)
    assert status == 0, said
    assert re.search(r"^\d+ passed(, \d+ deselected)? in", said, re.MULTILINE), said
