# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to the processes of a container that runs: signals, holding them still, letting them go on."""
from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.layout import Layout
from ..errors import Failure, failing
from ..kernel import freezer
from ..kernel.cgroups import cgroups
from ..kernel.process import Process, signal_number
from ..lean.dataclasses import replace
from ..oci import lifecycle
from . import container_state, container_steps, journal
from .container_model import Container


def pause(layout: Layout, wanted: str) -> None:
    """Hold all processes of a container still. Raises :class:`Failure`."""
    with _running(layout, wanted, "pause") as (container, _):
        if container_state.paused(container):
            raise Failure(f"pause container {container.name}", "it is paused already")
        with failing(f"pause container {container.name}"):
            freezer.freeze(cgroups(), container_state.cgroup(container))
        journal.note(layout, container, "pause")


def unpause(layout: Layout, wanted: str) -> None:
    """Let the processes of a container go on. Raises :class:`Failure`."""
    with _running(layout, wanted, "unpause") as (container, _):
        if not container_state.paused(container):
            raise Failure(f"unpause container {container.name}", "it is not paused")
        with failing(f"unpause container {container.name}"):
            freezer.thaw(cgroups(), container_state.cgroup(container))
        journal.note(layout, container, "unpause")


def kill(layout: Layout, wanted: str, name: str) -> None:
    """Send a signal to the program of a container. One that is to end it is no reason to start it again."""
    number = signal_number(name)
    with _running(layout, wanted, "kill") as (container, init):
        ending = number in (signal.SIGKILL, container_steps.stop_signal(layout, container))
        before = container_state.status(layout, container.id or "")
        if ending:
            # Kept first: a waiter that sees the end must not start the container again.
            container_state.set_status(layout, container.id or "", replace(before, wanted="stopped"))
        if not init.signal(number):
            raise Failure(f"kill container {container.name}", "its program has just ended")
        journal.note(layout, container, "kill", signal=number)
        # With version 1 what is held still does not even take this one.
        if number == signal.SIGKILL and container_state.paused(container):
            freezer.thaw(cgroups(), container_state.cgroup(container))


@contextmanager
def _running(layout: Layout, wanted: str, verb: str) -> Iterator[tuple[Container, Process]]:
    """A container with its first process, locked. Raises :class:`Failure` if it does not run."""
    found = container_state.find(layout, wanted)
    with container_state.held(layout, found.id or "") as container:
        init = lifecycle.running(layout, found.id or "")
        if container is None or init is None:
            raise Failure(f"{verb} container {found.name}", "container not running", "start it first")
        yield container, init
