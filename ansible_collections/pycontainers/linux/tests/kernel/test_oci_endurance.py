# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many containers of the OCI command line, one after another and at once: the machine is afterwards as it was before.

``./dev soak`` runs more of them.
"""
from __future__ import annotations

import os
import subprocess

from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci
from ansible_collections.pycontainers.linux.tests.kernel.oci_traces import all_gone, traces

CYCLES = int(os.environ.get("PYCONTAINERS_CYCLES", "20"))
AT_ONCE = int(os.environ.get("PYCONTAINERS_AT_ONCE", "10"))


def test_one_after_another(oci: Oci) -> None:
    """Containers that are created, started and deleted, by turns stopped before and by force, leave nothing."""
    before = traces(oci.root)
    for number in range(CYCLES):
        pid = oci.run()
        if number % 2:
            oci.ok("kill", "c", "KILL")
            oci.exit_code(pid)
            oci.ok("delete", "c")
        else:
            oci.ok("delete", "--force", "c")
    all_gone(oci, before)


def test_at_once(oci: Oci) -> None:
    """Containers that are created, started and deleted at the same time leave nothing."""
    before = traces(oci.root)
    names = [f"c{number}" for number in range(AT_ONCE)]
    _together(oci, names, "create")
    _together(oci, names, "start")
    assert [oci.state(name)["status"] for name in names] == ["running"] * AT_ONCE
    _together(oci, names, "delete", "--force")
    all_gone(oci, before)


def _together(oci: Oci, names: list[str], *words: str) -> None:
    """Call a verb for all names in processes that run at the same time."""
    errors = [oci.bundle / f"errors-{name}" for name in names]
    running = []
    for name, file in zip(names, errors, strict=True):
        with open(os.devnull, "r+b") as null, open(file, "wb") as stderr:
            command = [COMMAND, "--root", str(oci.root), *words, name]
            running.append(subprocess.Popen(command, stdin=null, stdout=null, stderr=stderr, cwd=oci.bundle, env={}))
    assert [each.wait(120) for each in running] == [0] * len(names), [file.read_text() for file in errors]
    assert [file.read_text() for file in errors] == [""] * len(names)
