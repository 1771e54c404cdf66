# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task takes the runtime that the host has installed if that is the one it carries, and else the one it carries."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from zipimport import zipimporter
from zlib import crc32

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils import runtime

PACKAGE = "collection/runtime/"
FILES = {"__init__.py": b"", "errors.py": b"one = 1\n", "core/plan.py": b"two = 2\n"}
MANIFEST = {name: [len(content), crc32(content)] for name, content in FILES.items()}


@pytest.fixture
def archive(tmp_path: Path) -> zipimporter:
    """What a task comes in: the package and other files, as Ansible packs them."""
    path = tmp_path / "task.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("ansible/module_utils/basic.py", "three = 3\n")
        made.writestr(PACKAGE, "")
        for name, content in FILES.items():
            made.writestr(PACKAGE + name, content)
    return zipimporter(str(path))


def taken(archive: zipimporter, manifest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The folder that is taken where the installed runtime has this manifest."""
    file = tmp_path / "manifest.json"
    file.write_text(manifest)
    monkeypatch.setattr(runtime, "MANIFEST", str(file))
    return runtime._installed(archive, PACKAGE)


def test_the_same_is_taken(archive: zipimporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More may be installed than a task needs."""
    manifest = {**MANIFEST, "more.py": [1, 1]}
    assert taken(archive, json.dumps(manifest), tmp_path, monkeypatch) == str(tmp_path / "runtime")


@pytest.mark.parametrize(
    "manifest",
    [
        json.dumps({**MANIFEST, "errors.py": [len(FILES["errors.py"]), crc32(b"one = 2\n")]}),
        json.dumps({**MANIFEST, "errors.py": [1, crc32(FILES["errors.py"])]}),
        json.dumps({**MANIFEST, "errors.py": "0" * 64}),
        json.dumps({name: MANIFEST[name] for name in ("__init__.py", "errors.py")}),
        "[]",
        "{}",
        '{"__init',
        "",
    ],
)
def test_anything_else_is_not(
    archive: zipimporter, manifest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another content or size, a manifest of an older version, a file that is missing, one half written."""
    assert taken(archive, manifest, tmp_path, monkeypatch) is None


def test_without_an_installed_runtime(archive: zipimporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task's own is used."""
    monkeypatch.setattr(runtime, "MANIFEST", str(tmp_path / "none"))
    assert runtime._installed(archive, PACKAGE) is None
