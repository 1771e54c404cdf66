# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import json
import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import (
    bpf,
    cgroups,
    device_program,
    devices,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import V1, V2, Cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.devices import DeviceRule, set_rules
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounts
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.devices import DEFAULT_RULES, device_rules

DENY_ALL = [{"allow": False, "access": "rwm"}]
KMSG = DeviceRule(True, "c", 1, 11, devices.READ)
UNUSED = range(240, 244)
"""Device numbers that are kept for experiments: opening a node of one that is allowed gives ENXIO."""

MEMBER = """
import json, os, sys
with open(sys.argv[1], "w") as file:
    file.write("0")
for line in sys.stdin:
    found = []
    for path, flags in json.loads(line):
        try:
            if flags < 0:
                os.mknod(path, -flags, os.makedev(240, 77))
                os.unlink(path)
            else:
                os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY))
            found.append(0)
        except OSError as error:
            found.append(error.errno)
    print(json.dumps(found), flush=True)
"""


class Group:
    """A cgroup of one version, and a process in it that opens what it is told to."""

    def __init__(self, groups: Cgroups, path: str, directory: str) -> None:
        self.groups, self.path, self.directory = groups, path, directory
        command = [sys.executable, "-I", "-S", "-c", MEMBER, f"{directory}/cgroup.procs"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def set(self, rules: Sequence[DeviceRule]) -> None:
        """Make these the rules."""
        set_rules(self.groups, self.path, rules)

    def opened(self, *paths: str | tuple[str, int]) -> list[str]:
        """The errors that opening gives, for reading if not said; empty where it succeeds."""
        asked = [(each, os.O_RDONLY) if isinstance(each, str) else each for each in paths]
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        return [errno.errorcode.get(each, "") for each in json.loads(self.process.stdout.readline())]

    def end(self) -> None:
        """End the process."""
        self.process.communicate(timeout=20)


@pytest.fixture(params=[1, 2])
def groups(request: pytest.FixtureRequest) -> Cgroups:
    """The control groups of either version, if this host has the hierarchy."""
    for each in mounts():
        if request.param == 2 and each.fstype == "cgroup2":
            return V2(each.target)
        if request.param == 1 and each.fstype == "cgroup" and "devices" in each.options:
            return V1({"devices": each.target})
    pytest.skip(f"there is no hierarchy of version {request.param} for devices")


@pytest.fixture
def group(groups: Cgroups) -> Iterator[Group]:
    """A cgroup directly below the root; afterwards it is gone, and its programs with it."""
    path = f"pycontainers-test-devices-{os.getpid()}"
    (directory,) = groups.directories(path)
    os.mkdir(directory)
    try:
        made = Group(groups, path, directory)
        yield made
        made.end()
    finally:
        cgroups.remove(groups, path)
    assert not os.path.exists(directory)


@pytest.fixture
def kmsg(tmp_path: Path) -> str:
    """A node of the kernel's log, made elsewhere."""
    path = tmp_path / "kmsg"
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 11))
    return str(path)


def test_default_devices_work_and_others_do_not(group: Group, kmsg: str) -> None:
    """What every container has in its /dev opens; the kernel's log does not, by its own name or by another."""
    every = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx")
    assert group.opened(*every, kmsg, "/dev/kmsg") == [""] * 8
    group.set(device_rules(DENY_ALL))
    assert group.opened(*((each, os.O_RDWR) for each in every)) == [""] * 6
    assert group.opened("/dev/kmsg", kmsg, (kmsg, os.O_WRONLY)) == ["EPERM"] * 3


def test_nodes_may_be_made_as_the_rules_say(group: Group, tmp_path: Path) -> None:
    """By default any node may be made; without the rule that says so, none."""
    made = [(str(tmp_path / "node"), -kind) for kind in (stat.S_IFCHR, stat.S_IFBLK)]
    group.set(device_rules(DENY_ALL))
    assert group.opened(*made) == ["", ""]
    group.set([rule for rule in DEFAULT_RULES if rule.access != devices.MKNOD])
    assert group.opened(*made) == ["EPERM", "EPERM"]


def test_a_privileged_container_s_rule_allows_all(group: Group, kmsg: str) -> None:
    """One rule that allows all gives back what was denied."""
    group.set(device_rules(DENY_ALL))
    group.set(device_rules([{"allow": True, "access": "rwm"}]))
    assert group.opened(kmsg, "/dev/null") == ["", ""]


def test_rules_change_while_processes_run(group: Group, kmsg: str) -> None:
    """A device is allowed and denied again under a running process, and access by access."""
    group.set(DEFAULT_RULES)
    assert group.opened(kmsg) == ["EPERM"]
    group.set([*DEFAULT_RULES, KMSG])
    assert group.opened(kmsg, (kmsg, os.O_WRONLY)) == ["", "EPERM"]
    group.set([*DEFAULT_RULES, DeviceRule(True, "c", 1, 11, devices.WRITE)])
    assert group.opened(kmsg, (kmsg, os.O_WRONLY)) == ["EPERM", ""]
    group.set(DEFAULT_RULES)
    assert group.opened(kmsg, (kmsg, os.O_WRONLY), "/dev/null") == ["EPERM", "EPERM", ""]


BUSY = """
import os, sys
with open(sys.argv[1], "w") as file:
    file.write("0")
os.write(1, b"x")
os.set_blocking(0, False)
count = 0
while True:
    os.close(os.open("/dev/null", os.O_RDWR))
    count += 1
    try:
        os.read(0, 1)
    except BlockingIOError:
        continue
    break
print(count)
"""


def test_what_stays_allowed_is_never_missing(group: Group) -> None:
    """While rules change again and again, a process that opens /dev/null all the time never fails."""
    group.set(DEFAULT_RULES)
    command = [sys.executable, "-I", "-S", "-c", BUSY, f"{group.directory}/cgroup.procs"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.read(1)
            for _ in range(500):
                group.set([*DEFAULT_RULES, KMSG])
                group.set(DEFAULT_RULES)
            said = process.communicate(b"x", timeout=20)[0]
        finally:
            process.kill()
    assert process.returncode == 0
    assert int(said) > 100


def test_random_rules_decide_as_they_say(group: Group, tmp_path: Path) -> None:
    """For rules of all kinds, the kernel's answer to each access of each device is the last rule's."""
    source = random.Random(20240817)
    nodes = {}
    for kind, mode in (("c", stat.S_IFCHR), ("b", stat.S_IFBLK)):
        for major in UNUSED:
            for minor in (0, 1):
                path = str(tmp_path / f"{kind}{major}-{minor}")
                os.mknod(path, mode | 0o600, os.makedev(major, minor))
                nodes[path] = (kind, major, minor)
    accesses = {os.O_RDONLY: devices.READ, os.O_WRONLY: devices.WRITE, os.O_RDWR: devices.READ | devices.WRITE}
    asked = [(path, flags) for path in nodes for flags in accesses]
    tried = 0
    for _ in range(200):
        rules = [
            DeviceRule(
                source.random() < 0.5,
                source.choice("abc"),
                source.choice([None, *UNUSED]),
                source.choice([None, 0, 1]),
                source.randint(1, 7),
            )
            for _ in range(source.randint(0, 6))
        ]
        try:
            group.set(rules)
        except Failure:
            assert group.groups.version == 1
            continue
        expected = [
            "ENXIO" if allows(rules, *nodes[path], accesses[flags], group.groups.version) else "EPERM"
            for path, flags in asked
        ]
        assert group.opened(*asked) == expected, rules
        tried += 1
        if tried == 40:
            break
    assert tried == 40


def allows(rules: Sequence[DeviceRule], kind: str, major: int, minor: int, access: int, version: int) -> bool:
    """Whether the rules allow an access to a device.

    Version 1 asks one exception to cover all of an access that it allows; such partial ones are no use together.
    """
    if version == 1:
        found = devices.exceptions(rules)
        matching = [
            bits
            for (type_, *numbers), bits in found.accesses.items()
            if type_ == kind and numbers[0] in (None, major) and numbers[1] in (None, minor)
        ]
        if found.default:
            return not any(bits & access for bits in matching)
        return any(not access & ~bits for bits in matching)
    for bit in (devices.READ, devices.WRITE):
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


@pytest.mark.parametrize("groups", [2], indirect=True)
class TestPrograms:
    """What only cgroup version 2 has."""

    def test_the_verifier_takes_two_hundred_rules(self, group: Group) -> None:
        """Long lists of rules of all kinds load: the paths through them are not more than the kernel follows."""
        source = random.Random(7)
        for _ in range(20):
            rules = [
                DeviceRule(
                    source.random() < 0.5,
                    source.choice("abc"),
                    source.choice([None, *range(300)]),
                    source.choice([None, 0, 2**20 - 1, 2**32 - 1]),
                    source.randint(1, 7),
                )
                for _ in range(200)
            ]
            group.set(rules)

    def test_too_many_rules_are_refused_in_words(self, group: Group) -> None:
        """Thousands of rules are more than the kernel verifies; the rules before stay."""
        group.set(DEFAULT_RULES)
        rules = [DeviceRule(bool(each % 2), "abc"[each % 3], each, None, 1 + each % 7) for each in range(4000)]
        with pytest.raises(OSError, match="too many"):
            group.set(rules)
        assert group.opened("/dev/null", "/dev/kmsg") == ["", "EPERM"]

    def test_a_cgroup_has_one_program_at_a_time(self, group: Group) -> None:
        """However often rules are set, one program is attached."""
        for rules in (DEFAULT_RULES, (KMSG,), ()):
            group.set(rules)
            assert attached(group) == 1

    def test_programs_of_others_are_replaced(self, group: Group, kmsg: str) -> None:
        """What several programs decided before, the new one decides alone."""
        descriptor = os.open(group.directory, os.O_RDONLY)
        for rules in ([], [KMSG]):
            program = bpf.load(device_program.program(rules))
            bpf.attach(descriptor, program)
            os.close(program)
        os.close(descriptor)
        assert attached(group) == 2
        assert group.opened("/dev/null") == ["EPERM"]
        group.set([*DEFAULT_RULES, KMSG])
        assert attached(group) == 1
        assert group.opened("/dev/null", kmsg) == ["", ""]

    def test_a_program_that_the_kernel_refuses_changes_nothing(self, group: Group) -> None:
        """Without an answer at its end a program is refused, and no descriptor is left."""
        before = os.listdir("/proc/self/fd")
        with pytest.raises(OSError, match=r"Invalid argument|Permission denied"):
            bpf.load(device_program.program([])[:-8])
        assert os.listdir("/proc/self/fd") == before

    def test_no_descriptor_is_left(self, group: Group) -> None:
        """Setting rules leaves as many descriptors open as there were."""
        before = os.listdir("/proc/self/fd")
        for rules in (DEFAULT_RULES, [KMSG], DEFAULT_RULES):
            group.set(rules)
        assert os.listdir("/proc/self/fd") == before

    def test_a_missing_cgroup_is_said(self, groups: Cgroups) -> None:
        """An error names the directory, and leaves no descriptor."""
        before = os.listdir("/proc/self/fd")
        with pytest.raises(FileNotFoundError, match="pycontainers-test-none"):
            set_rules(groups, "pycontainers-test-none", DEFAULT_RULES)
        assert os.listdir("/proc/self/fd") == before


def attached(group: Group) -> int:
    """How many programs the cgroup has itself."""
    directory = os.open(group.directory, os.O_RDONLY)
    found = bpf.attached(directory)
    for descriptor in (directory, *found):
        os.close(descriptor)
    return len(found)


@pytest.mark.parametrize("groups", [1], indirect=True)
def test_an_exception_from_an_exception_changes_nothing(group: Group) -> None:
    """What version 1 can't keep is refused before anything is written."""
    group.set(DEFAULT_RULES)
    before = Path(group.directory, "devices.list").read_text()
    with pytest.raises(Failure, match="can't tell them apart"):
        group.set([DeviceRule(True, "c", 1, None), DeviceRule(False, "c", 1, 11)])
    assert Path(group.directory, "devices.list").read_text() == before
