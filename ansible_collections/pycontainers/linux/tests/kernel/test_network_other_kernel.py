# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks on a parent in a kernel that has ipvlan and VLANs, whatever this one was built with."""
from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.tests.kernel import other_kernel
from ansible_collections.pycontainers.linux.tests.kernel.conftest import LENT

MODULES = ("veth", "8021q", "macvlan", "ipvlan", "nf_tables")


def test_all_holds_in_a_kernel_with_vlans(stored: tuple[Layout, str], tmp_path: Path) -> None:
    """Every case that a kernel may lack something for passes there, and none is skipped."""
    lacks = other_kernel.missing()
    if lacks:
        pytest.skip(lacks)
    # It translates no addresses, so that no network with a bridge can be had there.
    options = ["-k", "parents_network or vlan", "-q", "--color=no", "-p", "no:cacheprovider", "--basetemp=/run/tests"]
    words = ["env", f"{LENT}={stored[0].root} {stored[1]}", sys.executable, "-m", "pytest", *options]
    case = str(Path(__file__).parent / "test_network_parent.py")
    modules = other_kernel.FILESYSTEMS + MODULES
    status, said = other_kernel.run(tmp_path, [*words, case], 240, modules)
    assert status == 0, said
    assert re.search(r"^\d+ passed, \d+ deselected in", said, re.MULTILINE), said
