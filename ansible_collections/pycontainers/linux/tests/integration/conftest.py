# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Integration tests run on real Alpine hosts of a testbed of their own, which is gone afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, REGISTRY_PORT, Fleet, Run
from ansible_collections.pycontainers.linux.tests.interpreters import interpreter
from testbed.instance import VARIABLE, Instance
from testbed.registry import standing

NAME = os.environ.get(VARIABLE) or "integration"
VM = "vm1"
NEWEST = Path(__file__).with_name("requirements-newest.txt")


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two hosts that have nothing of ours yet, and a registry beside them."""
    if os.geteuid() != 0:
        pytest.skip("the hosts of the testbed need root: they are namespaces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, NAME)
        fleet = Fleet(Instance.from_environment())
        storage = tmp_path_factory.mktemp("registry")
        try:
            fleet.testbed("up", str(len(HOSTS)))
            listen = f"{fleet.instance.gateway}:{REGISTRY_PORT}"
            standing.up(netns=fleet.instance.tag, listen=listen, directory=storage)
            yield fleet
        finally:
            standing.down(directory=storage)
            fleet.testbed("down")


@pytest.fixture(scope="session")
def newest(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """The same hosts, from a controller with the newest Ansible, whose Python is newer than that of the tests too."""
    folder = tmp_path_factory.mktemp("newest")
    subprocess.run([interpreter("3.13"), "-m", "venv", folder], check=True)
    install = [f"{folder}/bin/pip", "install", "-q", "--disable-pip-version-check", "--requirement", str(NEWEST)]
    subprocess.run(install, check=True, capture_output=True)
    return replace(fleet, tools=folder / "bin")


@pytest.fixture(scope="session", autouse=True)
def _deployed(request: pytest.FixtureRequest) -> Iterator[Future[Run] | None]:
    """A virtual machine on its way to running nginx, if any test asks for it: for minutes, beside those before it."""
    if not any("machine" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    fleet: Fleet = request.getfixturevalue("fleet")

    def deploy() -> Run:
        fleet.testbed("up", str(len(HOSTS)), "--vm")
        return fleet.play(
            "deploy_nginx",
            deploy_nginx_hosts=VM,
            deploy_nginx_image=f"{fleet.registry}/nginx:latest",
            deploy_nginx_memory="64m",
            deploy_nginx_cpus="0.5",
            deploy_nginx_timeout=120,
            host_insecure_registries=[fleet.registry],
        )

    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(deploy)


@pytest.fixture(scope="session")
def machine(fleet: Fleet, _deployed: Future[Run]) -> Iterator[Fleet]:
    """The testbed with a virtual machine that runs nginx as the playbook deploys it."""
    run = _deployed.result()
    assert run.status == 0, run.output
    yield fleet
    fleet.shell(VM, "poweroff")
