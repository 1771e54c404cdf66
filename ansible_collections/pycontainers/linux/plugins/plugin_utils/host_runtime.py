# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime of a host, called from the controller, and what it says when it can't do something."""

from __future__ import annotations

import json
from typing import Any

from ..module_utils.runtime.core.layout import Layout
from ..module_utils.runtime.errors import Failure
from .host_connection import HostConnection

IF_THERE = """\
for each in "$0" "$0/runtime"; do [ ! -d "$each" ] || [ -x "$each" ] || exec "$@"; done
if [ -e "$1" ]; then exec "$@"; else echo "[]"; fi
"""
"""A host without a runtime has no containers. One whose folders are closed to us has to say so itself."""


def program(layout: Layout) -> str:
    """The command line that is installed on a host, whether or not there is a link to it."""
    return f"{layout.runtimes}/current/pycontainers"


def verb(layout: Layout, *words: str) -> list[str]:
    """A call of the command line."""
    return [program(layout), "--root", layout.root, "--run", layout.run, *words]


def complaint(host: HostConnection, err: bytes) -> str:
    """What the runtime says that it can't do, empty if it says nothing; with what to do about it from here."""
    said = err.decode(errors="replace").rstrip().rpartition("\n")[2]
    if not said.startswith("pycontainers: "):
        return ""
    sentence = said.removeprefix("pycontainers: ").replace("run it as root", f"set ansible_become for host {host.name}")
    return f"host {host.name}: {sentence}"


def missing(host: HostConnection, layout: Layout, status: int, err: bytes) -> str:
    """That there is no runtime, if a command has ended so; else nothing."""
    words = (b"not found", b"No such file")
    lines = [line for line in err.splitlines() if program(layout).encode() in line]
    if status not in (1, 126, 127) or not any(word in line for line in lines for word in words):
        return ""
    fix = "use the role pycontainers.linux.host there, or say where its root is"
    return f"host {host.name}: cannot run {program(layout)}: there is no runtime; {fix}"


def containers(host: HostConnection, layout: Layout) -> tuple[list[dict[str, Any]], list[str]]:
    """All containers of a host in the shape of ``docker inspect``, and a line for each that can't be read.

    Raises :class:`Failure` if the host can't tell.
    """
    status, out, err = host.run(["/bin/sh", "-c", IF_THERE, layout.root, *verb(layout, "ps", "-a", "--json")])
    lines = [line for line in err.decode(errors="replace").splitlines() if line.strip()]
    if status and any("Permission denied" in line for line in lines):
        fix = f"set ansible_become for host {host.name}"
        raise Failure(f"list the containers of host {host.name}", "root alone can read them", fix)
    try:
        found = json.loads(out)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise ValueError("it is no list of containers")
    except ValueError as error:
        problem = complaint(host, err) or "\n".join(lines[-1:]) or f"exit status {status}, and {error}"
        reason = problem.removeprefix(f"host {host.name}: ")
        raise Failure(f"list the containers of host {host.name}", reason) from error
    failures = [line.removeprefix("pycontainers: ") for line in lines] if status else []
    return sorted(found, key=lambda each: str(each.get("Name"))), failures
