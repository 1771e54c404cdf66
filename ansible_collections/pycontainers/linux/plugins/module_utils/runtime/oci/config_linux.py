# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of ``linux`` in an OCI configuration that are neither limits nor seccomp (runtime-spec config-linux.md)."""
from __future__ import annotations

import os
import stat

from ..kernel import syscalls
from ..kernel.mount_options import PROPAGATION
from ..kernel.process_attributes import PER_LINUX, PER_LINUX32
from ..typed import NamedTuple
from .config_mounts import plain
from .fields import Field, first_repeated

NAMESPACES = {
    "user": syscalls.CLONE_NEWUSER,
    "pid": syscalls.CLONE_NEWPID,
    "network": syscalls.CLONE_NEWNET,
    "mount": syscalls.CLONE_NEWNS,
    "uts": syscalls.CLONE_NEWUTS,
    "ipc": syscalls.CLONE_NEWIPC,
    "cgroup": syscalls.CLONE_NEWCGROUP,
    "time": syscalls.CLONE_NEWTIME,
}
"""Types of namespaces by OCI's names."""

CLOCKS = ("monotonic", "boottime")
"""The clocks that a time namespace can shift (time_namespaces(7))."""

DEVICE_TYPES = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
LARGEST_MAJOR, LARGEST_MINOR = 2**12 - 1, 2**20 - 1
"""Device numbers have 12 and 20 bits (linux/kdev_t.h)."""

PERSONALITIES = {"LINUX": PER_LINUX, "LINUX32": PER_LINUX32}

IPC_SYSCTLS = frozenset(
    f"kernel/{name}" for name in "msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced".split()
)
"""The settings besides fs.mqueue that each IPC namespace has of its own (ipc_namespaces(7))."""

IFNAMSIZ = 16


class Namespaces(NamedTuple):
    """``new`` are the CLONE_NEW* flags of those to be made; ``joined`` are flag and path of those that exist."""

    new: int
    joined: tuple[tuple[int, str], ...]

    def has(self, flag: int) -> bool:
        """Whether the container gets a namespace of this kind that is not simply the runtime's."""
        return bool(self.new & flag) or any(flag == kind for kind, _ in self.joined)


class Device(NamedTuple):
    """A node to be made: what mknod(2) takes. ``mode`` holds the type, ``number`` is 0 for a FIFO."""

    path: str
    mode: int
    number: int
    uid: int
    gid: int


def namespaces(field: Field) -> Namespaces:
    """The namespaces. Raises :class:`InvalidValue` for an unknown type, one that comes twice, or no mount namespace."""
    new, joined, kinds = 0, [], []
    for each in field.each():
        flag, path = each.member("type").choice(NAMESPACES), each.member("path").path_text("")
        kinds.append(flag)
        if first_repeated(kinds) is not None:
            raise each.member("type").refusal("there is a namespace of this type already")
        if path:
            joined.append((flag, path))
        else:
            new |= flag
    if syscalls.CLONE_NEWNS not in kinds:
        raise field.refusal("there is no mount namespace, so the container's mounts would be made on the host")
    return Namespaces(new, tuple(joined))


def time_offsets(field: Field) -> tuple[tuple[str, int, int], ...]:
    """Clock, seconds and nanoseconds, as /proc/PID/timens_offsets takes them."""
    found = []
    for clock, offset in field.entries():
        if clock not in CLOCKS:
            raise offset.refusal(f"a time namespace has the clocks {', '.join(CLOCKS)}")
        offset.required()
        seconds = offset.member("secs").whole(-(2**63), 2**63 - 1, 0)
        found.append((clock, seconds, offset.member("nanosecs").whole(0, 10**9 - 1, 0)))
    return tuple(found)


def devices(field: Field) -> tuple[Device, ...]:
    """The nodes to be made. Two for one path are an error, since the second could only fail."""
    found: list[Device] = []
    for each in field.each():
        found.append(_device(each))
        if first_repeated(device.path for device in found) is not None:
            raise each.member("path").refusal("there is a device of this path already")
    return tuple(found)


def _device(field: Field) -> Device:
    field.required()
    kind = field.member("type").choice(DEVICE_TYPES)
    number = 0
    if kind != stat.S_IFIFO:
        major = field.member("major").whole(0, LARGEST_MAJOR)
        number = os.makedev(major, field.member("minor").whole(0, LARGEST_MINOR))
    mode = field.member("fileMode")
    permissions = mode.whole(0, 0o177777, 0o666)
    # What stat(2) says of a node is often copied whole, type included.
    if stat.S_IFMT(permissions) not in (0, kind):
        raise mode.refusal("the type in its upper bits is not the device's type")
    uid, gid = (field.member(name).identity(0) for name in ("uid", "gid"))
    path = plain(field.member("path").path_text())
    if path == "/":
        raise field.member("path").refusal("it is the root folder")
    return Device(path, kind | stat.S_IMODE(permissions), number, uid, gid)


def net_devices(field: Field) -> tuple[tuple[str, str], ...]:
    """Interfaces of the host's that move into the container: name there, name here.

    ``%d`` in the latter stands for a number that the kernel chooses, so that such a one may be there twice.
    """
    found = []
    for name, entry in field.entries():
        _interface(entry, name)
        inside = entry.member("name")
        found.append((name, _interface(inside, inside.text("") or name)))
        if found[-1][1].replace("%d", "", 1).count("%"):
            raise inside.refusal("'%' can stand in a name once, as %d")
        if first_repeated(new for _, new in found if "%" not in new) is not None:
            raise inside.refusal("another interface gets this name already")
    return tuple(found)


def _interface(field: Field, name: str) -> str:
    unfit = any(letter.isspace() or letter in "/:" for letter in name)
    if not name or unfit or name in (".", "..") or len(name.encode()) >= IFNAMSIZ:
        rule = f"an interface's name has 1 to {IFNAMSIZ - 1} bytes without spaces, '/' and ':'"
        raise field.refusal(f"{rule} ({name[:IFNAMSIZ]!r} is none)")
    return name


def propagation(field: Field) -> int:
    """The propagation of the root filesystem, as flags of mount(2); 0 where nothing is said."""
    return field.choice(PROPAGATION) if field.value not in (None, "") else 0


def paths(field: Field) -> tuple[str, ...]:
    """Absolute paths inside the container, plain."""
    return tuple(plain(each.path_text()) for each in field.each())


def personality(field: Field) -> int | None:
    """The execution domain. Flags are warned about, since none are defined."""
    if not field.given:
        return None
    if field.member("flags").each():
        field.member("flags").note("no flags are defined, they are left out")
    return field.member("domain").choice(PERSONALITIES)


def label(field: Field) -> str:
    """An SELinux label that can stand in a mount option, between quotes."""
    said = field.word()
    if '"' in said:
        raise field.refusal("there is a quote in it")
    return said


def sysctls(field: Field, kinds: Namespaces) -> tuple[tuple[str, str], ...]:
    """Kernel settings as path below /proc/sys and value: those only that a namespace of the container has of its own.

    Raises :class:`InvalidValue` for one that would change the host's.
    """
    found = []
    for name, value in field.entries():
        path = _sysctl_path(value, name)
        kind = _sysctl_namespace(path)
        if path == "kernel/hostname":
            raise value.refusal("the host name is set by the field hostname")
        if not kind:
            raise value.refusal("no namespace has this setting of its own, it would be changed for the whole host")
        if not kinds.has(NAMESPACES[kind]):
            raise value.refusal(f"the container shares the runtime's {kind} namespace, whose setting it is")
        found.append((path, value.text(longest=4095)))
        if first_repeated(path for path, _ in found) is not None:
            raise value.refusal("it is the same setting as one before it")
    return tuple(found)


def _sysctl_namespace(path: str) -> str:
    if path in IPC_SYSCTLS or path.startswith("fs/mqueue/"):
        return "ipc"
    if path.startswith("net/"):
        return "network"
    return "uts" if path == "kernel/domainname" else ""


def _sysctl_path(field: Field, name: str) -> str:
    """The file of a setting: whichever of '.' and '/' comes first separates, the other stands for '.' (sysctl.d(5))."""
    slash, dot = name.find("/"), name.find(".")
    path = name if slash >= 0 and (dot < 0 or slash < dot) else name.translate({ord("."): "/", ord("/"): "."})
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise field.refusal(f"{name[:60]!r} is not the name of a kernel setting")
    return path
