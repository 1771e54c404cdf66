# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays with a container of podman and of containerd: conmon and containerd-shim, in memory nobody else has.

Both run two containers each, and are gone with all they have made afterwards. Debian's containerd is unpacked and not
installed, since its package has the daemon started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from benchmarks import podman
from benchmarks.podman import PARENT, call, wait
from benchmarks.world import World

PROGRAMS = Path(__file__).resolve().parents[1] / ".cache" / "containerd"
"""What is in Debian's package of containerd."""

SHIMS = "/run/containerd"
NAMES = ("other", "idle")


def peers() -> None:
    """Have the peers' programs, where there is Debian. It takes the machine's own network namespace."""
    if shutil.which("apt-get") is None:
        return
    missing = [name for name in ("podman", "runc") if shutil.which(name) is None]
    if missing:
        print(f"installing {' '.join(missing)}", file=sys.stderr)
        call("apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing)
    if not PROGRAMS.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            PROGRAMS.parent.mkdir(exist_ok=True)
            words = ["apt-get", "-qq", "download", "containerd"]
            subprocess.run(words, cwd=folder, check=True, stderr=subprocess.DEVNULL)
            call("dpkg-deb", "-x", str(next(Path(folder).glob("containerd_*.deb"))), str(PROGRAMS))


def figures(made: World, settled: float, private: Callable[[int], float]) -> dict[str, float]:
    """Private memory in kB of what is there after some seconds, of the peers that can be had here."""
    found = {}
    for name, peer in (("conmon", _podman), ("containerd-shim-runc-v2", _containerd)):
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pycontainers-idle-"))
            stack.enter_context(podman.cgroup())
            stack.enter_context(_shims_folder())
            if stack.enter_context(peer(made, Path(folder))):
                time.sleep(settled)
                found[name] = max(map(private, _processes(name, folder)))
    return found


@contextmanager
def _podman(made: World, folder: Path) -> Iterator[bool]:
    if not podman.is_there():
        yield False
        return
    theirs = podman.Podman(folder, f"{made.registry}/busybox:latest")
    try:
        for name in NAMES:
            theirs.run(name, "--network", "none")
        yield True
    finally:
        theirs.remove(*NAMES)


@contextmanager
def _containerd(made: World, folder: Path) -> Iterator[bool]:
    programs = f"{PROGRAMS}/usr/bin"
    if not os.path.isdir(programs) or shutil.which("runc") is None:
        yield False
        return
    rootfs = str(next(Path(made.layout.root).glob("layers/*/bin/busybox")).parents[1])
    (folder / "config.toml").write_text(
        f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
        f'[grpc]\naddress = "{folder}/socket"\n'
    )
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    words = [f"{programs}/containerd", "--config", f"{folder}/config.toml"]
    ctr = [f"{programs}/ctr", "--address", f"{folder}/socket"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            wait("containerd", lambda: _exit_status(*ctr, "version") == 0)
            for name in NAMES:
                run = ["run", "-d", "--cgroup", f"/{PARENT}/{name}", "--rootfs", rootfs, name]
                call(*ctr, *run, "/bin/busybox", "sleep", "1000")
            yield True
        finally:
            for name in NAMES:
                _exit_status(*ctr, "task", "rm", "--force", name)
                _exit_status(*ctr, "container", "rm", name)
            daemon.terminate()


def _exit_status(*words: str) -> int:
    return subprocess.run(words, capture_output=True, check=False).returncode


@contextmanager
def _shims_folder() -> Iterator[None]:
    """Lend shims a folder for what they keep in one place whoever starts them."""
    there = os.path.isdir(SHIMS)
    os.makedirs(SHIMS, exist_ok=True)
    syscalls.mount("tmpfs", SHIMS, "tmpfs")
    try:
        yield
    finally:
        syscalls.umount(SHIMS)
        if not there:
            os.rmdir(SHIMS)


def _processes(name: str, word: str) -> Iterator[int]:
    """Those of a program with a word among their arguments."""
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program, *words = (each / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
            if Path(program).name == name and any(word in said for said in words):
                yield int(each.name)
