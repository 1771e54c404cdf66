# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``pycontainers run`` and ``create``, as people call them."""
from __future__ import annotations

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.terminal_bench import LEAVE, person


def test_the_terminal_has_the_size_of_the_window_from_the_start(host: Host) -> None:
    """What runs with -t finds the size of the window, and does not have to wait for it."""
    with person(host, "run", "-it", "--name", "d", host.busybox, "stty", "size", size=(31, 97)) as somebody:
        assert somebody.leaves() == 0
        assert somebody.seen == "31 97\n"


def test_run_with_a_terminal_needs_one(host: Host) -> None:
    """With -it but without a terminal run refuses, and makes nothing."""
    assert "not a TTY" in host.failure("run", "-it", host.busybox, "sh", code=125)
    assert container_state.identities(host.layout) == []


def test_run_interactively(host: Host) -> None:
    """``run -it --rm`` is one session with a program, leaves nothing, and ends with its exit status."""
    with person(host, "run", "-it", "--rm", "--name", "d", "-e", "A=b", host.busybox, "sh") as somebody:
        somebody.sees("#")
        somebody.type('echo "$A-$((6 * 7))"; exit 5\n')
        somebody.sees("b-42")
        assert somebody.leaves() == 5
    assert container_state.identities(host.layout) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sh", "-c", "echo out; exit 3"], 3, "out\n"),
        (["true"], 0, ""),
        (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137, "Killed\n"),
    ],
)
def test_run_passes_the_exit_status_on(host: Host, words: list[str], code: int, said: str) -> None:
    """Without a terminal ``run`` prints what the program says, and has its exit status."""
    result = host.cli("run", "--rm", host.busybox, *words)
    assert (result.returncode, result.stdout, result.stderr) == (code, said, "")


@pytest.mark.parametrize(("word", "code"), [("nosuch", 127), ("/no/such", 127), ("/etc/passwd", 126), ("/etc", 126)])
def test_run_of_what_can_not_be_executed(host: Host, word: str, code: int) -> None:
    """What can't be executed is told by 126 and 127, as a shell does, and no container is left of it."""
    assert f'exec: "{word}": ' in host.failure("run", host.busybox, word, code=code)
    assert container_state.identities(host.layout) == []


def test_run_of_a_name_that_is_taken(host: Host) -> None:
    """``run`` changes no container there is: its name is refused."""
    host.run()
    before = host.pid()
    assert "has this name" in host.failure("run", "--name", "c", host.busybox, "true", code=125)
    assert host.pid() == before


def test_run_reads_stdin_to_its_end(host: Host) -> None:
    """With -i the program reads what is piped in, and sees its end; without it reads nothing."""
    lines = "".join(f"line {number}\n" for number in range(20000))
    assert host.ok("run", "-i", "--rm", host.busybox, "cat", stdin=lines) == lines
    assert host.ok("run", "--rm", host.busybox, "cat", stdin=lines) == ""


def test_run_detached(host: Host) -> None:
    """``run -d`` prints the id and leaves the container to itself, with -t and -i as one word or apart."""
    identity = host.ok("run", "-dit", "--name", "d", host.busybox, "sh").strip()
    assert (host.observed("d").id, host.observed("d").tty, host.observed("d").interactive) == (identity, True, True)
    with person(host, "attach", "--detach-keys", "a,ctrl-x", "d") as somebody:
        somebody.sees("#")
        somebody.type("echo $((6 * 7)) a\n")
        somebody.sees("42 a")
        somebody.type(b"a\x18")
        assert somebody.leaves() == 0
    assert host.pid("d")


def test_a_detached_run_can_be_removed_at_its_end(host: Host) -> None:
    """With -d --rm nothing is left once the program has ended, and so is it of a session that has been left."""
    host.ok("run", "-d", "--rm", host.busybox, "sleep", "0.2")
    wait(lambda: container_state.identities(host.layout) == [])
    with person(host, "run", "-it", "--rm", "--name", "d", host.busybox, "sh") as somebody:
        somebody.sees("#")
        somebody.type(LEAVE)
        assert somebody.leaves() == 0
    with person(host, "attach", "d") as somebody:
        somebody.sees("#")
        somebody.type("exit 3\n")
        assert somebody.leaves() == 3
    wait(lambda: container_state.identities(host.layout) == [])


def test_a_run_that_is_removed_can_not_be_restarted(host: Host) -> None:
    """What is removed at its end has no restart policy."""
    assert "as --restart" in host.failure("run", "--rm", "--restart", "always", host.busybox, "true", code=125)


@pytest.mark.parametrize("verbs", [["stop"], ["shutdown", "boot"]])
def test_a_detached_run_is_removed_by_who_stops_it(host: Host, verbs: list[str]) -> None:
    """With -d --rm stop removes a container, and so does the boot after a shutdown; a restart does not."""
    identity = host.ok("run", "-d", "--rm", "--stop-timeout", "0", host.busybox, "sleep", "1000").strip()
    host.ok("restart", identity)
    assert container_state.identities(host.layout) == [identity]
    for verb in verbs:
        host.ok(verb, *([identity] if verb == "stop" else []))
    assert container_state.identities(host.layout) == []


def test_create_then_start(host: Host) -> None:
    """What create has made is started by ``start -ai`` at the size of the window, and once more; logs have both."""
    script = "stty size; read -r x; exit $x"
    identity = host.ok("create", "-it", "--name", "d", host.busybox, "sh", "-c", script).strip()
    assert not host.pid("d")
    for size, code in (((30, 90), 3), ((31, 91), 4)):
        with person(host, "start", "-ai", "d", size=size) as somebody:
            somebody.sees(f"{size[0]} {size[1]}\n")
            somebody.type(f"{code}\n")
            assert somebody.leaves() == code
    assert host.ok("logs", identity).split() == ["30", "90", "3", "31", "91", "4"]


def test_options_are_those_of_docker(host: Host) -> None:
    """Each option of run is the row that a task says, in Docker's words."""
    host.network()
    words = "-d -m 64m --cpus 0.5 --pids-limit 50 -u nobody -w /tmp -h box -e A=b -e TAKEN= -l x=y --read-only"
    more = "--restart on-failure:3 -p 8099:80 --network front --cap-drop ALL --tmpfs /run --ulimit nofile=99:99"
    host.ok("run", *words.split(), *more.split(), "--stop-timeout", "0", "--name", "d", host.busybox, "sleep", "1000")
    same = host.converge(
        "d", image=host.busybox, command=["sleep", "1000"], memory="64m", cpus="0.5", pids_limit="50", user="nobody",
        working_dir="/tmp", hostname="box", env={"A": "b", "TAKEN": ""}, labels={"x": "y"}, stop_timeout=0,
        restart_policy="on-failure", restart_retries=3, published_ports=["8099:80"], networks=[{"name": "front"}],
        cap_drop=["ALL"], read_only=True, tmpfs=["/run"], ulimits=["nofile:99:99"],
    )  # fmt: skip
    assert same.changes == ()
    assert not same.changed
