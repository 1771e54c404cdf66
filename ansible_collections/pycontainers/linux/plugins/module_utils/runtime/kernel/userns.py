# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User namespaces and their id maps, as user_namespaces(7) has them, seen from the process that writes the maps."""
from __future__ import annotations

import os

from ..errors import Failure, failing
from ..lean.contextlib import suppress
from . import procfs, syscalls
from .programs import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Ids = Sequence[tuple[int, int, int]]
    """Ranges of ids: the first inside, the first outside, how many."""


def write_maps(pid: int, uids: Ids, gids: Ids) -> None:
    """Map the ids of the user namespace of a process that has none mapped yet.

    Who may set any id writes them, and who maps no more than itself, which costs setgroups(2). For others the programs
    newuidmap and newgidmap do it, within what /etc/subuid and /etc/subgid give the user. Raises :class:`Failure`.
    """
    if not os.geteuid():
        with failing("map the ids of the user namespace"):
            procfs.write(f"{pid}/uid_map", _lines(uids))
            procfs.write(f"{pid}/gid_map", _lines(gids))
    elif alone(uids, gids):
        with failing("map the ids of the user namespace"):
            procfs.write(f"{pid}/setgroups", "deny")
            procfs.write(f"{pid}/uid_map", _lines(uids))
            procfs.write(f"{pid}/gid_map", _lines(gids))
    else:
        _mapped_by("newuidmap", pid, uids)
        _mapped_by("newgidmap", pid, gids)


def alone(uids: Ids, gids: Ids) -> bool:
    """Whether nothing but the caller's own user and group is mapped."""
    return [each[1:] for each in uids] == [(os.geteuid(), 1)] and [each[1:] for each in gids] == [(os.getegid(), 1)]


def namespace(uids: Ids, gids: Ids) -> int:
    """A descriptor of a user namespace with these maps; a process makes it and ends. Raises :class:`Failure`."""
    with failing("make a user namespace"):
        ours, theirs = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            _hold(ours[1], theirs[0], theirs[1])
        os.close(ours[1])
        os.close(theirs[0])
        try:
            if not os.read(ours[0], 1):
                raise OSError("the kernel makes none; see user.max_user_namespaces")
            write_maps(pid, uids, gids)
            return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(ours[0])
            os.close(theirs[1])
            os.waitpid(pid, 0)


def _hold(told: int, ends: int, other: int) -> None:
    """In the child: make the namespace, and be there until the other end of a pipe is closed."""
    with suppress(BaseException):
        os.close(other)
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        os.write(told, b"1")
        os.read(ends, 1)
    os._exit(0)


def _mapped_by(name: str, pid: int, ids: Ids) -> None:
    import subprocess

    operation = f"map ids by {name}"
    found = find(name)
    if found is None:
        reason = "it is not installed, and only root may map ids other than its own"
        raise Failure(operation, reason, "install the package uidmap, or map nothing but the own user and group")
    numbers = [str(number) for each in ids for number in each]
    with failing(operation):
        done = subprocess.run([found, str(pid), *numbers], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().removeprefix(f"{name}: ")
        raise Failure(operation, said or f"status {done.returncode}", "see /etc/subuid and /etc/subgid")


def _lines(ids: Ids) -> str:
    return "".join(f"{inside} {outside} {size}\n" for inside, outside, size in ids)
