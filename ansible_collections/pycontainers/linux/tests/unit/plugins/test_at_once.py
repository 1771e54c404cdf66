# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.plugin_utils.at_once import at_once


def test_answers_are_by_name_in_order() -> None:
    """All calls are made, more than there may be at a time too, and what each returned is its name's."""
    names = [f"n{number}" for number in range(9)]
    found = at_once(names, lambda name: [name, "x" * 200_000], most=2, seconds=60)
    assert list(found) == names
    assert [each[0] for each in found.values()] == names
    assert {len(each[1]) for each in found.values()} == {200_000}


def test_no_more_than_wanted_run_at_a_time(tmp_path: Path) -> None:
    """A call that begins finds as many others running as there may be, and never more."""

    def call(name: str) -> int:
        (tmp_path / name).touch()
        time.sleep(0.05)
        there = len(list(tmp_path.iterdir()))
        (tmp_path / name).unlink()
        return there

    found = at_once([str(number) for number in range(8)], call, most=3, seconds=60)
    assert max(found.values()) <= 3


def test_a_call_that_fails_is_an_exception() -> None:
    """What a call raises is told, on one line, and the others go on."""

    def call(name: str) -> str:
        if name == "bad":
            raise ValueError("one\n  two")
        if name == "gone":
            os._exit(3)
        return name

    found = at_once(["bad", "gone", "good"], call, most=3, seconds=60)
    assert [str(found["bad"]), found["good"]] == ["one two", "good"]
    assert isinstance(found["gone"], ChildProcessError)


def test_a_late_call_ends_with_all_it_started(tmp_path: Path) -> None:
    """A call that takes too long is ended, and so is the program that it waits for; the others have their answers."""

    def call(name: str) -> str:
        if name == "late":
            with subprocess.Popen(["sleep", "60"]) as sleeper:
                (tmp_path / "pid").write_text(str(sleeper.pid))
        return name

    found = at_once(["late", "good"], call, most=1, seconds=1)
    assert isinstance(found["late"], TimeoutError)
    assert found["good"] == "good"
    status = Path("/proc", (tmp_path / "pid").read_text(), "status")
    for _ in range(100):
        if not status.exists() or "(zombie)" in status.read_text():
            return
        time.sleep(0.1)
    raise AssertionError("the program that a late call has started is still there")


def test_nothing_is_left_open() -> None:
    """All pipes are closed and all processes waited for."""

    def left() -> tuple[list[str], str]:
        return os.listdir("/proc/self/fd"), Path(f"/proc/self/task/{os.getpid()}/children").read_text()

    before = left()
    at_once(["one", "two"], lambda name: name, most=2, seconds=60)
    assert left() == before
