# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import bpf, device_program, devices
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.devices import DeviceRule, Exceptions
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.devices import DEFAULT_RULES, device_rules

NUMBERS = st.one_of(st.none(), st.integers(0, 2))
RULES = st.lists(st.builds(DeviceRule, st.booleans(), st.sampled_from("abc"), NUMBERS, NUMBERS, st.integers(1, 7)))
DEVICES = st.tuples(st.sampled_from("bc"), st.integers(0, 2), st.integers(0, 2), st.integers(1, 7))


def decides(rules: list[DeviceRule], kind: str, major: int, minor: int, access: int) -> bool:
    """Whether the rules allow an access, said as plainly as can be: of each bit, by the last rule that names it."""
    for bit in (devices.MKNOD, devices.READ, devices.WRITE):
        said = [
            rule.allow
            for rule in rules
            if rule.type in ("a", kind)
            and rule.major in (None, major)
            and rule.minor in (None, minor)
            and rule.access & bit
        ]
        if access & bit and not (said and said[-1]):
            return False
    return True


def execute(program: bytes, kind: str, major: int, minor: int, access: int) -> int:
    """Execute a program's instructions as the kernel would, with the few codes that such programs consist of."""
    words = [access << 16 | device_program.TYPES[kind], major, minor]
    registers, at = [0] * 11, 0
    while True:
        code, pair, offset, immediate = struct.unpack_from("=BBhI", program, at * 8)
        destination, source = pair & 15, pair >> 4
        at += 1
        match code:
            case bpf.LOAD_WORD:
                registers[destination] = words[offset // 4]
            case bpf.MOVE:
                registers[destination] = immediate
            case bpf.MOVE_REGISTER:
                registers[destination] = registers[source]
            case bpf.AND:
                registers[destination] &= immediate
            case bpf.SHIFT_RIGHT:
                registers[destination] >>= immediate
            case bpf.JUMP_IF_EQUAL_32:
                at += offset if registers[destination] == immediate else 0
            case bpf.JUMP_IF_NOT_32:
                at += offset if registers[destination] != immediate else 0
            case bpf.EXIT:
                return registers[0]
            case _:
                raise AssertionError(f"there should be no instruction {code:#x}")


@given(RULES, DEVICES)
def test_the_program_decides_as_the_rules_say(rules: list[DeviceRule], device: tuple[str, int, int, int]) -> None:
    """For any rules and any device the program for cgroup version 2 gives the answer of the last rule that counts."""
    assert execute(device_program.program(rules), *device) == decides(rules, *device)


@given(RULES, DEVICES)
def test_exceptions_decide_as_the_rules_say(rules: list[DeviceRule], device: tuple[str, int, int, int]) -> None:
    """Where rules can be kept as a default and exceptions at all, as version 1 does, these decide alike."""
    kind, major, minor, access = device
    try:
        found = devices.exceptions(rules)
    except Failure:
        return
    # The kernel takes an access if one exception covers it, or if none touches it; ours has no more to go by.
    for bit in (devices.MKNOD, devices.READ, devices.WRITE):
        excepted = any(
            key[0] == kind and key[1] in (None, major) and key[2] in (None, minor) and bits & bit
            for key, bits in found.accesses.items()
        )
        if access & bit:
            assert (found.default ^ excepted) == decides(rules, kind, major, minor, bit)


def test_an_exception_from_an_exception_is_refused_for_version_1() -> None:
    """Denying one of the devices that are allowed together can't be said with version 1, and is no silent no-op."""
    rules = [DeviceRule(False), DeviceRule(True, "c", 1, None), DeviceRule(False, "c", 1, 5, devices.WRITE)]
    with pytest.raises(Failure, match=r"cannot deny the device c 1:5 w: it is part of c 1:\* rwm, which is allowed"):
        devices.exceptions(rules)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], Exceptions(False, {})),
        ([DeviceRule(True)], Exceptions(True, {})),
        ([DeviceRule(True), DeviceRule(False)], Exceptions(False, {})),
        ([DeviceRule(True, "c", 1, 3)], Exceptions(False, {("c", 1, 3): 7})),
        ([DeviceRule(True, "c", 1, 3, 1), DeviceRule(True, "c", 1, 3, 2)], Exceptions(False, {("c", 1, 3): 3})),
        ([DeviceRule(True, "c", 1, 3), DeviceRule(False, "c", None, None, 4)], Exceptions(False, {("c", 1, 3): 3})),
        ([DeviceRule(True, "a", 1, 3)], Exceptions(False, {("b", 1, 3): 7, ("c", 1, 3): 7})),
        ([DeviceRule(True), DeviceRule(False, "b", 8, None)], Exceptions(True, {("b", 8, None): 7})),
    ],
)
def test_rules_become_a_default_and_exceptions(rules: list[DeviceRule], expected: Exceptions) -> None:
    """A rule for all devices is a default; a rule like the default takes back from the exceptions what it covers."""
    assert devices.exceptions(rules) == expected


def test_a_device_is_written_as_the_kernel_reads_it() -> None:
    """The text of an exception has its type, numbers or stars, and letters; it reads back the same."""
    assert devices.text(("c", 136, None), 7) == "c 136:* rwm"
    assert devices.listed("c 136:* rwm\nb *:* m") == Exceptions(False, {("c", 136, None): 7, ("b", None, None): 1})
    assert devices.listed("a *:* rwm") == Exceptions(True, {})


def test_the_default_devices_come_last() -> None:
    """Whoever denies all devices still gets those of every /dev, and terminals, and may make nodes."""
    assert device_rules([{"allow": False, "access": "rwm"}]) == (DeviceRule(False), *DEFAULT_RULES)
    allowed = {(rule.major, rule.minor) for rule in DEFAULT_RULES if rule.access == devices.EVERY_ACCESS}
    assert allowed == {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None)}
    others = {(rule.type, rule.major, rule.access) for rule in DEFAULT_RULES if rule.access != devices.EVERY_ACCESS}
    assert others == {("b", None, devices.MKNOD), ("c", None, devices.MKNOD)}


def test_a_privileged_container_has_one_rule() -> None:
    """Where the last word is that all is allowed, nothing is added."""
    assert device_rules([{"allow": True, "access": "rwm"}]) == (DeviceRule(True),)


def test_an_entry_says_what_it_says() -> None:
    """Type, numbers and letters are taken over; what is missing, or -1, stands for all."""
    entries = [
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": True, "type": "u", "major": 4, "minor": -1},
        {"allow": False, "type": "b", "access": ""},
    ]
    assert device_rules(entries)[:3] == (
        DeviceRule(True, "c", 10, 229, devices.READ | devices.WRITE),
        DeviceRule(True, "c", 4),
        DeviceRule(False, "b"),
    )


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({}, "linux.resources.devices: it is not a list"),
        ([7], r"devices\[0\]: it is not an object"),
        ([{"type": "c"}], r"devices\[0\].allow: it is neither"),
        ([{"allow": True, "type": "p"}], r"devices\[0\].type: it is none of"),
        ([{"allow": True, "access": "rx"}], r"devices\[0\].access: it is not made"),
        ([{"allow": True, "major": -2}], r"devices\[0\].major: it is not a number"),
        ([{"allow": True, "minor": 2**32}], r"devices\[0\].minor: it is not a number"),
        ([{"allow": True, "minor": True}], r"devices\[0\].minor: it is not a number"),
        ([{"allow": True, "major": "1"}], r"devices\[0\].major: it is not a number"),
        ([{"allow": True, "type": ["c"]}], r"devices\[0\].type: it is none of"),
    ],
)
def test_what_is_no_rule_is_refused_by_name(entries: Any, said: str) -> None:
    """An entry that can't be a device rule is an error that names the field."""
    with pytest.raises(InvalidValue, match=said):
        device_rules(entries)
