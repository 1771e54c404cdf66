# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI runtime's command line where the only control groups are those of version 2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.oci_look import template
from ansible_collections.pycontainers.linux.tests.integration.fleet import Fleet

pytestmark = pytest.mark.vm

HOST = "vm1"
MEBIBYTE = 1 << 20
FIRST = 100000

SETUP = """
mkdir -p /root/oci/rootfs/bin /root/oci/rootfs/lib /root/oci/rootfs/tmp && cd /root/oci && chmod 755 /root /root/oci
cp /bin/busybox rootfs/bin && cp /lib/ld-musl-* rootfs/lib
for name in cat echo head ls mkdir mknod sh sleep tail; do ln -sf busybox rootfs/bin/$name; done
"""

PRELUDE = """
cd /root/oci
oci() { /var/lib/pycontainers/runtime/current/pycontainers-oci --root /run/oci-test "$@"; }
create() { oci "$@" < /dev/null > /dev/null; }
await() { for each in $(seq 200); do [ "$@" ] && return; sleep 0.1; done; echo "not in time: $*" >&2; return 1; }
show() { cd "/sys/fs/cgroup/$1"; shift; for name; do echo "$name $(cat $name)"; done; cd /root/oci; }
"""

CLEANUP = """
for name in $(oci list -q); do oci delete --force $name; done
for top in oci-test system.slice; do
    [ ! -d /sys/fs/cgroup/$top ] || find /sys/fs/cgroup/$top -depth -type d -exec rmdir {} +
done
rm -rf /root/oci /run/oci-test
"""


@dataclass(frozen=True)
class Guest:
    """A bundle on the virtual machine, and the runtime's command line there."""

    fleet: Fleet

    def run(self, script: str, document: dict[str, Any] | None = None, stdin: str = "") -> str:
        """Run a script that calls ``oci`` with a configuration; it must succeed."""
        prelude = PRELUDE if document is None else f"{PRELUDE}cat > config.json\n"
        return self.fleet.shell(HOST, f"{prelude}set -e\n{script}", stdin if document is None else json.dumps(document))

    def shown(self, path: str, *names: str) -> dict[str, str]:
        """What the files of a cgroup say, if it is one line each."""
        lines = self.run(f"show {path} {' '.join(names)}").splitlines()
        return {name: text for name, _, text in (line.partition(" ") for line in lines)}


@pytest.fixture(scope="module")
def guest(machine: Fleet) -> Iterator[Guest]:
    """The machine with a bundle; all that was made there is gone afterwards."""
    found = Guest(machine)
    machine.shell(HOST, SETUP)
    yield found
    machine.shell(HOST, PRELUDE + CLEANUP)


def configuration(path: str, *words: str, **resources: Any) -> dict[str, Any]:
    """A configuration for a group, that runs these words with these limits."""
    document = template()
    document["process"] |= {"args": list(words) or ["sleep", "1000"], "terminal": False}
    document["root"]["readonly"] = False
    document["linux"]["cgroupsPath"] = path
    document["linux"]["resources"] |= resources
    return document


def writable(document: dict[str, Any]) -> dict[str, Any]:
    """The same with a cgroup filesystem that can be written to."""
    for mount in document["mounts"]:
        if mount["destination"] == "/sys/fs/cgroup":
            mount["options"].remove("ro")
    return document


def test_limits_are_in_the_files_of_version_2(guest: Guest) -> None:
    """Each limit is where the kernel keeps it, converted from version 1's terms, in a group below others."""
    disk = guest.run("cat /sys/block/vda/dev")
    major, _, minor = disk.partition(":")
    rate = {"major": int(major), "minor": int(minor), "rate": MEBIBYTE}
    document = configuration(
        "/oci-test/deep/limits",
        memory={"limit": 32 * MEBIBYTE, "swap": 48 * MEBIBYTE, "reservation": 16 * MEBIBYTE},
        cpu={"shares": 1024, "quota": 50000, "period": 100000, "burst": 10000, "cpus": "0", "mems": "0"},
        pids={"limit": 50},
        blockIO={"weight": 300, "throttleReadBpsDevice": [rate]},
        hugepageLimits=[{"pageSize": "2MB", "limit": 4 * MEBIBYTE}],
        unified={"memory.high": str(24 * MEBIBYTE)},
    )
    guest.run("create create limits", document)
    wanted = {
        "memory.max": str(32 * MEBIBYTE),
        "memory.swap.max": str(16 * MEBIBYTE),
        "memory.low": str(16 * MEBIBYTE),
        "memory.high": str(24 * MEBIBYTE),
        "cpu.weight": "100",
        "cpu.max": "50000 100000",
        "cpu.max.burst": "10000",
        "cpuset.cpus": "0",
        "cpuset.mems": "0",
        "pids.max": "50",
        "io.bfq.weight": "default 300",
        "io.max": f"{disk} rbps={MEBIBYTE} wbps=max riops=max wiops=max",
        "hugetlb.2MB.max": str(4 * MEBIBYTE),
        "hugetlb.2MB.rsvd.max": str(4 * MEBIBYTE),
    }
    assert guest.shown("oci-test/deep/limits", *wanted) == wanted


def test_a_refused_update_changes_nothing(guest: Guest) -> None:
    """What was written before the refusal is put back, those limits too that stand on lines of their own."""
    names = "memory.max memory.swap.max cpu.weight cpu.max cpu.max.burst pids.max io.bfq.weight io.max".split()
    before = guest.shown("oci-test/deep/limits", *names)
    resources = {
        "memory": {"limit": 40 * MEBIBYTE, "swap": 40 * MEBIBYTE},
        "cpu": {"shares": 2, "quota": 5000, "burst": 2000},
        "pids": {"limit": 5},
        "blockIO": {
            "weight": 10,
            "throttleWriteIOPSDevice": [{"major": 4000, "minor": 0, "rate": 5}],
        },
    }
    script = "! oci update --resources - limits 2> error && cat error"
    assert "No such device" in guest.run(script, stdin=json.dumps(resources))
    assert guest.shown("oci-test/deep/limits", *names) == before
    guest.run("oci update --cpu-period 50000 --memory-swap 40m limits")
    assert guest.shown("oci-test/deep/limits", "cpu.max", "memory.swap.max") == {
        "cpu.max": "50000 50000",
        "memory.swap.max": str(8 * MEBIBYTE),
    }


def test_a_life(guest: Guest) -> None:
    """The container runs, is frozen by the kernel, goes on, is seen, and leaves no group."""
    script = """
    oci start limits
    oci exec limits cat /proc/self/cgroup
    oci pause limits; grep frozen /sys/fs/cgroup/oci-test/deep/limits/cgroup.events
    oci resume limits; oci ps --format json limits
    cat /sys/fs/cgroup/oci-test/deep/limits/cgroup.procs
    oci events --stats limits
    oci delete --force limits; ls -d /sys/fs/cgroup/oci-test/deep/*/ 2>/dev/null || echo gone
    """
    own, frozen, listed, kept, told, left = guest.run(script).splitlines()
    assert (own, frozen) == ("0::/", "frozen 1")
    assert (json.loads(listed), left) == ([int(kept)], "gone")
    found = json.loads(told)["data"]
    assert found["memory"]["usage"]["limit"] == 32 * MEBIBYTE
    assert found["memory"]["swap"]["limit"] == 40 * MEBIBYTE
    assert 0 < found["memory"]["usage"]["usage"] <= found["memory"]["usage"]["max"]
    assert found["cpu"]["usage"]["total"] > 0
    assert found["pids"] == {"current": 1, "limit": 50}
    assert found["hugetlb"]["2MB"] == {"usage": 0, "failcnt": 0}


def test_devices(guest: Guest) -> None:
    """The program in the kernel lets devices be opened as the rules say, and others be made but not opened."""
    script = """
    mknod /tmp/zero b 7 0; mknod /tmp/one b 7 1; mknod /tmp/mem c 1 1
    head -c 1 /tmp/zero && echo read; (echo x > /tmp/zero) 2> /dev/null || echo not written
    head -c 1 /tmp/one 2> /dev/null || echo no loop; head -c 1 /tmp/mem 2> /dev/null || echo no memory
    head -c 1 /dev/urandom > /dev/null && echo random
    """
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "b", "major": 7, "minor": 0, "access": "r"}]
    document = configuration("oci-test/devices", "sh", "-c", script, devices=rules)
    assert guest.run("oci run devices", document).splitlines() == [
        "read",
        "not written",
        "no loop",
        "no memory",
        "random",
    ]


def test_a_container_that_looks_after_groups_of_its_own(guest: Guest) -> None:
    """Its user may make groups and hand controllers down, but not change its limits; exec joins where it has gone."""
    own = "/sys/fs/cgroup"
    script = f"""
    mkdir {own}/init && echo 1 > {own}/init/cgroup.procs && echo +pids +memory > {own}/cgroup.subtree_control
    (echo max > {own}/memory.max) 2> /dev/null || echo refused > /tmp/said
    mkdir {own}/web && echo 5 > {own}/web/pids.max
    exec sleep 1000
    """
    document = writable(configuration("/oci-test/own", "sh", "-c", script, memory={"limit": 64 * MEBIBYTE}))
    mapping = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
    document["linux"] |= {"uidMappings": mapping, "gidMappings": mapping}
    document["linux"]["namespaces"].append({"type": "user"})
    said = guest.run(
        f"""
        chown -R {FIRST}:{FIRST} rootfs
        create run --detach own; await -e {own}/oci-test/own/web; sleep 0.2
        cat rootfs/tmp/said {own}/oci-test/own/memory.max {own}/oci-test/own/web/pids.max
        oci exec own cat /proc/self/cgroup
        oci pause own; grep frozen {own}/oci-test/own/init/cgroup.events
        oci kill --all own KILL; sleep 0.2; oci delete own
        chown -R 0:0 rootfs; ls {own}/oci-test | grep own || echo gone
        """,
        document,
    )
    assert said.split("\n") == ["refused", str(64 * MEBIBYTE), "5", "0::/init", "frozen 1", "gone"]


def test_a_group_above_with_processes(guest: Guest) -> None:
    """It hands no controllers down: without limits a container is made, and a limit is refused with the reason."""
    said = guest.run(
        """
        mkdir -p /sys/fs/cgroup/oci-test/busy; sed s,/oci-test/busy/free,/oci-test, config.json > taken.json
        (echo 0 > /sys/fs/cgroup/oci-test/busy/cgroup.procs; exec sleep 1000) < /dev/null > /dev/null 2>&1 &
        create create free; ! oci update --memory 64m free 2> error
        oci delete --force free; kill $!; ! create create --config taken.json taken 2>> error; cat error
        """,
        configuration("/oci-test/busy/free"),
    )
    assert "cannot take the cgroup oci-test: it hands " in said
    assert "lacks the controller memory, since the group /oci-test/busy above it has processes of its own" in said


def test_a_user_with_a_group(guest: Guest) -> None:
    """Who was handed a group makes its containers' groups there, with limits, and keeps the others' out of reach."""
    document = writable(configuration("/oci-test/user/own", "cat", "/sys/fs/cgroup/pids.max", pids={"limit": 9}))
    mapping = [{"containerID": 0, "hostID": FIRST, "size": 1}]
    document["linux"] |= {"uidMappings": mapping, "gidMappings": mapping}
    document["linux"]["namespaces"].append({"type": "user"})
    for mount in document["mounts"]:
        mount["options"] = [word for word in mount["options"] if not word.startswith("gid=")]
    program = f"""
import os, sys
open("/sys/fs/cgroup/oci-test/" + sys.argv[1] + "/cgroup.procs", "w").write("0")
os.setgroups([])
os.setgid({FIRST})
os.setuid({FIRST})
os.environ["XDG_RUNTIME_DIR"] = "/root/oci"
command = "/root/oci/runtime/pycontainers-oci"
os.execv(command, [command, "run", "mine"])
"""
    said = guest.run(
        f"""
        cp -rL /var/lib/pycontainers/runtime/current runtime; chown -R {FIRST} .
        sed -i 's,"/var/lib/pycontainers/runtime/[^"]*","/root/oci/runtime",' runtime/pycontainers-oci
        mkdir -p /sys/fs/cgroup/oci-test/user/shell /sys/fs/cgroup/oci-test/other; cd /sys/fs/cgroup/oci-test
        chown {FIRST} user user/shell user/cgroup.* user/shell/cgroup.*
        echo +pids > cgroup.subtree_control; echo +pids > user/cgroup.subtree_control; cd /root/oci
        python3 -c '{program}' user/shell < /dev/null
        ! python3 -c '{program}' other < /dev/null 2>&1; chown -R 0 .
        """,
        document,
    )
    limit, refused = said.splitlines()
    assert limit == "9"
    assert "this user may make no cgroup" in refused


def test_a_path_of_systemd(guest: Guest) -> None:
    """A slice and a name make the path that systemd would give the group."""
    document = configuration("system.slice:oci-test:web", pids={"limit": 7})
    script = "create --systemd-cgroup create web; cat /sys/fs/cgroup/system.slice/oci-test-web.scope/pids.max"
    assert guest.run(f"{script}; oci delete --force web", document) == "7"


def test_want_of_memory_is_told(guest: Guest) -> None:
    """What the kernel ends for want of memory, while events are told, is one."""
    hungry = "until [ -e /tmp/watched ]; do sleep 0.1; done; tail /dev/zero"
    limit = {"limit": 16 * MEBIBYTE, "swap": 16 * MEBIBYTE}
    said = guest.run(
        """
        create run --detach hungry; oci events --interval 300ms hungry > told &
        await -s told; touch rootfs/tmp/watched; wait $!; cat told; oci delete hungry
        """,
        configuration("/oci-test/hungry", "sh", "-c", hungry, memory=limit),
    )
    kinds = [json.loads(line)["type"] for line in said.splitlines()]
    assert (kinds[0], kinds.count("oom")) == ("stats", 1)
