# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""That the kernel has killed a container's processes for want of memory, where people and tasks look."""
from __future__ import annotations

import json
import os
import signal
from functools import partial
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

HUNGRY = "x=$(head -c 60000000 /dev/zero | tr '\\0' x)"
"""What takes more memory than containers here have."""

LIMIT = 32 << 20
TINY = 64 << 10
"""What no program can be executed in."""

NEVER = "0001-01-01T00:00:00Z"


def state(host: Host, name: str = "c") -> dict[str, Any]:
    """Its state as ``inspect`` shows it, which is what a task returns."""
    found: dict[str, Any] = json.loads(host.ok("inspect", name))[0]["State"]
    assert host.converge(name, state="present", check=True).facts["container"]["State"] == found
    return found


def in_list(host: Host) -> str:
    """The line of the one container in ``ps -a``."""
    return host.ok("ps", "-a").splitlines()[1]


def test_a_program_that_is_killed_for_memory(host: Host) -> None:
    """It is said in the list, in its state and as its error, with when, and the limit."""
    container = host.shell(HUNGRY, memory=LIMIT)
    assert host.ended(container).exit_code == 137
    assert "Exited (137)" in in_list(host)
    assert "ago (out of memory)" in in_list(host)
    found = state(host)
    assert (found["OOMKilled"], found["OomKills"]) == (True, 1)
    assert found["OomKilledAt"] == found["FinishedAt"] != NEVER
    ended = f"the kernel killed its program for want of memory at {found['FinishedAt']}"
    assert found["Error"] == f"{ended}, with a memory limit of {LIMIT} bytes"


def test_a_program_that_somebody_kills(host: Host) -> None:
    """The same status without a lack of memory is not taken for one."""
    container = host.run(memory=LIMIT)
    os.kill(host.pid(), signal.SIGKILL)
    assert host.ended(container).exit_code == 137
    assert "memory" not in in_list(host)
    found = state(host)
    assert (found["OOMKilled"], found["OomKills"], found["OomKilledAt"], found["Error"]) == (False, 0, NEVER, "")


def test_a_process_that_is_killed_in_a_container_that_goes_on(host: Host) -> None:
    """It counts while the container runs and after it, though the program ended otherwise."""
    # One process alone holds it all, so that the kernel has no choice which to kill.
    script = "dd if=/dev/zero of=/dev/null bs=60M count=1 2>/dev/null; echo $?; sleep 1000"
    container = host.shell(script, memory=LIMIT)
    wait(lambda: host.log(container).endswith("137\n"))
    found = state(host)
    assert (found["Running"], found["OOMKilled"], found["OomKills"], found["OomKilledAt"]) == (True, True, 1, NEVER)
    host.ok("stop", "c")
    assert "Exited (137)" in in_list(host)
    assert "memory" not in in_list(host)
    found = state(host)
    assert (found["Running"], found["OOMKilled"], found["OomKills"], found["Error"]) == (False, True, 1, "")


def test_a_program_whose_end_has_not_been_recorded_yet(host: Host) -> None:
    """That it was killed for memory is told at once, and counted once."""
    container = host.shell(f"read n < /hold; {HUNGRY}", memory=LIMIT, volumes=[f"{_fifo(host)}:/hold"])
    waiter = lifecycle.waiter(host.layout, container.id or "")
    assert waiter is not None
    os.kill(waiter.pid, signal.SIGSTOP)
    _say(_fifo(host), "go")
    wait(lambda: not host.pid())
    assert (state(host)["OOMKilled"], state(host)["OomKills"]) == (True, 1)
    os.kill(waiter.pid, signal.SIGCONT)
    assert host.ended(container).oom_kills == 1
    assert (state(host)["OOMKilled"], state(host)["OomKills"]) == (True, 1)


def test_what_is_killed_in_each_run_is_counted(host: Host) -> None:
    """Over the runs that the policy makes and those that people start; a good run is not said to be a bad one."""
    script = f"echo run; read n < /hold; echo $n; [ $n = good ] || {HUNGRY}; sleep 1000"
    fifo = _fifo(host)
    container = host.shell(script, memory=LIMIT, restart_policy="always", volumes=[f"{fifo}:/hold"])
    for count in (1, 2):
        _say(fifo, "bad")
        wait(partial(_runs, host, container, count + 1))
        found = state(host)
        assert (found["Running"], found["OOMKilled"], found["OomKills"]) == (True, False, count)
        assert found["OomKilledAt"] == found["FinishedAt"]
        assert lifecycle.running(host.layout, container.id or "")
    _say(fifo, "good")
    wait(lambda: host.log(container).endswith("good\n"))
    host.ok("restart", "-t", "0", "c")
    found = state(host)
    assert (found["OOMKilled"], found["OomKills"], found["Error"]) == (False, 2, "")
    _say(fifo, "bad")
    wait(lambda: container_state.status(host.layout, container.id or "").oom_kills == 3)


def _runs(host: Host, container: Container, count: int) -> bool:
    return host.log(container).count("run\n") == count


def _fifo(host: Host) -> str:
    path = f"{host.layout.root}/fifo"
    if not os.path.exists(path):
        os.mkfifo(path)
    return path


def _say(fifo: str, word: str) -> None:
    with open(fifo, "w") as file:
        file.write(f"{word}\n")


def test_a_container_that_has_not_even_the_memory_to_start(host: Host) -> None:
    """The failure says what the kernel did, and by which limit."""
    killed = "the kernel killed its first process for want of memory at 20.*Z"
    said = rf"^cannot start container c \(.*\): {killed}, with a memory limit of {TINY} bytes; give it more memory$"
    with pytest.raises(Failure, match=said):
        host.run(memory=TINY)
    assert host.cli("ps", "-a").stdout.count("\n") == 1


def test_a_change_that_leaves_too_little_memory_puts_the_old_one_back(host: Host) -> None:
    """What ran before runs again, nothing of the failed start is said of it, and what was counted is not again."""
    container = host.shell(f"[ -e /before ] || {{ touch /before; ({HUNGRY}); }}; echo run; sleep 1000", memory=LIMIT)
    wait(lambda: host.log(container).count("run\n") == 1)
    assert state(host)["OomKills"] == 1
    with pytest.raises(Failure, match="the kernel killed its first process"):
        host.converge(memory=TINY, command=["sleep", "2000"])
    wait(lambda: host.log(container).count("run\n") == 2)
    found = state(host)
    assert (found["Running"], found["OOMKilled"], found["OomKills"]) == (True, False, 1)
