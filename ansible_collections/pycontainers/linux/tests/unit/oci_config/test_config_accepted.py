# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import os
import stat
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import mount_options, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.libseccomp import ERRNO
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.security import CAPABILITIES, mask
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import config
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_linux import Device
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_mounts import (
    OPTION_WORDS,
    Extent,
    IdMapping,
    Mount,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_process import Process, Scheduler
from ansible_collections.pycontainers.linux.tests.unit.oci_config.samples import (
    CLIENTS,
    DOCKER,
    EVERYTHING,
    PODMAN,
    RUNC_SPEC,
    Place,
    path,
    with_value,
)

RDONLY, NOSUID, NODEV, NOEXEC = (
    syscalls.MOUNT_ATTR_RDONLY,
    syscalls.MOUNT_ATTR_NOSUID,
    syscalls.MOUNT_ATTR_NODEV,
    syscalls.MOUNT_ATTR_NOEXEC,
)
ATIMES = mount_options.MOUNT_ATTR__ATIME


def parsed(place: Place, value: Any, **options: bool) -> config.Config:
    """What a configuration with this value at this place comes to."""
    return config.parse(with_value(RUNC_SPEC, place, value), "/bundle", **options)


def process(name: str, value: Any) -> Process:
    """The process with this field."""
    found = parsed(("process", name), value).process
    assert found
    return found


def mounted(**fields: Any) -> Mount:
    """A mount of these fields, by default a bind mount."""
    return parsed(("mounts", 0), {"destination": "/x", "source": "/s", "type": "bind", **fields}).mounts[0]


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_are_understood(client: str) -> None:
    """What well-known clients write is accepted, and only one old version of theirs is warned of anything."""
    found = config.parse(CLIENTS[client], "/bundle", systemd=client == "podman")
    assert found.rootfs.startswith("/")
    assert bool(found.warnings) == (client == "runc spec")


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0-rc5", "1.0.2-dev", "1.2.0", "1.3.0", "1.4.0+build.5"])
def test_versions(version: str) -> None:
    """All versions of the specification's first series are taken."""
    assert parsed(("ociVersion",), version).version == version


DEADLINE = {"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024, "period": 1024}
TMPFS = {"destination": "/x", "type": "tmpfs"}
LARGEST: list[tuple[Place, Any]] = [
    (("hostname",), "h" * 64),
    (("process", "args"), ["x" * 131071]),
    (("process", "env"), ["A=" + "x" * 131069]),
    (("process", "user"), {"uid": 2**32 - 2, "gid": 2**32 - 2, "umask": 0o777, "additionalGids": [0] * 65536}),
    (("process", "rlimits"), [{"type": "RLIMIT_CORE", "soft": 2**64 - 1, "hard": 2**64 - 1}]),
    (("process", "scheduler"), DEADLINE),
    (("process", "execCPUAffinity"), {"initial": "8191"}),
    (("mounts",), [TMPFS] * 4096),
    (("mounts", 0), {**TMPFS, "options": ["x" * 2047, "context=a b" + "x" * 2036]}),
    (("linux", "cgroupsPath"), "a/" + "b" * 255),
    (("linux", "resources", "memory"), {"limit": 2**63 - 1, "swap": 2**63 - 1}),
    (("linux", "resources", "cpu"), {"quota": 1000, "burst": 1000, "realtimeRuntime": 9, "realtimePeriod": 9}),
    (("linux", "resources", "cpu"), {"quota": -1, "burst": 2**44 - 1, "period": 10**6, "shares": 262144}),
    (("linux", "resources", "pids"), {"limit": 4194304}),
    (("linux", "resources", "blockIO"), {"weight": 1000, "leafWeight": 10}),
    (("linux", "seccomp"), {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4095}),
]


@pytest.mark.parametrize(("place", "value"), LARGEST, ids=[path(row[0]) for row in LARGEST])
def test_the_largest_values(place: Place, value: Any) -> None:
    """What is just within the kernel's bounds is taken."""
    assert parsed(place, value).warnings == config.parse(RUNC_SPEC, "/bundle").warnings


def test_the_largest_id_can_be_mapped() -> None:
    """A map may reach the last id that there is, and no further."""
    top = [{"containerID": 0, "hostID": 2**32 - 11, "size": 10}, {"containerID": 10, "hostID": 0, "size": 1}]
    document = with_value(with_value(PODMAN, ("linux", "uidMappings"), top), ("process", "user"), {"uid": 10})
    assert config.parse(document, "/bundle").uid_mappings[0] == Extent(0, 2**32 - 11, 10)


def test_personality_flags_are_left_out() -> None:
    """No flags are defined: those that are given are a warning, an empty list says nothing."""
    some = parsed(("linux", "personality"), {"domain": "LINUX", "flags": ["X"]})
    none = parsed(("linux", "personality"), {"domain": "LINUX", "flags": []})
    assert (some.personality, len(some.warnings) - len(none.warnings)) == (0, 1)


def test_nothing_is_changed() -> None:
    """The document is only read."""
    before = copy.deepcopy(EVERYTHING)
    config.parse(EVERYTHING, "/bundle")
    assert before == EVERYTHING


def test_the_least_there_is() -> None:
    """What is left out gets the defaults of other runtimes."""
    least = {
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs"},
        "process": {"cwd": "/", "args": ["sh"]},
        "linux": {"namespaces": [{"type": "mount"}]},
        "unknown": {"fields": ["are ignored"]},
        "windows": 5,
    }
    found = config.parse(least, "/bundle")
    assert found.process
    assert (found.rootfs, found.readonly, found.mounts, found.cgroup) == ("/bundle/rootfs", False, (), None)
    assert (found.process.uid, found.process.gid, found.process.umask) == (0, 0, 0o022)
    assert (found.process.terminal, found.process.capabilities) == (False, (0, 0, 0, 0, 0))
    assert (found.seccomp, found.personality, found.propagation, found.warnings) == (None, None, 0, ())


def test_null_is_left_out() -> None:
    """A null is the same as a field that is not there."""
    document = {**RUNC_SPEC, "hooks": None, "annotations": None, "domainname": None}
    assert config.parse(document, "/bundle") == config.parse(RUNC_SPEC, "/bundle")


def test_a_process_is_not_needed_before_start() -> None:
    """A configuration without a process can be created from."""
    assert parsed(("process",), None).process is None


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (["A=1", "B=", "A=2"], ("A=2", "B=")),
        (["A=b=c", "with space=ok"], ("A=b=c", "with space=ok")),
        (None, ()),
    ],
)
def test_environment(said: list[str] | None, kept: tuple[str, ...]) -> None:
    """Of a variable that comes twice the later value counts; a value may hold anything."""
    assert process("env", said).environment == kept


@pytest.mark.parametrize("name", ["CAP_NO_SUCH", "", "CAP_CAP_KILL", "kill everything"])
def test_unknown_capabilities_are_left_out(name: str) -> None:
    """A capability that is not known is a warning, no failure."""
    found = parsed(("process", "capabilities"), {"bounding": [name, "CAP_KILL"]})
    assert found.process
    assert found.process.capabilities.bounding == mask(["KILL"])
    assert found.warnings == (f"process.capabilities.bounding[0]: there is no capability {name!r}, it is left out",)


def test_capabilities_that_can_not_be_granted() -> None:
    """The kernel would refuse a set beyond the one that bounds it: what is beyond is left out with a warning."""
    sets = {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_SETUID", "CAP_KILL"]}
    sets |= {"inheritable": ["CAP_KILL", "CAP_CHOWN"], "ambient": ["CAP_KILL", "CAP_CHOWN"]}
    found = parsed(("process", "capabilities"), sets)
    kill, both = mask(["KILL"]), mask(["KILL", "CHOWN"])
    assert found.process
    assert found.process.capabilities == (kill, kill, both, kill, kill)
    warned = [each.partition(":")[0].rpartition(".")[2] for each in found.warnings]
    assert warned == ["effective", "inheritable", "ambient"]


def test_all_capabilities() -> None:
    """Every capability has its bit."""
    found = process("capabilities", {"bounding": [f"CAP_{name}" for name in CAPABILITIES]})
    assert found.capabilities.bounding == 2 ** len(CAPABILITIES) - 1


def test_process_attributes() -> None:
    """Limits, scheduling and priorities are numbers as the system calls take them."""
    found = config.parse(EVERYTHING, "/bundle").process
    assert found
    assert found.rlimits == ((4, 0, 2**64 - 1),)
    assert found.scheduler == Scheduler(1, 0, 10, 1, 0, 0, 0)
    assert found.io_priority == 2 << 13 | 4
    assert (found.initial_cpus, found.final_cpus) == ((0, 1), (0, 2, 3))
    assert (found.console, found.groups) == ((24, 80), (0, 10))
    deadline = {"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 3000, "period": 3000}
    assert process("scheduler", deadline).scheduler == Scheduler(6, 0, 0, 0, 2000, 3000, 3000)


@pytest.mark.parametrize("size", [{"height": 0, "width": 0}, None, {"height": 24}])
def test_a_console_without_size(size: Any) -> None:
    """A console size of zeros says nothing, and without a terminal none counts."""
    assert process("consoleSize", size).console is None


def test_console_size_without_terminal_is_ignored() -> None:
    """Without a terminal the size is ignored, however wrong it is."""
    document = with_value(DOCKER, ("process", "consoleSize"), "huge")
    assert config.parse(document, "/bundle").process


def test_hooks() -> None:
    """A hook's arguments begin with its path where none are given; all kinds are there."""
    second = {"path": "/b", "args": ["b", "x"], "env": [], "timeout": 3}
    found = parsed(("hooks",), {"poststop": [{"path": "/a"}, second]})
    assert list(found.hooks) == "prestart createRuntime createContainer startContainer poststart poststop".split()
    assert found.hooks["poststop"] == (("/a", ("/a",), None, None), ("/b", ("b", "x"), (), 3))


WORDS = [
    ("ro nosuid", 3, 0, (RDONLY | NOSUID, 0), (0, 0)),
    ("ro rw", 0, 1, (0, RDONLY), (0, 0)),
    ("rw ro", 1, 0, (RDONLY, 0), (0, 0)),
    ("suid dev exec async", 0, 2 | 4 | 8 | 16, (0, NOSUID | NODEV | NOEXEC), (0, 0)),
    ("sync dirsync mand lazytime", 16 | 128 | 64 | 1 << 25, 0, (0, 0), (0, 0)),
    ("noatime", 1024, 0, (0x10, ATIMES), (0, 0)),
    ("noatime relatime", 1024 | 1 << 21, 0, (0, ATIMES), (0, 0)),
    ("noatime atime", 0, 1024, (0, ATIMES), (0, 0)),
    ("strictatime", 1 << 24, 0, (0x20, ATIMES), (0, 0)),
    ("strictatime nostrictatime", 0, 1 << 24, (0, ATIMES), (0, 0)),
    ("nodiratime nosymfollow", 2048 | 256, 0, (0x80 | 0x200000, 0), (0, 0)),
    ("rro rnosuid", 0, 0, (0, 0), (RDONLY | NOSUID, 0)),
    ("rro rrw", 0, 0, (0, 0), (0, RDONLY)),
    ("rrw rro", 0, 0, (0, 0), (RDONLY, 0)),
    ("rnoatime rstrictatime", 0, 0, (0, 0), (0x20, ATIMES)),
    ("ro rnodev rexec", 1, 0, (RDONLY, 0), (NODEV, NOEXEC)),
    ("defaults norelatime", 0, 1 << 21, (0, 0), (0, 0)),
]


@pytest.mark.parametrize(("words", "flags", "cleared", "attributes", "recursive"), WORDS, ids=[row[0] for row in WORDS])
def test_option_words(
    words: str, flags: int, cleared: int, attributes: tuple[int, int], recursive: tuple[int, int]
) -> None:
    """Words become flags and attributes; of two that contradict the later counts."""
    found = mounted(type="tmpfs", options=words.split())
    assert (found.flags, found.cleared, found.attributes, found.recursive) == (flags, cleared, attributes, recursive)
    assert found.options == ""


@pytest.mark.parametrize("word", OPTION_WORDS)
def test_no_word_reaches_the_filesystem(word: str) -> None:
    """A word that is not the filesystem's own is never passed on to it."""
    idmap = [{"containerID": 0, "hostID": 1, "size": 1}] if word in ("idmap", "ridmap") else None
    kind = "bind" if idmap else "tmpfs"
    assert mounted(type=kind, options=[word, "size=1k"], uidMappings=idmap, gidMappings=idmap).options == "size=1k"


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({}, syscalls.MS_BIND),
        ({"type": "none", "options": ["rbind"]}, syscalls.MS_BIND | syscalls.MS_REC),
        ({"type": None, "options": ["bind"]}, syscalls.MS_BIND),
        ({"options": ["rbind", "bind"]}, syscalls.MS_BIND),
        ({"options": ["bind", "remount", "ro"], "source": None}, syscalls.MS_BIND | syscalls.MS_REMOUNT | 1),
    ],
)
def test_bind_mounts(fields: dict[str, Any], flags: int) -> None:
    """A bind mount is one by its type or by an option."""
    found = mounted(**fields)
    assert (found.bind, found.flags) == (True, flags)


def test_propagation_in_order() -> None:
    """Propagation words are kept apart from the flags, in order, since each is a mount(2) of its own."""
    found = mounted(options=["rslave", "shared"])
    assert found.propagation == (syscalls.MS_SLAVE | syscalls.MS_REC, syscalls.MS_SHARED)
    assert parsed(("linux", "rootfsPropagation"), "rshared").propagation == syscalls.MS_SHARED | syscalls.MS_REC


@pytest.mark.parametrize(
    ("said", "kept"), [("/a//b/./c/", "/a/b/c"), ("/a/../../b", "/b"), ("//x", "/x"), ("/proc/uptime", "/proc/uptime")]
)
def test_destinations_are_plain(said: str, kept: str) -> None:
    """A destination has one spelling."""
    assert mounted(destination=said).destination == kept


def test_relative_paths() -> None:
    """A relative source starts at the bundle, a relative destination at the root, with a warning."""
    found = parsed(("mounts", 0), {"destination": "x", "type": "bind", "source": "data"})
    assert (found.mounts[0].destination, found.mounts[0].source) == ("/x", "/bundle/data")
    assert "mounts[0].destination: relative" in "".join(found.warnings)


def test_id_mapped_mounts() -> None:
    """An id-mapped mount has its own mapping, or without one that of the container."""
    extents = [{"containerID": 0, "hostID": 1000, "size": 10}]
    own = mounted(options=["ridmap"], uidMappings=extents, gidMappings=extents)
    assert own.id_mapping == IdMapping((Extent(0, 1000, 10),), (Extent(0, 1000, 10),), True)
    entry = {"destination": "/x", "type": "bind", "source": "/s", "options": ["idmap"]}
    assert config.parse(with_value(PODMAN, ("mounts", 0), entry), "/b").mounts[0].id_mapping == IdMapping((), (), False)


def test_namespaces() -> None:
    """New namespaces are one number, existing ones their paths."""
    found = config.parse(PODMAN, "/bundle").namespaces
    assert found.joined == ((syscalls.CLONE_NEWNET, "/run/netns/netns-0a"),)
    assert found.new & syscalls.CLONE_NEWUSER
    assert (found.has(syscalls.CLONE_NEWNET), found.has(syscalls.CLONE_NEWTIME)) == (True, False)


def test_the_rest_of_linux() -> None:
    """Offsets, devices, interfaces, settings and the execution domain are as the kernel takes them."""
    found = config.parse(EVERYTHING, "/bundle")
    assert found.time_offsets == (("monotonic", 172800, 5), ("boottime", -604800, 0))
    assert found.devices == (Device("/dev/fuse", stat.S_IFCHR | 0o666, os.makedev(10, 229), 0, 0),)
    assert found.net_devices == (("eth0", "container_eth0"), ("eth1", "eth1"))
    assert dict(found.sysctls)["net/ipv4/conf/eno2.100/rp_filter"] == "1"
    assert found.personality == 8
    assert found.masked_paths == tuple(EVERYTHING["linux"]["maskedPaths"])


@pytest.mark.parametrize(
    ("name", "file"), [("net.ipv4.conf.eno2/100.x", "net/ipv4/conf/eno2.100/x"), ("net/a.b", "net/a.b")]
)
def test_settings_by_either_separator(name: str, file: str) -> None:
    """The first separator counts, the other stands for a dot within a part."""
    assert parsed(("linux", "sysctl"), {name: "1"}).sysctls == ((file, "1"),)


@pytest.mark.parametrize("kind", ["c", "u", "b", "p"])
def test_device_types(kind: str) -> None:
    """A mode that was copied from stat(2), type included, is understood."""
    types = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
    entry = {"path": "/dev/x", "type": kind, "major": 5, "minor": 2**20 - 1, "fileMode": types[kind] | 0o640}
    found = parsed(("linux", "devices"), [entry]).devices[0]
    assert (found.mode, found.number) == (types[kind] | 0o640, 0 if kind == "p" else os.makedev(5, 2**20 - 1))


def test_seccomp() -> None:
    """Actions are what a filter returns, their errno included."""
    found = config.parse(DOCKER, "/bundle").seccomp
    assert found
    assert found.default == ERRNO | 1
    assert found.rules[3].action == ERRNO | 38
    assert found.rules[2].comparisons == ((0, 7, 2114060288, 0),)
    assert (found.notifies, found.flags) == (False, None)
    flags = parsed(("linux", "seccomp"), {"defaultAction": "SCMP_ACT_LOG", "flags": []}).seccomp
    assert flags
    assert flags.flags == 0


def test_a_process_by_itself() -> None:
    """The file that exec is given is read as the process of a configuration is."""
    found, warnings = config.parse_process(RUNC_SPEC["process"])
    assert found == config.parse(RUNC_SPEC, "/bundle").process
    assert len(warnings) == 1


def test_places_are_written_as_people_do() -> None:
    """The table of refusals names places as messages do."""
    assert path(("mounts", 2, "options", 0)) == "mounts[2].options[0]"
