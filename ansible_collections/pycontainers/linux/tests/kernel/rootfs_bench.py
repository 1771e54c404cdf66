# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for tests of root filesystems: lower directories, and ways to declare overlays of them."""
from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import quota, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import rootfs_size
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.rootfs import ROOTFS, OverlayRootfs

MIB = 1 << 20
SYS_RESOURCE = 24
MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota,lazy_itable_init=1"],
    "xfs": ["mkfs.xfs", "-q"],
}

lacking: set[str] = set()
"""Types of filesystems that this kernel has turned out to have no project quotas of."""


class Place:
    """A folder with lower directories, and overlays in it."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        self.layout, self.folder = layout, folder
        folder.mkdir()
        self.path = str(folder / "merged")
        for name in ("a", "b"):
            (folder / name).mkdir()
            (folder / name / name).write_text(name)
            (folder / name / "both").write_text(name)
        self.above: dict[str, Any] = {"upper": str(folder / "upper"), "work": str(folder / "work")}
        self.lower = [str(folder / "a"), str(folder / "b")]

    def declare(self, check: bool = False, **values: Any) -> Outcome[OverlayRootfs]:
        """Declare the overlay."""
        return converge(ROOTFS, self.layout, parse(OverlayRootfs, {"path": self.path, **values}), check)

    def read(self, name: str) -> str:
        """Read a file of the overlay."""
        return Path(self.path, name).read_text()

    def close(self) -> None:
        """Unmount what is left."""
        while mounted(self.path):
            syscalls.umount(self.path)


def mount_disk(fstype: str, folder: Path) -> None:
    """Mount a filesystem that enforces project quotas, or skip the test where the kernel has none."""
    if fstype in lacking:
        pytest.skip(f"this kernel has no project quotas of {fstype}")
    file = folder.parent / "disk.img"
    with file.open("wb") as image:
        image.truncate(320 * MIB)  # xfs takes no less than 300
    if subprocess.run(["which", MAKE[fstype][0]], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no {MAKE[fstype][0]}")
    subprocess.run([*MAKE[fstype], file], check=True)
    folder.mkdir()
    done = subprocess.run(["mount", "-o", "loop,prjquota", file, folder], capture_output=True, check=False)
    if done.returncode or not quota.enforced(str(folder)):
        if not done.returncode:
            subprocess.run(["umount", folder], check=True)
        lacking.add(fstype)
        pytest.skip(f"this kernel has no project quotas of {fstype}")


def sized_place(layout: Layout, folder: Path, means: str) -> Iterator[Place]:
    """A place whose layers are held to sizes by ``means``; nothing of it is mounted afterwards."""
    if means == "image":
        made = Place(layout, folder / "place")
    else:
        mount_disk(means, folder / "disk")
        made = Place(layout, folder / "disk/place")
    yield made
    with suppress(Failure):
        made.declare(state="absent", **made.above)
    made.close()
    if means != "image":
        subprocess.run(["umount", folder / "disk"], check=True)
    assert [each for each in held_files() if each.startswith(str(folder))] == []


def held_files() -> list[str]:
    """The files that loop devices have."""
    found = []
    for each in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            found.append(each.read_text().rstrip("\n"))
    return found


def by_image(place: Place) -> bool:
    """Whether it is an image that holds the layer."""
    return os.path.exists(rootfs_size.image(place.above["upper"]))


def may_grow(image: bool) -> None:
    """Skip the test of an image where nobody may make a mounted ext4 larger."""
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff"))
    if image and not effective >> SYS_RESOURCE & 1:
        pytest.skip("this machine withholds CAP_SYS_RESOURCE")


def fill(file: int, most: int) -> int:
    """Write until there is no room, or enough; how much went in."""
    written = 0
    while written < most:
        try:
            written += os.write(file, bytes(MIB))
            os.fsync(file)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            break
    return written
