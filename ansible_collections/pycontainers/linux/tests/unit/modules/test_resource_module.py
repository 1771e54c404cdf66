# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task returns: facts, differences and failures, through the real AnsibleModule."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.pycontainers.linux.plugins.module_utils.resource_module import run
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import NAME, TEXT, WHOLE
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Change, Effect, option
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, Step, differences
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.report import diff_text, named
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.cgroup_limit import CGROUP_LIMIT


@dataclass(frozen=True, kw_only=True)
class GardenPlot:
    """Something that can be declared, without a kernel to it."""

    name: str = option(NAME, required=True)
    state: str = option(TEXT, Effect.LIVE, default="present", choices=("absent", "present"))
    width: int | None = option(WHOLE, Effect.RECREATE, aliases=("breadth",))
    water: int | None = option(WHOLE, Effect.LIVE)
    gate: str | None = option(TEXT, Effect.RESTART, secret=True)


@dataclass(frozen=True)
class Dig:
    """The step that puts a plot in the place of another."""

    plots: dict[str, GardenPlot]
    new: GardenPlot
    error: BaseException | None

    def describe(self) -> str:
        """Which plot."""
        return f"change plot {self.new.name}"

    def do(self) -> None:
        """Change it, or fail."""
        if self.error:
            raise self.error
        self.plots[self.new.name] = self.new

    def undo(self) -> None:
        """Nothing follows this step."""


class Garden:
    """A resource in memory. ``error`` is what its step fails with; ``layout`` the last one it was called with."""

    model = GardenPlot

    def __init__(self, *plots: GardenPlot, error: BaseException | None = None) -> None:
        self.plots = {plot.name: plot for plot in plots}
        self.error = error
        self.layout: Layout | None = None

    def lock(self, layout: Layout, want: GardenPlot) -> AbstractContextManager[object]:
        """Nobody else works here."""
        return nullcontext()

    def observe(self, layout: Layout, want: GardenPlot) -> GardenPlot | None:
        """The plot."""
        self.layout = layout
        return self.plots.get(want.name)

    def resolve(self, layout: Layout, want: GardenPlot, have: GardenPlot | None) -> GardenPlot:
        """Nothing is left to decide."""
        return want

    def plan(self, layout: Layout, want: GardenPlot, have: GardenPlot | None) -> Plan:
        """One step, if anything differs."""
        steps: tuple[Step, ...] = (Dig(self.plots, want, self.error),) if differences(want, have) else ()
        return Plan(steps)

    def facts(self, layout: Layout, have: GardenPlot | None) -> Mapping[str, Any]:
        """The plot's width."""
        return {"plot": {} if have is None else {"width": have.width}}


PLOT = GardenPlot(name="north", width=3, water=10, gate="old word")
Task = Callable[..., dict[str, Any]]


@pytest.fixture
def task(capsys: pytest.CaptureFixture[str]) -> Task:
    """Run a module's task with arguments, and return what it printed."""

    def call(garden: Garden, check: bool = False, **arguments: Any) -> dict[str, Any]:
        with patch_module_args({**arguments, "_ansible_check_mode": check}), pytest.raises(SystemExit) as ended:
            run(garden)
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(ended.value.code) == result.get("failed", False)
        return result

    return call


def test_nothing_to_change(task: Task) -> None:
    """A task that finds what it declares reports no change, no actions, and an empty diff."""
    result = task(Garden(PLOT), name="north", width=3)
    assert (result["changed"], result["actions"], result["changes"]) == (False, [], [])
    assert (result["diff"]["before"], result["diff"]["after"]) == ("", "")
    assert result["plot"] == {"width": 3}


def test_check_mode_predicts_and_changes_nothing(task: Task) -> None:
    """Check mode reports the same changes and actions as the run that follows, and leaves the thing alone."""
    garden = Garden(PLOT)
    predicted = task(garden, check=True, name="north", water=20)
    assert garden.plots["north"] == PLOT
    done = task(garden, name="north", water=20)
    assert garden.plots["north"].water == 20
    for each in ("changed", "actions", "changes", "diff"):
        assert predicted[each] == done[each]


def test_changes_say_what_they_cost(task: Task) -> None:
    """A change of something that exists is listed with its cost, in the diff as a remark."""
    result = task(Garden(PLOT), name="north", width=4, water=20)
    assert result["changes"] == [
        {"option": "width", "before": 3, "after": 4, "effect": "recreate"},
        {"option": "water", "before": 10, "after": 20, "effect": "live"},
    ]
    assert result["diff"] == {
        "before_header": "garden_plot north",
        "after_header": "garden_plot north",
        "before": "width: 3\nwater: 10\n",
        "after": "width: 4  # recreate\nwater: 20  # live\n",
    }


def test_new_things_cost_nothing(task: Task) -> None:
    """What is yet to be made is shown without a cost."""
    result = task(Garden(), name="south", width=4)
    assert result["diff"]["before"] == ""
    assert result["diff"]["after"] == "name: south\nstate: present\nwidth: 4\n"


def test_removal_is_one_change(task: Task) -> None:
    """A removal is shown as the one change of the state, without a cost."""
    result = task(Garden(PLOT), name="north", state="absent")
    assert (result["diff"]["before"], result["diff"]["after"]) == ("state: present\n", "state: absent\n")


def test_aliases_are_options(task: Task) -> None:
    """An alias of an option is taken like the option."""
    assert task(Garden(PLOT), name="north", breadth=5)["changes"][0]["after"] == 5


def test_secrets_are_in_no_output(task: Task) -> None:
    """A secret's old and new values are neither in the diff nor in the arguments that Ansible repeats."""
    result = task(Garden(PLOT), name="north", gate="new word")
    assert "word" not in json.dumps(result)
    assert result["diff"]["after"] == "gate: (hidden, other)  # restart\n"


def test_common_options_place_the_thing(task: Task) -> None:
    """The common options decide where things are on the host."""
    garden = Garden(PLOT)
    task(garden, name="north")
    assert garden.layout == Layout()
    task(garden, name="north", root="/srv/one//", run="/run/one")
    assert garden.layout == Layout("/srv/one", "/run/one")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "../x"}, "cannot use '../x' as name: "),
        ({"name": "north", "root": "relative"}, "cannot use 'relative' as root: it is not an absolute path"),
        ({"name": "north", "state": "upright"}, "value of state must be one of: absent, present, got: upright"),
        ({"width": 3}, "missing required arguments: name"),
        ({"name": "north", "depth": 3}, "depth"),
    ],
)
def test_bad_values_are_one_sentence(task: Task, arguments: dict[str, Any], sentence: str) -> None:
    """A value that can't be is refused in one sentence that names option and value."""
    message = task(Garden(), **arguments)["msg"]
    assert sentence in message
    assert "\n" not in message


def test_failures_are_one_sentence(task: Task) -> None:
    """A step that fails ends the task with its sentence and no traceback."""
    result = task(Garden(error=Failure("dig", "the ground is frozen", "wait")), name="north")
    assert result["msg"] == "cannot dig: the ground is frozen; wait"
    assert "exception" not in result


def test_failed_system_calls_are_one_sentence(task: Task) -> None:
    """An error of the system is told in the system's words, with the step that met it."""
    result = task(Garden(error=PermissionError(13, "Permission denied", "/garden")), name="north")
    assert result["msg"] == "cannot change plot north: /garden: Permission denied"


def test_bugs_are_one_sentence(task: Task) -> None:
    """An error that nobody expected asks for a report, in one sentence that names the thing."""
    result = task(Garden(error=KeyError("spade")), name="north")
    assert result["msg"].startswith(
        "cannot bring garden_plot north to what is declared: KeyError: 'spade'; this is a bug in pycontainers.linux"
    )
    assert "\n" not in result["msg"]


def test_dictionaries_differ_by_entry() -> None:
    """Of a dictionary only the entries that differ are shown, a removed one only as it was."""
    change = Change("env", {"A": "1", "B": "2", "C": "3"}, {"A": "1", "B": "9", "D": "4"}, Effect.RECREATE)
    assert diff_text((change,), "name") == (
        "env.B: 2\nenv.C: 3\n",
        "env.B: 9  # recreate\nenv.D: 4  # recreate\n",
    )


def test_values_stay_on_their_line() -> None:
    """A value with line breaks or spaces at its ends is shown as JSON, and a list in one line."""
    changes = (
        Change("text", "two\nlines", " spaces ", Effect.NONE),
        Change("list", ["a"], ["a", "b"], Effect.NONE),
        Change("empty", "x", "", Effect.NONE),
    )
    before, after = diff_text(changes, "name")
    assert before == 'text: "two\\nlines"\nlist: ["a"]\nempty: x\n'
    assert after == 'text: " spaces "\nlist: ["a", "b"]\nempty: ""\n'


def test_whole_lines_of_text_are_shown_a_line_each() -> None:
    """So a diff tells which of them differ; what a terminal takes for an order stays JSON."""
    changes = (Change("text", "one\n\ttwo\n", "one\n2\n", Effect.LIVE), Change("odd", None, "a\x1b\n", Effect.NONE))
    before, after = diff_text(changes, "name")
    assert before == "text: |\n  one\n  \ttwo\n"
    assert after == 'text: |  # live\n  one\n  2\nodd: "a\\u001b\\n"\n'


def test_first_entries_of_a_dictionary_are_shown() -> None:
    """Where there was no dictionary, each entry of the new one is shown, and an empty one as such."""
    assert diff_text((Change("env", None, {"A": "1"}, Effect.LIVE),), "name")[1] == "env.A: 1  # live\n"
    assert diff_text((Change("env", None, {}, Effect.LIVE),), "name")[1] == "env: {}  # live\n"


def test_options_left_out_stay(task: Task) -> None:
    """An option that is left out, or given as nothing, is no difference."""
    assert task(Garden(replace(PLOT, water=99)), name="north", water=None)["changed"] is False


@dataclass(frozen=True, kw_only=True)
class GardenInfo(GardenPlot):
    """A question about a plot."""


def test_what_only_tells_says_nothing_of_changes(task: Task) -> None:
    """A module that only tells returns its facts, and that nothing was changed."""
    garden = Garden(PLOT)
    garden.model = GardenInfo
    result = task(garden, name="north")
    assert result["changed"] is False
    assert set(result) & {"actions", "changes", "diff"} == set()
    assert result["plot"] == {"width": 3}


@pytest.mark.parametrize(
    ("params", "title"),
    [
        ({"name": "web", "path": None}, "cgroup_limit web"),
        ({"name": None, "path": "/service"}, "cgroup_limit /service"),
        ({"name": None, "labels": {"a": "b"}}, "cgroup_limit"),
    ],
)
def test_what_has_several_names_is_titled_by_the_given(params: dict[str, Any], title: str) -> None:
    """A thing that can be named in one of several ways is called by the one that a task gives."""
    assert named(CGROUP_LIMIT, params) == title
