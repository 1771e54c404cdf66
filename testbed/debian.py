# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs for Alpine out of Debian's packages: fetched by apt, compiled with musl-gcc."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from testbed import recipe
from testbed.shell import Failure, run, write_file

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Debian:
    """A private apt directory: the machine's own package sources and lists stay as they are."""

    def __init__(self, path: Path, log: IO[bytes]) -> None:
        self.path = path
        self.log = log
        sources = path / "sources.list"
        self._options = [
            f"-oDir::Etc::sourcelist={sources}",
            "-oDir::Etc::sourceparts=/dev/null",
            f"-oDir::State::lists={path / 'lists'}",
            f"-oDir::Cache={path / 'cache'}",
            # The build directory is root's alone, so apt's download user cannot write there.
            "-oAPT::Sandbox::User=root",
        ]
        for name in ("lists/partial", "cache/archives/partial", "src"):
            (path / name).mkdir(parents=True)
        write_file(sources, self._configured_sources())

    def _configured_sources(self) -> list[str]:
        where = f"[signed-by={_KEYRING}] $(SITE) $(RELEASE) $(COMPONENT)"
        query = ["apt-get", "indextargets", "--format", where, "Origin: Debian", "Created-By: Packages"]
        places = sorted(set(run(*query).splitlines()))
        if not places:
            # apt knows the origin of a source only after its first update.
            run("apt-get", "update", "-q", log=self.log)
            places = sorted(set(run(*query).splitlines()))
        if not places:
            raise Failure("apt has no source of Debian's packages configured: add one to /etc/apt/sources.list.d")
        return [f"{kind} {place}" for place in places for kind in ("deb", "deb-src")]

    def download(self) -> None:
        """Fetch and unpack the sources and the package of libffi."""
        run("apt-get", *self._options, "update", "-q", log=self.log)
        folder = self.path / "src"
        run("apt-get", *self._options, "source", "-q", *recipe.SOURCES, log=self.log, cwd=folder)
        run("apt-get", *self._options, "download", "-q", recipe.FFI_PACKAGE, log=self.log, cwd=folder)
        run("dpkg-deb", "-x", self._one(f"{recipe.FFI_PACKAGE}_*.deb"), self.path / "ffi", log=self.log)

    def _one(self, pattern: str) -> Path:
        found = list((self.path / "src").glob(pattern))
        if len(found) != 1:
            raise Failure(f"apt-get left {len(found)} files named {pattern}, not 1")
        return found[0]

    def _source(self, name: str) -> Path:
        return next(path for path in (self.path / "src").glob(f"{name}-*") if path.is_dir())

    def _make(self, source: Path, configure: tuple[str, ...], make: tuple[str, ...]) -> None:
        # Debian's patches leave configure older than configure.ac, which some configure scripts refuse.
        (source / "configure").touch()
        run("./configure", "CC=musl-gcc", *configure, log=self.log, cwd=source)
        run("make", *make, log=self.log, cwd=source)

    def ffi_library(self) -> Path:
        """Return libffi.so.8: Debian's binary works under musl as it is, for it calls nothing that glibc alone has."""
        return next((self.path / "ffi").glob("usr/lib/*/libffi.so.8")).resolve()

    def dropbear(self) -> Path:
        """Compile sshd, static, and return the directory with `dropbear` and `dropbearkey`."""
        source = self._source("dropbear")
        write_file(source / "localoptions.h", recipe.DROPBEAR_OPTIONS)
        self._make(source, recipe.DROPBEAR_CONFIGURE, ("PROGRAMS=dropbear dropbearkey",))
        return source

    def sftp_server(self) -> Path:
        """Compile OpenSSH's sftp-server, static, and return it."""
        source = self._source("openssh")
        self._make(source, recipe.OPENSSH_CONFIGURE, ("sftp-server",))
        return source / "sftp-server"

    def libseccomp(self) -> Path:
        """Compile libseccomp as a shared library and return it."""
        source = self._source("libseccomp")
        self._make(source, recipe.LIBSECCOMP_CONFIGURE, ("-C", "src", "libseccomp.la"))
        return (source / "src/.libs/libseccomp.so.2").resolve()
