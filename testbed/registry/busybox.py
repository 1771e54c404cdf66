# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image `busybox`: one static program of Debian's under all its names, for tests that start many containers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from . import packages
from .layout import Layout
from .stages import Stages

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
"""
GROUP = """\
root:x:0:
daemon:x:1:
tty:x:5:
www-data:x:33:
users:x:100:nobody
nogroup:x:65534:
"""
DIRECTORIES = {
    "dev": 0o755, "etc": 0o755, "home": 0o755, "proc": 0o555, "root": 0o700, "run": 0o755, "sbin": 0o755,
    "sys": 0o555, "tmp": 0o1777, "usr/bin": 0o755, "usr/sbin": 0o755, "var": 0o755, "var/tmp": 0o1777,
}  # fmt: skip


def build(directory: Path, scratch: Path, stages: Stages) -> list[str]:
    """Fill an OCI layout in `directory` and return its tags.

    `latest` is the machine's platform alone. `multi` is an index of that and of another platform, whose image holds
    the same programs: it can be pulled, not run. `/etc/platform` says which of the two an image is.
    """
    with stages.stage("busybox: layers"):
        packages.unpack("busybox-static", scratch / "deb", stages)
        root = scratch / "root"
        _write_root(root, scratch / "deb/bin/busybox")
        native = subprocess.run(
            ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
        ).stdout.strip()
        foreign = "amd64" if native == "arm64" else "arm64"
        layout = Layout(directory, scratch / "bundle", stages)
        layout.replace_rootfs(root)
        layout.commit("base", "busybox-static")
        layout.configure(
            "base",
            [
                ("config.cmd", "sh"),
                ("config.env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                ("config.workingdir", "/"),
                ("config.label", "org.opencontainers.image.title=busybox"),
            ],
        )
        for tag, architecture in (("latest", native), ("foreign", foreign)):
            platform = scratch / f"platform-{architecture}"
            platform.write_text(f"linux/{architecture}\n", encoding="utf-8")
            layout.insert(tag, "base", platform, "/etc/platform")
            layout.configure(tag, [("architecture", architecture)])
        layout.index("multi", {"foreign": _platform(foreign), "latest": _platform(native)})
        layout.keep("latest", "foreign", "multi")
    return ["latest", "multi"]


def _platform(architecture: str) -> dict[str, str]:
    variant = {"variant": "v8"} if architecture == "arm64" else {}
    return {"architecture": architecture, "os": "linux"} | variant


def _write_root(root: Path, program: Path) -> None:
    root.mkdir(mode=0o755)
    for name, mode in DIRECTORIES.items():
        (root / name).mkdir(parents=True)
        (root / name).chmod(mode)
    program.rename(_made(root / "bin/busybox"))
    listing = subprocess.run([root / "bin/busybox", "--list-full"], check=True, capture_output=True, text=True).stdout
    for name in listing.split():
        # Hard links, as in the image that the world knows; --list-full leaves out busybox itself.
        if not (root / name).exists():
            os.link(root / "bin/busybox", _made(root / name))
    (root / "etc/passwd").write_text(PASSWD, encoding="utf-8")
    (root / "etc/group").write_text(GROUP, encoding="utf-8")


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
