# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that makes folders in folders without end keeps nobody from looking at its container or removing it."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.erase import erase
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.room import size_of
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.prune import PRUNE, Prune
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

NAME = "d" * 50


def deepen(folder: Path | str, levels: int) -> None:
    """Make folders in each other, as a program does that changes into each."""
    place = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(NAME, dir_fd=place)
        below = os.open(NAME, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)


@pytest.fixture(params=[100, 1500], ids=["too deep for a path", "too deep for Python's stack"])
def deep(host: Host, request: pytest.FixtureRequest) -> str:
    """Where a container that has ended has written so many folders in each other."""
    host.ended(host.run(["true"]))
    upper = host.layout.container(host.observed().id or "", "upper")
    deepen(upper, request.param)
    return upper


def test_a_container_with_deep_folders_is_removed(host: Host, deep: str) -> None:
    """Nothing is left of it."""
    assert host.converge(state="absent").changed
    assert os.listdir(host.layout.containers) == []


def test_a_container_with_deep_folders_is_pruned(host: Host, deep: str) -> None:
    """What it takes is told, as far as a layer may be deep, and it goes."""
    host.converge(state="stopped")
    done = converge(PRUNE, host.layout, parse(Prune, {"containers": True}), False)
    assert done.facts["containers_space_reclaimed"] > 100 * 4096
    assert os.listdir(host.layout.containers) == []


def test_deep_folders_are_no_layer(host: Host, deep: str) -> None:
    """A commit says so, whatever of the two it is; a comparison tells all, or that it can't."""
    assert "more than 255 folders deep, or its path" in host.failure("commit", "c", "registry.test/deep:1")
    shown = host.cli("diff", "c")
    assert f"A /{NAME}/{NAME}" in shown.stdout or "more than 255 folders deep" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_folders_with_names_that_are_taken_are_erased(tmp_path: Path) -> None:
    """What is moved up to be removed comes in nobody's way, and files beside it go too."""
    folder = tmp_path / "folder"
    for name in ("one", "two"):
        folder.joinpath(name).mkdir(parents=True)
        folder.joinpath(name, "file").write_bytes(bytes(4096))
        deepen(folder / name, 250)
    assert size_of([str(folder)]) > 2 * 250 * 4096
    erase(str(folder))
    assert os.listdir(tmp_path) == []
