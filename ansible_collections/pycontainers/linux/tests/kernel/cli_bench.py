# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs called in the test's own process: most of what a call of the installed command line costs is its start."""
from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.main import main
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host


def ok(host: Host, *words: str) -> str:
    """Call a verb that must do well, and return what it prints."""
    status, out, err = _called(host, words)
    assert (status, err) == (0, "")
    return out


def failure(host: Host, *words: str) -> str:
    """Call a verb that must fail with one sentence, and return that."""
    status, _, err = _called(host, words)
    assert status == 1
    assert err.startswith("pycontainers: cannot ")
    assert err.count("\n") == 1
    return err


def _called(host: Host, words: tuple[str, ...]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(["--root", host.layout.root, "--run", host.layout.run, *words])
    return status, out.getvalue(), err.getvalue()
