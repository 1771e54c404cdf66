# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``overlay_rootfs``: an overlay mount, declared by itself or as the root filesystem of a container."""
from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any

from ..core import store
from ..core.kinds import PATH, PATHS, TEXT
from ..core.layout import Layout
from ..core.model import Effect, option, record
from ..core.plan import Plan
from ..errors import InvalidValue, failing
from ..kernel import syscalls
from ..kernel.mounts import mount_overlay, mounted, overlay


@dataclass(frozen=True, kw_only=True)
class OverlayRootfs:
    """The rows of an overlay. The kernel's words: lower, upper, work; ``path`` is where they appear merged.

    ``missing`` are the directories that have to be made for it, each after the one that it is in.
    """

    path: str = option(PATH, required=True)
    state: str = option(TEXT, Effect.LIVE, default="present", choices=("absent", "present"))
    lower: tuple[str, ...] | None = option(PATHS, Effect.RECREATE)
    upper: str | None = option(PATH, Effect.RECREATE)
    work: str | None = option(PATH, Effect.RECREATE)
    missing: tuple[str, ...] = ()


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

    path: str
    lower: tuple[str, ...]
    upper: str
    work: str

    def describe(self) -> str:
        """Where, and of how many layers."""
        return f"mount overlay of {len(self.lower)} lower on {self.path}"

    def do(self) -> None:
        """Mount it, unless it is there: a run that was killed may have done so."""
        if not mounted(self.path):
            with failing(f"mount overlay on {self.path}"):
                mount_overlay(self.path, self.lower, self.upper, self.work)

    def undo(self) -> None:
        """Unmount it."""
        unmount(self.path)


@dataclass(frozen=True)
class UnmountOverlay:
    """The step that unmounts an overlay; upper and work stay."""

    mount: MountOverlay

    def describe(self) -> str:
        """From where."""
        return f"unmount overlay from {self.mount.path}"

    def do(self) -> None:
        """Unmount it."""
        unmount(self.mount.path)

    def undo(self) -> None:
        """Mount it again."""
        self.mount.do()


def unmount(path: str) -> None:
    """Unmount what is on a path, all of it; that nothing is mounted there is fine."""
    while mounted(path):
        with failing(f"unmount {path}", "end what uses it (see fuser -m)"):
            syscalls.umount(path)


class OverlayRootfsResource:
    """What is mounted is all there is to know, so nothing is kept on disk: the kernel's mount table is the record."""

    model = OverlayRootfs

    def lock(self, layout: Layout, want: OverlayRootfs) -> AbstractContextManager[None]:
        """One lock for all overlays: their directories may be one another's."""
        return store.lock(layout.lock("overlay"))

    def observe(self, layout: Layout, want: OverlayRootfs) -> OverlayRootfs | None:
        """The topmost mount on the path, if it is an overlay."""
        mount = mounted(want.path)
        if mount is None or mount.fstype != "overlay":
            return None
        found = overlay(mount)
        # Names that did not fit the option's page were given relative to the folder that the lowers have in common.
        base = os.path.commonpath(want.lower) if want.lower else "/"
        lower = tuple(os.path.normpath(os.path.join(base, each)) for each in found.lower)
        return OverlayRootfs(path=want.path, lower=lower, upper=found.upper or None, work=found.work or None)

    def resolve(self, layout: Layout, want: OverlayRootfs, have: OverlayRootfs | None) -> OverlayRootfs:
        """What is left out stays; what is asked for must be possible."""
        mount = mounted(want.path)
        if mount is not None and have is None:
            raise InvalidValue("path", want.path, f"a {mount.fstype} filesystem is mounted there", "give another path")
        if want.state == "absent":
            return want
        if have is not None:
            want = replace(
                want, lower=want.lower or have.lower, upper=want.upper or have.upper, work=want.work or have.work
            )
        _check(want)
        return replace(want, missing=_missing(*filter(None, (want.upper, want.work, want.path))))

    def plan(self, layout: Layout, want: OverlayRootfs, have: OverlayRootfs | None) -> Plan:
        """Mount, unmount, or both where the directories differ."""
        before = () if have is None else (UnmountOverlay(_mount(have)),)
        if want.state == "absent":
            return Plan(before)
        if want == have:
            return Plan()
        return Plan((*map(MakeFolder, want.missing), *before, _mount(want)))

    def facts(self, layout: Layout, have: OverlayRootfs | None) -> Mapping[str, Any]:
        """The directories."""
        return {"overlay_rootfs": {} if have is None else record(have)}


def _mount(rootfs: OverlayRootfs) -> MountOverlay:
    return MountOverlay(rootfs.path, rootfs.lower or (), rootfs.upper or "", rootfs.work or "")


def _missing(*paths: str) -> tuple[str, ...]:
    """The directories that are not there: each path, and those on the way to it. Sorted, so above comes first."""
    found = set()
    for path in paths:
        while not os.path.lexists(path):
            found.add(path)
            path = os.path.dirname(path)
    return tuple(sorted(found))


def _check(want: OverlayRootfs) -> None:
    """Refuse directories that are missing or that the kernel could not combine."""
    if not want.lower:
        raise InvalidValue("lower", want.lower, "a new overlay needs at least one lower directory")
    for each in want.lower:
        if not os.path.isdir(each):
            reason = "it is not a directory" if os.path.exists(each) else "there is no such directory"
            raise InvalidValue("lower", each, reason, "make it first, or give another")
    if bool(want.upper) != bool(want.work):
        missing = "work" if want.upper else "upper"
        raise InvalidValue(missing, None, "upper and work go together", "give both, or none for a read-only overlay")
    places = [("path", want.path), ("upper", want.upper), ("work", want.work)]
    named = [(option_name, each) for option_name, each in places if each] + [("lower", each) for each in want.lower]
    for index, (option_name, each) in enumerate(named):
        for other_name, other in named[:index]:
            if option_name == other_name == "lower" and each != other:
                continue
            if f"{each}/".startswith(f"{other}/") or f"{other}/".startswith(f"{each}/"):
                raise InvalidValue(option_name, each, f"it overlaps {other_name} {other}", "give separate directories")


ROOTFS = OverlayRootfsResource()
