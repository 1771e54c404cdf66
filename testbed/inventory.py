# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to the hosts: an ssh configuration and an Ansible inventory, for any directory that they are used from."""

from __future__ import annotations

import sys
from pathlib import Path

from testbed import guest
from testbed.instance import Instance
from testbed.shell import run, write_file

REGISTRY_PORT = 5000


def create_keys(instance: Instance) -> None:
    """Make the state directory and the key pair that every host lets in."""
    state = instance.state
    state.mkdir(mode=0o700, exist_ok=True)
    # Keeps the state out of git whatever the instance is called.
    write_file(state / ".gitignore", "*\n")
    if not (state / "id_ed25519.pub").exists():
        (state / "id_ed25519").unlink(missing_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", instance.tag, "-f", state / "id_ed25519")


def hosts(instance: Instance) -> list[str]:
    """Return the names of the hosts that have been made, system containers first."""
    return [name for name in instance.names() if guest.public_key(instance, name)]


def write(instance: Instance) -> None:
    """Write ssh_config, known_hosts and inventory.yml for the hosts that there are."""
    names = hosts(instance)
    state = instance.state
    keys = (f"{name},{instance.address(name)} {guest.public_key(instance, name)}" for name in names)
    write_file(state / "known_hosts", keys, 0o600)
    write_file(state / "ssh_config", _ssh_config(instance, names), 0o600)
    write_file(state / "inventory.yml", _inventory(instance, names))


def _ssh_config(instance: Instance, names: list[str]) -> list[str]:
    connect = Path(__file__).with_name("connect.py")
    lines = []
    for name in names:
        lines += [f"Host {name}", f"  HostName {instance.address(name)}", f"  HostKeyAlias {name}"]
    return [
        *lines,
        f"Host alpine* debian* vm* {instance.network}.*",
        "  User root",
        f"  IdentityFile {instance.state}/id_ed25519",
        "  IdentitiesOnly yes",
        f"  UserKnownHostsFile {instance.state}/known_hosts",
        "  GlobalKnownHostsFile none",
        "  StrictHostKeyChecking yes",
        f"  ProxyCommand {sys.executable} -I -S {connect} {instance.tag} %h %p",
        "  ProxyUseFdpass yes",
        "  BatchMode yes",
        "  ServerAliveInterval 10",
        "  ServerAliveCountMax 6",
        "  LogLevel ERROR",
    ]


def _inventory(instance: Instance, names: list[str]) -> list[str]:
    debians = [name for name in names if name in instance.debian_names()]
    vms = [name for name in names if name in instance.vm_names()]
    lines = ["all:", "  vars:", f"    testbed_registry: {instance.gateway}:{REGISTRY_PORT}"]
    lines += ["    ansible_user: root", "    ansible_python_interpreter: /usr/bin/python3"]
    lines += [f"    ansible_ssh_common_args: -F {instance.state}/ssh_config", "  children:"]
    for group, members in (
        ("alpine", [name for name in names if name not in debians]),
        ("debian", debians),
        ("containers", [name for name in names if name not in vms]),
        ("vm", vms),
    ):
        lines += [f"    {group}:", "      hosts:"]
        for name in members:
            lines += [f"        {name}:", f"          ansible_host: {instance.address(name)}"]
    return lines
