# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel tests run as root in mount and network namespaces of their own, and leave nothing.

The whole test process leaves the machine's namespaces before the first test, so whatever a test mounts or
links ends with it at the latest. Cgroups are the machine's: tests make theirs below names of their own.
"""
from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import limits
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.service import install_steps
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import Oci
from ansible_collections.pycontainers.linux.tests.kernel.rootfs_bench import Place, held_files, mount_disk, sized_place
from testbed.registry import Server, registry

SIOCSIFFLAGS = 0x8914
IFF_UP_LOOPBACK = 0x49
LENT = "PYCONTAINERS_STORED"
"""The variable that names the root and the image of tests around these, in whose kernel no registry runs."""


@pytest.fixture(scope="session", autouse=True)
def _own_namespaces() -> None:
    """Move the test process into mount and network namespaces of its own, with the loopback interface up."""
    if os.geteuid() != 0:
        pytest.skip("kernel tests need root: they mount, make namespaces and cgroups")
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    _show_own_network_in_sysfs()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP_LOOPBACK))


def _show_own_network_in_sysfs() -> None:
    """Mount a sysfs of the new network namespace: the old one goes on listing the machine's interfaces."""
    syscalls.mount("/sys/fs/cgroup", "/mnt", flags=syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.mount("sysfs", "/sys", "sysfs")
    syscalls.mount("/mnt", "/sys/fs/cgroup", flags=syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.umount("/mnt", syscalls.MNT_DETACH)


@pytest.fixture(scope="session", autouse=True)
def _own_cgroups(_own_namespaces: None) -> Iterator[None]:
    """Make a group of the test process's own the root of what it sees of version 1, so that others are out of sight.

    Version 2 hands no controllers down from a group with processes in it: there the tests share the machine's root.
    """
    groups = limits.groups()
    if groups.version == 2:
        yield
        return
    name = f"pycontainers-tests-{os.getpid()}"
    homes = [os.open(folder, os.O_PATH | os.O_DIRECTORY) for folder in _folders_now()]
    tops = [os.open(folder, os.O_PATH | os.O_DIRECTORY) for folder in groups.directories(".")]
    groups.create(name)
    cgroups.join(groups.directories(name))
    syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    for folder in groups.directories(name):
        syscalls.mount(folder, os.path.dirname(folder), flags=syscalls.MS_BIND)
    yield
    cgroups.join(f"/proc/self/fd/{home}" for home in homes)
    for top in tops:
        for folder, _, _ in os.walk(f"/proc/self/fd/{top}/{name}", topdown=False):
            os.rmdir(folder)
    for descriptor in (*homes, *tops):
        os.close(descriptor)


def _folders_now() -> list[str]:
    """The folders of the groups that the test process is in."""
    lines = [line.split(":") for line in Path("/proc/self/cgroup").read_text().splitlines()]
    return [
        f"/sys/fs/cgroup/{controllers}{path}" for _, controllers, path in lines if controllers in limits.CONTROLLERS
    ]


def _mounts() -> list[str]:
    return sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())


def _links() -> list[str]:
    return sorted(name for _, name in socket.if_nameindex())


def _descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def _cgroups() -> set[str]:
    """The containers' groups; that of their waiters stays."""
    found = set()
    for parent in filter(os.path.isdir, cgroups.cgroups().directories("pycontainers")):
        found |= {f"{parent}/{name}" for name in os.listdir(parent) if os.path.isdir(f"{parent}/{name}")}
    return {each for each in found if not each.endswith("/waiters")}


def _reap() -> None:
    """Take the status of what has ended as this process's child since whoever was its parent ended before."""
    for task in os.listdir("/proc/self/task"):
        for child in Path(f"/proc/self/task/{task}/children").read_text().split():
            with suppress(OSError):
                if Path(f"/proc/{child}/stat").read_text().rpartition(") ")[2].startswith("Z"):
                    os.waitpid(int(child), os.WNOHANG)


def _settle() -> None:
    """Wait for the mounts of a test before that the kernel is about to take away: who counts them now counts wrong."""
    end = time.monotonic() + 2
    while len(_mounts()) > _FEWEST[0] and time.monotonic() < end:
        time.sleep(0.01)
    _FEWEST[0] = len(_mounts())


_FEWEST = [1 << 30]
"""How many mounts there were before the last test that counted them."""


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """A layout in a temporary folder; afterwards mounts, links, cgroups and descriptors are as they were."""
    _settle()
    before_mounts, before_links, before_cgroups = _mounts(), _links(), _cgroups()
    descriptors = _descriptors()
    yield Layout(root=str(tmp_path / "root"), run=str(tmp_path / "run"))
    now, before = Counter(_mounts()), Counter(before_mounts)
    assert now - before == Counter()
    # The kernel takes a mount out of all namespaces when somebody removes what it is on.
    assert [each for each in before - now if os.path.exists(each)] == []
    assert (_links(), _cgroups()) == (before_links, before_cgroups)
    assert len(_descriptors()) == len(descriptors)
    _reap()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a registry with the testbed's images for all tests of a file."""
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, str]:
    """A layout that has the image busybox and an installed runtime, for hosts to begin with, and the image's name."""
    folder = tmp_path_factory.mktemp("stored")
    made = Layout(str(folder / "root"), str(folder / "run"))
    lent, _, name = os.environ.get(LENT, "").partition(" ")
    if lent:
        subprocess.run(["cp", "-a", lent, made.root], check=True)
        return made, name
    with registry(folder / "registry") as running:
        name = f"{running.address}/busybox:latest"
        pull(made, parse_reference(name))
    for step in install_steps(made):
        step.do()
    return made, name


@pytest.fixture
def host(layout: Layout, stored: tuple[Layout, str]) -> Iterator[Host]:
    """A host with nothing on it yet; what a test has left there is ended and removed."""
    made = Host(layout, *stored)
    yield made
    made.close()


@pytest.fixture
def oci(layout: Layout, stored: tuple[Layout, str], tmp_path: Path) -> Iterator[Oci]:
    """A bundle and a root folder for the OCI command line; a test's containers are deleted."""
    made = Oci(tmp_path, Path(stored[0].root) / "layers")
    yield made
    made.close()


@pytest.fixture
def place(layout: Layout, tmp_path: Path) -> Iterator[Place]:
    """Give two lowers, a and b; what a test leaves mounted is unmounted."""
    made = Place(layout, tmp_path / "place")
    yield made
    made.close()


@pytest.fixture(params=["image", "ext4", "xfs"])
def sized(layout: Layout, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give a place for each of the means."""
    yield from sized_place(layout, tmp_path, request.param)


@pytest.fixture(params=["ext4", "xfs"])
def quotas(layout: Layout, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give a place on a filesystem with project quotas."""
    yield from sized_place(layout, tmp_path, request.param)


@pytest.fixture(params=["image", "ext4", "xfs"])
def sized_host(
    layout: Layout, stored: tuple[Layout, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Host]:
    """Give a host whose containers are on a filesystem with project quotas, and one where they are on none."""
    disk = tmp_path / "disk"
    mount_disk(request.param, disk) if request.param != "image" else disk.mkdir()
    # On the same filesystem, since a host has its images as links to those that are stored.
    subprocess.run(["cp", "-a", stored[0].root, disk / "stored"], check=True)
    host = Host(Layout(str(disk / "root"), layout.run), Layout(str(disk / "stored")), stored[1])
    try:
        yield host
        host.close()
    finally:
        if request.param != "image":
            subprocess.run(["umount", disk], check=True)
    assert [each for each in held_files() if each.startswith(str(tmp_path))] == []
