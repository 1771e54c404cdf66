# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A blob on its way into a file, hashed as it comes."""
from __future__ import annotations

import hashlib
import os
from types import TracebackType

PIECE = 1 << 20


class Download:
    """The file of a blob. What an earlier download of it has left there is hashed and counts as received."""

    def __init__(self, path: str, digest: str, size: int) -> None:
        self.path, self.digest, self.size = path, digest, size
        self.received = 0
        self._hashed = hashlib.sha256()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._take_up()
        except BaseException:
            os.close(self._file)
            raise

    def _take_up(self) -> None:
        if os.fstat(self._file).st_size > self.size:
            os.truncate(self._file, 0)
        while piece := os.read(self._file, PIECE):
            self._hashed.update(piece)
            self.received += len(piece)

    def __enter__(self) -> Download:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._file)

    def write(self, piece: bytes) -> None:
        """Add what comes next."""
        self._hashed.update(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self.received += len(piece)

    def found(self) -> str:
        """The digest of what has been received."""
        return f"sha256:{self._hashed.hexdigest()}"
