# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts: what /proc/self/mountinfo lists, and the overlay filesystem."""
from __future__ import annotations

import errno
import os

from ..typed import NamedTuple
from . import syscalls

PAGE = os.sysconf("SC_PAGE_SIZE")

_LOWER = r"(?:\\.|[^:\\])+"
"""One lower directory in the option, where a backslash keeps the character after it."""



class Mount(NamedTuple):
    """One line of mountinfo (proc_pid_mountinfo(5))."""

    target: str
    fstype: str
    source: str
    options: tuple[str, ...]


def mounts(process: str = "self") -> tuple[Mount, ...]:
    """The mounts that a process sees, in order: a later one on the same target hides the earlier."""
    with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return tuple(_mount(line) for line in file)


def mounted(target: str, process: str = "self") -> Mount | None:
    """The topmost mount on exactly this target, or None."""
    found = None
    for each in mounts(process):
        if each.target == target:
            found = each
    return found


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


def mount_overlay(target: str, lower: tuple[str, ...], upper: str, work: str) -> None:
    """Mount an overlay filesystem; the first lower is the topmost.

    Options travel in one page. Where absolute names do not fit, the lowers are named relative to their common
    folder. Raises ``OSError`` whose text tells what the kernel's error number means for an overlay.
    """
    above = f",upperdir={_escape(upper)},workdir={_escape(work)}" if upper else ""
    flags = 0 if upper else syscalls.MS_RDONLY
    base = "/"
    options = f"lowerdir={':'.join(map(_escape, lower))}{above}"
    if len(os.fsencode(options)) >= PAGE:
        base = os.path.commonpath(lower)
        options = f"lowerdir={':'.join(_escape(os.path.relpath(each, base)) for each in lower)}{above}"
    if len(os.fsencode(options)) >= PAGE:
        raise OSError(errno.E2BIG, f"{len(lower)} lower directories do not fit the mount option's one page", target)
    home = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(base)
        syscalls.mount("overlay", target, "overlay", flags, options)
    except OSError as error:
        raise _explained(error, target) from error
    finally:
        os.fchdir(home)
        os.close(home)


class Overlay(NamedTuple):
    """What the kernel holds of an overlay mount; ``upper`` and ``work`` are empty for a read-only one."""

    lower: tuple[str, ...]
    upper: str
    work: str


def overlay(mount: Mount) -> Overlay:
    """The directories of an overlay mount, from its options."""
    pairs = dict(each.split("=", 1) for each in mount.options if "=" in each)
    import re

    lower = tuple(_unescape(each) for each in re.findall(_LOWER, pairs.get("lowerdir", ""), re.DOTALL))
    return Overlay(lower, _unescape(pairs.get("upperdir", "")), _unescape(pairs.get("workdir", "")))


def _escape(path: str) -> str:
    for letter in "\\:,":
        path = path.replace(letter, f"\\{letter}")
    return path


def _unescape(path: str) -> str:
    import re

    return re.sub(r"\\([\\:,])", r"\1", path)


def _explained(error: OSError, target: str) -> OSError:
    """The error with the meaning that the overlay filesystem gives to its number (fs/overlayfs/params.c, super.c)."""
    meaning = {
        errno.ELOOP: "the directories overlap, or symbolic links in them loop",
        errno.ENODEV: "this kernel has no overlay filesystem",
        errno.EINVAL: "the upper directory's filesystem can't hold an overlay's upper layer (is it an overlay itself?)",
        errno.EBUSY: "the upper or work directory is in use by another overlay",
        errno.ESTALE: "the upper directory was used with other lower directories before",
        errno.EXDEV: "the upper and work directories are on different filesystems",
    }.get(error.errno or 0)
    return OSError(error.errno, meaning, target) if meaning else error
