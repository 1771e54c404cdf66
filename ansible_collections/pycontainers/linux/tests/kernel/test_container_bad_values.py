# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value that an option does not take costs a container nothing that runs, whatever the option."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import rows
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

BAD: dict[str, list[Any]] = {
    **{row.name: ["perhaps", 2] for row in rows(Container) if row.kind.name == "bool" and not row.internal},
    **{row.name: ["perhaps"] for row in rows(Container) if row.choices and not row.internal},
    "name": [],
    "cgroup_parent": ["/", "a/../b", "pycontainers/other", "/cgroup.procs", "a/" + "b" * 256],
    "comparisons": [{"env": "perhaps"}, {"what": "ignore"}, {"state": "ignore"}, {"memory": "allow_more_present"},
                    {"command": "allow_more_present"}, {"healthcheck": "allow_more_present"},
                    {"*": "allow_more_present"}, "ignore"],
    "image": ["UPPER", "busybox:", "a b", ""],
    "command": ["it's", {"a": 1}, ["no such program"]],
    "entrypoint": ["it's", ["/no/such/program"]],
    "env": [["A"], {"A": 1}, {"": "1"}],
    "env_file": ["relative", "/no/such/file", "/etc"],
    "published_ports": [["0"], ["8080:x"], ["70000:1"], ["8080:80", "8080:81"], "8080:80", ["8080:80/icmp"],
                        ["203.0.113.300:1:1"]],
    "exposed_ports": [["x"], ["0"], ["80/icmp"], ["81-80"], "80"],
    "default_host_ip": ["localhost", "::1", "10.0.0.0/8"],
    "networks": [["nowhere"], "front", [{"name": "front", "ipv4_address": "192.0.2.1"}], [{"links": ["a"]}]],
    "mac_address": ["02:42", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"],
    "network_mode": ["bridge9", "container:nobody", "ns:relative", "ns:/no/such/namespace"],
    "ingress_rate": ["quick", "1bit"],
    "egress_rate": ["quick", "1bit"],
    "volumes": [["./a:/x"], ["/no/such/path:/x"], ["/etc:/x:sometimes"], ["/etc:/"], "/etc:/x", ["/a:/x", "/b:/x"]],
    "mounts": [[{"target": "/x", "type": "npipe"}], [{"source": "a"}], [{"target": "/x", "type": "bind"}]],
    "volumes_from": [["nobody"], ["c"], ["a:sometimes"], "a"],
    "restart_retries": [-1, "few"],
    "stop_timeout": [-1, "long", 1.5],
    "depends_on": [["nobody"], ["c"], [{"name": "a", "condition": "perhaps"}], "a"],
    "healthcheck": [{"test": ["RUN", "x"]}, {"interval": "often"}, {"what": 1}],
    "healthy_wait_timeout": ["long"],
    "user": ["a:b:c", "nobody-of-this-name"],
    "groups": [["no-group-of-this-name"], "root", [""]],
    "working_dir": ["relative", "/a/../b"],
    "hostname": ["a b", "-a", "x" * 65],
    "domainname": ["a b"],
    "dns_servers": [["localhost"], ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]],
    "dns_search_domains": [[""], [".", "a"]],
    "dns_opts": [["a b"]],
    "etc_hosts": [{"a": "nowhere"}, {"a b": "192.0.2.1"}],
    "labels": [{"a": 1}, {"": "a"}],
    "stop_signal": ["WHAT", "99"],
    "kill_signal": ["WHAT", "99"],
    "cap_add": [["FLY"], "NET_ADMIN"],
    "cap_drop": [["FLY"]],
    "security_opts": [["perhaps"], ["seccomp=/no/such/file"], ["seccomp=/etc/hostname"]],
    "tmpfs": [["x"], ["/"], ["/x:what"], ["/x:size=much"], ["/x", "/x/"]],
    "shm_size": ["much", 0],
    "devices": [["/no/such/device"], ["/etc/hostname"], ["/dev/null:x:y:z"], ["/dev/null:q"]],
    "ulimits": [["what:1"], ["nofile"], ["nofile:9:5"], ["nofile:x"]],
    "storage_opts": [{"what": "1g"}, {"size": "much"}],
    "sysctls": [{"what": "1"}, {"vm.swappiness": "1"}, {"net.no.such.setting": "1"}],
    "oom_score_adj": [1001, "soon"],
    "pid_mode": ["mine", "container:nobody", "container:a b"],
    "log_options": [{"what": "1"}, {"max-size": "much"}],
    "memory": ["much", "1", "-5m", "101%"],
    "memory_swap": ["much", "4m"],
    "memory_reservation": ["much"],
    "memory_high": ["much"],
    "memory_min": ["much"],
    "memory_swappiness": [101, "often"],
    "cpus": ["many", "0.0001", 100000],
    "cpu_period": [1, "long"],
    "cpu_burst": ["much", -2],
    "cpu_quota": ["much", 1],
    "cpu_shares": [1, "many"],
    "cpuset_cpus": ["x", "3-1", "4095"],
    "cpuset_mems": ["x", "1023"],
    "pids_limit": ["many", 1 << 40],
    "blkio_weight": [9, "much"],
    **{
        f"device_{name}": [[{"path": "/no/such", "rate": 5}], [{"path": "/", "rate": "x"}], [{"path": "x", "rate": 1}]]
        for name in ("read_bps", "write_bps", "read_iops", "write_iops")
    },
    "hugetlb": [{"huge": "1m"}, {"2MB": "many"}],
    "rdma": [{"a": {"wings": 1}}, {"a b": {"handles": 1}}],
    "misc": [{"a": "many"}],
    "device_cgroup_rules": [["x 1:3 r"], ["c 1:3 q"], "c 1:3 r"],
}  # fmt: skip

BESIDE: dict[str, dict[str, Any]] = {"memory_swap": {"memory": "64m"}, "mac_address": {"networks": ["front"]}}
BESIDE["default_host_ip"] = {"published_ports": ["8080:80"], "networks": ["front"]}
ELSEWHERE = {
    ("command", "no such program"): "executable file not found",
    ("entrypoint", "/no/such/program"): "no such file",
    ("user", "nobody-of-this-name"): "nobody-of-this-name",
    ("groups", "no-group-of-this-name"): "no-group-of-this-name",
}
"""What the image has or has not: it is known once the new root filesystem is there, beside the old one."""


def test_every_option_has_a_bad_value() -> None:
    """No option is without a value that it does not take; of a name that is none there is no container."""
    assert set(BAD) == {row.name for row in rows(Container) if not row.internal}
    assert [name for name, values in BAD.items() if not values] == ["name"]


@pytest.mark.parametrize("name", [name for name, values in BAD.items() if values])
def test_a_bad_value_costs_nothing(host: Host, name: str) -> None:
    """The error names option, value and reason, and the container keeps its process, its record, its name."""
    host.network()
    host.run(networks=["front"], env={"A": "1"})
    pid, record = host.pid(), Path(container_state.record_path(host.layout, host.observed().id or ""))
    before = record.read_text()
    for value in BAD[name]:
        first = value[0] if isinstance(value, list) and value else value
        elsewhere = ELSEWHERE.get((name, first)) if isinstance(first, str) else None
        for check in (True, False):
            if elsewhere and check:
                continue
            with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
                host.converge(**BESIDE.get(name, {}) | {name: value}, check=check)
            if elsewhere:
                assert elsewhere in str(caught.value), value
                continue
            if name == "networks" and not isinstance(caught.value, InvalidValue):
                assert isinstance(caught.value, Failure)
                assert " network " in caught.value.operation
                continue
            assert isinstance(caught.value, InvalidValue), (value, caught.value)
            assert caught.value.option.partition("[")[0] == name, (value, caught.value)
            assert f" as {caught.value.option}: " in str(caught.value)
            assert repr(caught.value.value) in str(caught.value)
            assert len(caught.value.reason) > 5
        assert host.pid() == pid, value
        assert record.read_text() == before, value
    assert container_state.identities(host.layout) == [host.observed().id]
