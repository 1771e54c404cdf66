# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A system container: Alpine or Debian with its own namespaces and init, sharing the machine's kernel.

Its processes on the machine, each the parent of the next:

- the keeper, a shell: starts the next one again whenever that leaves by SIGHUP, which is what a reboot looks like;
- unshare(1), which was `testbed.boot prepare`: waits for pid 1 of the namespaces that it made;
- OpenRC's init or systemd, which was `testbed.boot start`: pid 1 of the host.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from testbed import cgroups, debian_build, guest, process
from testbed.build import Image
from testbed.instance import Instance
from testbed.shell import run

# reboot(2) in a pid namespace kills its init by SIGHUP for a restart and by SIGINT for power off.
_KEEPER = """while :; do "$@"; [ $? -eq 129 ] || break; done"""


def create(instance: Instance, name: str, alpine: Image) -> None:
    """Make a host's disk: an upper directory over the image, and /var as a real directory.

    Containers inside the host keep overlays in /var, and overlayfs takes no overlay as its upper layer.
    """
    folder = guest.folder(instance, name)
    # A folder without its last file was left by an `up` that was killed.
    if (folder / "created").exists():
        return
    image = debian_build.image(alpine) if name in instance.debian_names() else alpine
    shutil.rmtree(folder, ignore_errors=True)
    for path in ("root", "upper", "work"):
        (folder / path).mkdir(parents=True)
    (folder / "upper").chmod(0o755)
    (folder / "image").symlink_to(image.rootfs)
    run("cp", "-a", image.rootfs / "var", folder / "var")
    guest.personalise(instance, name, folder / "upper", image.rootfs, alpine.rootfs)
    (folder / "created").touch()


def start(instance: Instance, name: str, tops: list[Path]) -> None:
    """Start a host's keeper and with it the host; does not wait for it to boot."""
    folder = guest.folder(instance, name)
    # A host outlives a keeper that was killed.
    cgroups.end_processes(*(top / name for top in tops))
    boot = (sys.executable, "-S", "-m", "testbed.boot", "prepare", name)
    argv = cgroups.entering([top / cgroups.OUTSIDE for top in tops], "sh", "-c", _KEEPER, "keeper", *boot)
    process.start(argv, folder / "keeper", folder / "console.log", {"PYTHONPATH": str(instance.checkout)})
