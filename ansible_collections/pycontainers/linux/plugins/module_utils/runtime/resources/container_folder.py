# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that make and remove a container's folder, and those by which a name stands for it."""
from __future__ import annotations

import errno
import os
from contextlib import suppress

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..image import content
from ..lean.dataclasses import dataclass, replace
from ..oci import checker
from . import container_health, container_state, container_volume_steps, container_volumes, journal
from .container_model import Container
from .container_words import short
from .rootfs_size_steps import forget_quota

TRIES = 100
"""How often a folder may have something new in it when it is to go."""


@dataclass(frozen=True)
class GiveName:
    """The step that lets a name stand for a container. ``before`` is the id it stands for now."""

    layout: Layout
    name: str
    identity: str | None
    before: str | None

    def describe(self) -> str:
        """Which name, which container."""
        if self.identity is None:
            return f"take the name {self.name} away"
        return f"give the name {self.name} to container {self.identity[:12]}"

    def do(self) -> None:
        """Make the link aside and rename it into place; or remove it."""
        self._point(self.identity)

    def undo(self) -> None:
        """Point the name to where it pointed."""
        self._point(self.before)

    def _point(self, identity: str | None) -> None:
        path = self.layout.name(self.name)
        if identity is None:
            store.remove(path)
            if os.path.isdir(self.layout.names):
                # Else a power cut brings it back, after somebody has been told that it is gone.
                store.sync(self.layout.names)
            return
        os.makedirs(self.layout.names, mode=0o700, exist_ok=True)
        # No name starts with a dot, and the name's lock is held: the next run takes over what a killed one left.
        aside = f"{self.layout.names}/.{self.name}.new"
        store.remove(aside)
        os.symlink(f"../containers/{identity}", aside)
        os.rename(aside, path)
        store.sync(self.layout.names)


@dataclass(frozen=True)
class MakeContainer:
    """The step that makes a container's folder with its record."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container."""
        return f"make container {short(self.container)}"

    def do(self) -> None:
        """Write the record; the folder comes with it. From then on the image's layers are in use.

        Under the store's lock, so that no removal of the image comes between the look at it and the record.
        """
        with content.lock(self.layout):
            image = content.find_id(self.layout, self.container.image_id or "")
            if image is None:
                reason = f"its image {self.container.image_id} has been removed meanwhile"
                raise Failure(self.describe(), reason, "run the task again")
            # Only now is it known what the image declares: it may have been pulled by this plan.
            checked = container_health.in_force(self.container, image.config) is not None
            if self.container.health == container_health.HEALTHY and not checked:
                raise Failure(self.describe(), container_health.UNCHECKED, container_health.CHECK_IT)
            volumes = tuple(sorted(container_volumes.anonymous(self.container, image.config).items()))
            container_state.record_step(self.layout, replace(self.container, anonymous=volumes or None), None).do()
        try:
            container_volume_steps.make_anonymous(self.layout, self.container)
        except BaseException:
            self.undo()
            raise
        journal.note(self.layout, self.container, "create")

    def undo(self) -> None:
        """Remove the folder with all that the steps since have put there, and the volumes that were its own."""
        container_volume_steps.forget_anonymous(self.layout, self.container)
        RemoveFolder(self.layout, self.container).do()


@dataclass(frozen=True)
class RemoveFolder:
    """The step that removes a container's folder with all its program has written. It can't be undone."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container."""
        return f"remove container {short(self.container)}"

    def do(self) -> None:
        """Remove the record last, so that a removal that is cut short goes on at the next run."""
        identity = self.container.id or ""
        folder, running = self.layout.container(identity), self.layout.running(identity)
        there = os.path.exists(container_state.record_path(self.layout, identity))
        checker.end(self.layout, identity)
        _remove(running)
        forget_quota(self.layout.container(identity, "upper"))
        _remove(folder)
        if there:
            journal.note(self.layout, self.container, "destroy")

    def undo(self) -> None:
        """Nothing can bring it back."""
        raise Failure(f"bring back container {short(self.container)}", "what a container wrote is gone with it")


def _remove(folder: str) -> None:
    """Remove a folder, and in it the record last. A waiter that is about to end may write to it once more meanwhile."""
    from ..image.erase import erase

    for left in reversed(range(TRIES)):
        for name in sorted(_listed(folder), key=lambda name: name == "container.json"):
            path = os.path.join(folder, name)
            erase(path) if os.path.isdir(path) and not os.path.islink(path) else store.remove(path)
        try:
            with suppress(FileNotFoundError):
                os.rmdir(folder)
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or not left:
                raise


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
