# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that give all processes of a running container other resource limits, or another OOM score."""
from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..core import store
from ..core.kinds import UNLIMITED
from ..core.layout import Layout
from ..core.plan import Step
from ..errors import Failure
from ..kernel import process_calls, procfs
from ..kernel.cgroups import cgroups, members
from ..kernel.process_attributes import RLIM_INFINITY, RLIMITS
from ..lean.dataclasses import dataclass, field
from .container_kinds import Ulimit
from .container_model import Container
from .container_state import cgroup

CAPABILITY = "this takes CAP_SYS_RESOURCE; recreate: true gives it to new processes, as far as the host's own limits go"


@dataclass(frozen=True)
class SetUlimits:
    """The step that changes resource limits of processes; who is to have none of his own gets those of the caller.

    ``former`` is filled as it is done: process, limit and what it was.
    """

    path: str
    before: tuple[Ulimit, ...]
    after: tuple[Ulimit, ...]
    former: list[tuple[int, int, tuple[int, int]]] = field(default_factory=list, compare=False, repr=False)

    def describe(self) -> str:
        """The limits that differ."""
        said = [f"{each.name} to {_shown(each)}" for each in self.after if each not in self.before]
        kept = {each.name for each in self.after}
        said += [f"{each.name} to the host's" for each in self.before if each.name not in kept]
        return f"set ulimits {', '.join(said)} of the processes in cgroup {self.path}"

    def do(self) -> None:
        """Change them in every process, also in those forked meanwhile; in none, if one can't be changed."""
        wanted = {_number(each.name): _pair(each) for each in self.after if each not in self.before}
        kept = {each.name for each in self.after}
        for each in self.before:
            if each.name not in kept:
                wanted[_number(each.name)] = process_calls.get_rlimit(_number(each.name))

        def change(pid: int, raising: bool) -> None:
            for number, pair in wanted.items():
                old = process_calls.get_rlimit(number, pid)
                if old != pair and (pair[1] > old[1] or not raising):
                    process_calls.set_rlimit(number, *pair, pid)
                    self.former.append((pid, number, old))

        try:
            # Only who has the capability raises a hard limit, and what anybody lowers only he brings back.
            _for_all(self.path, lambda pid: change(pid, raising=True))
            _for_all(self.path, lambda pid: change(pid, raising=False))
        except OSError as error:
            self.undo()
            raise Failure(self.describe(), error, CAPABILITY if isinstance(error, PermissionError) else "") from error

    def undo(self) -> None:
        """Give each process what it had."""
        for pid, number, pair in reversed(self.former):
            with suppress(ProcessLookupError):
                process_calls.set_rlimit(number, *pair, pid)
        self.former.clear()


def _number(name: str) -> int:
    return RLIMITS[f"RLIMIT_{name.upper()}"]


def _pair(limit: Ulimit) -> tuple[int, int]:
    soft, hard = (RLIM_INFINITY if each == UNLIMITED else each for each in (limit.soft, limit.hard))
    return soft, hard


def _shown(limit: Ulimit) -> str:
    return f"{limit.soft}:{limit.hard}"


@dataclass(frozen=True)
class SetScore:
    """The step that changes how soon processes are ended when the host's memory runs out."""

    path: str
    before: int
    after: int

    def describe(self) -> str:
        """Both scores."""
        return f"set oom_score_adj to {self.after} (was {self.before}) of the processes in cgroup {self.path}"

    def do(self) -> None:
        """Write it to every process, also to those that are forked meanwhile."""
        try:
            self._set(self.after)
        except OSError as error:
            with suppress(OSError):
                self.undo()
            raise Failure(self.describe(), error, CAPABILITY if isinstance(error, PermissionError) else "") from error

    def undo(self) -> None:
        """Write what was there."""
        self._set(self.before)

    def _set(self, score: int) -> None:
        _for_all(self.path, lambda pid: procfs.write(f"{pid}/oom_score_adj", str(score)))


def _for_all(path: str, act: Callable[[int], None]) -> None:
    """Act on each process of a cgroup, and on those that come from it meanwhile; one that has ended is none."""
    groups, done = cgroups(), set[int]()
    while ahead := set(members(groups, path)) - done:
        for pid in ahead:
            with suppress(ProcessLookupError, FileNotFoundError):
                act(pid)
        done |= ahead


@dataclass(frozen=True)
class WriteProcess:
    """The step that writes down what programs are started with that are executed in a running container later."""

    layout: Layout
    before: Container
    after: Container

    def describe(self) -> str:
        """Which container."""
        return f"write ulimits and oom_score_adj of container {self.after.name} for what is executed in it"

    def do(self) -> None:
        """Write its configuration anew."""
        self._write(self.after)

    def undo(self) -> None:
        """Write what was there."""
        self._write(self.before)

    def _write(self, container: Container) -> None:
        path = self.layout.container(container.id or "", "config.json")
        config = store.read_json(path)
        if config is None:
            raise Failure(self.describe(), f"there is no {path}", "restart the container")
        process: dict[str, Any] = config["process"]
        process["rlimits"] = rlimits(container)
        process.pop("oomScoreAdj", None)
        if container.oom_score_adj:
            process["oomScoreAdj"] = container.oom_score_adj
        store.write_json(path, config, durable=False)


def rlimits(container: Container) -> list[dict[str, Any]]:
    """The container's resource limits as its configuration has them."""
    pairs = ((each.name, *_pair(each)) for each in container.ulimits or ())
    return [{"type": f"RLIMIT_{name.upper()}", "soft": soft, "hard": hard} for name, soft, hard in pairs]


def process_steps(layout: Layout, want: Container, have: Container) -> list[Step]:
    """Give the processes of a running container what is wanted of these, and write it down for those to come."""
    path, steps = cgroup(have), list[Step]()
    if (want.ulimits or ()) != (have.ulimits or ()):
        steps.append(SetUlimits(path, have.ulimits or (), want.ulimits or ()))
    if (want.oom_score_adj or 0) != (have.oom_score_adj or 0):
        steps.append(SetScore(path, have.oom_score_adj or 0, want.oom_score_adj or 0))
    return [*steps, WriteProcess(layout, have, want)] if steps else []
