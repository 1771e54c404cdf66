# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many things done at a time by some processes."""
from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.side_by_side import in_order


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """Neither descriptors nor children are left."""
    before = os.listdir("/proc/self/fd")
    children = Path("/proc/thread-self/children").read_text()
    yield
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert Path("/proc/thread-self/children").read_text() == children


def test_each_comes_after_those_that_it_names(tmp_path: Path) -> None:
    """All are done once, in an order that holds, by no more processes than there may be."""
    log = tmp_path / "log"
    edges = {"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set(), **{f"e{number}": set() for number in range(20)}}

    def act(each: str) -> None:
        with log.open("a") as file:
            file.write(f"{each} {os.getpid()}\n")

    seen: list[str] = []
    assert in_order(edges, act, 3, seen.append) == []
    lines = [line.split() for line in log.read_text().splitlines()]
    done = [each for each, _ in lines]
    assert sorted(done) == sorted(edges) == sorted(seen)
    assert done.index("d") < min(done.index("b"), done.index("c")) <= max(done.index("b"), done.index("c"))
    assert done.index("a") > max(done.index("b"), done.index("c"))
    assert len({pid for _, pid in lines}) <= 3


def test_they_are_done_at_the_same_time(tmp_path: Path) -> None:
    """Each can wait for what another one does."""

    def act(each: str) -> None:
        (tmp_path / each).touch()
        end = time.monotonic() + 10
        while len(os.listdir(tmp_path)) < 4:
            assert time.monotonic() < end
            time.sleep(0.005)

    assert in_order({each: set() for each in "abcd"}, act, 4) == []


def test_each_process_begins_once(tmp_path: Path) -> None:
    """What all things that one does have in common is done before the first of them, and not by the caller."""
    begun: list[int] = []

    def act(each: str) -> None:
        assert begun == [os.getpid()]
        (tmp_path / each).touch()

    assert in_order({each: set() for each in "abcd"}, act, 2, begin=lambda: begun.append(os.getpid())) == []
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c", "d"]
    assert begun == []


def test_failures_are_told_and_hold_up_nobody(tmp_path: Path) -> None:
    """One that fails, in whatever way, is a line of words; the others are done, also those that name it."""

    def act(each: str) -> None:
        (tmp_path / each).touch()
        if each == "a":
            raise Failure("do a", "it\ncan't be", "leave it")
        if each == "b":
            os.kill(os.getpid(), signal.SIGKILL)
        if each == "c":
            raise ValueError

    said = in_order({"a": set(), "b": {"a"}, "c": {"b"}, "d": {"c"}}, act, 1)
    ended = "the process that was to see to b has ended"
    assert said == ["cannot do a: it can't be; leave it", ended, "ValueError()"]
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c", "d"]
