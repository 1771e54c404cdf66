# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that misbehaves in one chosen way, in front of a real one: equipment for tests of pulling."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

FAULTS = {
    "none": "passes everything through",
    "401": "answers 401 Unauthorized without a challenge",
    "403": "answers 403 Forbidden",
    "404": "answers 404 Not Found",
    "429": "answers 429 Too Many Requests with Retry-After: 1, or what `retry_after` says",
    "500": "answers 500 Internal Server Error",
    "stall": "takes the request and never answers",
    "refused": "does not listen: connect(2) gives ECONNREFUSED",
    "manifest-digest": "manifests mean the same but are one byte longer, the digest in the header is the true one",
    "content-type": "manifests come as text/html",
    "blob-digest": "one byte of each blob differs; gzip and JSON stay valid, so that only the digest can tell",
    "blob-truncated": "blobs end halfway, with the whole length announced",
    "blob-longer": "blobs have 1 MiB of zeros appended, with that length announced",
    "blob-dropped": "each answer with more than 2 MiB of a blob breaks off there, with the whole length announced",
    "range-ignored": "whole blobs come where a range is asked for",
    "range-wrong": "where a range is asked for, the one a byte further comes",
    "redirect-loop": "each blob is said to be at its own address: 307, again and again",
    "redirect": "blobs are at another port: 307 to there, where a token is not asked for and should not be sent",
    "bearer": "asks for a bearer token, which its own endpoint gives (to `credentials` only, where there are any)",
    "bearer-denied": "asks for a bearer token, and its own endpoint answers 401",
}


@dataclass(frozen=True)
class Request:
    """A request that came, and how it was answered (0: not at all). `host` tells a redirect's target from the rest."""

    method: str
    path: str
    host: str
    authorization: str | None
    status: int
    range: str | None = None


class Liar:
    """`with Liar(upstream, fault="blob-digest") as address:` runs one at 127.0.0.1 for the time of the block.

    It is a process of its own, so that the test's stays single-threaded and may fork. It reads only: GET and HEAD.
    """

    def __init__(
        self,
        upstream: str | None = None,
        *,
        fault: str = "none",
        only: str | None = None,
        times: int | None = None,
        credentials: tuple[str, str] | None = None,
        token_uses: int | None = None,
        retry_after: str = "1",
        identity: str | None = None,
    ) -> None:
        """Choose what it does.

        `upstream` is the real registry's host:port; without one there is nothing to find but faults.
        `fault` is a key of FAULTS, or several joined by "+" ("bearer+redirect").
        `only` limits the faults of statuses and `stall` to "manifests" or "blobs".
        `times` limits each fault but the bearer ones to that many requests, after which it behaves.
        `credentials` are the user and password for the token; `token_uses` is how many requests a token is good for.
        `retry_after` is the header of that name; `identity` is the identity token that is exchanged for others.
        """
        faults = fault.split("+")
        unknown = set(faults) - FAULTS.keys()
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
        if only not in (None, "manifests", "blobs"):
            raise ValueError(f"only is manifests or blobs, not {only}")
        self._refused = "refused" in faults
        self._options = {
            "upstream": upstream,
            "faults": faults,
            "only": only,
            "times": times,
            "credentials": list(credentials) if credentials else None,
            "token_uses": token_uses,
            "retry_after": retry_after,
            "identity": identity,
        }
        self._child: subprocess.Popen[bytes] | None = None
        self._unheard: socket.socket | None = None
        self._record: IO[bytes] | None = None
        self._kept = b""

    @property
    def requests(self) -> list[Request]:
        """What was asked so far, in the order of the answers; also after the block."""
        return [Request(**json.loads(line)) for line in self._recorded().splitlines()]

    def start(self) -> str:
        """Begin to listen and return host:port."""
        if self._refused:
            # Bound and not listening: nobody else can get the port meanwhile.
            self._unheard = socket.socket()
            self._unheard.bind(("127.0.0.1", 0))
            return f"127.0.0.1:{self._unheard.getsockname()[1]}"
        self._record = tempfile.TemporaryFile()  # noqa: SIM115 - open until `stop`
        program = Path(__file__).with_name("lying.py")
        options = json.dumps(self._options | {"record": self._record.fileno()})
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", program, options],
            # Its end of file is how the child learns that the caller was killed.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[self._record.fileno()],
        )
        assert self._child.stdout is not None
        address = self._child.stdout.readline().decode().strip()
        if not address:
            self.stop()
            raise RuntimeError("the lying registry ended before it listened; its error is on standard error")
        return address

    def stop(self) -> None:
        """End it, if it runs."""
        if self._unheard is not None:
            self._unheard.close()
            self._unheard = None
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None
        if self._record is not None:
            self._kept = self._recorded()
            self._record.close()
            self._record = None

    def _recorded(self) -> bytes:
        if self._record is None:
            return self._kept
        return os.pread(self._record.fileno(), os.fstat(self._record.fileno()).st_size, 0)

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
