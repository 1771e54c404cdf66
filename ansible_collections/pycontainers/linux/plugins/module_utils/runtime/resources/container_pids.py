# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``pid_mode``: in whose pid namespace a container's processes are, and the end of those that its end does not end.

In a namespace of its own all end with its process 1. In one that it shares the kernel does not know what belongs
together, and the cgroup tells.
"""
from __future__ import annotations

import os
from collections.abc import Callable

from ..core.layout import Layout
from ..errors import Failure, InvalidValue, NotFound
from ..kernel import cgroups
from ..kernel.killing import end_all
from ..kernel.process import Process, process
from ..lean.dataclasses import dataclass
from ..oci import lifecycle
from . import container_state
from .container_kinds import OTHER, PRIVATE
from .container_model import Container


def shared(container: Container) -> bool:
    """Whether others' processes are in its pid namespace."""
    return container.pid_mode not in (None, PRIVATE)


def beside(layout: Layout, container: Container) -> Process | None:
    """The process into whose pid namespace the container's is born; None for a new one.

    Raises :class:`Failure` if the other container does not run, :class:`..oci.lifecycle.NotBegun` if it does not yet.
    """
    return _beside(layout, container, lifecycle.begun)


def _beside(
    layout: Layout, container: Container, look: Callable[[Layout, str], Process | None]
) -> Process | None:
    mode = container.pid_mode or PRIVATE
    if mode == PRIVATE:
        return None
    if not mode.startswith(OTHER):
        return process(os.getpid())
    name = mode.removeprefix(OTHER)
    other = container_state.find(layout, name)
    found = look(layout, other.id or "")
    if found is None:
        raise Failure(f"join the processes of container {name}", "container not running", "start it first")
    return found


def check(layout: Layout, container: Container) -> None:
    """Refuse another container that is not there or does not run. Raises :class:`InvalidValue`."""
    if container.pid_mode == f"{OTHER}{container.name}":
        raise InvalidValue("pid_mode", container.pid_mode, "that is the container itself")
    try:
        _beside(layout, container, lifecycle.running)
    except Failure as error:
        reason = "there is no container of this name or id" if isinstance(error, NotFound) else "it does not run"
        raise InvalidValue("pid_mode", container.pid_mode, reason, "start that container first") from error


def end_rest(container: Container) -> None:
    """Kill what is left in a container's cgroup when its first process has ended. Raises :class:`Failure`."""
    if shared(container):
        end_all(cgroups.cgroups(), container_state.cgroup(container))


@dataclass(frozen=True)
class EndRest:
    """The step that ends what a killed run has left in a container's cgroup."""

    container: Container

    def describe(self) -> str:
        """Which container's."""
        return f"end what is left of container {self.container.name} ({(self.container.id or '')[:12]})"

    def do(self) -> None:
        """Kill it."""
        end_rest(self.container)

    def undo(self) -> None:
        """Nothing: its first process had ended before."""
