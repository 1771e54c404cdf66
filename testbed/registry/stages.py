# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages of a build: one line each with its duration, everything else in a log."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import RegistryFailure

# Seconds that one external program may take: a slow mirror is waited for, a hanging one is not.
LIMIT = 900.0


class Stages:
    """Runs external programs in named stages, with their output in the file `log`."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("", encoding="utf-8")
        self.log = log

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Print `title` with the seconds that the block took; on failure say so on the same line."""
        begin = time.monotonic()
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            print(f"{title:<44} {outcome} {time.monotonic() - begin:6.1f} s", file=sys.stderr, flush=True)

    def run(self, *argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """Run a program to its end. RegistryFailure names the program, its exit code and the log."""
        words: Sequence[str] = [str(word) for word in argv]
        with self.log.open("ab") as sink:
            sink.write(f"$ {shlex.join(words)}\n".encode())
            sink.flush()
            try:
                code = subprocess.run(
                    words,
                    check=False,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    cwd=cwd,
                    env=env,
                    timeout=LIMIT,
                ).returncode
            except FileNotFoundError as error:
                raise RegistryFailure(f"cannot run {words[0]}: it is not installed or not in PATH") from error
            except subprocess.TimeoutExpired as error:
                raise RegistryFailure(
                    f"{shlex.join(words[:2])} was ended after {LIMIT:.0f} s; see {self.log}"
                ) from error
        if code:
            raise RegistryFailure(f"{shlex.join(words[:2])} exited {code}; see {self.log}")
