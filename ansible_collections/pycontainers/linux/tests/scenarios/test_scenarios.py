# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule's scenarios that are quick: `./dev molecule` runs those with a reboot, an upgrade and Debian too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "molecule/run.py"


@pytest.mark.parametrize("name", ["default", "site"])
def test_a_scenario_passes(name: str) -> None:
    """Hosts are made, converged, checked, verified and removed, and molecule is content with each step."""
    if os.geteuid() != 0:
        pytest.skip("the hosts of the testbed need root: they are namespaces")
    done = subprocess.run(
        [sys.executable, str(RUN), name],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert f"{name}: passed in" in done.stdout
