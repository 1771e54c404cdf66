# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A newer version of the collection takes over from an older one while nginx runs on."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from testinfra.host import Host

from ansible_collections.pycontainers.linux.molecule.shared.checks import CHECKS, COMMAND, inspect, wait_for_page
from ansible_collections.pycontainers.linux.molecule.shared.runs import CONVERGE, ephemeral, mend, recorded
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.oci import VERSION
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import service

RUNTIME = "/var/lib/pycontainers/runtime"
UPGRADE = "Install the runtime and the command pycontainers"


@pytest.fixture(scope="module")
def before() -> Any:
    """The host and its container as the older version left them."""
    return json.loads((ephemeral() / "before/alpine1.json").read_text())


@pytest.fixture(scope="module")
def alpine(hosts: list[Host]) -> Host:
    """The host."""
    (host,) = hosts
    return host


def it_has_the_newer_runtime(host: Host) -> None:
    """What people, waiters and the boot service call is what this checkout has, and says so."""
    assert host.file(f"{RUNTIME}/current").linked_to == f"{RUNTIME}/{service.digest(service.carried())}"
    assert host.check_output(f"{RUNTIME}/current/pycontainers-oci --version").splitlines()[0] == VERSION.splitlines()[0]


def it_runs_on(host: Host, before: Any) -> None:
    """The container is the one of before, and its first process is the one of before."""
    (was,), found = before["container"], inspect(host)
    for part in ("Id", "State", "RestartCount"):
        assert found[part] == was[part]


def test_the_older_version_was_another(alpine: Host, before: Any) -> None:
    """What it had installed is still there, for waiters that were started from it, and calls itself by its number."""
    assert before["runtime"] != service.digest(service.carried())
    said = alpine.check_output(f"{RUNTIME}/{before['runtime']}/pycontainers-oci --version")
    assert said.splitlines()[0] == "pycontainers-oci version 0.0.9"


def test_the_runtime_is_all_that_has_changed() -> None:
    """The check told of one change, which is that of the runtime, and the run made no other."""
    check, run = [each for each in recorded() if each.playbook == CONVERGE][:2]
    assert (check.check, run.check) == (True, False)
    assert [task for _, task in check.changes] == [task for _, task in run.changes] == [UPGRADE]


def test_nginx_has_run_on(alpine: Host, before: Any) -> None:
    """The newer runtime is there, the process is the same, and all holds that the playbook says."""
    it_has_the_newer_runtime(alpine)
    it_runs_on(alpine, before)
    for check in CHECKS:
        check(alpine)


def test_the_newer_runtime_takes_over_at_the_end(alpine: Host, before: Any) -> None:
    """When nginx ends, its restart is the newer runtime's, and the check that nginx runs on fails."""
    (was,) = before["container"]
    alpine.check_output(f"kill -KILL {was['State']['Pid']}")
    end = time.monotonic() + 30
    while inspect(alpine)["RestartCount"] == was["RestartCount"]:
        assert time.monotonic() < end
        time.sleep(0.1)
    wait_for_page(alpine)
    assert inspect(alpine)["Id"] == was["Id"]
    with pytest.raises(AssertionError):
        it_runs_on(alpine, before)


def test_an_older_runtime_is_seen_and_mended(alpine: Host, before: Any) -> None:
    """A link to the older runtime makes the check fail, and a run puts the newer one back."""
    it_has_the_newer_runtime(alpine)
    alpine.check_output(f"ln -sfn {before['runtime']} {RUNTIME}/current")
    with pytest.raises(AssertionError):
        it_has_the_newer_runtime(alpine)
    assert [task for _, task in mend().changes] == [UPGRADE]
    it_has_the_newer_runtime(alpine)
    alpine.check_output(f"{COMMAND} doctor")
