# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the command line's verbs, by which only the file of the one that is called is imported."""
from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli import main
from ansible_collections.pycontainers.linux.tests.unit.structure.test_floors import RUNTIME

LAUNCHER = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
from runtime.cli.main import main
try:
    main()
except SystemExit:
    pass
print(*[name for name in ("attach", "containers", "images", "run") if f"runtime.cli.{name}" in sys.modules])
"""


@pytest.mark.parametrize("subject", main.SUBJECTS)
def test_the_table_names_the_verbs_of_each_file(subject: str) -> None:
    """A verb that a file declares is in the table, and none is there that it does not declare."""
    verbs = argparse.ArgumentParser().add_subparsers()
    main._subjects(main.SUBJECTS[subject][0])[0].add(verbs)
    assert sorted(verbs.choices) == sorted(main.SUBJECTS[subject])


@pytest.mark.parametrize(
    ("words", "verb"),
    [(["ps"], "ps"), (["--root", "/x", "--run=/y", "rm", "-f", "a"], "rm"), (["--root"], ""), ([], ""), (["-h"], "")],
)
def test_the_verb_is_the_first_word_that_is_no_option(words: list[str], verb: str) -> None:
    """Shared options come before it, with their values."""
    assert main._called(words) == verb


@pytest.mark.parametrize(
    ("words", "imported"),
    [(["stop", "--help"], "containers"), (["pull", "--help"], "images"), (["--help"], "attach containers images run")],
)
def test_only_the_verbs_own_file_is_imported(words: list[str], imported: str) -> None:
    """Help of the whole needs them all."""
    command = [sys.executable, "-I", "-c", LAUNCHER, str(Path(RUNTIME).parent), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert set(imported.split()) <= set(done.stdout.splitlines()[-1].split())
    assert "images" in imported or "images" not in done.stdout.splitlines()[-1]
