# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb exec: another program in a running container."""
from __future__ import annotations

import argparse
import os
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..kernel import security
from ..kernel.cgroups import cgroups
from ..oci import enter, lifecycle, program, spec, users
from ..resources import container_state


def add(verbs: Any) -> None:
    """Declare the verb."""
    run = verbs.add_parser("exec", help="run a program in a running container")
    run.add_argument("-i", "--interactive", action="store_true", help="let it read stdin")
    run.add_argument("-t", "--tty", action="store_true", help="give it a terminal")
    run.add_argument("-e", "--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable")
    run.add_argument("-u", "--user", default="", metavar="USER[:GROUP]", help="run as this user of the image")
    run.add_argument("-w", "--workdir", default="", metavar="DIR", help="run in this directory")
    run.add_argument("container", metavar="CONTAINER")
    run.add_argument("command", metavar="COMMAND")
    run.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARG")
    run.set_defaults(verb=execute, failed=enter.FAILED)


def execute(layout: Layout, chosen: argparse.Namespace) -> int:
    """Run the program and return its exit status."""
    security.shield_interpreter()
    container = container_state.find(layout, chosen.container)
    identity = container.id or ""
    init = lifecycle.running(layout, identity)
    config = store.read_json(layout.container(identity, "config.json"))
    if init is None or config is None:
        raise Failure(f"exec in container {container.name}", "container not running", "start it first")
    if chosen.tty and not os.isatty(0):
        raise Failure(f"exec in container {container.name}", "the input device is not a TTY", "leave -t out")
    if not chosen.interactive:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0) if not chosen.tty else None
    process = config["process"]
    user = users.user(layout.container(identity, "merged"), chosen.user) if chosen.user else None
    terminal = [f"TERM={os.environ.get('TERM') or 'xterm'}"] if chosen.tty else []
    changes = {
        "args": [chosen.command, *chosen.arguments],
        "env": _environment(process["env"], terminal + chosen.env, user),
        "cwd": chosen.workdir or process["cwd"],
        **(spec.identity(user, process["capabilities"]["bounding"]) if user else {}),
    }
    guest = program.guest_program(config, changes, layout.filters)
    return enter.enter(init, guest, cgroups().directories(container_state.cgroup(container)), chosen.tty)


def _environment(container: list[str], given: list[str], user: users.User | None) -> list[str]:
    """The container's variables, the given ones over them; a bare name takes the caller's value, as with Docker."""
    variables = dict(each.partition("=")[::2] for each in container)
    if user:
        variables["HOME"] = user.home
    for each in given:
        name, equals, value = each.partition("=")
        if equals or name in os.environ:
            variables[name] = value if equals else os.environ[name]
    return [f"{name}={value}" for name, value in variables.items()]
