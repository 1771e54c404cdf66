# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of the testbed, told apart from later ones with the same id by their start time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from testbed.shell import write_file


def start(argv: list[str], record: Path, console: Path, env: dict[str, str]) -> None:
    """Start a program that outlives this one, record it in a file, and let it write to the end of another."""
    with console.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={**os.environ, **env},
            start_new_session=True,
        )
    write_file(record, f"{process.pid} {_start_time(process.pid)}\n")
    # It is not this program that waits for it.
    process.returncode = 0


def is_running(record: Path) -> bool:
    """Tell whether the very process that a file records is alive."""
    try:
        pid, started = record.read_text().split()
        return _start_time(int(pid)) == started
    except (FileNotFoundError, ProcessLookupError):
        return False


def _start_time(pid: int) -> str:
    """Return a process's start time in clock ticks (field 22 of /proc/PID/stat, proc(5)), or `ended` for a zombie."""
    text = Path("/proc", str(pid), "stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return "ended" if fields[0] == "Z" else fields[19]
