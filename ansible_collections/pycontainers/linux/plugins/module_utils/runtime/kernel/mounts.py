# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts: what /proc/self/mountinfo lists."""
from __future__ import annotations

import os

from ..typed import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")


class Mount(NamedTuple):
    """One line of mountinfo (proc_pid_mountinfo(5))."""

    target: str
    fstype: str
    source: str
    options: tuple[str, ...]


def mounts(process: str = "self", kinds: str = "") -> tuple[Mount, ...]:
    """The mounts that a process sees, in order: a later one on the same target hides the earlier.

    ``kinds`` is how the names of their filesystems begin. Where many containers run, most of the lines are theirs.
    """
    with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        # Blanks within a field are written otherwise.
        return tuple(_mount(line) for line in file if f" - {kinds}" in line)


def mounted(target: str, process: str = "self") -> Mount | None:
    """The topmost mount on exactly this target, or None. Links on the way to it are followed, for a process here.

    One that cannot be reached, as another mount hides it with all of its folder, may be left out.
    """
    found = None
    if process == "self":
        folder, name = os.path.split(target)
        target = os.path.join(os.path.realpath(folder), name)
        if target != "/" and _is_below(target):
            return None
    for each in mounts(process):
        if each.target == target:
            found = each
    return found


def _is_below(target: str) -> bool:
    """Whether a path is on the mount that its folder is on, and so none by itself. False if that can't be told.

    The list of mounts is long where many containers run, and the kernel writes it anew for each reader.
    """
    try:
        return _mount_id(target) == _mount_id(os.path.dirname(target))
    except OSError:
        return False


def _mount_id(path: str) -> str:
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
            return next(line for line in file if line.startswith("mnt_id:"))
    finally:
        os.close(descriptor)


def propagation(path: str) -> tuple[str, tuple[str, ...]]:
    """The mount that a path is on, and its kinds of propagation: of ``shared`` and ``master`` (for a slave)."""
    path, place = os.path.realpath(path), ""
    kinds: tuple[str, ...] = ()
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split(" - ")[0].split()
            target = _plain(fields[4])
            if len(target) >= len(place) and f"{path}/".startswith(f"{target.rstrip('/')}/"):
                place, kinds = target, tuple(each.partition(":")[0] for each in fields[6:])
    return place, kinds


def _mount(line: str) -> Mount:
    before, _, after = line.rstrip("\n").partition(" - ")
    target, options = before.split(" ")[4:6]
    fstype, source, filesystem = after.split(" ")[:3]
    if "\\" not in line:
        return Mount(target, fstype, source, tuple(f"{options},{filesystem}".split(",")))
    # Split first: a comma inside a value is written as \054.
    return Mount(_plain(target), fstype, _plain(source), tuple(map(_plain, f"{options},{filesystem}".split(","))))


def _plain(field: str) -> str:
    """What the field stands for: the kernel writes blanks and backslashes as a backslash and three octal digits."""
    first, *rest = field.split("\\")
    return first + "".join(map(_letter, rest))


def _letter(after: str) -> str:
    """What comes after a backslash; some filesystems write one of their own."""
    digits = after[:3]
    octal = len(digits) == 3 and all("0" <= each <= "7" for each in digits)
    return chr(int(digits, 8)) + after[3:] if octal else f"\\{after}"
