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
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from ..core.layout import Layout
from ..errors import Failure, NotFound
from ..lean.dataclasses import dataclass
from . import token
from .content import INDEXES, MANIFESTS
from .download import Download
from .reference import Reference, is_digest
from .registries import reach
from .transport import Again, Transport, number, piece_of

T = TypeVar("T")

LARGEST_MANIFEST = 4 << 20
"""Bytes; what registries must take at least (spec.md, "Pushing Manifests") and the usual limit above."""

LARGEST_ANSWER = 64 << 10
PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before the second try and those after it."""

LONGEST_PAUSE = 30.0
"""Seconds; a registry that asks for a longer one is asked again nevertheless."""

LONGEST_WISH = 120.0
"""Seconds; a registry that asks for more than these (RFC 9110, 10.2.3, Retry-After) will not help us today."""

PROGRESS = 1 << 20
"""Bytes after which a dropped connection is the first one again."""

MOST_TAGS = 10
"""How many tags an error names."""


@dataclass(frozen=True)
class Manifest:
    """A manifest or index as it came, and its digest."""

    digest: str
    media_type: str
    content: bytes


class Lie(Failure):
    """A blob that is complete and not what it should be."""


class Stopped(Failure):
    """What is left undone because something else went wrong."""


class Registry:
    """One repository of one registry. Every error is a :class:`Failure` of the operation, which says the reference."""

    def __init__(
        self, layout: Layout, reference: Reference, operation: str = "", stop: threading.Event | None = None
    ) -> None:
        """``stop`` ends what other threads wait for or receive, with a :class:`Failure`."""
        self.reference = reference
        self._stop = stop or threading.Event()
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
                self._check(digest, size, len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
                return content

        return self._trying(ask)

    def blob(self, download: Download, say: Callable[[int], None] = lambda received: None) -> None:
        """Fetch what a download lacks, going on after a dropped connection where it broke off.

        Each time that more has come, ``say`` is told how much has. Raises :class:`Lie` if it comes to another digest.
        """

        def ask() -> None:
            at = download.received
            if at < download.size or not at:
                headers = {"Range": f"bytes={at}-"} if at else None
                with contextlib.closing(self._open(f"blobs/{download.digest}", "GET", headers=headers)) as answer:
                    self._receive(answer, download, say)
            self._check(download.digest, download.size, download.received, download.found())

        self._trying(ask, lambda: download.received)

    def _receive(self, answer: http.client.HTTPResponse, download: Download, say: Callable[[int], None]) -> None:
        skip, what = _skipped(answer, download.received), f"blob {download.digest}"
        if skip is None:
            self._refuse(f"{self.host} sent another part of {what} than it was asked for", _LIES)
        expected = download.size if skip else download.size - download.received
        if (number(answer.headers.get("Content-Length", "")) or 0) > expected:
            self._refuse(f"the registry sent more than the {download.size} bytes that {what} has", _LIES)
        while piece := piece_of(answer):
            if skip:
                skip, piece = max(skip - len(piece), 0), piece[skip:]
            if download.received + len(piece) > download.size:
                self._refuse(f"the registry sent more than the {download.size} bytes that {what} has", _LIES)
            if self._stop.is_set():
                raise Stopped(self.operation, "another part of it can't be had")
            download.write(piece)
            say(download.received)

    def _check(self, digest: str, size: int, received: int, hashed: str) -> None:
        if received < size:
            raise Again(f"blob {digest} broke off after {received} of {size} bytes")
        if digest != hashed:
            raise Lie(self.operation, f"what the registry sent as blob {digest} has the digest {hashed}", _LIES)

    def _bounded(self, answer: http.client.HTTPResponse, limit: int, what: str) -> bytes:
        content = b""
        while piece := piece_of(answer):
            content += piece
            if len(content) > limit:
                self._refuse(f"{what} has more than {limit} bytes", _LIES)
        declared = number(answer.headers.get("Content-Length", "")) or 0
        if len(content) < declared:
            raise Again(f"{what} broke off after {len(content)} of {declared} bytes")
        return content

    def _refuse(self, reason: str, fix: str = "") -> None:
        raise Failure(self.operation, reason, fix)

    def _trying(self, ask: Callable[[], T], received: Callable[[], int] = lambda: 0) -> T:
        """Ask again while the registry is busy or the connection drops, and while each time more has been received."""
        tries, mark = 0, received()
        while True:
            try:
                return ask()
            except Again as again:
                if received() - mark >= PROGRESS:
                    tries, mark = 0, received()
                if tries == len(PAUSES):
                    reason = f"{again.reason}, in each of {len(PAUSES) + 1} tries"
                    raise Failure(self.operation, reason, again.fix) from again
                if again.pause > LONGEST_WISH:
                    reason = f"{again.reason} and wants us to wait for {again.pause:.0f} seconds"
                    raise Failure(self.operation, reason, again.fix) from again
                # Not all of a fleet that was refused at once may come back at once.
                wanted = max(PAUSES[tries] * random.uniform(1, 1.5), again.pause)
                tries += 1
                if self._stop.wait(min(wanted, LONGEST_PAUSE)):
                    raise Stopped(self.operation, "another part of it can't be had") from again

    def _open(
        self, path: str, method: str, accept: str = "*/*", headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Ask for something of the repository that must be there, or with headers for a part of it."""
        answer = self.ask(f"{self.base}/{path}", method, accept, headers)
        if answer.status != 200 and not (headers and answer.status == 206):
            with contextlib.closing(answer):
                self._fail(answer, path)
        return answer

    def ask(
        self,
        url: str,
        method: str,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
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
        realm = token.realm(offer.realm, self.base)
        if realm is None:
            raise Failure(self.operation, f"{self.host} sends us for a token to {offer.realm!r}, which is not https")
        scope = offer.scope or f"repository:{self.reference.repository}:pull"
        wish = {key: value for key, value in (("service", offer.service), ("scope", scope)) if value}
        user, _, secret = (known or "").partition(":")
        if user == token.IDENTITY:
            form = urlencode({**wish, **_REFRESH, "refresh_token": secret}).encode()
            asked = self._transport.ask(offer.realm, "POST", "*/*", "", _FORM, form)
        else:
            url = offer.realm + ("&" if realm.query else "?") + urlencode(wish)
            asked = self._transport.ask(url, "GET", "*/*", token.basic(known) if known else "")
        with contextlib.closing(asked) as answer:
            where = realm.netloc
            if answer.status == 429 or answer.status >= 500:
                raise Again(f"{where} answered {answer.status} when asked for a token")
            if answer.status != 200:
                named = "the identity token" if user == token.IDENTITY else f"the user {user!r}"
                who = f"refuses {named}" if known else "gives no token without a login"
                raise Failure(self.operation, f"{where} {who} ({answer.status})", self._login_fix())
            try:
                said = json.loads(self._bounded(answer, LARGEST_ANSWER, "the token"))
                found = said.get("token") or said["access_token"]
            except (ValueError, KeyError, AttributeError, RecursionError):
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
            except (ValueError, KeyError, TypeError, RecursionError):
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
            fix = "try again later, or look into the registry's log"
            raise Again(f"{self.host} is in trouble {said}", fix, _pause(answer.headers.get("Retry-After", "")))
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


_REFRESH = {"grant_type": "refresh_token", "client_id": "pycontainers"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_LIES = "nothing was kept; look for a proxy that alters downloads, or push the image again"


def _error(content: bytes) -> tuple[str, str]:
    """The code and the message in an error's body, as far as it is one; else its first words."""
    try:
        said: Any = json.loads(content)["errors"][0]
        return str(said.get("code", "")), str(said.get("message", ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        words = content[:120].decode(errors="replace").split()
        text = " ".join(words)
        return "", text if text.isprintable() and not text.startswith("<") else ""


def _skipped(answer: http.client.HTTPResponse, at: int) -> int | None:
    """How many bytes of an answer are known already; None if it is no part that continues them."""
    if answer.status != 206:
        return at  # it knows no ranges, and begins at the beginning
    return 0 if answer.headers.get("Content-Range", "").lower().startswith(f"bytes {at}-") else None


def _pause(text: str) -> float:
    """What a Retry-After says, in seconds from now (RFC 9110, 10.2.3)."""
    if text.isdigit() and text.isascii():
        return float(text)
    try:
        return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0
