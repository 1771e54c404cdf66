# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that mount a container's root filesystem and take it away."""
from __future__ import annotations

from dataclasses import dataclass

from ..core.layout import Layout
from ..errors import Failure
from ..image import content
from ..kernel.overlay import Overlay
from .container_model import Container
from .container_words import short
from .rootfs_steps import MakeFolder, MountOverlay, unmount_overlay


@dataclass(frozen=True)
class MountRootfs:
    """The step that mounts a container's root filesystem: its image's layers below, its own upper above."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container's, from which image."""
        return f"mount root filesystem of {short(self.container)} from {self.container.image}"

    def do(self) -> None:
        """Make the directories and mount. The image is known only now: it may have been pulled by this plan."""
        overlay = self._overlay()
        for folder in (overlay.wanted.upper, overlay.wanted.work, overlay.path):
            MakeFolder(folder).do()
        overlay.do()

    def undo(self) -> None:
        """Unmount. Whether the image is still there does not matter."""
        unmount_overlay(self.layout, self.layout.container(self.container.id or "", "merged"))

    def _overlay(self) -> MountOverlay:
        image = content.find_id(self.layout, self.container.image_id or "")
        if image is None:
            reason = f"its image {self.container.image_id} is not in the store"
            raise Failure(f"mount the root filesystem of {short(self.container)}", reason, "pull the image again")
        identity = self.container.id or ""
        path, upper, work = (self.layout.container(identity, each) for each in ("merged", "upper", "work"))
        return MountOverlay(self.layout, path, Overlay(image.layers, upper, work))


@dataclass(frozen=True)
class UnmountRootfs:
    """The step that unmounts a container's root filesystem; what it wrote stays in the upper directory."""

    mount: MountRootfs

    def describe(self) -> str:
        """Which container's."""
        return f"unmount root filesystem of {short(self.mount.container)}"

    def do(self) -> None:
        """Unmount."""
        self.mount.undo()

    def undo(self) -> None:
        """Mount it again."""
        self.mount.do()
