# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime that is killed: ``delete --force`` removes what it has left, whatever it was about to do."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, MISSING, Oci, hook, wait
from ansible_collections.pycontainers.linux.tests.kernel.oci_traces import all_gone, deleted, killed, steps, traces

REACHED = 0.9
"""The part of the steps that must be come to: how often a runtime waits is not the same each time."""


@pytest.mark.parametrize("manager", ["", "disabled"], ids=["cgroup", "no cgroup"])
def test_killed_create(oci: Oci, manager: str) -> None:
    """Whenever create is killed, its first process ends or is found, and a pid file is whole or not there."""
    file = oci.bundle / "pid"
    words = ("--cgroup-manager", manager, "create", "--pid-file", str(file), "c")
    oci.configure(change=_with_hooks)
    before = traces(oci.root)
    deaths = 0
    chosen = _steps(oci, *words)
    for step in chosen:
        deaths += killed(oci, step, *words)
        assert not file.exists() or file.read_text().isdecimal()
        file.unlink(missing_ok=True)
        done = oci.call("state", "c")
        assert done.returncode == 0 or MISSING in done.stderr, (step, done)
        deleted(oci)
        all_gone(oci, before)
    assert deaths > REACHED * len(chosen) > 10


@pytest.mark.parametrize("words", [("sleep", "1000"), ("sh", "-c", "sleep 1000 & exec sleep 1000")], ids=["one", "two"])
def test_killed_delete(oci: Oci, words: tuple[str, ...]) -> None:
    """Whenever the forced deletion of a running container is killed, it can be repeated."""
    oci.configure(*words, change=_share_pids if len(words) > 2 else _with_hooks)
    before = traces(oci.root)
    oci.run()
    deaths = 0
    chosen = _steps(oci, "delete", "--force", "c")
    for step in chosen:
        all_gone(oci, before)
        oci.run()
        deaths += killed(oci, step, "delete", "--force", "c")
        deleted(oci)
    all_gone(oci, before)
    assert deaths > REACHED * len(chosen) > 10


@pytest.mark.parametrize(
    "words",
    [("start", "c"), ("exec", "--detach", "c", "sleep", "1000"), ("pause", "c"), ("update", "--pids-limit", "9", "c")],
    ids=lambda words: words[0],
)
def test_killed_change(oci: Oci, words: tuple[str, ...]) -> None:
    """Whenever a verb that changes a container is killed, the container can be deleted, and what the verb has begun."""
    before = traces(oci.root)
    begin = oci.create if words[0] == "start" else oci.run
    begin()
    chosen = _steps(oci, *words)
    deaths = 0
    for step in chosen:
        all_gone(oci, before)
        begin()
        deaths += killed(oci, step, *words)
        oci.state("c")
        deleted(oci)
    all_gone(oci, before)
    assert deaths > REACHED * len(chosen) > 2


def test_a_killed_runtimes_hook(oci: Oci) -> None:
    """A hook that the killed runtime was waiting for ends with it: nobody else would when its time is over."""

    def change(document: dict[str, Any]) -> None:
        document["hooks"] = {"createRuntime": [hook("exec sleep 1000")]}

    oci.configure(change=change)
    before = traces(oci.root)
    with open(os.devnull, "r+b") as null:
        command = [COMMAND, "--root", str(oci.root), "create", "c"]
        running = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, cwd=oci.bundle, env={})
    wait(lambda: b"sleep" in b"".join(_command_lines(running.pid)))
    running.kill()
    running.wait()
    deleted(oci)
    all_gone(oci, before)


def _command_lines(parent: int) -> list[bytes]:
    """Those of a process's children."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]


def _share_pids(document: dict[str, Any]) -> None:
    """Without a pid namespace the second process does not end with the first."""
    document["linux"]["namespaces"] = [each for each in document["linux"]["namespaces"] if each["type"] != "pid"]


def _with_hooks(document: dict[str, Any]) -> None:
    document["hooks"] = {kind: [hook("exit 0")] for kind in ("createRuntime", "createContainer", "poststop")}


def _steps(oci: Oci, *words: str) -> list[tuple[str, int]]:
    """The steps of a verb, which is carried out once to see them."""
    found = steps(oci, *words)
    deleted(oci)
    return found
