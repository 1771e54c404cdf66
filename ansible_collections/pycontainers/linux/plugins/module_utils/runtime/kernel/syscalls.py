# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls that Python does not have, one thin function each.

Every function raises ``OSError`` with the object it was called for. Constants carry the kernel's names and
come from its uapi headers. Numbers of system calls are those of the unified table (the same on every
architecture since Linux 5.0), but for ``pivot_root``, which is older.
"""
from __future__ import annotations

import os

from ..lean import ctypes
from ..lean.ctypes import c_char_p, c_int, c_long, c_uint, c_uint64, c_ulong, c_void_p

# Spelt so, and not imported, since the import costs a starting container 3 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

CLONE_NEWTIME, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x80, 0x20000, 0x2000000, 0x4000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x8000000, 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_SYNCHRONOUS, MS_REMOUNT = 1, 2, 4, 8, 16, 32
MS_DIRSYNC, MS_NOSYMFOLLOW, MS_NOATIME, MS_NODIRATIME = 128, 256, 1024, 2048
MS_BIND, MS_MOVE, MS_REC = 4096, 8192, 16384
MS_SILENT, MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 15, 1 << 17, 1 << 18, 1 << 19, 1 << 20
MS_RELATIME, MS_STRICTATIME, MS_LAZYTIME = 1 << 21, 1 << 24, 1 << 25

MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_READ, PR_CAPBSET_DROP = 1, 4, 8, 23, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 2, 4
PR_SET_CHILD_SUBREAPER = 36

RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT = 1, 2, 4, 8, 16

PROC_SUPER_MAGIC, PROC_ROOT_INO = 0x9FA0, 1
"""What tells a procfs, and its topmost folder (linux/magic.h, linux/proc_fs.h)."""

KERNEL_FILESYSTEMS = (PROC_SUPER_MAGIC, 0x62656572, 0x27E0EB, 0x63677270, 0x64626720, 0x74726163, 0x73636673)
"""Those whose files are the kernel's knobs: proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs."""

AT_FDCWD = -100
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "armv7l": 218, "ppc64le": 203, "s390x": 217}
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_CLOSE_RANGE, _SYS_OPENAT2, _SYS_MOUNT_SETATTR = 428, 429, 436, 437, 442
_SYS_CLONE3, CLONE_PARENT = 435, 0x8000
_SYS_FSOPEN, _SYS_FSCONFIG, _SYS_FSMOUNT = 430, 431, 432
FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC = 1, 1
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE = 0, 1, 6

AT_EMPTY_PATH, AT_RECURSIVE, OPEN_TREE_CLONE = 0x1000, 0x8000, 1
MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH = 0x04, 0x40
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8
_CLOSE_RANGE_CLOEXEC = 4

libc = ctypes.CDLL(None, use_errno=True)
libc.mount.argtypes = (c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
libc.umount2.argtypes = (c_char_p, c_int)
libc.unshare.argtypes = (c_int,)
libc.setns.argtypes = (c_int, c_int)
libc.prctl.argtypes = (c_int, c_ulong, c_ulong, c_ulong, c_ulong)
libc.capset.argtypes = (c_void_p, c_void_p)
libc.capget.argtypes = (c_void_p, c_void_p)
libc.sethostname.argtypes = (c_char_p, c_ulong)
libc.setdomainname.argtypes = (c_char_p, c_ulong)
libc.syncfs.argtypes = (c_int,)
libc.fstatfs.argtypes = (c_int, c_void_p)
libc.signal.argtypes = (c_int, c_void_p)
libc.signal.restype = c_void_p
libc.sigprocmask.argtypes = (c_int, c_void_p, c_void_p)
libc.syscall.restype = c_long


class _OpenHow(ctypes.Structure):
    """``struct open_how`` of linux/openat2.h."""

    _fields_ = (("flags", c_uint64), ("mode", c_uint64), ("resolve", c_uint64))


class _MountAttr(ctypes.Structure):
    """``struct mount_attr`` of linux/mount.h."""

    _fields_ = (("attr_set", c_uint64), ("attr_clr", c_uint64), ("propagation", c_uint64), ("userns_fd", c_uint64))


class _CapHeader(ctypes.Structure):
    """``struct __user_cap_header_struct`` of linux/capability.h."""

    _fields_ = (("version", c_uint), ("pid", c_int))


class _CapData(ctypes.Structure):
    """``struct __user_cap_data_struct``, of which version 3 takes two."""

    _fields_ = (("effective", c_uint), ("permitted", c_uint), ("inheritable", c_uint))


_CAPABILITY_VERSION_3 = 0x20080522


def _raise(path: str | None = None) -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), path)


def mount(source: str, target: str, fstype: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    encoded = os.fsencode(options) if options else None
    if libc.mount(os.fsencode(source), os.fsencode(target), fstype.encode() or None, flags, encoded) < 0:
        _raise(target)


def umount(target: str, flags: int = UMOUNT_NOFOLLOW) -> None:
    """umount2(2), by default without following a last symbolic link."""
    if libc.umount2(os.fsencode(target), flags) < 0:
        _raise(target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    if libc.syscall(_SYS_PIVOT_ROOT[os.uname().machine], os.fsencode(new_root), os.fsencode(put_old)) < 0:
        _raise(new_root)


def unshare(flags: int) -> None:
    """unshare(2): leave shared namespaces for new ones."""
    if libc.unshare(flags) < 0:
        _raise()


def setns(descriptor: int, kind: int = 0) -> None:
    """setns(2): join the namespace behind the descriptor, or with a pidfd the namespaces in ``kind``."""
    if libc.setns(descriptor, kind) < 0:
        _raise()


def prctl(operation: int, first: int = 0, second: int = 0) -> int:
    """prctl(2)."""
    result: int = libc.prctl(operation, first, second, 0, 0)
    if result < 0:
        _raise()
    return result


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) for the calling thread; bit n stands for capability number n."""
    header = _CapHeader(_CAPABILITY_VERSION_3, 0)
    sets = (_CapData * 2)()
    for half, shift in ((0, 0), (1, 32)):
        sets[half].effective = effective >> shift & 0xFFFFFFFF
        sets[half].permitted = permitted >> shift & 0xFFFFFFFF
        sets[half].inheritable = inheritable >> shift & 0xFFFFFFFF
    if libc.capset(ctypes.byref(header), ctypes.byref(sets)) < 0:
        _raise()


def sethostname(name: str) -> None:
    """sethostname(2)."""
    if libc.sethostname(name.encode(), len(name.encode())) < 0:
        _raise(name)


def setdomainname(name: str) -> None:
    """setdomainname(2)."""
    if libc.setdomainname(name.encode(), len(name.encode())) < 0:
        _raise(name)


def close_range(first: int, last: int = 0xFFFFFFFF, on_exec: bool = False) -> None:
    """close_range(2): close every descriptor from ``first`` to ``last``, ``on_exec`` when a program is executed."""
    flags = c_uint(_CLOSE_RANGE_CLOEXEC if on_exec else 0)
    if libc.syscall(c_long(_SYS_CLOSE_RANGE), c_uint(first), c_uint(last), flags) < 0:
        _raise()


def close_from(first: int, kept: Iterable[int] = ()) -> None:
    """Close every descriptor from ``first`` on but those named."""
    for descriptor in sorted(each for each in kept if each >= first):
        if descriptor > first:
            close_range(first, descriptor - 1)
        first = descriptor + 1
    close_range(first)


def openat2(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2): open ``path`` below the directory's descriptor under the rules in ``resolve``."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    size = ctypes.sizeof(how)
    descriptor: int = libc.syscall(
        c_long(_SYS_OPENAT2), c_int(directory), os.fsencode(path), ctypes.byref(how), c_ulong(size)
    )
    if descriptor < 0:
        _raise(path)
    return descriptor


def open_tree(path: str, recursive: bool = True, directory: int = AT_FDCWD) -> int:
    """open_tree(2): a detached copy of the mount tree at ``path``, as a descriptor.

    An empty path means the file or folder behind ``directory`` itself.
    """
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC | (AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    descriptor: int = libc.syscall(c_long(_SYS_OPEN_TREE), c_int(directory), os.fsencode(path), c_uint(flags))
    if descriptor < 0:
        _raise(path)
    return descriptor


def mount_setattr(
    descriptor: int, attributes: int, recursive: bool = True, clear: int = 0, propagation: int = 0, users: int = 0
) -> None:
    """mount_setattr(2): set and clear MOUNT_ATTR_* on the mount behind the descriptor, and on those below it.

    ``propagation`` is one of MS_SHARED, MS_SLAVE, MS_PRIVATE and MS_UNBINDABLE; 0 leaves it as it is. ``users``
    is the descriptor of the user namespace for MOUNT_ATTR_IDMAP.
    """
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    wanted = _MountAttr(attributes, clear, propagation, users)
    size = ctypes.sizeof(wanted)
    arguments = (c_int(descriptor), b"", c_uint(flags), ctypes.byref(wanted), c_ulong(size))
    if libc.syscall(c_long(_SYS_MOUNT_SETATTR), *arguments) < 0:
        _raise()


def move_mount(descriptor: int, target: int) -> None:
    """move_mount(2): attach a detached mount on the file or folder behind the descriptor ``target``."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    if libc.syscall(c_long(_SYS_MOVE_MOUNT), c_int(descriptor), b"", c_int(target), b"", c_uint(flags)) < 0:
        _raise()


def fsopen(fstype: str) -> int:
    """fsopen(2): the descriptor of a filesystem that is to be configured."""
    descriptor: int = libc.syscall(c_long(_SYS_FSOPEN), fstype.encode(), c_uint(FSOPEN_CLOEXEC))
    if descriptor < 0:
        _raise()
    return descriptor


def fsconfig(descriptor: int, command: int, key: str = "", value: str = "") -> None:
    """fsconfig(2): set an option of the filesystem, or make it with FSCONFIG_CMD_CREATE."""
    arguments = (os.fsencode(key) or None, os.fsencode(value) or None, c_int(0))
    if libc.syscall(c_long(_SYS_FSCONFIG), c_int(descriptor), c_uint(command), *arguments) < 0:
        _raise(value or None)


def fsmount(descriptor: int, attributes: int = 0) -> int:
    """fsmount(2): a detached mount of the configured filesystem with MOUNT_ATTR_*, for :func:`move_mount`."""
    mount: int = libc.syscall(c_long(_SYS_FSMOUNT), c_int(descriptor), c_uint(FSMOUNT_CLOEXEC), c_uint(attributes))
    if mount < 0:
        _raise()
    return mount


def on_proc(descriptor: int) -> bool:
    """Whether the file or folder behind the descriptor is on a procfs."""
    return filesystem(descriptor) == PROC_SUPER_MAGIC


def filesystem(descriptor: int) -> int:
    """The magic number of the filesystem that the file or folder behind the descriptor is on, by fstatfs(2)."""
    found = (c_long * 32)()
    if libc.fstatfs(descriptor, ctypes.byref(found)) < 0:
        _raise()
    return found[0]


def fork_sibling() -> int:
    """clone3(2) with CLONE_PARENT: a child of this process's parent; its pid, in the child 0.

    Python's own preparations for fork(2) are left out: it is for processes of one thread.
    """
    arguments = (c_uint64 * 8)(CLONE_PARENT)
    pid: int = libc.syscall(c_long(_SYS_CLONE3), ctypes.byref(arguments), c_ulong(ctypes.sizeof(arguments)))
    if pid < 0:
        _raise()
    return pid


def syncfs(descriptor: int) -> None:
    """syncfs(2): write all of the filesystem that the descriptor is on to its disk."""
    if libc.syncfs(descriptor) < 0:
        _raise()


def reset_signals() -> None:
    """Give every signal its default action and unblock all: what a new program expects to find (signal(7)).

    Python ignores SIGPIPE and SIGXFSZ, a shell's background job SIGINT and SIGQUIT, and ignoring survives exec.
    """
    for number in range(1, 65):
        libc.signal(number, None)
    none_blocked = bytes(128)
    libc.sigprocmask(2, none_blocked, None)
