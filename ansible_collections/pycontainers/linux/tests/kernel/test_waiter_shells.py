# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays with a container does the same as the small shell and as the one that every host has."""
from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import programs, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.health_bench import becomes, check


@pytest.fixture(params=["small", "common"])
def shell(request: pytest.FixtureRequest) -> Iterator[str]:
    """The path of either shell; for the common one the small one is hidden in the tests' own mount namespace."""
    if request.param == "small":
        if programs.shell() != programs.SMALL_SHELL:
            pytest.skip(f"{programs.SMALL_SHELL} is missing here, or needs a dynamic linker")
        yield os.path.realpath(programs.SMALL_SHELL)
        return
    hide = programs.shell() == programs.SMALL_SHELL
    if hide:
        syscalls.mount("/dev/null", programs.SMALL_SHELL, flags=syscalls.MS_BIND)
    yield os.path.realpath("/bin/sh")
    if hide:
        syscalls.umount(programs.SMALL_SHELL)


def waiter(host: Host) -> int:
    """The pid of the waiter of the container, which must be there."""
    found = lifecycle.waiter(host.layout, host.observed().id or "")
    assert found is not None
    return found.pid


def test_the_end_is_recorded(host: Host, shell: str) -> None:
    """An exit status, and a signal as 128 and its number."""
    assert host.ended(host.shell("exit 37")).exit_code == 37
    container = host.run()
    os.kill(host.pid(), signal.SIGKILL)
    assert host.ended(container).exit_code == 137


def test_a_termination_is_handed_on(host: Host, shell: str) -> None:
    """The waiter goes on waiting until the program has done what it does then, and its own end is the program's."""
    container = host.shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done")
    assert os.readlink(f"/proc/{waiter(host)}/exe") == shell
    wait(lambda: "ready" in host.log(container))
    os.kill(waiter(host), signal.SIGTERM)
    assert host.ended(container).exit_code == 5


def test_the_next_run_has_the_same(host: Host, shell: str) -> None:
    """A policy starts a program again as often as it says, and who waits for it then is that shell."""
    container = host.shell("exit 3", restart_policy="on-failure", restart_retries=2)
    status = host.ended(container)
    assert (status.exit_code, status.restarts) == (3, 2)


def test_the_delay_costs_no_more(host: Host, shell: str) -> None:
    """What sleeps between two runs is that shell as well, and what comes after it has it again."""
    host.shell("exit 3", restart_policy="on-failure", restart_retries=9)

    def sleeper() -> str:
        found = lifecycle.waiter(host.layout, host.observed().id or "")
        words = Path(f"/proc/{found.pid}/cmdline").read_bytes() if found else b""
        return os.readlink(f"/proc/{found.pid}/exe") if found and b"sleep" in words else ""

    wait(lambda: sleeper() == shell)
    host.run(restart_policy="always")
    pid = host.pid()
    os.kill(pid, signal.SIGKILL)
    wait(lambda: host.pid() not in (0, pid))
    assert os.readlink(f"/proc/{waiter(host)}/exe") == shell


def test_checks_of_the_health_come_again_and_again(host: Host, shell: str) -> None:
    """The shell sleeps between two of them."""
    host.run(healthcheck=check("test ! -e /ill"))
    becomes(host, "healthy")
    host.ok("exec", "c", "touch", "/ill")
    becomes(host, "unhealthy")


def test_a_stand_in_sees_the_end(host: Host, shell: str) -> None:
    """It takes the place of a waiter that somebody has killed."""
    container = host.run()
    killed = waiter(host)
    os.kill(killed, signal.SIGKILL)
    wait(lambda: lifecycle.waiter(host.layout, container.id or "") is None)
    assert host.converge().changed
    wait(lambda: os.readlink(f"/proc/{waiter(host)}/exe") == shell)
    os.kill(host.pid(), signal.SIGKILL)
    assert host.ended(container).exit_code == 255
