# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many containers that come to one network at once."""
from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, leases
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import Bench

MANY = 200


def at_once(names: list[str], act: Callable[[str], object], folder: Path) -> float:
    """Do something for each name in a process of its own, all begun before any is waited for; the seconds it took."""
    folder.mkdir()
    begun = time.monotonic()
    children = [_child(name, act, folder / name) for name in names]
    for child in children:
        os.waitpid(child, 0)
    taken = time.monotonic() - begun
    assert {each.name: each.read_text() for each in folder.iterdir() if each.stat().st_size} == {}
    return taken


def _child(name: str, act: Callable[[str], object], report: Path) -> int:
    child = os.fork()
    if child == 0:
        try:
            act(name)
        except BaseException:
            report.write_text(traceback.format_exc())
        finally:
            os._exit(0)
    return child


def test_two_hundred_containers_start_at_once(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No address is given twice, every name is known to all in both families, and all go without a leftover."""
    bench = Bench(host.layout)
    bench.network("front", subnet="10.88.0.0/23", ipv6_subnet="fd00:88::/64")
    names = [f"c{number}" for number in range(MANY)]
    taken = at_once(names, lambda name: host.run(name=name, networks=["front"]), tmp_path / "started")
    there = {name: host.observed(name) for name in names}
    assert {each.state for each in there.values()} == {"started"}
    assert {each.attached for each in there.values()} == {("front",)}
    addresses = {name: dict(each.held)["front"] for name, each in there.items()}
    assert len({address for own in addresses.values() for address in own}) == 2 * MANY
    assert sorted(leases.read(host.layout, "front")) == sorted(each for own in addresses.values() for each in own)
    for each in there.values():
        assert _known(host, each.id or "") == addresses
    for name, other in (("c0", f"c{MANY - 1}"), (f"c{MANY - 1}", "c0")):
        for option in ("-4", "-6"):
            assert "1 packets received" in host.ok("exec", name, "ping", option, "-c1", "-W2", other)
    gone = at_once(names, lambda name: host.converge(name, state="absent", stop_timeout=0), tmp_path / "gone")
    with capsys.disabled():
        print(f" {1000 * taken / MANY:.0f} ms to start, {1000 * gone / MANY:.0f} ms to remove each", end=" ")
    assert leases.read(host.layout, "front") == {}
    assert [name for name in links.links() if name.startswith("v")] == []
    assert container_state.identities(host.layout) == []
    bench.close()


def _known(host: Host, identity: str) -> dict[str, tuple[str, ...]]:
    """The addresses that a container's hosts file has by name."""
    found: dict[str, tuple[str, ...]] = {}
    for line in Path(host.layout.container(identity, "hosts")).read_text().splitlines():
        address, *names = line.split()
        for each in names:
            if each.startswith("c") and each[1:].isdecimal():
                found[each] = (*found.get(each, ()), address)
    return found
