# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that give a container its volumes, with their first content, and that take them away again."""
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, failing
from ..kernel import syscalls
from ..lean.dataclasses import dataclass, replace
from . import container_volumes, volume_model, volume_steps
from .container_model import Container
from .container_mounts import Volume
from .container_words import short
from .volume_copy import Copy
from .volume_model import COPYING, READY


def make_anonymous(layout: Layout, container: Container) -> None:
    """Make the volumes of a new container that were given no name."""
    for name in container_volumes.anonymous(container, container_volumes.image_config(layout, container)).values():
        with volume_model.lock(layout, name):
            volume_steps.make(layout, _new(name, container))


def forget_anonymous(layout: Layout, container: Container) -> None:
    """Remove the volumes that were made for a container which never was; not those that it has taken over."""
    taken = dict(container.anonymous or ()).values()
    found = container_volumes.anonymous(container, container_volumes.image_config(layout, container))
    for name in set(found.values()) - set(taken):
        with volume_model.lock(layout, name):
            volume_steps.remove(layout, name)


def _new(name: str, container: Container) -> volume_model.Volume:
    return volume_model.Volume(name=name, anonymous=container.id)


@dataclass(frozen=True)
class MountVolumes:
    """The step that sees that the volumes which a container names are there, with what is to be mounted in them."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which ones, for which container."""
        return f"mount volumes {', '.join(container_volumes.named(self.container))} for {short(self.container)}"

    def do(self) -> None:
        """Make and mount what is missing, all or nothing."""
        done: list[str] = []
        try:
            for each in container_volumes.named(self.container):
                done.append(each)
                volume_steps.hold(self.layout, each, self.container.id or "")
        except BaseException:
            for each in reversed(done):
                volume_steps.release(self.layout, each, self.container.id or "")
            raise

    def undo(self) -> None:
        """Let go of them."""
        for each in volume_model.held(self.layout, self.container.id or ""):
            volume_steps.release(self.layout, each, self.container.id or "")


@dataclass(frozen=True)
class UnmountVolumes:
    """The step that takes away what is mounted in volumes for a container alone."""

    mount: MountVolumes

    def describe(self) -> str:
        """Which ones, for which container."""
        return self.mount.describe().replace("mount", "unmount", 1)

    def do(self) -> None:
        """Let go of them."""
        self.mount.undo()

    def undo(self) -> None:
        """Mount them again."""
        self.mount.do()


@dataclass(frozen=True)
class RemoveAnonymous:
    """The step that removes volumes that a container leaves to nobody. It can't be undone."""

    layout: Layout
    container: Container
    names: tuple[str, ...]

    def describe(self) -> str:
        """Whose."""
        return f"remove anonymous volumes of {short(self.container)} that no other container uses"

    def do(self) -> None:
        """Remove them, but none that another container uses."""
        from .volume_users import users

        for name in self.names:
            with volume_model.lock(self.layout, name):
                if not users(self.layout, frozenset({self.container.id or ""})).get(name):
                    volume_steps.remove(self.layout, name)

    def undo(self) -> None:
        """Nothing can bring them back."""
        raise Failure("bring back anonymous volumes", "what was in them is gone")


def fill(layout: Layout, container: Container, config: Mapping[str, Any], rootfs: str) -> None:
    """Give each volume that is used for the first time what the root filesystem has at its place.

    The root is looked up in by descriptor, with the container's root as the root: links in it lead nowhere else.
    """
    for each in container_volumes.in_use(container, config):
        if each.name:
            with volume_model.lock(layout, each.name):
                _fill(layout, container, each, rootfs)


def _fill(layout: Layout, container: Container, volume: Volume, rootfs: str) -> None:
    named = volume.name in container_volumes.named(container)
    known = volume_steps.make(layout, volume_model.Volume(name=volume.name) if named else _new(volume.name, container))
    if known.content == READY:
        return
    target = volume_steps.opened(layout, volume.name)
    try:
        if not volume.nocopy and (known.content == COPYING or not os.listdir(target)):
            with failing(f"copy {volume.target} of the image into volume {volume.name}"):
                _copy(layout, known, rootfs, volume.target, target)
    finally:
        os.close(target)
    volume_model.save(layout, replace(known, content=READY))


def _copy(layout: Layout, known: volume_model.Volume, rootfs: str, place: str, target: int) -> None:
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        origin = syscalls.openat2(root, place, os.O_RDONLY | os.O_DIRECTORY, syscalls.RESOLVE_IN_ROOT)
    except (FileNotFoundError, NotADirectoryError):
        return  # There is nothing to copy, or what is there can't be mounted on, which is told at the start.
    finally:
        os.close(root)
    try:
        # Kept first: whoever is killed on the way leaves one whose copy is done again.
        volume_model.save(layout, replace(known, content=COPYING))
        Copy(origin, target).run()
        syscalls.syncfs(target)
    finally:
        os.close(origin)
