# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the Debian root filesystem once, out of Debian's packages, and keep it under a name made from its recipe."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import IO

from testbed import debian_recipe as recipe
from testbed.build import Image
from testbed.debian import Debian
from testbed.shell import Failure, run, write_file


def image(alpine: Image) -> Image:
    """Return the image that the recipe describes, building it first when it is not in the cache (about 30 s).

    Its ssh server is the static one of the Alpine image.
    """
    cache = alpine.path.parent
    sources = [Path(__file__), Path(recipe.__file__)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + alpine.path.name.encode()).hexdigest()
    done = Image(cache / f"debian-{digest[:16]}")
    if done.path.is_dir():
        return done
    work = cache / f".building-{os.getpid()}"
    log_path = cache / f"build-{done.path.name}.log"
    print(f"testbed: building the Debian image, once for {done.path}", flush=True)
    shutil.rmtree(work, ignore_errors=True)
    try:
        with log_path.open("wb") as log:
            work.mkdir()
            rootfs = work / "image/rootfs"
            _unpack(_Apt(work / "apt", log).packages(), rootfs, log)
            _configure(rootfs, alpine.rootfs, log)
        (work / "image").rename(done.path)
    except Failure as error:
        raise Failure(f"{error} (details: {log_path})") from error
    except OSError:
        # Another checkout finished the same recipe meanwhile; its result is as good.
        if not done.path.is_dir():
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return done


class _Apt(Debian):
    """A private apt directory in which nothing is installed yet."""

    def packages(self) -> list[Path]:
        """Fetch the packages with all that they depend on."""
        (self.path / "status").touch()
        options = [*self._options, f"-oDir::State::status={self.path / 'status'}", "-oDebug::NoLocking=true"]
        run("apt-get", *options, "update", "-q", log=self.log)
        asked = ("install", "-y", "-q", "--download-only", "--no-install-recommends", *recipe.PACKAGES)
        run("apt-get", *options, *asked, log=self.log)
        return sorted((self.path / "cache/archives").glob("*.deb"))


def _unpack(packages: list[Path], rootfs: Path, log: IO[bytes]) -> None:
    """Unpack without installing: no package's scripts run, and what they would have done is in :func:`_configure`."""
    rootfs.mkdir(parents=True)
    for name in recipe.MERGED:
        (rootfs / "usr" / name).mkdir(parents=True)
        (rootfs / name).symlink_to(f"usr/{name}")
    script = 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"'
    for package in packages:
        run("sh", "-c", script, "sh", package, rootfs, log=log)
    for name in recipe.WITHOUT:
        shutil.rmtree(rootfs / name, ignore_errors=True)


def _configure(rootfs: Path, alpine: Path, log: IO[bytes]) -> None:
    etc = rootfs / "etc"
    for path in ("mnt", "root", "srv", "var/log", "var/lib", "var/tmp"):
        (rootfs / path).mkdir(parents=True, exist_ok=True)
    for name in ("passwd", "group"):
        shutil.copy(rootfs / f"usr/share/base-passwd/{name}.master", etc / name)
    write_file(etc / "shells", recipe.SHELLS)
    write_file(etc / "fstab", "")
    write_file(rootfs / "usr/lib/sysusers.d/testbed.conf", recipe.USERS)
    for name, text in recipe.UNITS.items():
        write_file(etc / "systemd/system" / name, text)
    for name in ("usr/sbin/dropbear", "usr/lib/ssh/sftp-server"):
        (rootfs / name).parent.mkdir(exist_ok=True)
        shutil.copy2(alpine / name, rootfs / name)
    for path in ("root/.ssh", "etc/dropbear"):
        (rootfs / path).mkdir(mode=0o700)
    if not (rootfs / "usr/bin/awk").exists():
        (rootfs / "usr/bin/awk").symlink_to("mawk")
    inside = ("chroot", rootfs)
    run(*inside, "/sbin/ldconfig", log=log)
    run(*inside, "/usr/bin/systemd-sysusers", log=log)
    run(*inside, "/usr/bin/python3", "-m", "compileall", "-q", "/usr/lib/python3.11", "/usr/lib/python3", log=log)
    run(*inside, "/usr/bin/systemctl", "mask", *recipe.MASKED, log=log)
    run(*inside, "/usr/bin/systemctl", "enable", *recipe.UNITS, log=log)
    run(*inside, "/usr/bin/systemctl", "set-default", "multi-user.target", log=log)
