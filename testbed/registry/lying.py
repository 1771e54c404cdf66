# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program behind `liar.Liar`: a registry server that lies as its one argument, a JSON object, says."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import secrets
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

PIECE = 1 << 16
EXCESS = 1 << 20
UNTIL_DROPPED = 2 << 20
STATUSES = {"401", "403", "404", "429", "500"}
CODES = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NOT_FOUND", 405: "UNSUPPORTED", 429: "TOOMANYREQUESTS"}
# RFC 9110, section 7.6.1, and what BaseHTTPRequestHandler writes by itself.
NOT_PASSED = {"connection", "transfer-encoding", "keep-alive", "date", "server", "content-length"}
ELSEWHERE = "/elsewhere"


class Script:
    """What is to be lied about, and how often it still is; shared by all connections."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.upstream: str | None = options["upstream"]
        self.credentials: list[str] | None = options["credentials"]
        self.retry_after: str = options["retry_after"]
        self.identity: str | None = options["identity"]
        self.address = ""
        self.elsewhere = ""
        self._faults = set(options["faults"])
        self._only: str | None = options["only"]
        self._token_uses: int | None = options["token_uses"]
        self._left: dict[str, int | None] = dict.fromkeys(self._faults, options["times"])
        self._tokens: dict[str, tuple[str, int]] = {}
        self._record: int = options["record"]
        self._lock = threading.Lock()

    def has(self, fault: str) -> bool:
        """Tell whether `fault` is among them."""
        return fault in self._faults

    def lies(self, fault: str) -> bool:
        """Tell whether to commit `fault` now, and count it."""
        with self._lock:
            left = self._left.get(fault, 0)
            if left is not None:
                self._left[fault] = max(left - 1, 0)
            return left is None or left > 0

    def lies_for_all(self, path: str) -> str | None:
        """Return the status or stall with which to answer this path instead of anything else."""
        if self._only is not None and f"/{self._only}/" not in path:
            return None
        return next((fault for fault in sorted(self._faults & (STATUSES | {"stall"})) if self.lies(fault)), None)

    def issue(self, scope: str) -> str:
        """Make a token for a scope."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = (scope, 0)
        return token

    def accepts(self, authorization: str | None, scope: str) -> bool:
        """Tell whether the token is one of ours, for this scope, and not used up; count its use."""
        token = (authorization or "").removeprefix("Bearer ")
        with self._lock:
            granted, uses = self._tokens.get(token, (None, 0))
            if granted is None or (scope and granted != scope):
                return False
            self._tokens[token] = (granted, uses + 1)
            return self._token_uses is None or uses < self._token_uses

    def record(self, entry: dict[str, object]) -> None:
        """Append one line, whole, to the caller's file."""
        os.write(self._record, json.dumps(entry).encode() + b"\n")


class Stage(ThreadingHTTPServer):
    """One port of the registry."""

    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.script = script
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Conversation(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"

    @property
    def script(self) -> Script:
        """What all connections share."""
        return cast(Stage, self.server).script

    def do_GET(self) -> None:
        """Lie, or pass the request on; in the order in which a real registry would fail."""
        path = self.path
        if urlsplit(path).path == "/token":
            self._answer_token()
        elif path.startswith(ELSEWHERE + "/"):
            self._pass_on(path.removeprefix(ELSEWHERE))
        elif (fault := self.script.lies_for_all(path)) == "stall":
            self._note(0)
            threading.Event().wait()
        elif fault is not None:
            retry = {"Retry-After": self.script.retry_after} if fault == "429" else {}
            self._refuse(int(fault), "as told", retry)
        elif not self._is_authorised(path):
            self._challenge(path)
        elif "/blobs/" in path and self.script.lies("redirect-loop"):
            self._send(307, {"Location": path}, b"")
        elif "/blobs/" in path and self.script.lies("redirect"):
            target = f"http://{self.script.elsewhere}{ELSEWHERE}{path}"
            self._send(307, {"Location": target}, b"")
        else:
            self._pass_on(path)

    def do_HEAD(self) -> None:
        """Answer as for GET, without a body."""
        self.do_GET()

    def do_POST(self) -> None:
        """Exchange an identity token (distribution, "Docker Registry v2 authentication using OAuth2")."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if urlsplit(self.path).path != "/token" or form.get("grant_type") != ["refresh_token"]:
            self._refuse(405, "only tokens are exchanged")
        elif form.get("refresh_token") != [self.script.identity]:
            self._refuse(401, "unknown identity token")
        else:
            body = json.dumps({"access_token": self.script.issue(form["scope"][0]), "expires_in": 300}).encode()
            self._send(200, {"Content-Type": "application/json"}, body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        """Write nothing: the record has it."""

    def _is_authorised(self, path: str) -> bool:
        if not (self.script.has("bearer") or self.script.has("bearer-denied")):
            return True
        return self.script.accepts(self.headers["Authorization"], _scope(path))

    def _challenge(self, path: str) -> None:
        # RFC 6750, section 3, with the realm and service of the distribution's token specification.
        fields = {"realm": f"http://{self.script.address}/token", "service": "liar"}
        if scope := _scope(path):
            fields["scope"] = scope
        if self.headers["Authorization"]:
            fields["error"] = "invalid_token"
        text = ",".join(f'{name}="{value}"' for name, value in fields.items())
        self._refuse(401, "authentication required", {"WWW-Authenticate": f"Bearer {text}"})

    def _answer_token(self) -> None:
        expected = "Nobody" if self.script.identity else None
        if self.script.credentials is not None:
            expected = "Basic " + base64.b64encode(":".join(self.script.credentials).encode()).decode()
        if self.script.has("bearer-denied") or (expected and self.headers["Authorization"] != expected):
            self._refuse(401, "incorrect user name or password")
            return
        scope = parse_qs(urlsplit(self.path).query).get("scope", [""])[0]
        body = json.dumps({"token": self.script.issue(scope), "expires_in": 300}).encode()
        self._send(200, {"Content-Type": "application/json"}, body)

    def _pass_on(self, path: str) -> None:
        if self.script.upstream is None:
            if path == "/v2/":
                self._send(200, {"Content-Type": "application/json"}, b"{}")
            else:
                self._refuse(404, "nothing is here")
            return
        upstream = http.client.HTTPConnection(self.script.upstream, timeout=30)
        try:
            passed = {name: self.headers[name] for name in ("Accept", "Range") if self.headers[name]}
            if "Range" in passed and self.script.lies("range-ignored"):
                del passed["Range"]
            if "Range" in passed and self.script.lies("range-wrong"):
                passed["Range"] = f"bytes={int(passed['Range'][6:-1]) + 1}-"
            try:
                upstream.request(self.command, path, headers=passed)
                answer = upstream.getresponse()
            except OSError as error:
                self._refuse(502, f"the real registry: {error}")
                return
            self._relay(answer, path)
        except ConnectionError:
            # The client has left: nothing more to say, and nothing more for the record.
            self.close_connection = True
        finally:
            upstream.close()

    def _relay(self, answer: http.client.HTTPResponse, path: str) -> None:
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in NOT_PASSED}
        length = int(answer.headers.get("Content-Length", "0"))
        good = answer.status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
        if good and "/manifests/" in path:
            if self.script.lies("content-type"):
                headers["Content-Type"] = "text/html; charset=utf-8"
            # A HEAD tells the length of the lie, and spends no turn of it.
            more = b"\n" if self._lies_in_body("manifest-digest") else b""
            self._stream(answer, headers, length + len(more), more=more)
        elif good and "/blobs/" in path:
            more = bytes(EXCESS) if self._lies_in_body("blob-longer") else b""
            sent = length // 2 if self._lies_in_body("blob-truncated") else None
            if length > UNTIL_DROPPED and self._lies_in_body("blob-dropped"):
                sent = UNTIL_DROPPED
            alter = self._lies_in_body("blob-digest")
            self._stream(answer, headers, length + len(more), more=more, alter=alter, sent=sent)
        else:
            self._stream(answer, headers, length)

    def _lies_in_body(self, fault: str) -> bool:
        return self.command != "HEAD" and self.script.lies(fault)

    def _stream(
        self,
        answer: http.client.HTTPResponse,
        headers: dict[str, str],
        length: int,
        *,
        more: bytes = b"",
        alter: bool = False,
        sent: int | None = None,
    ) -> None:
        self._begin(answer.status, headers, length)
        left = length if sent is None else sent
        while left > 0 and (piece := answer.read(min(PIECE, left))):
            left -= len(piece)
            self.wfile.write(_altered(piece) if alter else piece)
            alter = False
        if sent is not None:
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(more)

    def _refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        # Distribution specification, "Error Codes".
        error = {"code": CODES.get(status, "UNKNOWN"), "message": message}
        body = json.dumps({"errors": [error]}).encode()
        self._send(status, {"Content-Type": "application/json"} | (headers or {}), body)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._begin(status, headers, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _begin(self, status: int, headers: dict[str, str], length: int) -> None:
        self._note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _note(self, status: int) -> None:
        # Before the answer: whoever has the answer finds the record.
        entry = {"method": self.command, "path": self.path, "host": self.headers["Host"] or ""}
        said = {"authorization": self.headers["Authorization"], "range": self.headers["Range"], "status": status}
        self.script.record(entry | said)


def _scope(path: str) -> str:
    found = re.match(r"/v2/(.+)/(?:manifests|blobs|tags)/", path)
    return f"repository:{found[1]}:pull" if found else ""


def _altered(piece: bytes) -> bytes:
    if piece.startswith(b"\x1f\x8b"):
        # The time in the header of gzip (RFC 1952, MTIME), which changes nothing that is unpacked.
        return piece[:4] + bytes([piece[4] ^ 1]) + piece[5:]
    # In JSON another digit: the year of the image's creation is the first.
    return re.sub(rb"[0-9]", lambda digit: b"%d" % ((int(digit[0]) + 1) % 10), piece, count=1)


def main() -> None:
    """Serve until standard input ends."""
    script = Script(json.loads(sys.argv[1]))
    script.elsewhere = Stage(script).address
    script.address = Stage(script).address
    print(script.address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
