# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations that nobody means well, given to create: refused, they have touched nothing; failed, it is undone."""
from __future__ import annotations

import copy
import json
import os
import subprocess
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.oci_look import template
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import config, operations
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.container import Containers
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.create import Wish, create
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.limits import groups
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, SLEEP, Oci
from ansible_collections.pycontainers.linux.tests.kernel.oci_traces import all_gone, traces
from ansible_collections.pycontainers.linux.tests.unit.oci_config.samples import CLIENTS, EVERYTHING, Place, places
from ansible_collections.pycontainers.linux.tests.unit.oci_config.test_config_hostile import VALUES, changed

TAKEN = "taken"
LONGEST_MESSAGE = 2000

NUMBERS = [-(2**63), -1, 0, 1, 2, 7, 99, 4095, 2**20, 2**31, 2**32 - 2, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
TEXTS = ["", " ", "/", ".", "..", "/..", "a/../../b", "/dev/null", "\ud800", "é" * 90, "x" * 300, "x" * 5000, "-1", "0"]
"""Values of the right type with which something may go wrong later than with those of another."""


def _possible(sample: dict[str, Any]) -> dict[str, Any]:
    """A sample without what no test machine has: so more than one field is looked at before the answer is no."""
    made: dict[str, Any] = copy.deepcopy(sample)
    made["root"] = {"path": "rootfs"}
    made["process"]["terminal"] = False
    made["mounts"] = [each for each in made["mounts"] if each["type"] not in ("bind", "none")]
    made["mounts"] += [{"destination": "/data", "type": "none", "source": "rootfs", "options": ["bind", "ro"]}]
    for each in made["mounts"]:
        each["options"] = [word for word in each.get("options", ()) if word != "tmpcopyup"]
    linux = made["linux"]
    linux["namespaces"] = [{"type": each["type"]} for each in linux["namespaces"] if each["type"] != "user"]
    for name in ("uidMappings", "gidMappings", "netDevices", "mountLabel"):
        linux.pop(name, None)
    for name in ("apparmorProfile", "selinuxLabel"):
        made["process"].pop(name, None)
    for name in ("rdma", "network", "unified", "hugepageLimits"):
        linux["resources"].pop(name, None)
    return made


SAMPLES = [_possible(sample) for sample in (template(), EVERYTHING, *CLIENTS.values())]
PLACES = [places(sample) for sample in SAMPLES]


def _at(document: Any, place: Place) -> Any:
    for step in place:
        document = document[step]
    return document


def _change(draw: st.DrawFn, document: dict[str, Any], sample: dict[str, Any], choices: list[Place]) -> None:
    """Delete, repeat or replace a value, by anything or by something of its type, such as another of the document."""
    place = draw(st.sampled_from(choices))
    change = draw(st.sampled_from(["alike", "alike", "replace", "delete", "repeat"]))
    value = None
    if change == "replace":
        value = draw(VALUES)
    elif change == "alike":
        now = _at(sample, place)
        others = [each for each in (_at(sample, other) for other in places(sample)) if type(each) is type(now)]
        hard: list[Any] = NUMBERS if type(now) is int else TEXTS if isinstance(now, str) else []
        value = copy.deepcopy(draw(st.sampled_from(others + hard)))
    changed(document, place, change, value)


@st.composite
def _contents(draw: st.DrawFn) -> bytes:
    """A config.json with some values changed, and sometimes with bytes of it."""
    chosen = draw(st.integers(0, len(SAMPLES) - 1))
    document = copy.deepcopy(SAMPLES[chosen])
    for _ in range(draw(st.integers(0, 3))):
        _change(draw, document, SAMPLES[chosen], PLACES[chosen])
    content = json.dumps(document).encode()
    if draw(st.integers(0, 9)):
        return content
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.binary(max_size=4)) + content[at + draw(st.integers(0, 4)) :]


def test_what_is_not_taken_touches_nothing(oci: Oci) -> None:
    """Of 2,000 configurations each is taken or refused by a sentence, and the machine is the same afterwards.

    The container's id is in use, which is the first thing that create would change: so none of them is carried out.
    """
    containers = Containers(str(oci.root))
    containers.make(TAKEN)
    host_groups = groups()
    before = traces(oci.root)
    answers: Counter[str] = Counter()

    @settings(max_examples=2000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(_contents(), st.booleans())
    def attempt(content: bytes, systemd: bool) -> None:
        (oci.bundle / "config.json").write_bytes(content)
        wish = Wish(bundle=str(oci.bundle), systemd=systemd)
        answer = _refusal(containers, wish)
        assert (len(answer) < LONGEST_MESSAGE, answer.isprintable()) == (True, True), answer
        assert traces(oci.root) == before
        taken = "already exists" in answer
        answers["taken" if taken else "refused"] += 1
        if taken:
            # What create does next is as pure, and may say no as well.
            parsed = config.parse(json.loads(content), str(oci.bundle), systemd=systemd)
            _compiled(parsed, (host_groups, "x"), containers)
            assert traces(oci.root) == before
        else:
            elsewhere = oci.root / "none"
            assert _refusal(Containers(str(elsewhere)), wish) == answer
            assert not elsewhere.exists()

    attempt()
    (oci.root / TAKEN).rmdir()
    assert min(answers["taken"], answers["refused"]) > 200, answers


def _refusal(containers: Containers, wish: Wish) -> str:
    try:
        create(containers, TAKEN, wish)
    except Failure as error:
        return str(error)
    raise AssertionError("a container was created with an id in use")


def _compiled(parsed: config.Config, cgroup: Any, containers: Containers) -> None:
    assert parsed.process is not None
    try:
        operations.compile_config(
            parsed, parsed.process, cgroup, containers.filters, pivot=True, keyring=True, shifts={}
        )
    except Failure as error:
        assert len(str(error)) < LONGEST_MESSAGE  # noqa: PT017 - the other outcome is no failure


CARRIED_OUT = _possible(EVERYTHING)
CARRIED_OUT["process"] |= {"args": SLEEP, "scheduler": {"policy": "SCHED_BATCH", "nice": 5}}
for kind in CARRIED_OUT["hooks"]:
    CARRIED_OUT["hooks"][kind] = [{"path": "/bin/true"}]
for left_out in ("cgroupsPath", "timeOffsets"):
    del CARRIED_OUT["linux"][left_out]
CARRIED_OUT["linux"]["seccomp"]["defaultAction"] = "SCMP_ACT_ALLOW"
del CARRIED_OUT["linux"]["seccomp"]["defaultErrnoRet"]
CARRIED_OUT["linux"]["sysctl"] = {"kernel.shmmax": "1000"}
CARRIED_OUT["linux"]["resources"] = {"memory": {"limit": 2**29}, "pids": {"limit": 100}, "devices": []}

HARMLESS = [
    place
    for place in places(CARRIED_OUT)
    if place[0] in ("process", "hooks", "hostname", "domainname")
    or (place[0] == "mounts" and place[-1] not in ("source", "destination", 0, "mounts"))
    or (place[0] == "linux" and len(place) > 1 and place[1] in ("resources", "seccomp", "maskedPaths", "readonlyPaths"))
]
"""Places whose values reach no further than the container: nothing of the host is bound, joined or shared by them."""


@st.composite
def _documents(draw: st.DrawFn) -> str:
    document = copy.deepcopy(CARRIED_OUT)
    for _ in range(draw(st.integers(1, 2))):
        _change(draw, document, CARRIED_OUT, HARMLESS)
    return json.dumps(document)


def test_what_fails_is_undone(oci: Oci) -> None:
    """Of configurations that reach the kernel each is created and can be deleted, or fails and leaves nothing."""
    before = traces(oci.root)
    answers: Counter[str] = Counter()

    @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(_documents())
    def attempt(document: str) -> None:
        (oci.bundle / "config.json").write_text(document)
        status, said = _created(oci)
        assert (status, said.count("\n")) in ((0, 0), (1, 1)), said
        answers["refused" if status else "created"] += 1
        if not status:
            oci.ok("delete", "--force", "c")
        all_gone(oci, before)

    attempt()
    assert min(answers["created"], answers["refused"]) > 20, answers


def test_a_filter_in_a_32_bit_domain(oci: Oci) -> None:
    """Of a process that takes itself to be on a 32-bit machine, system calls are filtered like of any other."""
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}

    def change(document: dict[str, Any]) -> None:
        document["linux"] |= {"personality": {"domain": "LINUX32"}, "seccomp": profile}

    assert oci.said("uname -m; mkdir /x 2>/dev/null || echo refused", change).split() == ["i686", "refused"]


def _created(oci: Oci) -> tuple[int, str]:
    """The status of create, and what it says. The container's streams are not a pipe that would be read to its end."""
    errors = oci.bundle / "errors"
    with open(os.devnull, "r+b") as null, open(errors, "wb") as stderr:
        command = [COMMAND, "--root", str(oci.root), "create", "c"]
        done = subprocess.run(command, stdin=null, stdout=null, stderr=stderr, cwd=oci.bundle, timeout=60, check=False)
    return done.returncode, errors.read_text()
