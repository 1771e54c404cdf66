# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's process from its start to its end, and starts that fail."""
from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.process import process
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, snapshot, wait


def test_a_program_runs_and_its_output_is_kept(host: Host) -> None:
    """What the program writes to stdout and stderr is in the log, in order."""
    container = host.shell("echo out; echo err >&2; echo again")
    host.ended(container)
    assert host.log(container) == "out\nerr\nagain\n"


@pytest.mark.parametrize("code", [0, 1, 2, 42, 126, 127, 128, 255])
def test_an_exit_status_is_recorded(host: Host, code: int) -> None:
    """The status that the program ends with is the one that is recorded, and nothing is left of the run."""
    container = host.shell(f"exit {code}")
    status = host.ended(container)
    assert (status.exit_code, status.wanted, status.error) == (code, "stopped", "")
    assert status.finished_at >= status.started_at > 0
    assert host.observed().state == "stopped"
    assert host.observed().remains == ()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_an_end_by_a_signal_is_recorded(host: Host, number: signal.Signals) -> None:
    """A program that the host ends by signal n is recorded with 128 + n."""
    # Pid 1 takes only those signals of its own namespace that it handles, but from outside SIGKILL and SIGSEGV too.
    container = host.run()
    os.kill(host.pid(), signal.SIGKILL)
    if number is signal.SIGKILL:
        assert host.ended(container).exit_code == 128 + number
        return
    host.ended(container)
    container = host.shell("kill -SEGV $$; (kill -SEGV $(sh -c 'echo $PPID')); exit $?", "other")
    assert host.ended(container).exit_code == 128 + number


def test_stop_sends_the_signal_that_the_image_names(host: Host) -> None:
    """A stop sends the image's stop signal, and the program's answer to that is its exit status."""
    image = host.image("stops-by-usr1", {"StopSignal": "SIGUSR1"})
    script = "trap 'exit 33' USR1; trap 'exit 44' TERM; echo set; while :; do sleep 0.02; done"
    host.converge(image=image, command=["sh", "-c", script])
    container = host.observed()
    wait(lambda: host.log(container) == "set\n")
    host.converge(state="stopped")
    assert container_state.status(host.layout, container.id or "").exit_code == 33


def test_stop_kills_what_does_not_end_in_time(host: Host) -> None:
    """A program that ignores the stop signal is killed after the stop timeout, not before."""
    container = host.shell("trap '' TERM; echo set; while :; do sleep 0.02; done")
    wait(lambda: host.log(container) == "set\n")
    began = time.monotonic()
    host.converge(state="stopped", stop_timeout=1)
    assert time.monotonic() - began >= 1
    status = container_state.status(host.layout, container.id or "")
    assert (status.exit_code, status.wanted) == (137, "stopped")


def test_orphans_die_with_the_container(host: Host) -> None:
    """What the program has forked twice and left ends with it: its pid namespace ends."""
    host.shell("(sleep 987.125 & sleep 987.125 &); sleep 987.125")
    wait(lambda: len(_sleeping(host.pid())) == 3)
    orphans = _sleeping(host.pid())
    host.converge(state="stopped")
    assert [pid for pid in orphans if os.path.exists(f"/proc/{pid}")] == []


def _sleeping(init: int) -> list[int]:
    """The pids of the container's sleeping programs."""
    namespace = os.readlink(f"/proc/{init}/ns/pid")
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if os.readlink(f"/proc/{pid}/ns/pid") == namespace and words == b"sleep\x00987.125\0":
                found.append(int(pid))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/no/such"], 'exec: "/no/such": stat /no/such: no such file or directory'),
        (["nosuch"], 'exec: "nosuch": executable file not found in $PATH'),
        (["/etc/passwd"], 'exec: "/etc/passwd": permission denied'),
        (["/etc"], 'exec: "/etc": permission denied'),
        (["/etc/broken"], 'exec: "/etc/broken": exec format error'),
    ],
)
@pytest.mark.parametrize("volumes", [[], ["/usr/share:/mnt/share:ro"]])
def test_a_program_that_can_not_be_executed_leaves_nothing(
    host: Host, command: list[str], reason: str, volumes: list[str]
) -> None:
    """A start whose exec fails says why in one sentence, as Docker words it, and all that was made is taken away."""
    broken = host.image("broken", {}, lambda root: _write(root / "etc/broken", "no program", 0o755))
    host.network()
    before = snapshot(host.layout)
    with pytest.raises(Failure) as caught:
        host.converge(
            image=broken,
            command=command,
            volumes=volumes,
            networks=[{"name": "front"}],
            published_ports=["8099:80"],
            memory="32m",
        )
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert _without_folders(snapshot(host.layout)) == _without_folders(before)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _without_folders(found: dict[str, object]) -> dict[str, object]:
    """A snapshot without what the first container of a layout leaves: folders, empty leases, the compiled filter."""
    files = found["files"]
    assert isinstance(files, dict)
    left = re.compile(r"/networks/leases/|/root/seccomp/[0-9a-f]{64}$")
    kept = {path: what for path, what in files.items() if what[1] != "folder" and not left.search(path)}
    return {**found, "files": kept}


def test_a_start_that_fails_on_the_way_says_what_failed(host: Host) -> None:
    """When the first process can't carry out an operation, the error names it and its object."""
    file = Path(host.layout.root, "file")
    file.touch()
    with pytest.raises(Failure, match=r"bind .*/file /etc: Is a directory"):
        host.run(volumes=[f"{file}:/etc"])
    assert container_state.identities(host.layout) == []


def test_an_unknown_user_is_refused_before_anything_runs(host: Host) -> None:
    """An image that wants a user whom its /etc/passwd does not have is not started."""
    image = host.image("wants-nobody-knows", {"User": "stranger"})
    with pytest.raises(Failure, match="the image's /etc/passwd has no such user"):
        host.converge(image=image, command=["true"])
    assert container_state.identities(host.layout) == []


def test_a_broken_runtime_is_told_of(host: Host) -> None:
    """When the interpreter can't even begin, the error says what it said."""
    launcher = Path(os.path.realpath(f"{host.layout.runtimes}/current"), "pycontainers-init")
    text = launcher.read_text()
    launcher.unlink()  # it is a hard link to that of other hosts
    launcher.write_text("import nothing_of_this_name\n")
    with pytest.raises(Failure, match="No module named 'nothing_of_this_name'"):
        host.run()
    launcher.write_text(text)
    assert container_state.identities(host.layout) == []


def test_a_program_that_ends_at_once_was_started(host: Host) -> None:
    """A program that has ended before anybody looks is no failed start."""
    for _ in range(5):
        container = host.run(["true"])
        assert host.ended(container).exit_code == 0


def test_the_waiter_forwards_sigterm(host: Host) -> None:
    """SIGTERM to the waiter reaches the program, whose exit status is recorded."""
    container = host.shell("trap 'exit 5' TERM; echo set; while :; do sleep 0.02; done")
    wait(lambda: host.log(container) == "set\n")
    waiter = lifecycle.waiter(host.layout, container.id or "")
    assert waiter is not None
    os.kill(waiter.pid, signal.SIGTERM)
    assert host.ended(container).exit_code == 5


def test_the_waiter_is_a_small_shell(host: Host) -> None:
    """While a container is idle a shell of less than 200 kB of its own and a logger stay with it, and no Python."""
    host.run(name="other")  # else the pages of the shell's own file would count as this one's
    container = host.run()
    waiter = lifecycle.waiter(host.layout, container.id or "")
    assert waiter is not None
    smaps = Path(f"/proc/{waiter.pid}/smaps_rollup").read_text().splitlines()
    private = sum(int(line.split()[1]) for line in smaps if line.startswith("Private_"))
    assert private < 200
    assert "python" not in os.path.realpath(f"/proc/{waiter.pid}/exe")
    assert [line for line in processes(host.layout) if not line.startswith(("sh -c", "s6-log -b"))] == []


def test_a_lost_waiter_does_not_end_the_container(host: Host) -> None:
    """When the waiter is killed the program runs on, is seen, and can be stopped without leaving anything."""
    container = host.run()
    _kill_waiter(host, container.id or "")
    assert host.observed().state == "started"
    pid = host.pid()
    host.converge(state="stopped")
    assert process(pid) is None or not os.path.exists(f"/proc/{pid}/exe")
    assert host.observed().remains == ()


def test_a_lost_waiter_is_replaced(host: Host) -> None:
    """A check names it, a run has another one wait, while the program goes on; then its end is seen and acted on."""
    container = host.run(["sleep", "1000"], restart_policy="on-failure")
    _kill_waiter(host, container.id or "")
    pid = host.pid()
    told = host.converge(check=True)
    assert [(each.path, each.before, each.after) for each in told.changes] == [("waiter", "lost", "there")]
    assert lifecycle.waiter(host.layout, container.id or "") is None
    done = host.converge()
    assert (done.actions, done.changes) == (told.actions, told.changes)
    assert not host.converge().changed
    assert host.pid() == pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: host.pid() not in (0, pid))
    assert container_state.status(host.layout, container.id or "").restarts == 1
    host.converge(state="stopped", stop_timeout=0)


def test_the_end_that_a_stand_in_sees(host: Host) -> None:
    """It is recorded with a status that tells that nobody knows, and nothing of the run is left."""
    container = host.run(["sleep", "1000"])
    _kill_waiter(host, container.id or "")
    host.ok("boot")
    os.kill(host.pid(), signal.SIGKILL)
    assert host.ended(container).exit_code == 255
    assert host.observed().remains == ()


def test_a_stop_ends_a_stand_in(host: Host) -> None:
    """As it does a waiter; and what comes of a failed run leaves none."""
    container = host.run(["sleep", "1000"])
    _kill_waiter(host, container.id or "")
    lifecycle.stand_in(host.layout, container.id or "")
    lifecycle.end_stand_in(host.layout, container.id or "")
    assert lifecycle.waiter(host.layout, container.id or "") is None
    host.converge()
    host.converge(state="stopped", stop_timeout=0)
    assert lifecycle.waiter(host.layout, container.id or "") is None
    with pytest.raises(Failure, match="container not running"):
        lifecycle.stand_in(host.layout, container.id or "")


def _kill_waiter(host: Host, identity: str) -> None:
    waiter = lifecycle.waiter(host.layout, identity)
    assert waiter is not None
    os.kill(waiter.pid, signal.SIGKILL)
    wait(lambda: lifecycle.waiter(host.layout, identity) is None)


def test_an_end_without_a_waiter_is_cleaned_up(host: Host) -> None:
    """What a container held whose waiter and program were both killed is seen, and taken away by the next run."""
    container = host.run(memory="32m")
    waiter = lifecycle.waiter(host.layout, container.id or "")
    assert waiter is not None
    os.kill(waiter.pid, signal.SIGKILL)
    os.kill(host.pid(), signal.SIGKILL)
    wait(lambda: host.observed().state == "stopped")
    assert set(host.observed().remains or ()) == {"cgroup", "root filesystem", "network namespace"}
    told = host.converge(state="stopped", check=True)
    done = host.converge(state="stopped")
    assert done.actions == told.actions
    assert host.observed().remains == ()
    assert not host.converge(state="stopped").changed
