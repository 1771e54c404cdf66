# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The overlay filesystem: mounting one, and what the kernel shows of it (filesystems/overlayfs.rst)."""
from __future__ import annotations

import errno
import os
import re
from contextlib import suppress

from ..typed import NamedTuple
from . import syscalls
from .mounts import PAGE, Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LOWERS = 500
"""How many lower directories the kernel stacks (fs/overlayfs/params.h, OVL_MAX_STACK)."""

_LOWER = re.compile(r"(?:\\.|[^:\\])+", re.DOTALL)
"""One lower directory in the option, where a backslash keeps the character after it."""

_VOLATILE = {"volatile", "fsync=volatile"}
"""How kernels show that an overlay is volatile; all take the first."""

_BOOT = "trusted.pycontainers.boot"
"""The attribute of a work directory that names the boot in which it last was mounted volatile."""


class Overlay(NamedTuple):
    """The directories of an overlay; ``upper`` and ``work`` are empty for a read-only one.

    A ``volatile`` one never syncs to the disk: what was written is in doubt after a crash.
    """

    lower: tuple[str, ...]
    upper: str = ""
    work: str = ""
    volatile: bool = False


def overlay(mount: Mount, names: Callable[[], str] = str) -> Overlay:
    """What is mounted, from the mount's options. Short names are looked up in ``names`` (:func:`mount_overlay`)."""
    pairs = [each.split("=", 1) for each in mount.options if "=" in each]
    found = dict(pairs)
    lower = [_unescape(each) for each in _LOWER.findall(found.get("lowerdir", ""))]
    lower += [value for key, value in pairs if key == "lowerdir+"]
    above = _unescape(found.get("upperdir", "")), _unescape(found.get("workdir", ""))
    return Overlay(tuple(_named(each, names) for each in lower), *above, not _VOLATILE.isdisjoint(mount.options))


def _named(lower: str, names: Callable[[], str]) -> str:
    with suppress(OSError):
        return lower if lower.startswith("/") else os.readlink(os.path.join(names(), lower))
    return lower


def mount_overlay(target: str, wanted: Overlay, names: Callable[[], str]) -> None:
    """Mount an overlay filesystem; the first lower is the topmost.

    The option string is one page. Where the names do not fit, each is given to fsconfig(2), and to kernels before 6.8,
    which do not take them so, by a short link in the folder that ``names`` tells. Raises ``OSError`` whose text tells
    what the kernel's error number means for an overlay.
    """
    try:
        if len(os.fsencode(_options(wanted))) < PAGE:
            _mount_by_string(target, wanted)
        elif not _mount_by_one(target, wanted):
            mount_by_links(target, wanted, names())
    except OSError as error:
        raise _explained(error, target) from error


def _options(wanted: Overlay) -> str:
    above = f",upperdir={_escape(wanted.upper)},workdir={_escape(wanted.work)}" if wanted.upper else ""
    return f"lowerdir={':'.join(map(_escape, wanted.lower))}{above}{',volatile' if wanted.volatile else ''}"


def _mount_by_string(target: str, wanted: Overlay) -> None:
    options = _options(wanted)
    if len(os.fsencode(options)) >= PAGE:
        raise OSError(errno.E2BIG, f"{len(wanted.lower)} lower directories do not fit the option's one page", target)
    syscalls.mount("overlay", target, "overlay", 0 if wanted.upper else syscalls.MS_RDONLY, options)


def _mount_by_one(target: str, wanted: Overlay) -> bool:
    """Mount with an fsconfig(2) per directory; False where the kernel does not take them so."""
    context = syscalls.fsopen("overlay")
    try:
        try:
            for each in wanted.lower:
                syscalls.fsconfig(context, syscalls.FSCONFIG_SET_STRING, "lowerdir+", each)
            for key, value in (("upperdir", wanted.upper), ("workdir", wanted.work)) if wanted.upper else ():
                syscalls.fsconfig(context, syscalls.FSCONFIG_SET_STRING, key, value)
        except OSError as error:
            if error.errno != errno.EINVAL:  # the option is not known, or the name is longer than 255 bytes
                raise
            return False
        flags = [*(["volatile"] if wanted.volatile else []), *([] if wanted.upper else ["ro"])]
        for flag in flags:
            syscalls.fsconfig(context, syscalls.FSCONFIG_SET_FLAG, flag)
        syscalls.fsconfig(context, syscalls.FSCONFIG_SET_STRING, "source", "overlay")
        syscalls.fsconfig(context, syscalls.FSCONFIG_CMD_CREATE)
        _attach(context, target, 0 if wanted.upper else syscalls.MOUNT_ATTR_RDONLY)
    finally:
        os.close(context)
    return True


def _attach(context: int, target: str, attributes: int) -> None:
    made = syscalls.fsmount(context, attributes)
    try:
        place = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syscalls.move_mount(made, place)
        finally:
            os.close(place)
    finally:
        os.close(made)


def mount_by_links(target: str, wanted: Overlay, names: str) -> None:
    """Mount with lowers by short names: the folder ``names`` is made anew, with a link in it for each."""
    import shutil

    shutil.rmtree(names, ignore_errors=True)
    os.makedirs(names, mode=0o700)
    for number, each in enumerate(wanted.lower):
        os.symlink(each, os.path.join(names, str(number)))
    short = tuple(map(str, range(len(wanted.lower))))
    home = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(names)
        _mount_by_string(target, wanted._replace(lower=short))
    finally:
        os.fchdir(home)
        os.close(home)


def remount_overlay(target: str, writable: bool) -> None:
    """Make an overlay that is mounted writable, or read-only, with all that is open in it."""
    syscalls.mount("none", target, flags=syscalls.MS_REMOUNT | (0 if writable else syscalls.MS_RDONLY))


def _marker(work: str) -> str:
    return os.path.join(work, "work/incompat/volatile")


def outlived_crash(work: str) -> bool:
    """Whether a work directory was mounted volatile when the host went down: its upper may have lost what it had."""
    return os.path.isdir(_marker(work)) and _boot_of(work) != _boot()


def mark_boot(work: str) -> None:
    """Keep on a work directory that it is mounted volatile in this boot. The filesystem takes attributes, or it fails.

    The kernel's own mark stays after an unmount too, and the kernel refuses to mount what bears it.
    """
    os.setxattr(work, _BOOT, _boot())


def forget_volatile(work: str) -> None:
    """Take the kernel's mark away: the host has not gone down since, so all that was written is there."""
    import shutil

    with suppress(FileNotFoundError):
        shutil.rmtree(_marker(work))


def _boot() -> bytes:
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().strip()


def _boot_of(work: str) -> bytes:
    with suppress(OSError):
        return os.getxattr(work, _BOOT)
    return b""


def _escape(path: str) -> str:
    return re.sub(r"([\\:,])", r"\\\1", path)


def _unescape(path: str) -> str:
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
