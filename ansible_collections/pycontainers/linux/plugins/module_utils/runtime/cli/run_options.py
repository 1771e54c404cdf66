# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container told in Docker's options: which rows of a container they stand for."""
from __future__ import annotations

import argparse
import os
import secrets

from ..core.model import parse
from ..resources.container_model import Container
from ..typed import Any

FLAGS = (
    (("-i", "--interactive"), "interactive", "keep stdin open"),
    (("-t", "--tty"), "tty", "give it a terminal"),
    (("--privileged",), "privileged", "confine it hardly at all"),
    (("--init",), "init", "with a program as process 1 that reaps zombies and passes signals on"),
    (("--read-only",), "read_only", "with a root filesystem that is read-only"),
)
"""Options that are true when they are given, the rows they stand for, and what they ask for."""

VALUES = (
    (("-m", "--memory"), "memory", "BYTES"),
    (("--cpus",), "cpus", "NUMBER"),
    (("--pids-limit",), "pids_limit", "NUMBER"),
    (("-u", "--user"), "user", "USER[:GROUP]"),
    (("-w", "--workdir"), "working_dir", "DIR"),
    (("-h", "--hostname"), "hostname", "NAME"),
    (("--domainname",), "domainname", "NAME"),
    (("--stop-signal",), "stop_signal", "SIGNAL"),
    (("--stop-timeout",), "stop_timeout", "SECONDS"),
    (("--shm-size",), "shm_size", "BYTES"),
    (("--oom-score-adj",), "oom_score_adj", "NUMBER"),
    (("--ipc",), "ipc_mode", "MODE"),
    (("--uts",), "uts", "MODE"),
    (("--cgroupns",), "cgroupns_mode", "MODE"),
    (("--pid",), "pid_mode", "MODE"),
    (("--userns",), "userns_mode", "MODE"),
    (("--pull",), "pull", "WHEN"),
)
"""Options with one value, and the rows that take it as it is."""

LISTS = (
    (("-p", "--publish"), "published_ports", "PORTS"),
    (("-v", "--volume"), "volumes", "SOURCE:TARGET"),
    (("--network", "--net"), "networks", "NETWORK"),
    (("--cap-add",), "cap_add", "CAPABILITY"),
    (("--cap-drop",), "cap_drop", "CAPABILITY"),
    (("--security-opt",), "security_opts", "OPTION"),
    (("--tmpfs",), "tmpfs", "PATH"),
    (("--device",), "devices", "PATH"),
    (("--ulimit",), "ulimits", "NAME=SOFT[:HARD]"),
    (("--group-add",), "groups", "GROUP"),
)
"""Options that can be given several times, and the rows that take all of them."""

PAIRS = (
    (("-e", "--env"), "env", "NAME=VALUE"),
    (("-l", "--label"), "labels", "NAME=VALUE"),
    (("--sysctl",), "sysctls", "NAME=VALUE"),
)
"""Options that can be given several times, each a name and its value."""


def parser(verbs: Any, name: str, words: str) -> argparse.ArgumentParser:
    """A verb with the options that say what a container is to be."""
    # -h is the host name, as with Docker.
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=words, add_help=False)
    verb.add_argument("--help", action="help", help="show this help message and exit")
    verb.add_argument("--name", default="", help="its name")
    verb.add_argument("--restart", default="", metavar="POLICY[:RETRIES]", help="when it is started again")
    verb.add_argument("--entrypoint", metavar="PROGRAM", help="what is started in place of the image's")
    for flags, row, said in FLAGS:
        verb.add_argument(*flags, dest=row, action="store_true", help=said)
    for flags, row, said in VALUES:
        verb.add_argument(*flags, dest=row, metavar=said)
    for flags, row, said in (*LISTS, *PAIRS):
        verb.add_argument(*flags, dest=row, action="append", metavar=said)
    return verb


def add_words(verb: argparse.ArgumentParser) -> None:
    """Declare the image and the command."""
    verb.add_argument("image", metavar="IMAGE")
    verb.add_argument("command", nargs=argparse.REMAINDER, metavar="ARG")


def wanted(chosen: argparse.Namespace) -> Container:
    """The container that is asked for. Raises :class:`..errors.InvalidValue`."""
    given = {row: getattr(chosen, row) for _, row, _ in (*VALUES, *LISTS)}
    given |= {row: getattr(chosen, row) or None for _, row, _ in FLAGS}
    given |= {row: _pairs(getattr(chosen, row), row) for _, row, _ in PAIRS if getattr(chosen, row)}
    if given["networks"]:
        given["networks"] = [{"name": each} for each in given["networks"] if each != "none"]
    if chosen.restart:
        given["restart_policy"], _, retries = chosen.restart.partition(":")
        given["restart_retries"] = retries or None
    if chosen.entrypoint is not None:
        given["entrypoint"] = [chosen.entrypoint] if chosen.entrypoint else []
    given |= {"name": chosen.name or _some_name(chosen.image), "image": chosen.image}
    return parse(Container, given | {"command": chosen.command or None})


def _pairs(given: list[str], row: str) -> dict[str, str]:
    """Values by name. A variable without a value has the caller's, as with Docker, and is left out if that has none."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if equals or row != "env":
            found[name] = value
        elif name in os.environ:
            found[name] = os.environ[name]
    return found


def _some_name(image: str) -> str:
    words = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return f"{words}-{secrets.token_hex(3)}"
