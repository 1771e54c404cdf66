# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a container receives and sends: what is set is held to, changed and lifted while it runs."""
from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import endpoint, endpoint_steps
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import Bench

RATE, BITS = "8mbit", 8_000_000
SENT = 1 << 20
"""Bytes: what takes a second at this rate, but for the first 65536, which a bucket lets pass at once."""


@pytest.fixture
def bench(host: Host) -> Iterator[Bench]:
    """Two networks; containers go before them."""
    made = Bench(host.layout)
    made.network("front", subnet="10.88.1.0/24")
    made.network("back", subnet="10.88.2.0/24")
    yield made
    for name in ("c", "near"):
        host.converge(name, state="absent", stop_timeout=0)
    made.close()


def rates(host: Host) -> tuple[list[int], list[int]]:
    """What the kernel holds on both ends of a container's interfaces."""
    found = host.observed("c")
    path, outside = host.layout.netns(found.id or ""), links.links()
    own = [link.index for name, link in outside.items() if name.startswith(f"v{(found.id or '')[:6]}")]
    inside = [link.index for link in links.links(path).values() if not link.loopback]
    sent, received = links.rates(path), links.rates()
    return [received.get(each, -1) for each in own], [sent.get(each, -1) for each in inside]


def seconds(bench: Bench, source: str | None, target: str | None, address: str, port: int) -> float:
    """How long the transfer of ``SENT`` bytes takes."""
    waiting = bench.listen(target, port)
    calling = bench._socket(source, waiting.type, waiting.family)
    calling.settimeout(30)
    calling.connect((address, port))
    with waiting.accept()[0] as accepted:
        accepted.settimeout(30)
        begin, left = time.monotonic(), SENT
        calling.setblocking(False)
        content = memoryview(bytes(SENT))
        while left:
            if content:
                with suppress(BlockingIOError):
                    content = content[calling.send(content) :]
            accepted.setblocking(not content)
            try:
                left -= len(accepted.recv(1 << 20))
            except BlockingIOError:
                time.sleep(0.001)
        return time.monotonic() - begin


def is_free(bench: Bench, source: str | None, target: str | None, address: str, port: int) -> bool:
    """Whether one of some transfers, to ports from that one on, takes less than a rate would let it: hosts are busy."""
    return any(seconds(bench, source, target, address, port + more) < 0.8 for more in range(5))


def test_a_rate_holds_traffic_back(host: Host, bench: Bench) -> None:
    """In each direction by itself, also between containers of one network."""
    one = host.run(networks=["front"], ingress_rate=RATE).id or ""
    other = host.run(name="near", networks=["front"]).id or ""
    address = {name: dict(host.observed(name).held)["front"][0] for name in ("c", "near")}
    assert seconds(bench, other, one, address["c"], 80) > 0.8
    assert is_free(bench, one, other, address["near"], 90), "only what it receives is held back"
    host.converge(ingress_rate="max", egress_rate=RATE)
    assert seconds(bench, one, other, address["near"], 81) > 0.8
    assert is_free(bench, other, one, address["c"], 90)


def test_rates_change_while_it_runs(host: Host, bench: Bench) -> None:
    """On all networks, with a diff, without another process; a new network has them too; they are lifted again."""
    host.run(networks=["front"], egress_rate=RATE)
    pid = host.pid("c")
    assert rates(host) == ([-1], [BITS])
    check = host.converge(ingress_rate="2mbit", networks=["front", "back"], check=True)
    assert rates(host) == ([-1], [BITS])
    (change,) = (each for each in check.changes if each.path == "ingress_rate")
    assert (change.before, change.after, change.effect.name) == ("max", "2mbit", "LIVE")
    host.converge(ingress_rate="2mbit", networks=["front", "back"])
    assert rates(host) == ([2_000_000] * 2, [BITS] * 2)
    assert not host.converge(ingress_rate="2000kbit").changed
    assert not host.converge(networks=["front", "back"]).changed, "what is left out stays"
    host.converge(ingress_rate="max", egress_rate="0")
    assert rates(host) == ([-1] * 2, [-1] * 2)
    assert host.pid("c") == pid


def test_what_others_have_put_in_its_place_is_replaced(host: Host, bench: Bench) -> None:
    """A queue of another kind, whatever its number, which is mostly 1:."""
    identity = host.run(networks=["front"], ingress_rate=RATE, egress_rate=RATE).id or ""
    own = endpoint.observe_endpoint(host.layout, identity, host.observed().networks or ())["front"]
    for prefix, name in (("", own.host_interface), (f"nsenter --net={host.layout.netns(identity)} ", own.interface)):
        subprocess.run(f"{prefix}tc qdisc replace dev {name} root handle 1: pfifo".split(), check=True)
    assert rates(host) == ([-1], [-1])
    assert host.converge().changed
    assert rates(host) == ([BITS], [BITS])
    assert not host.converge().changed


@pytest.mark.parametrize(
    "change", [{"networks": [{"name": "front", "ipv4_address": "10.88.1.99"}]}, {"env": {"A": "b"}}], ids=str
)
def test_they_are_kept_by_what_renews_interfaces(host: Host, bench: Bench, change: dict[str, Any]) -> None:
    """An interface that is made anew has them, and so has another container of the same name, and one restarted."""
    host.run(networks=["front"], ingress_rate=RATE, egress_rate=RATE)
    host.converge(**change)
    assert rates(host) == ([BITS], [BITS])
    host.converge(state="stopped", stop_timeout=0)
    host.converge(state="started")
    assert rates(host) == ([BITS], [BITS])
    assert not host.converge().changed


def test_a_change_that_fails_leaves_them(host: Host, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on an interface that went and came back."""
    host.run(networks=["front"], ingress_rate=RATE, egress_rate=RATE)

    def broken(step: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(endpoint_steps.TellNames, "do", broken)
        with pytest.raises(Failure, match="Input/output error"):
            host.converge(networks=[{"name": "front", "ipv4_address": "10.88.1.99"}], ingress_rate="1mbit")
    assert rates(host) == ([BITS], [BITS])
    assert not host.converge().changed


def test_without_a_network_there_is_nothing_to_hold_back(host: Host, bench: Bench) -> None:
    """That is said before anything is done; no limit is fine."""
    with pytest.raises(InvalidValue, match="'8mbit' as ingress_rate: the container is on no network"):
        host.run(ingress_rate=RATE)
    host.run(ingress_rate="max")
