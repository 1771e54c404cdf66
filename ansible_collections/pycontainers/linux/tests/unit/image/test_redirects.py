# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import io
import urllib.error
import urllib.request
from email.message import Message

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.transport import _Redirects

TARGETS = {
    "the same host": ("https://r.e/v2/a", "https://r.e/b", True),
    "another port": ("https://r.e/v2/a", "https://r.e:444/b", False),
    "another host": ("https://r.e/v2/a", "https://cdn.e/b", False),
    "a host that begins alike": ("https://r.e/v2/a", "https://r.e.evil/b", False),
    "from plain to TLS": ("http://r.e/v2/a", "https://r.e/b", False),
}


def redirected(start: str, target: str, answer: io.BytesIO | None = None) -> urllib.request.Request | None:
    """Follow one redirect of a request that has a login for the registry and one for the proxy."""
    request = urllib.request.Request(start)
    request.add_unredirected_header("Authorization", "Basic x")
    request.add_header("Proxy-authorization", "Basic y")
    return _Redirects().redirect_request(request, answer or io.BytesIO(), 307, "", Message(), target)


@pytest.mark.parametrize(("start", "target", "same"), TARGETS.values(), ids=TARGETS)
def test_a_login_stays_with_its_host(start: str, target: str, same: bool) -> None:
    """A redirect takes it along to the same scheme, host and port only; the proxy's is put anew where it is used."""
    request = redirected(start, target)
    assert request is not None
    assert request.get_header("Authorization") == ("Basic x" if same else None)
    assert request.get_header("Proxy-authorization") is None


@pytest.mark.parametrize("target", ["http://r.e/b", "ftp://r.e/b", "file:///etc/passwd"])
def test_tls_is_not_left(target: str) -> None:
    """What was asked for by TLS comes by TLS."""
    with pytest.raises(urllib.error.URLError, match="redirects from https to"):
        redirected("https://r.e/v2/a", target)


@pytest.mark.parametrize("target", ["https://r.e/b", "http://r.e/b"])
def test_a_redirects_body_is_not_read(target: str) -> None:
    """It may be endless; it is closed, also where the redirect is refused."""
    answer = io.BytesIO(b"endless")
    with contextlib.suppress(urllib.error.URLError):
        redirected("https://r.e/v2/a", target, answer)
    assert answer.closed
