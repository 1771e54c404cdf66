# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the host's programs are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.programs import find, paths


def test_programs_are_looked_for_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be executed is none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "of-no-package").write_text("#!/bin/sh\n")
    assert find("of-no-package") is None
    (tmp_path / "of-no-package").chmod(0o755)
    assert find("of-no-package") == str(tmp_path / "of-no-package")


def test_more_folders_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty part of PATH, which a shell takes for the folder it is in, is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f":{tmp_path}/first")
    for name in ("first", "last", "."):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "of-no-package").write_text("#!/bin/sh\n")
        (tmp_path / name / "of-no-package").chmod(0o755)
    found = list(paths("of-no-package", f"{tmp_path}/last"))
    assert found == [f"{tmp_path}/first/of-no-package", f"{tmp_path}/last/of-no-package"]
