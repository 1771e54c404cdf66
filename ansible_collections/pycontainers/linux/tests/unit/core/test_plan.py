# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import NAME, TEXT, WHOLE
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Change, Effect, option
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import (
    Plan,
    Step,
    apply,
    converge,
    differences,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, NotFound

LAYOUT = Layout("/nowhere/root", "/nowhere/run")


@dataclass(frozen=True)
class Note:
    """A step that writes down what is done with it, and fails where it is told to."""

    name: str
    book: list[str]
    failure: BaseException | None = None
    stuck: BaseException | None = None

    def describe(self) -> str:
        """Which step."""
        return f"take step {self.name}"

    def do(self) -> None:
        """Note it, or fail."""
        if self.failure:
            raise self.failure
        self.book.append(f"do {self.name}")

    def undo(self) -> None:
        """Note it, then fail if told to."""
        self.book.append(f"undo {self.name}")
        if self.stuck:
            raise self.stuck


FAILURES: list[type[BaseException]] = [OSError, Failure, ValueError, KeyboardInterrupt, SystemExit, MemoryError]


def _failure(kind: type[BaseException]) -> BaseException:
    if kind is Failure:
        return NotFound("find the ladder", "it is gone", "buy one")
    return PermissionError(13, "Permission denied", "/ladder") if kind is OSError else kind("ladder")


@given(draw=some.data(), length=some.integers(0, 6), purges=some.integers(0, 3))
def test_a_plan_is_done_wholly_or_not_at_all(draw: some.DataObject, length: int, purges: int) -> None:
    """Whichever step fails, however, and whichever can't be undone: those before it are undone once, newest first.

    Nothing is purged then, the error that comes out tells of the step that failed and of those that could not be
    undone. Where none fails, all are done in order and the purge comes after.
    """
    book: list[str] = []
    failing = draw.draw(some.none() | some.integers(0, length - 1)) if length else None
    kind = draw.draw(some.sampled_from(FAILURES))
    stuck = draw.draw(some.sets(some.integers(0, length - 1))) if length else set()
    troubles = [OSError(5, "Input/output error"), Failure("sit", "no chair"), KeyError("x")]
    trouble = draw.draw(some.sampled_from(troubles))
    steps = tuple(
        Note(str(n), book, _failure(kind) if n == failing else None, trouble if n in stuck else None)
        for n in range(length)
    )
    plan = Plan(steps, tuple(Note(f"purge {n}", book) for n in range(purges)))
    if failing is None:
        apply(plan)
        assert book == [f"do {n}" for n in range(length)] + [f"do purge {n}" for n in range(purges)]
        return
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any that there is
        apply(plan)
    assert book == [f"do {n}" for n in range(failing)] + [f"undo {n}" for n in reversed(range(failing))]
    told = str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    assert isinstance(caught.value, Failure if kind in (OSError, Failure) else kind)
    assert "ladder" in told
    assert kind is not OSError or f"cannot take step {failing}: /ladder: Permission denied" in told
    for n in range(length):
        assert (f"take step {n} (" in told) == (n in stuck and n < failing)


def test_a_failure_stays_what_it_was() -> None:
    """A failure with nothing left to tell goes through as it is, and keeps its own advice and facts where there is."""
    book: list[str] = []
    failure = NotFound("find the ladder", "it is gone", "buy one")
    failure.facts = {"steps": 7}
    with pytest.raises(NotFound) as caught:
        apply(Plan((Note("one", book), Note("two", book, failure))))
    assert caught.value is failure
    stuck = Note("one", book, stuck=OSError(16, "Device or resource busy", "/floor"))
    with pytest.raises(Failure) as other:
        apply(Plan((stuck, Note("two", book, failure))))
    assert str(other.value) == (
        "cannot find the ladder: it is gone; buy one; not put back: take step one (/floor: Device or resource busy)"
    )
    assert other.value.facts == {"steps": 7}


def test_a_purge_that_fails_undoes_nothing() -> None:
    """Once the purge has begun, all that was planned holds: a failure there is told and ends the purge."""
    book: list[str] = []
    gone = Note("three", book, OSError(16, "Device or resource busy", "/cellar"))
    with pytest.raises(Failure, match="cannot take step three: /cellar: Device or resource busy"):
        apply(Plan((Note("one", book),), (Note("two", book), gone, Note("four", book))))
    assert book == ["do one", "do two"]


def test_a_plan_describes_all_it_does() -> None:
    """A plan's lines are those of its steps, then those of its purge, and describing does nothing."""
    book: list[str] = []
    assert Plan((Note("one", book),), (Note("two", book),)).describe() == ["take step one", "take step two"]
    assert book == []


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A thing with one property."""

    name: str = option(NAME, required=True)
    state: str = option(TEXT, Effect.LIVE, default="present", choices=("absent", "present"))
    books: int | None = option(WHOLE, Effect.LIVE)
    purge: bool = False


@dataclass(frozen=True)
class Fill:
    """The step that gives a shelf its books, or takes the shelf away."""

    room: Room
    new: Shelf | None
    before: Shelf | None

    def describe(self) -> str:
        """How many."""
        return f"fill with {self.new.books}" if self.new else "take away"

    def do(self) -> None:
        """Fill it."""
        self.room.events.append("do")
        self.room.shelf = self.new

    def undo(self) -> None:
        """Put back what was there."""
        self.room.shelf = self.before


@dataclass
class Room:
    """A resource in memory that notes all it is asked."""

    shelf: Shelf | None = None
    events: list[str] = field(default_factory=list)
    refusal: Failure | None = None
    model = Shelf

    @contextmanager
    def lock(self, layout: Layout, want: Shelf) -> Iterator[None]:
        """Note when it is taken and let go."""
        self.events.append("lock")
        yield
        self.events.append("unlock")

    def observe(self, layout: Layout, want: Shelf) -> Shelf | None:
        """The shelf."""
        self.events.append("observe")
        return self.shelf

    def resolve(self, layout: Layout, want: Shelf, have: Shelf | None) -> Shelf:
        """One book, if nobody says how many."""
        self.events.append("resolve")
        if self.refusal:
            raise self.refusal
        return want if want.books is not None else replace(want, books=1)

    def plan(self, layout: Layout, want: Shelf, have: Shelf | None) -> Plan:
        """One step if anything differs; in the purge if so wanted."""
        self.events.append("plan")
        if not differences(want, have):
            return Plan()
        step: tuple[Step, ...] = (Fill(self, None if want.state == "absent" else want, have),)
        return Plan((), step) if want.purge else Plan(step)

    def facts(self, layout: Layout, have: Shelf | None) -> Mapping[str, Any]:
        """What is there."""
        self.events.append("facts")
        return {"shelf": have and have.books}


@pytest.mark.parametrize(
    ("want", "have"),
    [
        (Shelf(name="a", books=3), None),
        (Shelf(name="a"), None),
        (Shelf(name="a", books=3), Shelf(name="a", books=2)),
        (Shelf(name="a", state="absent"), Shelf(name="a", books=2)),
        (Shelf(name="a", state="absent", purge=True), Shelf(name="a", books=2)),
        (Shelf(name="a", books=3, purge=True), None),
    ],
)
def test_a_check_tells_what_the_run_does_and_does_nothing(want: Shelf, have: Shelf | None) -> None:
    """In check mode no step acts and no lock is taken; the changes and actions are those of the run after it."""
    room = Room(have)
    predicted = converge(room, LAYOUT, want, check=True)
    assert (room.shelf, room.events) == (have, ["observe", "resolve", "plan", "facts"])
    room.events.clear()
    done = converge(room, LAYOUT, want, check=False)
    assert (predicted.changes, predicted.actions) == (done.changes, done.actions)
    assert predicted.changed
    assert room.events == ["lock", "observe", "resolve", "plan", "do", "observe", "facts", "unlock"]
    assert done.facts == {"shelf": room.shelf and room.shelf.books}
    assert predicted.facts == {"shelf": have and have.books}


def test_what_is_right_is_looked_at_once() -> None:
    """Where nothing is to do, nothing is changed, done, or looked at again."""
    room = Room(Shelf(name="a", books=3))
    outcome = converge(room, LAYOUT, Shelf(name="a", books=3), check=False)
    assert (outcome.changed, outcome.changes, outcome.actions) == (False, (), ())
    assert room.events == ["lock", "observe", "resolve", "plan", "facts", "unlock"]


@pytest.mark.parametrize("check", [True, False])
def test_what_can_not_work_is_refused_before_anything_is_done(check: bool) -> None:
    """What resolve refuses is refused in a check as in a run, and nothing is done."""
    room = Room(None, refusal=Failure("use the wall", "it is wet"))
    with pytest.raises(Failure, match="it is wet"):
        converge(room, LAYOUT, Shelf(name="a"), check=check)
    assert "do" not in room.events


def test_a_removal_is_one_change() -> None:
    """Of what is removed only the state differs, and of what is not there nothing."""
    gone = Shelf(name="a", state="absent", books=7)
    assert differences(gone, Shelf(name="a", books=2)) == (Change("state", "present", "absent", Effect.RECREATE),)
    assert differences(gone, None) == ()
