# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package of Alpine's with one program, as no repository is within reach of the hosts."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping

TREE = {
    "usr/": None,
    "usr/bin/": None,
    "usr/bin/hello": b"#!/bin/sh\necho hello from a package\n",
}
INFO = """\
pkgname = hello
pkgver = 1.0-r0
pkgdesc = says hello
url = https://hello.test
arch = noarch
size = 40
license = MIT
datahash = {digest}
"""


def hello() -> bytes:
    """The package (APK specification, version 2): a segment that tells of it, and one with its files; not signed."""
    data = gzip.compress(_tar(TREE))
    told = _tar({".PKGINFO": INFO.format(digest=hashlib.sha256(data).hexdigest()).encode()})
    # Of the first segment the two blocks that end an archive are left out, so that both are one.
    end = len(told.rstrip(b"\0"))
    return gzip.compress(told[: end + -end % tarfile.BLOCKSIZE]) + data


def _tar(files: Mapping[str, bytes | None]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.mode = 0o755
            member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            member.size = len(content or b"")
            if content is not None:
                member.pax_headers = {"APK-TOOLS.checksum.SHA1": hashlib.sha1(content).hexdigest()}
            archive.addfile(member, io.BytesIO(content or b""))
    return out.getvalue()
