# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a container by the OCI command line: verbs, states, exit codes, words that clients look for."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, MISSING, Oci, console_socket, wait


def test_life(oci: Oci) -> None:
    """A container is created, runs from its start on, stops by a signal, and is gone when it is deleted."""
    pid = oci.create("c", "--pid-file", str(oci.bundle / "pid"))
    assert (oci.bundle / "pid").read_text() == str(pid)
    assert oci.state() | {"created": ""} == {
        "ociVersion": "1.2.0",
        "id": "c",
        "pid": pid,
        "status": "created",
        "bundle": str(oci.bundle),
        "rootfs": str(oci.rootfs),
        "created": "",
        "annotations": {},
        "owner": "",
    }
    oci.ok("start", "c")
    assert oci.state()["status"] == "running"
    oci.ok("kill", "c", "KILL")
    assert oci.exit_code(pid) == -signal.SIGKILL
    assert (oci.state()["status"], oci.state()["pid"]) == ("stopped", 0)
    oci.ok("delete", "c")
    assert MISSING in oci.call("state", "c").stderr


def test_the_cgroup_is_joined_when_create_returns(oci: Oci) -> None:
    """Clients read the cgroup's files from then on."""
    pid = oci.create()
    assert oci.limit("pids/cgroup.procs", "cgroup.procs") == str(pid)


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 0), ("exec 2>&-; sh -c 'kill -9 $$'; exit $?", 137)],
)
def test_the_foreground_gives_the_programs_status(oci: Oci, script: str, status: int) -> None:
    """What run returns is the program's; pid 1 of a namespace can't kill itself."""
    oci.configure("sh", "-c", script)
    done = oci.call("run", "c")
    assert (done.returncode, done.stderr) == (status, "")
    assert MISSING in oci.call("state", "c").stderr


def test_the_foreground_passes_signals_on(oci: Oci) -> None:
    """A signal to run ends the program, whose status is returned."""
    oci.configure("sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done")
    command = [COMMAND, "--root", str(oci.root), "run", "c"]
    with subprocess.Popen(command, cwd=oci.bundle, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        running.terminate()
        assert running.wait(10) == 9


def test_run_detached(oci: Oci) -> None:
    """With --detach the runtime leaves, and the container goes on."""
    with open(os.devnull, "r+b") as null:
        command = [COMMAND, "--root", str(oci.root), "run", "-d", "c"]
        assert subprocess.run(command, cwd=oci.bundle, stdin=null, stdout=null, timeout=30, check=False).returncode == 0
    assert oci.state()["status"] == "running"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/nope", 'exec: "/nope": stat /nope: no such file or directory'),
        ("nope", 'exec: "nope": executable file not found in $PATH'),
        ("/etc", 'exec: "/etc": permission denied'),
    ],
)
def test_a_program_that_is_none(oci: Oci, program: str, said: str) -> None:
    """What clients make 126 or 127 of is said by create with status 1, and by exec with 255; nothing is left."""
    oci.configure(program)
    done = oci.call("create", "c")
    assert (done.returncode, said in done.stderr) == (1, True)
    assert MISSING in oci.call("state", "c").stderr
    oci.configure()
    oci.run()
    done = oci.call("exec", "c", program)
    assert (done.returncode, said in done.stderr) == (255, True)


def test_what_is_not_in_the_right_state(oci: Oci) -> None:
    """Verbs that do not fit the state fail with status 1 and the words that clients look for."""
    oci.create()
    assert "already exists" in oci.call("create", "c").stderr
    oci.ok("start", "c")
    assert "cannot start a container in the running state" in oci.call("start", "c").stderr
    assert "container is not stopped: running" in oci.call("delete", "c").stderr
    assert "container not paused" in oci.call("resume", "c").stderr
    oci.ok("kill", "c", "9")
    oci.ended()
    for words in (("kill", "c", "9"), ("exec", "c", "true"), ("start", "c"), ("pause", "c"), ("ps", "c")):
        assert "container not running" in oci.call(*words).stderr
    oci.ok("delete", "c")
    for words in (("state", "c"), ("start", "c"), ("kill", "c", "9"), ("delete", "c"), ("ps", "c"), ("pause", "c")):
        done = oci.call(*words)
        assert (done.returncode, MISSING in done.stderr) == (1, True)
    oci.ok("delete", "--force", "c")


def test_a_created_container_is_deleted(oci: Oci) -> None:
    """One that was never started needs no force, and one that runs does."""
    oci.create("created")
    oci.ok("delete", "created")
    oci.run("running")
    oci.ok("delete", "--force", "running")
    assert json.loads(oci.ok("list", "--format=json")) == []


@pytest.mark.parametrize("identity", ["../c", "a/b", "", ".", "..", "a b", "a" * 256])
def test_an_id_is_no_path(oci: Oci, identity: str) -> None:
    """What can't be a folder's name is refused before anything is made."""
    done = oci.call("create", identity)
    assert (done.returncode, "container id" in done.stderr) == (1, True)
    assert not oci.root.exists()


def test_signals_by_name_and_number(oci: Oci) -> None:
    """A signal is a number, or a name with or without SIG; an unknown one is refused."""
    traps = "trap 'echo one' USR1; trap 'echo two' USR2; trap 'exit 5' TERM"
    oci.configure("sh", "-c", f"{traps}; while :; do sleep 0.01; done")
    out = oci.bundle / "out"
    out.touch()
    pid = oci.run(streams=out)
    time.sleep(0.1)
    oci.ok("kill", "c", "SIGUSR1")
    wait(lambda: out.read_text() == "one\n")
    oci.ok("kill", "c", "usr2")
    wait(lambda: out.read_text() == "one\ntwo\n")
    assert "unknown signal" in oci.call("kill", "c", "NOPE").stderr
    oci.ok("kill", "c")
    assert oci.exit_code(pid) == 5


def test_a_signal_reaches_a_container_that_waits(oci: Oci) -> None:
    """A created container can be ended before it is started, though it is pid 1 of its namespace."""
    pid = oci.create()
    oci.ok("kill", "c", "TERM")
    assert oci.exit_code(pid) == 128 + signal.SIGTERM
    assert "container not running" in oci.call("start", "c").stderr


def test_exec(oci: Oci) -> None:
    """Exec joins all namespaces and the cgroup, and returns the program's status."""
    pid = oci.run()
    kinds = ("pid", "mnt", "net", "uts", "ipc", "cgroup")
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    assert oci.ok("exec", "c", "sh", "-c", script).split() == [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in kinds]
    assert oci.call("exec", "c", "sh", "-c", "exit 3").returncode == 3
    assert oci.call("exec", "c", "sh", "-c", "kill -9 $$").returncode == 137
    options = ("--env", "A=1", "--cwd", "/tmp", "--user", "7:8")
    said = oci.ok("exec", *options, "c", "sh", "-c", "echo $A; pwd; id -u; id -g")
    assert said.split() == ["1", "/tmp", "7", "8"]


def test_exec_by_a_file(oci: Oci) -> None:
    """The way of podman and containerd: a process object, a pid file, detached."""
    oci.run()
    process = {"args": ["sh", "-c", "echo $X > /said; exec sleep 1000"], "env": ["X=y", "PATH=/bin"], "cwd": "/"}
    (oci.bundle / "process").write_text(json.dumps(process))
    pid_file = oci.bundle / "exec.pid"
    with open(os.devnull, "r+b") as null:
        words = ["exec", "--process", "process", "--detach", "--pid-file", str(pid_file), "c"]
        command = [COMMAND, "--root", str(oci.root), *words]
        assert subprocess.run(command, cwd=oci.bundle, stdin=null, stdout=null, timeout=30, check=False).returncode == 0
    wait(lambda: (oci.rootfs / "said").exists() and (oci.rootfs / "said").read_text() == "y\n")
    pid = int(pid_file.read_text())
    assert pid in json.loads(oci.ok("ps", "--format", "json", "c"))
    os.kill(pid, signal.SIGKILL)
    # The kernel lets pid 1 of a namespace end when all others in it have been reaped, which is for their parent to do.
    assert oci.exit_code(pid) == -signal.SIGKILL


def test_pause_and_resume(oci: Oci) -> None:
    """A paused container says so, takes no exec, and goes on when it is resumed; it can be killed as it is."""
    oci.run()
    oci.ok("pause", "c")
    assert oci.state()["status"] == "paused"
    assert "cannot exec in a paused container" in oci.call("exec", "c", "true").stderr
    oci.ok("resume", "c")
    assert oci.state()["status"] == "running"
    oci.ok("exec", "c", "true")
    oci.ok("pause", "c")
    oci.ok("delete", "--force", "c")


def test_update(oci: Oci) -> None:
    """Limits change by options and by JSON; one that the kernel refuses leaves all as they were."""
    oci.run()
    oci.ok("update", "--memory", "64m", "--pids-limit", "50", "c")
    assert oci.limit("memory/memory.limit_in_bytes", "memory.max") == str(64 << 20)
    oci.ok("update", "--resources", "-", "c", stdin=json.dumps({"pids": {"limit": 60}, "cpu": {"shares": 0}}))
    assert oci.limit("pids/pids.max", "pids.max") == "60"
    (oci.bundle / "r").write_text(json.dumps({"memory": {"limit": 32 << 20}, "cpu": {"cpus": "4095"}}))
    assert oci.call("update", "--resources", "r", "c").returncode == 1
    assert oci.limit("memory/memory.limit_in_bytes", "memory.max") == str(64 << 20)


def test_errors_are_logged(oci: Oci) -> None:
    """An error is a line of JSON in the log, and the same words are on stderr."""
    done = oci.call("--log", "log", "--log-format", "json", "start", "c")
    line = json.loads((oci.bundle / "log").read_text())
    assert (line["level"], line["msg"]) == ("error", done.stderr.rstrip("\n"))
    assert done.returncode == 1


@pytest.mark.parametrize("options", [["--rootless=false"], ["--rootless", "--debug"], ["--systemd-cgroup=false"]])
def test_options_of_clients(oci: Oci, options: list[str]) -> None:
    """Options that clients give, and that change nothing here, are taken."""
    assert oci.ok(*options, "list", "-q") == ""


def test_a_terminal(oci: Oci) -> None:
    """The master of the container's terminal is sent over the console socket, in the size that is asked for."""

    def terminal(document: dict[str, Any]) -> None:
        document["process"] |= {"terminal": True, "consoleSize": {"height": 30, "width": 90}}

    oci.configure("sh", "-c", "tty; stty size; test -c /dev/console && echo console; read x", change=terminal)
    assert "console socket" in oci.call("create", "none").stderr
    with console_socket(oci.bundle) as receive:
        pid = oci.create("c", "--console-socket", "console")
        master = receive()
    oci.ok("start", "c")
    said = b""
    while b"console" not in said:
        said += os.read(master, 100)
    assert said.split() == [b"/dev/pts/0", b"30", b"90", b"console"]
    os.write(master, b"\n")
    assert oci.exit_code(pid) == 0
    os.close(master)


def test_no_descriptor_leaks(oci: Oci) -> None:
    """A program gets the standard streams and what is preserved, whatever else the caller has open."""
    oci.configure("sh", "-c", "cd /proc/self/fd; for each in *; do readlink $each || true; done > /said")
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    pid = oci.run(pass_fds=(writer,))
    os.close(writer)
    assert oci.exit_code(pid) == 0
    assert os.read(reader, 1) == b""
    os.close(reader)
    kept = [line for line in (oci.rootfs / "said").read_text().split() if not line.startswith("/proc/")]
    assert set(kept) <= {"/dev/null", "/said", str(oci.bundle / "errors")}


def test_descriptors_are_preserved(oci: Oci) -> None:
    """The descriptors from 3 on that --preserve-fds counts are the program's; one that is not open is refused."""
    assert "not open" in oci.call("create", "--preserve-fds", "1", "none").stderr
    script = f'exec 3>"{oci.bundle}/three"; exec "{COMMAND}" --root "{oci.root}" run --preserve-fds=1 c'
    oci.configure("sh", "-c", "echo kept >&3")
    done = subprocess.run(["/bin/sh", "-c", script], cwd=oci.bundle, stdin=subprocess.DEVNULL, timeout=30, check=False)
    assert (done.returncode, (oci.bundle / "three").read_text()) == (0, "kept\n")


@pytest.mark.parametrize("after", [0.02, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1])
def test_a_killed_runtime_leaves_what_can_be_deleted(oci: Oci, after: float) -> None:
    """Wherever in its creation the runtime is killed, delete --force takes all away, and no process stays."""
    command, before = [COMMAND, "--root", str(oci.root), "create", "c"], _children()
    with open(os.devnull, "r+b") as null:
        creating = subprocess.Popen(command, cwd=oci.bundle, stdin=null, stdout=null, stderr=null)
    time.sleep(after)
    creating.kill()
    creating.wait()
    oci.ok("delete", "--force", "c")
    assert MISSING in oci.call("state", "c").stderr
    oci.wait(lambda: oci.cgroups() == [])
    oci.wait(lambda: _children() == before)


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def _all() -> tuple[list[str], list[str], list[str]]:
    mounts = sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return mounts, sorted(os.listdir("/proc/self/fd")), sorted(links.links())


def test_a_hundred_leave_nothing(oci: Oci) -> None:
    """After a hundred lives there are the same mounts, cgroups, links, descriptors, files and processes as before."""
    before, children = _all(), _children()
    for _ in range(100):
        pid = oci.create()
        oci.ok("start", "c")
        oci.ok("delete", "--force", "c")
        oci.exit_code(pid)
    assert _all() == before
    assert (oci.cgroups(), os.listdir(oci.root), _children()) == ([], [], children)


def test_many_at_once(oci: Oci) -> None:
    """Ten creations of one id at once: one does well, the others are told of it."""
    command = [COMMAND, "--root", str(oci.root), "create", "c"]
    with open(os.devnull, "r+b") as null:
        running = [subprocess.Popen(command, cwd=oci.bundle, stdin=null, stdout=null, stderr=null) for _ in range(10)]
    assert sorted(each.wait(30) for each in running) == [0] + [1] * 9
    assert oci.state()["status"] == "created"


def test_what_is_told_of_the_runtime(oci: Oci) -> None:
    """Version and features are told as clients parse them."""
    assert oci.ok("--version").splitlines()[:2] == ["pycontainers-oci version 0.1.0", "spec: 1.2.0"]
    features = json.loads(oci.ok("features"))
    assert features["ociVersionMin"] == "1.0.0"
    assert "tmpcopyup" in features["mountOptions"]
    assert [features["linux"][name]["enabled"] for name in ("apparmor", "selinux", "netDevices")] == [True] * 3
    oci.ok("spec", "--bundle", str(oci.root.parent))
    assert json.loads((oci.root.parent / "config.json").read_text())["process"]["args"] == ["sh"]
