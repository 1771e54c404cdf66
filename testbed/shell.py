# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the machine's own programs, and fail in one sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

# Debian package of each program (or file) that a part of the testbed calls.
RUN_NEEDS = {
    "ip": "iproute2",
    "mount": "mount",
    "unshare": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
BUILD_NEEDS = {
    "gcc": "gcc",
    "musl-gcc": "musl-tools",
    "make": "make",
    "gperf": "gperf",
    "dpkg-source": "dpkg-dev",
    "qemu-img": "qemu-utils",
    "xz": "xz-utils",
    "/usr/include/linux/version.h": "linux-libc-dev",
}
VM_NEEDS = {"qemu-system-x86_64": "qemu-system-x86", "mkfs.ext4": "e2fsprogs"}


class Failure(Exception):
    """Something that the person at the keyboard must know, as one sentence."""


def run(
    *argv: str | Path,
    log: IO[bytes] | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Run a program to its end and return its standard output.

    With `log`, all output goes there instead and the result is empty. Raises Failure when the program is missing or,
    unless `check` is false, when it exits with a status other than 0.
    """
    words = [str(word) for word in argv]
    out = log if log is not None else subprocess.PIPE
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT if log is not None else subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failure(f"cannot run {words[0]}: it is not installed") from error
    if check and done.returncode != 0:
        said = [line.strip() for line in (done.stderr or b"").decode(errors="replace").splitlines() if line.strip()]
        # mount(8) ends with a hint at dmesg, after the reason.
        said = [line for line in said if "dmesg(1)" not in line]
        reason = said[-1] if said else f"exit status {done.returncode}"
        raise Failure(f"`{' '.join(words)}` failed: {reason}")
    return (done.stdout or b"").decode(errors="replace")


def require(needs: Mapping[str, str], log: IO[bytes] | None = None) -> None:
    """Have these programs (or files, if the name is a path), installing their Debian packages when root on Debian.

    Raises Failure that names the packages where they cannot be installed.
    """
    packages = _missing_packages(needs)
    if not packages:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Failure(f"the testbed needs the packages {' '.join(packages)}: install them and try again")
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", *packages]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(*install, log=log, env=quiet)
    except Failure:
        # A machine whose package lists were deleted (as in most images) knows no package until this.
        run("apt-get", "update", "-q", log=log, env=quiet)
        run(*install, log=log, env=quiet)
    if still := _missing_packages(needs):
        raise Failure(f"the packages {' '.join(still)} are installed but their programs are not in PATH")


def _missing_packages(needs: Mapping[str, str]) -> list[str]:
    def present(name: str) -> bool:
        return Path(name).exists() if name.startswith("/") else shutil.which(name) is not None

    return sorted({package for name, package in needs.items() if not present(name)})


def write_file(path: Path, text: str | Iterable[str], mode: int = 0o644) -> None:
    """Write text (or lines) to a file that appears whole or not at all; its directory is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    content = text if isinstance(text, str) else "".join(f"{line}\n" for line in text)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    aside.rename(path)
