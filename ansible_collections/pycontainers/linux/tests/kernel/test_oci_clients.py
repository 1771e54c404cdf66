# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clients on this runtime: podman with conmon, and containerd with its shim, do not notice which one it is."""
from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import limits
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci, wait
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import (
    SIZED,
    Call,
    below,
    box,
    caller,
    client,
    containers,
    in_terminal,
    mounts,
    processes,
    remove_group,
    unmount,
)
from testbed.registry import images

HERE = ("--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""No networks of podman's, and limits that also a root without CAP_SYS_RESOURCE can set."""

DEFAULT_ROOT = Path("/run/pycontainers/oci")


class Client:
    """A client and the folder in which it keeps everything; ``call`` is its command line."""

    def __init__(self, folder: Path, command: list[str], environment: dict[str, str]) -> None:
        self.folder, self.command, self.environment = folder, command, environment
        self.call: Call = caller(command, environment)

    def in_terminal(self, *words: str) -> tuple[int, str]:
        """Call it from a terminal: its status and what is printed there."""
        return in_terminal([*self.command, *words], self.environment)

    def status(self, *words: str) -> int:
        """Call it for the status."""
        return self.call(*words).returncode


@pytest.fixture
def podman(oci: Oci) -> Iterator[Client]:
    """Podman with all that it keeps in a temporary folder, and an image named ``box``."""
    environment = client("podman")
    # conmon and the shim are reaped by the machine: podman waits for that.
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 0)
    # Its folder for what runs may have a path of 50 bytes.
    folder = Path(tempfile.mkdtemp(prefix="podman"))
    root = environment["PATH"].partition("/usr/sbin")[0]
    (folder / "containers.conf").write_text(
        f'[engine]\nconmon_path = ["{root}/usr/bin/conmon"]\nevents_logger = "file"\n'
    )
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    environment |= {"CONTAINERS_CONF": str(folder / "containers.conf"), "TMPDIR": str(folder)}
    options = [f"--root={folder}/root", f"--runroot={folder}/run", f"--tmpdir={folder}/tmp"]
    options += ["--storage-driver=vfs", "--cgroup-manager=cgroupfs"]
    made = Client(folder, ["podman", *options, "--runtime", COMMAND], environment)
    # The runtime is called without a folder for its records, since the last one to call it would not name it.
    syscalls.mount("tmpfs", "/run", "tmpfs")
    done = made.call("import", "--quiet", box(oci.rootfs, folder / "box.tar"), "box")
    assert done.returncode == 0, done.stderr
    try:
        yield made
        assert made.status("rm", "--all", "--force", "--time", "0") == 0
        assert containers(DEFAULT_ROOT) == []
    finally:
        made.call("rm", "--all", "--force", "--time", "0")
        wait(lambda: not processes(folder))
        unmount(folder)
        syscalls.umount("/run")
        shutil.rmtree(folder)
        remove_group("libpod_parent")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["false"], 1),
        (["/nope"], 127),
        (["nope"], 127),
        (["/etc"], 126),
        (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137),
    ],
)
def test_podman_run_gives_the_status(podman: Client, words: list[str], status: int) -> None:
    """The status of podman run is the program's, or tells that there is no such program."""
    done = podman.call("run", "--rm", *HERE, "localhost/box", *words)
    assert done.returncode == status, done.stderr


def test_podman_life(podman: Client) -> None:
    """Detached run, logs, exec, top, pause, update, stop, start, restart, kill, rm."""
    call, status = podman.call, podman.status
    script = "echo said; exec sleep 1000"
    done = call("run", "--detach", "--name", "c", *HERE, "-m", "64m", "localhost/box", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    wait(lambda: call("logs", "c").stdout == "said\n")
    assert len(containers(DEFAULT_ROOT)) == 1
    assert call("exec", "c", "echo", "inside").stdout == "inside\n"
    assert call("exec", "--interactive", "c", "cat", stdin="given").stdout == "given"
    assert [status("exec", "c", *words) for words in (["sh", "-c", "exit 3"], ["/nope"], ["/etc"])] == [3, 127, 126]
    assert status("exec", "--detach", "c", "sleep", "1000") == 0
    assert call("top", "c").stdout.count("sleep 1000") == 2
    assert [status(verb, "c") for verb in ("pause", "unpause")] == [0, 0]
    done = call("update", "--memory", "80m", "--cpus", "0.5", "c")
    assert done.returncode == 0, done.stderr
    file = "memory.limit_in_bytes" if limits.groups().version == 1 else "memory.max"
    assert f"{80 << 20}\n" in [path.read_text() for each in below("libpod_parent") for path in Path(each).glob(file)]
    assert status("stop", "--time", "0", "c") == 0
    assert call("inspect", "--format", "{{.State.ExitCode}}", "c").stdout == "137\n"
    assert [status(*verb, "c") for verb in (["start"], ["restart", "--time", "0"], ["kill"])] == [0, 0, 0]
    assert call("wait", "c").stdout == "137\n"
    assert status("rm", "c") == 0


def test_podman_stop_lets_the_program_end(podman: Client) -> None:
    """A program that ends at SIGTERM gives its own status."""
    script = "trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; done"
    assert podman.status("run", "--detach", "--name", "c", *HERE, "localhost/box", "sh", "-c", script) == 0
    wait(lambda: podman.call("logs", "c").stdout == "ready\n")
    assert podman.status("stop", "c") == 0
    assert podman.call("inspect", "--format", "{{.State.ExitCode}}", "c").stdout == "9\n"


def test_podman_terminal(podman: Client) -> None:
    """A container and what is executed in it have terminals, of the size of the client's if it has one."""
    done = podman.call("run", "--rm", "--tty", *HERE, "localhost/box", "tty")
    assert (done.returncode, "/dev/pts/0" in done.stdout) == (0, True), done.stderr
    terminal = ("--interactive", "--tty")
    found = podman.in_terminal("run", "--rm", *terminal, *HERE, "localhost/box", "sh", "-c", SIZED)
    assert found == (5, "/dev/pts/0\n")
    assert podman.status("run", "--detach", "--name", "c", *HERE, "localhost/box", "sleep", "1000") == 0
    assert podman.in_terminal("exec", *terminal, "c", "sh", "-c", SIZED) == (5, "/dev/pts/0\n")


@pytest.fixture
def ctr(oci: Oci, tmp_path: Path) -> Iterator[Client]:
    """Call ctr, with a containerd of the test's own and an image named ``box:latest``."""
    environment = client("ctr")
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 0)
    address = tmp_path / "containerd.sock"
    left_out = ", ".join(f'"io.containerd.{each}"' for each in (
        "grpc.v1.cri", "snapshotter.v1.btrfs", "snapshotter.v1.zfs", "snapshotter.v1.devmapper", "snapshotter.v1.aufs"
    ))  # fmt: skip
    (tmp_path / "config.toml").write_text(
        f'version = 2\nroot = "{tmp_path}/ctr/root"\nstate = "{tmp_path}/ctr/state"\ndisabled_plugins = [{left_out}]\n'
        f'[grpc]\naddress = "{address}"\n[ttrpc]\naddress = "{tmp_path}/ttrpc.sock"\n'
    )
    made = Client(tmp_path, ["ctr", "--address", str(address)], environment)
    # The shims' sockets are in /run.
    syscalls.mount("tmpfs", "/run", "tmpfs")
    with open(tmp_path / "containerd.log", "wb") as log:
        daemon = subprocess.Popen(
            ["containerd", "--config", str(tmp_path / "config.toml")], env=environment, stdout=log, stderr=log
        )
    try:
        wait(address.exists)
        with tarfile.open(tmp_path / "box.tar", "w") as archive:
            archive.add(images().directory / "busybox", ".")
        done = made.call("image", "import", "--base-name", "box", str(tmp_path / "box.tar"))
        assert done.returncode == 0, done.stderr
        yield made
        made.call("task", "kill", "--signal", "KILL", "c")
        wait(lambda: made.status("task", "rm", "c") or True)
        assert containers(tmp_path / "runc/default") == []
        wait(lambda: not [each for each in processes(tmp_path) if "containerd-shim" in each])
        assert mounts(tmp_path) == []
    finally:
        daemon.terminate()
        daemon.wait(20)
        wait(lambda: not processes(tmp_path))
        syscalls.umount("/run")
        remove_group("default")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["echo", "hello"], 0, "hello\n"),
        (["sh", "-c", "exit 7"], 7, ""),
        (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137, ""),
        (["/nope"], 1, ""),
    ],
)
def test_ctr_run(ctr: Client, words: list[str], status: int, said: str) -> None:
    """The status of ctr run is the program's."""
    done = ctr.call("run", "--rm", *_runtime(ctr), "box:latest", "c", *words)
    assert (done.returncode, done.stdout) == (status, said), done.stderr
    if words == ["/nope"]:
        assert 'exec: "/nope": stat /nope: no such file or directory' in done.stderr


def _runtime(ctr: Client) -> list[str]:
    return ["--snapshotter", "native", "--runc-binary", COMMAND, "--runc-root", str(ctr.folder / "runc")]


def test_ctr_life(ctr: Client) -> None:
    """Detached run, exec, ps, pause, resume, metrics, kill, rm."""
    call, status = ctr.call, ctr.status
    done = call("run", "--detach", *_runtime(ctr), "--memory-limit", str(64 << 20), "box:latest", "c", "sleep", "1000")
    assert done.returncode == 0, done.stderr
    assert call("task", "exec", "--exec-id", "one", "c", "echo", "inside").stdout == "inside\n"
    assert status("task", "exec", "--exec-id", "two", "c", "sh", "-c", "exit 3") == 3
    assert "no such file or directory" in call("task", "exec", "--exec-id", "three", "c", "/nope").stderr
    assert status("task", "exec", "--detach", "--exec-id", "four", "c", "sleep", "1000") == 0
    assert len(call("task", "ps", "c").stdout.splitlines()) == 3
    assert status("task", "pause", "c") == 0
    assert "PAUSED" in call("task", "ls").stdout
    assert status("task", "resume", "c") == 0
    assert str(64 << 20) in call("task", "metrics", "c").stdout
    assert status("task", "kill", "--signal", "KILL", "c") == 0
    wait(lambda: "STOPPED" in call("task", "ls").stdout)
    assert "exit code 137" in call("task", "rm", "c").stderr
    assert status("container", "rm", "c") == 0


def test_ctr_stop_lets_the_program_end(ctr: Client) -> None:
    """A program that ends at SIGTERM gives its own status."""
    script = "trap 'exit 9' TERM; echo ready > /ready; while true; do sleep 0.05; done"
    assert ctr.status("run", "--detach", *_runtime(ctr), "box:latest", "c", "sh", "-c", script) == 0
    wait(lambda: ctr.status("task", "exec", "--exec-id", "one", "c", "cat", "/ready") == 0)
    assert ctr.status("task", "kill", "c") == 0
    wait(lambda: "STOPPED" in ctr.call("task", "ls").stdout)
    assert "exit code 9" in ctr.call("task", "rm", "c").stderr


def test_ctr_terminal(ctr: Client) -> None:
    """A container and what is executed in it have terminals of the size of the client's."""
    found = ctr.in_terminal("run", "--rm", "--tty", *_runtime(ctr), "box:latest", "t", "sh", "-c", SIZED)
    assert found == (5, "/dev/pts/0\n")
    assert ctr.status("run", "--detach", *_runtime(ctr), "box:latest", "c", "sleep", "1000") == 0
    found = ctr.in_terminal("task", "exec", "--tty", "--exec-id", "one", "c", "sh", "-c", SIZED)
    assert found == (5, "/dev/pts/0\n")
