# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for tests of root filesystems: lower directories, and ways to declare overlays of them."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.rootfs import ROOTFS, OverlayRootfs


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
