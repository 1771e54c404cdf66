# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that mount a container's root filesystem and take it away."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..core.layout import Layout
from ..core.plan import Plan, Step, apply
from ..errors import Failure
from ..image import content
from ..kernel.overlay import Overlay
from ..lean.dataclasses import dataclass
from . import rootfs_size, storage_opts
from .container_model import Container
from .container_words import short
from .rootfs_size import IMAGE, QUOTA, Room
from .rootfs_size_steps import MountImage, change_steps, unmount_image
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
        identity = self.container.id or ""
        upper, work = storage_opts.layer(self.layout, identity)
        want, have = storage_opts.target(self.layout, identity, self.container.storage_opts)
        overlay = self._overlay(*(rootfs_size.inside(upper) if want and want.by == IMAGE else (upper, work)))
        for folder in (upper, work, overlay.path):
            MakeFolder(folder).do()
        above = [MountImage(upper)] if want and want.by == IMAGE else []
        # It may have been given another size while it did not run.
        apply(Plan((*change_steps(self.layout, upper, work, want, have), *above, overlay)))

    def undo(self) -> None:
        """Unmount. Whether the image is still there does not matter."""
        identity = self.container.id or ""
        unmount_image(storage_opts.layer(self.layout, identity)[0])
        unmount_overlay(self.layout, self.layout.container(identity, "merged"))

    def _overlay(self, upper: str, work: str) -> MountOverlay:
        image = content.find_id(self.layout, self.container.image_id or "")
        if image is None:
            reason = f"its image {self.container.image_id} is not in the store"
            raise Failure(f"mount the root filesystem of {short(self.container)}", reason, "pull the image again")
        path = self.layout.container(self.container.id or "", "merged")
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


def size_steps(layout: Layout, want: Container, have: Container) -> list[Step]:
    """Let a container that runs write more or less to its layer."""
    by = IMAGE if have.layer_image else QUOTA
    before = storage_opts.to_room(have.storage_opts, by)
    after = storage_opts.to_room(want.storage_opts, by) or (Room(by) if before else None)
    return change_steps(layout, *storage_opts.layer(layout, have.id or ""), after, before)


@contextmanager
def written(layout: Layout, container: Container) -> Iterator[str]:
    """The directory with what a container has written, to be read.

    One in an image that is not mounted, since the container is stopped, is mounted meanwhile. Should it start just
    then, its overlay keeps the filesystem.
    """
    upper = storage_opts.layer(layout, container.id or "")[0]
    if not storage_opts.has_image(layout, container.id or ""):
        yield upper
        return
    mount = None if rootfs_size.is_mounted(upper) else MountImage(upper)
    if mount:
        mount.do()
    try:
        yield rootfs_size.inside(upper)[0]
    finally:
        if mount:
            mount.undo()
