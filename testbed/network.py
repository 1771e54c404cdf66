# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The testbed's network: a namespace of its own with one bridge, so that nothing appears in the machine's network."""

from __future__ import annotations

import os
from pathlib import Path

from testbed.instance import Instance
from testbed.shell import run

BRIDGE = "br0"
_DIRECTORY = Path("/run/netns")


def path(instance: Instance) -> Path:
    """Return the file that names the testbed's network namespace (ip-netns(8))."""
    return _DIRECTORY / instance.tag


def directory_is_mounted() -> bool:
    """Tell whether somebody has run `ip netns add` since boot, which leaves /run/netns a mount point."""
    return _DIRECTORY.is_mount()


def create(instance: Instance) -> None:
    """Make the namespace and the bridge where they are missing."""
    # Path.is_mount() takes only directories for mount points.
    if not os.path.ismount(path(instance)):
        path(instance).unlink(missing_ok=True)
        run("ip", "netns", "add", instance.tag)
    inside = ("ip", "-n", instance.tag)
    run(*inside, "link", "set", "lo", "up")
    if BRIDGE not in run(*inside, "-o", "link", "show"):
        run(*inside, "link", "add", BRIDGE, "type", "bridge")
    run(*inside, "address", "replace", f"{instance.gateway}/24", "dev", BRIDGE)
    run(*inside, "link", "set", BRIDGE, "up")


def create_tap(instance: Instance, name: str) -> None:
    """Make a tap device on the bridge for a virtual machine, anew."""
    inside = ("ip", "-n", instance.tag)
    run(*inside, "link", "delete", name, check=False)
    run(*inside, "tuntap", "add", "dev", name, "mode", "tap")
    run(*inside, "link", "set", name, "master", BRIDGE, "up")


def remove(instance: Instance, made_directory: bool) -> None:
    """Remove the namespace with all its links and, if it was made for us and nobody else uses it, /run/netns."""
    if path(instance).exists():
        run("ip", "netns", "delete", instance.tag)
    if made_directory and _DIRECTORY.is_dir() and not any(_DIRECTORY.iterdir()):
        run("umount", _DIRECTORY, check=False)
        try:
            _DIRECTORY.rmdir()
        except OSError:
            # Somebody added a namespace of his own just now.
            return


def command(instance: Instance, *argv: str) -> list[str]:
    """Return the command line that runs a command in the testbed's network, as another machine on the bridge would."""
    return ["nsenter", f"--net={path(instance)}", *argv]
