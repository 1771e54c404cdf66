# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime that is installed on a host for waiters, boot and people."""
from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, Plan, apply, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.lean.bundle import Bundle, tasks
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import service
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.service import RUNTIME, Runtime
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, wait

INIT_IMPORTS = {
    "__future__", "_collections_abc", "_ctypes", "_stat", "errno", "genericpath", "os", "posixpath", "stat",
}  # fmt: skip


def runtime(layout: Layout, check: bool = False, **values: Any) -> Outcome[Runtime]:
    """Declare the runtime."""
    values = {"link": f"{layout.root}/bin/pycontainers"} | values
    return converge(RUNTIME, layout, parse(Runtime, values), check)


@pytest.fixture
def readable() -> Iterator[Layout]:
    """Give a layout in a folder that all users can enter."""
    folder = tempfile.mkdtemp(prefix="pycontainers-test-")
    os.chmod(folder, 0o755)
    yield Layout(f"{folder}/root", f"{folder}/run")
    shutil.rmtree(folder)


def test_what_killed_installs_have_left_goes(readable: Layout) -> None:
    """The next install removes the unfinished folders of processes that are gone, and keeps those of others."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    mine, gone = f"{'0a' * 8}.{os.getpid()}.new", f"{'0a' * 8}.{ended.pid}.new"
    for name in (mine, gone):
        os.makedirs(f"{readable.runtimes}/{name}/runtime")
    runtime(readable)
    assert sorted(os.listdir(readable.runtimes)) == sorted([mine, service.installed(readable), "current"])


def test_it_is_installed_once(readable: Layout) -> None:
    """A first task installs runtime and link, a check tells so before, and a second task does nothing."""
    told = runtime(readable, check=True)
    assert not os.path.exists(readable.root)
    done = runtime(readable)
    assert (told.changes, told.actions) == (done.changes, done.actions)
    assert done.changed
    again = runtime(readable)
    assert (again.changes, again.actions) == ((), ())
    version = service.installed(readable)
    assert version == service.digest(service.carried())
    assert sorted(os.listdir(readable.runtimes)) == sorted([version, "current"])


def test_older_runtimes_go_when_a_newer_comes(readable: Layout) -> None:
    """Of those that were installed the one before stays, since what was started from it may still import from it."""
    before, older, others = "0b" * 8, "0c" * 8, f"{'0d' * 8}.{os.getpid()}.new"
    for name in (before, older, others):
        os.makedirs(f"{readable.runtimes}/{name}/runtime")
    os.symlink(before, f"{readable.runtimes}/current")
    told = runtime(readable, check=True)
    assert sorted(os.listdir(readable.runtimes)) == sorted([before, older, others, "current"])
    done = runtime(readable)
    assert told.actions == done.actions
    version = service.installed(readable)
    assert sorted(os.listdir(readable.runtimes)) == sorted([version, before, others, "current"])


def test_it_works_by_its_link_and_for_whoever_calls(readable: Layout) -> None:
    """The link runs for root from any folder, and tells others in one sentence that they are not root."""
    runtime(readable)
    link = [f"{readable.root}/bin/pycontainers", "--root", readable.root, "--run", readable.run]
    result = subprocess.run([*link, "ps"], capture_output=True, text=True, cwd="/", check=False, timeout=30)
    assert (result.returncode, result.stderr) == (0, "")
    os.makedirs(readable.containers, 0o700)
    command = [sys.executable, "-I", os.path.realpath(link[0]), *link[1:]]
    for words in (["ps", "-a"], ["stop", "c"], ["logs", "c"], ["rm", "c"]):
        # The interpreter of the tests may be root's own, so it is opened before root is given up.
        result = subprocess.run(
            [*_interpreter_for_all(), *command[1:], *words],
            capture_output=True, text=True, cwd="/", check=False, timeout=30, user=65534, group=65534, extra_groups=[],
        )  # fmt: skip
        assert result.returncode == 1, result
        assert "ermission denied" in result.stderr
        assert "run it as root" in result.stderr
        assert result.stderr.count("\n") == 1


def _interpreter_for_all() -> list[str]:
    found = shutil.which("python3", path="/usr/bin")
    if found is None:
        pytest.skip("no interpreter that other users can execute")
    return [found]


def test_it_is_compiled(readable: Layout) -> None:
    """Every module is there compiled, so that starting one costs no compilation, whoever starts it."""
    runtime(readable)
    folder = Path(os.path.realpath(f"{readable.runtimes}/current"))
    sources = sorted(folder.rglob("*.py"))
    assert len(sources) == len(service.carried())
    assert [each for each in sources if not os.path.exists(importlib.util.cache_from_source(str(each)))] == []


def test_tasks_have_their_modules_in_one_file(readable: Layout) -> None:
    """A task that takes the installed runtime finds every module of it in a file that is written with it."""
    runtime(readable)
    folder = os.path.realpath(f"{readable.runtimes}/current/runtime")
    bundle = Bundle(tasks(folder))
    bundle.use()
    sys.meta_path.remove(bundle)
    found: dict[str, Any] = {name: bundle.find_spec(name) for name in bundle.kept}
    files = {spec.origin.removeprefix(f"{folder}/") for spec in found.values() if spec}
    assert files == set(service.carried())
    assert found[service.__name__].loader.get_code(service.__name__).co_filename == f"{folder}/resources/service.py"


def test_the_first_process_imports_little(readable: Layout) -> None:
    """What a container's first process imports is a short list, since each start waits for it."""
    runtime(readable)
    script = "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import runtime.oci.first; " \
             "print(*sorted(set(sys.modules) - before))"  # fmt: skip
    folder = os.path.realpath(f"{readable.runtimes}/current")
    command = [sys.executable, "-I", "-S", "-c", script, folder]
    found = set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split())
    ours = {each for each in found if each.split(".")[0] == "runtime"}
    assert ours == {
        "runtime", "runtime.oci", "runtime.oci.first", "runtime.oci.init", "runtime.kernel", "runtime.kernel.seccomp",
        "runtime.kernel.security", "runtime.kernel.syscalls", "runtime.kernel.process_calls", "runtime.kernel.procfs",
        "runtime.lean", "runtime.lean.ctypes",
    }  # fmt: skip
    assert {each.split(".")[0] for each in found - ours} <= INIT_IMPORTS


def test_an_upgrade_while_a_container_runs(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade a container that runs goes on, and the new runtime handles its end and its restart."""
    container = host.run(restart_policy="always")
    before, pid = service.installed(host.layout), host.pid()
    files = service.carried()
    newer = dict(files) | {"cli/marker.py": b'"""Newer."""\n'}
    monkeypatch.setattr(service, "carried", lambda: newer)
    runtime(host.layout)
    assert service.installed(host.layout) == service.digest(newer) != before
    assert os.path.isdir(f"{host.layout.runtimes}/{before}")
    assert host.pid() == pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: host.pid() not in (0, pid))
    host.converge(state="stopped")
    assert host.observed().id == container.id
    assert host.observed().remains == ()


def test_a_failed_install_keeps_the_one_before(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that does not compile is not made current, and the plan's failure puts the link back."""
    before = service.installed(host.layout)
    newer = dict(service.carried()) | {"cli/marker.py": b'"""Newer."""\n'}
    monkeypatch.setattr(service, "carried", lambda: newer)
    (step,) = service.install_steps(host.layout)
    step.do()
    assert service.installed(host.layout) != before
    step.undo()
    assert service.installed(host.layout) == before
    monkeypatch.setattr(service, "carried", lambda: newer | {"cli/broken.py": b"def"})
    with pytest.raises(Exception, match="invalid syntax"):
        apply(Plan(service.install_steps(host.layout)))
    assert service.installed(host.layout) == before


def test_it_is_not_removed_while_containers_run(host: Host) -> None:
    """The runtime stays while a container runs or waits for its restart, and goes when none does."""
    runtime(host.layout)
    host.run(name="runs")
    with pytest.raises(Failure, match="containers run"):
        runtime(host.layout, state="absent")
    host.converge("runs", state="absent")
    container = host.shell("exit 1", restart_policy="always")
    wait(lambda: not host.pid() and host.observed().state == "started" and "sleep" in _waiting(host))
    with pytest.raises(Failure, match=f"containers run.*{(container.id or '')[:12]}"):
        runtime(host.layout, state="absent")
    host.converge(state="absent")
    assert runtime(host.layout, state="absent").changed
    assert not os.path.exists(host.layout.runtimes)
    assert not os.path.lexists(f"{host.layout.root}/bin/pycontainers")
    assert not runtime(host.layout, state="absent").changed


def _waiting(host: Host) -> str:
    return " ".join(processes(host.layout))


def test_a_file_of_somebody_else_is_left_alone(readable: Layout) -> None:
    """Where the link would go and something else is, that stays and is named."""
    link = Path(readable.root, "tool")
    link.parent.mkdir()
    link.write_text("somebody's")
    with pytest.raises(Failure, match="something else is there"):
        runtime(readable, link=str(link))
    assert link.read_text() == "somebody's"
    assert os.listdir(readable.root) == ["tool"]
