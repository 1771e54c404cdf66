# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations as well-known clients write them, and ways to make others of them."""

from __future__ import annotations

import copy
from typing import Any

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETUID"]
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
DENY_ALL = {"allow": False, "access": "rwm"}

MOUNTS: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
        "destination": "/dev/pts",
        "type": "devpts",
        "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {
        "destination": "/sys/fs/cgroup",
        "type": "cgroup",
        "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "ro"],
    },
]


def namespaces(*types: str) -> list[dict[str, str]]:
    """New namespaces of these types."""
    return [{"type": each} for each in types]


RUNC_SPEC: dict[str, Any] = {
    "ociVersion": "1.0.2-dev",
    "process": {
        "terminal": True,
        "user": {"uid": 0, "gid": 0},
        "args": ["sh"],
        "env": [PATH, "TERM=xterm"],
        "cwd": "/",
        # The ambient set names what is not inheritable, in every configuration that this version of it wrote.
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted", "ambient"), CAPABILITIES),
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": True,
    },
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "runc",
    "mounts": MOUNTS,
    "linux": {
        "resources": {"devices": [DENY_ALL]},
        "namespaces": namespaces("pid", "network", "ipc", "uts", "mount"),
        "maskedPaths": MASKED,
        "readonlyPaths": READONLY,
    },
}

DOCKER: dict[str, Any] = {
    "ociVersion": "1.0.2-dev",
    "process": {
        "consoleSize": {"height": 0, "width": 0},
        "user": {"uid": 0, "gid": 0, "additionalGids": [0, 10]},
        "args": ["nginx", "-g", "daemon off;"],
        "env": [PATH, "HOSTNAME=0a0a", "NGINX_VERSION=1.25"],
        "cwd": "/",
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES),
        "apparmorProfile": "docker-default",
        "oomScoreAdj": 0,
    },
    "root": {"path": "/var/lib/docker/overlay2/0a/merged"},
    "hostname": "0a0a",
    "mounts": [
        *MOUNTS,
        {
            "destination": "/etc/hosts",
            "type": "bind",
            "source": "/var/lib/docker/containers/0a/hosts",
            "options": ["rbind", "rprivate"],
        },
    ],
    "hooks": {"prestart": [{"path": "/proc/1/exe", "args": ["libnetwork-setkey", "-exec-root=/run/docker", "0a"]}]},
    "linux": {
        "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"},
        "resources": {
            "devices": [
                DENY_ALL,
                {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
                {"allow": True, "type": "c", "access": "m"},
                {"allow": True, "type": "c", "major": 136, "access": "rwm"},
            ],
            "memory": {"disableOOMKiller": False},
            "cpu": {"shares": 0},
            "pids": {"limit": 0},
            "blockIO": {"weight": 0},
        },
        "cgroupsPath": "/docker/0a0a",
        "namespaces": namespaces("mount", "network", "uts", "pid", "ipc", "cgroup"),
        "seccomp": {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 1,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": [
                {"names": ["accept", "read", "write"], "action": "SCMP_ACT_ALLOW"},
                {
                    "names": ["personality"],
                    "action": "SCMP_ACT_ALLOW",
                    "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}],
                },
                {
                    "names": ["clone"],
                    "action": "SCMP_ACT_ALLOW",
                    "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}],
                },
                {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            ],
        },
        "maskedPaths": MASKED,
        "readonlyPaths": READONLY,
    },
}

PODMAN: dict[str, Any] = {
    "ociVersion": "1.0.2-dev",
    "process": {
        "user": {"uid": 1000, "gid": 1000, "umask": 18, "additionalGids": [1000]},
        "args": ["sleep", "100"],
        "env": [PATH, "container=podman", "HOME=/home/user"],
        "cwd": "/home/user",
        "capabilities": {"bounding": CAPABILITIES},
        "rlimits": [
            {"type": "RLIMIT_NOFILE", "hard": 1048576, "soft": 1048576},
            {"type": "RLIMIT_NPROC", "hard": 4194304, "soft": 4194304},
        ],
    },
    "root": {"path": "/var/lib/containers/storage/overlay/0a/merged"},
    "hostname": "0a0a",
    "mounts": [
        *MOUNTS,
        {
            "destination": "/data",
            "type": "bind",
            "source": "/srv/data",
            "options": ["rw", "rprivate", "nosuid", "nodev", "rbind"],
        },
    ],
    "annotations": {"io.container.manager": "libpod", "org.opencontainers.image.stopSignal": "15"},
    "linux": {
        "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
        "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
        "sysctl": {"net.ipv4.ping_group_range": "0 0"},
        "resources": {"devices": [DENY_ALL], "pids": {"limit": 2048}},
        "cgroupsPath": "machine.slice:libpod:0a0a",
        "namespaces": [
            *namespaces("pid", "ipc", "uts", "mount", "cgroup", "user"),
            {"type": "network", "path": "/run/netns/netns-0a"},
        ],
        "maskedPaths": MASKED,
        "readonlyPaths": READONLY,
    },
}

BUILDAH: dict[str, Any] = {
    "ociVersion": "1.3.0",
    "process": {
        "user": {"uid": 0, "gid": 0},
        "args": ["/bin/sh", "-c", "true"],
        "env": [PATH],
        "cwd": "/",
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), CAPABILITIES),
        "rlimits": [],
    },
    "root": {"path": "mnt/rootfs"},
    "hostname": "0a",
    "mounts": [
        *MOUNTS,
        {"destination": "/run/.env", "type": "bind", "source": "run/env", "options": ["bind", "private", "ro"]},
    ],
    "linux": {
        "resources": {"devices": [DENY_ALL]},
        "namespaces": namespaces("mount", "pid", "ipc", "uts", "network"),
        "maskedPaths": MASKED,
    },
}

CLIENTS = {"runc spec": RUNC_SPEC, "docker": DOCKER, "podman": PODMAN, "buildah": BUILDAH}
"""A configuration by each client."""

EVERYTHING: dict[str, Any] = {
    **DOCKER,
    "domainname": "example.org",
    "process": {
        **DOCKER["process"],
        "terminal": True,
        "consoleSize": {"height": 24, "width": 80},
        "scheduler": {"policy": "SCHED_FIFO", "priority": 10, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
        "execCPUAffinity": {"initial": "0-1", "final": "0,2-3"},
        "selinuxLabel": "system_u:system_r:container_t:s0",
        "rlimits": [{"type": "RLIMIT_CORE", "hard": 2**64 - 1, "soft": 0}],
    },
    "hooks": {
        kind: [{"path": f"/hooks/{kind}", "args": [kind], "env": ["A=1"], "timeout": 5}]
        for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    },
    "mounts": [
        *MOUNTS,
        {
            "destination": "/idmapped",
            "type": "none",
            "source": "/srv",
            "options": ["rbind", "ro", "rro", "ridmap", "rslave"],
            "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
            "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
        },
        {"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "mode=755"]},
    ],
    "linux": {
        **DOCKER["linux"],
        "uidMappings": PODMAN["linux"]["uidMappings"],
        "gidMappings": PODMAN["linux"]["gidMappings"],
        "namespaces": namespaces("mount", "network", "uts", "pid", "ipc", "cgroup", "user", "time"),
        "timeOffsets": {"monotonic": {"secs": 172800, "nanosecs": 5}, "boottime": {"secs": -604800}},
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 0, "gid": 0}],
        "netDevices": {"eth0": {"name": "container_eth0"}, "eth1": {}},
        "rootfsPropagation": "rslave",
        "mountLabel": "system_u:object_r:container_file_t:s0:c1,c2",
        "personality": {"domain": "LINUX32"},
        "resources": {
            "devices": [DENY_ALL, {"allow": True, "type": "b", "major": 8, "minor": 0, "access": "r"}],
            "memory": {
                "limit": 2**29,
                "reservation": 2**28,
                "swap": 2**30,
                "kernelTCP": -1,
                "swappiness": 0,
                "checkBeforeUpdate": True,
            },
            "cpu": {
                "shares": 1024,
                "quota": 50000,
                "period": 100000,
                "burst": 1000,
                "realtimeRuntime": 95000,
                "realtimePeriod": 1000000,
                "cpus": "0-2,3,7",
                "mems": "0",
                "idle": 0,
            },
            "pids": {"limit": 100},
            "blockIO": {
                "weight": 500,
                "leafWeight": 10,
                "weightDevice": [{"major": 8, "minor": 0, "weight": 500, "leafWeight": 300}],
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 300}],
            },
            "hugepageLimits": [{"pageSize": "2MB", "limit": 209715200}],
            "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]},
            "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
            "unified": {"memory.high": "1048576", "io.max": "259:0 rbps=2097152"},
        },
        "sysctl": {"kernel.shmmax": "1", "fs.mqueue.msg_max": "10", "net/ipv4/conf/eno2.100/rp_filter": "1"},
    },
}
"""A value in every field."""

Place = tuple[str | int, ...]


def with_value(document: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """A copy of the document with another value at a place; objects on the way are made."""
    made = copy.deepcopy(document)
    here: Any = made
    for step in place[:-1]:
        here = here.setdefault(step, {}) if isinstance(here, dict) and isinstance(step, str) else here[step]
    here[place[-1]] = value
    return made


def path(place: Place) -> str:
    """The place as messages name it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")


def places(value: Any, above: Place = ()) -> list[Place]:
    """Every place in a document."""
    steps = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    found: list[Place] = []
    for step in steps:
        found += [(*above, step), *places(value[step], (*above, step))]
    return found
