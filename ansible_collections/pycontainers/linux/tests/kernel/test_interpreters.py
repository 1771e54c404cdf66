# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime with Pythons of other versions than that of the tests: the life of a container, from the command line."""
from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyroute2
import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime import errors
from ansible_collections.pycontainers.linux.tests.interpreters import interpreter
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

RUNTIME = Path(errors.__file__).parent


@pytest.fixture(scope="module", params=["3.12", "3.13"])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of another Python, which has pyroute2."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([interpreter(request.param), "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "pyroute2.pth").write_text(f"{Path(pyroute2.__file__).parents[1]}\n")
    return f"{folder}/bin/python3"


def caller(host: Host, python: str) -> Callable[..., str]:
    """What calls a verb with that Python, any warning of which is an error."""

    def call(*words: str) -> str:
        command = [python, "-I", "-W", "error", *host.command(*words)[2:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    return call


def test_a_container_lives_and_ends(host: Host, python: str) -> None:
    """It is run on a network with limits, looked at, changed, checked, restarted by its policy, and removed."""
    host.network()
    call = caller(host, python)
    options = ["-d", "--name", "c", "--network", "front", "-p", "8080:80", "--memory", "64m", "--restart", "always"]
    options += ["--health-cmd", "true", "--health-interval", "1s"]
    call("run", *options, host.busybox, "sh", "-c", "echo begun; exec sleep 1000")

    def inspect() -> dict[str, Any]:
        (found,) = json.loads(call("inspect", "c"))
        assert isinstance(found, dict)
        return found

    assert inspect()["HostConfig"]["Memory"] == 64 << 20
    assert call("exec", "c", "hostname").strip() == inspect()["Id"][:12]
    assert call("logs", "c") == "begun\n"
    call("update", "--memory", "96m", "c")
    pid = inspect()["State"]["Pid"]
    assert host.observed().memory == 96 << 20
    wait(lambda: inspect()["State"]["Health"]["Status"] == "healthy")
    call("kill", "-s", "KILL", "c")
    call("start", "c")
    assert inspect()["State"]["Pid"] not in (0, pid)
    assert json.loads(call("stats", "--no-stream", "--json"))
    call("doctor")
    call("rm", "-f", "c")
    assert call("ps", "-aq") == ""


def test_its_sources_compile_without_a_warning(python: str) -> None:
    """Newer versions warn of what older ones took."""
    program = "import pathlib, sys; [compile(pathlib.Path(path).read_bytes(), path, 'exec') for path in sys.argv[1:]]"
    paths = list(map(str, RUNTIME.rglob("*.py")))
    assert paths
    done = subprocess.run([python, "-W", "error", "-c", program, *paths], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
