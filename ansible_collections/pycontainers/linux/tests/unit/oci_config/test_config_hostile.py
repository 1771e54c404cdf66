# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations that nobody means well with. Whatever comes, the answer is a Failure, soon and of bounded size."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import config, fields
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_supported import supported
from ansible_collections.pycontainers.linux.tests.unit.oci_config.samples import (
    CLIENTS,
    EVERYTHING,
    RUNC_SPEC,
    Place,
    places,
    with_value,
)
from ansible_collections.pycontainers.linux.tests.unit.oci_config.test_config_supported import V1, V2

LONGEST_MESSAGE = 1000

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**4000, -(10**4000)]),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "\0", "/", "..", "/..", "/proc/self", "\ud800", "x" * 5000, "é" * 200]),
    st.sampled_from(["0-9999999", "-", "a:b:c", "net..x", "²"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
SAMPLES = [EVERYTHING, *CLIENTS.values()]
PLACES = [places(sample) for sample in SAMPLES]


def changed(document: dict[str, Any], place: Place, change: str, value: Any) -> None:
    """Delete, retype or repeat what is at a place; a place that an earlier change has removed stays as it is."""
    here: Any = document
    try:
        for step in place[:-1]:
            here = here[step]
        if change == "delete":
            del here[place[-1]]
        elif change == "repeat" and isinstance(here, list):
            here += here[:1]
        else:
            here[place[-1]] = value
    except (KeyError, IndexError, TypeError):
        return


@settings(max_examples=2000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_change_is_accepted_or_refused(data: st.DataObject) -> None:
    """Of a valid configuration with some values deleted, repeated or replaced comes a normal form or a refusal."""
    chosen = data.draw(st.integers(0, len(SAMPLES) - 1))
    document = copy.deepcopy(SAMPLES[chosen])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(PLACES[chosen]))
        change = data.draw(st.sampled_from(["replace", "delete", "repeat", "replace"]))
        changed(document, place, change, data.draw(VALUES) if change == "replace" else None)
    try:
        found = config.parse(document, "/bundle", systemd=data.draw(st.booleans()))
        supported(found, data.draw(st.sampled_from([V1, V2])))
    except InvalidValue as error:
        assert error.option  # noqa: PT017 - the other outcome is no failure
        assert len(str(error)) < LONGEST_MESSAGE  # noqa: PT017
        str(error).encode()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(VALUES)
def test_anything_at_all_is_refused(value: Any) -> None:
    """A value that is no configuration is refused, in each of the three places where one can be given."""
    for read in (lambda: config.parse(value, "/bundle"), lambda: config.parse_process(value)):
        with pytest.raises(InvalidValue):
            read()
    # An object of unknown fields limits nothing, and is no error.
    if not isinstance(value, dict):
        with pytest.raises(InvalidValue):
            config.parse_resources(value)


@pytest.mark.parametrize("place", places(EVERYTHING), ids=str)
def test_every_place_takes_any_type(place: Place) -> None:
    """No value at any place leads to anything but a normal form or a refusal of bounded size."""
    values: list[Any] = [[[]], {"": {}}, 10**5000, "\0", "\ud800", True, 1.5, "x" * 10**6]
    for value in values:
        try:
            config.parse(with_value(EVERYTHING, place, value), "/bundle")
        except InvalidValue as error:
            assert len(str(error)) < LONGEST_MESSAGE  # noqa: PT017 - the other outcome is no failure


def nested(depth: int) -> Any:
    """Lists in lists, made without recursion."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("place", [("mounts",), ("process", "args"), ("annotations",), ("unknown",)])
def test_depth(place: Place) -> None:
    """Lists nested a hundred thousand deep neither end the process nor fill the message."""
    document = with_value(RUNC_SPEC, place, [])
    here: Any = document
    for step in place:
        here = here[step]
    here.append(nested(100_000))
    try:
        config.parse(document, "/bundle")
        assert place == ("unknown",)
    except InvalidValue as error:
        assert len(str(error)) < LONGEST_MESSAGE  # noqa: PT017 - the other outcome is no failure


@pytest.mark.parametrize(
    "value",
    [
        with_value(RUNC_SPEC, ("mounts",), [RUNC_SPEC["mounts"][0]] * 10**6),
        with_value(RUNC_SPEC, ("annotations",), {str(number): "" for number in range(10**5)}),
        with_value(RUNC_SPEC, ("process", "execCPUAffinity"), {"initial": ",".join(["0-8191"] * 9000)}),
        with_value(RUNC_SPEC, ("process", "capabilities"), {"bounding": ["CAP_X"] * 4096}),
        with_value(RUNC_SPEC, ("linux", "cgroupsPath"), "a/../" * 800 + "b"),
    ],
    ids=["mounts", "annotations", "cpus", "capabilities", "cgroup"],
)
def test_size_costs_no_time(value: Any) -> None:
    """What is large is counted before it is read, so the answer does not take long."""
    began = time.monotonic()
    try:
        config.parse(value, "/bundle")
    except InvalidValue as error:
        assert len(str(error)) < LONGEST_MESSAGE  # noqa: PT017 - the other outcome is no failure
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\xfa", "not JSON"),
        (b'{"a": NaN}', "no JSON number"),
        (b'{"a": -Infinity}', "no JSON number"),
        (b"9" * 5000, "not JSON"),
        (b"[" * 10**6, "nested too deeply"),
        (b'{"a":' * 10**6, "nested too deeply"),
        (b" " * (fields.LARGEST_DOCUMENT + 1), "at most"),
    ],
    ids=["empty", "cut", "bytes", "nan", "infinity", "digits", "lists", "objects", "size"],
)
def test_what_is_no_document(content: bytes, words: str) -> None:
    """A file that is not JSON of a sensible size is refused as such."""
    with pytest.raises(Failure, match=words):
        fields.decode(content)


def test_the_largest_document() -> None:
    """A document of just the largest size is read."""
    assert fields.decode(b"{}" + b" " * (fields.LARGEST_DOCUMENT - 2)) == {}


@pytest.mark.parametrize("client", CLIENTS)
def test_documents_are_decoded(client: str) -> None:
    """What a client writes is read back as it was."""
    assert fields.decode(json.dumps(CLIENTS[client]).encode()) == CLIENTS[client]
