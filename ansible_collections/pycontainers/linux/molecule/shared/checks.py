# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of a host that runs nginx, and ways to break each."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

from testbed import network
from testbed.instance import Instance

COMMAND = "/usr/local/bin/pycontainers"
PORT = 8080
MEMORY, QUOTA, PERIOD, PIDS = str(64 << 20), "50000", "100000", "100"
CGROUP = "cd /sys/fs/cgroup; id=pycontainers/$(basename $(readlink /var/lib/pycontainers/names/nginx)); "
LIMITS = f"""{CGROUP}
if [ -e cgroup.controllers ]; then cd $id && cat memory.max cpu.max pids.max
else cat memory/$id/memory.limit_in_bytes cpu/$id/cpu.cfs_quota_us cpu/$id/cpu.cfs_period_us pids/$id/pids.max; fi"""
LOWER = f"{CGROUP} file=memory/$id/memory.limit_in_bytes; [ -e $file ] || file=$id/memory.max; echo {48 << 20} > $file"
FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=2).read().decode())"
FLUSH = "from pyroute2.nftables.main import NFTables as N; N(nfgen_family=1).table('del', name='pycontainers')"


def inspect(host: Host) -> Any:
    """The container as the host's own command shows it."""
    return json.loads(host.check_output(f"{COMMAND} inspect nginx"))[0]


def page(host: Host) -> str:
    """The page of a host as another machine on its network gets it, or nothing if none comes."""
    testbed = Instance.from_environment()
    url = f"http://{testbed.address(host.backend.get_hostname())}:{PORT}/"
    command = network.command(testbed, sys.executable, "-c", FETCH, url)
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout


def limits(host: Host) -> list[str]:
    """What the kernel's files say of memory, processors and processes, whichever version of cgroups has them."""
    return str(host.check_output(LIMITS)).split()


def it_runs(host: Host) -> None:
    """The container runs, and is to run always."""
    found = inspect(host)
    assert found["State"]["Running"]
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "always"


def it_is_limited(host: Host) -> None:
    """The kernel has the limits that the playbook says."""
    assert limits(host) == [MEMORY, QUOTA, PERIOD, PIDS]


def it_serves_its_page(host: Host) -> None:
    """Other machines get the page at the host's port."""
    assert "Welcome to nginx" in page(host)


def it_comes_back_at_boot(host: Host) -> None:
    """The service that starts containers is enabled, and was started."""
    service = host.service("pycontainers")
    assert service.is_enabled
    assert service.is_running


def nothing_is_amiss(host: Host) -> None:
    """The runtime's own look at the host finds nothing wrong."""
    said = host.run(f"{COMMAND} doctor")
    assert said.rc == 0, said.stdout


Check = Callable[[Host], None]

CHECKS: tuple[Check, ...] = (it_runs, it_is_limited, it_serves_its_page, it_comes_back_at_boot, nothing_is_amiss)


def lower_memory(host: Host) -> None:
    """Change a limit behind the runtime's back."""
    host.check_output(LOWER)


def flush_firewall(host: Host) -> None:
    """Take away the firewall rules that published ports are."""
    host.check_output(f'python3 -c "{FLUSH}"')


def disable_service(host: Host) -> None:
    """Have the host forget the service at its next boot."""
    command = "systemctl disable -q" if host.exists("systemctl") else "rc-update -q del"
    host.check_output(f"{command} pycontainers")


def stop_container(host: Host) -> None:
    """Stop nginx as an operator would."""
    host.check_output(f"{COMMAND} stop nginx")


BREAKS: tuple[tuple[Check, tuple[Check, ...]], ...] = (
    (flush_firewall, (it_serves_its_page, nothing_is_amiss)),
    (lower_memory, (it_is_limited,)),
    (disable_service, (it_comes_back_at_boot,)),
    (stop_container, (it_runs,)),
)
"""What breaks a host, and which checks fail then; in this order each of them holds until its turn."""


def fails(check: Check, host: Host) -> None:
    """A check finds what it is there to find."""
    with pytest.raises(AssertionError):
        check(host)


def break_all(host: Host) -> None:
    """Break one thing after another; each check holds before, and fails after."""
    for make_it_fail, checks in BREAKS:
        for check in checks:
            check(host)
        make_it_fail(host)
        for check in checks:
            fails(check, host)


def wait_for_page(host: Host, seconds: float = 60) -> None:
    """Return when the page is there; fail if it does not come."""
    end = time.monotonic() + seconds
    while not page(host):
        assert time.monotonic() < end, f"no page within {seconds} s"
        time.sleep(0.2)
