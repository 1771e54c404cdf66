# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb doctor: each kind of damage is named and mended, and what is well is left alone."""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import store
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import namespaces
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, leases
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot, wait

GONE = "ab" * 32
WELL = "all is as it should be\n"


def findings(host: Host, *options: str, code: int = 1) -> list[dict[str, Any]]:
    """What it finds."""
    done = host.cli("doctor", "--json", *options)
    assert (done.returncode, done.stderr) == (code, ""), done
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def world(host: Host) -> Host:
    """A container on a network that is always to run, and one that is stopped."""
    host.network()
    host.run(name="web", networks=["front"], published_ports=["8080:80"], restart_policy="always", memory="32m")
    host.run(name="idle", networks=["front"])
    host.converge("idle", state="stopped", stop_timeout=0)
    return host


def test_what_is_well_is_left_alone(world: Host) -> None:
    """There is nothing to find, and looking changes nothing, nor does mending."""
    before = snapshot(world.layout)
    assert world.ok("doctor") == WELL
    assert world.ok("doctor", "--mend") == WELL
    assert snapshot(world.layout) == before


def test_nothing_at_all_is_well(host: Host) -> None:
    """On a host that has no container and no network yet, too."""
    assert host.ok("doctor") == WELL


def _kill(host: Host) -> None:
    """Kill waiter and program, so that nobody has recorded the end."""
    identity = container_state.identity_of(host.layout, "web") or ""
    for process in (lifecycle.waiter(host.layout, identity), lifecycle.running(host.layout, identity)):
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
    wait(lambda: lifecycle.running(host.layout, identity) is None)


def _kill_waiter(host: Host) -> None:
    waiter = lifecycle.waiter(host.layout, container_state.identity_of(host.layout, "web") or "")
    assert waiter is not None
    os.kill(waiter.pid, signal.SIGKILL)
    wait(lambda: not waiter.alive)


def _unfinished(host: Host) -> None:
    """A folder with a record that no name stands for."""
    folder = host.layout.container(GONE)
    shutil.copytree(host.layout.container(host.observed("idle").id or ""), folder, symlinks=True)
    record = f"{folder}/container.json"
    store.write_json(record, {**(store.read_json(record) or {}), "id": GONE, "name": "begun"})


def _traces(host: Host) -> None:
    """A pinned namespace, and an address, of a container that has no folder."""
    namespaces.pin(host.layout.netns(GONE))
    leases.take(host.layout, "front", GONE)


def _damaged(host: Host) -> None:
    Path(container_state.record_path(host.layout, host.observed("idle").id or "")).write_text("{")


def _command(words: str) -> Callable[[Host], object]:
    return lambda host: subprocess.run(words.split(), check=True)


@pytest.mark.parametrize(
    ("damage", "subject", "reason"),
    [
        (_kill, "container web", "it should run and does not"),
        (_kill_waiter, "container web", "not as declared: waiter"),
        (_unfinished, f"container {GONE[:12]}", "not removed, under the name begun"),
        (_traces, f"container {GONE[:12]}", "has left network namespace, address 10.91.0.4 on network front"),
        (_command("ip link set pyc-front down"), "network front", "not as declared: link"),
        (_command("nft delete table inet pycontainers"), "network front", "not as declared: firewall"),
    ],
    ids=["killed", "waiter", "unfinished", "traces", "link", "firewall"],
)
def test_damage_is_named_and_mended(
    world: Host, damage: Callable[[Host], object], subject: str, reason: str
) -> None:
    """It is named once more as long as it is there; mended, all is well, and what runs goes on where it did."""
    pid = world.pid("web")
    damage(world)
    for _ in range(2):
        first = findings(world)[0]
        assert first["subject"] == subject
        assert reason in first["reason"]
        assert first["fix"]
    assert {each["result"] for each in findings(world, "--mend", code=0)} == {"mended"}
    assert world.ok("doctor") == WELL
    assert world.pid("web") == pid or damage is _kill


def test_what_can_not_be_mended_is_said(world: Host) -> None:
    """A record that can't be read is left to people, with what helps; the rest is mended all the same."""
    _damaged(world)
    _kill_waiter(world)
    found = world.cli("doctor", "--mend")
    assert found.returncode == 1
    (broken, mended, count) = found.stdout.splitlines()
    assert broken.startswith("container idle: cannot read ")
    assert broken.endswith("or remove it")
    assert mended == "container web: not as declared: waiter: mended"
    assert count == "2 findings"
    world.ok("rm", "idle")
    assert world.ok("doctor") == WELL


def test_images_are_looked_at(world: Host) -> None:
    """Damage to the store is told with what helps."""
    blobs = Path(world.layout.images, "blobs/sha256")
    blob = max(blobs.iterdir(), key=lambda each: each.stat().st_size)
    content = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(b"not it" + content)
    (found, *_) = (each for each in findings(world) if each["subject"] == str(blob))
    assert not found["harmless"]
    assert found["reason"]
    assert "pull" in found["fix"]
