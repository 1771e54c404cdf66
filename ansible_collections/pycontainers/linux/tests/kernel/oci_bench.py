# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles for tests of the OCI command line, and ways to call it as its clients do."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.oci_look import template
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.syscalls import (
    PR_SET_CHILD_SUBREAPER,
    prctl,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.limits import groups

COMMAND = str(Path(__file__).parents[5] / "bin/pycontainers-oci")
SLEEP = ["sleep", "1000"]
MISSING = "container does not exist"


class Oci:
    """One root folder of the runtime, with a bundle of busybox. The test process reaps what is left to it."""

    def __init__(self, folder: Path, layers: Path) -> None:
        self.root, self.bundle = folder / "oci", folder / "bundle"
        self.rootfs = self.bundle / "rootfs"
        self.rootfs.mkdir(parents=True)
        for layer in sorted(layers.iterdir()):
            # cp keeps hard links: the programs of busybox are one file.
            subprocess.run(["cp", "-a", f"{layer}/.", self.rootfs], check=True)
        self.configure()
        prctl(PR_SET_CHILD_SUBREAPER, 1)

    def configure(self, *arguments: str, change: Callable[[dict[str, Any]], object] | None = None) -> None:
        """Write a config.json that runs these words, changed by a function."""
        document = template()
        document["process"] |= {"args": list(arguments) or SLEEP, "terminal": False, "noNewPrivileges": False}
        document["root"]["readonly"] = False
        if change is not None:
            change(document)
        (self.bundle / "config.json").write_text(json.dumps(document))

    def call(self, *words: str, stdin: str | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call the command line, with no environment, as some clients do."""
        given: dict[str, Any] = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        command = [COMMAND, "--root", str(self.root), *words]
        given |= {"env": {}, "cwd": self.bundle, **options}
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **given)

    def ok(self, *words: str, stdin: str | None = None, **options: Any) -> str:
        """Call a verb that must do well, and return what it prints."""
        done = self.call(*words, stdin=stdin, **options)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def create(self, identity: str = "c", *options: str, streams: Path | None = None, **given: Any) -> int:
        """Create a container and return its pid. Its streams are not the caller's pipes, which would be held open."""
        with open(streams or os.devnull, "r+b") as file:
            command = [COMMAND, "--root", str(self.root), "create", *options, identity]
            settings: dict[str, Any] = {"stdin": file, "stdout": file, "env": {}, "cwd": self.bundle, **given}
            errors = self.bundle / "errors"
            with open(errors, "wb") as stderr:
                status = subprocess.run(command, stderr=stderr, timeout=30, check=False, **settings).returncode
        assert (status, errors.read_text()) == (0, ""), errors.read_text()
        return int(self.state(identity)["pid"])

    def run(self, identity: str = "c", **given: Any) -> int:
        """Create and start."""
        pid = self.create(identity, **given)
        self.ok("start", identity)
        return pid

    def said(self, script: str, change: Callable[[dict[str, Any]], object] | None = None) -> str:
        """What a script in a container prints."""
        self.configure("sh", "-c", script, change=change)
        done = self.call("run", "said")
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def refused(self, change: Callable[[dict[str, Any]], object]) -> str:
        """What create says of a configuration that it does not take; nothing is left of it."""
        self.configure(change=change)
        done = self.call("create", "refused")
        assert (done.returncode, done.stdout) == (1, "")
        assert self.call("state", "refused").returncode == 1
        return done.stderr

    def state(self, identity: str = "c") -> dict[str, Any]:
        """The state document."""
        found: dict[str, Any] = json.loads(self.ok("state", identity))
        return found

    def ended(self, identity: str = "c") -> None:
        """Wait until the container has stopped."""
        self.wait(lambda: self.state(identity)["status"] == "stopped")

    def reap(self) -> None:
        """Take the status of every child that has ended."""
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait for a condition that may need children to be reaped."""

        def reaped() -> object:
            self.reap()
            return condition()

        wait(reaped)

    def exit_code(self, pid: int) -> int:
        """Wait for a first process that was left to the test process, and return its status."""
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def limit(self, *files: str, identity: str = "c") -> str:
        """The content of a cgroup's file, named for version 1 and 2."""
        found = groups()
        return Path(found.file(f"pycontainers-{identity}", files[found.version - 1])).read_text().strip()

    def cgroups(self) -> list[str]:
        """The containers' cgroups."""
        tops = groups().directories(".")
        return [f"{top}/{name}" for top in tops for name in os.listdir(top) if name.startswith("pycontainers-")]

    def close(self) -> None:
        """Delete all containers, and see that nothing is left."""
        if self.root.exists():
            for identity in json.loads(self.ok("list", "--format", "json")):
                self.ok("delete", "--force", identity["id"])
            for name in os.listdir(self.root):
                if name != "seccomp~":
                    self.ok("delete", "--force", name)
        self.wait(lambda: self.cgroups() == [])
        prctl(PR_SET_CHILD_SUBREAPER, 0)


def wait(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition, with an end."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come true in time"
        time.sleep(0.005)


@contextmanager
def console_socket(folder: Path) -> Iterator[Callable[[], int]]:
    """A socket that takes a terminal's master: its path is FOLDER/console, and the block gets who receives."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "console"))
        listener.listen(1)
        listener.settimeout(10)

        def receive() -> int:
            connection, _ = listener.accept()
            with connection:
                _, descriptors, _, _ = socket.recv_fds(connection, 64, 1)
            assert len(descriptors) == 1
            return int(descriptors[0])

        yield receive


def hook(script: str, **more: Any) -> dict[str, Any]:
    """A hook that is a shell script."""
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}
