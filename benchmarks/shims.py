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
from functools import partial
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from benchmarks.world import World

PARENT = "pycontainers-bench"
"""The cgroup that theirs are in."""

PROGRAMS = Path(__file__).resolve().parents[1] / ".cache" / "containerd"
"""What is in Debian's package of containerd."""

SHIMS = "/run/containerd"
NAMES = ("other", "idle")
PATIENCE = 20.0


def peers() -> None:
    """Have the peers' programs, where there is Debian. It takes the machine's own network namespace."""
    if shutil.which("apt-get") is None:
        return
    missing = [name for name in ("podman", "runc") if shutil.which(name) is None]
    if missing:
        print(f"installing {' '.join(missing)}", file=sys.stderr)
        _call("apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing)
    if not PROGRAMS.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            PROGRAMS.parent.mkdir(exist_ok=True)
            words = ["apt-get", "-qq", "download", "containerd"]
            subprocess.run(words, cwd=folder, check=True, stderr=subprocess.DEVNULL)
            _call("dpkg-deb", "-x", str(next(Path(folder).glob("containerd_*.deb"))), str(PROGRAMS))


def figures(made: World, settled: float, private: Callable[[int], float]) -> dict[str, float]:
    """Private memory in kB of what is there after some seconds, of the peers that can be had here."""
    found = {}
    for name, peer in (("conmon", _podman), ("containerd-shim-runc-v2", _containerd)):
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pycontainers-idle-"))
            stack.enter_context(_cgroup())
            stack.enter_context(_shims_folder())
            if stack.enter_context(peer(made, Path(folder))):
                time.sleep(settled)
                found[name] = max(map(private, _processes(name, folder)))
    return found


@contextmanager
def _podman(made: World, folder: Path) -> Iterator[bool]:
    if shutil.which("podman") is None or shutil.which("runc") is None:
        yield False
        return
    podman = ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--runtime", "runc"]
    podman += ["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"]
    run = ["run", "-d", "--tls-verify=false", "--network", "none", "--cgroup-parent", f"/{PARENT}"]
    # Its own defaults are above what an unprivileged machine may raise limits to.
    run += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
    image = f"{made.registry}/busybox:latest"
    try:
        for name in NAMES:
            _call(*podman, *run, "--name", name, image, "sleep", "1000")
        yield True
    finally:
        _call(*podman, "rm", "-f", "-t", "0", "--ignore", *NAMES)
        _call(*podman, "rmi", "-f", image)


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
            _wait("containerd", lambda: _exit_status(*ctr, "version") == 0)
            for name in NAMES:
                run = ["run", "-d", "--cgroup", f"/{PARENT}/{name}", "--rootfs", rootfs, name]
                _call(*ctr, *run, "/bin/busybox", "sleep", "1000")
            yield True
        finally:
            for name in NAMES:
                _exit_status(*ctr, "task", "rm", "--force", name)
                _exit_status(*ctr, "container", "rm", name)
            daemon.terminate()


def _call(*words: str) -> None:
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(words)} exits with {done.returncode}: {done.stdout.strip()}")


def _exit_status(*words: str) -> int:
    return subprocess.run(words, capture_output=True, check=False).returncode


def _wait(what: str, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"bench: {what} is not there within {PATIENCE:.0f} s")
        time.sleep(0.1)


@contextmanager
def _cgroup() -> Iterator[None]:
    """Remove the group that a peer has made for its containers, and leaves."""
    try:
        yield
    finally:
        # In the hierarchies without a controller too.
        for top in Path("/sys/fs/cgroup").glob(f"*/{PARENT}"):
            _wait(f"the end of what is in {top}", partial(_removed, top))


def _removed(top: Path) -> bool:
    with suppress(OSError):
        for folder, _, _ in os.walk(top, topdown=False):
            os.rmdir(folder)
    return not top.exists()


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
