# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps, plans, and the one place that acts.

A step is one operation that can be undone. A plan is made without touching anything, so it can be shown
instead of carried out: that is check mode. :func:`apply` carries it out and takes back, newest first, what it
did when a step fails.
"""
from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, Protocol, TypeVar

from ..errors import Failure, explain, failing
from ..lean.dataclasses import dataclass, field
from .layout import Layout
from .model import Change, Effect, diff

M = TypeVar("M")


class Step(Protocol):
    """One kernel or file operation. What ``undo`` needs to know is a field of the step."""

    def describe(self) -> str:
        """A line that an operator understands."""

    def do(self) -> None:
        """Act, completely or not at all."""

    def undo(self) -> None:
        """Put back what was there before :meth:`do`."""


@dataclass(frozen=True)
class Plan:
    """Steps in order, then ``purge``: what can't be undone and is done once all else holds."""

    steps: tuple[Step, ...] = ()
    purge: tuple[Step, ...] = ()

    def describe(self) -> list[str]:
        """All that the plan does, a line each."""
        return [step.describe() for step in (*self.steps, *self.purge)]


class Resource(Protocol[M]):
    """A kind of thing that can be declared.

    ``model`` has at least a ``state`` row, whose value ``absent`` asks for removal.
    """

    model: type[M]

    def lock(self, layout: Layout, want: M) -> AbstractContextManager[object]:
        """What keeps other processes from changing the same thing meanwhile."""

    def observe(self, layout: Layout, want: M) -> M | None:
        """What is there now under the name in ``want``: the record, with the kernel's readings over it. Reads only."""

    def resolve(self, layout: Layout, want: M, have: M | None) -> M:
        """``want`` with what the host decides filled in (a digest, a new id). Reads only; refuses what can't work."""

    def plan(self, layout: Layout, want: M, have: M | None) -> Plan:
        """The steps from ``have`` to ``want``. Pure."""

    def facts(self, layout: Layout, have: M | None) -> Mapping[str, Any]:
        """What a task returns about the thing. Reads only."""


@dataclass(frozen=True)
class Outcome(Generic[M]):
    """What was, or in check mode would be, done."""

    changes: tuple[Change, ...]
    actions: tuple[str, ...]
    facts: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.actions)


@dataclass(frozen=True)
class Ending:
    """What is done when all else is and the lock is given back, since it takes as long as it likes.

    A resource that has such a thing has a method ``ending``, which touches nothing. ``facts`` are filled as it is
    done, and go over those of the resource.
    """

    plan: Plan = Plan()
    facts: dict[str, Any] = field(default_factory=dict, compare=False)


def differences(want: Any, have: Any) -> tuple[Change, ...]:
    """The changes from ``have`` to ``want``; a removal is the one change of ``state``."""
    if want.state == "absent":
        return () if have is None else (Change("state", have.state, "absent", Effect.RECREATE),)
    return diff(want, have)


def converge(resource: Resource[M], layout: Layout, want: M, check: bool) -> Outcome[M]:
    """Bring the resource to what ``want`` says, or only tell what that would take if ``check``.

    A check takes no lock, since a lock is a file: what it reads is replaced by rename, never half written.
    """
    with nullcontext() if check else resource.lock(layout, want):
        have = resource.observe(layout, want)
        want = resource.resolve(layout, want, have)
        plan = resource.plan(layout, want, have)
        last = getattr(resource, "ending", _no_ending)(layout, want, have)
        # Who declares several things at once tells of each.
        changes = getattr(resource, "differences", differences)(want, have)
        if not check and (plan.steps or plan.purge):
            apply(plan)
            have = resource.observe(layout, want)
        facts = resource.facts(layout, have)
    if not check:
        apply(last.plan)
    return Outcome(changes, (*plan.describe(), *last.plan.describe()), {**facts, **last.facts})


def _no_ending(layout: Layout, want: Any, have: Any) -> Ending:
    return Ending()


def apply(plan: Plan) -> None:
    """Carry the plan out. When a step fails, undo those before it, newest first, and raise its error.

    What could not be undone is told with the error. Once the purge has begun nothing is undone: the first of it
    that fails ends it.
    """
    done: list[Step] = []
    try:
        for step in plan.steps:
            step.do()
            done.append(step)
    except BaseException as error:
        left = undo(done)
        if isinstance(error, OSError):
            raise Failure(step.describe(), error, left) from error
        if isinstance(error, Failure) and left:
            told = Failure(error.operation, error.reason, "; ".join(filter(None, (error.fix, left))))
            told.facts = error.facts
            raise told from error
        if left:
            error.add_note(left)
        raise
    for step in plan.purge:
        with failing(step.describe()):
            step.do()


def undo(done: list[Step]) -> str:
    """Undo steps, newest first, as far as each can be; return what could not be put back, in words."""
    left = []
    for step in reversed(done):
        try:
            step.undo()
        except Exception as error:  # a bug in one step is no reason to leave what the others did
            said = explain(error) if isinstance(error, OSError | Failure) else repr(error)
            left.append(f"{step.describe()} ({said})")
    return f"not put back: {', '.join(left)}" if left else ""
