# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``delete --force`` of containers that are not as they should be: damaged records, processes that nobody reaps."""
from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import remove
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.limits import groups
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci


def test_a_process_that_its_caller_does_not_reap(oci: Oci) -> None:
    """What exec ran is dead when it has ended, also as a zombie of whoever called: nobody waits for it."""
    first = oci.run()
    pid_file = oci.bundle / "exec.pid"
    words = ["exec", "--detach", "--pid-file", str(pid_file), "c", "sleep", "1000"]
    # What is left to the test process is reaped at the end. The program would hold pipes open.
    subprocess.run([COMMAND, "--root", oci.root, *words], check=True, timeout=30, env={}, stdout=subprocess.DEVNULL)
    pid = int(pid_file.read_text())
    begun = time.monotonic()
    oci.ok("delete", "--force", "c")
    took = time.monotonic() - begun
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    assert (state, took < 8) == ("Z", True)
    assert oci.call("state", "c").returncode == 1
    # Its namespace's first process ends when that one is reaped.
    oci.wait(lambda: not os.path.exists(f"/proc/{first}"))


DAMAGED = {
    "half written": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "no object": lambda text: "[]",
    "another format": lambda text: json.dumps({"init_process_pid": 1, "id": "c", "cgroup_paths": {"memory": "/"}}),
    "another's": lambda text: text.replace('"id": "c"', '"id": "other"'),
    "wrong types": lambda text: text.replace('"cgroup": "pycontainers-c"', '"cgroup": ["pycontainers-other"]'),
    "no pid": lambda text: re.sub(r'"pid": \d+', '"pid": "x"', text),
}


def damage(oci: Oci, how: Callable[[str], str], identity: str = "c") -> None:
    """Damage a container's record."""
    record = oci.root / identity / "state.json"
    before = record.read_text()
    record.write_text(how(before))
    assert record.read_text() != before


@pytest.mark.parametrize("how", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record(oci: Oci, how: Callable[[str], str]) -> None:
    """By force a running container with a damaged record is removed with a warning, and no other is touched."""
    pid, other = oci.run(), oci.run("other")
    damage(oci, how)
    said = oci.call("delete", "c")
    assert (said.returncode, "remove the container by delete --force" in said.stderr) == (1, True)
    assert os.path.exists(f"/proc/{pid}")
    log = oci.bundle / "log"
    oci.ok("--log", str(log), "delete", "--force", "c")
    assert "container c is removed by its id alone" in log.read_text()
    oci.reap()
    assert not os.path.exists(f"/proc/{pid}")
    assert not (oci.root / "c").exists()
    assert {os.path.basename(each) for each in oci.cgroups()} == {"pycontainers-other"}
    assert oci.state("other")["pid"] == other


def test_listing_damaged_ones(oci: Oci) -> None:
    """A damaged record is listed as such, and those after it are listed too."""
    oci.create("a")
    oci.create("b")
    damage(oci, DAMAGED["half written"], "a")
    listed = {each["id"]: (each["status"], each["pid"] > 0) for each in json.loads(oci.ok("list", "--format", "json"))}
    assert listed == {"a": ("damaged", False), "b": ("created", True)}
    assert oci.ok("list", "--quiet") == "a\nb\n"


def test_one_that_is_not_started(oci: Oci) -> None:
    """The first process of a created container ends, also where the cgroup is not the container's alone."""
    with_group(oci, "/pycontainers-shared")
    pid = oci.create()
    damage(oci, DAMAGED["empty"])
    oci.ok("delete", "--force", "c")
    oci.wait(lambda: not os.path.exists(f"/proc/{pid}"))
    remove(groups(), "pycontainers-shared")


def with_group(oci: Oci, path: str) -> None:
    """Let the next container be in a group of this path."""
    oci.configure(change=lambda document: document["linux"].update(cgroupsPath=path))


@pytest.mark.parametrize("path", ["/pycontainers-x/c", "pycontainers.slice:engine:c"])
def test_a_group_of_the_configuration(oci: Oci, path: str) -> None:
    """A group that the configuration names by the container's id goes, with all that runs in it."""
    with_group(oci, path)
    with open(os.devnull, "r+b") as null:
        driver = ["--systemd-cgroup"] if ":" in path else []
        command = [COMMAND, "--root", str(oci.root), *driver, "run", "--detach", "c"]
        subprocess.run(command, check=True, timeout=30, env={}, cwd=oci.bundle, stdin=null, stdout=null)
    pid = oci.state()["pid"]
    damage(oci, DAMAGED["empty"])
    oci.ok("delete", "--force", "c")
    oci.reap()
    assert not os.path.exists(f"/proc/{pid}")
    top = "pycontainers-x" if ":" not in path else "pycontainers.slice"
    assert [os.listdir(each) for each in groups().directories(top) if "c" in os.listdir(each)] == []
    remove(groups(), top)


def test_a_group_of_another_name(oci: Oci) -> None:
    """A group that is not named by the id is left with what runs in it, and that is told."""
    with_group(oci, "/pycontainers-shared")
    pid = oci.run()
    damage(oci, DAMAGED["empty"])
    log = oci.bundle / "log"
    oci.ok("--log", str(log), "delete", "--force", "c")
    assert "cgroup pycontainers-shared is not named by the container's id" in log.read_text()
    os.kill(pid, 9)
    oci.wait(lambda: not os.path.exists(f"/proc/{pid}"))
    remove(groups(), "pycontainers-shared")


def test_a_damaged_record_below_a_long_name(oci: Oci) -> None:
    """The first process that waits to be started ends also where the path of its socket is longer than sockets' are."""
    identity = "n" * 200

    def elsewhere(document: dict[str, Any]) -> None:
        document["linux"]["cgroupsPath"] = "/pycontainers-test-elsewhere"

    oci.configure(change=elsewhere)
    pid = oci.create(identity)
    try:
        damage(oci, lambda text: "", identity)
        oci.ok("delete", "--force", identity)
        oci.wait(lambda: not os.path.exists(f"/proc/{pid}"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        oci.wait(lambda: not os.path.exists(f"/proc/{pid}"))
        remove(groups(), "pycontainers-test-elsewhere")
