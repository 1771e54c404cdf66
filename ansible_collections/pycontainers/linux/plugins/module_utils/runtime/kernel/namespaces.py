# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces that outlive the process that made them: pinned by a bind mount, as namespaces(7) has it."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from . import syscalls

OWN = "/proc/thread-self/ns/net"
"""The calling thread's network namespace."""

SIOCSIFFLAGS = 0x8914
IFF_UP, IFF_LOOPBACK, IFF_RUNNING = 0x1, 0x8, 0x40


def pinned(path: str) -> bool:
    """Whether a namespace is pinned at ``path``, and not merely the empty file that one is to be mounted on."""
    try:
        return os.stat(path).st_dev == os.stat(OWN).st_dev
    except FileNotFoundError:
        return False


def pin(path: str) -> None:
    """Make a network namespace with its loopback interface up, and pin it at ``path``. Raises ``OSError``.

    Its interfaces to come accept no router advertisements.

    The calling thread is in the new namespace meanwhile: a mount is the only way to keep one without a process.
    """
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400))
    home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        try:
            _raise_loopback()
            _believe_no_router()
            syscalls.mount(OWN, path, flags=syscalls.MS_BIND)
        finally:
            syscalls.setns(home, syscalls.CLONE_NEWNET)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(home)


def unpin(path: str) -> None:
    """Let go of the namespace at ``path``; with its last process the kernel deletes it and all links in it."""
    while pinned(path):
        syscalls.umount(path, syscalls.MNT_DETACH | syscalls.UMOUNT_NOFOLLOW)
    with suppress(FileNotFoundError):
        os.unlink(path)


@contextmanager
def entered(path: str) -> Iterator[None]:
    """Be in the network namespace pinned at ``path`` within the block (the calling thread only). Raises ``OSError``."""
    inside = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                syscalls.setns(inside, syscalls.CLONE_NEWNET)
            except OSError as error:
                raise OSError(error.errno, error.strerror, path) from error
            try:
                yield
            finally:
                syscalls.setns(home, syscalls.CLONE_NEWNET)
        finally:
            os.close(home)
    finally:
        os.close(inside)


def _believe_no_router() -> None:
    """Let no neighbour make itself the IPv6 router of interfaces to come (CVE-2020-10749, CVE-2020-13401)."""
    for name in ("all", "default"):
        with suppress(FileNotFoundError), open(f"/proc/sys/net/ipv6/conf/{name}/accept_ra", "w") as file:
            file.write("0")


def expect_peer(path: str, router: bool) -> None:
    """Have interfaces to come in the namespace at ``path`` be of use at once. Raises ``OSError``.

    Only where there is nobody on them but whoever makes them: no address of IPv6 is looked for at others before it is
    used, and if that one is a ``router``, what it tells is believed.
    """
    told = {"accept_dad": "0"} | ({"accept_ra": "1", "router_solicitation_delay": "0"} if router else {})
    with entered(path):
        for name, value in told.items():
            with suppress(FileNotFoundError), open(f"/proc/sys/net/ipv6/conf/default/{name}", "w") as file:
                file.write(value)


def _raise_loopback() -> None:
    """Bring the loopback interface up; the kernel gives it its addresses. See netdevice(7)."""
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP | IFF_LOOPBACK | IFF_RUNNING))
