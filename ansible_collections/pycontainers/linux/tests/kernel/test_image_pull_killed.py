# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls that are killed: the store is right at every moment, and what has been received is not fetched again."""
from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, garbage
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.check import check
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from testbed.registry import Liar, Server

COMMAND = Path(__file__).resolve().parents[5] / "bin/pycontainers"
KILLS = 10


def blobs(layout: Layout) -> dict[str, int]:
    """Map the names in the folder of blobs to their sizes."""
    folder = Path(layout.images) / "blobs/sha256"
    return {path.name: path.stat().st_size for path in folder.iterdir()} if folder.exists() else {}


def pulling(layout: Layout, name: str) -> subprocess.Popen[bytes]:
    """Begin a pull as a process of its own."""
    command = [sys.executable, str(COMMAND), "--root", layout.root, "--run", layout.run, "pull", name]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def received(layout: Layout) -> int:
    """Count the bytes of all blobs, whole or not."""
    return sum(blobs(layout).values())


def test_a_killed_pull_leaves_a_store_that_is_right_and_the_next_goes_on(layout: Layout, server: Server) -> None:
    """Ten times at any moment: nothing in the store is damaged, and nothing that has come is asked for again."""
    began = time.monotonic()
    pull(Layout(f"{layout.root}/whole", layout.run), parse_reference(f"{server.address}/nginx:latest"))
    whole = time.monotonic() - began + 0.2  # the start of the interpreter
    liar = Liar(server.address)
    with liar as address:
        name = f"{address}/nginx:latest"
        for turn in range(KILLS):
            before, mark = blobs(layout), len(liar.requests)
            child = pulling(layout, name)
            time.sleep(whole * (turn + random.random()) / KILLS)
            child.kill()
            child.wait()
            # Its unpacking processes end with it and let go of the lock, which the check waits for.
            assert [each for each in check(layout) if not each.harmless] == []
            held_to(before, liar, mark)
        before, mark = blobs(layout), len(liar.requests)
        assert pull(layout, parse_reference(name)).layers
        held_to(before, liar, mark)
    assert check(layout) == []
    assert not any(each.endswith(content.ASIDE) for each in blobs(layout))


def held_to(before: dict[str, int], liar: Liar, mark: int) -> None:
    """See that requests since a mark were for what was not there."""
    for request in liar.requests[mark:]:
        digest = request.path.rpartition("sha256:")[2]
        assert "/blobs/" not in request.path or digest not in before
        size = before.get(digest + content.ASIDE, 0)
        assert "/blobs/" not in request.path or not size or request.range == f"bytes={size}-"


def test_a_pull_that_is_killed_midway_goes_on_where_it_was(layout: Layout, server: Server) -> None:
    """The rest of a layer is asked for, and only that."""
    liar = Liar(server.address)
    with liar as address:
        name = f"{address}/nginx:latest"
        image = pull(layout, parse_reference(name))
        manifest = json.loads(Path(content.blob(layout, image.manifest_digest)).read_bytes())
        largest = max(manifest["layers"], key=lambda each: each["size"])
        path = content.blob(layout, largest["digest"])
        bytes_of_it = Path(path).read_bytes()
        garbage.remove(layout, parse_reference(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path + content.ASIDE).write_bytes(bytes_of_it[:1_000_000])
        mark = len(liar.requests)
        assert pull(layout, parse_reference(name)).layers
        asked = [each.range for each in liar.requests[mark:] if each.path.endswith(largest["digest"])]
    assert asked == ["bytes=1000000-"]
    assert check(layout) == []


def test_a_damaged_part_is_fetched_anew(layout: Layout, server: Server) -> None:
    """What a power cut has left of a part need not be what was received: then the whole is asked for, once."""
    liar = Liar(server.address)
    with liar as address:
        name = f"{address}/busybox:latest"
        image = pull(layout, parse_reference(name))
        layer = json.loads(Path(content.blob(layout, image.manifest_digest)).read_bytes())["layers"][0]
        garbage.remove(layout, parse_reference(name))
        Path(content.blob(layout, layer["digest"]) + content.ASIDE).write_bytes(bytes(1000))
        mark = len(liar.requests)
        assert pull(layout, parse_reference(name)).layers
        asked = [each.range for each in liar.requests[mark:] if each.path.endswith(layer["digest"])]
    assert asked == ["bytes=1000-", None]
    assert check(layout) == []


def test_unpacking_processes_end_with_the_pull(layout: Layout, server: Server) -> None:
    """None of them outlives a killed pull, and none a pull that has ended."""
    child = pulling(layout, f"{server.address}/nginx:latest")
    try:
        wait(lambda: bool(children(child.pid)))
        ours = children(child.pid)
    finally:
        child.kill()
        child.wait()
    wait(lambda: not any(map(is_alive, ours)))
    before = children(os.getpid())
    pull(layout, parse_reference(f"{server.address}/busybox:latest"))
    assert children(os.getpid()) == before


def test_a_pull_needs_no_signal_of_its_children(layout: Layout, server: Server) -> None:
    """Where whoever called it has SIGCHLD ignored, the kernel has waited for them already."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert pull(layout, parse_reference(f"{server.address}/busybox:latest")).layers
    finally:
        signal.signal(signal.SIGCHLD, before)


def children(pid: int) -> list[int]:
    """List the children of a process's main thread."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Tell whether a process still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait(until: Callable[[], bool]) -> None:
    """Wait for something to become true, ten seconds at most."""
    end = time.monotonic() + 10
    while not until():
        assert time.monotonic() < end
        time.sleep(0.005)
