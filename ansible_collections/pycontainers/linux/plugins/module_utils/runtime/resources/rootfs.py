# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``overlay_rootfs``: an overlay mount, declared by itself or as the root filesystem of a container."""
from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..core import store
from ..core.kinds import BOOL, PATH, PATHS, TEXT
from ..core.layout import Layout
from ..core.model import Effect, diff, option, record
from ..core.plan import Plan, Step
from ..errors import InvalidValue
from ..kernel.mounts import mounted
from ..kernel.overlay import MOST_LOWERS, Overlay, outlived_crash, overlay
from ..lean.dataclasses import dataclass, replace
from . import rootfs_size
from .rootfs_size import IMAGE, INODES, QUOTA, SIZE, Room
from .rootfs_size_steps import MountImage, RemoveImage, SetQuota, UnmountImage, change_steps, hold_steps
from .rootfs_steps import MakeFolder, MountOverlay, RemountOverlay, RemoveTree, UnmountOverlay, crashed


@dataclass(frozen=True, kw_only=True)
class OverlayRootfs:
    """The rows of an overlay. The kernel's words: lower, upper, work; ``path`` is where they appear merged.

    ``image`` is the file with the filesystem of the upper directory, where ``size_by`` is one. ``room`` is what the
    layer is to take, ``held`` what it may take now; ``beneath`` says that its filesystem is mounted. ``missing`` are
    the directories that have to be made, each after the one that it is in; ``rubbish`` are those that are to go.
    """

    path: str = option(PATH, required=True)
    state: str = option(TEXT, Effect.LIVE, default="present", choices=("absent", "present"))
    lower: tuple[str, ...] | None = option(PATHS, Effect.RECREATE)
    upper: str | None = option(PATH, Effect.RECREATE)
    work: str | None = option(PATH, Effect.RECREATE)
    volatile: bool | None = option(BOOL, Effect.RECREATE)
    size: int | None = option(SIZE, Effect.LIVE)
    inodes: int | None = option(INODES, Effect.LIVE)
    purge: bool | None = option(BOOL, default=False, request=True)
    writable: bool | None = option(BOOL, Effect.LIVE, internal=True)
    image: str | None = option(PATH, Effect.RECREATE, internal=True)
    size_by: str | None = option(TEXT, internal=True)
    room: Room | None = None
    held: Room | None = None
    beneath: bool = False
    missing: tuple[str, ...] = ()
    rubbish: tuple[str, ...] = ()


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
        found = _declared(overlay(mount, lambda: layout.overlay(want.path)))
        room = rootfs_size.observe(found.upper) if found.upper else None
        seen = OverlayRootfs(
            path=want.path,
            lower=found.lower,
            upper=found.upper or None,
            work=found.work or None,
            volatile=found.volatile,
            writable="ro" not in mount.options,
        )
        return _sized(seen, room) if room else seen

    def resolve(self, layout: Layout, want: OverlayRootfs, have: OverlayRootfs | None) -> OverlayRootfs:
        """What is left out stays; what is asked for must be possible."""
        mount = mounted(want.path)
        if mount is not None and have is None:
            raise InvalidValue("path", want.path, f"a {mount.fstype} filesystem is mounted there", "give another path")
        if have is not None:
            left_out = ("lower", "upper", "work", "volatile") if want.state == "present" else ("upper", "work")
            want = replace(want, **{name: getattr(have, name) for name in left_out if getattr(want, name) is None})
        held = rootfs_size.observe(want.upper) if want.upper else None
        beneath = want.upper is not None and rootfs_size.is_mounted(want.upper)
        want = replace(want, held=held, beneath=beneath)
        if want.state == "absent":
            return replace(want, rubbish=_rubbish(want))
        _check(want)
        want = _with_room(replace(want, volatile=bool(want.volatile), writable=bool(want.upper)))
        work = None if want.image else want.work
        return replace(want, missing=_missing(*filter(None, (want.upper, work, want.path))))

    def plan(self, layout: Layout, want: OverlayRootfs, have: OverlayRootfs | None) -> Plan:
        """Mount, unmount, or both where the directories differ; else change what can be while it is used."""
        if want.state == "absent":
            return _removal(layout, want, have)
        changes = diff(want, have)
        upper, work = want.upper or "", want.work or ""
        if have is not None and not any(each.effect == Effect.RECREATE for each in changes):
            steps: list[Step] = [RemountOverlay(want.path)] if any(each.path == "writable" for each in changes) else []
            return Plan((*steps, *change_steps(layout, upper, work, want.room, have.room)))
        before: list[Step] = [] if have is None else [UnmountOverlay(_mount(layout, have))]
        if have is not None and have.image:
            before.append(UnmountImage(have.upper or ""))
        above = [MountImage(upper)] if want.image else []
        held = hold_steps(layout, upper, work, want.room, want.held)
        grown = change_steps(layout, upper, work, want.room, want.held) if want.image and want.held else []
        return Plan((*map(MakeFolder, want.missing), *held, *before, *above, _mount(layout, want), *grown))

    def facts(self, layout: Layout, have: OverlayRootfs | None) -> Mapping[str, Any]:
        """The directories."""
        return {"overlay_rootfs": {} if have is None else record(have)}


def _removal(layout: Layout, want: OverlayRootfs, have: OverlayRootfs | None) -> Plan:
    """Take the mounts away, and what is asked to go with them."""
    upper = want.upper or ""
    # The filesystem of the layer first, which lives on until the overlay goes: so the overlay tells that there is one.
    steps: list[Step] = [UnmountImage(upper)] if want.beneath else []
    if have is not None:
        steps.append(UnmountOverlay(_mount(layout, have)))
    purge: list[Step] = []
    if want.purge and want.held is not None:
        purge = [RemoveImage(upper)] if want.held.by == IMAGE else [SetQuota(upper, Room(QUOTA), want.held)]
    return Plan(tuple(steps), (*purge, *map(RemoveTree, want.rubbish)))


def _declared(found: Overlay) -> Overlay:
    """The overlay as it is declared: upper is the directory that the filesystem of the layer is mounted on."""
    upper = os.path.dirname(found.upper)
    own = (found.upper, found.work) == rootfs_size.inside(upper) and os.path.exists(rootfs_size.image(upper))
    return found._replace(upper=upper) if own else found


def _sized(rootfs: OverlayRootfs, room: Room) -> OverlayRootfs:
    image = rootfs_size.image(rootfs.upper or "") if room.by == IMAGE else None
    return replace(rootfs, size=room.size, inodes=room.inodes, size_by=room.by, image=image, room=room)


def _with_room(want: OverlayRootfs) -> OverlayRootfs:
    """What is asked for with what its layer is to take, and where that is."""
    if not want.upper:
        if want.size is not None or want.inodes is not None:
            name = "size" if want.size is not None else "inodes"
            raise InvalidValue(name, getattr(want, name), "a read-only overlay takes nothing", "give it upper and work")
        return want
    room = rootfs_size.target(want.upper, want.size, want.inodes, want.held)
    if room is None:
        return replace(want, size=None, inodes=None)
    work = rootfs_size.inside(want.upper)[1] if room.by == IMAGE else want.work
    return _sized(replace(want, work=work), room)


def _mount(layout: Layout, rootfs: OverlayRootfs) -> MountOverlay:
    upper = rootfs_size.inside(rootfs.upper or "")[0] if rootfs.image else rootfs.upper or ""
    wanted = Overlay(rootfs.lower or (), upper, rootfs.work or "", bool(rootfs.volatile))
    return MountOverlay(layout, rootfs.path, wanted)


def _missing(*paths: str) -> tuple[str, ...]:
    """The directories that are not there: each path, and those on the way to it. Sorted, so above comes first."""
    found = set()
    for path in paths:
        while not os.path.lexists(path):
            found.add(path)
            path = os.path.dirname(path)
    return tuple(sorted(found))


def _rubbish(want: OverlayRootfs) -> tuple[str, ...]:
    """The directories that a removal was asked to take with it: those that are there."""
    return tuple(each for each in (want.upper, want.work) if want.purge and each and os.path.isdir(each))


def _check(want: OverlayRootfs) -> None:
    """Refuse directories that are missing or that the kernel could not combine."""
    if not want.lower:
        raise InvalidValue("lower", want.lower, "a new overlay needs at least one lower directory")
    if len(want.lower) > MOST_LOWERS:
        reason = f"an overlay has at most {MOST_LOWERS} lower directories, and these are {len(want.lower)}"
        raise InvalidValue("lower", f"{want.lower[0]}, …", reason, "put some of them together")
    for each in want.lower:
        if not os.path.isdir(each):
            reason = "it is not a directory" if os.path.exists(each) else "there is no such directory"
            raise InvalidValue("lower", each, reason, "make it first, or give another")
    if bool(want.upper) != bool(want.work):
        missing = "work" if want.upper else "upper"
        raise InvalidValue(missing, None, "upper and work go together", "give both, or none for a read-only overlay")
    if want.volatile and not want.upper:
        raise InvalidValue("volatile", True, "a read-only overlay writes nothing", "give it upper and work")
    if want.work and outlived_crash(want.work):
        raise InvalidValue("upper", want.upper, *crashed(Overlay((), want.upper or "", want.work)))
    # In a filesystem of the layer's own the work directory is in there, and the kernel's check of it suffices.
    work = None if want.held and want.held.by == IMAGE else want.work
    places = [("path", want.path), ("upper", want.upper), ("work", work)]
    named = [(option_name, each) for option_name, each in places if each] + [("lower", each) for each in want.lower]
    for index, (option_name, each) in enumerate(named):
        for other_name, other in named[:index]:
            if option_name == other_name == "lower" and each != other:
                continue
            if f"{each}/".startswith(f"{other}/") or f"{other}/".startswith(f"{each}/"):
                raise InvalidValue(option_name, each, f"it overlaps {other_name} {other}", "give separate directories")


ROOTFS = OverlayRootfsResource()
