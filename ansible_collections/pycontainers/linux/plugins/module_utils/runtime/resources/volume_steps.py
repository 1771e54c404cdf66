# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that make a volume, change what is kept of it, and remove it; and what is mounted in one."""
from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, nullcontext, suppress

from ..core import store
from ..core.layout import Layout
from ..errors import Failure, failing
from ..kernel import syscalls
from ..kernel.mount_options import FLAGS
from ..kernel.mounts import mounted
from ..lean.dataclasses import dataclass, replace
from . import container_state, volume_model
from .rootfs_steps import RemoveTree, unmount
from .volume_model import BINDS, DATA, GONE, TMPFS, Volume

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class MakeVolume:
    """The step that makes a volume: its record and its folder. One that is there by then is left as it is.

    ``locked`` says that whoever does this has the volume's lock, ``gone`` is the container that it is made for.
    """

    layout: Layout
    volume: Volume
    locked: bool = False
    gone: frozenset[str] = frozenset()

    def describe(self) -> str:
        """Which volume."""
        return f"make volume {self.volume.name}"

    def do(self) -> None:
        """Write the record first: whatever a killed run leaves has an owner."""
        with self._alone():
            make(self.layout, self.volume)

    def undo(self) -> None:
        """Remove it, unless a container has come to use it meanwhile."""
        from .volume_users import users

        name = self.volume.name
        with self._alone():
            if not users(self.layout, self.gone).get(name):
                remove(self.layout, name)

    def _alone(self) -> AbstractContextManager[None]:
        return nullcontext() if self.locked else volume_model.lock(self.layout, self.volume.name)


@dataclass(frozen=True)
class ChangeVolume:
    """The step that changes what is kept of a volume, and makes its folder if that is missing."""

    layout: Layout
    volume: Volume
    before: Volume

    def describe(self) -> str:
        """Which volume."""
        return f"change volume {self.volume.name}"

    def do(self) -> None:
        """Write the record. The volume's lock is held."""
        volume_model.save(self.layout, self.volume)
        make(self.layout, self.volume)

    def undo(self) -> None:
        """Write what was there."""
        volume_model.save(self.layout, self.before)


@dataclass(frozen=True)
class RemoveVolume:
    """The step that removes a volume with all that is in it. It can't be undone."""

    layout: Layout
    name: str

    def describe(self) -> str:
        """Which volume."""
        return f"remove volume {self.name}"

    def do(self) -> None:
        """Remove it. The volume's lock is held."""
        remove(self.layout, self.name)

    def undo(self) -> None:
        """Nothing can bring it back."""
        raise Failure(f"bring back volume {self.name}", "what was in it is gone")


def make(layout: Layout, volume: Volume) -> Volume:
    """Make what is missing of a volume; give it as its record has it. Its lock is held."""
    known = volume_model.load(layout, volume.name)
    with failing(f"make volume {volume.name}"):
        if known is None:
            created = volume.created or container_state.timestamp(time.time())
            volume_model.save(layout, replace(volume, created=created))
            known = volume_model.load(layout, volume.name) or volume
        with suppress(FileExistsError):
            os.mkdir(layout.volume(volume.name, DATA), 0o755)
            store.sync(layout.volume(volume.name))
    return known


def remove(layout: Layout, name: str) -> None:
    """Remove a volume with what is in it, but not what is mounted there. The record goes last. Its lock is held."""
    folder = layout.volume(name)
    unmount(f"{folder}/{DATA}")
    with failing(f"remove volume {name}", "run this again"):
        RemoveTree(f"{folder}/{GONE}").do()
        with suppress(FileNotFoundError):
            os.rename(f"{folder}/{DATA}", f"{folder}/{GONE}")
        RemoveTree(f"{folder}/{GONE}").do()
        store.remove(volume_model.record_path(layout, name))
        with suppress(FileNotFoundError):
            os.rmdir(folder)


def opened(layout: Layout, name: str) -> int:
    """The descriptor of the folder that containers see of a volume. It is no link, nor is any of those above it."""
    with failing(f"use volume {name}", "put the folder back, or remove the volume"):
        above = os.open(layout.volume(name), FOLDER)
        try:
            return os.open(DATA, FOLDER, dir_fd=above)
        finally:
            os.close(above)


def hold(layout: Layout, name: str, identity: str) -> None:
    """See that a volume is there for a container, with what is to be mounted in it."""
    with volume_model.lock(layout, name):
        known = make(layout, Volume(name=name))
        if not known.driver_options:
            os.close(opened(layout, name))
            return
        with failing(f"mount volume {name}"):
            # Before the mount: whoever is killed in between leaves a mount with an owner.
            os.makedirs(layout.holds(name), mode=0o700, exist_ok=True)
            store.write(layout.holds(name, identity), b"", durable=False)
        path = layout.volume(name, DATA)
        if not mounted(path):
            _mount(layout, known, path)


def _mount(layout: Layout, known: Volume, path: str) -> None:
    said = dict(known.driver_options or ())
    if said["type"] == TMPFS and known.content:
        # What was in it has gone with the last mount, so this is a first use again.
        volume_model.save(layout, replace(known, content=None))
    words = [each for each in said.get("o", "").split(",") if each]
    flags = 0
    for flag, on in (FLAGS[word] for word in words if word in FLAGS):
        flags = flags | flag if on else flags & ~flag
    rest = ",".join(word for word in words if word not in FLAGS)
    place = opened(layout, known.name)
    try:
        with failing(f"mount {said['device']} as volume {known.name}", "see driver_options of the volume"):
            binds = any(each in words for each in BINDS)
            syscalls.mount(said["device"], f"/proc/self/fd/{place}", "" if binds else said["type"], flags, rest)
    finally:
        os.close(place)
    more = flags & ~(syscalls.MS_BIND | syscalls.MS_REC)
    if binds and more:
        with failing(f"mount {said['device']} as volume {known.name}"):
            syscalls.mount("none", path, flags=syscalls.MS_REMOUNT | syscalls.MS_BIND | more)


def release(layout: Layout, name: str, identity: str) -> None:
    """Let a container go of a volume; with the last one goes what is mounted there."""
    with volume_model.lock(layout, name):
        others = [each for each in volume_model.holders(layout, name) if each != identity]
        if not others:
            unmount(layout.volume(name, DATA))
        store.remove(layout.holds(name, identity))
        if not others:
            with suppress(OSError):
                os.rmdir(layout.holds(name))
