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
from ..oci import enter
from ..resources import container_guest, container_state


def add(verbs: Any) -> None:
    """Declare the verb."""
    run = verbs.add_parser("exec", help="run a program in a running container")
    run.add_argument("-i", "--interactive", action="store_true", help="let it read stdin")
    run.add_argument("-t", "--tty", action="count", default=0, help="give it a terminal; twice: even if we have none")
    run.add_argument("-d", "--detach", action="store_true", help="leave it running, and say its pid and start time")
    run.add_argument("-e", "--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable")
    run.add_argument("--request", metavar="FILE", help="take args and env from here, as JSON")
    run.add_argument("-u", "--user", default="", metavar="USER[:GROUP]", help="run as this user of the image")
    run.add_argument("-w", "--workdir", default="", metavar="DIR", help="run in this directory")
    run.add_argument("container", metavar="CONTAINER")
    run.add_argument("command", nargs="?", default="", metavar="COMMAND")
    run.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARG")
    run.set_defaults(verb=execute, failed=enter.FAILED)


def execute(layout: Layout, chosen: argparse.Namespace) -> int:
    """Run the program and return its exit status; with --detach say which process it is, and leave it."""
    security.shield_interpreter()
    container = container_state.find(layout, chosen.container)
    if chosen.tty == 1 and not os.isatty(0):
        raise Failure(f"exec in container {container.name}", "the input device is not a TTY", "leave -t out")
    if chosen.detach and (chosen.tty or chosen.interactive):
        raise Failure(f"exec in container {container.name}", "nobody is at a program that is detached", "leave -d out")
    if not chosen.interactive:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0) if chosen.tty != 1 else None
    request = (store.read_json(chosen.request) if chosen.request else None) or {}
    words = request.get("args") or [chosen.command, *chosen.arguments]
    if not words[0]:
        raise Failure(f"exec in container {container.name}", "no command is given", "give one after the container")
    variables = _environment(chosen) | request.get("env", {})
    guest = container_guest.guest(layout, container, words, variables, chosen.user, chosen.workdir)
    if not chosen.detach:
        return enter.enter(*guest, bool(chosen.tty))
    status, started = enter.leave(*guest)
    if started:
        print(f"{started.pid}-{started.start}")
    return status


def _environment(chosen: argparse.Namespace) -> dict[str, str]:
    """The given variables; a bare name takes the caller's value, as with Docker."""
    variables = {"TERM": os.environ.get("TERM") or "xterm"} if chosen.tty else {}
    for each in chosen.env:
        name, equals, value = each.partition("=")
        if equals or name in os.environ:
            variables[name] = value if equals else os.environ[name]
    return variables
