# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman with a store of its own, of which nothing is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

PARENT = "pycontainers-bench"
"""The cgroup that containers of others than ours are in."""

PATIENCE = 20.0


class Podman:
    """The command, with its store in a folder, and containers that sleep."""

    def __init__(self, folder: Path, image: str) -> None:
        self.image = image
        self._words = ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--runtime", "runc"]
        self._words += ["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"]
        self._words += ["--network-config-dir", f"{folder}/net"]

    def call(self, *words: str) -> str:
        """Run a verb and return what it says; it must succeed."""
        return call(*self._words, *words)

    def run(self, name: str, *options: str) -> None:
        """Start a container."""
        given = ["-d", "--tls-verify=false", "--cgroup-parent", f"/{PARENT}", "--name", name, *options]
        # Its own defaults are above what an unprivileged machine may raise limits to.
        given += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        self.call("run", *given, self.image, "sleep", "1000")

    def remove(self, *names: str) -> None:
        """Remove containers, and their image."""
        self.call("rm", "-f", "-t", "0", "--ignore", *names)
        self.call("rmi", "-f", self.image)


def is_there() -> bool:
    """Whether podman can be run here."""
    return shutil.which("podman") is not None and shutil.which("runc") is not None


def call(*words: str) -> str:
    """Run a command and return what it says on stdout; if it fails the benchmark ends."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(words)} exits with {done.returncode}: {done.stdout}{done.stderr}".rstrip())
    return done.stdout.strip()


def wait(what: str, ready: Callable[[], bool]) -> None:
    """Wait until something is so; if it takes too long the benchmark ends."""
    end = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"bench: {what} is not there within {PATIENCE:.0f} s")
        time.sleep(0.1)


@contextmanager
def cgroup() -> Iterator[None]:
    """Remove the group that a peer has made for its containers, and leaves."""
    try:
        yield
    finally:
        # In the hierarchies without a controller too.
        for top in Path("/sys/fs/cgroup").glob(f"*/{PARENT}"):
            wait(f"the end of what is in {top}", partial(_removed, top))


def _removed(top: Path) -> bool:
    with suppress(OSError):
        for folder, _, _ in os.walk(top, topdown=False):
            os.rmdir(folder)
    return not top.exists()
