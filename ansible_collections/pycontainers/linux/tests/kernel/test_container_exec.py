# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``pycontainers exec``: another program in a running container."""
from __future__ import annotations

import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl

import pytest

from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host


def test_exec_runs_in_the_container(host: Host) -> None:
    """A program run by exec is in all namespaces and the cgroup of the container, with its root and environment."""
    host.run(env={"FROM": "task"})
    script = "echo $FROM; pwd; id -u; hostname; test /proc/self/ns/pid -ef /proc/1/ns/pid; echo $?; umask"
    short = (host.observed().id or "")[:12]
    assert host.ok("exec", "c", "sh", "-c", script).splitlines() == ["task", "/", "0", short, "0", "0022"]
    for kind in ("mnt", "net", "uts", "ipc", "cgroup"):
        inside = host.ok("exec", "c", "readlink", f"/proc/self/ns/{kind}").strip()
        assert inside == os.readlink(f"/proc/{host.pid()}/ns/{kind}")
    assert host.ok("exec", "c", "cat", "/proc/self/cgroup") == host.ok("exec", "c", "cat", "/proc/1/cgroup")


def test_exec_gives_no_more_than_the_container_has(host: Host) -> None:
    """A program run by exec has the container's capabilities, default signals, no descriptors, its own session."""
    host.run()
    script = "grep -E 'Cap|Sig[BI]' /proc/self/status; ls /proc/self/fd | wc -l; cut -d' ' -f5,6 /proc/self/stat"
    inside = host.ok("exec", "c", "sh", "-c", f"exec 2>/dev/null; {script}").splitlines()
    of_first = host.ok("exec", "c", "grep", "-E", "Cap|Sig[BI]", "/proc/1/status").splitlines()
    assert inside[: len(of_first)] == of_first
    assert inside[len(of_first)] == "4"  # with the one that ls reads the folder by
    group, session = inside[len(of_first) + 1].split()
    assert group == session != "0"


@pytest.mark.parametrize(
    ("options", "script", "said"),
    [
        (["-e", "A=x y", "-e", "B=", "-e", "FROM=exec"], 'echo "$A|$B|$FROM"', "x y||exec\n"),
        (["-e", "TAKEN", "-e", "UNSET"], 'echo "$TAKEN|${UNSET-none}"', "here|none\n"),
        (["-u", "nobody"], 'echo "$(id -u):$(id -g):$(id -G) $HOME"', "65534:65534:65534 100 /home\n"),
        (["-u", "33:5"], 'echo "$(id -u):$(id -g)"', "33:5\n"),
        (["-u", "4242"], "grep CapEff /proc/self/status | grep -c 0000000000000000", "1\n"),
        (["-w", "/tmp"], "pwd", "/tmp\n"),
    ],
)
def test_exec_options(host: Host, options: list[str], script: str, said: str) -> None:
    """Exec sets variables, user and working directory."""
    host.run(env={"FROM": "task"})
    os.environ["TAKEN"] = "here"
    try:
        assert host.ok("exec", *options, "c", "sh", "-c", script) == said
    finally:
        del os.environ["TAKEN"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sh", "-c", "exit 42"], 42, ""),
        (["sh", "-c", "kill -9 $$"], 137, ""),
        (["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH\n'),
        (["/no/such"], 127, 'exec: "/no/such": stat /no/such: no such file or directory\n'),
        (["/etc/passwd"], 126, 'exec: "/etc/passwd": permission denied\n'),
        (["/etc"], 126, 'exec: "/etc": permission denied\n'),
    ],
)
def test_exec_passes_the_exit_status_on(host: Host, words: list[str], code: int, said: str) -> None:
    """The exit status is the program's, 128 + n for signal n, 126 and 127 for what can't be executed."""
    host.run()
    result = host.cli("exec", "c", *words)
    assert (result.returncode, result.stderr) == (code, said)


def test_exec_stdin(host: Host) -> None:
    """With -i the program reads stdin, without it reads nothing."""
    host.run()
    assert host.ok("exec", "-i", "c", "cat", stdin="to be read\n") == "to be read\n"
    assert host.ok("exec", "c", "cat", stdin="not to be read\n") == ""


@pytest.mark.parametrize(
    ("words", "code"), [(["-w", "/no/such", "c", "pwd"], 1), (["-u", "stranger", "c", "id"], 125)]
)
def test_exec_refuses_what_is_not_there(host: Host, words: list[str], code: int) -> None:
    """A folder or a user that the container does not have is named."""
    host.run()
    result = host.cli("exec", *words)
    assert result.returncode == code
    assert words[1] in result.stderr
    assert result.stderr.count("\n") == 1


def test_exec_in_a_stopped_container(host: Host) -> None:
    """Exec in a container that does not run says so."""
    host.run()
    host.converge(state="stopped")
    assert "container not running" in host.failure("exec", "c", "true", code=125)


@contextmanager
def terminal(host: Host, *words: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run exec -it on a terminal of the test's, and give its master."""
    master, screen = pty.openpty()
    ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    try:
        with host.beside("exec", "-it", *words, stdin=screen, stdout=screen, stderr=screen) as running:
            os.close(screen)
            yield master, running
    finally:
        os.close(master)


def read_until(master: int, text: str) -> str:
    """Read from a terminal until a text has come, or its other side is gone."""
    said = b""
    end = time.monotonic() + 10
    while text.encode() not in said and time.monotonic() < end:
        try:
            said += os.read(master, 4096)
        except OSError:
            break
    return said.decode().replace("\r\n", "\n")


def test_exec_with_a_terminal(host: Host) -> None:
    """With -t the program has a terminal of the container, as large as the caller's, and is resized with it."""
    host.run()
    script = "test -t 0 && test -t 1 && tty && stty size && echo $TERM; trap 'stty size; exit 7' WINCH; echo set"
    with terminal(host, "c", "sh", "-c", f"{script}; while :; do sleep 0.05; done") as (master, running):
        said = read_until(master, "set").splitlines()
        assert said[0].startswith("/dev/pts/")
        assert said[1] == "33 99"
        assert said[2] == (os.environ.get("TERM") or "xterm")
        ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 111, 0, 0))
        running.send_signal(signal.SIGWINCH)
        assert "44 111" in read_until(master, "44 111")
        assert running.wait(10) == 7


def test_exec_with_a_terminal_is_interactive(host: Host) -> None:
    """Keys reach the program, Ctrl-C as SIGINT to what runs in front, and the caller's terminal is put back."""
    host.run()
    with terminal(host, "c", "sh") as (master, running):
        before = termios.tcgetattr(master)
        read_until(master, "#")
        os.write(master, b"sleep 1000\n")
        read_until(master, "1000")
        time.sleep(0.2)
        os.write(master, b"\x03")
        read_until(master, "#")
        os.write(master, b"echo $((6 * 7)); exit 5\n")
        assert "42" in read_until(master, "42")
        assert running.wait(10) == 5
        assert termios.tcgetattr(master) == before


def test_exec_with_a_terminal_needs_one(host: Host) -> None:
    """With -t but without a terminal exec refuses."""
    host.run()
    assert "not a TTY" in host.failure("exec", "-t", "c", "true", code=125)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_exec_hands_signals_on(host: Host, number: signal.Signals) -> None:
    """A signal to exec reaches the program, and nothing of either is left."""
    host.run()
    script = "trap 'echo got it; exit 9' TERM INT HUP; echo set; while :; do sleep 0.02; done"
    with host.beside("exec", "c", "sh", "-c", script) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"set\n"
        running.send_signal(number)
        assert running.stdout.read() == b"got it\n"
        assert running.wait(10) == 9
    assert len(host.ok("exec", "c", "sh", "-c", "echo /proc/[0-9]*").split()) == 2
