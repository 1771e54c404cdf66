# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capabilities (capabilities(7)): names, numbers, and giving them up."""
from __future__ import annotations

import errno
import os
import sys

from . import syscalls

CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
"""The names without ``CAP_``; a name's place is its number (linux/capability.h)."""

DEFAULT_CAPABILITIES = (
    "CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_MKNOD CAP_NET_BIND_SERVICE "
    "CAP_NET_RAW CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT"
).split()
"""What a container keeps unless told otherwise: the fourteen that docker, containerd and podman give."""


HOST = "PYCONTAINERS_HOST"
"""The variable that carries descriptors of the caller's mount namespace, root and working directory over exec."""


def shield_interpreter(*, come_back: bool = False) -> None:
    """Go on as the same program from a read-only mount of the interpreter; return at once if this is one already.

    A process can always follow its own /proc/self/exe, and a container's program may be a script whose interpreter
    that is: it would hold the host's Python and could write to it (CVE-2019-5736). Through a read-only mount nobody
    can. The calling process gets a mount namespace of its own, or with ``come_back`` is in the old one again when this
    returns: the read-only mount lives on as long as it is executed. The path of the interpreter stays the same, since
    shared libraries are found by it.
    """
    if shielded():
        _come_back(os.environ.pop(HOST, ""))
        return
    interpreter = os.readlink("/proc/self/exe")
    if come_back:
        host = [os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/mnt", "/", ".")]
        for descriptor in host:
            os.set_inheritable(descriptor, True)
        os.environ[HOST] = " ".join(map(str, host))
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_SLAVE)
    tree = syscalls.open_tree(interpreter, recursive=False)
    syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY, recursive=False)
    place = os.open(interpreter, os.O_PATH | os.O_CLOEXEC)
    syscalls.move_mount(tree, place)
    os.execv(interpreter, [sys.executable, *sys.orig_argv[1:]])


def shielded() -> bool:
    """Whether the interpreter is executed from a read-only mount."""
    return bool(os.statvfs("/proc/self/exe").f_flag & os.ST_RDONLY)


def _come_back(host: str) -> None:
    """Enter the caller's mount namespace, and in it the root and the folder that it was in, which setns(2) leaves."""
    if not host:
        return
    namespace, root, folder = map(int, host.split())
    syscalls.setns(namespace, syscalls.CLONE_NEWNS)
    os.fchdir(root)
    os.chroot(".")
    os.fchdir(folder)
    for descriptor in (namespace, root, folder):
        os.close(descriptor)


def mask(names: list[str] | tuple[str, ...]) -> int:
    """The bit mask of capabilities by name, with or without ``CAP_``. Raises ``ValueError`` for an unknown one."""
    bits = 0
    for name in names:
        plain = name.upper().removeprefix("CAP_")
        if plain not in CAPABILITIES:
            raise ValueError(f"there is no capability {name}")
        bits |= 1 << CAPABILITIES.index(plain)
    return bits


def limit_bounding(keep: int) -> None:
    """Drop from the bounding set all that is not in ``keep``, up to the last that this kernel knows."""
    for number in range(64):
        if keep >> number & 1:
            continue
        try:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return
            # Whoever may drop none does well where it is not there anyway.
            if syscalls.prctl(syscalls.PR_CAPBSET_READ, number):
                raise


def set_capabilities(effective: int, permitted: int, inheritable: int, ambient: int) -> None:
    """Set the sets of the calling thread; the ambient set can only hold what is permitted and inheritable."""
    try:
        syscalls.capset(effective, permitted, inheritable)
    except PermissionError as error:
        raise PermissionError(error.errno, "whoever starts the program lacks some of its capabilities") from None
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    for number in range(64):
        if ambient >> number & 1:
            syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_RAISE, number)
