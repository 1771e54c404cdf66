# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What installing packages does to the machine besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.registry import RegistryFailure, packages
from testbed.registry.stages import Stages


def test_services_are_refused_meanwhile_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy answers 101 within the block and is gone after it, also when installing fails."""
    monkeypatch.setattr(packages, "POLICY", tmp_path / "policy-rc.d")
    stages = Stages(tmp_path / "install.log")
    with pytest.raises(RegistryFailure, match="exited 101"), packages.services_refused():
        stages.run(packages.POLICY, "docker-registry", "start")
    assert not packages.POLICY.exists()


def test_policy_of_the_machine_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that is there already is neither changed nor removed."""
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    monkeypatch.setattr(packages, "POLICY", policy)
    with packages.services_refused():
        pass
    assert policy.read_text(encoding="utf-8") == "#!/bin/sh\nexit 0\n"


def test_sources_without_a_package_archive_are_left_out() -> None:
    """Every file that is handed to mmdebstrap names an archive."""
    found = packages.sources()
    assert found
    assert all("deb" in path.read_text(encoding="utf-8") for path in found)


def test_failed_program_is_named_with_its_log(tmp_path: Path) -> None:
    """The sentence has the program, its exit code and the log; the log has the command line and the output."""
    stages = Stages(tmp_path / "build.log")
    with pytest.raises(RegistryFailure, match=r"exited 3; see .*build\.log"):
        stages.run("sh", "-c", "echo no space left; exit 3")
    assert "no space left" in stages.log.read_text(encoding="utf-8")
