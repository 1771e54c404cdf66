# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages: what the machine has, what it is to get, and where its apt takes them from."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from . import cache
from .errors import RegistryFailure
from .stages import Stages

# Program and the package that brings it. None of them has a service.
BUILDERS: Mapping[str, str] = {"mmdebstrap": "mmdebstrap", "umoci": "umoci", "skopeo": "skopeo"}

POLICY = Path("/usr/sbin/policy-rc.d")

# apt drops to the user _apt, who may not be able to write where we download to.
AS_ROOT = ("-o", "APT::Sandbox::User=root")


def install(programs: Mapping[str, str], stages: Stages) -> None:
    """Install the packages of those programs that are missing.

    Errors: RegistryFailure that names the packages, where this is not root on a machine with apt.
    """
    missing = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    if not missing:
        return
    names = " ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise RegistryFailure(f"cannot build the images without {names}: install them (apt-get install {names})")
    with stages.stage(f"install {names}"), services_refused():
        update(stages)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        stages.run("apt-get", "install", "-q", "-y", "--no-install-recommends", *missing, env=quiet)


def update(stages: Stages) -> None:
    """Refresh apt's lists, so that no version is asked for that the mirror has replaced."""
    stages.run("apt-get", "update", "-q")


@contextmanager
def services_refused() -> Iterator[None]:
    """Let no package start a service meanwhile (invoke-rc.d(8): policy-rc.d, 101 is "forbidden").

    A policy that the machine has already is its owner's, and stays.
    """
    try:
        descriptor = os.open(POLICY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
    except FileExistsError:
        yield
        return
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as policy:
            policy.write("#!/bin/sh\nexit 101\n")
        yield
    finally:
        POLICY.unlink()


def unpack(package: str, into: Path, stages: Stages) -> None:
    """Download a package with the machine's apt and lay its files out under `into`, running none of its scripts."""
    into.mkdir(parents=True, exist_ok=True)
    stages.run("apt-get", *AS_ROOT, "download", "-q", package, cwd=into)
    (archive,) = into.glob("*.deb")
    stages.run("dpkg-deb", "-x", archive, into)
    archive.unlink()


def registry_program() -> Path:
    """Return the registry server: the machine's, or one laid out in the cache from the package docker-registry.

    It is unpacked and not installed, since installing would put a service at port 5000 that comes back at boot.
    """
    installed = shutil.which("docker-registry")
    if installed is not None:
        return Path(installed)
    program = "usr/bin/docker-registry"
    entry = cache.home() / "docker-registry"
    if not entry.is_dir():
        if shutil.which("apt-get") is None:
            raise RegistryFailure("cannot run a registry without the program docker-registry: install it")
        stages = Stages(cache.home() / "docker-registry.log")

        def lay_out(directory: Path) -> None:
            with stages.stage("download docker-registry"):
                if os.geteuid() == 0:
                    update(stages)
                unpack("docker-registry", directory, stages)

        cache.once(entry.name, lay_out)
    return entry / program


def sources() -> list[Path]:
    """Return the files of the machine that name its apt sources (sources.list(5)), those without any left out."""
    etc = Path("/etc/apt")
    parts = sorted(path for kind in ("list", "sources") for path in etc.glob(f"sources.list.d/*.{kind}"))
    named = [etc / "sources.list", *parts]
    found = [path for path in named if path.is_file() and _names_a_source(path)]
    if not found:
        raise RegistryFailure(f"cannot build the images: no apt source in {etc}/sources.list or {etc}/sources.list.d")
    return found


def _names_a_source(path: Path) -> bool:
    lines = path.read_text(encoding="utf-8").splitlines()
    return any(line.split(maxsplit=1)[:1] == ["deb"] or line.lower().startswith("types:") for line in lines)


def transport_options() -> str:
    """Return, as text for apt.conf(5), how the machine's apt reaches its sources: proxies, retries, certificates.

    It may hold a password: write it to private files only.
    """
    dump = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    left_out = ("Acquire::IndexTargets", "Acquire::Languages", "Acquire::Changelogs", "Acquire::cdrom")
    lines = [line for line in dump.splitlines() if line.startswith("Acquire::") and not line.startswith(left_out)]
    # apt runs with the new root as its directory there; the passwords for mirrors are the machine's (apt_auth.conf(5)).
    lines += ['Dir::Etc::netrc "/etc/apt/auth.conf";', 'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";']
    return "\n".join(lines) + "\n"
