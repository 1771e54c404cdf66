# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot a system container; run by its keeper, once for each boot.

`prepare NAME` gives the host empty cgroups and becomes unshare(1). `start NAME` is then pid 1 of new namespaces: it
enters the cgroups, plugs in the network, mounts what a host has, and becomes the host's init.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import sys
from pathlib import Path

from testbed import cgroups, guest, network
from testbed.instance import Instance, up_record
from testbed.shell import Failure, run

CLONE_NEWCGROUP = 0x02000000

_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_PRIVATE_DEVICES = {"fuse": (10, 229), "net/tun": (10, 200)}
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
# Type, place and options of each file system that a host finds mounted.
_FILESYSTEMS = (
    ("proc", "proc", "nosuid,nodev,noexec"),
    ("sysfs", "sys", "nosuid,nodev,noexec"),
    ("tmpfs", "dev", "nosuid,noexec,mode=755,size=1m"),
    ("devpts", "dev/pts", "nosuid,noexec,mode=620,gid=5,ptmxmode=666"),
    ("tmpfs", "dev/shm", "nosuid,nodev,mode=1777"),
    ("mqueue", "dev/mqueue", "nosuid,nodev,noexec"),
    ("tmpfs", "run", "nosuid,nodev,mode=755"),
    ("tmpfs", "tmp", "mode=1777"),
)


def prepare(instance: Instance, name: str) -> None:
    """Make the host's cgroups as empty as they are at boot and become unshare(1), which starts `start`."""
    for top in up_record(instance).tops:
        cgroups.remove(top / name)
        cgroups.make(top / name)
    namespaces = ("--pid", "--mount", "--uts", "--ipc", "--net")
    start = (sys.executable, "-S", "-m", "testbed.boot", "start", name)
    os.execvp("unshare", ["unshare", *namespaces, "--fork", "--kill-child", *start])


def start(instance: Instance, name: str) -> None:
    """Turn this process, pid 1 of new namespaces, into the host's init."""
    if os.getpid() != 1:
        raise Failure("only pid 1 of new namespaces may start a host: the machine's own mounts would be changed")
    pure_v2 = all(hierarchy.version == 2 for hierarchy in cgroups.hierarchies())
    _enter_cgroups([top / name for top in up_record(instance).tops], pure_v2)
    socket.sethostname(name)
    _plug_in(instance, name)
    folder = guest.folder(instance, name)
    root = folder / "root"
    layers = f"lowerdir={(folder / 'image').resolve()},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    run("mount", "-t", "overlay", "-o", layers, "overlay", root)
    run("mount", "--bind", folder / "var", root / "var")
    _mount_filesystems(root)
    _make_devices(root / "dev", folder / "console.log")
    _mount_cgroups(root / "sys/fs/cgroup", pure_v2)
    _guard_machine(root, folder / "boot_id")
    _become_init(root)


def _enter_cgroups(groups: list[Path], pure_v2: bool) -> None:
    """Enter the host's cgroups and a cgroup namespace that has them as its roots.

    unshare(1) cannot make that namespace: it would have to be in these cgroups itself, and a mount with nsdelegate
    (cgroups(7)) lets nobody leave again.
    """
    for group in groups:
        cgroups.enter(group)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWCGROUP) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare(CLONE_NEWCGROUP)")
    if pure_v2:
        # Only a cgroup without processes can hand controllers down, and the host's root must.
        for group in groups:
            cgroups.make(group / "init")
            cgroups.enter(group / "init")
            cgroups.delegate(group)


def _plug_in(instance: Instance, name: str) -> None:
    bridge_side = ("ip", "-n", instance.tag, "link")
    # The link of the boot before may still be there: the kernel removes a dead namespace's links in its own time.
    run(*bridge_side, "delete", name, check=False)
    peer = ("peer", "name", name, "netns", instance.tag)
    run("ip", "link", "add", "eth0", "address", instance.mac(name), "type", "veth", *peer)
    run(*bridge_side, "set", name, "master", network.BRIDGE, "up")


def _mount_filesystems(root: Path) -> None:
    for kind, place, options in _FILESYSTEMS:
        (root / place).mkdir(exist_ok=True)
        run("mount", "-t", kind, "-o", options, kind, root / place)


def _make_devices(dev: Path, console: Path) -> None:
    (dev / "net").mkdir()
    os.umask(0)
    for devices, mode in ((_DEVICES, 0o666), (_PRIVATE_DEVICES, 0o600)):
        for name, (major, minor) in devices.items():
            os.mknod(dev / name, stat.S_IFCHR | mode, os.makedev(major, minor))
    os.umask(0o022)
    for name, target in _LINKS.items():
        (dev / name).symlink_to(target)
    (dev / "console").touch()
    run("mount", "--bind", console, dev / "console")


def _mount_cgroups(place: Path, pure_v2: bool) -> None:
    """Mount the machine's hierarchies; in this cgroup namespace the root of each is the host's own cgroup."""
    if pure_v2:
        run("mount", "-t", "cgroup2", "-o", "nosuid,nodev,noexec", "cgroup2", place)
        return
    run("mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,mode=755", "tmpfs", place)
    for hierarchy in cgroups.hierarchies():
        if not hierarchy.mount.is_relative_to("/sys/fs/cgroup"):
            continue
        target = place / hierarchy.mount.name
        target.mkdir()
        kind = ["-t", "cgroup", "-o", hierarchy.options] if hierarchy.version == 1 else ["-t", "cgroup2"]
        run("mount", *kind, "cgroup", target)
        for controller in hierarchy.options.split(","):
            if "," in hierarchy.options and not (place / controller).exists():
                (place / controller).symlink_to(target.name)


def _guard_machine(root: Path, boot_id: Path) -> None:
    """Keep a host from changing kernel settings other than its own network's, and give this boot its own id."""
    boot_id.write_text(Path("/proc/sys/kernel/random/uuid").read_text())
    # Each writable part is a mount of its own on top, so that the rest can be made read-only around it.
    for place in ("proc/sys", "proc/sys/net", "sys/devices/virtual/net"):
        run("mount", "--bind", root / place, root / place)
    run("mount", "--bind", boot_id, root / "proc/sys/kernel/random/boot_id")
    for place in ("proc/sys", "sys"):
        run("mount", "-o", "remount,bind,ro", root / place)
    trigger = root / "proc/sysrq-trigger"
    if trigger.exists():
        run("mount", "--bind", "/dev/null", trigger)


def _become_init(root: Path) -> None:
    os.chdir(root)
    run("pivot_root", ".", "mnt")
    os.chroot(".")
    os.execve(
        "/bin/sh",
        ["sh", "-c", "umount -l /mnt && exec /sbin/init"],
        {"container": "lxc", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "linux"},
    )


def main() -> int:
    """Run the stage that the command line names."""
    stage, name = sys.argv[1:3]
    stages = {"prepare": prepare, "start": start}
    try:
        stages[stage](Instance.from_environment(), name)
    except (Failure, OSError) as error:
        print(f"{name} cannot boot: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
