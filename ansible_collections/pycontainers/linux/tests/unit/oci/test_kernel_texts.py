# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel writes about mounts and processes, and how it is read."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import mounts
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import Mount
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.overlay import Overlay, _escape, overlay
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.process import (
    Process,
    parse_stat,
    process,
)

STAT = "{pid} ({name}) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {start} 1000 100\n"
paths = some.text("\\:,\t\n =#aé", min_size=1).map("/{}".format)


def shown(option: str) -> str:
    """An overlay's option as mountinfo shows it (fs/overlayfs/super.c, seq_escape)."""
    return "".join(f"\\{ord(each):03o}" if each in ", \t\n\\" else each for each in option)


@given(some.lists(paths, min_size=1, max_size=4), paths, paths)
def test_an_overlay_is_read_as_it_was_mounted(lower: list[str], upper: str, work: str) -> None:
    """Whatever characters its directories have, they come back out of the mount table one by one."""
    escaped = [_escape(each) for each in (*lower, upper, work)]
    words = f"lowerdir={':'.join(escaped[:-2])}", f"upperdir={escaped[-2]}", f"workdir={escaped[-1]}"
    line = f"36 35 0:25 / /m rw,relatime shared:1 - overlay overlay rw,{','.join(map(shown, words))},xino=off\n"
    assert overlay(mounts._mount(line)) == Overlay(tuple(lower), upper, work)


def test_a_read_only_overlay_has_no_upper_directory() -> None:
    """Where there is none, upper and work are empty."""
    found = overlay(Mount("/m", "overlay", "overlay", ("ro", "lowerdir=/a:/b")))
    assert found == Overlay(("/a", "/b"), "", "")


@pytest.mark.parametrize(
    ("line", "mount"),
    [
        (
            "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
            Mount("/mnt 2", "ext3", "/dev/root", ("rw", "noatime", "rw", "errors=continue")),
        ),
        ("36 35 0:3 / /p rw - proc proc rw\n", Mount("/p", "proc", "proc", ("rw", "rw"))),
        ("36 35 0:3 / /t\\134n rw - tmpfs  rw\n", Mount("/t\\n", "tmpfs", "", ("rw", "rw"))),
    ],
)
def test_mounts_are_read(line: str, mount: Mount) -> None:
    """A line of mountinfo is read with its optional fields, escapes and empty source."""
    assert mounts._mount(line) == mount


@given(
    pid=some.integers(1, 2**22),
    start=some.integers(0, 2**63 - 1),
    name=some.text(some.characters(codec="utf-8", exclude_characters="\n\0"), max_size=15),
)
def test_a_process_is_read_whatever_its_name(pid: int, start: int, name: str) -> None:
    """Pid, start and state are found, also where the name looks like the fields after it."""
    assert parse_stat(STAT.format(pid=pid, name=name, start=start)) == (Process(pid, start), "S")


@pytest.mark.parametrize("name", ["a) S (b", ") R 1 1 1", "(", ")", "", "a b) Z 2 3 4 5 6 7 8 9"])
def test_a_name_can_not_pass_for_fields(name: str) -> None:
    """A name with parentheses and spaces makes no other process of it."""
    assert parse_stat(STAT.format(pid=7, name=name, start=99)) == (Process(7, 99), "S")


@pytest.mark.parametrize("line", ["", "\n", "7 (a", "7 (a) S 1 1", "x (a) " + "1 " * 30])
def test_a_line_that_is_cut_off_is_no_process(line: str) -> None:
    """What is no whole line says nothing."""
    assert parse_stat(line) is None


@pytest.fixture
def child() -> Iterator[int]:
    """A process that waits to be ended."""
    pid = os.fork()
    if not pid:
        signal.pause()
        os._exit(1)
    yield pid
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_process_is_told_by_its_start(child: int) -> None:
    """A process lives as long as it is the one that was started then, and is no zombie."""
    found = process(child)
    assert found is not None
    assert found.alive
    assert not Process(child, found.start + 1).alive
    assert not Process(child, found.start + 1).signal(signal.SIGKILL)
    assert not found.wait(0)
    assert found.signal(signal.SIGKILL)
    assert found.wait(10)
    assert not found.alive
    assert not found.signal(signal.SIGKILL)
    os.waitpid(child, 0)
    assert process(child) is None
    assert found.wait(0)
