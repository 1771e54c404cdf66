# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import config
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_supported import (
    Host,
    supported,
    supported_resources,
)
from ansible_collections.pycontainers.linux.tests.unit.oci_config.samples import (
    CLIENTS,
    EVERYTHING,
    RUNC_SPEC,
    Place,
    with_value,
)

V2 = Host(
    version=2,
    controllers=frozenset("cpu cpuset memory pids io hugetlb rdma".split()),
    knobs=None,
    namespaces=frozenset("user pid network mount uts ipc cgroup time".split()),
    own=frozenset(),
    kernel=(6, 1),
    last_capability=40,
    most_files=2**20,
    page_sizes=frozenset({"2MB"}),
    seccomp_actions=frozenset("kill_process kill_thread trap errno user_notif trace log allow".split()),
    apparmor=True,
    selinux=True,
)
"""A host that has all there is with version 2."""

V1 = V2._replace(
    version=1, controllers=frozenset("cpu cpuset memory pids blkio hugetlb rdma net_cls net_prio devices".split())
)

BARE = V2._replace(knobs=frozenset({"memory.max"}))
"""A host whose kernel was configured without most limits."""

BIND = {"destination": "/x", "type": "bind", "source": "/s"}
NET = {"net.core.somaxconn": "1"}
JOINED = [{"type": "mount"}, {"type": "uts"}, {"type": "network", "path": "/proc/1/ns/net"}]
LOG = {"defaultAction": "SCMP_ACT_LOG"}

# The host, where a value is put, the value, which field is named, words of the reason.
MISSING: list[tuple[Host, Place, Any, str, str]] = [
    (V2, ("memory",), {"kernelTCP": 1}, "memory.kernelTCP", "version 2"),
    (V2, ("memory",), {"swappiness": 1}, "memory.swappiness", "version 2"),
    (V2, ("memory",), {"disableOOMKiller": True}, "memory.disableOOMKiller", "version 2"),
    (V2, ("cpu",), {"realtimeRuntime": 5}, "cpu.realtimeRuntime", "version 2"),
    (V2, ("network",), {"classID": 5}, "network.classID", "version 2"),
    (V2, ("blockIO",), {"leafWeight": 50}, "blockIO.leafWeight", "version 2"),
    (V1, ("unified",), {"memory.high": "1"}, "unified", "version 1"),
    (V1._replace(controllers=frozenset()), ("pids",), {"limit": 5}, "pids.limit", "controller pids"),
    (V2._replace(controllers=frozenset()), ("cpu",), {"cpus": "0"}, "cpu.cpus", "controller cpuset"),
    (V2._replace(controllers=frozenset()), ("unified",), {"misc.max": "x"}, "unified['misc.max']", "controller misc"),
    (BARE, ("memory",), {"limit": 1, "swap": 2}, "memory.swap", "memory.swap.max"),
    (BARE, ("blockIO",), {"weight": 50}, "blockIO.weight", "io.weight or io.bfq.weight"),
    (BARE, ("unified",), {"cgroup.max.depth": "1"}, "unified['cgroup.max.depth']", "have no"),
    (V2, ("hugepageLimits",), [{"pageSize": "1GB", "limit": 0}], "hugepageLimits", "2MB"),
    (V2._replace(version=0), ("pids",), {"limit": 5}, "", "no cgroup filesystem"),
]
OTHERS: list[tuple[Host, Place, Any, str, str]] = [
    (V2._replace(namespaces=frozenset({"mount"})), ("root", "path"), "x", "linux.namespaces", "no namespaces"),
    (V2._replace(apparmor=False), ("process", "apparmorProfile"), "x", "process.apparmorProfile", "not enabled"),
    (V2._replace(selinux=False), ("process", "selinuxLabel"), "x", "process.selinuxLabel", "not enabled"),
    (V2._replace(selinux=False), ("linux", "mountLabel"), "x", "linux.mountLabel", "not enabled"),
    (V2._replace(kernel=(5, 10)), ("mounts", 1), {**BIND, "options": ["rro"]}, "mounts[1].options", "Linux 5.12"),
    (V2._replace(kernel=(5, 13)), ("mounts", 0), {**BIND, "options": ["rnosymfollow"]}, "mounts[0].options", "5.14"),
    (V2._replace(kernel=(5, 9)), ("mounts", 0), {**BIND, "options": ["nosymfollow"]}, "mounts[0].options", "5.10"),
    (V2._replace(seccomp_actions=frozenset()), ("linux", "seccomp"), LOG, "linux.seccomp", "no seccomp"),
    (
        V2._replace(seccomp_actions=frozenset({"allow"})),
        ("linux", "seccomp"),
        LOG,
        "linux.seccomp.defaultAction",
        "no such",
    ),
    (
        V2._replace(kernel=(5, 10)),
        ("linux", "seccomp"),
        {**LOG, "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]},
        "linux.seccomp.flags",
        "5.19",
    ),
    (
        V2,
        ("process", "rlimits"),
        [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2**20 + 1}],
        "process.rlimits",
        "fs.nr_open",
    ),
]


@pytest.mark.parametrize(("host", "place", "value", "field", "words"), MISSING, ids=[row[3] for row in MISSING])
def test_limits_that_a_host_does_not_have(host: Host, place: Place, value: Any, field: str, words: str) -> None:
    """A limit that this host's control groups don't have is refused, at create as well as at update."""
    document = with_value(RUNC_SPEC, ("linux", "resources", *place), value)
    wanted = config.parse(document, "/bundle")
    with pytest.raises(InvalidValue) as caught:
        supported(wanted, host)
    assert (caught.value.option, words in caught.value.reason) == (f"linux.resources.{field}".rstrip("."), True)
    with pytest.raises(InvalidValue) as caught:
        supported_resources(wanted.resources, host)
    assert caught.value.option == f"resources.{field}".rstrip(".")


@pytest.mark.parametrize(("host", "place", "value", "field", "words"), OTHERS, ids=[row[3] for row in OTHERS])
def test_what_a_host_can_not_do(host: Host, place: Place, value: Any, field: str, words: str) -> None:
    """What this kernel does not have is refused by the field's name."""
    wanted = config.parse(with_value(RUNC_SPEC, place, value), "/bundle")
    with pytest.raises(InvalidValue) as caught:
        supported(wanted, host)
    assert (caught.value.option, words in caught.value.reason) == (field, True)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("host", [V1, V2], ids=["version 1", "version 2"])
def test_clients_run_on_both_versions(client: str, host: Host) -> None:
    """What well-known clients write can be done with either version of control groups."""
    assert supported(config.parse(CLIENTS[client], "/bundle", systemd=client == "podman"), host) == ()


def test_a_value_in_every_field() -> None:
    """All fields at once are a matter of the host: version 1 has all but the files of version 2."""
    document = with_value(EVERYTHING, ("linux", "resources", "unified"), {})
    assert supported(config.parse(document, "/bundle"), V1) == ()


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        (("linux", "sysctl"), NET, "linux.sysctl['net/core/somaxconn']"),
        (("linux", "netDevices"), {"eth0": {}}, "linux.netDevices"),
    ],
)
def test_the_runtimes_own_namespace(place: Place, value: Any, field: str) -> None:
    """A path that leads to the runtime's own namespace is no protection: the host's settings stay what they are."""
    document = with_value(with_value(RUNC_SPEC, ("linux", "namespaces"), JOINED), place, value)
    wanted = config.parse(document, "/bundle")
    assert supported(wanted, V2) == ()
    with pytest.raises(InvalidValue, match="the runtime's own") as caught:
        supported(wanted, V2._replace(own=frozenset({"/proc/1/ns/net"})))
    assert caught.value.option == field


def test_capabilities_of_later_kernels() -> None:
    """A capability that this kernel does not know yet is a warning."""
    wanted = config.parse(
        with_value(RUNC_SPEC, ("process", "capabilities"), {"bounding": ["CAP_CHECKPOINT_RESTORE"]}), "/bundle"
    )
    assert supported(wanted, V2) == ()
    assert len(supported(wanted, V2._replace(last_capability=39))) == 1


def test_the_first_kernel_that_has_it() -> None:
    """A feature is there from the very release on that brought it."""
    flags = {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}
    for place, value, release in (
        (("mounts", 0), {**BIND, "options": ["rro"]}, (5, 12)),
        (("mounts", 0), {**BIND, "options": ["nosymfollow"]}, (5, 10)),
        (("mounts", 0), {**BIND, "options": ["rnosymfollow"]}, (5, 14)),
        (("linux", "seccomp"), flags, (5, 19)),
    ):
        assert supported(config.parse(with_value(RUNC_SPEC, place, value), "/b"), V2._replace(kernel=release)) == ()
