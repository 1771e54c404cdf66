# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pythons of other versions than the one that runs the tests, where the machine has them."""
from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def interpreter(version: str) -> str:
    """The path of a Python of a version such as ``3.13``. The calling test is skipped where there is none."""
    for path in _candidates(version):
        # A name can be that of a script that only says which versions there are.
        if subprocess.run([path, "-I", "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip(f"python{version} is neither in PATH nor below ~/.pyenv on this machine")


def _candidates(version: str) -> Iterator[str]:
    if found := shutil.which(f"python{version}"):
        yield found
    # Made by pyenv, which has only one version in PATH at a time.
    yield from sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")))
