# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for container tests: a layout with images in its store, ways to act on it, and looks at what is there."""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import store
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle, log_files
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_hold,
    container_observed,
    container_state,
    firewall,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network import NETWORK
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_model import names
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.service import install_steps

TUNABLES = "GLIBC_TUNABLES"
SLEEP = ["sleep", "1000"]
EVERY = 1 << 40
"""More lines than any log has."""

KNOBS = ("memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us", "pids/pids.max", "memory.max", "cpu.max", "pids.max")


class Host:
    """One host. Containers are of the image ``busybox`` and sleep, unless a test wants another."""

    def __init__(self, layout: Layout, stored: Layout, busybox: str) -> None:
        self.layout, self.busybox = layout, busybox
        for name in ("images", "layers", "runtime"):
            subprocess.run(["cp", "-al", f"{stored.root}/{name}", f"{_made(layout.root)}/{name}"], check=True)
        for step in install_steps(layout):  # the sources may have changed since the stored one was installed
            step.do()

    def converge(self, name: str = "c", *, check: bool = False, **values: Any) -> Outcome[Container]:
        """Declare a container."""
        return converge(CONTAINER, self.layout, parse(Container, {"name": name, **values}), check)

    def run(self, command: Any = None, name: str = "c", **values: Any) -> Container:
        """Start a container and return it as observed."""
        words = SLEEP if command is None else command
        given: dict[str, Any] = {"image": self.busybox, "command": words, "stop_timeout": 0}
        if TUNABLES in os.environ:
            # In a kernel that every program needs them in.
            given["env"] = {TUNABLES: os.environ[TUNABLES]}
        self.converge(name, **given | values)
        return self.observed(name)

    def shell(self, script: str, name: str = "c", **values: Any) -> Container:
        """Start a container that runs a script."""
        return self.run(["sh", "-c", script], name, **values)

    def said(self, script: str, **values: Any) -> str:
        """Run a script in a container to its end and return what it wrote."""
        container = self.shell(script, "said", **values)
        self.ended(container)
        log = self.log(container)
        self.converge("said", state="absent")
        return log

    def observed(self, name: str = "c") -> Container:
        """The container, which must be there."""
        found = container_observed.observe(self.layout, name)
        assert found is not None
        return found

    def ended(self, container: Container) -> container_state.Status:
        """Wait until its program has ended and its waiter has put all away; return what has become of it."""
        identity = container.id or ""
        wait(lambda: lifecycle.waiter(self.layout, identity) is None)
        with container_state.lock(self.layout, container.name):
            return container_state.status(self.layout, identity)

    def pid(self, name: str = "c") -> int:
        """The pid of its first process, 0 if there is none."""
        process = lifecycle.running(self.layout, container_state.identity_of(self.layout, name) or "none")
        return process.pid if process else 0

    def log(self, container: Container) -> str:
        """What it has written, with the line ends of files."""
        folder = lifecycle.log_folder(self.layout, container.id or "")
        return log_files.tail(folder, EVERY).decode().replace("\r\n", "\n")

    def complaints(self, container: Container) -> str:
        """What its waiter had to complain about."""
        return Path(lifecycle.complaints(self.layout, container.id or "")).read_text()

    def network(self, name: str = "front", subnet: str = "10.91.0.0/24") -> None:
        """Declare a network."""
        converge(NETWORK, self.layout, parse(NETWORK.model, {"name": name, "subnet": subnet}), False)

    def image(self, name: str, config: Mapping[str, Any], build: Callable[[Path], object] | None = None) -> str:
        """Put an image into the store: busybox with another configuration, and with a layer on top if one is built."""
        reference = parse_reference(f"registry.test/{name}")
        base = content.find(self.layout, parse_reference(self.busybox))
        assert base is not None
        document = store.read_json(content.blob(self.layout, base.id)) or {}
        manifest = store.read_json(content.blob(self.layout, base.manifest_digest)) or {}
        document["config"] = {**document["config"], **config}
        if build is not None:
            diff_id = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
            document["rootfs"]["diff_ids"].append(diff_id)
            manifest["layers"].append(manifest["layers"][-1])
            root = Path(layer(self.layout, diff_id))
            root.mkdir()
            build(root)
        blob = self._blob(document)
        manifest["config"] = {**manifest["config"], "digest": blob["digest"], "size": blob["size"]}
        content.set_entry(self.layout, reference, {"mediaType": base.entry["mediaType"], **self._blob(manifest)})
        return str(reference)

    def _blob(self, document: Any) -> dict[str, Any]:
        text = json.dumps(document).encode()
        digest = "sha256:" + hashlib.sha256(text).hexdigest()
        store.write(content.blob(self.layout, digest), text)
        return {"digest": digest, "size": len(text)}

    def cli(self, *words: str, stdin: str | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call the command line, as an installed one is called."""
        given: dict[str, Any] = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=30, check=False, **given, **options
        )

    def ok(self, *words: str, stdin: str | None = None) -> str:
        """Call a verb that must do well, and return what it prints."""
        result = self.cli(*words, stdin=stdin)
        assert (result.returncode, result.stderr) == (0, ""), result
        return result.stdout

    def failure(self, *words: str, code: int = 1) -> str:
        """Call a verb that must fail with one sentence, and return that."""
        result = self.cli(*words)
        assert result.returncode == code, result
        assert result.stderr.startswith("pycontainers: cannot "), result
        assert result.stderr.count("\n") == 1, result
        return result.stderr

    @contextmanager
    def beside(self, *words: str, **streams: int) -> Iterator[subprocess.Popen[bytes]]:
        """Run a verb beside the test, and end it if the test has not."""
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        command = self.command(*words)
        with subprocess.Popen(
            command, start_new_session=True, stdin=given["stdin"], stdout=given["stdout"], stderr=given["stderr"]
        ) as running:
            try:
                yield running
            finally:
                running.kill()

    def command(self, *words: str) -> list[str]:
        """The words by which the installed command line is called."""
        command = [sys.executable, "-I", f"{self.layout.runtimes}/current/pycontainers"]
        return [*command, "--root", self.layout.root, "--run", self.layout.run, *words]

    def close(self) -> None:
        """End and remove all there is, also what a test has broken; nothing of it may run then."""
        for identity in container_state.identities(self.layout):
            # With version 1 what is held still does not end.
            with suppress(Exception):
                container_hold.unpause(self.layout, identity)
            with suppress(Exception):
                lifecycle.stop(self.layout, identity, 9, 5)
        for identity in container_state.identities(self.layout):
            container = container_state.load(self.layout, identity)
            if container is not None:
                self.converge(container.name, state="absent")
        for name in names(self.layout):
            converge(NETWORK, self.layout, parse(NETWORK.model, {"name": name, "state": "absent"}), False)
        wait(lambda: processes(self.layout) == [])
        assert container_state.identities(self.layout) == []
        shutil.rmtree(self.layout.root)


def layer(layout: Layout, diff_id: str) -> str:
    """The folder of an unpacked layer."""
    return layout.layer(diff_id)


def _made(folder: str) -> str:
    os.makedirs(folder, exist_ok=True)
    return folder


def wait(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition, with an end."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come true in time"
        time.sleep(0.005)


def processes(layout: Layout) -> list[str]:
    """Command lines of the machine's processes that name the layout."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if layout.root in words:
                found.append(words)
    return found


def proc_status(pid: int | str) -> dict[str, str]:
    """The fields of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def snapshot(layout: Layout) -> dict[str, Any]:
    """All that a run could have changed: files, mounts, links, firewall, cgroups with their limits, processes."""
    table = firewall.read()
    return {
        "files": dict(_files(layout.root)) | dict(_files(layout.run)),
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "links": sorted(links.links()),
        "ports": table.ports,
        "firewall": table,
        "cgroups": dict(_cgroups()),
        "processes": sorted(processes(layout)),
    }


def _files(folder: str) -> Iterator[tuple[str, Any]]:
    for parent, folders, files in os.walk(folder):
        # Of layers and merged trees the names are enough; what was undone has been an event all the same.
        folders[:] = [each for each in folders if each not in ("layers", "merged", "locks", "events")]
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            there = os.lstat(path)
            yield path, (there.st_mode, _content(path))


def _content(path: str) -> object:
    """A link's target, a file's text or its size, a namespace's number."""
    if os.path.islink(path):
        return os.readlink(path)
    try:
        text = Path(path).read_bytes()
    except IsADirectoryError:
        return "folder"
    except OSError:
        return os.stat(path).st_ino
    return text if len(text) < 4096 else len(text)


def _cgroups() -> Iterator[tuple[str, Any]]:
    for directory in cgroups().directories("pycontainers"):
        for parent, _, files in os.walk(directory):
            knobs = {os.path.basename(knob) for knob in KNOBS} & set(files)
            yield parent, {knob: Path(parent, knob).read_text() for knob in sorted(knobs)}
