# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports of a container that is on several networks."""
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, firewall
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network import NETWORK
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import SLEEP, Host


def inner(host: Host, **options: Any) -> None:
    """Declare a network "inner", internal unless said otherwise."""
    given = {"name": "inner", "subnet": "10.92.0.0/24", "internal": True, **options}
    converge(NETWORK, host.layout, parse(NETWORK.model, given), False)


def test_ports_are_reached_by_the_network_that_leads_outside(host: Host) -> None:
    """A container that is on an internal network first has its ports on the other; again, nothing changes."""
    inner(host)
    host.network()
    values: dict[str, Any] = {"networks": [{"name": "inner"}, {"name": "front"}], "published_ports": ["8080:80"]}
    container = host.run(**values)
    assert set(firewall.read_ports().values()) == {(dict(container.held)["front"][0], 80)}
    assert not host.converge(image=host.busybox, command=SLEEP, **values).changed
    host.converge(state="stopped")
    assert firewall.read_ports() == {}


def test_ports_on_internal_networks_only_are_refused(host: Host) -> None:
    """Nobody could reach them: told before anything is made, by name of option and networks."""
    inner(host)
    with pytest.raises(InvalidValue, match=r"published_ports.*of its networks \(inner\) all are internal"):
        host.run(networks=[{"name": "inner"}], published_ports=["8080:80"])
    assert container_state.identities(host.layout) == []


def test_a_container_whose_network_has_become_internal_is_stopped(host: Host) -> None:
    """It can be stopped and removed, and its ports go; it is refused only to start again."""
    inner(host, internal=False)
    host.run(networks=[{"name": "inner"}], published_ports=["8080:80"])
    inner(host)
    host.converge(state="stopped")
    assert firewall.read_ports() == {}
    with pytest.raises(InvalidValue, match="all are internal"):
        host.converge(state="started")
    host.converge(state="absent")
