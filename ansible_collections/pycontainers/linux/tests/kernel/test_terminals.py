# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminals and open pipes of containers: attached to, left and taken up again."""
from __future__ import annotations

import os
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import store
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.process import Process, process
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.loggers import KEEPER
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.terminal_bench import LEAVE, attached, person


def test_a_program_has_a_terminal(host: Host) -> None:
    """With tty stdin, stdout and stderr are a terminal of the container, and so is /dev/console; the log has all."""
    script = """\
tty; test -t 0 && test -t 1 && test -t 2 && echo all three; echo loud >/dev/console; echo $TERM
stat -c %t:%T /dev/console /dev/pts/0; ps -o pid,tty | tail -n +2 | head -1; exit 4
"""
    container = host.shell(script, tty=True)
    assert host.ended(container).exit_code == 4
    said = ["/dev/pts/0", "all three", "loud", "xterm", "88:0", "88:0", "1 136,0"]
    assert [line.strip() for line in host.log(container).splitlines()] == said


def test_a_program_with_a_terminal_never_waits_for_somebody_to_look(host: Host) -> None:
    """What a terminal can hold is no limit of what is said while nobody is attached, and no byte of it is lost."""
    container = host.shell("seq 1 30000; echo end", tty=True)
    host.ended(container)
    assert host.log(container).split() == [*map(str, range(1, 30001)), "end"]


def test_attach_and_leave(host: Host) -> None:
    """Who attaches sees and types, and leaves by Ctrl-P Ctrl-Q; the program goes on, also for the next one."""
    container = host.run(["sh"], tty=True, interactive=True)
    before = host.pid()
    for number in (6, 7):
        with person(host, "attach", "c") as somebody:
            shown = termios.tcgetattr(somebody.master)
            somebody.sees("#")
            somebody.type(f"echo $((6 * {number}))\n")
            somebody.sees(str(6 * number))
            somebody.type(LEAVE)
            assert somebody.leaves() == 0
            assert termios.tcgetattr(somebody.master) == shown
        assert host.pid() == before
    assert "36" in host.log(container)
    assert "42" in host.log(container)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_lost_connection_leaves_the_program_alone(host: Host, number: signal.Signals) -> None:
    """A signal that ends who is attached to a terminal puts their own back, and the program does not notice."""
    host.run(["sh"], tty=True, interactive=True)
    before = host.pid()
    with person(host, "attach", "c") as somebody:
        shown = termios.tcgetattr(somebody.master)
        somebody.sees("#")
        assert termios.tcgetattr(somebody.master) != shown
        os.kill(somebody.pid, number)
        assert somebody.leaves() == 128 + number
        assert termios.tcgetattr(somebody.master) == shown
    assert host.pid() == before


def test_attach_waits_for_a_logger_that_has_no_terminal_yet(host: Host) -> None:
    """What a logger reads before it has been given the terminal is not taken for that."""
    container = host.run(["sh"], tty=True, interactive=True)
    command = ["sh", "-c", "sleep 0.5; exec cat </dev/ptmx"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as late:
        reader = process(late.pid)
        assert reader is not None
        store.write_json(host.layout.running(container.id or "", "logger.json"), reader._asdict())
        with person(host, "attach", "c") as somebody:
            wait(lambda: attached(somebody.pid))
            links = [os.readlink(f"/proc/{somebody.pid}/fd/{each}") for each in os.listdir(f"/proc/{somebody.pid}/fd")]
        late.kill()
    assert any(each.endswith("/ptmx") for each in links)


def test_attach_waits_for_no_restart(host: Host) -> None:
    """Between two runs there is nothing to attach to, and that is said."""
    host.shell("exit 1", tty=True, restart_policy="always")
    wait(lambda: container_state.status(host.layout, host.observed().id or "").restarts > 3)
    wait(lambda: not host.pid())
    assert "about to be started again" in host.failure("attach", "c")


def test_several_are_attached_at_once(host: Host) -> None:
    """All who are attached see the same, whoever types it, and so does the log."""
    container = host.run(["sh"], tty=True, interactive=True)
    with person(host, "attach", "c") as one, person(host, "attach", "c") as other:
        one.sees("#")
        other.sees("#")
        one.type("echo $((1000 + 1))\n")
        other.sees("1001")
        other.type("echo $((2000 + 2)); exit 6\n")
        one.sees("2002")
        assert (one.leaves(), other.leaves()) == (6, 6)
    assert "1001" in host.log(container)
    assert "2002" in host.log(container)


def test_a_terminal_is_as_large_as_the_window(host: Host) -> None:
    """The program's terminal has the size of the window of who runs or attaches, and changes with it."""
    host.shell("trap 'stty size' WINCH; while :; do sleep 0.05; done", tty=True, interactive=True)
    with person(host, "attach", "c", size=(33, 99)) as somebody:
        somebody.sees("33 99")
        somebody.resize(44, 111)
        somebody.sees("44 111")


def test_keys_become_signals_of_the_terminal(host: Host) -> None:
    """Ctrl-C reaches what runs in front, and not who is client."""
    host.run(["sh"], tty=True, interactive=True)
    with person(host, "attach", "c") as somebody:
        somebody.sees("#")
        somebody.type("sleep 1000\n")
        wait(lambda: "sleep" in host.ok("exec", "c", "ps"))
        somebody.type(b"\x03")
        somebody.type("echo ended by $?\n")
        somebody.sees("130")
        somebody.type("exit 9\n")
        assert somebody.leaves() == 9


def test_stdin_stays_open(host: Host) -> None:
    """An interactive program without a terminal goes on reading when who was attached has left."""
    container = host.shell("while read -r line; do echo got $line; done; echo end", interactive=True)
    for word in ("one", "two"):
        with host.beside("attach", "--sig-proxy", "false", "c", stdin=-1) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(f"{word}\n".encode())
            client.stdin.close()
            assert client.stdout.readline() == f"got {word}\n".encode()
            client.terminate()
            client.wait(10)
    assert host.pid()
    assert host.log(container) == "got one\ngot two\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_attach_hands_signals_on(host: Host, number: signal.Signals) -> None:
    """Without a terminal a signal to who is attached reaches the program, unless --sig-proxy is false."""
    name = number.name.removeprefix("SIG")
    host.shell(f"trap 'echo got it; exit 9' {name}; echo set; while :; do sleep 0.02; done")
    with host.beside("attach", "--sig-proxy=false", "c") as client:
        wait(lambda: attached(client.pid))
        client.send_signal(number)
        assert client.wait(10) != 9
    assert host.pid()
    with host.beside("attach", "c") as client:
        wait(lambda: attached(client.pid))
        client.send_signal(number)
        assert client.stdout is not None
        assert client.stdout.read() == b"got it\n"
        assert client.wait(10) == 9


def test_who_only_looks_on(host: Host) -> None:
    """With --no-stdin nothing that is typed reaches the program."""
    host.run(["sh"], tty=True, interactive=True)
    with person(host, "attach", "--no-stdin", "c") as looker, person(host, "attach", "c") as writer:
        writer.sees("#")
        wait(lambda: attached(looker.pid))
        looker.type("exit 8\n")
        writer.type("echo $((6 * 7))\n")
        looker.sees("42")
        writer.type("exit 4\n")
        assert (looker.leaves(), writer.leaves()) == (4, 4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["c"], "not a TTY"),
        (["--no-stdin", "--detach-keys", "ctrl-", "c"], "as --detach-keys"),
        (["nosuch"], "there is none of this name or id"),
    ],
)
def test_attach_refuses(host: Host, words: list[str], said: str) -> None:
    """A terminal's keyboard must be one, keys must be some, and a container must be there."""
    host.run(["sh"], tty=True, interactive=True)
    assert said in host.failure("attach", *words)


def test_attach_to_what_does_not_run(host: Host) -> None:
    """There is nothing to attach to in a stopped container."""
    host.run(["sh"], tty=True, interactive=True)
    host.converge(state="stopped")
    assert "container not running" in host.failure("attach", "c")


def test_a_restarted_program_has_a_new_terminal(host: Host) -> None:
    """A restart policy works on: each run has a terminal, is attached to, and leaves no logger behind."""
    container = host.run(["sh"], tty=True, interactive=True, restart_policy="always")
    loggers = []
    for _ in range(3):
        before = host.pid()
        reader = lifecycle.logger(host.layout, container.id or "")
        assert reader is not None
        loggers.append(reader)
        with person(host, "attach", "c") as somebody:
            somebody.sees("#")
            somebody.type("tty; exit 3\n")
            somebody.sees("/dev/pts/0")
            assert somebody.leaves() == 3
        wait(lambda: host.pid() not in (0, before))  # noqa: B023 - it is waited for within the turn
    assert not any(each.alive for each in loggers)
    assert not any(Path(f"/proc/{each.pid}").exists() for each in loggers)


def test_stop_and_start_again(host: Host) -> None:
    """Stop ends a program with a terminal, the log has its last words, and it starts again with a terminal."""
    container = host.shell("trap 'echo bye; exit 0' TERM; tty; while :; do sleep 0.02; done", tty=True)
    host.converge(stop_timeout=5)
    wait(lambda: "pts" in host.log(container))
    reader = lifecycle.logger(host.layout, container.id or "")
    assert reader is not None
    host.ok("stop", "c")
    assert host.log(container) == "/dev/pts/0\nbye\n"
    assert not reader.alive
    host.ok("start", "c")
    wait(lambda: host.log(container).count("pts") == 2)
    assert host.ok("logs", "--tail", "1", "c") == "/dev/pts/0\n"


def reads_terminal(reader: Process) -> bool:
    """Whether a logger has been given the terminal, and is what it is to be."""
    return os.readlink(f"/proc/{reader.pid}/fd/0").endswith("/ptmx") and "dd bs" in words(reader)


def words(process: Process) -> str:
    """The words that a process was executed with."""
    return Path(f"/proc/{process.pid}/cmdline").read_text()


@contextmanager
def slow_logger(host: Host, container: Container, seconds: float = 0.5) -> Iterator[Process]:
    """Keep a container's logger from writing for a while."""
    reader = lifecycle.logger(host.layout, container.id or "")
    assert reader is not None
    wait(lambda: reads_terminal(reader))
    os.killpg(reader.pid, signal.SIGSTOP)
    with subprocess.Popen(["sh", "-c", 'sleep "$1"; kill -CONT "-$2"', "sh", str(seconds), str(reader.pid)]):
        yield reader


def test_the_end_is_told_when_the_log_is_whole(host: Host) -> None:
    """A program that ends, is stopped, or is watched has ended for others when its logger has written all."""
    container = host.shell("read -r x; echo $x; exit 5", tty=True, interactive=True)
    with person(host, "attach", "c") as somebody:
        wait(lambda: attached(somebody.pid))
        with slow_logger(host, container):
            somebody.type("last words\n")
            assert somebody.leaves() == 5
        assert somebody.seen.count("last words") == 2
    assert host.ended(container).exit_code == 5
    assert host.log(container).count("last words") == 2
    host.shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.02; done", "d", tty=True)
    host.converge("d", stop_timeout=5)
    with slow_logger(host, host.observed("d")):
        host.ok("stop", "d")
        assert host.log(host.observed("d")) == "bye\n"


def test_a_slow_logger_is_waited_for_before_a_restart(host: Host) -> None:
    """The next run begins when the log has all of the last one, and its logger is gone then."""
    container = host.shell("read -r x; echo got $x", tty=True, interactive=True, restart_policy="always")
    before = host.pid()
    with person(host, "attach", "c") as somebody:
        wait(lambda: attached(somebody.pid))
        with slow_logger(host, container, 0.8) as reader:
            somebody.type("words\n")
            wait(lambda: host.pid() not in (0, before))
            assert "got words" in host.log(container)
            assert not Path(f"/proc/{reader.pid}").exists()


@pytest.mark.parametrize("ends", [True, False])
def test_what_is_left_at_the_terminal_is_ended_first(host: Host, ends: bool) -> None:
    """In a pid namespace that is not its own a program's children may stay at its terminal: no end waits for them."""
    script = "trap '' HUP; sleep 1000 & echo hi; " + ("exit 3" if ends else "exec sleep 1000")
    container = host.shell(script, tty=True, pid_mode="host")
    begun = time.monotonic()
    if ends:
        assert host.ended(container).exit_code == 3
    else:
        host.ok("stop", "c")
    assert time.monotonic() - begun < 10
    assert host.log(container) == "hi\n"


def test_boot_starts_what_has_a_terminal(host: Host) -> None:
    """After shutdown and boot a container with a terminal runs, and can be attached to."""
    host.run(["sh"], tty=True, interactive=True, restart_policy="unless-stopped")
    host.ok("shutdown")
    assert not host.pid()
    host.ok("boot")
    with person(host, "attach", "c") as somebody:
        somebody.sees("#")
        somebody.type("echo $((6 * 7)); exit\n")
        somebody.sees("42")


def test_a_logger_is_with_the_waiters(host: Host) -> None:
    """The logger is in no cgroup of a container or a login, and holds nothing but its terminal."""
    container = host.run(["sh"], tty=True)
    reader, waiter = (each(host.layout, container.id or "") for each in (lifecycle.logger, lifecycle.waiter))
    assert reader is not None
    assert waiter is not None
    wait(lambda: reads_terminal(reader))
    assert Path(f"/proc/{reader.pid}/cgroup").read_text() == Path(f"/proc/{waiter.pid}/cgroup").read_text()
    # It reads by the last what the program says that it has called.
    assert {"0", "1", "2"} <= set(os.listdir(f"/proc/{reader.pid}/fd")) <= {"0", "1", "2", "3"}


def test_without_its_logger_a_terminal_is_hung_up(host: Host) -> None:
    """A program whose terminal nobody reads any more gets SIGHUP, and does not wait for ever."""
    container = host.shell("trap 'exit 7' HUP; echo ready; while :; do sleep 0.02; done", tty=True)
    # The first process of a pid namespace has no signal that it has not asked for (pid_namespaces(7)).
    wait(lambda: "ready" in host.log(container))
    reader = lifecycle.logger(host.layout, container.id or "")
    assert reader is not None
    wait(lambda: reads_terminal(reader))
    os.killpg(reader.pid, signal.SIGKILL)
    assert host.ended(container).exit_code == 7


def test_a_keeper_of_busybox_ends_with_its_terminal(stored: tuple[Layout, str], tmp_path: Path) -> None:
    """On a host whose dd is that of busybox, too, the logger ends when the terminal does, with all in the file."""
    busybox = next(Path(stored[0].root).glob("layers/*/bin/busybox"))
    for name in ("dd", "mv", "sleep", "wc"):
        (tmp_path / name).symlink_to(busybox)
    output = tmp_path / "output"
    output.touch()
    master, program = os.openpty()
    os.write(program, b"said")
    words = [str(busybox), "sh", "-c", KEEPER, "pycontainers-log", str(output), "10000", "2"]
    with subprocess.Popen(words, stdin=master, env={"PATH": str(tmp_path), "LC_ALL": "C"}) as keeper:
        for descriptor in (master, program):
            os.close(descriptor)
        try:
            assert keeper.wait(60) == 0
        finally:
            keeper.kill()
    assert output.read_bytes() == b"said"


def test_a_user_owns_the_terminal(host: Host) -> None:
    """The container's user can open the terminal by its path, and /dev/stdin with a pipe too."""
    script = "echo one >$(tty); echo two >/dev/stderr; echo three >/dev/console"
    container = host.shell(script, "t", tty=True, user="nobody")
    host.ended(container)
    assert host.log(container).split() == ["one", "two", "three"]
    container = host.shell("test -r /dev/stdin && exec 0</dev/stdin && echo one", "p", interactive=True, user="nobody")
    host.ended(container)
    assert host.log(container) == "one\n"


def test_rows(host: Host) -> None:
    """Tty and interactive are compared, shown by check and diff, and cost a new container; said again they do not."""
    first = host.run()
    for name in ("tty", "interactive"):
        unsaid: dict[str, Any] = {name: False}
        given: dict[str, Any] = {name: True}
        assert not host.converge(**unsaid).changed
        told = host.converge(check=True, **given)
        assert [(each.path, each.before, each.after, each.effect.name) for each in told.changes] == [
            (name, False, True, "RECREATE")
        ]
        assert host.converge(**given).changed
        assert not host.converge(**given).changed
        assert not host.converge().changed
    assert host.observed().id != first.id
    shown = host.converge().facts["container"]["Config"]
    assert (shown["Tty"], shown["OpenStdin"]) == (True, True)
