# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for images in one playbook, checked, run, and run again."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import check, content
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

REPOSITORY = Path(__file__).resolve().parents[5]
SITE, TUNED = "registry.test/site:1", "registry.test/tuned:1"


def task(module: str, register: str, **arguments: Any) -> dict[str, Any]:
    """A task whose result is kept."""
    return {f"pycontainers.linux.{module}": arguments, "register": register}


def play(host: Host, tmp_path: Path, tasks: list[dict[str, Any]], *options: str) -> dict[str, Any]:
    """Run tasks on this machine, and return their results by what they are registered as."""
    names = [each["register"] for each in tasks]
    kept = {"ansible.builtin.copy": {"dest": str(tmp_path / "kept"), "content": "{{ kept | to_json }}"}}
    said = {name: f"{{{{ {name} }}}}" for name in names}
    book = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "module_defaults": {"group/pycontainers.linux.all": {"root": host.layout.root, "run": host.layout.run}},
            "tasks": [*tasks, {**kept, "vars": {"kept": said}, "check_mode": False}],
        }
    ]
    path = tmp_path / "book.yml"
    path.write_text(json.dumps(book))
    environment = {
        # The configuration of the checkout names an inventory, which need not be there.
        **{key: value for key, value in os.environ.items() if key != "ANSIBLE_CONFIG"},
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(path), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stderr
    found: dict[str, Any] = json.loads((tmp_path / "kept").read_text())
    return found


@pytest.fixture
def tasks(host: Host, tmp_path: Path) -> list[dict[str, Any]]:
    """An image of a directory, one of a container, an archive of both, and what is told of them."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("text")
    host.ended(host.shell("echo x > /new"))
    archive = {"path": str(tmp_path / "images.tar"), "names": [host.busybox]}
    made = {"source": "tree", "path": str(tmp_path / "tree"), "changes": ["USER web"]}
    return [
        task("image", "site", name=SITE, tags=["registry.test/site:current"], **made),
        task("container_commit", "tuned", container="c", image=TUNED, changes=["LABEL tuned=yes"]),
        task("image_export", "archive", **archive),
        task("image_load", "loaded", path=str(tmp_path / "more.tar")),
        task("image_info", "told"),
    ]


def test_a_playbook_of_images(host: Host, tmp_path: Path, tasks: list[dict[str, Any]]) -> None:
    """A check predicts what the run does, the run after it changes nothing, and a pruning takes what it announced."""
    other = host.image("other", {"Cmd": ["other"]})
    host.ok("save", "-o", str(tmp_path / "more.tar"), other)
    host.ok("rmi", other)
    predicted = play(host, tmp_path, tasks, "--check", "--diff")
    assert [content.entry_name(each) for each in content.entries(host.layout)] == [host.busybox]
    done = play(host, tmp_path, tasks, "--diff")
    again = play(host, tmp_path, tasks)
    for name in ("site", "tuned", "archive", "loaded"):
        assert (predicted[name]["changed"], done[name]["changed"], again[name]["changed"]) == (True, True, False)
        assert done[name]["actions"] == predicted[name]["actions"]
        assert done[name]["changes"] == predicted[name]["changes"]
        assert done[name]["diff"] == predicted[name]["diff"]
    names = {name for each in done["told"]["images"] for name in each["RepoTags"]}
    assert names == {host.busybox, SITE, "registry.test/site:current", TUNED, other}
    assert "diff" not in done["told"]
    assert check.check(host.layout) == []
    removal = {"containers": True, "images": True, "images_filters": {"dangling": False}}
    pruning = [{**task("prune", "told", **removal), "check_mode": True}, task("prune", "done", **removal)]
    pruned = play(host, tmp_path, pruning)
    for each in ("changed", "actions", "containers", "images", "layers", "images_space_reclaimed", "diff"):
        assert pruned["done"][each] == pruned["told"][each]
    assert set(pruned["done"]["images"]) == names
    assert content.entries(host.layout) == []
