# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clients on this runtime: podman with conmon, and containerd with its shim, do not notice which one it is."""
from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import limits
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci, wait
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import client
from testbed.registry import images

Call = Callable[..., subprocess.CompletedProcess[str]]
HERE = ("--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""No networks of podman's, and limits that also a root without CAP_SYS_RESOURCE can set."""


@pytest.fixture
def podman(oci: Oci) -> Iterator[Call]:
    """Call podman with all that it keeps in temporary folders, and an image named ``box``."""
    environment = client("podman")
    # conmon and the shim are reaped by the machine: podman waits for that.
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 0)
    # Its folder for what runs may have a path of 50 bytes.
    folder = Path(tempfile.mkdtemp(prefix="podman"))
    root = environment["PATH"].partition("/usr/bin")[0]
    (folder / "containers.conf").write_text(
        f'[engine]\nconmon_path = ["{root}/usr/bin/conmon"]\nevents_logger = "file"\n'
    )
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    environment |= {"CONTAINERS_CONF": str(folder / "containers.conf"), "TMPDIR": str(folder)}
    options = ["--root", "p/root", "--runroot", "p/run", "--tmpdir", "p/tmp", "--storage-driver", "vfs"]
    options = [str(folder / each) if each.startswith("p/") else each for each in options]
    command = ["podman", *options, "--cgroup-manager", "cgroupfs", "--runtime", COMMAND]

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], env=environment, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    with tarfile.open(folder / "box.tar", "w") as archive:
        archive.add(oci.rootfs, "/")
    done = call("import", "--quiet", str(folder / "box.tar"), "box")
    assert done.returncode == 0, done.stderr
    yield call
    call("rm", "--all", "--force", "--time", "0")
    wait(lambda: not _of(folder))
    cgroups.remove(limits.groups(), "libpod_parent")
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        if line.split()[4].startswith(str(folder)):
            syscalls.umount(line.split()[4], syscalls.MNT_DETACH)
    shutil.rmtree(folder)


def _of(folder: Path) -> list[str]:
    """Processes whose command lines name a folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in words:
            found.append(pid)
    return found


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
def test_podman_run_gives_the_status(podman: Call, words: list[str], status: int) -> None:
    """The status of podman run is the program's, or tells that there is no such program."""
    done = podman("run", "--rm", *HERE, "localhost/box", *words)
    assert done.returncode == status, done.stderr


def test_podman_life(podman: Call) -> None:
    """Detached run, exec, logs, pause, stop, kill, rm."""
    script = "echo said; exec sleep 1000"
    done = podman("run", "--detach", "--name", "c", *HERE, "-m", "64m", "localhost/box", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    wait(lambda: podman("logs", "c").stdout == "said\n")
    assert podman("exec", "c", "echo", "inside").stdout == "inside\n"
    programs = (["sh", "-c", "exit 3"], ["/nope"], ["/etc"])
    assert [podman("exec", "c", *words).returncode for words in programs] == [3, 127, 126]
    assert "/dev/pts/" in podman("exec", "--tty", "c", "tty").stdout
    assert [podman(verb, "c").returncode for verb in ("pause", "unpause")] == [0, 0]
    assert podman("stop", "--time", "0", "c").returncode == 0
    assert podman("inspect", "--format", "{{.State.ExitCode}}", "c").stdout == "137\n"
    assert [podman(verb, "c").returncode for verb in ("start", "kill")] == [0, 0]
    assert podman("wait", "c").stdout == "137\n"
    assert podman("rm", "c").returncode == 0


def test_podman_terminal(podman: Call) -> None:
    """A container with a terminal has it as its standard streams."""
    done = podman("run", "--rm", "--tty", *HERE, "localhost/box", "tty")
    assert (done.returncode, "/dev/pts/0" in done.stdout) == (0, True), done.stderr


@pytest.fixture
def ctr(oci: Oci, tmp_path: Path) -> Iterator[Call]:
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

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ctr", "--address", str(address), *words], env=environment, capture_output=True, text=True, timeout=60,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    with open(tmp_path / "containerd.log", "wb") as log:
        daemon = subprocess.Popen(
            ["containerd", "--config", str(tmp_path / "config.toml")], env=environment, stdout=log, stderr=log
        )
    try:
        wait(address.exists)
        with tarfile.open(tmp_path / "box.tar", "w") as archive:
            archive.add(images().directory / "busybox", ".")
        done = call("image", "import", "--base-name", "box", str(tmp_path / "box.tar"))
        assert done.returncode == 0, done.stderr
        yield call
        call("task", "kill", "--signal", "KILL", "c")
        wait(lambda: call("task", "rm", "c").returncode or True)
    finally:
        daemon.terminate()
        daemon.wait(20)
        wait(lambda: not _of(tmp_path))
        cgroups.remove(limits.groups(), "default")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [(["echo", "hello"], 0, "hello\n"), (["sh", "-c", "exit 7"], 7, ""), (["/nope"], 1, "")],
)
def test_ctr_run(ctr: Call, tmp_path: Path, words: list[str], status: int, said: str) -> None:
    """The status of ctr run is the program's."""
    done = ctr("run", "--rm", *_runtime(tmp_path), "box:latest", "c", *words)
    assert (done.returncode, done.stdout) == (status, said), done.stderr
    if words == ["/nope"]:
        assert 'exec: "/nope": stat /nope: no such file or directory' in done.stderr


def _runtime(folder: Path) -> list[str]:
    return ["--snapshotter", "native", "--runc-binary", COMMAND, "--runc-root", str(folder / "runc")]


def test_ctr_life(ctr: Call, tmp_path: Path) -> None:
    """Detached run, exec, pause, resume, metrics, kill, rm."""
    done = ctr("run", "--detach", *_runtime(tmp_path), "box:latest", "c", "sleep", "1000")
    assert done.returncode == 0, done.stderr
    assert ctr("task", "exec", "--exec-id", "one", "c", "echo", "inside").stdout == "inside\n"
    assert ctr("task", "exec", "--exec-id", "two", "c", "sh", "-c", "exit 3").returncode == 3
    assert ctr("task", "pause", "c").returncode == 0
    assert "PAUSED" in ctr("task", "ls").stdout
    assert ctr("task", "resume", "c").returncode == 0
    assert "pids" in ctr("task", "metrics", "c").stdout
    assert ctr("task", "kill", "--signal", "KILL", "c").returncode == 0
    wait(lambda: "STOPPED" in ctr("task", "ls").stdout)
    assert ctr("task", "rm", "c").returncode in (0, 137)
    assert ctr("container", "rm", "c").returncode == 0
    assert list((tmp_path / "runc/default").iterdir()) == []
