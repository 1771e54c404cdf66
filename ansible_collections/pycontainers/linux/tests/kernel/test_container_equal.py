# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to say the same of a container: who goes from one to the other changes nothing, whatever the option."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse, rows
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.limit_bench import disk

LEFT_OUT = object()
MAC = "02:42:ac:11:00:99"
FILE, BUSYBOX, DISK = "FILE", "BUSYBOX", "DISK"
"""In values, a file with the variable A, the image's name without a tag, and a disk."""


class Said(dict[str, Any]):
    """Several options, where one is another spelling of another."""


ON_FRONT = Said(networks=["front"])
FLAGS = ("oom_group", "oom_killer", "cpu_idle", "paused", "publish_all_ports", "auto_remove", "privileged", "read_only",
         "init", "tty", "interactive", "cleanup", "recreate", "restart", "force_kill")  # fmt: skip
LISTS = ("device_read_bps", "device_write_bps", "device_read_iops", "device_write_iops", "device_cgroup_rules",
         "groups", "published_ports", "exposed_ports", "networks", "volumes", "dns_servers", "dns_search_domains",
         "dns_opts", "cap_add", "cap_drop", "security_opts", "tmpfs", "devices", "ulimits", "depends_on")  # fmt: skip
MAPPINGS = ("hugetlb", "rdma", "misc", "env", "etc_hosts", "labels", "storage_opts", "sysctls", "log_options",
            "healthcheck")  # fmt: skip
TEXTS = ("cpuset_cpus", "cpuset_mems", "user", "working_dir", "hostname", "domainname", "stop_signal", "network_mode",
         "pid_mode", "cgroup_parent")  # fmt: skip
NONE: dict[str, Any] = dict.fromkeys(FLAGS, False) | {name: [] for name in LISTS} | {name: {} for name in MAPPINGS}
NONE |= dict.fromkeys(TEXTS, "")
NONE |= {"purge_networks": True, "keep_volumes": True, "detach": True, "pull": "missing", "state": "started"}
NONE |= {"restart_policy": "no", "restart_retries": 0, "stop_timeout": 10, "on_unhealthy": "none", "shm_size": "64m"}
NONE |= {"healthy_wait_timeout": 300, "oom_score_adj": 0, "ipc_mode": "private", "uts": "private", "cpu_burst": 0}
NONE |= {"cgroupns_mode": "private", "userns_mode": "host", "log_driver": "file", "memory_swappiness": "default"}
NONE |= {"cpu_shares": "default", "blkio_weight": "default", "cpu_period": "default"}
NONE |= dict.fromkeys(("memory", "memory_swap", "memory_reservation", "memory_high", "memory_min", "cpus"), "max")
NONE |= dict.fromkeys(("pids_limit", "ingress_rate", "egress_rate"), "max")
"""The value of options that says the same as nothing."""

MORE: dict[str, list[list[Any]]] = {
    "name": [["c"]],
    "state": [["started", "present", "started"]],
    "image": [[BUSYBOX, f"{BUSYBOX}:latest"]],
    "pull": [["missing", "never"]],
    "command": [[["sleep", "1000"], "sleep 1000", "sleep '1000'", ["sleep", 1000]]],
    "entrypoint": [[["sleep", "1000"], "sleep 1000"]],
    "memory": [["1g", "1024m", "1024MiB", 1 << 30], ["max", "unlimited", -1, 0]],
    "memory_swap": [[Said(memory="64m", memory_swap="128m"), Said(memory="64m", memory_swap=128 << 20)]],
    "memory_reservation": [["16m", 16 << 20], ["max", -1]],
    "memory_high": [["16m", 16 << 20]],
    "memory_min": [["4m", 4 << 20]],
    "memory_swappiness": [[10, "10"], ["max", "default"]],
    "cpus": [["0.5", 0.5, "0.50", Said(cpu_quota=50000)], ["max", 0, -1]],
    "cpu_quota": [[50000, "50000", Said(cpus="0.5")]],
    "cpu_period": [[50000, "50000"], ["default", 100000]],
    "cpu_shares": [[512, "512"]],
    "cpuset_cpus": [["0", "0-0", " 0 "]],
    "cpuset_mems": [["0", "0-0"]],
    "pids_limit": [[100, "100"], ["max", -1, 0]],
    "blkio_weight": [[500, "500"], ["default", 0]],
    "device_read_bps": [[[{"path": DISK, "rate": "1m"}], [{"path": DISK, "rate": 1 << 20}]]],
    "device_write_iops": [[[{"path": DISK, "rate": "10"}], [{"path": DISK, "rate": 10}]]],
    "device_cgroup_rules": [[["c 1:3 rwm"], ["c 1:3 mrw"]]],
    "hugetlb": [[{"2MB": "4m"}, {"2MB": 4 << 20}]],
    "env": [[{"A": "1", "B": "2"}, {"B": "2", "A": "1"}]],
    "env_file": [[FILE, Said(env={"A": "1"}), Said(env={"A": "1"}, env_file=FILE)]],
    "published_ports": [
        [["8080:80"], ["8080:80/tcp"], ["8080:80/TCP"]],
        [["8000-8001:80-81"], ["8001:81", "8000:80"]],
        [["80", "81"], ["80-81"], [81, "80/tcp", "80"]],
        [["127.0.0.1::80"], Said(published_ports=["80"], default_host_ip="127.0.0.1")],
        [Said(published_ports=["127.0.0.1:80:80"]), Said(published_ports=["80:80"], default_host_ip="127.0.0.1")],
    ],
    "exposed_ports": [[["80"], [80], ["80/tcp"]], [["80-81"], ["81", "80", "80"]]],
    "default_host_ip": [["", LEFT_OUT], ["127.0.0.1", LEFT_OUT]],
    "networks": [[["front"], [{"name": "front"}], [{"name": "front", "aliases": []}]]],
    "mac_address": [
        [MAC, MAC.upper().replace(":", "-"), Said(networks=[{"name": "front", "mac_address": MAC}])],
        ["", LEFT_OUT],
    ],
    "purge_networks": [[True, False]],
    "network_mode": [["private", "default", ""]],
    "ingress_rate": [["10mbit", "10000kbit", "1250kbps"], ["max", 0, -1]],
    "egress_rate": [["10mbit", "10000kbit"]],
    "volumes": [[["/etc:/x"], ["/etc/:/x/:rw"], ["/etc:/x:rprivate"]], [["files:/x"], ["files:/x:rw,z"]]],
    "mounts": [
        [[{"type": "bind", "source": "/etc", "target": "/x/"}], Said(volumes=["/etc:/x"])],
        [[{"type": "tmpfs", "target": "/x", "tmpfs_size": "1m"}], Said(tmpfs=["/x:size=1024k"])],
    ],
    "volumes_from": [[["o"], ["o:rw"], Said(volumes=["/etc:/x"])]],
    "restart_policy": [["always"]],
    "user": [["33:5", "033:05"]],
    "groups": [[["33", "5"], ["5", "33", "033"]]],
    "working_dir": [["/usr", "/usr/", "//usr/."]],
    "hostname": [["web"]],
    "dns_servers": [[["2001:DB8::1"], ["2001:db8:0::1"]]],
    "dns_search_domains": [[["a.test"], ["a.test."]]],
    "etc_hosts": [[{"a": "2001:DB8::1"}, {"a": "2001:db8:0::1"}]],
    "labels": [[{"a": "1", "b": "2"}, {"b": "2", "a": "1"}]],
    "stop_signal": [["USR1", "SIGUSR1", 10, "sigusr1"]],
    "kill_signal": [["USR1", "SIGUSR1", LEFT_OUT]],
    "cap_add": [[["NET_ADMIN"], ["CAP_NET_ADMIN"], ["net_admin", "NET_ADMIN"]]],
    "cap_drop": [[["NET_RAW", "CHOWN"], ["CAP_CHOWN", "net_raw"]]],
    "security_opts": [
        [["no-new-privileges"], ["no-new-privileges:true"], ["no-new-privileges=true"]],
        [[], ["label=disable"], ["apparmor:unconfined"]],
    ],
    "tmpfs": [[["/x"], ["/x/"], ["/x:nosuid,nodev,noexec"]], [["/x:size=1m"], ["/x:size=1048576"]]],
    "shm_size": [["1m", "1024k", 1 << 20]],
    "devices": [[["/dev/null"], ["/dev/null:/dev/null"], ["/dev/null:/dev/null:mwr"], ["/dev/null:rwm"]]],
    "ulimits": [[["nofile:512"], ["nofile:512:512"], ["NOFILE=512:512"]]],
    "storage_opts": [[Said(storage_opts={"size": "1g"}, state="stopped"),
                      Said(storage_opts={"size": "1024m"}, state="stopped")]],
    "sysctls": [[{"net.ipv4.ip_forward": "1"}, {"net/ipv4/ip_forward": "1"}, {"net.ipv4.ip_forward": " 1 "}]],
    "oom_score_adj": [[5, "5"]],
    "pid_mode": [["private", ""]],
    "depends_on": [[["o"], [{"name": "o"}], [{"name": "o", "condition": "started"}]]],
    "healthcheck": [[{"test": "true"}, {"test": ["CMD-SHELL", "true"]}]],
    "cleanup": [[True, False]],
    "cgroup_parent": [["/x.slice/y", "x.slice/y/", "//x.slice/./y"], ["", "pycontainers", "/pycontainers/"]],
    "comparisons": [[{"*": "strict"}, {}, {"memory": "ignore", "env": "allow_more_present"}, LEFT_OUT]],
    "force_kill": [[True, False]],
}  # fmt: skip

CASES = [(name, ways) for name, many in MORE.items() for ways in many]
CASES += [(name, [value, LEFT_OUT]) for name, value in NONE.items()]
BESIDE = dict.fromkeys(("published_ports", "default_host_ip", "mac_address", "ingress_rate", "egress_rate"), ON_FRONT)
BESIDE |= {"entrypoint": Said(command=[]), "image": Said(pull="never")}


def test_every_option_has_a_case() -> None:
    """No option is without two ways to say the same."""
    assert {name for name, _ in CASES} == {row.name for row in rows(Container) if not row.internal}


@pytest.mark.parametrize(("name", "ways"), CASES, ids=lambda each: each if isinstance(each, str) else "")
def test_one_way_to_say_it_is_the_other(host: Host, tmp_path: Path, name: str, ways: list[Any]) -> None:
    """From whichever way a container was declared in, all others find nothing to do."""
    (tmp_path / "env").write_text("A=1\n")
    host.network()
    if name in ("volumes_from", "depends_on"):
        host.run(name="o", volumes=["/etc:/x"])
    told = [_told(host, tmp_path, name, way) for way in ways]
    for first in (told[0], told[-1]):
        if not _has(host, first):
            assert len({getattr(_parsed(each), name) for each in told}) == 1
            continue
        for other in told:
            found = host.converge(**other, check=True)
            assert (found.changes, found.actions) == ((), ()), other
        host.converge(state="absent", force_kill=True)


def _has(host: Host, values: dict[str, Any]) -> bool:
    """Declare a container; whether this kernel has what limits it asks for."""
    try:
        host.converge(**values)
    except InvalidValue as error:
        if str(error).endswith("leave it out on this host"):
            return False
        raise
    return True


def _told(host: Host, folder: Path, name: str, way: Any) -> dict[str, Any]:
    said = way if isinstance(way, Said) else {} if way is LEFT_OUT else {name: way}
    task = {"image": host.busybox, "command": ["sleep", "1000"]} | BESIDE.get(name, {}) | said
    return {option: _here(host, folder, value) for option, value in task.items() if option != "name"}


def _here(host: Host, folder: Path, value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(FILE, str(folder / "env")).replace(BUSYBOX, host.busybox.removesuffix(":latest"))
    if isinstance(value, list) and value and isinstance(value[0], dict) and value[0].get("path") == DISK:
        return [{**each, "path": disk()} for each in value]
    return value


def _parsed(values: dict[str, Any]) -> Container:
    found: Container = parse(Container, {"name": "c", **values})
    return found
