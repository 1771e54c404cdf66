# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode of every module: it changes nothing, and what it predicts is what the run does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, ROOT, Fleet, Task

HOST = HOSTS[1]
STORE = "/var/lib/pycontainers"

# In order, as each task stands on those before it; the removals take away all that the others made.
SLEEP = {"command": ["sleep", "1000"]}
STORY = [
    ("image", {"name": "{registry}/busybox:latest"}),
    ("image", {"name": "{registry}/busybox:latest", "tags": ["checked.test/tagged:1"]}),
    ("image_export", {"path": "/srv/checked.tar", "names": ["checked.test/tagged:1"]}),
    ("image_load", {"path": "{archive}", "remote_src": False}),
    ("image", {"name": "checked.test/archived:1", "source": "archive", "path": "{archive}", "remote_src": False}),
    ("bridge_network", {"name": "checked", "subnet": "10.89.0.0/24"}),
    ("bridge_network", {"name": "checked", "mtu": 1400, "masquerade": False}),
    ("container", {"name": "checked", "image": "{registry}/busybox:latest", "memory": "32m"} | SLEEP),
    ("container", {"name": "checked", "memory": "max", "pids_limit": "20", "restart_policy": "always"}),
    ("cgroup_limit", {"name": "checked", "cpus": "0.25"}),
    ("container_commit", {"container": "checked", "image": "checked.test/committed:1"}),
    ("image_push", {"name": "checked.test/committed:1", "destination": "{registry}/pushed:1"}),
    ("container", {"name": "checked", "networks": [{"name": "checked"}], "published_ports": ["9080:80"]}),
    ("container", {"name": "checked", "state": "stopped"}),
    ("container", {"name": "checked", "state": "started"}),
    ("container", {"name": "checked", "state": "absent"}),
    ("bridge_network", {"name": "checked", "state": "absent"}),
    ("image", {"name": "{registry}/busybox:latest", "state": "absent"}),
    ("prune", {"images": True, "images_filters": {"dangling": False}}),
    ("overlay_rootfs", {"path": "/srv/merged", "lower": ["/etc", "/usr"]}),
    ("overlay_rootfs", {"path": "/srv/merged", "state": "absent"}),
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive on the controller, with one image that no host has."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "tree").mkdir()
    (folder / "tree/file").write_text("of the controller")
    command = [sys.executable, f"{ROOT}/bin/pycontainers", "--root", f"{folder}/root", "--run", f"{folder}/run"]
    name = "checked.test/sent:1"
    for words in (["import", f"{folder}/tree", name], ["save", "-o", f"{folder}/sent.tar", name]):
        subprocess.run([*command, *words], check=True, stdout=subprocess.DEVNULL)
    return str(folder / "sent.tar")


@pytest.fixture(scope="module")
def results(fleet: Fleet, archive: str) -> list[dict[str, Any]]:
    """Of each task: snapshots around its check, what that predicted, what the run did, and what the next did."""
    insecure = json.dumps({"insecure": [fleet.registry]})
    fleet.shell(HOST, f"mkdir -p {STORE} && cat > {STORE}/registries.json", insecure)
    asked: list[Task | None] = []
    for module, template in STORY:
        text = json.dumps(template).replace("{registry}", fleet.registry).replace("{archive}", archive)
        task = Task(module, json.loads(text))
        asked += [None, replace(task, check=True), None, task, task]
    told = fleet.tasks(HOST, asked)
    kinds = ("before", "predicted", "after", "done", "again")
    return [dict(zip(kinds, told[at : at + len(kinds)], strict=True)) for at in range(0, len(told), len(kinds))]


def named(result: dict[str, Any], what: str) -> str:
    """A part of a result as text, without what is random or the time: a new container's id and when it was made."""
    text = json.dumps(result[what])
    text = re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b|(?<=v)[0-9a-f]{6}(?=[0-9a-f]{8}\b)", "ID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME", text)


@pytest.mark.parametrize("step", range(len(STORY)))
def test_tasks_succeed(results: list[dict[str, Any]], step: int) -> None:
    """Each task of the story changes something, in check mode as well."""
    for run in ("predicted", "done"):
        assert not results[step][run]["failed"], results[step][run]["msg"]
        assert results[step][run]["changed"]


@pytest.mark.parametrize("step", range(len(STORY)))
def test_check_mode_changes_nothing(results: list[dict[str, Any]], step: int) -> None:
    """Files, mounts, links, rules, settings and cgroups are after a check what they were before."""
    for kind, found in results[step]["before"].items():
        assert results[step]["after"][kind] == found


@pytest.mark.parametrize("step", range(len(STORY)))
@pytest.mark.parametrize("what", ["changes", "actions"])
def test_predictions_come_true(results: list[dict[str, Any]], step: int, what: str) -> None:
    """The run makes the changes and takes the steps that the check predicted."""
    assert named(results[step]["done"], what) == named(results[step]["predicted"], what)


@pytest.mark.parametrize("step", range(len(STORY)))
def test_a_second_run_changes_nothing(results: list[dict[str, Any]], step: int) -> None:
    """The same task again finds everything as it should be."""
    assert not results[step]["again"]["changed"], results[step]["again"]["actions"]
    assert results[step]["again"]["changes"] == []


def test_removal_leaves_nothing(results: list[dict[str, Any]], fleet: Fleet) -> None:
    """After the removals mounts, links, rules and cgroups are those of before, but for the cgroups that all share."""
    after = fleet.snapshot(HOST)
    shared = ("/pycontainers", "/pycontainers/waiters")
    after["cgroups"] = [each for each in after["cgroups"] if not each.endswith(shared)]
    for kind in ("mounts", "links", "rules", "cgroups"):
        assert after[kind] == results[0]["before"][kind]
