# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian host with systemd as pid 1: the role's unit, boot and shutdown; and a host with neither init system."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, Fleet, Run

HOST = "debian1"
UNIT = "/etc/systemd/system/pycontainers.service"
SCRIPT = """
trap 'echo {name} stopped >> /order/log; exit' TERM
echo {name} started >> /order/log; while :; do sleep 0.1; done
"""


def deploy(fleet: Fleet, host: str, *options: str) -> Run:
    """Run the playbook deploy_nginx, whose first part is the role, for one host."""
    return fleet.play(
        "deploy_nginx",
        *options,
        deploy_nginx_hosts=host,
        deploy_nginx_image=f"{fleet.registry}/nginx:latest",
        host_insecure_registries=[fleet.registry],
    )


@pytest.fixture(scope="module")
def debian(fleet: Fleet) -> Iterator[Fleet]:
    """The testbed with a Debian host on which the playbook has been run."""
    fleet.testbed("up", str(len(HOSTS)), "--debian")
    run = deploy(fleet, HOST)
    assert run.status == 0, run.output
    yield fleet
    fleet.shell(HOST, "systemctl poweroff")


def inspect(fleet: Fleet, *names: str) -> list[dict[str, Any]]:
    """Containers as the host's command shows them."""
    found: list[dict[str, Any]] = json.loads(fleet.shell(HOST, f"pycontainers inspect {' '.join(names)}"))
    return found


def test_the_playbook_runs_there(debian: Fleet) -> None:
    """The page is served, a second run changes nothing, and systemd has the service enabled and started."""
    assert debian.shell(HOST, "cat /proc/1/comm") == "systemd"
    assert "Welcome to nginx" in debian.page(HOST)
    again = deploy(debian, HOST)
    assert again.count(HOST, "changed") == 0, again.output
    service = "systemctl is-enabled pycontainers; systemctl is-active pycontainers"
    assert debian.shell(HOST, service) == "enabled\nactive"


def test_the_unit_is_what_systemd_takes(debian: Fleet) -> None:
    """systemd-analyze finds nothing to say of the unit that the role has written."""
    assert debian.shell(HOST, f"systemd-analyze verify --man=no {UNIT} 2>&1") == ""


def test_a_reboot_stops_and_starts_them_in_order(debian: Fleet) -> None:
    """Who depends on another is stopped before that by systemd, and started after that, with the same id."""
    image = f"{debian.registry}/busybox:latest"
    debian.shell(HOST, "mkdir -p /srv/order")
    for name, needs in (("z", ""), ("y", "--requires z"), ("x", "--requires y")):
        run = f"pycontainers run -d --name {name} --restart always -v /srv/order:/order {needs} {image}"
        debian.shell(HOST, f'{run} sh -c "{SCRIPT.format(name=name)}"')
    debian.shell(HOST, "pycontainers run -d --name once " + image + " sleep 1000")
    names = ("nginx", "x", "y", "z", "once")
    before = inspect(debian, *names)
    debian.shell(HOST, "until [ $(wc -l < /srv/order/log) = 3 ]; do sleep 0.1; done; : > /srv/order/log")
    debian.testbed("reboot", HOST)
    debian.seconds_until_page(HOST, most=30)
    debian.shell(HOST, "for i in $(seq 100); do [ $(wc -l < /srv/order/log) = 6 ] && exit; sleep 0.1; done; exit 1")
    said = debian.shell(HOST, "cat /srv/order/log").splitlines()
    assert said == [*(f"{name} stopped" for name in "xyz"), *(f"{name} started" for name in "zyx")]
    after = inspect(debian, *names)
    assert [each["Id"] for each in after] == [each["Id"] for each in before]
    assert [each["State"]["Running"] for each in after] == [True] * 4 + [False]
    assert [each["NetworkSettings"] for each in after[:1]] == [each["NetworkSettings"] for each in before[:1]]
    assert debian.shell(HOST, "systemctl is-active pycontainers; systemctl --failed --plain --no-legend") == "active"
    debian.shell(HOST, "pycontainers doctor")


def test_the_service_can_be_stopped_and_started(debian: Fleet) -> None:
    """A stop of the service ends all containers, a start brings back what is to run, and what fails is in its log."""
    debian.shell(HOST, "pycontainers stop -t 0 z; systemctl stop pycontainers")
    assert debian.shell(HOST, "pycontainers ps -q") == ""
    debian.shell(HOST, "pycontainers rm z; systemctl start pycontainers")
    assert debian.shell(HOST, "pycontainers ps | grep -c nginx") == "1"
    assert debian.shell(HOST, "systemctl is-active pycontainers") == "active"
    told = debian.shell(HOST, "journalctl -b -o cat -u pycontainers")
    assert "cannot start container y: there is no container z, on which it depends" in told
    assert "cannot start container x: container y, on which it depends, does not run" in told


def test_a_host_with_neither_is_told_what_there_is(fleet: Fleet) -> None:
    """On a host whose init system is another the role says which it is and which there have to be, and does nothing."""
    host = HOSTS[0]
    fleet.shell(host, "mv /sbin/openrc /sbin/openrc.away; mv /sbin/openrc-run /sbin/openrc-run.away")
    try:
        run = deploy(fleet, host, "--check")
    finally:
        fleet.shell(host, "mv /sbin/openrc.away /sbin/openrc; mv /sbin/openrc-run.away /sbin/openrc-run")
    assert run.status != 0
    said = " ".join(run.output.split())
    assert "the service that starts containers at boot exists for openrc and systemd only" in said
    assert run.count(host, "changed") == 0
