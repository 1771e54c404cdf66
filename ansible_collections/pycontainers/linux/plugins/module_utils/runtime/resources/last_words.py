# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a container that was started is not what it is to be: how its program ended, its last check, its last lines."""
from __future__ import annotations

import time

from ..core.layout import Layout
from ..errors import Failure
from ..oci import lifecycle
from . import container_health, container_memory, container_state
from .container_health import FAILED
from .container_logs import check_kept, tail
from .container_model import Container

LINES = 10
"""How many of the last lines are told apart from the message."""

LONGEST = 600
"""Characters of a container's, or of a check's, that are told in a message."""

PATIENCE = 2.0
"""Seconds within which the waiter must have written down how a program has ended, and a logger its last lines."""


def exit_status(layout: Layout, container: Container) -> int | None:
    """How the program has ended, once its waiter has written that down. Nobody else may record it meanwhile."""
    end = time.monotonic() + PATIENCE
    while True:
        code = lifecycle.exit_status(layout, container.id or "")
        if code is not None or time.monotonic() > end:
            return code
        time.sleep(0.005)


def failure(layout: Layout, container: Container, operation: str, when: str) -> Failure:
    """The failure of a container whose program has ended."""
    code, identity = exit_status(layout, container), container.id or ""
    known = container_state.status(layout, identity)
    ended = known if code is None else container_memory.ended(container, known, code)
    logger = lifecycle.logger(layout, identity)
    if logger:
        logger.wait(PATIENCE)  # It may still have something to write.
    reason = (ended.error if ended.error != known.error else "") or f"its program ended {when}"
    status = "" if code is None else f", with exit status {code}"
    return _failure(layout, container, operation, reason + status, code)


def unhealthy(layout: Layout, container: Container, operation: str, reason: str) -> Failure:
    """The failure of a container that runs and is not healthy."""
    identity = container.id or ""
    health = container_health.read(layout, identity)
    if health is None or not health.log:
        return _failure(layout, container, operation, f"{reason}, and no check has been done yet", None)
    last = health.log[-1]
    ended = "did not end" if last.code == FAILED else f"ended with exit status {last.code}"
    said = f" and said: {_line(last.output)}" if last.output.strip() else ""
    return _failure(layout, container, operation, f"{reason}, and its last check {ended}{said}", None)


def _failure(layout: Layout, container: Container, operation: str, reason: str, code: int | None) -> Failure:
    log, elsewhere = "", ""
    try:
        check_kept(container, "read the log of")
        log = tail(layout, container.id or "", LINES)
    except Failure as error:
        elsewhere = error.reason
    said = f"the last that it wrote is: {_line(log)}" if log.strip() else elsewhere or "it wrote nothing"
    found = Failure(operation, f"{reason}; {said}")
    found.facts = {"exit_status": code, "log": log}
    return found


def _line(said: str) -> str:
    """Lines as one, the end of it if it is long."""
    line = " | ".join(filter(None, (each.strip() for each in said.splitlines())))
    return line if len(line) <= LONGEST else f"…{line[-LONGEST:]}"
