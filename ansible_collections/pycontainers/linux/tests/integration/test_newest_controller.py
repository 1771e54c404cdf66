# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection with the newest Ansible: what it does with that of the other tests, and without a warning."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, ROOT, Fleet, Run

NAME, PORT = "newest", 8093


def deploy(newest: Fleet, *options: str, **variables: Any) -> Run:
    """Run the playbook for a container of this test's own."""
    fixed: dict[str, Any] = {"deploy_nginx_image": f"{newest.registry}/nginx:latest"}
    fixed |= {"host_insecure_registries": [newest.registry]}
    fixed |= {"deploy_nginx_hosts": ",".join(HOSTS), "deploy_nginx_name": NAME, "deploy_nginx_port": PORT}
    return newest.play("deploy_nginx", *options, **fixed, **variables)


def documented(newest: Fleet, kind: str, *words: str) -> dict[str, Any]:
    """What ``ansible-doc`` says, which must be without a warning."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT), "ANSIBLE_NOCOLOR": "1"}
    command = [f"{newest.tools}/ansible-doc", "-t", kind, "--json", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd="/")
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_versions_differ(fleet: Fleet, newest: Fleet) -> None:
    """Else the tests here would say nothing."""
    told = [each.ansible("ansible", "--version").stdout.splitlines()[0] for each in (fleet, newest)]
    assert "core 2.19" in told[0]
    assert "core 2.21" in told[1]


def test_a_container_is_deployed_as_the_check_says(newest: Fleet) -> None:
    """It is there after a run; what a check predicts of a limit is done, and once, and all of it is taken away."""
    try:
        made = deploy(newest)
        assert made.status == 0, made.output
        predicted = deploy(newest, "--check", "--diff", deploy_nginx_memory="96m")
        done = deploy(newest, "--diff", deploy_nginx_memory="96m")
        assert [run.count(host, "changed") for run in (predicted, done) for host in HOSTS] == [1, 1, 1, 1]
        assert predicted.diff_lines == done.diff_lines != []
        assert "nginx" in newest.page(HOSTS[0], PORT)
        again = deploy(newest, deploy_nginx_memory="96m")
        assert [again.count(host, "changed") for host in HOSTS] == [0, 0]
    finally:
        gone = {"name": NAME, "state": "absent"}
        assert [newest.task(host, "container", gone)["failed"] for host in HOSTS] == [False, False]


@pytest.mark.parametrize("kind", ["module", "connection", "inventory"])
def test_its_documentation_is_read(newest: Fleet, kind: str) -> None:
    """As ``ansible-doc`` does it."""
    names = sorted(documented(newest, kind, "--list", "pycontainers.linux"))
    folder = Path(__file__).parents[2] / "plugins" / {"module": "modules"}.get(kind, kind)
    assert names == sorted(f"pycontainers.linux.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__")
    assert sorted(documented(newest, kind, *names)) == names
