# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry as its clients see it (distribution-spec, spec.md): manifests and blobs by HTTP.

Nothing a registry says is believed: what it sends is bounded in size, and whoever asked by digest gets the
bytes of that digest or an error. This file loads urllib and ssl, so it is imported by what asks a registry only.
"""
from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlencode, urlsplit

from ..core.layout import Layout
from ..errors import Failure, NotFound
from . import token
from .content import INDEXES, MANIFESTS
from .reference import Reference, is_digest
from .transport import Again, Transport, piece_of, reach

T = TypeVar("T")

LARGEST_MANIFEST = 4 << 20
"""Bytes; what registries must take at least (spec.md, "Pushing Manifests") and the usual limit above."""

LARGEST_ANSWER = 64 << 10
PAUSES = (0.5, 2.0)
"""Seconds before the second and the third try."""

LONGEST_PAUSE = 10.0
MOST_TAGS = 10
"""How many tags an error names."""


@dataclass(frozen=True)
class Manifest:
    """A manifest or index as it came, and its digest."""

    digest: str
    media_type: str
    content: bytes


class Registry:
    """One repository of one registry. Every error is a :class:`Failure` of the operation, which says the reference."""

    def __init__(self, layout: Layout, reference: Reference, operation: str = "") -> None:
        self.reference = reference
        self.operation = operation or f"pull {reference}"
        self.host, self.plain = reach(layout, reference)
        self.base = f"{'http' if self.plain else 'https'}://{self.host}/v2/{reference.repository}"
        self._transport = Transport(self.operation, layout, self.host, self.plain)
        self._authorization = ""

    def digest(self) -> str:
        """The digest of what the reference names now, by HEAD, which registries do not count as a pull."""

        def ask() -> str:
            with contextlib.closing(self._open(f"manifests/{self.reference.target}", "HEAD", _ACCEPT)) as answer:
                return str(answer.headers.get("Docker-Content-Digest", ""))

        found = self._trying(ask)
        return found if is_digest(found) else self.manifest(self.reference.target).digest

    def manifest(self, target: str) -> Manifest:
        """The manifest or index of a tag or digest."""

        def ask() -> Manifest:
            with contextlib.closing(self._open(f"manifests/{target}", "GET", _ACCEPT)) as answer:
                content = self._bounded(answer, LARGEST_MANIFEST, f"the manifest {target}")
                media_type = answer.headers.get_content_type()
                said = answer.headers.get("Docker-Content-Digest", "")
                digest = "sha256:" + hashlib.sha256(content).hexdigest()
                expected = target if is_digest(target) else said if is_digest(said) else digest
                if digest != expected:
                    self._refuse(f"the manifest that the registry sent as {expected} has the digest {digest}", _LIES)
                return Manifest(digest, media_type, content)

        return self._trying(ask)

    def small(self, digest: str, size: int) -> bytes:
        """A blob of at most a manifest's size, such as a configuration."""
        if size > LARGEST_MANIFEST:
            self._refuse(f"its configuration has {size} bytes, more than {LARGEST_MANIFEST}")

        def ask() -> bytes:
            with contextlib.closing(self._open(f"blobs/{digest}", "GET")) as answer:
                content = self._bounded(answer, size, f"the blob {digest}")
                self._check(digest, size, len(content), hashlib.sha256(content).hexdigest())
                return content

        return self._trying(ask)

    def blob(self, digest: str, size: int, file: BinaryIO) -> None:
        """Write a blob into an empty file, hashing it on the way. What is in the file after an error is worthless."""

        def ask() -> None:
            file.seek(0)
            file.truncate()
            hashed, received = hashlib.sha256(), 0
            with contextlib.closing(self._open(f"blobs/{digest}", "GET")) as answer:
                while piece := piece_of(answer):
                    received += len(piece)
                    if received > size:
                        self._refuse(f"the registry sent more than the {size} bytes that blob {digest} has", _LIES)
                    hashed.update(piece)
                    file.write(piece)
            self._check(digest, size, received, hashed.hexdigest())

        self._trying(ask)

    def _check(self, digest: str, size: int, received: int, hashed: str) -> None:
        if received < size:
            raise Again(f"blob {digest} broke off after {received} of {size} bytes")
        if digest != f"sha256:{hashed}":
            self._refuse(f"what the registry sent as blob {digest} has the digest sha256:{hashed}", _LIES)

    def _bounded(self, answer: http.client.HTTPResponse, limit: int, what: str) -> bytes:
        content = b""
        while piece := piece_of(answer):
            content += piece
            if len(content) > limit:
                self._refuse(f"{what} has more than {limit} bytes", _LIES)
        declared = answer.headers.get("Content-Length", "")
        if declared.isdigit() and len(content) < int(declared):
            raise Again(f"{what} broke off after {len(content)} of {declared} bytes")
        return content

    def _refuse(self, reason: str, fix: str = "") -> None:
        raise Failure(self.operation, reason, fix)

    def _trying(self, ask: Callable[[], T]) -> T:
        """Ask up to three times while the registry is busy or the connection drops."""
        for pause in PAUSES:
            try:
                return ask()
            except Again as again:
                time.sleep(min(max(pause, again.pause), LONGEST_PAUSE))
        try:
            return ask()
        except Again as again:
            raise Failure(self.operation, f"{again.reason}, in each of {len(PAUSES) + 1} tries", again.fix) from again

    def _open(self, path: str, method: str, accept: str = "*/*") -> http.client.HTTPResponse:
        """Ask for something of the repository that must be there."""
        answer = self.ask(f"{self.base}/{path}", method, accept)
        if answer.status != 200:
            with contextlib.closing(answer):
                self._fail(answer, path)
        return answer

    def ask(
        self,
        url: str,
        method: str,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] | None = None,
    ) -> http.client.HTTPResponse:
        """The answer to one request, whatever its status, with a login if the registry wants one.

        A body must be one that can be sent twice. No login goes to another host than the registry's.
        """
        own = urlsplit(url)[:2] == urlsplit(self.base)[:2]
        answer = self._transport.ask(url, method, accept, self._authorization if own else "", headers, body)
        if answer.status == 401 and own:
            offer = token.challenge(answer.headers.get_all("WWW-Authenticate") or [])
            answer.close()
            self._authorization = self._log_in(offer)
            answer = self._transport.ask(url, method, accept, self._authorization, headers, body)
        return answer

    def _log_in(self, offer: token.Challenge | None) -> str:
        known = token.credentials(self.reference, os.environ)
        if offer is None:
            raise Failure(self.operation, f"{self.host} wants a login and does not say how (401)")
        if offer.scheme == "basic":
            if known is None:
                raise Failure(self.operation, f"{self.host} wants a user and a password (401)", self._login_fix())
            return token.basic(known)
        return f"Bearer {self._trying(lambda: self._token(offer, known))}"

    def _token(self, offer: token.Challenge, known: str | None) -> str:
        """A token from the realm (distribution, "Token Authentication Specification")."""
        try:
            realm = urlsplit(offer.realm)
        except ValueError:
            realm = urlsplit("")
        if realm.scheme not in (("http", "https") if self.plain else ("https",)):
            raise Failure(self.operation, f"{self.host} sends us for a token to {offer.realm!r}, which is not https")
        scope = offer.scope or f"repository:{self.reference.repository}:pull"
        query = urlencode({key: value for key, value in (("service", offer.service), ("scope", scope)) if value})
        url = offer.realm + ("&" if realm.query else "?") + query
        with contextlib.closing(self._transport.ask(url, "GET", "*/*", token.basic(known) if known else "")) as answer:
            where = realm.netloc
            if answer.status == 429 or answer.status >= 500:
                raise Again(f"{where} answered {answer.status} when asked for a token")
            if answer.status != 200:
                who = f"refuses the user {known.partition(':')[0]!r}" if known else "gives no token without a login"
                raise Failure(self.operation, f"{where} {who} ({answer.status})", self._login_fix())
            try:
                said = json.loads(self._bounded(answer, LARGEST_ANSWER, "the token"))
                found = said.get("token") or said["access_token"]
            except (ValueError, KeyError, AttributeError):
                found = None
        if not isinstance(found, str) or not (found.isascii() and found.isprintable()):
            raise Failure(self.operation, f"{where} answered with no token when asked for one")
        return found

    def _tags(self) -> str | None:
        """Where the repository's tags are to be seen, or some of them; None if there is no such repository."""
        url = f"{self.base}/tags/list"
        with contextlib.closing(self._transport.ask(url, "GET", "*/*", self._authorization)) as answer:
            content = self._bounded(answer, LARGEST_MANIFEST, "the list of tags")
            if answer.status == 404 and _error(content)[0] == "NAME_UNKNOWN":
                return None
            try:
                tags = sorted(str(tag) for tag in json.loads(content)["tags"] if str(tag).isprintable())
            except (ValueError, KeyError, TypeError):
                tags = []
        if not tags:
            return f"see its tags at {url}"
        return f"its tags are {', '.join(tags[:MOST_TAGS])}" + (f" and more at {url}" if len(tags) > MOST_TAGS else "")

    def _login_fix(self) -> str:
        files = " or ".join(token.files(os.environ))
        return f"log in with 'podman login {self.reference.registry}' or put the login into \"auths\" of {files}"

    def _said(self, answer: http.client.HTTPResponse) -> tuple[str, str, str]:
        """An error's code, message, and status and code as sentences have them; :class:`Again` if it may pass."""
        status = answer.status
        code, message = _error(self._bounded(answer, LARGEST_MANIFEST, "the error"))
        said = f"({' '.join(filter(None, (str(status), code)))})"
        if status == 429:
            text = f"{self.host} has had too many requests from here {said}"
            raise Again(text, "wait, or log in for a higher limit", _pause(answer.headers.get("Retry-After", "")))
        if status >= 500:
            raise Again(f"{self.host} is in trouble {said}", "try again later, or look into the registry's log")
        return code, message, said

    def _fail(self, answer: http.client.HTTPResponse, path: str) -> None:
        """Raise what an answer other than 200 means (spec.md, "Error Codes")."""
        status, what = answer.status, path.partition("/")[2]
        code, message, said = self._said(answer)
        repository = self.reference.repository
        if status in (401, 403):
            words = f": {message}" if message else ""
            reason = f"{self.host} does not let us read {repository} {said}{words}"
            raise Failure(self.operation, reason, self._login_fix())
        if status == 404 and path.startswith("manifests/"):
            tags = None if code == "NAME_UNKNOWN" else self._tags()
            if tags is None:
                reason = f"the registry has no repository {repository} {said}"
                raise NotFound(self.operation, reason, "correct the name")
            kind = "manifest" if is_digest(what) else "tag"
            raise NotFound(self.operation, f"the registry has no {kind} {what} in {repository} {said}", tags)
        if status == 404:
            raise NotFound(self.operation, f"the registry lacks {what}, which the image needs {said}", "push it again")
        hint = "an HTTPS server" in message or "HTTPS port" in message
        fix = f"take {self.host} out of the insecure registries" if hint else ""
        raise Failure(self.operation, f"{self.host} answered {said} {message}".rstrip(), fix)


_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_LIES = "nothing was kept; look for a proxy that alters downloads, or push the image again"


def _error(content: bytes) -> tuple[str, str]:
    """The code and the message in an error's body, as far as it is one; else its first words."""
    try:
        said: Any = json.loads(content)["errors"][0]
        return str(said.get("code", "")), str(said.get("message", ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        words = content[:120].decode(errors="replace").split()
        text = " ".join(words)
        return "", text if text.isprintable() and not text.startswith("<") else ""


def _pause(text: str) -> float:
    return float(text) if text.isdigit() else 0.0
