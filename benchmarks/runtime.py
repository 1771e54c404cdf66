# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI runtime's command line beside runc and crun: one bundle, whole processes, and the start within a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.oci_look import template
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import create, end
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.container import Containers
from benchmarks.world import World

COMMAND = Path(__file__).parents[1] / "bin/pycontainers-oci"
PEERS = ("runc", "crun")
UNSHARE = ["unshare", "-fmpiun", "--mount-proc", "true"]

Act = Callable[[], object]


def peers() -> None:
    """Install those that are missing, by their Debian packages. It takes the machine's own network namespace."""
    missing = [name for name in PEERS if shutil.which(name) is None]
    if missing and shutil.which("apt-get"):
        print(f"installing {' '.join(missing)}", file=sys.stderr)
        command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def bundle(made: World, folder: Path) -> Path:
    """A bundle that runs busybox's true, in six new namespaces, as ``spec`` has it."""
    pull(made.layout, parse_reference(f"{made.registry}/busybox:latest"))
    for layer in sorted((Path(made.layout.root) / "layers").iterdir()):
        if (layer / "bin/busybox").exists():
            shutil.copytree(layer, folder / "rootfs", symlinks=True, dirs_exist_ok=True)
    document = template()
    # The newest version that all of them know.
    document["ociVersion"] = "1.0.2"
    document["process"] |= {"args": ["true"], "terminal": False}
    (folder / "config.json").write_text(json.dumps(document))
    return folder


def whole(folder: Path) -> dict[str, Act]:
    """``run`` by each runtime that is there, as whole processes."""
    # Tests and CI machines may forbid bytecode; a host does not.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def act(runtime: str) -> Act:
        command = [runtime, "--root", str(folder / "state" / Path(runtime).name), "run", "bench"]
        return lambda: subprocess.run(command, cwd=folder, env=environment, check=True, stderr=subprocess.DEVNULL)

    return {f"{Path(name).name} run": act(name) for name in (*filter(_runs(act), PEERS), str(COMMAND))}


def _runs(act: Callable[[str], Act]) -> Callable[[str], bool]:
    """Whether a peer is there and does it on this machine: crun wants another layout of cgroups than some have."""

    def runs(name: str) -> bool:
        if shutil.which(name) is None:
            return False
        try:
            act(name)()
        except subprocess.CalledProcessError:
            print(f"bench: {name} does not run here", file=sys.stderr)
            return False
        return True

    return runs


def within(folder: Path) -> Mapping[str, Act]:
    """unshare(1) with the same namespaces, and create and start within this process."""
    containers, wish = Containers(str(folder / "state/within")), create.Wish(bundle=str(folder))

    def ours() -> Act:
        made = create.create(containers, "bench", wish)
        create.start(containers, "bench")

        def after() -> None:
            os.waitpid(made.record.init.pid, 0)
            end.delete(containers, "bench")

        return after

    return {" ".join(UNSHARE): lambda: subprocess.run(UNSHARE, check=True).returncode, "create, start": ours}
