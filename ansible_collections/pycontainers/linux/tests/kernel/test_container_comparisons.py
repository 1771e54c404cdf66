# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a container of which a difference does not count, or only what is missing does."""
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host


def test_what_is_ignored_is_as_it_is(host: Host) -> None:
    """A new container gets it; one that is there keeps what it has, whatever that costs elsewhere."""
    task: dict[str, Any] = {"memory": "64m", "env": {"A": "1"}, "comparisons": {"memory": "ignore", "env": "ignore"}}
    host.run(**task)
    assert host.observed().memory == 64 << 20
    pid = host.pid()
    task |= {"memory": "32m", "env": {"A": "2"}}
    assert not host.converge(**task).changed
    done = host.converge(**task, cpus="0.5")
    assert [each.path for each in done.changes] == ["cpus"]
    assert (host.observed().memory, host.observed().env, host.pid()) == (64 << 20, (("A", "1"),), pid)


def test_an_image_that_is_ignored(host: Host) -> None:
    """Another one takes no new container."""
    host.run()
    pid = host.pid()
    other = host.image("other", {"User": "33"})
    assert not host.converge(image=other, comparisons={"image": "ignore"}).changed
    assert host.converge(image=other, check=True).changed
    assert host.pid() == pid


def test_all_that_is_not_named(host: Host) -> None:
    """What is named is compared as it is said, all else as the star says."""
    host.run(memory="64m", labels={"a": "1"})
    ways = {"*": "ignore", "memory": "strict"}
    done = host.converge(command=["sleep", "5"], memory="32m", labels={}, comparisons=ways)
    assert [each.path for each in done.changes] == ["memory"]
    assert host.converge(state="stopped", comparisons={"*": "ignore"}).changed


@pytest.mark.parametrize(
    ("option", "before", "said", "after"),
    [
        ("labels", {"a": "1", "b": "1"}, {"b": "2"}, {"a": "1", "b": "2"}),
        ("env", {"a": "1", "b": "1"}, {"b": "2"}, {"a": "1", "b": "2"}),
        ("published_ports", ["80:80", "81:81"], ["81:82"], ["80:80", "81:82"]),
        ("published_ports", ["80", "8081:81"], ["82"], ["80", "8081:81", "82"]),
        ("networks", ["front"], ["back"], ["back", "front"]),
        ("volumes", ["/etc:/a", "/etc:/b"], ["/usr:/b"], ["/etc:/a", "/usr:/b"]),
        ("ulimits", ["nofile:512", "core:0"], ["nofile:256"], ["core:0", "nofile:256"]),
        ("cap_add", ["NET_ADMIN"], ["SYS_TIME"], ["NET_ADMIN", "SYS_TIME"]),
        ("exposed_ports", ["80", "81"], ["82"], ["80", "81", "82"]),
        ("sysctls", {"net.ipv4.ip_forward": "1"}, {"net.ipv4.ip_default_ttl": "9"},
         {"net.ipv4.ip_forward": "1", "net.ipv4.ip_default_ttl": "9"}),
    ],
)  # fmt: skip
def test_more_may_be_present(host: Host, option: str, before: Any, said: Any, after: Any) -> None:
    """What the task names is as it says, what there is beside stays; a second run finds nothing to do."""
    host.network()
    host.network("back", "10.92.0.0/24")
    host.run(**{"networks": ["front"]} | {option: before})
    ways = {option: "allow_more_present"}
    check = host.converge(**{option: said}, comparisons=ways, check=True)
    done = host.converge(**{option: said}, comparisons=ways)
    assert check.changes == done.changes
    assert option in [each.path for each in done.changes]
    assert not host.converge(**{option: said}, comparisons=ways).changed
    assert not host.converge(**{option: after}).changed


def test_more_of_what_is_one_value(host: Host) -> None:
    """A health check is a dictionary of which there is one: it is refused, whether the container has one or not."""
    host.run(healthcheck={"test": "true"})
    with pytest.raises(InvalidValue, match=r"comparisons\['healthcheck'\]: it is one value"):
        host.converge(healthcheck={"test": "false"}, comparisons={"healthcheck": "allow_more_present"})


def test_more_that_does_not_go_with_it(host: Host) -> None:
    """Where both can't be, the task fails and nothing is touched."""
    host.run(dns_servers=["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    pid = host.pid()
    with pytest.raises(InvalidValue, match="dns_servers: what is to stay"):
        host.converge(dns_servers=["192.0.2.4"], comparisons={"dns_servers": "allow_more_present"})
    assert host.pid() == pid
