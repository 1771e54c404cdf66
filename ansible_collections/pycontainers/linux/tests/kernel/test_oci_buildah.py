# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buildah on this runtime: what it runs and what it builds. It has no exec, pause, stop or update."""
from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
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
    unmount,
)


class Buildah:
    """Buildah and the folder in which it keeps everything; ``call`` is its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        (folder / "registries.conf").write_text("")
        # Limits that also a root without CAP_SYS_RESOURCE can set.
        (folder / "containers.conf").write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024"]\n')
        self.environment = client("buildah") | {
            "CONTAINERS_CONF": str(folder / "containers.conf"), "TMPDIR": str(folder), "HOME": str(folder),
        }  # fmt: skip
        places = [f"--root={folder}/root", f"--runroot={folder}/run", f"--registries-conf={folder}/registries.conf"]
        self.command = ["buildah", *places, "--storage-driver", "vfs"]
        self.options = ["--runtime", COMMAND, f"--runtime-flag=root={folder}/oci", "--isolation=oci", "--network=none"]
        self.call: Call = caller(self.command, self.environment)

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program in the working container ``w``."""
        return self.call("run", *self.options, "w", "--", *words, stdin=stdin)

    def build(self, *lines: str) -> subprocess.CompletedProcess[str]:
        """Build the image ``made`` from these lines after one that adds busybox."""
        (self.folder / "Dockerfile").write_text("\n".join(["FROM scratch", "ADD box.tar /", *lines]))
        policy = f"--signature-policy={self.folder}/policy.json"
        return self.call("build", policy, *self.options, "--tag", "made", str(self.folder))


@pytest.fixture
def buildah(oci: Oci) -> Iterator[Buildah]:
    """Buildah with a working container ``w`` of busybox."""
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 0)
    folder = Path(tempfile.mkdtemp(prefix="buildah"))
    made = Buildah(folder)
    try:
        done = made.call("from", "--name", "w", "scratch")
        assert done.returncode == 0, done.stderr
        done = made.call("add", "w", box(oci.rootfs, folder / "box.tar"), "/")
        assert done.returncode == 0, done.stderr
        yield made
        wait(lambda: not processes(folder))
        assert containers(folder / "oci") == []
        assert [each for each in mounts(folder) if "/buildah" in each.removeprefix(str(folder))] == []
        assert oci.cgroups() == []
        assert made.call("rm", "--all").returncode == 0
    finally:
        unmount(folder)
        shutil.rmtree(folder)


def test_buildah_run_gives_the_status(buildah: Buildah) -> None:
    """The status of buildah run is the program's, and 1 with the reason where there is none."""
    wanted = {
        ("true",): 0, ("sh", "-c", "exit 7"): 7, ("sh", "-c", "sh -c 'kill -9 $$'; exit $?"): 137,
        ("/nope",): 1, ("nope",): 1, ("/etc",): 1,
    }  # fmt: skip
    found = {words: buildah.run(*words) for words in wanted}
    assert {words: done.returncode for words, done in found.items()} == wanted, found
    assert 'exec: "/nope": stat /nope: no such file or directory' in found[("/nope",)].stderr
    assert 'exec: "/etc": permission denied' in found[("/etc",)].stderr
    assert buildah.run("cat", stdin="given").stdout == "given"
    assert len(containers(buildah.folder / "oci")) == 0


def test_buildah_terminal(buildah: Buildah) -> None:
    """A program has a terminal of the size of the client's."""
    command = [*buildah.command, "run", *buildah.options, "--tty", "w", "--", "sh", "-c", SIZED]
    status, said = in_terminal(command, buildah.environment)
    assert (status, said.splitlines()[0]) == (5, "/dev/pts/0")


def test_buildah_end(buildah: Buildah) -> None:
    """When buildah run is told to end, the program is killed and the container deleted."""
    command = [*buildah.command, "run", *buildah.options, "w", "--", "sh", "-c", "echo ready; exec sleep 1000"]
    with subprocess.Popen(
        command, env=buildah.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        assert len(containers(buildah.folder / "oci")) == 1
        # buildah listens for signals some time after it has started the program; what comes earlier is lost.
        for _ in range(20):
            time.sleep(0.5)
            running.terminate()
            with suppress(subprocess.TimeoutExpired):
                assert running.wait(1) == 1
                break
        else:
            running.kill()
            pytest.fail("buildah does not end")


def test_buildah_build(buildah: Buildah) -> None:
    """A build runs its steps on the runtime, and ends with the status of one that fails."""
    mount = "--mount=type=tmpfs,target=/t"
    lines = ["RUN echo built > /made", f"RUN {mount} touch /t/x && cat /made && id -u", "USER 5", "RUN id -u"]
    done = buildah.build(*lines)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if not line.startswith("STEP")][:3] == ["built", "0", "5"]
    assert buildah.build("RUN exit 5").returncode == 5
