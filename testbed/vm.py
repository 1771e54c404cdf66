# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual machine: the same Alpine with a kernel of its own, cgroup version 2 alone, and a real reboot.

It runs under QEMU's emulator, which works where the machine itself is virtual, and takes about 20 s to boot.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from testbed import cgroups, guest, network, process, recipe
from testbed.build import Image, set_runlevels
from testbed.instance import Instance
from testbed.shell import run

MEMORY_MB = 256
DISK_BYTES = 1 << 30
# The initrd must load what the root file system is on; without mitigations emulated code runs faster.
_KERNEL_LINE = (
    "root=/dev/vda rootfstype=ext4 rootflags=rw modules=virtio_blk,virtio_net,virtio_pci,ext4 "
    "console=ttyS0 mitigations=off quiet security=apparmor"
)


def create(instance: Instance, name: str, image: Image) -> None:
    """Make a machine's disk: ext4 with the image's files, and with the services that only a whole machine has."""
    folder = guest.folder(instance, name)
    # A folder without its last file was left by an `up` that was killed.
    if (folder / "created").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    root = folder / "root"
    run("cp", "-a", image.rootfs, root)
    guest.personalise(instance, name, root, image.rootfs, image.rootfs)
    levels = recipe.RUNLEVELS
    set_runlevels(root, {level: levels[level] + recipe.VM_RUNLEVELS.get(level, ()) for level in levels})
    disk = folder / "disk.raw"
    with disk.open("wb") as file:
        os.truncate(file.fileno(), DISK_BYTES)
    run("mkfs.ext4", "-q", "-F", "-d", root, disk)
    shutil.rmtree(root)
    for part in ("kernel", "initrd"):
        (folder / part).symlink_to(image.path / part)
    (folder / "created").touch()


def start(instance: Instance, name: str, tops: list[Path]) -> None:
    """Start a machine in the testbed's network and in cgroups of its own; does not wait for it to boot."""
    folder = guest.folder(instance, name)
    groups = [top / name for top in tops]
    cgroups.end_processes(*groups)
    for group in groups:
        cgroups.make(group)
    network.create_tap(instance, name)
    qemu = (
        "qemu-system-x86_64", "-name", name, "-M", "q35", "-cpu", "qemu64", "-smp", "1", "-m", str(MEMORY_MB),
        # A translation cache without this bound grows to 1 GB.
        "-accel", "tcg,tb-size=64",
        "-kernel", str(folder / "kernel"), "-initrd", str(folder / "initrd"), "-append", _KERNEL_LINE,
        "-drive", f"file={folder / 'disk.raw'},format=raw,if=virtio,cache=unsafe",
        "-netdev", f"tap,id=net0,ifname={name},script=no,downscript=no",
        "-device", f"virtio-net-pci,netdev=net0,mac={instance.mac(name)},romfile=",
        "-device", "virtio-rng-pci",
        "-nodefaults", "-display", "none", "-serial", "stdio",
    )  # fmt: skip
    argv = cgroups.entering(groups, *network.command(instance, *qemu))
    process.start(argv, folder / "keeper", folder / "console.log", {})
