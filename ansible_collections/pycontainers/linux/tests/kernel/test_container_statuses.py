# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every status that a program can end with, and every signal that can end one."""
from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import client

STEP = int(os.environ.get("PYCONTAINERS_STATUSES", "15"))
"""Of the exit statuses each such one is tried; ``./dev soak`` tries all."""

LASTING = {
    signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH,
    signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
}  # fmt: skip
"""Signals that end nobody by themselves (signal(7)): ignored, or only stopping."""


def ends(host: Host, script: str, numbers: range, **values: Any) -> dict[int, int]:
    """The statuses of one container, which is started for each number in turn."""
    found = {}
    count = f"read number </count; echo $((number + {numbers.step})) >/count"
    container = host.shell(f"[ -e /count ] || echo {numbers[0]} >/count; {count}; {script}", **values)
    for number in numbers:
        if number > numbers[0]:
            host.converge()
        found[number] = host.ended(container).exit_code
    return found


def test_every_exit_status_is_recorded(host: Host) -> None:
    """What the program says with its exit status is what is told of it, from 0 to 255."""
    numbers = range(0, 256, STEP)
    assert ends(host, 'exit "$number"', numbers) == {number: number for number in numbers}


def test_every_signal_that_ends_a_program_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program below an init that a signal has ended is told as 128 and the signal's number."""
    monkeypatch.setenv("PATH", client("tini-static")["PATH"])
    # The shell is stopped by none of the others, and says 0 where a signal did not end it.
    script = 'case $number in 17|18|23|28|19|20|21|22) exit 0 ;; esac; kill -"$number" $$; exit 0'
    found = ends(host, script, range(1, 32), init=True)
    # The shell of busybox does not take the one that asks for a core.
    assert found == {number: 0 if number in {*LASTING, signal.SIGQUIT} else 128 + number for number in range(1, 32)}
