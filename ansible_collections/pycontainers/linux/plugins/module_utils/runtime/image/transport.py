# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request to a registry: plain or TLS, proxies, redirects, and what its errors mean.

A login goes to the host it is for and nowhere else: it does not follow a redirect to another.
"""
from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from email.message import Message
from typing import IO, NoReturn
from urllib.parse import urlsplit

from ..core.layout import Layout
from ..errors import Failure, explain
from .registries import is_loopback

PIECE = 1 << 20
TIMEOUT = 30.0
"""Seconds without a byte, while connecting or reading."""

_TUNNEL = "Tunnel connection failed: "
"""What http.client begins with when a proxy refuses a CONNECT."""

_PLAIN = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")


class Again(Exception):
    """A failure that another try may cure, after ``pause`` seconds at least."""

    def __init__(self, reason: str, fix: str = "", pause: float = 0.0) -> None:
        self.reason, self.fix, self.pause = reason, fix, pause
        super().__init__(reason)


def piece_of(answer: http.client.HTTPResponse) -> bytes:
    """The next piece of a body, empty at its end. Raises :class:`Again` if the connection drops."""
    try:
        return answer.read(PIECE)
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise Again(f"the connection dropped ({explain(error) or type(error).__name__})") from error


def number(text: str) -> int | None:
    """What a header says, if it is a number that a size can be; Python would take more for one, or stumble over it."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects by HTTP, but never from TLS to plain; urllib itself leaves out unredirected headers.

    At most five in a row, and none twice.
    """

    max_redirections = 5
    max_repeats = 1

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        fp.close()  # or urllib would read the whole of it, however long it is
        if new.scheme not in (("https",) if old.scheme == "https" else ("http", "https")):
            raise urllib.error.URLError(f"it redirects from https to {new.scheme}")
        follow = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        login = req.unredirected_hdrs.get("Authorization")
        if follow and login and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            follow.add_unredirected_header("Authorization", login)
        if follow:
            follow.method = req.get_method()
            # The proxy's login, which urllib puts among the headers: the target may be reached without the proxy.
            follow.remove_header("Proxy-authorization")
        return follow


class Transport:
    """Requests on behalf of one operation."""

    def __init__(self, operation: str, layout: Layout, host: str, plain: bool) -> None:
        self._operation = operation
        self._registries = layout.registries
        # A proxy can't reach what is this machine to us, whatever no_proxy says.
        local = is_loopback(urlsplit(f"//{host}").hostname or "")
        proxies = {} if local else urllib.request.getproxies()
        proxy = "" if urllib.request.proxy_bypass(host) else proxies.get("http" if plain else "https", "")
        self._proxy = proxy.rpartition("@")[2].rpartition("//")[2].rstrip("/")  # as errors show it: without a login
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _Redirects)

    def ask(
        self,
        url: str,
        method: str,
        accept: str,
        authorization: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> http.client.HTTPResponse:
        """The answer to one request, whatever its status. Raises :class:`Failure` or :class:`Again`.

        A body that is no ``bytes`` needs its Content-Length among the headers.
        """
        request = urllib.request.Request(url, method=method, data=body)
        request.add_header("Accept", accept)
        request.add_header("User-Agent", "pycontainers")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if authorization:
            request.add_unredirected_header("Authorization", authorization)
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=TIMEOUT)
            return answer
        except urllib.error.HTTPError as error:
            if error.fp is None or 300 <= error.code < 400:
                error.close()
                how = "without end" if method in ("GET", "HEAD") else f"a {method} request, which is not followed"
                raise Failure(self._operation, f"{urlsplit(url).netloc} redirects {how}") from error
            return error  # type: ignore[return-value]  # it has status, headers, read and close
        except urllib.error.URLError as error:
            reason = error.reason if isinstance(error.reason, BaseException) else error
            self._explain(urlsplit(url).netloc, reason)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._explain(urlsplit(url).netloc, error)

    def _explain(self, address: str, error: BaseException) -> NoReturn:
        """Raise what a failed request means."""
        host = f"{address} (by way of the proxy {self._proxy})" if self._proxy else address
        insecure = f'if it speaks plain HTTP, add "{address}" to "insecure" in {self._registries}'
        if isinstance(error, ConnectionRefusedError):
            fix = "start the registry, or correct host and port"
            if self._proxy:
                host, fix = f"the proxy {self._proxy}", "correct http_proxy, https_proxy or no_proxy in the environment"
            raise Failure(self._operation, f"nothing listens at {host} (connection refused)", fix) from error
        if isinstance(error, socket.gaierror):
            reason = f"the host name in {host} can't be resolved ({error.strerror})"
            raise Failure(self._operation, reason, "correct the name, or look into /etc/resolv.conf") from error
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"the certificate of {host} is not trusted ({error.verify_message})"
            raise Failure(self._operation, reason, "add its CA to the system's certificates") from error
        if isinstance(error, ssl.SSLError) and any(word in (error.reason or "") for word in _PLAIN):
            raise Failure(self._operation, f"{host} does not speak TLS ({error.reason})", insecure) from error
        if isinstance(error, TimeoutError):
            raise Again(f"{host} did not answer in {TIMEOUT:.0f} seconds", "look into the network between") from error
        dropped = isinstance(error, ConnectionError | http.client.HTTPException | ssl.SSLError)
        if dropped and not isinstance(error, http.client.InvalidURL):
            words = explain(error) or type(error).__name__
            raise Again(f"the connection to {host} dropped ({words})", "look into the network between") from error
        words = str(error.reason) if isinstance(error, urllib.error.URLError) else explain(error)
        if words.startswith(_TUNNEL):
            reason = f"the proxy {self._proxy} does not lead us to {address} ({words.removeprefix(_TUNNEL)})"
            fix = "correct https_proxy or no_proxy in the environment"
            if "407" in words:
                fix = "give https_proxy its login, as in http://USER:PASSWORD@HOST:PORT"
            raise Failure(self._operation, reason, fix) from error
        raise Failure(self._operation, f"{host} can't be asked: {words}") from error
