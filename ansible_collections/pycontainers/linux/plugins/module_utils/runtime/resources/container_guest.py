# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes to run another program in a running container, confined as that is."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..kernel.cgroups import cgroups
from ..kernel.process import Process
from ..oci import lifecycle, program, spec, users
from . import container_state
from .container_model import Container


class Guest(NamedTuple):
    """What it takes to enter a container: its first process, what is to be done inside, its cgroup's directories."""

    init: Process
    program: tuple[program.Operation, ...]
    cgroup: tuple[str, ...]


def running(layout: Layout, container: Container) -> tuple[Process, dict[str, Any]]:
    """The first process of a container and its configuration. Raises :class:`Failure` if it does not run."""
    if lifecycle.running(layout, container.id or "") and container_state.paused(container):
        raise Failure(f"exec in container {container.name}", "it is paused", "unpause it first")
    init = lifecycle.begun(layout, container.id or "")
    config = store.read_json(layout.container(container.id or "", "config.json"))
    if init is None or config is None:
        raise Failure(f"exec in container {container.name}", "container not running", "start it first")
    return init, config


def guest(
    layout: Layout, container: Container, words: list[str], environment: Mapping[str, str], user: str, folder: str
) -> Guest:
    """A program in a running container, as that is confined: with its variables and the given ones over them.

    Raises :class:`Failure` for a container that does not run, and a user that it does not have.
    """
    init, config = running(layout, container)
    process = config["process"]
    whom = users.user(layout.container(container.id or "", "merged"), user) if user else None
    variables = dict(each.partition("=")[::2] for each in process["env"])
    variables |= {"HOME": whom.home} if whom else {}
    changes = {
        "args": words,
        "env": [f"{name}={value}" for name, value in {**variables, **environment}.items()],
        "cwd": folder or process["cwd"],
        **(spec.identity(whom, process["capabilities"]["bounding"]) if whom else {}),
    }
    path = container_state.cgroup(container)
    return Guest(init, program.guest_program(config, changes, layout.filters), cgroups().directories(path))
