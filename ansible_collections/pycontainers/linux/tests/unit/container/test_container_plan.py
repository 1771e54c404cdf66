# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Effect
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.tests.unit.container.plan_cases import (
    CASES,
    FORGET,
    HALT,
    LAYOUT,
    NAME,
    NEW,
    REPLACEMENT,
    Case,
    made,
    run,
)

ROOT = Path(__file__).parents[6]
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@each_case
def test_a_plan_is_what_differs(case: Case) -> None:
    """From what is there to what is wanted leads one list of steps, in an order that an operator can read."""
    assert CONTAINER.plan(LAYOUT, case.want, case.have).describe() == case.lines


@each_case
def test_a_plan_is_the_same_each_time(case: Case) -> None:
    """Planning the same twice gives equal steps, so a check tells what the run does."""
    assert CONTAINER.plan(LAYOUT, case.want, case.have) == CONTAINER.plan(LAYOUT, case.want, case.have)


@each_case
def test_nothing_differs_if_nothing_is_to_do(case: Case) -> None:
    """There are steps just where there are differences, a request to make it anew, or remains of killed runs."""
    asked = (case.want.state != "absent" and case.want.recreate) or case.want.leftovers
    assert bool(case.lines) == bool(CONTAINER.differences(case.want, case.have) or asked)


@each_case
def test_what_can_not_be_undone_comes_last(case: Case) -> None:
    """What a container that goes wrote goes only in the purge, once everything else holds.

    So do its addresses, unless the one that takes its place asks for them.
    """
    plan = CONTAINER.plan(LAYOUT, case.want, case.have)
    gone = [line for line in FORGET if line in plan.describe() and FORGET[-1] in plan.describe()]
    assert set(gone) <= {step.describe() for step in plan.purge}
    asked = any(each.addresses for each in case.want.networks or ())
    assert set(gone[-1:] if asked else gone).isdisjoint(step.describe() for step in plan.steps)


@each_case
def test_only_a_dear_change_stops_a_running_container(case: Case) -> None:
    """A running container is stopped if it is to be stopped, removed or made anew, and for nothing else."""
    costs = {change.effect for change in CONTAINER.differences(case.want, case.have)}
    runs = case.have is not None and case.have.state == "started"
    ends = case.want.state != "started" or bool(case.want.recreate) or bool({Effect.RECREATE, Effect.RESTART} & costs)
    assert (HALT[0] in case.lines) == (runs and ends)


def test_a_replacement_is_prepared_beside_the_old_container() -> None:
    """Before the old container stops, all that the new one needs is there; its name comes when it runs."""
    order = [REPLACEMENT.index(line) for line in (*made(NEW), *HALT, *run(NEW), NAME, *FORGET)]
    assert order == sorted(order)


def test_a_plan_needs_what_resolve_returns() -> None:
    """What a playbook says alone is not enough to plan with: the image's id, say, is not in it."""
    case = CASES["create and start"]
    with pytest.raises(TypeError, match="plan takes what resolve returned"):
        CONTAINER.plan(LAYOUT, CONTAINER.model(name="web", image=case.want.image), None)


PURITY = """
import sys

# Imported by a plan when it is needed; that is no part of what planning does.
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_plan
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.tests.unit.container.plan_cases import CASES, LAYOUT

PURE = {"fspath"}
OUTSIDE = {"posix", "_io", "_socket", "_ctypes", "fcntl", "select", "time", "_posixsubprocess", "mmap", "_signal"}
seen = []
watched = ""

EVENTS = {"open", "os", "socket", "subprocess", "fcntl", "ctypes", "shutil", "import"}

def audit(event, arguments):
    if watched and event.partition(".")[0] in EVENTS:
        seen.append(f"{watched}: {event} {arguments[:1]}")

def profile(frame, event, function):
    if watched and event == "c_call" and function.__module__ in OUTSIDE and function.__name__ not in PURE:
        seen.append(f"{watched}: {function.__module__}.{function.__name__}")

sys.addaudithook(audit)
sys.setprofile(profile)
for name, case in CASES.items():
    watched = name
    plan = CONTAINER.plan(LAYOUT, case.want, case.have)
    plan.describe()
    watched = ""
if "look" in sys.argv:
    import os
    watched = "look"
    os.path.exists("/")
    open("/dev/null").close()
    watched = ""
for line in seen:
    print(line)
"""


def purity(*arguments: str) -> list[str]:
    """What the process that plans every case has asked of the system meanwhile."""
    command = [sys.executable, "-c", PURITY, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr
    return done.stdout.splitlines()


def test_a_plan_touches_nothing() -> None:
    """Planning and describing open, look up, connect, import and start nothing: they only compute."""
    assert purity() == []


def test_touching_would_be_seen() -> None:
    """The test before this one sees a path that is only looked up, and a file that is opened."""
    seen = purity("look")
    assert any("posix.stat" in line for line in seen)
    assert any("open ('/dev/null'" in line for line in seen)
