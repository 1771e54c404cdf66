# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import config
from ansible_collections.pycontainers.linux.tests.unit.oci_config.samples import RUNC_SPEC, Place, path, with_value

BIG = 2**64
BIND = {"destination": "/x", "type": "bind", "source": "/x"}
EXTENT = {"containerID": 0, "hostID": 0, "size": 1}
MAP = {"uidMappings": [EXTENT], "gidMappings": [EXTENT]}
MASKED_EQ = {"index": 0, "value": 0, "op": "SCMP_CMP_MASKED_EQ"}


def process(*place: str | int) -> Place:
    """A place in ``process``."""
    return ("process", *place)


def linux(*place: str | int) -> Place:
    """A place in ``linux``."""
    return ("linux", *place)


def resources(*place: str | int) -> Place:
    """A place in ``linux.resources``."""
    return ("linux", "resources", *place)


# Where a value is put, the value, what the message names below that place ("" for the place itself), and words of it.
REFUSED: list[tuple[Place, Any, str, str]] = [
    (("ociVersion",), None, "", "required"),
    (("ociVersion",), "1.2", "", "not a version"),
    (("ociVersion",), "2.0.0", "", "1.x"),
    (("ociVersion",), "0.5.0", "", "1.x"),
    (("ociVersion",), 1.2, "", "not text"),
    (("root",), None, ".path", "required"),
    (("root",), [], "", "not an object"),
    (("root", "path"), "", "", "empty"),
    (("root", "path"), "a\0b", "", "NUL"),
    (("root", "path"), "/" + "a" * 4096, "", "4095"),
    (("root", "readonly"), 1, "", "true nor false"),
    (("hostname",), "h" * 65, "", "64"),
    (("hostname",), "a\nb", "", "control character"),
    (("domainname",), "d" * 65, "", "64"),
    (("annotations",), {"a": 1}, "['a']", "not text"),
    (("annotations",), {"": "x"}, "['']", "empty"),
    (("annotations",), ["x"], "", "not an object"),
    (process(), "sh", "", "not an object"),
    (process("args"), None, "", "required"),
    (process("args"), [], "", "no program"),
    (process("args"), ["sh", None], "[1]", "required"),
    (process("args"), ["a\0"], "[0]", "NUL"),
    (process("args"), ["\ud800"], "[0]", "Unicode"),
    (process("args"), ["x" * 131072], "[0]", "131071"),
    (process("args"), "sh", "", "not a list"),
    (process("cwd"), None, "", "required"),
    (process("cwd"), "", "", "empty"),
    (process("cwd"), "tmp", "", "not an absolute path"),
    (process("env"), ["PATH"], "[0]", "no '='"),
    (process("env"), ["=x"], "[0]", "no name"),
    (process("env"), ["A=\0"], "[0]", "NUL"),
    (process("env"), ["A=\udc80"], "[0]", "Unicode"),
    (process("env"), ["A=" + "x" * 131072], "[0]", "131071"),
    (process("env"), [7], "[0]", "not text"),
    (process("user", "uid"), -1, "", "between"),
    (process("user", "uid"), 2**32 - 1, "", "between 0 and 4294967294"),
    (process("user", "uid"), True, "", "whole number"),
    (process("user", "uid"), "0", "", "whole number"),
    (process("user", "uid"), 0.0, "", "whole number"),
    (process("user", "gid"), 2**32, "", "between"),
    (process("user", "additionalGids"), [0, -5], "[1]", "between"),
    (process("user", "additionalGids"), [0] * 65537, "", "65536"),
    (process("user", "umask"), 0o1000, "", "between"),
    (process("terminal"), "yes", "", "true nor false"),
    (process("consoleSize"), {"height": 65536, "width": 1}, ".height", "between"),
    (process("noNewPrivileges"), 0, "", "true nor false"),
    (process("oomScoreAdj"), -1001, "", "between -1000 and 1000"),
    (process("capabilities"), ["CAP_KILL"], "", "not an object"),
    (process("capabilities", "bounding"), "CAP_KILL", "", "not a list"),
    (process("capabilities", "bounding"), [5], "[0]", "not text"),
    (process("rlimits"), [{"type": "RLIMIT_FOO", "soft": 1, "hard": 1}], "[0].type", "not one of"),
    (process("rlimits"), [{"type": "RLIMIT_CPU", "soft": 1}], "[0].hard", "required"),
    (process("rlimits"), [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}], "[0].soft", "above the hard limit"),
    (process("rlimits"), [{"type": "RLIMIT_CPU", "soft": 1, "hard": BIG}], "[0].hard", "between"),
    (process("rlimits"), [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}] * 2, "[1].type", "already"),
    (process("apparmorProfile"), "a\n", "", "control character"),
    (process("selinuxLabel"), 5, "", "not text"),
    (process("scheduler"), {}, ".policy", "required"),
    (process("scheduler"), {"policy": "SCHED_ISO"}, ".policy", "not one of"),
    (process("scheduler"), {"policy": "SCHED_OTHER", "nice": 20}, ".nice", "between"),
    (process("scheduler"), {"policy": "SCHED_OTHER", "priority": 1}, ".priority", "only the policies"),
    (process("scheduler"), {"policy": "SCHED_RR"}, ".priority", "need a priority"),
    (process("scheduler"), {"policy": "SCHED_RR", "priority": 100}, ".priority", "between"),
    (process("scheduler"), {"policy": "SCHED_BATCH", "runtime": 5}, ".runtime", "SCHED_DEADLINE"),
    (process("scheduler"), {"policy": "SCHED_DEADLINE", "runtime": 5}, ".runtime", "1024"),
    (process("scheduler"), {"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 1999}, ".deadline", "shorter"),
    (
        process("scheduler"),
        {"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 3000, "period": 2999},
        ".period",
        "shorter",
    ),
    (process("scheduler"), {"policy": "SCHED_IDLE", "flags": ["X"]}, ".flags[0]", "not one of"),
    (process("ioPriority"), {"priority": 1}, ".class", "required"),
    (process("ioPriority"), {"class": "IOPRIO_CLASS_NONE"}, ".class", "not one of"),
    (process("ioPriority"), {"class": "IOPRIO_CLASS_BE", "priority": 8}, ".priority", "between"),
    (process("execCPUAffinity"), {"initial": "0-"}, ".initial", "not a list"),
    (process("execCPUAffinity"), {"initial": "3-1"}, ".initial", "ends before"),
    (process("execCPUAffinity"), {"final": "8192"}, ".final", "8191"),
    (process("execCPUAffinity"), {"final": "²"}, ".final", "not a list"),
    (("hooks",), {"prestart": {}}, ".prestart", "not a list"),
    (("hooks",), {"poststop": [None]}, ".poststop[0]", "required"),
    (("hooks",), {"createRuntime": [{"path": "x"}]}, ".createRuntime[0].path", "absolute"),
    (("hooks",), {"createContainer": [{"args": ["x"]}]}, ".createContainer[0].path", "required"),
    (("hooks",), {"startContainer": [{"path": "/x", "timeout": 0}]}, ".startContainer[0].timeout", "between 1"),
    (("hooks",), {"poststart": [{"path": "/x", "env": ["A"]}]}, ".poststart[0].env[0]", "no '='"),
    (("mounts",), {}, "", "not a list"),
    (("mounts",), [None], "[0]", "required"),
    (("mounts",), [{}] * 4097, "", "4096"),
    (("mounts", 0), {"type": "tmpfs"}, ".destination", "required"),
    (("mounts", 0), {"destination": "/", "type": "tmpfs"}, ".destination", "root.path"),
    (("mounts", 0), {"destination": "/a/../..", "type": "tmpfs"}, ".destination", "root.path"),
    (("mounts", 0), {"destination": "/x", "type": ""}, ".type", "needs a filesystem type"),
    (("mounts", 0), {"destination": "/x", "type": "bind"}, ".source", "needs a source"),
    (("mounts", 0), {"destination": "/x", "options": ["rbind"]}, ".source", "needs a source"),
    (("mounts", 0), {"destination": "/proc", "type": "tmpfs"}, ".destination", "/proc"),
    (("mounts", 0), {"destination": "/tmp/../proc//sys", "type": "tmpfs"}, ".destination", "/proc"),
    (("mounts", 0), {**BIND, "destination": "/proc/self/attr"}, ".destination", "/proc"),
    (("mounts", 0), {**BIND, "options": "ro"}, ".options", "not a list"),
    (("mounts", 0), {**BIND, "options": ["a\0b"]}, ".options[0]", "NUL"),
    (("mounts", 0), {**BIND, "options": ["x" * 4095] * 2}, ".options", "kernel's limit"),
    (("mounts", 0), {**BIND, "options": ["tmpcopyup"]}, ".options", "tmpfs only"),
    (("mounts", 0), {**BIND, "options": ["idmap=uids=0-1-1"]}, ".options[0]", "uidMappings"),
    (("mounts", 0), {**BIND, "options": ["idmap"]}, ".options", "needs uidMappings"),
    (("mounts", 0), {**BIND, "uidMappings": [EXTENT]}, ".gidMappings", "together"),
    (("mounts", 0), {**BIND, "gidMappings": [EXTENT]}, ".uidMappings", "together"),
    (("mounts", 0), {"destination": "/x", "type": "tmpfs", **MAP}, ".uidMappings", "only bind mounts"),
    (("mounts", 0), {"destination": "/x", "type": "tmpfs", "options": ["idmap"]}, ".options", "only bind mounts"),
    (linux(), None, ".namespaces", "no mount namespace"),
    (linux("namespaces"), [{"type": "pid"}], "", "no mount namespace"),
    (linux("namespaces"), [{"type": "net"}], "[0].type", "not one of user, pid, network"),
    (linux("namespaces"), [{"type": "mount"}, {"type": "mount", "path": "/x"}], "[1].type", "already"),
    (linux("namespaces"), [{"type": "network", "path": "netns"}], "[0].path", "absolute"),
    (linux("uidMappings"), [EXTENT], "", "no user namespace"),
    (linux("gidMappings"), [EXTENT], "", "no user namespace"),
    (linux("uidMappings"), [{**EXTENT, "size": 0}], "[0].size", "between 1"),
    (linux("uidMappings"), [{**EXTENT, "hostID": 2**32 - 2, "size": 2}], "[0].size", "largest id"),
    (linux("uidMappings"), [EXTENT, EXTENT], "[1].containerID", "overlaps"),
    (linux("uidMappings"), [EXTENT, {"containerID": 1, "hostID": 0, "size": 1}], "[1].hostID", "overlaps"),
    (linux("gidMappings"), [EXTENT] * 341, "", "340"),
    (linux("timeOffsets"), {"monotonic": {"secs": 1}}, "", "new time namespace"),
    (linux("timeOffsets"), {"realtime": {}}, "['realtime']", "clocks monotonic"),
    (linux("timeOffsets"), {"boottime": {"nanosecs": 10**9}}, "['boottime'].nanosecs", "between"),
    (linux("devices"), [{"path": "/dev/x", "type": "a"}], "[0].type", "not one of c, u, b, p"),
    (linux("devices"), [{"type": "p"}], "[0].path", "required"),
    (linux("devices"), [{"path": "x", "type": "p"}], "[0].path", "absolute"),
    (linux("devices"), [{"path": "/dev/x", "type": "c", "major": 1}], "[0].minor", "required"),
    (linux("devices"), [{"path": "/dev/x", "type": "b", "major": 4096, "minor": 0}], "[0].major", "between 0 and 4095"),
    (linux("devices"), [{"path": "/dev/x", "type": "p", "fileMode": 0o020666}], "[0].fileMode", "upper bits"),
    (linux("devices"), [{"path": "/dev/x", "type": "p"}, {"path": "/dev//x", "type": "p"}], "[1].path", "already"),
    (linux("devices"), [{"path": "/..", "type": "p"}], "[0].path", "root folder"),
    (linux("netDevices"), {"a/b": {}}, "['a/b']", "1 to 15 bytes"),
    (linux("netDevices"), {"eth0": {"name": "x" * 16}}, "['eth0'].name", "1 to 15 bytes"),
    (linux("netDevices"), {"eth0": {"name": "a"}, "eth1": {"name": "a"}}, "['eth1'].name", "already"),
    (linux("netDevices"), {"eth0": {"name": "a%s"}}, "['eth0'].name", "as %d"),
    (linux("netDevices"), {"eth0": {"name": "a%d%d"}}, "['eth0'].name", "as %d"),
    (linux("cgroupsPath"), "/a/../../b", "", "climbs"),
    (linux("cgroupsPath"), "..", "", "climbs"),
    (linux("cgroupsPath"), "/", "", "root of the hierarchy"),
    (linux("cgroupsPath"), "a\nb", "", "newline"),
    (linux("cgroupsPath"), "a/" + "b" * 256, "", "255"),
    (linux("rootfsPropagation"), "slaved", "", "not one of private"),
    (linux("sysctl"), {"kernel.core_pattern": "|x"}, "['kernel.core_pattern']", "whole host"),
    (linux("sysctl"), {"net.x/..": "1"}, "['net.x/..']", "not the name"),
    (linux("sysctl"), {"net//x": "1"}, "['net//x']", "not the name"),
    (linux("sysctl"), {"kernel.hostname": "x"}, "['kernel.hostname']", "field hostname"),
    (linux("sysctl"), {"net.ipv4.ip_forward": 1}, "['net.ipv4.ip_forward']", "not text"),
    (linux("sysctl"), {"net.a": "1", "net/a": "2"}, "['net/a']", "same setting"),
    (linux("maskedPaths"), ["proc/x"], "[0]", "absolute"),
    (linux("readonlyPaths"), [""], "[0]", "empty"),
    (linux("mountLabel"), 'a"b', "", "quote"),
    (linux("personality"), {"domain": "BSD"}, ".domain", "not one of LINUX, LINUX32"),
    (linux("intelRdt"), {"closID": "x"}, "", "RDT"),
    (linux("seccomp"), {}, ".defaultAction", "required"),
    (linux("seccomp"), {"defaultAction": "ALLOW"}, ".defaultAction", "not one of"),
    (linux("seccomp"), {"defaultAction": "SCMP_ACT_NOTIFY"}, ".defaultAction", "listener"),
    (linux("seccomp"), {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}, ".defaultErrnoRet", "no errno"),
    (linux("seccomp"), {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}, ".defaultErrnoRet", "between"),
    (linux("seccomp"), {"defaultAction": "SCMP_ACT_LOG", "architectures": ["x86"]}, ".architectures[0]", "not one of"),
    (linux("seccomp"), {"defaultAction": "SCMP_ACT_LOG", "flags": ["X"]}, ".flags[0]", "not one of"),
    (linux("seccomp"), {"defaultAction": "SCMP_ACT_LOG", "listenerMetadata": "x"}, ".listenerMetadata", "listener"),
    (resources("memory"), {"limit": -2}, ".limit", "between 1"),
    (resources("memory"), {"limit": BIG}, ".limit", "between"),
    (resources("memory"), {"limit": "1g"}, ".limit", "whole number"),
    (resources("memory"), {"limit": 100, "swap": 99}, ".swap", "can't be below memory.limit"),
    (resources("memory"), {"swap": 99}, ".swap", "no limit"),
    (resources("memory"), {"limit": -1, "swap": 99}, ".swap", "no limit"),
    (resources("memory"), {"swappiness": 101}, ".swappiness", "between 0 and 100"),
    (resources("memory"), {"useHierarchy": 1}, ".useHierarchy", "true nor false"),
    (resources("cpu"), {"shares": 262145}, ".shares", "between"),
    (resources("cpu"), {"quota": 999}, ".quota", "between 1000"),
    (resources("cpu"), {"period": 999}, ".period", "between 1000 and 1000000"),
    (resources("cpu"), {"quota": 5000, "burst": 5001}, ".burst", "above the quota"),
    (resources("cpu"), {"realtimeRuntime": 2, "realtimePeriod": 1}, ".realtimeRuntime", "longer than the period"),
    (resources("cpu"), {"cpus": "a"}, ".cpus", "not a list"),
    (resources("cpu"), {"mems": "1024"}, ".mems", "1023"),
    (resources("cpu"), {"idle": 2}, ".idle", "between"),
    (resources("pids"), {"limit": 4194305}, ".limit", "between"),
    (resources("blockIO"), {"weight": 9}, ".weight", "between 10 and 1000"),
    (resources("blockIO"), {"weightDevice": [{"major": 8, "weight": 10}]}, ".weightDevice[0].minor", "required"),
    (resources("blockIO", "throttleReadBpsDevice"), [{"major": 8, "minor": 0}], "[0].rate", "required"),
    (resources("hugepageLimits"), [{"pageSize": "2048", "limit": 1}], "[0].pageSize", "page size"),
    (resources("hugepageLimits"), [{"pageSize": "2MB", "limit": 1}] * 2, "[1].pageSize", "already"),
    (resources("network"), {"classID": 2**32}, ".classID", "between"),
    (resources("network"), {"priorities": [{"name": "a b", "priority": 1}]}, ".priorities[0].name", "interface"),
    (resources("rdma"), {"mlx": {}}, "['mlx']", "neither"),
    (resources("rdma"), {"a b": {"hcaHandles": 1}}, "['a b']", "name of a device"),
    (resources("unified"), {"../memory.max": "1"}, "['../memory.max']", "cgroup's file"),
    (resources("unified"), {"cgroup.procs": "1"}, "['cgroup.procs']", "no limit"),
    (resources("devices"), [{"access": "r"}], "[0].allow", "required"),
    (resources("devices"), [{"allow": True, "type": "x", "access": "r"}], "[0].type", "not one of a, b, c, u"),
    (resources("devices"), [{"allow": True, "access": "r" * 17}], "[0].access", "16"),
    (resources("devices"), [{"allow": True, "access": "rx"}], "[0].access", "letters"),
    (resources("devices"), [{"allow": True, "access": "r", "major": -2}], "[0].major", "between"),
]

NOTIFY = {"names": ["read"], "action": "SCMP_ACT_NOTIFY"}
RULES: list[tuple[dict[str, Any], str, str]] = [
    ({"names": [], "action": "SCMP_ACT_ALLOW"}, "syscalls[0].names", "one system call"),
    ({"names": ["read"]}, "syscalls[0].action", "required"),
    ({"names": ["read", "open at"], "action": "SCMP_ACT_LOG"}, "syscalls[0].names[1]", "name of a system call"),
    ({"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1}, "syscalls[0].errnoRet", "no errno"),
    ({"names": ["write"], "action": "SCMP_ACT_NOTIFY"}, "syscalls[0].names", "telling it takes write"),
    (NOTIFY, "listenerPath", "needs a listener"),
    ({"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{**MASKED_EQ, "index": 6}]}, "syscalls[0].args[0].index", "5"),
    ({"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 0}]}, "syscalls[0].args[0].op", "req"),
    ({"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{"index": 0}]}, "syscalls[0].args[0].op", "required"),
    ({**NOTIFY, "args": [{**MASKED_EQ, "value": -1}]}, "syscalls[0].args[0].value", "between"),
]


@pytest.mark.parametrize(
    ("place", "value", "below", "words"), REFUSED, ids=[f"{path(row[0])}{row[2]} {row[3]}" for row in REFUSED]
)
def test_a_refusal_names_the_field_and_the_reason(place: Place, value: Any, below: str, words: str) -> None:
    """What can't be followed is refused with the field's path and the reason."""
    with pytest.raises(InvalidValue) as caught:
        config.parse(with_value(RUNC_SPEC, place, value), "/bundle")
    assert (caught.value.option, words in caught.value.reason + caught.value.fix) == (path(place) + below, True)
    assert f" as {path(place)}{below}: " in str(caught.value)


@pytest.mark.parametrize(("rule", "place", "words"), RULES)
def test_seccomp_rules_are_refused(rule: dict[str, Any], place: str, words: str) -> None:
    """A rule that can't be compiled is refused by its place in the profile."""
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    with pytest.raises(InvalidValue, match=words) as caught:
        config.parse(with_value(RUNC_SPEC, ("linux", "seccomp"), profile), "/bundle")
    assert caught.value.option == f"linux.seccomp.{place}"


@pytest.mark.parametrize(
    ("setting", "types"),
    [
        ("net.core.somaxconn", "network"),
        ("kernel.shmmax", "ipc"),
        ("fs/mqueue/msg_max", "ipc"),
        ("kernel.domainname", "uts"),
    ],
)
def test_a_setting_of_the_hosts_is_refused(setting: str, types: str) -> None:
    """A kernel setting of a namespace that the container shares with the host is refused."""
    kept = [each for each in RUNC_SPEC["linux"]["namespaces"] if each["type"] != types]
    document = with_value(with_value(RUNC_SPEC, ("linux", "namespaces"), kept), ("linux", "sysctl"), {setting: "1"})
    document["hostname"] = ""
    with pytest.raises(InvalidValue, match=f"shares the runtime's {types} namespace"):
        config.parse(document, "/bundle")


@pytest.mark.parametrize("name", ["hostname", "domainname"])
def test_the_hosts_name_is_not_changed(name: str) -> None:
    """A name without a uts namespace would be the host's, and is refused."""
    document = {**RUNC_SPEC, "hostname": "", name: "x"}
    document = with_value(document, ("linux", "namespaces"), [{"type": "mount"}])
    with pytest.raises(InvalidValue, match=f"as {name}: it would be the host's"):
        config.parse(document, "/bundle")


@pytest.mark.parametrize(("identity", "place"), [({"uid": 1}, "uid"), ({"gid": 1}, "gid")])
def test_unmapped_users_are_refused(identity: dict[str, int], place: str) -> None:
    """A user that the new user namespace does not have is refused before there is one."""
    document = with_value(RUNC_SPEC, ("process", "user"), identity)
    document["linux"] |= {"namespaces": [{"type": each} for each in ("mount", "user", "uts")], **MAP}
    with pytest.raises(InvalidValue, match=f"as process.user.{place}: linux.{place}Mappings"):
        config.parse(document, "/bundle")


@pytest.mark.parametrize("name", ["uidMappings", "gidMappings"])
def test_a_new_user_namespace_needs_mappings(name: str) -> None:
    """Without a mapping, nobody in a new user namespace could be root."""
    document = with_value(RUNC_SPEC, ("linux", "namespaces"), [{"type": each} for each in ("mount", "user", "uts")])
    document["linux"] |= {**MAP, name: []}
    with pytest.raises(InvalidValue, match=f"as linux.{name}: a new user namespace needs a mapping"):
        config.parse(document, "/bundle")


@pytest.mark.parametrize(
    "said",
    ["a/b", "x.slice:p", "x.slice:p:", "x:p:n", "a--b.slice:p:n", "-a.slice:p:n", "x.slice:p/:n", "x.slice:p:\n"],
)
def test_systemd_paths_are_refused(said: str) -> None:
    """With systemd's cgroups the path has three parts, of which the first is a slice."""
    with pytest.raises(InvalidValue, match=r"as linux\.cgroupsPath: "):
        config.parse(with_value(RUNC_SPEC, ("linux", "cgroupsPath"), said), "/bundle", systemd=True)


def test_secrets_are_not_repeated() -> None:
    """A refused variable is named by its place, since its value may be a password."""
    with pytest.raises(InvalidValue) as caught:
        config.parse(with_value(RUNC_SPEC, ("process", "env"), ["PASSWORD=hunter2\0"]), "/bundle")
    assert "hunter2" not in str(caught.value)
    assert caught.value.option == "process.env[0]"
