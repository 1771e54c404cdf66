# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same call for many things, some at a time, each in a process of its own that is ended when it takes too long."""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Call:
    name: str
    pid: int
    reader: int
    deadline: float
    said: list[bytes] = field(default_factory=list)


def at_once(names: Sequence[str], call: Callable[[str], Any], most: int, seconds: float) -> dict[str, Any]:
    """What ``call`` returns for each name, which must be JSON; for one that raised or took too long, the exception.

    ``most`` are the calls at a time, ``seconds`` is how long each may take. What a call has started ends with it.
    """
    found: dict[str, Any] = dict.fromkeys(names)
    waiting, running = list(reversed(names)), 0
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and running < most:
                    begun = _begin(waiting.pop(), call, seconds)
                    selector.register(begun.reader, selectors.EVENT_READ, begun)
                    running += 1
                for each in _finished(selector):
                    selector.unregister(each.reader)
                    running -= 1
                    late = _end(each)
                    found[each.name] = TimeoutError(f"there was no answer in {seconds:g} s") if late else _answer(each)
        finally:
            for key in list(selector.get_map().values()):
                _end(key.data)
    return found


def _begin(name: str, call: Callable[[str], Any], seconds: float) -> _Call:
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        # A session of its own: all of it ends at once, and nothing in it asks at the caller's terminal.
        os.setsid()
        try:
            answer = {"answer": call(name)}
        except BaseException as error:  # whatever it is, it is told to the caller
            answer = {"problem": " ".join(str(error).split()) or type(error).__name__}
        with os.fdopen(writer, "wb") as file:
            file.write(json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    return _Call(name, pid, reader, time.monotonic() + seconds)


def _finished(selector: selectors.BaseSelector) -> list[_Call]:
    """Wait for what calls say; those that have said all, and those that are late."""
    calls: list[_Call] = [key.data for key in selector.get_map().values()]
    ready = selector.select(max(0.0, min(each.deadline for each in calls) - time.monotonic()))
    done = []
    for key, _ in ready:
        piece = os.read(key.fd, 1 << 16)
        key.data.said.append(piece)
        if not piece:
            done.append(key.data)
    now = time.monotonic()
    return done + [each for each in calls if each not in done and each.deadline <= now]


def _end(each: _Call) -> bool:
    """End a call and all it has started. Whether it had not said all."""
    os.close(each.reader)
    late = not each.said or each.said[-1] != b""
    if late:
        with suppress(ProcessLookupError, PermissionError):
            # Before it leads a session of its own, there is nothing else of it.
            os.kill(each.pid, signal.SIGKILL)
            os.killpg(each.pid, signal.SIGKILL)
    os.waitpid(each.pid, 0)
    return late


def _answer(each: _Call) -> Any:
    try:
        said = json.loads(b"".join(each.said))
    except ValueError:
        return ChildProcessError("the process that asked has ended without an answer")
    return RuntimeError(said["problem"]) if "problem" in said else said["answer"]
