# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx in a virtual machine with cgroup version 2, after a reboot."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testinfra.host import Host

from ansible_collections.pycontainers.linux.molecule.shared.checks import (
    CHECKS,
    COMMAND,
    break_all,
    inspect,
    wait_for_page,
)
from ansible_collections.pycontainers.linux.molecule.shared.runs import ephemeral, mend


@pytest.fixture(scope="module")
def before() -> Any:
    """The host and its container as they were before the reboot."""
    return json.loads((ephemeral() / "before/vm1.json").read_text())


@pytest.fixture(scope="module")
def vm(hosts: list[Host]) -> Host:
    """The virtual machine, once it has started its containers."""
    (host,) = hosts
    wait_for_page(host)
    return host


def it_is_the_one_of_before(host: Host, before: Any) -> None:
    """The container has its id, its image and its address still, and was started since then."""
    (was,), found = before["container"], inspect(host)
    for part in ("Id", "Image", "NetworkSettings", "HostConfig"):
        assert found[part] == was[part]
    assert found["State"]["StartedAt"] > was["State"]["StartedAt"]


def test_the_host_has_really_rebooted(vm: Host, before: Any) -> None:
    """The kernel says that this is another boot, and has cgroup version 2 alone."""
    assert vm.check_output("cat /proc/sys/kernel/random/boot_id") != before["boot"]
    assert vm.file("/sys/fs/cgroup/cgroup.controllers").exists


def test_all_is_there_again(vm: Host, before: Any) -> None:
    """It is the same container, with the same limits, and serves its page."""
    it_is_the_one_of_before(vm, before)
    for check in CHECKS:
        check(vm)


def test_what_somebody_breaks_is_seen_and_mended(vm: Host, before: Any) -> None:
    """Each check fails once its thing is broken, and a run mends all but that a removed container is another one."""
    break_all(vm)
    image = before["container"][0]["Config"]["Image"]
    vm.check_output(f"{COMMAND} rm nginx && {COMMAND} run -d --name nginx --memory 32m {image}")
    with pytest.raises(AssertionError):
        it_is_the_one_of_before(vm, before)
    vm.check_output("rc-update -q add pycontainers")
    mend()
    for check in CHECKS:
        check(vm)
