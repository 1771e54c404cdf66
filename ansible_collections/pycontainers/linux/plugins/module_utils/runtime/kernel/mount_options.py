# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option words of mount(8) that are no filesystem's own, as the kernel's flags and attributes."""
from __future__ import annotations

from . import syscalls
from .syscalls import MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE

MS_MANDLOCK, MS_I_VERSION = 64, 1 << 23

MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_RELATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR_NODIRATIME = 0x00, 0x10, 0x20, 0x80
MOUNT_ATTR_IDMAP, MOUNT_ATTR_NOSYMFOLLOW = 0x100000, 0x200000

FLAGS: dict[str, tuple[int, bool]] = {
    "ro": (syscalls.MS_RDONLY, True),
    "rw": (syscalls.MS_RDONLY, False),
    "nosuid": (syscalls.MS_NOSUID, True),
    "suid": (syscalls.MS_NOSUID, False),
    "nodev": (syscalls.MS_NODEV, True),
    "dev": (syscalls.MS_NODEV, False),
    "noexec": (syscalls.MS_NOEXEC, True),
    "exec": (syscalls.MS_NOEXEC, False),
    "sync": (syscalls.MS_SYNCHRONOUS, True),
    "async": (syscalls.MS_SYNCHRONOUS, False),
    "dirsync": (syscalls.MS_DIRSYNC, True),
    "mand": (MS_MANDLOCK, True),
    "nomand": (MS_MANDLOCK, False),
    "noatime": (syscalls.MS_NOATIME, True),
    "atime": (syscalls.MS_NOATIME, False),
    "nodiratime": (syscalls.MS_NODIRATIME, True),
    "diratime": (syscalls.MS_NODIRATIME, False),
    "relatime": (syscalls.MS_RELATIME, True),
    "norelatime": (syscalls.MS_RELATIME, False),
    "strictatime": (syscalls.MS_STRICTATIME, True),
    "nostrictatime": (syscalls.MS_STRICTATIME, False),
    "lazytime": (syscalls.MS_LAZYTIME, True),
    "nolazytime": (syscalls.MS_LAZYTIME, False),
    "nosymfollow": (syscalls.MS_NOSYMFOLLOW, True),
    "symfollow": (syscalls.MS_NOSYMFOLLOW, False),
    "iversion": (MS_I_VERSION, True),
    "noiversion": (MS_I_VERSION, False),
    "silent": (syscalls.MS_SILENT, True),
    "loud": (syscalls.MS_SILENT, False),
    "bind": (syscalls.MS_BIND, True),
    "rbind": (syscalls.MS_BIND | syscalls.MS_REC, True),
    "remount": (syscalls.MS_REMOUNT, True),
    "defaults": (0, True),
}
"""Words as flags of mount(2), and whether they set them or take them away again."""

PROPAGATION = {
    name: kind | recursion
    for word, kind in {
        "private": MS_PRIVATE,
        "shared": MS_SHARED,
        "slave": MS_SLAVE,
        "unbindable": MS_UNBINDABLE,
    }.items()
    for name, recursion in ((word, 0), (f"r{word}", MS_REC))
}
"""Propagation types (mount_namespaces(7)), each for one mount or for all below it too."""

_ATTRIBUTES = {
    "ro": ("rw", syscalls.MOUNT_ATTR_RDONLY),
    "nosuid": ("suid", syscalls.MOUNT_ATTR_NOSUID),
    "nodev": ("dev", syscalls.MOUNT_ATTR_NODEV),
    "noexec": ("exec", syscalls.MOUNT_ATTR_NOEXEC),
    "nodiratime": ("diratime", MOUNT_ATTR_NODIRATIME),
    "nosymfollow": ("symfollow", MOUNT_ATTR_NOSYMFOLLOW),
}
_ACCESS_TIMES = {
    "relatime": MOUNT_ATTR_RELATIME,
    "noatime": MOUNT_ATTR_NOATIME,
    "strictatime": MOUNT_ATTR_STRICTATIME,
    "atime": MOUNT_ATTR_RELATIME,
    "nostrictatime": MOUNT_ATTR_RELATIME,
}
ATTRIBUTES: dict[str, tuple[int, int]] = {
    **{word: (attribute, 0) for word, (_, attribute) in _ATTRIBUTES.items()},
    **{opposite: (0, attribute) for opposite, attribute in _ATTRIBUTES.values()},
    **{word: (attribute, MOUNT_ATTR__ATIME) for word, attribute in _ACCESS_TIMES.items()},
    # relatime is what a kernel does where nothing else is said, and has no bit that could be taken away.
    "norelatime": (0, 0),
}
"""Words as what mount_setattr(2) sets and clears. Access times are one choice in a field of several bits, which the
kernel wants cleared as a whole."""


def combined(before: tuple[int, int], word: tuple[int, int]) -> tuple[int, int]:
    """What is set and what is cleared when a word comes after others: the later one wins."""
    (on, off), (word_on, word_off) = before, word
    return on & ~word_off | word_on, off & ~(word_on & ~MOUNT_ATTR__ATIME) | word_off
