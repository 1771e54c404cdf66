# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads and exports that are killed, and several at once."""
from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import check, content, garbage
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.check_layers import check_layers
from testbed.registry import images

REPOSITORY = Path(__file__).resolve().parents[5]
NAME = "registry.test/nginx:1"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of an image with some layers."""
    path = tmp_path_factory.mktemp("archive") / "nginx.tar"
    words = ["skopeo", "--insecure-policy", "copy", f"oci:{images().directory}/nginx:latest"]
    subprocess.run([*words, f"oci-archive:{path}:{NAME}"], check=True, capture_output=True)
    return path


def verb(layout: Layout, *words: str) -> subprocess.Popen[bytes]:
    """Call the command line of the checkout beside the test."""
    command = [sys.executable, "-B", str(REPOSITORY / "bin/pycontainers"), "--root", layout.root, "--run", layout.run]
    return subprocess.Popen([*command, *words], stdout=subprocess.DEVNULL)


def killed(running: subprocess.Popen[bytes], seconds: float) -> None:
    """Kill a verb after a time, or find it done."""
    time.sleep(max(0.0, seconds))
    running.send_signal(signal.SIGKILL)
    running.wait()


def damages(layout: Layout) -> list[str]:
    """What is wrong in a store, not counting what only takes room."""
    found = [str(each) for each in check.check(layout) if not each.harmless]
    return [*found, *(str(each) for each in check_layers(layout))]


def test_a_killed_load_leaves_a_right_store_that_the_next_completes(
    layout: Layout, archive: Path, tmp_path: Path
) -> None:
    """Killed at any moment nothing half done has a name, and what was left aside goes with the next load."""
    other = Layout(str(tmp_path / "other"), str(tmp_path / "other-run"))
    began = time.monotonic()
    assert verb(other, "load", "-i", str(archive)).wait() == 0
    took = time.monotonic() - began
    for moment in (0.3, 0.6, 0.9):
        killed(verb(layout, "load", "-i", str(archive)), took * (moment + random.uniform(-0.1, 0.1)))
        assert damages(layout) == []
    assert verb(layout, "load", "-i", str(archive)).wait() == 0
    assert [each.id for each in content.images(layout)] == [each.id for each in content.images(other)]
    assert damages(layout) == []
    assert list(Path(layout.root).rglob(f"*{content.ASIDE}")) == []
    with content.lock(layout):
        assert garbage.unused(layout) == garbage.Unused()


def test_a_killed_export_leaves_what_was_there(layout: Layout, archive: Path, tmp_path: Path) -> None:
    """The archive of before stays until the new one is whole, and the next export takes the leftovers away."""
    assert verb(layout, "load", "-i", str(archive)).wait() == 0
    path = tmp_path / "export.tar"
    began = time.monotonic()
    assert verb(layout, "save", "-o", str(path), NAME).wait() == 0
    took = time.monotonic() - began
    whole = path.read_bytes()
    for moment in (0.5, 0.8):
        path.write_bytes(b"before")
        killed(verb(layout, "save", "-o", str(path), NAME), took * (moment + random.uniform(-0.1, 0.1)))
        assert path.read_bytes() in (b"before", whole)
    assert verb(layout, "save", "-o", str(path), NAME).wait() == 0
    assert path.read_bytes() == whole
    assert list(tmp_path.glob(f".*{content.ASIDE}")) == []


def test_several_at_once_take_turns(layout: Layout, archive: Path) -> None:
    """Loads of one archive, and a pruning, at the same time all do well, and one image is there."""
    names = [f"registry.test/n{number}:1" for number in range(3)]
    running = [verb(layout, "load", "-i", str(archive), "--name", name) for name in names]
    running.append(verb(layout, "image", "prune", "-f"))
    assert [each.wait() for each in running] == [0] * 4
    (image,) = content.images(layout)
    assert image.references == tuple(names)
    assert damages(layout) == []
