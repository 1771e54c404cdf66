# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import libseccomp
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.libseccomp import Comparison, Rule
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.seccomp_names import ACTIONS
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import seccomp

ALLOW, ERRNO, NOTIFY = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY"


def checked(document: Any, machine: str = "") -> seccomp.Filter:
    """What a machine is to load."""
    return seccomp.filter_of(seccomp.read(document), machine)


def profile(*syscalls: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A profile that allows what it does not name."""
    return {"defaultAction": ALLOW, "syscalls": list(syscalls), **more}


def call(name: str = "mkdir", action: str = ERRNO, **more: Any) -> dict[str, Any]:
    """An entry for one system call."""
    return {"names": [name], "action": action, **more}


def argument(index: int, op: str = "EQ", value: int = 1, **more: Any) -> dict[str, Any]:
    """A condition."""
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, **more}


@pytest.mark.parametrize(
    ("action", "number", "expected"),
    [
        ("SCMP_ACT_KILL", None, 0),
        ("SCMP_ACT_KILL_THREAD", None, 0),
        ("SCMP_ACT_KILL_PROCESS", None, 0x80000000),
        ("SCMP_ACT_TRAP", None, 0x30000),
        ("SCMP_ACT_ERRNO", None, 0x50000 | errno.EPERM),
        ("SCMP_ACT_ERRNO", 0, 0x50000),
        ("SCMP_ACT_ERRNO", errno.ENOSYS, 0x50000 | errno.ENOSYS),
        ("SCMP_ACT_TRACE", None, 0x7FF00000 | errno.EPERM),
        ("SCMP_ACT_TRACE", 7, 0x7FF00007),
        ("SCMP_ACT_LOG", None, 0x7FFC0000),
        ("SCMP_ACT_ALLOW", None, 0x7FFF0000),
    ],
)
def test_actions_are_the_kernel_s(action: str, number: int | None, expected: int) -> None:
    """Each action has the number of linux/seccomp.h; two have an error number, which is EPERM if not said."""
    assert checked({"defaultAction": action, "defaultErrnoRet": number}, "x86_64").default == expected
    assert checked(profile(call(action=action, errnoRet=number)), "x86_64").rules == (Rule("mkdir", expected),)


def test_conditions_on_different_arguments_are_met_together() -> None:
    """Conditions on several arguments make one rule."""
    found = checked(profile(call(args=[argument(0, "NE"), argument(1, "MASKED_EQ", 7, valueTwo=5)])))
    assert found.rules == (
        Rule("mkdir", libseccomp.ERRNO | 1, (Comparison(0, 1, 1, 0), Comparison(1, 7, 7, 5))),
    )  # fmt: skip


def test_conditions_on_one_argument_are_alternatives() -> None:
    """Several conditions on the same argument are a rule each, as other runtimes read them."""
    found = checked(profile(call(args=[argument(0, value=3), argument(0, value=4), argument(1)])))
    assert [each.comparisons for each in found.rules] == [
        (Comparison(0, 4, 3, 0),),
        (Comparison(0, 4, 4, 0),),
        (Comparison(1, 4, 1, 0),),
    ]


@pytest.mark.parametrize(
    ("machine", "expected"),
    [("x86_64", ("x86", "x86_64")), ("aarch64", ("arm",)), ("ppc64le", ("arm", "x86", "x86_64"))],
)
def test_architectures_are_those_that_the_machine_executes(machine: str, expected: tuple[str, ...]) -> None:
    """Of the architectures that a profile names, those that can't occur here are left out, where that is known."""
    wanted = [f"SCMP_ARCH_{name}" for name in ("X86_64", "X86", "ARM")]
    assert checked(profile(architectures=wanted), machine).architectures == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, 4),
        ({"flags": []}, 0),
        ({"flags": ["SECCOMP_FILTER_FLAG_LOG"]}, 2),
        ({"flags": ["SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"]}, 6),
        ({"flags": ["SECCOMP_FILTER_FLAG_TSYNC"]}, 0),
        ({"flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}, 0),
    ],
)
def test_flags_are_added_up(flags: dict[str, Any], expected: int) -> None:
    """Flags are those of seccomp(2); without a list, speculation is allowed; a listener's flag needs a listener."""
    assert checked(profile(**flags)).flags == expected


def test_a_listener_is_asked_for_when_calls_are_told() -> None:
    """NOTIFY makes loading return a listener, and the flag that belongs to it count."""
    flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
    found = checked(profile(call(action=NOTIFY), listenerPath="/run/agent", flags=flags))
    assert found.notifies
    assert found.flags == 8 | 32
    assert not checked(profile(call(), listenerPath="/run/agent")).notifies


@pytest.mark.parametrize(
    "wrong", [[], None, 7, {}, {"defaultAction": [1]}, profile(call("write", NOTIFY), listenerPath="/s")]
)
def test_what_is_no_profile_is_refused_by_name(wrong: Any) -> None:
    """A profile that says what it must not is an error that names the field."""
    with pytest.raises(InvalidValue, match=r"linux\.seccomp"):
        checked(wrong)


FIELDS = st.sampled_from("defaultAction defaultErrnoRet architectures flags syscalls listenerPath".split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from([*ACTIONS, "mkdir"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from("names action args index op".split()), inner),
    max_leaves=8,
)


@given(st.dictionaries(FIELDS, JSON))
def test_any_json_is_a_profile_or_an_invalid_value(wrong: dict[str, Any]) -> None:
    """Whatever a configuration holds there, it is understood or refused in words."""
    try:
        found = checked({"defaultAction": ALLOW, **wrong})
    except InvalidValue:
        return
    assert set(found.architectures) == set()
