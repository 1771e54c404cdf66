# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever networks do on a host, it is reached from another host all the time, by what was open and what is new."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, Fleet

HOST, OTHER = HOSTS
STORE = "/var/lib/pycontainers"
ANSWER = """
import socket, threading
def serve(link):
    while said := link.recv(100):
        link.sendall(said)
waiting = socket.create_server(("", 2223))
while True:
    threading.Thread(target=serve, args=[waiting.accept()[0]], daemon=True).start()
"""
ASK = """
import os, socket, sys, time
address, stop = sys.argv[1:]
lasting = socket.create_connection((address, 2223), timeout=5)
asked = 0
while not os.path.exists(stop):
    lasting.sendall(b"still there?")
    assert lasting.recv(100) == b"still there?"
    with socket.create_connection((address, 22), timeout=5) as link:
        assert link.recv(4) == b"SSH-"
    asked += 1
    time.sleep(0.02)
print(asked)
"""
"""One connection lasts, another is made anew each time, to the host's own ssh; the first failure ends it."""

CHANGES = (
    "network create --subnet 10.90.1.0/24 plain",
    "network create --subnet 10.90.2.0/24 --internal inner",
    "network create --subnet 10.90.3.0/24 --ipv6 -o isolate=false dual",
    "network create --subnet 10.90.4.0/24 -o com.docker.network.bridge.enable_ip_masquerade=false routed",
    "run -d --name one --network plain -p 9022:22 -p 9080-9099:80-99 IMAGE sleep 1000",
    "run -d --name two --network dual --network plain --ingress-rate 1mbit -p 9053:53/udp IMAGE sleep 1000",
    "run -d --name three --network inner IMAGE sleep 1000",
    "network connect routed three",
    "network disconnect inner three",
    "! nft flush ruleset 2>/dev/null; ip link del pyc-plain; ip link set pyc-dual down",
    "! ip addr add 10.77.0.1/24 dev pyc-inner",
    "boot",
    "! sysctl -qw net.ipv4.ip_forward=0",
    "boot",
    "network create -d macvlan --subnet 10.213.7.0/24 --gateway 10.213.7.1 -o parent=eth0 lan",
    "run -d --name four --network lan IMAGE sleep 1000",
    "rm -f one two three four",
    "network rm plain inner dual routed lan",
)
"""Verbs, and after ! what somebody does to it by hand."""


@pytest.fixture
def asking(fleet: Fleet) -> Iterator[str]:
    """A program on the other host that asks the whole time; the value is the file that ends it."""
    insecure = json.dumps({"insecure": [fleet.registry]})
    fleet.shell(HOST, f"mkdir -p {STORE} && cat > {STORE}/registries.json", insecure)
    installed = fleet.task(HOST, "runtime", {"state": "present"})
    assert not installed["failed"], installed
    fleet.shell(HOST, f"pycontainers pull {fleet.registry}/busybox:latest")
    serve, ask = shlex.quote(ANSWER), shlex.quote(ASK)
    fleet.shell(HOST, f"python3 -c {serve} >/tmp/serving 2>&1 & echo $! >/tmp/serving.pid; sleep 0.5")
    where = f"{fleet.address(HOST)} /tmp/stop"
    fleet.shell(OTHER, f"rm -f /tmp/stop; python3 -c {ask} {where} >/tmp/asked 2>&1 & echo $! >/tmp/asking.pid")
    yield "/tmp/stop"
    fleet.shell(OTHER, "kill $(cat /tmp/asking.pid) 2>/dev/null; rm -f /tmp/stop /tmp/asked /tmp/asking.pid")
    fleet.shell(HOST, "kill $(cat /tmp/serving.pid); rm -f /tmp/serving /tmp/serving.pid")


def test_a_host_is_reached_whatever_its_networks_do(fleet: Fleet, asking: str) -> None:
    """Networks of all kinds come, are damaged, mended and go, with containers and ports on them."""
    before = fleet.snapshot(HOST)["links"]
    for change in CHANGES:
        words = change.replace("IMAGE", f"{fleet.registry}/busybox:latest")
        fleet.shell(HOST, words[2:] if words.startswith("! ") else f"pycontainers {words}")
    asked = fleet.shell(OTHER, f"touch {asking}; sleep 1; cat /tmp/asked")
    assert asked.isdigit(), asked
    assert int(asked) >= len(CHANGES)
    assert fleet.snapshot(HOST)["links"] == before
