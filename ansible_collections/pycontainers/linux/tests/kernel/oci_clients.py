# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that drive OCI runtimes, from Debian's packages: unpacked into a cache, with missing libraries installed."""
from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import tarfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import limits

Call = Callable[..., subprocess.CompletedProcess[str]]
CACHE = Path.home() / ".cache/pycontainers-oci-clients"
PACKAGES = {
    "podman": ("podman", "conmon", "golang-github-containers-common"),
    "ctr": ("containerd",),
    "dockerd": ("docker.io", "containerd", "tini"),
    "buildah": ("buildah", "golang-github-containers-common"),
    "qemu-aarch64": ("qemu-user",),
    "qemu-x86_64": ("qemu-user",),
    "umoci": ("umoci",),
    "tini-static": ("tini",),
    "apparmor_parser": ("apparmor",),
    "newuidmap": ("uidmap",),
}
"""What is unpacked for a program, named by the program."""

LIBRARIES = {
    "podman": ("libsubid4", "libgpgme11"),
    "dockerd": ("libdevmapper1.02.1", "iptables"),
    "buildah": ("libdevmapper1.02.1", "libgpgme11"),
    "qemu-aarch64": ("libcapstone4", "libnuma1", "liburing2"),
    "qemu-x86_64": ("libcapstone4", "libnuma1", "liburing2"),
}
"""What it is linked to. This is installed, since conmon calls podman without the variables that would name a folder."""


def unpacked(name: str) -> Path:
    """The folder with a program's packages. The test is skipped where they can't be had."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip(f"{name} is taken from Debian's packages, and there is no apt-get here")
    root = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            _unpack(name, root)
    return root


def client(name: str) -> dict[str, str]:
    """The environment in which a client can be called by name. The test is skipped where it can't be had."""
    root = unpacked(name)
    environment = {"PATH": f"{root}/usr/sbin:{root}/usr/bin:{root}/sbin:{os.environ['PATH']}", "HOME": str(CACHE)}
    if not _runs(name, environment) and name in LIBRARIES:
        _apt(["install", "-y", "--no-install-recommends", *LIBRARIES[name]], CACHE)
    if not _runs(name, environment):
        pytest.skip(f"{name} does not run here")
    return environment


def _runs(name: str, environment: dict[str, str]) -> bool:
    return subprocess.run([name, "--version"], env=environment, capture_output=True, check=False).returncode == 0


def _unpack(name: str, root: Path) -> None:
    aside = CACHE / f"{name}.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    done = _apt(["download", *PACKAGES[name]], aside)
    if done.returncode:
        _apt(["update"], aside)
        done = _apt(["download", *PACKAGES[name]], aside)
    if done.returncode:
        pytest.skip(f"the packages of {name} can't be downloaded: {done.stderr.strip()}")
    for package in list(aside.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, aside], check=True)
        package.unlink()
    aside.rename(root)


def _apt(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # The tests have left the machine's network; whoever has started them has not.
    outside = ["nsenter", f"--net=/proc/{os.getppid()}/ns/net", "apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    return subprocess.run([*outside, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def caller(command: list[str], environment: dict[str, str]) -> Call:
    """What calls a client with more words, and ``stdin``'s text on its standard input."""

    def call(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], env=environment, capture_output=True, text=True, timeout=60, check=False, input=stdin
        )

    return call


def in_terminal(command: list[str], environment: dict[str, str], rows: int = 33, columns: int = 77) -> tuple[int, str]:
    """The status of a client that has a terminal of this size, and what it prints there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with subprocess.Popen(
        ["setsid", "--ctty", *command], env=environment, stdin=slave, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        said, end = b"", time.monotonic() + 60
        # The master gives EIO when the last process has closed the terminal.
        while time.monotonic() < end and select.select([master], [], [], end - time.monotonic())[0]:
            try:
                said += os.read(master, 4096)
            except OSError:
                break
        if time.monotonic() >= end:
            process.kill()
    os.close(master)
    return process.returncode, said.decode().replace("\r", "")


SIZED = 'until [ "$(stty size 2> /dev/null)" = "33 77" ]; do sleep 0.05; done; tty; exit 5'
"""A script that ends by status 5 when its terminal has got the size of the client's."""


def box(rootfs: Path, path: Path) -> str:
    """The path of an archive that is made of a root file system."""
    with tarfile.open(path, "w") as archive:
        archive.add(rootfs, "/")
    return str(path)


def processes(folder: Path) -> list[str]:
    """The command lines of processes that name a folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in words:
            found.append(os.fsdecode(words))
    return found


def mounts(folder: Path) -> list[str]:
    """What is mounted below a folder, innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in reversed(lines) if line.split()[4].startswith(f"{folder}/")]


def unmount(folder: Path) -> None:
    """Detach what a client's storage has mounted below a folder."""
    for each in mounts(folder):
        syscalls.umount(each, syscalls.MNT_DETACH)


def below(name: str) -> list[str]:
    """The cgroups in one that a client makes for its containers."""
    tops = filter(os.path.isdir, limits.groups().directories(name))
    return [f"{top}/{each}" for top in tops for each in os.listdir(top) if os.path.isdir(f"{top}/{each}")]


def remove_group(name: str) -> None:
    """Remove the group that a client keeps for its containers, and see that none of theirs is left in it."""
    # conmon has a group of its own there.
    left = [each for each in below(name) if not each.endswith("/conmon")]
    cgroups.remove(limits.groups(), name)
    assert left == [], left


def containers(root: Path) -> list[str]:
    """What is left of containers in a root folder of the runtime."""
    return [each for each in os.listdir(root) if each != "seccomp~"] if root.exists() else []
