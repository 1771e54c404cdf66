# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that drive OCI runtimes, from Debian's packages: unpacked into a cache, with missing libraries installed."""
from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path.home() / ".cache/pycontainers-oci-clients"
PACKAGES = {
    "podman": ("podman", "conmon", "golang-github-containers-common"),
    "ctr": ("containerd",),
}
"""What is unpacked for a program, named by the program."""

LIBRARIES = {"podman": ("libsubid4", "libgpgme11")}
"""What it is linked to. This is installed, since conmon calls podman without the variables that would name a folder."""


def client(name: str) -> dict[str, str]:
    """The environment in which a client can be called by name. The test is skipped where it can't be had."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip(f"{name} is taken from Debian's packages, and there is no apt-get here")
    root = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            _unpack(name, root)
    environment = {"PATH": f"{root}/usr/bin:{os.environ['PATH']}", "HOME": str(CACHE)}
    if not _runs(name, environment) and name in LIBRARIES:
        _apt(["install", "-y", "--no-install-recommends", *LIBRARIES[name]], CACHE)
    if not _runs(name, environment):
        pytest.skip(f"{name} does not run here")
    return environment


def _runs(name: str, environment: dict[str, str]) -> bool:
    return subprocess.run([name, "--version"], env=environment, capture_output=True, check=False).returncode == 0


def _unpack(name: str, root: Path) -> None:
    aside = CACHE / f"{name}.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    done = _apt(["download", *PACKAGES[name]], aside)
    if done.returncode:
        _apt(["update"], aside)
        done = _apt(["download", *PACKAGES[name]], aside)
    if done.returncode:
        pytest.skip(f"the packages of {name} can't be downloaded: {done.stderr.strip()}")
    for package in list(aside.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, aside], check=True)
        package.unlink()
    aside.rename(root)


def _apt(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # The tests have left the machine's network; whoever has started them has not.
    outside = ["nsenter", f"--net=/proc/{os.getppid()}/ns/net", "apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    return subprocess.run([*outside, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
