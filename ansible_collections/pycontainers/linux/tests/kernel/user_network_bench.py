# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bench for containers whose network slirp4netns or pasta makes: the host's own network, and looks at programs."""
from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import user_network_program
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    firewall,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import (
    NEIGHBOUR,
    NEIGHBOUR6,
    Bench,
)

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
PROGRAMS = ("slirp4netns", "pasta")
both = pytest.mark.parametrize("program", PROGRAMS)


@contextmanager
def outside(layout: Layout) -> Iterator[Bench]:
    """Another machine on the host's own network, which is its router too."""
    made = Bench(layout)
    made.neighbour()
    for gateway in (NEIGHBOUR, NEIGHBOUR6):
        subprocess.run(["ip", "route", "add", "default", "via", gateway, "dev", "uplink0"], check=True)
    yield made
    made.close()


@pytest.fixture
def bench(host: Host) -> Iterator[Bench]:
    """Give the network that the host is on; containers go before it."""
    with outside(host.layout) as made:
        yield made
        for name in ("c", "other"):
            host.converge(name, state="absent", stop_timeout=0)


def start(host: Host, mode: str, **options: Any) -> str:
    """Start a container in a network mode; its id."""
    return host.run(network_mode=mode, **options).id or ""


def program_of(host: Host, identity: str) -> int:
    """The pid of a container's program, 0 if none runs."""
    found = user_network_program.running(host.layout.running(identity))
    return found.pid if found else 0


def end_program(host: Host) -> None:
    """Kill the program of the container, as nobody should."""
    identity = host.observed().id or ""
    os.kill(program_of(host, identity), signal.SIGKILL)
    wait(lambda: not program_of(host, identity))


def programs() -> list[str]:
    """The command lines of all programs that run in the test's network namespace."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if os.path.basename(words[0]) in PROGRAMS and os.readlink(f"/proc/{pid}/ns/net") == os.readlink(
                "/proc/self/ns/net"
            ):
                found.append(" ".join(words))
        except OSError:
            continue
    return found


def of_host() -> tuple[Any, ...]:
    """The host's interfaces, addresses, routes and firewall."""
    return links.links(), links.addresses(), links.routes(), firewall.read()


@contextmanager
def bound(source: Path, place: str) -> Iterator[None]:
    """Mount a file over another."""
    subprocess.run(["mount", "--bind", source, place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)
