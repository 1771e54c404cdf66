# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry as it is pushed to (distribution-spec, spec.md, "Push"): blobs first, then manifests, then the tag.

A blob is sent in pieces. When the connection drops, the registry is asked how much it has, and the rest is sent;
where it has forgotten the upload, it is begun anew. What is there already is never sent.
"""
from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Iterator
from email.message import Message
from urllib.parse import quote, urlencode, urljoin, urlsplit

from ..core.layout import Layout
from ..errors import Failure
from ..lean.dataclasses import dataclass, replace
from . import token
from .content import INDEXES, MANIFESTS
from .reference import Reference, is_digest
from .registry import Registry
from .transport import PIECE, Again, number

CHUNK = 16 << 20
"""Bytes of a blob that are sent in one request: what a dropped connection costs at most."""

_BYTES = {"Content-Type": "application/octet-stream"}
_MANIFEST = ", ".join((*INDEXES, *MANIFESTS))
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,19})", re.ASCII)
_LOST = ("BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")


@dataclass(frozen=True)
class Part:
    """Bytes of a file, to be read as often as they have to be sent."""

    path: str
    start: int
    length: int

    def __iter__(self) -> Iterator[bytes]:
        left = self.length
        with open(self.path, "rb") as file:
            file.seek(self.start)
            while left and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece
        if left:
            raise Failure(f"read {self.path}", f"it is {left} bytes shorter than it was", "pull the image again")


@dataclass(frozen=True)
class Session:
    """An upload that the registry has begun: where it goes on, from which byte, and in pieces of how many."""

    location: str
    offset: int
    chunk: int
    resumed: bool = False


@dataclass
class _Upload:
    """A blob on its way. ``certain`` says that nothing was asked since the session was told by the registry."""

    digest: str
    size: int
    path: str
    sources: tuple[str, ...]
    session: Session | None = None
    certain: bool = True
    begun: bool = False
    furthest: int = 0


class Destination(Registry):
    """One repository of one registry, to push to."""

    def __init__(self, layout: Layout, reference: Reference, operation: str, chunk: int = CHUNK) -> None:
        super().__init__(layout, reference, operation)
        self._chunk = chunk

    def named(self) -> str:
        """The digest of what the reference leads to now, by HEAD; nothing if it leads nowhere."""

        def look() -> str:
            url = f"{self.base}/manifests/{self.reference.target}"
            with contextlib.closing(self.ask(url, "HEAD", _MANIFEST)) as answer:
                if answer.status == 404:
                    return ""
                headers = self._good(answer, (200,))
                return str(headers.get("Docker-Content-Digest", "unsaid"))

        found = self._trying(look)
        return found if not found or is_digest(found) else self.manifest(self.reference.target).digest

    def has(self, kind: str, digest: str) -> bool:
        """Whether the repository has something of ``blobs`` or ``manifests``, by HEAD."""

        def look() -> bool:
            with contextlib.closing(self.ask(f"{self.base}/{kind}/{digest}", "HEAD", _MANIFEST)) as answer:
                return answer.status != 404 and bool(self._good(answer, (200,)))

        return self._trying(look)

    def put_manifest(self, target: str, media_type: str, content: bytes) -> None:
        """Let a tag or the digest itself lead to a manifest, all of whose parts are there."""

        def put() -> None:
            url = f"{self.base}/manifests/{target}"
            headers = {"Content-Type": media_type, "Content-Length": str(len(content))}
            with contextlib.closing(self.ask(url, "PUT", "*/*", headers, [content])) as answer:
                self._good(answer, (200, 201, 202))

        self._trying(put)

    def put_blob(self, digest: str, size: int, path: str, sources: tuple[str, ...] = ()) -> None:
        """Bring a blob that the repository lacks: mounted from another one of the registry if that has it, else sent.

        ``sources`` are the repositories that may have it. A try that brings the upload further does not count.
        """
        upload = _Upload(digest, size, path, sources)
        while not self._trying(lambda: self._further(upload)):
            pass

    def _further(self, upload: _Upload) -> bool:
        """Bring an upload further than it ever was; whether it is done. :class:`Again` if that may work next time."""
        if upload.session and not upload.certain:
            upload.session = self._where(upload.session, upload.size)
        upload.session = upload.session or self._begin(upload)
        while upload.session:
            session, upload.certain = upload.session, False
            if session.offset == upload.size or (session.offset == 0 and upload.size <= session.chunk):
                self._finish(session, upload)
                return True
            upload.session, upload.certain = self._advance(session, upload), True
            if upload.session.offset > upload.furthest:
                upload.furthest = upload.session.offset
                return False
        return True

    def _begin(self, upload: _Upload) -> Session | None:
        """Begin an upload; None if the blob is there without one ("Mounting a blob from another repository").

        A try that seemed to fail may have brought it, so whoever begins anew looks first.
        """
        if upload.begun and self.has("blobs", upload.digest):
            return None
        upload.begun = True
        url = f"{self.base}/blobs/uploads/"
        for source in upload.sources[:1]:
            query = urlencode({"mount": upload.digest, "from": source})
            # Whoever may not read there may be told so by the registry or by who gives the token: then it is sent.
            with contextlib.suppress(Failure), contextlib.closing(self.ask(f"{url}?{query}", "POST")) as answer:
                if answer.status == 201:
                    return None
                if answer.status == 202:
                    return self._session(answer, url, 0, self._chunk)
        with contextlib.closing(self.ask(url, "POST", headers=_BYTES)) as answer:
            self._good(answer, (202,))
            return self._session(answer, url, 0, self._chunk)

    def _session(self, answer: http.client.HTTPResponse, url: str, offset: int, chunk: int) -> Session:
        """Where the answer of a URL says that the upload goes on. Where that leaves TLS, nothing is sent."""
        said = answer.headers.get("Location", "")
        location = urljoin(url, said)
        if urlsplit(location).scheme not in (("http", "https") if self.plain else ("https",)):
            fix = "if it is behind a proxy, let that pass X-Forwarded-Proto and Host on"
            raise Failure(self.operation, f"{self.host} sends us to {said!r} with an upload, which is no https", fix)
        least = number(answer.headers.get("OCI-Chunk-Min-Length", "")) or 0
        return Session(location, offset, max(chunk, least))

    def _advance(self, session: Session, upload: _Upload) -> Session:
        """Send one piece. Raises :class:`Again` if the registry is not where we are."""
        length = min(session.chunk, upload.size - session.offset)
        end = session.offset + length
        headers = {**_BYTES, "Content-Length": str(length), "Content-Range": f"{session.offset}-{end - 1}"}
        body = Part(upload.path, session.offset, length)
        with contextlib.closing(self.ask(session.location, "PATCH", "*/*", headers, body)) as answer:
            if answer.status == 416:
                raise Again(f"{self.host} has another part of the upload than the one that it said (416)")
            self._known(answer, (201, 202, 204), upload)
            return replace(self._session(answer, session.location, end, session.chunk), resumed=session.resumed)

    def _finish(self, session: Session, upload: _Upload) -> None:
        """Close the upload, with all of the blob if none was sent."""
        length = upload.size - session.offset
        url = session.location + ("&" if urlsplit(session.location).query else "?") + f"digest={quote(upload.digest)}"
        headers = {**_BYTES, "Content-Length": str(length)}
        body = Part(upload.path, session.offset, length) if length else None
        with contextlib.closing(self.ask(url, "PUT", "*/*", headers, body)) as answer:
            self._known(answer, (201, 204), upload, session.resumed)

    def _where(self, session: Session, size: int) -> Session | None:
        """What the registry has of an upload that was broken off; None if it has forgotten it."""
        with contextlib.closing(self.ask(session.location, "GET")) as answer:
            if answer.status != 204:
                self._said(answer)
                return None
            found = _RANGE.fullmatch(answer.headers.get("Range", ""))
            # 0-0 is also what the reference registry says of an upload that has nothing.
            offset = int(found[1]) + 1 if found and int(found[1]) else 0
            if offset > size:
                return None
            return replace(self._session(answer, session.location, offset, session.chunk), resumed=offset > 0)

    def _known(
        self, answer: http.client.HTTPResponse, good: tuple[int, ...], upload: _Upload, resumed: bool = False
    ) -> None:
        """Raise :class:`Again` if the upload is forgotten, or a resumed one gave other bytes: it is begun anew then."""
        if answer.status in good:
            return
        code, message, said = self._said(answer)
        if answer.status == 404 or code in _LOST or (code == "DIGEST_INVALID" and resumed):
            upload.session = None
            raise Again(f"{self.host} has lost the upload of {upload.digest} {said}")
        raise self._denied(answer.status, code, message, said)

    def _good(self, answer: http.client.HTTPResponse, good: tuple[int, ...]) -> Message:
        """The headers of an answer that is good; else raise what it means (spec.md, "Error Codes")."""
        if answer.status in good:
            return answer.headers
        raise self._denied(answer.status, *self._said(answer))

    def _denied(self, status: int, code: str, message: str, said: str) -> Failure:
        words, fix = f": {message}" if message else "", ""
        reason = f"{self.host} answered {said}{words}"
        if status in (401, 403):
            reason = f"{self.host} does not let us push to {self.reference.repository} {said}{words}"
            fix = self._login_fix()
        elif status == 405:
            reason = f"{self.host} takes no uploads {said}{words}"
            fix = "push to a registry that is no mirror and not read-only"
        elif status == 413:
            fix = "raise the limit that the registry, or a proxy before it, has for a request's body"
        elif code == "DIGEST_INVALID":
            fix = "the store is damaged: remove the image and pull it again"
        return Failure(self.operation, reason, fix)

    def _log_in(self, offer: token.Challenge | None) -> str:
        """Ask at once for the token that pushes too: what asks by HEAD is only told of pulling."""
        if offer and offer.scope == f"repository:{self.reference.repository}:pull":
            offer = replace(offer, scope=f"{offer.scope},push")
        return super()._log_in(offer)
