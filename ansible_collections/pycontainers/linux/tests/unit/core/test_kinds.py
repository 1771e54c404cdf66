# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import (
    UNLIMITED,
    limit_count,
    limit_size,
    name,
    path,
    show_limit,
    size,
    text,
    truth,
    whole,
)

LARGEST = 2**63 - 1
UNITS = {unit: 1024**power for power, unit in enumerate("bkmgtp")}


@pytest.mark.parametrize(
    ("spellings", "size_in_bytes"),
    [
        (["512m", "0.5g", "536870912", 536870912, "512M", "512 m", "512mb", "512MiB", " 512m ", "524288k"], 2**29),
        (["0", 0, "0b", "0.0g", "000"], 0),
        (["1", "1b", "1.9", 1.9, "0.001k", "0" * 5000 + "1"], 1),
        (["0.1k"], 102),
        (["1p", "1024t", "1pib"], 2**50),
        (["8191.999999999999999999p", LARGEST], LARGEST),
    ],
)
def test_equal_sizes_are_equal(spellings: list[Any], size_in_bytes: int) -> None:
    """Each way to write a size gives the same number of bytes, rounded down to whole ones."""
    assert {size(each) for each in spellings} == {size_in_bytes}


@given(some.integers(0, 10**6), some.text("0123456789", min_size=1, max_size=80), some.sampled_from(sorted(UNITS)))
def test_a_size_is_exact(number: int, fraction: str, unit: str) -> None:
    """A size is the number times the unit, rounded down, however many digits it has."""
    exact = (number + Fraction(int(fraction), 10 ** len(fraction))) * UNITS[unit]
    if exact < 2**63:
        assert size(f"{number}.{fraction}{unit}") == exact // 1
    else:
        with pytest.raises(ValueError, match="larger than any size"):
            size(f"{number}.{fraction}{unit}")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "it is not a size"),
        ("much", "it is not a size"),
        ("-5", "it is not a size"),
        ("1.", "it is not a size"),
        (".5g", "it is not a size"),
        ("1e3", "it is not a size"),
        ("1,5g", "it is not a size"),
        ("٣m", "it is not a size"),
        ("5m\n6m", "it is not a size"),
        (True, "it is not a size"),
        (["5m"], "it is not a size"),
        ("5x", "the unit 'x' is unknown"),
        ("5ib", "the unit 'ib' is unknown"),
        (str(2**63), "larger than any size"),
        ("8192p", "larger than any size"),
        ("9" * 400 + ".5", "larger than any size"),
        ("9" * 5000, "larger than any size"),
    ],
)
def test_what_is_no_size_is_refused(said: Any, reason: str) -> None:
    """What is no size, or one that no kernel file can hold, is refused with the reason."""
    with pytest.raises(ValueError, match=reason):
        size(said)


@pytest.mark.parametrize("said", ["max", "MAX", " unlimited", "-1", -1, "0", 0])
def test_no_limit_has_one_normal_form(said: Any) -> None:
    """Each way to ask for no limit gives the same value, which is shown in the kernel's word."""
    assert limit_size(said) == limit_count(said) == UNLIMITED
    assert show_limit(UNLIMITED) == "max"


@pytest.mark.parametrize("said", ["007", 7, " 7 "])
def test_equal_counts_are_equal(said: Any) -> None:
    """Each way to write a count gives the same number."""
    assert limit_count(said) == 7


@pytest.mark.parametrize("said", ["1.5", "7k", "-2", "٣", True, None, [7], ""])
def test_what_is_no_count_is_refused(said: Any) -> None:
    """A count is a whole number that is not below zero."""
    with pytest.raises(ValueError, match="it is not a whole number"):
        limit_count(said)


@pytest.mark.parametrize("said", ["0", "web", "Web-1", "a" * 128, "a.b_c-d", 5])
def test_names_are_safe_as_file_names(said: Any) -> None:
    """A name is taken as it is."""
    assert name(said) == str(said)


@pytest.mark.parametrize("said", ["", ".", "..", ".web", "-web", "_web", "a/b", "../x", "a" * 129, "a b", "wéb", "a\n"])
def test_unsafe_names_are_refused(said: str) -> None:
    """A name can't lead out of its folder, hide in it, or pass for an option."""
    with pytest.raises(ValueError, match="a name starts with a letter or digit"):
        name(said)


@pytest.mark.parametrize("said", ["/srv/web", "/srv//web/", "//srv/./web", "/srv/web/."])
def test_equal_paths_are_equal(said: str) -> None:
    """Doubled and trailing slashes and dots make no other path."""
    assert path(said) == "/srv/web"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("srv", "not an absolute path"),
        ("", "not an absolute path"),
        (5, "not an absolute path"),
        ("/srv/../etc", "'..' is not allowed"),
        ("/srv\0", "a NUL byte"),
        (None, "not text"),
    ],
)
def test_what_is_no_path_is_refused(said: Any, reason: str) -> None:
    """A path is absolute and leads only downwards."""
    with pytest.raises(ValueError, match=reason):
        path(said)


@given(some.lists(some.text(some.characters(exclude_characters="/\0", codec="utf-8"), min_size=1)))
def test_a_path_is_normal_after_one_look(parts: list[str]) -> None:
    """A normal path stays as it is."""
    said = "/" + "/".join(part for part in parts if part not in (".", ".."))
    assert path(path(said)) == path(said)


def test_root_is_a_path() -> None:
    """The root of all paths has a name."""
    assert path("///") == "/"


@pytest.mark.parametrize("said", [True, None, ["a"], {"a": 1}, "a\0b"])
def test_what_is_no_text_is_refused(said: Any) -> None:
    """Truth values, lists and texts with NUL bytes are no text."""
    with pytest.raises(ValueError, match=r"not text|NUL byte"):
        text(said)


@pytest.mark.parametrize(("said", "number"), [("-12", -12), (0, 0), ("007", 7)])
def test_whole_numbers(said: Any, number: int) -> None:
    """A whole number may be below zero."""
    assert whole(said) == number


@pytest.mark.parametrize("said", ["1.0", 1.0, "", "+1", "٣", True, None, "1_000", "1 "])
def test_what_is_no_whole_number_is_refused(said: Any) -> None:
    """What is not a plain whole number is refused."""
    with pytest.raises(ValueError, match="it is not a whole number"):
        whole(said)


@pytest.mark.parametrize("said", ["yes", 1, 0, None, "true"])
def test_truth_is_said_plainly(said: Any) -> None:
    """Only true and false are true or false; what else YAML may mean by them is Ansible's business."""
    assert truth(True) is True
    with pytest.raises(ValueError, match="neither true nor false"):
        truth(said)
