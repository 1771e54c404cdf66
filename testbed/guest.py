# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes an Alpine root directory one particular host: its name, address, keys and neighbours."""

from __future__ import annotations

import shutil
from pathlib import Path

from testbed.instance import Instance
from testbed.shell import run, write_file


def folder(instance: Instance, name: str) -> Path:
    """Return the state directory of one host."""
    return instance.state / name


def public_key(instance: Instance, name: str) -> str | None:
    """Return the ssh key that a host proves itself with, or None when there is no such host."""
    path = folder(instance, name) / "host_key.pub"
    return path.read_text().strip() if path.exists() else None


def personalise(instance: Instance, name: str, root: Path, image: Path, keys: Path) -> None:
    """Write a host's own files into its root directory, or into the upper directory over the image's.

    ``keys`` is the image that has a program which makes keys. Directories that are missing get the modes that they have
    in the image, since an upper directory's mode hides the lower one's.
    """
    debian = name in instance.debian_names()
    for path in ("etc/dropbear", "root/.ssh", *(() if debian else ("etc/network",))):
        _make_folders(root, path, image)
    write_file(root / "etc/hostname", f"{name}\n")
    write_file(root / "etc/hosts", _hosts(instance))
    if debian:
        # The environment of a unit of our own: there is no ifupdown.
        write_file(root / "etc/eth0", [f"ADDRESS={instance.address(name)}/24", f"GATEWAY={instance.gateway}"])
    else:
        write_file(root / "etc/network/interfaces", _interfaces(instance, name))
    write_file(root / "root/.ssh/authorized_keys", (instance.state / "id_ed25519.pub").read_text(), 0o600)
    key = root / "etc/dropbear/dropbear_ed25519_host_key"
    said = run(keys / "usr/bin/dropbearkey", "-t", "ed25519", "-f", key)
    public = next(line for line in said.splitlines() if line.startswith("ssh-ed25519 "))
    write_file(folder(instance, name) / "host_key.pub", f"{' '.join(public.split()[:2])}\n")


def _make_folders(root: Path, path: str, image: Path) -> None:
    made = root
    for part in Path(path).parts:
        made = made / part
        if not made.exists():
            made.mkdir()
            shutil.copymode(image / made.relative_to(root), made)


def _hosts(instance: Instance) -> list[str]:
    # All hosts that there can ever be: adding one needs no change on those that run.
    names = instance.names()
    return ["127.0.0.1 localhost", "::1 localhost", *(f"{instance.address(name)} {name}" for name in names)]


def _interfaces(instance: Instance, name: str) -> list[str]:
    return [
        "auto lo",
        "iface lo inet loopback",
        "",
        "auto eth0",
        "iface eth0 inet static",
        f"    address {instance.address(name)}/24",
        f"    gateway {instance.gateway}",
    ]
