# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that hold the writable layer of an overlay to a size."""
from __future__ import annotations

import os
from contextlib import suppress

from ..core import store
from ..core.kinds import show_limit
from ..core.layout import Layout
from ..core.plan import Step
from ..errors import Failure, failing
from ..kernel import loop, quota, syscalls
from ..kernel.mounts import mounted
from ..lean.dataclasses import dataclass
from . import rootfs_size
from .rootfs_size import IMAGE, PLACES, QUOTA, Room

FIRST_PROJECT, LAST_PROJECT = 1 << 20, (1 << 31) - 1
"""Projects that are given out: far from the small numbers that people choose."""

NAMED = (("/etc/projid", 1), ("/etc/projects", 0))
"""The host's files that give projects a name or a folder (projid(5), projects(5)), and the field of the number."""

TRIES = 1000


@dataclass(frozen=True)
class GiveProject:
    """The step that gives a layer a project of its own, which its directories then bear: they are its record."""

    layout: Layout
    upper: str
    work: str

    def describe(self) -> str:
        """Whose."""
        return f"count {self.upper} in a project of its own"

    def do(self) -> None:
        """Choose a number that nobody has, and give it to both directories, upper last: that one is looked at."""
        with store.lock(self.layout.lock("projects")), failing(self.describe()):
            given = rootfs_size.project(self.upper) or rootfs_size.project(self.work) or choose(self.upper)
            for folder in (self.work, self.upper):
                quota.set_project(folder, given)

    def undo(self) -> None:
        """Count them in the project that they were in, that of the directory above."""
        for folder in (self.upper, self.work):
            quota.set_project(folder, quota.project(os.path.dirname(folder)))


def choose(upper: str) -> int:
    """A project for an upper directory that has none: by its name, so that it is the same each time, but none in use.

    One with files, with limits, or with a name (projid(5)) is in use.
    """
    from hashlib import sha256

    named = _named()
    start = int.from_bytes(sha256(os.fsencode(upper)).digest()[:8], "big")
    for number in range(start, start + TRIES):
        project = FIRST_PROJECT + number % (LAST_PROJECT - FIRST_PROJECT)
        if project not in named and not any(quota.quota(upper, project)):
            return project
    raise Failure(f"find a project for {upper}", f"{TRIES} of them are in use one after the other")


def _named() -> set[int]:
    found = set()
    for file, field in NAMED:
        for line in (store.read(file) or b"").decode(errors="replace").splitlines():
            with suppress(ValueError, IndexError):
                found.add(int(line.split(":")[field]))
    return found


@dataclass(frozen=True)
class SetQuota:
    """The step that limits what a layer may take. It has a project of its own by then."""

    upper: str
    wanted: Room
    before: Room

    def describe(self) -> str:
        """How much, whose."""
        return f"let {self.upper} take {_shown(self.wanted)}"

    def do(self) -> None:
        """Set both limits."""
        self._set(self.wanted)

    def undo(self) -> None:
        """Set those that were there."""
        self._set(self.before)

    def _set(self, room: Room) -> None:
        with failing(self.describe()):
            own = rootfs_size.project(self.upper)
            if own:
                quota.set_quota(self.upper, own, room.quota)


def _shown(room: Room) -> str:
    return f"{show_limit(room.size)} bytes and {show_limit(room.inodes)} inodes"


@dataclass(frozen=True)
class MakeImage:
    """The step that makes the file with the filesystem of a layer. It takes disk only as it is written to."""

    upper: str
    size: int

    def describe(self) -> str:
        """Which file, how large."""
        return f"make filesystem {rootfs_size.image(self.upper)} of {self.size} bytes"

    def do(self) -> None:
        """Make it aside and rename it into place; a run that was killed may have done so."""
        import subprocess

        file = rootfs_size.image(self.upper)
        if os.path.exists(file):
            return
        aside = f"{file}.new"
        store.remove(aside)
        with failing(self.describe()):
            descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.truncate(descriptor, self.size)
                # Nothing is kept for root, and what of its tables is zero in the file anyway is not written.
                options = ["-q", "-F", "-m", "0", "-b", str(loop.BLOCK), "-E", "lazy_itable_init=1,lazy_journal_init=1"]
                made = subprocess.run(
                    ["mkfs.ext4", *options, aside], capture_output=True, text=True, check=False, env={"PATH": PLACES}
                )
                if made.returncode:
                    raise Failure(self.describe(), f"mkfs.ext4 says: {' '.join(made.stderr.split())}")
                os.fsync(descriptor)
            except BaseException:
                store.remove(aside)
                raise
            finally:
                os.close(descriptor)
            os.rename(aside, file)
            store.sync(os.path.dirname(file))

    def undo(self) -> None:
        """Remove it."""
        store.remove(rootfs_size.image(self.upper))


@dataclass(frozen=True)
class MountImage:
    """The step that mounts the filesystem of a layer on its upper directory."""

    upper: str

    def describe(self) -> str:
        """Which file."""
        return f"mount filesystem {rootfs_size.image(self.upper)} on {self.upper}"

    def do(self) -> None:
        """Mount it, unless it is there, with the layer's directories in it."""
        file = rootfs_size.image(self.upper)
        with failing(self.describe()):
            if mounted(self.upper) is None:
                loop.mount_image(file, self.upper)
            elif loop.image_mount(file, self.upper) is None:
                raise Failure(self.describe(), "something else is mounted there", f"unmount {self.upper}")
            for folder in rootfs_size.inside(self.upper):
                with suppress(FileExistsError):
                    os.mkdir(folder, 0o755)

    def undo(self) -> None:
        """Unmount it."""
        unmount_image(self.upper)


@dataclass(frozen=True)
class UnmountImage:
    """The step that unmounts the filesystem of a layer. An overlay that uses it still holds it until it goes too.

    So this comes before: as long as the overlay is there, a run that was killed in between can be seen.
    """

    upper: str

    def describe(self) -> str:
        """Which file."""
        return f"unmount filesystem {rootfs_size.image(self.upper)}"

    def do(self) -> None:
        """Unmount it, if it is there."""
        unmount_image(self.upper)

    def undo(self) -> None:
        """Mount it again."""
        MountImage(self.upper).do()


def unmount_image(upper: str) -> None:
    """Unmount the filesystem of a layer; that it is not mounted is fine."""
    with failing(f"unmount {upper}"):
        while rootfs_size.is_mounted(upper):
            syscalls.umount(upper, syscalls.MNT_DETACH | syscalls.UMOUNT_NOFOLLOW)


@dataclass(frozen=True)
class GrowImage:
    """The step that makes the filesystem of a layer larger while it is used. It can't be undone, so it comes last."""

    upper: str
    size: int
    before: int

    def describe(self) -> str:
        """Which file, to which size."""
        return f"grow filesystem {rootfs_size.image(self.upper)} from {self.before} to {self.size} bytes"

    def do(self) -> None:
        """Make the file larger, then the filesystem in it."""
        with failing(self.describe(), "give the process CAP_SYS_RESOURCE if it lacks it"):
            loop.grow_image(rootfs_size.image(self.upper), self.upper, self.size)

    def undo(self) -> None:
        """Ext4 does not shrink while it is mounted."""
        raise Failure(f"shrink {rootfs_size.image(self.upper)}", f"it has {self.size} bytes by now and can only grow")


@dataclass(frozen=True)
class RemoveImage:
    """The step that removes the file with the filesystem of a layer. It can't be undone."""

    upper: str

    def describe(self) -> str:
        """Which file."""
        return f"remove filesystem {rootfs_size.image(self.upper)} with all that is in it"

    def do(self) -> None:
        """Remove it."""
        store.remove(rootfs_size.image(self.upper))

    def undo(self) -> None:
        """Nothing can bring it back."""
        raise Failure(f"bring back {rootfs_size.image(self.upper)}", "what was in it is gone")


def forget_quota(upper: str) -> None:
    """Let a layer that is to be removed leave no limit of a project; that it has none is fine."""
    have = rootfs_size.observe(upper)
    if have is not None and have.by == QUOTA:
        SetQuota(upper, Room(QUOTA), have).do()


def hold_steps(layout: Layout, upper: str, work: str, want: Room | None, have: Room | None) -> list[Step]:
    """Before the overlay is mounted: hold its layer to a size. Its directories are there."""
    if want is None or want == have:
        return []
    if want.by == IMAGE:
        return [MakeImage(upper, want.size)] if have is None else []
    given = [] if have else [GiveProject(layout, upper, work)]
    return [*given, SetQuota(upper, want, have or Room(want.by))]


def change_steps(layout: Layout, upper: str, work: str, want: Room | None, have: Room | None) -> list[Step]:
    """Beneath an overlay that is mounted: give its layer another size."""
    if want is None or want == have:
        return []
    if have is not None and want.by == IMAGE:
        return [GrowImage(upper, want.size, have.size)]
    return hold_steps(layout, upper, work, want, have)
