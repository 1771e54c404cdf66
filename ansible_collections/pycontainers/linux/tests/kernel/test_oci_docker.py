# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker on this runtime: a dockerd of the test's own, with its own containerd and shims, does not notice it."""
from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci, wait
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import (
    SIZED,
    Call,
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

GROUP = "pycontainers-docker"
RUN = ("run", "--runtime", "pycontainers", "--network", "none")


class Docker:
    """A dockerd in a folder: ``call`` is the client's command line."""

    def __init__(self, folder: Path) -> None:
        environment = client("dockerd")
        programs = Path(environment["PATH"].partition(":")[0]).parent / "bin"
        # dockerd insists on a program of this name, though nothing is run by it.
        (folder / "bin").mkdir()
        (folder / "bin/runc").symlink_to(COMMAND)
        self.folder = folder
        self.environment = environment | {"PATH": f"{folder}/bin:{environment['PATH']}", "HOME": str(folder)}
        self.command = [str(programs / "docker"), "--host", f"unix://{folder}/docker.sock"]
        self.call: Call = caller(self.command, self.environment)

    def start(self) -> None:
        """Start dockerd, and wait until it answers."""
        (self.folder / "daemon.json").write_text("{}")
        options = {
            "config-file": "daemon.json", "data-root": "lib", "exec-root": "exec", "pidfile": "pid",
        }  # fmt: skip
        places = [f"--{option}={self.folder / each}" for option, each in options.items()]
        network = ["--bridge=none", *(f"--{each}=false" for each in ("iptables", "ip6tables", "ip-forward", "ip-masq"))]
        given = ["--add-runtime", f"pycontainers={COMMAND}", "--cgroup-parent", GROUP, "--storage-driver", "vfs"]
        given += ["--exec-opt", "native.cgroupdriver=cgroupfs", "--userland-proxy=false", "--log-level", "warn"]
        with open(self.folder / "log", "wb") as log:
            self.daemon = subprocess.Popen(
                ["dockerd", *places, *network, *given, "--host", f"unix://{self.folder}/docker.sock"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait(lambda: self.daemon.poll() is not None or self.call("version").returncode == 0, 30)
        assert self.daemon.poll() is None, (self.folder / "log").read_text()

    def containers(self) -> list[str]:
        """What the runtime keeps of containers; every version has another place for it."""
        roots = list(self.folder.glob("exec/runtime-*/moby"))
        return [each for root in roots for each in containers(root)]

    def close(self) -> None:
        """Remove the containers, see what the runtime has left of them, and end dockerd."""
        try:
            for identity in self.call("ps", "--all", "--quiet").stdout.split():
                self.call("rm", "--force", identity)
            assert self.containers() == []
            wait(lambda: not [each for each in processes(self.folder) if "containerd-shim" in each])
            assert [each for each in mounts(self.folder) if each != str(self.folder / "lib")] == []
        finally:
            self.daemon.terminate()
            try:
                self.daemon.wait(20)
            finally:
                self.daemon.kill()
            wait(lambda: not processes(self.folder))
            unmount(self.folder)
            remove_group(GROUP)


@pytest.fixture
def docker(oci: Oci) -> Iterator[Docker]:
    """A dockerd that has the image ``box``. What it and its shims keep in /run ends with the test."""
    # What the shims leave behind is reaped by the machine.
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 0)
    # The path of a socket must not be long.
    folder = Path(tempfile.mkdtemp(prefix="docker"))
    syscalls.mount("tmpfs", "/run", "tmpfs")
    try:
        made = Docker(folder)
        made.start()
        try:
            done = made.call("import", box(oci.rootfs, folder / "box.tar"), "box")
            assert done.returncode == 0, done.stderr
            yield made
        finally:
            made.close()
    finally:
        syscalls.umount("/run")
        shutil.rmtree(folder)


def test_docker_run_gives_the_status(docker: Docker) -> None:
    """The status of docker run is the program's, or tells that there is no such program, which the message says."""
    wanted = {
        ("true",): 0, ("sh", "-c", "exit 7"): 7, ("/nope",): 127, ("nope",): 127, ("/etc",): 126,
        ("sh", "-c", "sh -c 'kill -9 $$'; exit $?"): 137,
    }  # fmt: skip
    found = {words: docker.call(*RUN, "--rm", "box", *words) for words in wanted}
    assert {words: done.returncode for words, done in found.items()} == wanted, found
    assert 'exec: "/nope": stat /nope: no such file or directory' in found[("/nope",)].stderr
    assert docker.call(*RUN, "--rm", "--interactive", "box", "cat", stdin="given").stdout == "given"


def test_docker_life(docker: Docker) -> None:
    """Detached run, logs, exec, top, pause, update, stats, stop, start, restart, kill, wait, rm."""
    call = docker.call
    script = "echo said; exec sleep 1000"
    done = call(*RUN, "--detach", "--name", "one", "--memory", "64m", "box", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    wait(lambda: call("logs", "one").stdout == "said\n")
    assert call("exec", "one", "echo", "inside").stdout == "inside\n"
    assert call("exec", "--interactive", "one", "cat", stdin="given").stdout == "given"
    assert call("exec", "one", "sh", "-c", "exit 3").returncode == 3
    # Before version 25 docker exec gave 126 for every program that could not be started.
    assert [call("exec", "one", each).returncode for each in ("/nope", "/etc")] in ([126, 126], [127, 126])
    assert call("exec", "--detach", "one", "sleep", "1000").returncode == 0
    assert call("top", "one").stdout.count("sleep 1000") == 2
    assert call("pause", "one").returncode == 0
    assert _state(docker, "one")["Status"] == "paused"
    assert call("unpause", "one").returncode == 0
    done = call("update", "--memory", "80m", "--memory-swap", "-1", "--pids-limit", "30", "--cpus", "0.5", "one")
    assert done.returncode == 0, done.stderr
    assert "/ 80MiB" in call("stats", "--no-stream", "one").stdout
    assert call("stop", "--time", "0", "one").returncode == 0
    assert _state(docker, "one")["ExitCode"] == 137
    assert [call(*verb, "one").returncode for verb in (["start"], ["restart", "--time", "0"], ["kill"])] == [0, 0, 0]
    assert call("wait", "one").stdout == "137\n"
    assert call("rm", "one").returncode == 0


def _state(docker: Docker, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(docker.call("inspect", "--format", "{{json .State}}", name).stdout)
    return found


def test_docker_stop_lets_the_program_end(docker: Docker) -> None:
    """A program that ends at SIGTERM gives its own status; one that fails is started again if asked."""
    script = "trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; done"
    assert docker.call(*RUN, "--detach", "--name", "polite", "box", "sh", "-c", script).returncode == 0
    wait(lambda: docker.call("logs", "polite").stdout == "ready\n")
    assert docker.call("stop", "polite").returncode == 0
    assert _state(docker, "polite")["ExitCode"] == 9
    again = ("--restart", "on-failure:2", "--name", "again")
    assert docker.call(*RUN, "--detach", *again, "box", "sh", "-c", "exit 4").returncode == 0
    wait(lambda: docker.call("inspect", "--format", "{{.RestartCount}}", "again").stdout == "2\n")
    wait(lambda: _state(docker, "again")["Status"] == "exited")
    assert _state(docker, "again")["ExitCode"] == 4


def test_docker_terminal(docker: Docker) -> None:
    """A container and what is executed in it have terminals of the size of the client's."""
    command = [*docker.command, *RUN, "--rm", "--interactive", "--tty", "box", "sh", "-c", SIZED]
    assert in_terminal(command, docker.environment) == (5, "/dev/pts/0\n")
    assert docker.call(*RUN, "--detach", "--name", "one", "box", "sleep", "1000").returncode == 0
    command = [*docker.command, "exec", "--interactive", "--tty", "one", "sh", "-c", SIZED]
    assert in_terminal(command, docker.environment) == (5, "/dev/pts/0\n")


OPTIONS: list[tuple[list[str], str, str]] = [
    (["--init"], "tr '\\0' ' ' < /proc/1/cmdline | cut -d ' ' -f 1", "/sbin/docker-init\n"),
    (["--read-only", "--tmpfs", "/tmp"], "touch /x 2> /dev/null || touch /tmp/x && echo tmp", "tmp\n"),
    (["--cap-drop", "ALL", "--cap-add", "CHOWN"], "grep CapEff /proc/self/status", "CapEff:\t0000000000000001\n"),
    (["--security-opt", "no-new-privileges"], "grep NoNew /proc/self/status", "NoNewPrivs:\t1\n"),
    (["--ulimit", "nofile=100", "--oom-score-adj", "100"], "ulimit -n; cat /proc/self/oom_score_adj", "100\n100\n"),
    (["--sysctl", "kernel.msgmax=9000", "--hostname", "h"], "cat /proc/sys/kernel/msgmax; hostname", "9000\nh\n"),
    (["--device", "/dev/null:/dev/nothing"], "echo lost > /dev/nothing; echo kept", "kept\n"),
    (["--memory", "16m"], "sh -c 'x=$(head -c 50m /dev/zero | tr \"\\0\" a)'; echo $?", "137\n"),
    ([], "echo $HOME", "/root\n"),
    (["--user", "5:6", "--workdir", "/tmp", "--env", "A=b"], "echo $(id -u; id -g; pwd) $A", "5 6 /tmp b\n"),
]


def test_docker_options(docker: Docker) -> None:
    """Options of docker run reach the container."""
    for options, script, said in OPTIONS:
        done = docker.call(*RUN, "--rm", *options, "box", "sh", "-c", script)
        assert (done.returncode, done.stdout) == (0, said), (options, done.stderr)


def test_docker_namespaces_and_health(docker: Docker) -> None:
    """A container joins another's namespaces, and a health check is executed in it."""
    healthy = ("--health-cmd", "true", "--health-interval", "1s", "--name", "one")
    assert docker.call(*RUN, "--detach", *healthy, "box", "sleep", "1000").returncode == 0
    joined = ("run", "--rm", "--runtime", "pycontainers", "--network", "container:one", "--pid", "container:one")
    assert "sleep 1000" in docker.call(*joined, "box", "ps").stdout
    wait(lambda: docker.call("inspect", "--format", "{{.State.Health.Status}}", "one").stdout == "healthy\n")
    assert len(docker.containers()) == 1
