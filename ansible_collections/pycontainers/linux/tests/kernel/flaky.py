# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between a pusher and a real registry: it asks for logins, breaks connections off, and writes all down.

It is a process of its own, so that the test's stays single-threaded and may fork.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOP = {"connection", "transfer-encoding", "keep-alive", "date", "server", "content-length", "host"}
"""Headers that are not passed on (RFC 9110, 7.6.1), and those that the libraries write by themselves."""


class Flaky:
    """A proxy that runs: its address, and what it was asked."""

    def __init__(self, address: str, record: int) -> None:
        self.address = address
        self._record = record

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Each request with method, path, range, bytes received, status, and scope where a token was asked for."""
        text = os.pread(self._record, os.fstat(self._record).st_size, 0)
        return [json.loads(line) for line in text.splitlines()]

    def asked(self, method: str) -> list[dict[str, Any]]:
        """The requests of a method."""
        return [each for each in self.requests if each["method"] == method]


@contextmanager
def flaky(upstream: str, *faults: dict[str, Any], login: str = "", scheme: str = "") -> Iterator[Flaky]:
    """Run a proxy before a registry.

    A fault is for requests of a ``method`` whose path has ``path`` in it and whose Content-Range begins with
    ``range``, after ``skip`` of them, ``times`` (1) times. ``do`` is a status to answer (with ``headers`` and
    ``body``), ``cut`` (the registry gets ``bytes`` of the body, then both connections end), ``part`` (the same, with a
    registry that keeps what it has got), ``mute`` (the registry does it, and nobody hears) or ``away`` (the Location
    begins with ``to``, and there are ``headers`` too).
    ``login`` is user:password, asked for by the ``scheme`` basic or bearer.
    """
    with tempfile.TemporaryFile() as record:
        options = {"upstream": upstream, "faults": faults, "login": login, "scheme": scheme, "record": record.fileno()}
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[record.fileno()],
        )
        try:
            assert child.stdout is not None
            yield Flaky(child.stdout.readline().decode().strip(), record.fileno())
        finally:
            child.kill()
            child.communicate()


class Script(ThreadingHTTPServer):
    """The proxy's port, and what all of its connections share."""

    daemon_threads = True

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.options = options
        self.address = f"127.0.0.1:{self.server_port}"
        self.mutex = threading.Lock()
        self.kept: dict[str, str] = {}
        """What the real registry calls an upload of which it has more than its client knows, by path."""

    def fault(self, method: str, path: str, part: str) -> dict[str, Any]:
        """What to do wrong with a request; nothing, mostly."""
        with self.mutex:
            for each in self.options["faults"]:
                if each["method"] == method and each.get("path", "") in path and part.startswith(each.get("range", "")):
                    seen = each["seen"] = each.get("seen", 0) + 1
                    if 0 < seen - each.get("skip", 0) <= each.get("times", 1):
                        return dict(each)
        return {}


class Conversation(BaseHTTPRequestHandler):
    """One request and its answer."""

    server: Script

    def handle_one_request(self) -> None:
        """Any method is passed on."""
        self.raw_requestline = self.rfile.readline(65537)
        if self.raw_requestline and self.parse_request():
            self.answer()
        self.close_connection = True

    def answer(self) -> None:
        """Ask for a login, do what is wrong, or pass on."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urlsplit(self.path)
        if parts.path == "/token":
            self.token(parse_qs(parts.query).get("scope", [""])[0])
        elif not self.knows():
            self.challenge()
        else:
            fault = self.server.fault(self.command, self.path, self.headers.get("Content-Range", ""))
            if isinstance(fault.get("do"), int):
                headers = {"Retry-After": "1", **fault.get("headers", {})}
                self.reply(fault["do"], headers, fault.get("body", "").encode())
            else:
                self.pass_on(fault)

    def knows(self) -> bool:
        """Whether the login is the one."""
        scheme, said = self.server.options["scheme"], self.headers.get("Authorization", "")
        if scheme == "bearer":
            writes = self.command not in ("GET", "HEAD")
            return said.startswith("Bearer ") and (not writes or said.endswith(",push"))
        return not scheme or said == f"Basic {base64.b64encode(self.server.options['login'].encode()).decode()}"

    def challenge(self) -> None:
        """Say how to log in."""
        repository = self.path.removeprefix("/v2/").partition("/manifests/")[0].partition("/blobs/")[0]
        actions = "pull" if self.command in ("GET", "HEAD") else "pull,push"
        bearer = f'realm="http://{self.server.address}/token",service="flaky",scope="repository:{repository}:{actions}"'
        offer = f"Bearer {bearer}" if self.server.options["scheme"] == "bearer" else 'Basic realm="flaky"'
        self.reply(401, {"WWW-Authenticate": offer}, b"")

    def token(self, scope: str) -> None:
        """Give a token, which is its scope in words."""
        expected = f"Basic {base64.b64encode(self.server.options['login'].encode()).decode()}"
        good = self.headers.get("Authorization") == expected
        self.reply(200 if good else 401, {}, json.dumps({"token": scope}).encode(), scope=scope)

    def pass_on(self, fault: dict[str, Any]) -> None:
        """Let the registry answer, as far as it and the client are to hear of each other."""
        upstream = http.client.HTTPConnection(self.server.options["upstream"], timeout=30)
        cut, sent = fault.get("do") == "cut", self.body[: fault.get("bytes")]
        try:
            path = self.server.kept.pop(self.path.partition("?")[0], self.path)
            upstream.putrequest(self.command, path, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP | {"authorization", "content-range"}:
                    upstream.putheader(name, value)
            if start := self.headers.get("Content-Range", "").partition("-")[0]:
                upstream.putheader("Content-Range", f"{start}-{int(start) + len(self.body if cut else sent) - 1}")
            upstream.putheader("Content-Length", str(len(self.body if cut else sent)))
            upstream.endheaders()
            upstream.send(sent)
            if cut:
                upstream.sock.shutdown(1)
            found = upstream.getresponse()
            content = found.read()
        except (OSError, http.client.HTTPException):
            if not cut:
                raise
        finally:
            upstream.close()
        if fault.get("do") == "part":
            self.server.kept[self.path.partition("?")[0]] = found.headers["Location"]
        if cut or fault.get("do") in ("part", "mute"):
            self.note(0)
            return
        headers = {name: value for name, value in found.getheaders() if name.lower() not in HOP}
        if fault.get("do") == "away":
            headers |= {"Location": fault.get("to", "") + headers["Location"], **fault.get("headers", {})}
        self.reply(found.status, headers, content, length=found.headers.get("Content-Length"))

    def reply(
        self, status: int, headers: dict[str, str], content: bytes, length: str | None = None, **more: str
    ) -> None:
        """Answer."""
        self.note(status, **more)
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def note(self, status: int, **more: str) -> None:
        """Write a request down, before its answer."""
        entry: dict[str, object] = {"method": self.command, "path": self.path}
        entry |= {"range": self.headers.get("Content-Range")}
        entry |= {"login": self.headers.get("Authorization"), "bytes": len(self.body), "status": status, **more}
        os.write(self.server.options["record"], json.dumps(entry).encode() + b"\n")


def main() -> None:
    """Serve until standard input ends."""
    script = Script(json.loads(sys.argv[1]))
    threading.Thread(target=script.serve_forever, daemon=True).start()
    print(script.address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
