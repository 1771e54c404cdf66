# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs about what runs in a container: kill, pause, unpause, top, wait; and rename."""
from __future__ import annotations

import argparse
import os
import pwd
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, InvalidValue
from ..kernel.cgroups import cgroups, members
from ..kernel.process import Process
from ..oci import lifecycle
from ..resources import container_hold, container_observed, container_state
from ..resources.container_health import HEALTHY, UNHEALTHY
from ..resources.container_kinds import STOP_SIGNAL
from ..resources.container_model import Container
from ..resources.container_rename import rename
from . import attach, table
from .complaint import to_each

HEALTHS = (HEALTHY, UNHEALTHY)
INTERVAL = 0.2
"""Seconds between two looks at a health that is waited for."""


def add(verbs: Any) -> None:
    """Declare the verbs."""
    kill = verbs.add_parser("kill", help="send a signal to the program of containers")
    kill.add_argument("-s", "--signal", default="KILL", metavar="SIGNAL", help="which one (KILL)")
    kill.add_argument("containers", nargs="+", metavar="CONTAINER")
    kill.set_defaults(verb=_each(kill_one))
    for name, act, words in (
        ("pause", container_hold.pause, "hold all processes of containers still"),
        ("unpause", container_hold.unpause, "let the processes of containers go on"),
    ):
        verb = verbs.add_parser(name, help=words)
        verb.add_argument("containers", nargs="+", metavar="CONTAINER")
        verb.set_defaults(verb=_each(_plainly(act)))
    top = verbs.add_parser("top", help="list the processes of a container")
    top.add_argument("--json", action="store_true", help="for programs")
    top.add_argument("container", metavar="CONTAINER")
    top.set_defaults(verb=list_processes)
    wait = verbs.add_parser("wait", help="wait until containers have ended, and print their exit statuses")
    words = "until it is so, and print -1 (stopped)"
    wait.add_argument("--condition", default="stopped", choices=("stopped", *HEALTHS), help=words)
    wait.add_argument("containers", nargs="+", metavar="CONTAINER")
    wait.set_defaults(verb=wait_for)
    other = verbs.add_parser("rename", help="give a container another name")
    other.add_argument("container", metavar="CONTAINER")
    other.add_argument("name", metavar="NAME")
    other.set_defaults(verb=rename_one)


def _each(act: Callable[[Layout, str, argparse.Namespace], None]) -> Callable[[Layout, argparse.Namespace], int]:
    return lambda layout, chosen: to_each(chosen.containers, lambda wanted: act(layout, wanted, chosen))


def _plainly(act: Callable[[Layout, str], None]) -> Callable[[Layout, str, argparse.Namespace], None]:
    return lambda layout, wanted, chosen: act(layout, wanted)


def kill_one(layout: Layout, wanted: str, chosen: argparse.Namespace) -> None:
    """Send a signal."""
    try:
        name = STOP_SIGNAL.parse(chosen.signal) or "SIGKILL"
    except ValueError as error:
        raise InvalidValue("signal", chosen.signal, str(error)) from error
    container_hold.kill(layout, wanted, name)


def rename_one(layout: Layout, chosen: argparse.Namespace) -> int:
    """Rename a container."""
    rename(layout, chosen.container, chosen.name)
    return 0


def wait_for(layout: Layout, chosen: argparse.Namespace) -> int:
    """Wait for one container after the other, and print how each has ended; that of one that has ended long ago too."""
    for wanted in chosen.containers:
        container = container_state.find(layout, wanted)
        identity = container.id or ""
        before = container_state.status(layout, identity)
        init = lifecycle.running(layout, identity)
        if chosen.condition != "stopped":
            _wait_for_health(layout, container, chosen.condition)
            print(-1, flush=True)
            continue
        if init is None:
            print(before.exit_code)
            continue
        while not init.wait(3600):
            pass
        print(attach.exit_status(layout, identity, before.finished_at), flush=True)
    return 0


def _wait_for_health(layout: Layout, container: Container, wanted: str) -> None:
    """Wait until a container has a health. Raises :class:`Failure` for one that does not run, or is not checked."""
    operation = f"wait until container {container.name} is {wanted}"
    while True:
        now = container_observed.observed(layout, container)
        if now.health == wanted:
            return
        if now.state != "started" or container_state.load(layout, container.id or "") is None:
            raise Failure(operation, "container not running", "start it first")
        if now.health is None and lifecycle.running(layout, container.id or ""):
            raise Failure(operation, "its health is not checked", "give it a healthcheck")
        time.sleep(INTERVAL)


def list_processes(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print a line for each process of a container, by its pid on the host."""
    container = container_state.find(layout, chosen.container)
    if lifecycle.running(layout, container.id or "") is None:
        raise Failure(f"list the processes of container {container.name}", "container not running", "start it first")
    found = []
    for pid in members(cgroups(), container_state.cgroup(container)):
        with suppress(OSError):  # it has ended meanwhile
            found.append(_process(pid))
    header = ("UID", "PID", "PPID", "STIME", "TIME", "CMD")
    if chosen.json:
        table.show_json([dict(zip(header, line, strict=True)) for line in found])
    else:
        table.show(header, found)
    return 0


def _process(pid: int) -> tuple[str, ...]:
    """What ps(1) tells of a process (proc_pid_stat(5))."""
    owner = os.stat(f"/proc/{pid}").st_uid
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        name, _, rest = file.read().partition(" (")[2].rpartition(") ")
    with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
        words = file.read().rstrip("\0").replace("\0", " ") or f"[{name}]"
    fields = rest.split()
    ticks = os.sysconf("SC_CLK_TCK")
    seconds = (int(fields[11]) + int(fields[12])) // ticks
    started = Process(pid, int(fields[19])).started_at
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return _user(owner), str(pid), fields[1], time.strftime("%H:%M", time.localtime(started)), clock, words


def _user(number: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)
