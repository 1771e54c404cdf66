# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few bytes between the host's interpreter and a container's program, executed for each machine that has them."""
from __future__ import annotations

import errno
import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import trampoline
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import client

REPORT = 77
Bounce = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def channel() -> Iterator[int]:
    """The reading end of a pipe whose writing end is the descriptor that is reported to."""
    reading, writing = os.pipe()
    os.dup2(writing, REPORT)
    os.close(writing)
    os.set_blocking(reading, False)
    yield reading
    os.close(reading)
    os.close(REPORT)


@pytest.fixture(params=["x86_64", "aarch64"])
def bounce(request: pytest.FixtureRequest, tmp_path: Path) -> Bounce:
    """Executes the program for a machine, by an emulator where it is another one than this."""
    file = tmp_path / "bounce"
    file.write_bytes(trampoline.program(request.param, REPORT))
    file.chmod(0o755)
    if request.param == os.uname().machine:
        emulator, environment = [], dict(os.environ)
    else:
        name = f"qemu-{request.param}"
        emulator, environment = [name, "-0"], {**os.environ, **client(name)}

    def execute(path: str, *arguments: str, descriptors: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*emulator, path, str(file), *arguments] if emulator else [path, *arguments]
        return subprocess.run(
            command,
            executable=None if emulator else file,
            env=environment,
            pass_fds=descriptors,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    return execute


def test_it_becomes_the_program(bounce: Bounce, channel: int) -> None:
    """Arguments and variables are the program's, and what is reported to is not."""
    script = f"echo $0 $1 $HOME; test -e /proc/self/fd/{REPORT} || echo closed"
    done = bounce("/bin/sh", "sh", "-c", script, "zero", "one", descriptors=(REPORT,))
    assert done.stdout.splitlines()[0].startswith("zero one /")
    assert done.stdout.splitlines()[1:] == ["closed"]
    with pytest.raises(BlockingIOError):
        os.read(channel, 1)


def test_it_reports_why_it_does_not(bounce: Bounce, channel: int) -> None:
    """The number of the error follows what begins such a message."""
    assert bounce("/nowhere", "x", descriptors=(REPORT,)).returncode == 126
    assert os.read(channel, 99) == trampoline.FAILED + bytes([errno.ENOENT])


def test_it_ends_when_there_is_nobody_to_report_to(bounce: Bounce) -> None:
    """So it does when a script names it as its interpreter, instead of executing itself for ever."""
    done = bounce("/bin/echo", "echo", "said")
    assert (done.returncode, done.stdout) == (126, "")


def test_it_can_not_be_changed() -> None:
    """Nobody who opens it can write to it, cut it or make it longer, root neither."""
    made = trampoline.sealed()
    assert made is not None
    before = os.pread(made.program, 4096, 0)
    descriptor = os.open(f"/proc/self/fd/{made.program}", os.O_RDWR)
    try:
        for act in (
            lambda: os.write(descriptor, b"x"),
            lambda: os.ftruncate(descriptor, 0),
            lambda: os.ftruncate(descriptor, 1 << 20),
            lambda: fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0),
        ):
            with pytest.raises(PermissionError):
                act()
        assert os.pread(made.program, 4096, 0) == before
    finally:
        for each in (descriptor, *made):
            os.close(each)
