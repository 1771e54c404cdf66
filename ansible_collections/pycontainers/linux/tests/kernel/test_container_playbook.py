# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that work inside containers, called by Ansible."""
from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.test_image_controller import Controller


@pytest.fixture
def controller(host: Host, tmp_path: Path) -> Controller:
    """A controller of the host, on which the container c runs."""
    host.run()
    made = Controller(tmp_path / "far")
    made.layout = host.layout
    return made


def test_files_of_the_controller_get_into_a_container(host: Host, controller: Controller, tmp_path: Path) -> None:
    """A file and a directory arrive with their modes and links, once, and nothing of them stays on the host."""
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub/file").write_text("text\n")
    (tree / "sub/file").chmod(0o750)
    (tree / "link").symlink_to("sub/file")
    inside = Path(f"/proc/{host.pid()}/root")
    for path in (tree, tree / "sub/file", tree / "link"):
        given: dict[str, Any] = {"container": "c", "path": str(path), "container_path": f"/{path.name}"}
        predicted = controller.task("container_copy_into", "--check", **given)
        assert (predicted["failed"], predicted["changed"]) == (False, True)
        done = controller.task("container_copy_into", **given)
        assert (done["actions"], done["changes"]) == (predicted["actions"], predicted["changes"])
        assert done["actions"] == [f"copy {path} to c:/{path.name}"]
        assert not controller.task("container_copy_into", **given, pipelining=False)["changed"]
    assert (inside / "tree/sub/file").read_text() == "text\n"
    assert os.readlink(inside / "tree/link") == "sub/file"
    assert (inside / "link").is_file()
    assert stat.S_IMODE((inside / "file").stat().st_mode) == 0o750
    assert list((controller.home / "ansible").rglob("source*")) == []
    missing = controller.task("container_copy_into", container="c", path="no such", container_path="/x")
    assert missing["failed"]


def test_a_program_runs_by_a_task(controller: Controller) -> None:
    """Output and status come back; a status that is not 0 fails the task, and so does no container."""
    words = ["sh", "-c", "cat; echo $A"]
    done = controller.task("container_exec", container="c", argv=words, stdin="in", env={"A": "b"})
    assert (done["failed"], done["changed"], done["stdout"], done["rc"]) == (False, True, "in\nb", 0)
    assert controller.task("container_exec", "--check", container="c", command="false")["changed"]
    failed = controller.task("container_exec", container="c", command="no-such")
    assert (failed["failed"], failed["rc"]) == (True, 127)
    assert "executable file not found" in failed["stderr"]
    assert controller.task("container_exec", container="none", command="true")["failed"]


def test_files_get_out_by_a_task(controller: Controller, tmp_path: Path) -> None:
    """A file of the container is on the host afterwards."""
    given: dict[str, Any] = {"container": "c", "container_path": "/etc/passwd", "path": str(tmp_path / "passwd")}
    assert controller.task("container_copy_out", **given)["changed"]
    assert (tmp_path / "passwd").read_text().startswith("root:")
    assert not controller.task("container_copy_out", **given)["changed"]


def test_a_task_waits_for_health_and_tells_why_there_is_none(host: Host, controller: Controller) -> None:
    """A healthy container changes nothing, a new one that crashes leaves it, and the task has its last lines."""
    given: dict[str, Any] = {"name": "c", "image": host.busybox, "stop_timeout": 0, "state": "healthy"}
    given["healthcheck"] = {"test": "true", "interval": "100ms", "retries": 2}
    first = controller.task("container", **given, command="sleep 1001")
    assert first["container"]["State"]["Health"]["Status"] == "healthy"
    assert not controller.task("container", **given, command="sleep 1001")["changed"]
    bad = given | {"state": "started", "command": ["sh", "-c", "echo no config; exit 3"]}
    failed = controller.task("container", **bad)
    assert (failed["failed"], failed["exit_status"], failed["log"]) == (True, 3, "no config\n")
    assert "with exit status 3; the last that it wrote is: no config" in failed["msg"]
    assert host.observed().id == first["container"]["Id"]
    assert host.pid()
