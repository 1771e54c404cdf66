# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI command line keeps its compiled modules in one file, and nobody can tell but by the time that it takes."""
from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.lean.bundle import Bundle
from ansible_collections.pycontainers.linux.tests.unit.structure.test_floors import RUNTIME

CALL = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
from runtime.cli.oci_door import main
main()
"""


class Copy:
    """A runtime of its own, and what its command line says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(RUNTIME, folder / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
        self.bundle = folder / f"runtime/cli/__pycache__/oci.{sys.implementation.cache_tag}.bundle"

    def call(self, *words: str, bytecode: bool = True, options: tuple[str, ...] = (), umask: int = -1) -> str:
        """What a verb prints, which must do well."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        flags = ["-I", "-S", *([] if bytecode else ["-B"]), *options]
        command = [sys.executable, *flags, "-c", CALL, str(self.folder), "--root", str(self.folder / "oci"), *words]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False, umask=umask
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + (done.stderr if options else "")


def test_it_can_be_written_before_the_sources_are_in_their_place(tmp_path: Path) -> None:
    """The modules are found once the folder has moved to where the file says that they will be, and not before."""
    aside, folder = tmp_path / "aside", tmp_path / "folder"
    for name, text in {"__init__.py": "", "one.py": '"""Words."""\nNUMBER = 1\n'}.items():
        (aside / "package").mkdir(parents=True, exist_ok=True)
        (aside / "package" / name).write_text(text)
    files = {"package": "package/__init__.py", "package.one": "package/one.py"}
    places = {name: (f"{aside}/{file}", f"{folder}/{file}") for name, file in files.items()}
    Bundle(f"{aside}/bundle").fill(places)
    early, late = Bundle(f"{aside}/bundle"), Bundle(f"{folder}/bundle")
    try:
        early.use()
        assert early.find_spec("package.one") is None
        aside.rename(folder)
        late.use()
        one = importlib.import_module("package.one")
        assert (one.NUMBER, one.__doc__, one.__file__) == (1, None, f"{folder}/package/one.py")
    finally:
        sys.meta_path[:] = [each for each in sys.meta_path if each not in (early, late)]
        for name in files:
            sys.modules.pop(name, None)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A fresh copy."""
    return Copy(tmp_path)


def test_what_is_kept_is_not_compiled_again(copy: Copy) -> None:
    """The second call says the same, and reads no module's own compiled file but of those that come before."""
    first = copy.call("features")
    before = copy.bundle.stat()
    said = copy.call("features", options=("-v",))
    assert copy.bundle.stat().st_mtime_ns == before.st_mtime_ns
    assert first in said
    read = [line for line in said.splitlines() if line.startswith("# code object from") and str(copy.folder) in line]
    assert 0 < len(read) < 8


def test_a_changed_source_is_what_runs(copy: Copy) -> None:
    """A module that was changed is imported anew, and kept from then on."""
    copy.call("list")
    source = copy.folder / "runtime/cli/oci_look.py"
    source.write_text(source.read_text() + '\nsys.stdout.write("changed ")\n')
    assert copy.call("list").startswith("changed ")
    kept = copy.bundle.stat().st_mtime_ns
    assert copy.call("list").startswith("changed ")
    assert copy.bundle.stat().st_mtime_ns == kept


def test_other_verbs_are_kept_too(copy: Copy) -> None:
    """What one verb has needed stays when another adds its own."""
    copy.call("list")
    size = copy.bundle.stat().st_size
    copy.call("spec", "--bundle", str(copy.folder))
    copy.call("--version")
    assert copy.bundle.stat().st_size >= size
    kept = copy.bundle.stat().st_mtime_ns
    copy.call("list")
    assert copy.bundle.stat().st_mtime_ns == kept


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\0\0\5hello", b"\xff\xff\xff\xff", b"\0\0\0\1N", b"x" * 9999])
def test_a_damaged_file_is_written_anew(copy: Copy, content: bytes) -> None:
    """Whatever it holds, the command line works."""
    said = copy.call("features")
    whole = copy.bundle.read_bytes()
    copy.bundle.write_bytes(content)
    assert copy.call("features") == said
    assert len(copy.bundle.read_bytes()) == len(whole)


def test_damaged_code_is_taken_from_the_source(copy: Copy) -> None:
    """An index that is whole, with anything behind it, is no error."""
    said = copy.call("features")
    whole = copy.bundle.read_bytes()
    start = 4 + int.from_bytes(whole[:4], "big")
    copy.bundle.write_bytes(whole[:start] + b"N" * (len(whole) - start))
    assert copy.call("features") == said
    copy.bundle.write_bytes(whole[:start])
    assert copy.call("features") == said


def test_nothing_is_written_where_the_interpreter_would_not(copy: Copy) -> None:
    """With -B neither compiled files nor this one appear, and no folder for them."""
    copy.call("features", bytecode=False)
    assert list(copy.folder.rglob("__pycache__")) == []


def test_nobody_else_can_write_what_is_executed(copy: Copy) -> None:
    """A caller without a umask, as shims are, leaves no file that any user could put code for root into."""
    copy.call("list", umask=0)
    assert copy.bundle.stat().st_mode & 0o777 == 0o644


def test_a_file_that_others_can_write_is_not_used(copy: Copy) -> None:
    """What anybody can have written is not executed: the file is written anew, as its owner's alone."""
    copy.call("list")
    copy.bundle.chmod(0o666)
    before = copy.bundle.stat().st_ino
    assert "cli/oci_look.py" in copy.call("list", options=("-v",)).replace("bundle", "")
    assert (copy.bundle.stat().st_mode & 0o777, copy.bundle.stat().st_ino != before) == (0o644, True)
