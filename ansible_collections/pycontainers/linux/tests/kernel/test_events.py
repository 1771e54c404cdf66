# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verb events tells of containers as things happen to them."""
from __future__ import annotations

import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, journal
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.terminal_bench import attached


def told(host: Host, *words: str) -> list[str]:
    """What has happened, a word and what is special to it for each."""
    found = []
    for line in host.ok("events", "--since", "1", "--until", "0s", "--json", *words).splitlines():
        event = json.loads(line)
        own = {"exitCode", "signal", "oldName", "killed"} & set(event["Actor"]["Attributes"])
        found.append(" ".join([event["Action"], *(event["Actor"]["Attributes"][each] for each in sorted(own))]))
    return found


def forget(host: Host) -> None:
    """Begin the journal anew."""
    Path(host.layout.events, "output").unlink(missing_ok=True)


def test_a_life_is_told(host: Host) -> None:
    """Every change of state is one event, whoever makes it, with how it has ended; what changes nothing is none."""
    task: dict[str, Any] = {"image": host.busybox, "command": ["sleep", "1000"], "stop_timeout": 0}
    host.converge(**task, check=True)
    assert not os.path.exists(host.layout.events)
    host.converge(**task)
    assert told(host) == ["create", "start"]
    assert not host.converge(**task).changed
    host.converge(**task, env={"A": "1"}, check=True)
    host.ok("pause", "c")
    host.ok("unpause", "c")
    host.converge(paused=True)
    host.converge(paused=False)
    host.ok("rename", "c", "d")
    host.ok("rename", "d", "c")
    assert told(host)[2:] == ["pause", "unpause", "pause", "unpause", "rename c", "rename d"]
    forget(host)
    host.converge(state="stopped")
    host.converge(state="stopped")
    assert told(host) == ["kill 15", "die 137", "stop"]
    host.converge(state="started")
    forget(host)
    host.ok("kill", "c")
    host.ended(host.observed())
    host.converge(state="absent")
    assert told(host) == ["kill 9", "die 137", "destroy"]


def test_restarts_are_told(host: Host) -> None:
    """By a task and by hand as an event of its own; by the policy as an end and a start, with the exit status."""
    host.run()
    forget(host)
    host.converge(restart=True)
    expected = ["kill 15", "die 137", "stop", "start", "restart"]
    assert told(host) == expected
    host.ok("restart", "-t", "0", "c")
    assert told(host) == expected * 2
    forget(host)
    host.ended(host.shell("exit 3", name="d", restart_policy="on-failure", restart_retries=1))
    assert told(host) == ["create", "start", "die 3", "start", "die 3"]


def test_a_replacement_is_told_of_both(host: Host) -> None:
    """The new container is made, the old one ends, the new one starts, and the old one is gone; by their ids."""
    old, new = host.run().id or "", host.run(env={"A": "1"}).id or ""
    assert told(host, "--filter", f"container={old}") == ["create", "start", "kill 15", "die 137", "stop", "destroy"]
    assert told(host, "--filter", f"container={new}") == ["create", "start"]
    assert told(host)[2:4] == ["create", "kill 15"]


def test_what_removes_itself_is_told_to_its_end(host: Host) -> None:
    """The last word is that it is gone, also of one that never came to run."""
    host.ok("run", "-d", "--rm", "--name", "once", host.busybox, "true")
    wait(lambda: "destroy" in told(host))
    assert told(host) == ["create", "start", "die 0", "destroy"]
    forget(host)
    host.failure("run", "-d", "--name", "once", host.busybox, "no-such-program", code=127)
    assert told(host) == ["create", "destroy"]


def test_health_is_told_when_it_changes(host: Host) -> None:
    """Once for each change, not for each check."""
    check = {"test": ["CMD", "test", "-e", "/well"], "interval": "50ms", "retries": 1, "timeout": "5s"}
    container = host.shell("touch /well; sleep 1000", healthcheck=check)
    wait(lambda: "health_status: healthy" in told(host))
    log = Path(host.layout.running(container.id or "", "health.json"))
    before = log.stat().st_mtime_ns
    wait(lambda: log.stat().st_mtime_ns != before)
    host.ok("exec", "c", "rm", "/well")
    wait(lambda: "health_status: unhealthy" in told(host))
    found = told(host, "--filter", "event=health_status")
    assert found == ["health_status: healthy", "health_status: unhealthy"]


def test_want_of_memory_is_told(host: Host) -> None:
    """With how many processes the kernel has killed in the run, before its end."""
    host.ended(host.shell("head -c 64m /dev/zero | tail; exit 4", memory="8m", memory_swap="8m"))
    assert told(host)[-2:] == ["oom 1", "die 4"]


def test_they_are_followed(host: Host) -> None:
    """What happens is told when it does, also as a new file is begun; what was before, if that is asked."""
    host.run()
    path = Path(host.layout.events, "output")
    with host.beside("events", "--json", "--filter", "event=pause", "--filter", "event=unpause") as following:
        wait(lambda: attached(following.pid))
        host.ok("pause", "c")
        assert _next(following)["Action"] == "pause"
        with path.open("ab") as file:
            file.write(b"x" * journal.LIMIT + b"\n")
        host.ok("unpause", "c")
        assert _next(following)["Action"] == "unpause"
        host.ok("pause", "c")
        assert _next(following)["Action"] == "pause"
    assert sorted(os.listdir(host.layout.events)) == ["output", "output.1"]
    with host.beside("events", "--since", "1h", "--until", f"{time.time() + 1:.3f}") as following:
        out, _ = following.communicate(timeout=30)
    assert following.returncode == 0
    assert [line.split()[2] for line in out.decode().splitlines()] == ["create", "start", "pause", "unpause", "pause"]


def _next(following: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert following.stdout is not None
    assert select.select([following.stdout], [], [], 30)[0]
    return dict(json.loads(following.stdout.readline()))


def test_a_journal_that_can_not_be_written_keeps_nothing_from_being_done(host: Host) -> None:
    """What is in its way is left there."""
    Path(host.layout.events).write_text("in the way")
    host.run()
    host.converge(state="absent")
    assert container_state.identities(host.layout) == []
    assert Path(host.layout.events).read_text() == "in the way"
