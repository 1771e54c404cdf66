# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place to measure in: namespaces of its own, a registry, and a layout of its own, with a network and an image."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import DEFAULT_ROOT, Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, Plan, apply, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network import NETWORK
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.service import install_steps
from testbed.registry import registry

SIOCSIFFLAGS = 0x8914
IFF_UP_LOOPBACK = 0x49


@dataclass(frozen=True)
class World:
    """The layout, and the address of the registry."""

    layout: Layout
    registry: str

    def declare(self, resource: Any, **options: Any) -> Outcome[Any]:
        """Converge a resource to the options, as a task would."""
        return converge(resource, self.layout, parse(resource.model, options), check=False)

    def container(self, name: str, **options: Any) -> dict[str, Any]:
        """Options of a container as the benchmarks use it: nginx on the network, with a port and limits."""
        return {
            "name": name,
            "image": f"{self.registry}/nginx:latest",
            "networks": [{"name": "web"}],
            "published_ports": ["8080:80"],
            "memory": "64m",
            "cpus": "0.5",
            "restart_policy": "always",
            **options,
        }


@contextmanager
def world() -> Iterator[World]:
    """Enter namespaces (this process stays there), and have network and image. What was made is removed after."""
    _own_namespaces()
    with tempfile.TemporaryDirectory(prefix="pycontainers-bench-") as folder:
        # The default root is where a task looks for the installed runtime: a folder of ours takes its place here.
        os.makedirs(DEFAULT_ROOT, exist_ok=True)
        os.mkdir(f"{folder}/root")
        syscalls.mount(f"{folder}/root", DEFAULT_ROOT, flags=syscalls.MS_BIND)
        # As /run is on every host.
        os.mkdir(f"{folder}/run")
        syscalls.mount("tmpfs", f"{folder}/run", "tmpfs")
        here = Layout(run=f"{folder}/run")
        try:
            with registry(Path(folder) / "registry") as server:
                made = World(here, server.address)
                apply(Plan(install_steps(here)))
                made.declare(NETWORK, name="web", subnet="10.77.0.0/24")
                yield made
        finally:
            for name in os.listdir(f"{DEFAULT_ROOT}/names") if os.path.isdir(f"{DEFAULT_ROOT}/names") else ():
                gone = {"name": name, "state": "absent", "stop_timeout": 0}
                converge(CONTAINER, here, parse(CONTAINER.model, gone), check=False)
            converge(NETWORK, here, parse(NETWORK.model, {"name": "web", "state": "absent"}), check=False)
            syscalls.umount(f"{folder}/run", syscalls.MNT_DETACH)
            syscalls.umount(DEFAULT_ROOT)


def _own_namespaces() -> None:
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP_LOOPBACK))
