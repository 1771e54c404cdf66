# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that mount an overlay, change it and take it away."""
from __future__ import annotations

import os
from contextlib import suppress

from ..core.layout import Layout
from ..errors import Failure, failing
from ..kernel import syscalls
from ..kernel.mounts import mounted
from ..kernel.overlay import Overlay, forget_volatile, mark_boot, mount_overlay, outlived_crash, remount_overlay
from ..lean.dataclasses import dataclass


@dataclass(frozen=True)
class MakeFolder:
    """The step that makes one directory."""

    path: str
    mode: int = 0o755

    def describe(self) -> str:
        """Which directory."""
        return f"make directory {self.path}"

    def do(self) -> None:
        """Make it, unless a run that was killed has done so."""
        with suppress(FileExistsError):
            os.mkdir(self.path, self.mode)

    def undo(self) -> None:
        """Remove it, unless something has been put there meanwhile."""
        with suppress(OSError):
            os.rmdir(self.path)


@dataclass(frozen=True)
class MountOverlay:
    """The step that mounts an overlay."""

    layout: Layout
    path: str
    wanted: Overlay

    def describe(self) -> str:
        """Where, and of how many layers."""
        return f"mount overlay of {len(self.wanted.lower)} lower on {self.path}"

    def do(self) -> None:
        """Mount it, unless it is there: a run that was killed may have done so."""
        if mounted(self.path):
            return
        with failing(f"mount overlay on {self.path}"):
            if self.wanted.work:
                self._take_up()
            mount_overlay(self.path, self.wanted, lambda: self.layout.overlay(self.path))

    def _take_up(self) -> None:
        """Make a work directory ready that somebody has unmounted by hand: the kernel refuses one that was volatile."""
        if outlived_crash(self.wanted.work):
            raise Failure(f"mount overlay on {self.path}", *crashed(self.wanted))
        forget_volatile(self.wanted.work)
        if self.wanted.volatile:
            mark_boot(self.wanted.work)

    def undo(self) -> None:
        """Unmount it."""
        unmount_overlay(self.layout, self.path)
        if self.wanted.volatile:
            self._settle()

    def _settle(self) -> None:
        """Bring what was written to the disk: from now on it may be taken for whole."""
        with failing(f"sync {self.wanted.upper}"):
            upper = os.open(self.wanted.upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                syscalls.syncfs(upper)
            finally:
                os.close(upper)
            forget_volatile(self.wanted.work)


def crashed(wanted: Overlay) -> tuple[str, str]:
    """Why an overlay that was volatile when the host went down is not mounted, and what to do."""
    reason = f"it was volatile when the host went down, so what is in {wanted.upper} may be damaged"
    return reason, f"remove {wanted.upper} and {wanted.work} (state: absent with purge: true does it)"


@dataclass(frozen=True)
class UnmountOverlay:
    """The step that unmounts an overlay; upper and work stay."""

    mount: MountOverlay

    def describe(self) -> str:
        """From where."""
        return f"unmount overlay from {self.mount.path}"

    def do(self) -> None:
        """Unmount it."""
        self.mount.undo()

    def undo(self) -> None:
        """Mount it again."""
        self.mount.do()


@dataclass(frozen=True)
class RemountOverlay:
    """The step that lets an overlay be written to again, while it is used."""

    path: str

    def describe(self) -> str:
        """Which one."""
        return f"make overlay on {self.path} writable"

    def do(self) -> None:
        """Remount it writable."""
        remount_overlay(self.path, writable=True)

    def undo(self) -> None:
        """Remount it read-only."""
        remount_overlay(self.path, writable=False)


@dataclass(frozen=True)
class RemoveTree:
    """The step that removes a directory with all that is in it. It can't be undone."""

    path: str

    def describe(self) -> str:
        """Which directory."""
        return f"remove directory {self.path} with all that is in it"

    def do(self) -> None:
        """Remove it, as far as a run that was killed has not done so."""
        from ..image.erase import erase

        with suppress(FileNotFoundError):
            erase(self.path)

    def undo(self) -> None:
        """Nothing can bring it back."""
        raise Failure(f"bring back {self.path}", "what was in it is gone")


def unmount_overlay(layout: Layout, path: str) -> None:
    """Unmount an overlay, and forget the short names of its lowers."""
    import shutil

    unmount(path)
    shutil.rmtree(layout.overlay(path), ignore_errors=True)


def unmount(path: str) -> None:
    """Unmount what is on a path, all of it; that nothing is mounted there is fine."""
    while mounted(path):
        with failing(f"unmount {path}", "end what uses it (see fuser -m)"):
            syscalls.umount(path)
