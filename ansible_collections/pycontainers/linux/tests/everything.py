# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run all tests, in two processes of pytest at a time, each in namespaces and cgroups of its own.

Much of what a test does is to wait, for a host to boot or a container to end. Plugins that spread tests over processes
give those threads, and a thread's namespaces are not its process's.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parents[3]
AT_ONCE = 2
FILES = 6
"""How many files of kernel tests one process runs: few, so that both end at about the same time."""

PROGRESS = re.compile(r"^[.sFExX]+ +\[ *\d+%\]\n", re.MULTILINE)


def portions() -> Iterator[tuple[str, ...]]:
    """Arguments of pytest for each process, those first that run for longest."""
    # One after the other, so that only one of them builds what hosts are made of.
    yield str(TESTS / "integration"), str(TESTS / "scenarios")
    files = sorted(map(str, (TESTS / "kernel").glob("test_*.py")))
    for start in range(0, len(files), FILES):
        yield tuple(files[start : start + FILES])
    yield str(TESTS / "unit"), str(ROOT / "testbed" / "registry" / "tests")


def run(folder: str, paths: tuple[str, ...]) -> str:
    """Run pytest for some paths with a folder for what they make, tell how it went; what it said, if a test failed."""
    began = time.monotonic()
    # Of the usual folder pytest takes away, whenever it starts, the right of others to enter, which some tests give.
    command = [sys.executable, "-m", "pytest", "-q", f"--basetemp={folder}", *paths]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    names = " ".join(Path(each).name.removeprefix("test_").removesuffix(".py") for each in paths)
    result = "passed" if not done.returncode else f"FAILED ({done.returncode})"
    said = f"{PROGRESS.sub('', done.stdout).strip()}\n{names}: {result} in {time.monotonic() - began:.0f} s"
    print(said, flush=True)
    return said if done.returncode else ""


def main() -> int:
    """Run all, and tell once more of those that failed, which a long log would hide; 1 if any did."""
    with (
        tempfile.TemporaryDirectory(prefix="pycontainers-", ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(AT_ONCE) as beside,
    ):
        all_paths = list(portions())
        # Short names, as those of sockets have to be.
        folders = (f"{folder}/{number}" for number in range(len(all_paths)))
        failed = [said for said in beside.map(run, folders, all_paths) if said]
    for said in failed:
        print(f"\nFAILED, once more:\n{said}", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
