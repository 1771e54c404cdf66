# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run molecule's scenarios of the collection and that of the example role, and tell the time that each takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MOLECULE = Path(__file__).resolve().parent
ROOT = MOLECULE.parents[3]
EXAMPLE = ROOT / "examples/site"


def scenarios() -> list[str]:
    """All names: the collection's own scenarios, and that of the example role, which is called by the role."""
    return [*sorted(path.parent.name for path in MOLECULE.glob("*/molecule.yml")), EXAMPLE.name]


def test(name: str) -> int:
    """Run a scenario from its hosts' making to their end, and return molecule's exit status."""
    with tempfile.TemporaryDirectory(prefix="pycontainers-molecule-") as folder:
        # By itself molecule keeps a scenario's state where another checkout's scenario of that name has its own.
        environment = {**os.environ, "MOLECULE_EPHEMERAL_DIRECTORY": f"{folder}/state"}
        # molecule calls ansible-playbook and pytest by their names.
        environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        if name == EXAMPLE.name:
            # Elsewhere, as its users have their roles: nothing of the checkout is found but by the variable.
            place = shutil.copytree(EXAMPLE, Path(folder, name))
            name = "default"
            environment["PYCONTAINERS_CHECKOUT"] = str(ROOT)
        else:
            # molecule would rather have another directory for this, and says so where it has to look for it.
            place = MOLECULE.parent
            environment["MOLECULE_GLOB"] = "molecule/*/molecule.yml"
        command = ["molecule", "test", "--scenario-name", name]
        return subprocess.run(command, cwd=place, env=environment, check=False).returncode


def main(names: list[str]) -> int:
    """Run those that are named, or all; return 1 if any failed."""
    known = scenarios()
    if unknown := [name for name in names if name not in known]:
        print(f"molecule: there is no scenario {unknown[0]}: there are {', '.join(known)}", file=sys.stderr)
        return 1
    failed, lines = False, []
    for name in names or known:
        began = time.monotonic()
        status = test(name)
        failed = failed or status != 0
        result = "passed" if status == 0 else f"FAILED ({status})"
        lines.append(f"{name}: {result} in {time.monotonic() - began:.0f} s")
    print("\n".join(lines), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
