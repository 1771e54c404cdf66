# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of health checks, what of them is the image's, and what follows from what checks say."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import diff, parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import healthcheck
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.healthcheck import Healthcheck
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_health
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_health import (
    Health,
    Result,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container

SECOND = 10**9
IMAGE = {"Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5 * SECOND, "Retries": 7}}


def said(check: Any) -> Container:
    """A container with a check as a playbook has it."""
    return parse(Container, {"name": "c", "healthcheck": check})


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1m30s", 90 * SECOND), ("500ms", SECOND // 2), ("1.5h", 5400 * SECOND), ("0", 0), ("0s", 0), ("1ms", 10**6),
        ("1h2m3s4ms5us6ns", 3723004005006), ("2m3ms", 120 * SECOND + 3 * 10**6), ("1000µs", 10**6),
        (" 30s ", 30 * SECOND),
    ],
)  # fmt: skip
def test_durations_are_nanoseconds(text: str, nanoseconds: int) -> None:
    """However a duration is written, it is one number, and shown so that it is read as that."""
    assert healthcheck.duration(text) == nanoseconds
    assert healthcheck.duration(healthcheck.show_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize("text", ["", "30", "s", "1x", "-1s", "1 s", "1s2", "999us", "1e3s", "3000000h", "1.s", 30])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    """A number needs a unit, and is a millisecond at least, as with Docker."""
    with pytest.raises(InvalidValue, match="interval is wrong"):
        said({"interval": text})


@pytest.mark.parametrize(
    ("check", "test"),
    [
        ("a || b", ("CMD-SHELL", "a || b")), (["CMD-SHELL", "a || b"], ("CMD-SHELL", "a || b")), ("", ()), ([], ()),
        (["CMD", "a", "b c"], ("CMD", "a", "b c")), (["NONE"], ("NONE",)), ("NONE", ("NONE",)),
    ],
)  # fmt: skip
def test_a_test_is_a_list_or_a_line_for_a_shell(check: Any, test: tuple[str, ...]) -> None:
    """Text stands for a list with the shell's word before it."""
    assert said({"test": check}).healthcheck == Healthcheck(test)


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ({"test": ["a", "b"]}, "begins with 'a'"),
        ({"test": ["CMD"]}, "names nothing to run"),
        ({"test": ["NONE", "a"]}, "begins with 'NONE'"),
        ({"test": ["CMD-SHELL", "a", "b"]}, "one text, and not 2"),
        ({"retries": -1}, "its retries is wrong"),
        ({"tests": "a"}, "'tests' is not known"),
        ("true", "it is not a dictionary"),
    ],
)
def test_what_is_no_check_is_refused(check: Any, reason: str) -> None:
    """Before anything is touched it is told what is wrong."""
    with pytest.raises(InvalidValue, match=reason):
        said(check)


def test_checks_are_compared_as_values() -> None:
    """Another spelling of the same is no difference, nor is what comes with a check that is not to be."""
    assert diff(said({"test": "a", "interval": "90s"}), said({"test": ["CMD-SHELL", "a"], "interval": "1m30s"})) == ()
    assert diff(said({"test": "NONE", "interval": "90s"}), said({"test": ["NONE"]})) == ()
    assert len(diff(said({"test": "a", "retries": 2}), said({"test": "a"}))) == 1


def test_what_is_left_out_is_the_images_and_else_the_default() -> None:
    """Part by part a container's own word goes first, as with Docker; without a test there is no check."""
    image = healthcheck.of_image(IMAGE)
    whole = healthcheck.in_force(said({"timeout": "1s", "retries": 2}).healthcheck, image)
    assert whole == Healthcheck(("CMD-SHELL", "true"), 5 * SECOND, SECOND, 2, 0, 5 * SECOND)
    assert healthcheck.in_force(None, image) == Healthcheck(
        ("CMD-SHELL", "true"), 5 * SECOND, 30 * SECOND, 7, 0, 5 * SECOND
    )
    own = healthcheck.in_force(Healthcheck(("CMD", "a")), Healthcheck())
    assert own == Healthcheck(("CMD", "a"), 30 * SECOND, 30 * SECOND, 3, 0, 5 * SECOND)
    for nothing in (Healthcheck(("NONE",)), Healthcheck(retries=2), None):
        assert healthcheck.in_force(nothing, Healthcheck(retries=1)) is None
    assert healthcheck.in_force(Healthcheck(("NONE",)), image) is None


@pytest.mark.parametrize(
    "said",
    [None, [], "x", {"Test": "x" * 9 + chr(0)}, {"Test": ["RUN", "x"], "Interval": "1s", "Retries": -1},
     {"Test": [1, None], "Timeout": True, "StartPeriod": 2**70}],
)  # fmt: skip
def test_an_images_nonsense_is_no_check(said: Any) -> None:
    """Whatever an image's configuration has in this place, its containers can be started."""
    assert healthcheck.in_force(None, healthcheck.of_image({"Healthcheck": said})) is None


def test_a_check_is_run_by_the_shell_of_the_image() -> None:
    """A line goes to the image's shell if it names one, else to /bin/sh; a program with its arguments goes to none."""
    line = Healthcheck(("CMD-SHELL", "a || b"))
    assert container_health.arguments(line, {}) == ["/bin/sh", "-c", "a || b"]
    assert container_health.arguments(line, {"Shell": ["/bin/ash", "-ec"]}) == ["/bin/ash", "-ec", "a || b"]
    assert container_health.arguments(line, {"Shell": ["x", 1]}) == ["/bin/sh", "-c", "a || b"]
    assert container_health.arguments(Healthcheck(("CMD", "a", "b")), {"Shell": ["x"]}) == ["a", "b"]


CHECK = Healthcheck(("CMD", "a"), SECOND, SECOND, 2, 10 * SECOND, SECOND // 10)


def lived(*checks: tuple[float, int]) -> Health:
    """The health after checks at these ages, with these exit statuses."""
    health = Health()
    for age, code in checks:
        health = container_health.after(health, Result(age, age, code, ""), CHECK, age)
    return health


@pytest.mark.parametrize(
    ("checks", "status", "streak"),
    [
        ([(1, 0)], "healthy", 0),
        ([(1, 1), (2, 1), (3, 1)], "starting", 0),
        ([(1, 1), (11, 1)], "starting", 1),
        ([(1, 1), (11, 1), (12, 1)], "unhealthy", 2),
        ([(1, 0), (2, 1)], "healthy", 1),
        ([(1, 0), (2, 1), (3, 255)], "unhealthy", 2),
        ([(1, 0), (2, 1), (3, -1), (4, 2), (5, 0)], "healthy", 0),
        ([(11, 1), (12, 0), (13, 1)], "healthy", 1),
    ],
)
def test_so_many_failures_in_a_row_are_unhealthy(checks: list[tuple[float, int]], status: str, streak: int) -> None:
    """Failures in the beginning do not count until a check has done well, and one that does begins anew."""
    health = lived(*checks)
    assert (health.status, health.streak) == (status, streak)
    assert [each.code for each in health.log] == [code for _, code in checks][-5:]


def test_the_last_five_checks_are_kept() -> None:
    """As with Docker; a start keeps them, and begins the rest anew."""
    health = lived(*((age, 1) for age in range(11, 20)))
    assert [each.start for each in health.log] == [15, 16, 17, 18, 19]
    assert container_health.begun(health) == Health("starting", 0, health.log)


def test_checks_come_sooner_in_the_beginning() -> None:
    """Within the start period another interval holds, until a check has done well."""
    delays = [container_health.delay(*each) for each in
              ((Health(), CHECK, 0.0), (Health(), CHECK, 10.0), (Health("healthy"), CHECK, 0.0))]  # fmt: skip
    assert delays == [0.1, 1.0, 1.0]


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"{}", b'{"Status": "well", "FailingStreak": 0, "Log": []}',
     b'{"Status": "healthy", "FailingStreak": "x", "Log": []}',
     b'{"Status": "healthy", "FailingStreak": 0, "Log": [1]}'],
)  # fmt: skip
def test_a_damaged_health_has_no_history(tmp_path: Path, damage: bytes) -> None:
    """It is still known that there is a check, and the next one says how it is."""
    layout = Layout(str(tmp_path / "root"), str(tmp_path / "run"))
    assert container_health.read(layout, "0a") is None
    health = lived((1, 0), (2, 1))
    container_health.write(layout, "0a", health)
    assert container_health.read(layout, "0a") == health
    Path(container_health.path(layout, "0a")).write_bytes(damage)
    assert container_health.read(layout, "0a") == Health()
    container_health.write(layout, "0a", None)
    assert container_health.read(layout, "0a") is None
