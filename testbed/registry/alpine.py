# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image `alpine`: the programs of the testbed's hosts, with Python and sudo, for tasks that run in containers."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from testbed import build

from . import cache, packages
from .errors import RegistryFailure
from .layout import Layout
from .stages import Stages

TAG = "latest"

# What only a host needs, such as services and modules of the kernel, and of Python what no task imports.
WITHOUT = (
    "dev", "etc/init.d", "etc/runlevels", "etc/conf.d", "etc/dropbear", "lib/firmware", "lib/modules", "root/.ssh",
    "usr/lib/python3.13/site-packages", "usr/lib/python3.13/unittest", "usr/lib/python3.13/_pyrepl", "usr/lib/ssh",
)  # fmt: skip
EMPTY = ("dev", "proc", "run", "sys", "tmp", "usr/lib/python3.13/site-packages", "var/log")
MODES = {"tmp": 0o1777}


def image() -> Path:
    """Return an OCI layout with the image, building it first where the cache has none (as root; 20 s).

    Errors: RegistryFailure, with the log of the build.
    """
    base = build.image()
    digest = hashlib.sha256(Path(__file__).read_bytes() + base.path.name.encode()).hexdigest()[:16]
    name = f"alpine-{digest}"
    log = cache.home() / f"{name}.log"
    return cache.once(name, lambda directory: _build(directory, base.rootfs, log))


def _build(directory: Path, rootfs: Path, log: Path) -> None:
    if os.geteuid() != 0:
        raise RegistryFailure("cannot build the image alpine: owners of files need root; run this as root once")
    stages = Stages(log)
    packages.install(packages.BUILDERS, stages)
    with stages.stage("alpine: layer"), tempfile.TemporaryDirectory(prefix="scratch-", dir=directory) as scratch:
        root = Path(scratch) / "root"
        stages.run("cp", "-a", rootfs, root)
        for each in WITHOUT:
            shutil.rmtree(root / each, ignore_errors=True)
        for each in EMPTY:
            shutil.rmtree(root / each, ignore_errors=True)
            (root / each).mkdir()
            (root / each).chmod(MODES.get(each, 0o755))
        layout = Layout(directory / "layout", Path(scratch) / "bundle", stages)
        layout.replace_rootfs(root)
        layout.commit(TAG, "the testbed's Alpine")
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        layout.configure(TAG, [("config.cmd", "/bin/sh"), ("config.env", path), ("config.workingdir", "/")])
        layout.keep(TAG)
