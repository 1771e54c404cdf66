# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each lie is told as announced, seen by the standard library and by skopeo."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import subprocess
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

from testbed.registry import Liar, Server, registry
from testbed.registry.liar import FAULTS

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# Those about parts of blobs are for what is larger than busybox.
HARMLESS = {"none", "redirect", "bearer", "blob-dropped", "range-ignored", "range-wrong"}


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a real registry that all tests read from."""
    with registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@dataclass(frozen=True)
class Answer:
    """What came, whichever the status."""

    status: int
    headers: Message
    content: bytes


def ask(address: str, path: str, **headers: str) -> Answer:
    """Get a path as a client of OCI images would, following redirects."""
    request = urllib.request.Request(f"http://{address}{path}", headers={"Accept": MANIFEST} | headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def layer_of(upstream: Server) -> str:
    """Return the digest of a layer of busybox."""
    manifest = json.loads(ask(upstream.address, "/v2/busybox/manifests/latest").content)
    return str(manifest["layers"][0]["digest"])


def sha256(content: bytes) -> str:
    """Return the digest of the content as the image specification writes it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


# skopeo waits for minutes where it is stalled or told to come again.
@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"stall", "429"}))
def test_skopeo_pulls_only_from_an_honest_registry(upstream: Server, tmp_path: Path, fault: str) -> None:
    """A client that verifies fails on every lie, and follows tokens and redirects.

    By digest, since under a tag there is nothing that a manifest could contradict but a header that skopeo ignores.
    """
    digest = upstream.digest("busybox", "latest")
    with Liar(upstream.address, fault=fault) as address:
        words = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false"]
        words += [f"docker://{address}/busybox@{digest}", f"oci:{tmp_path}/layout:latest"]
        pulled = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (pulled.returncode == 0) == (fault in HARMLESS), pulled.stderr


@pytest.mark.parametrize("status", ["401", "403", "404", "429", "500"])
def test_status_is_answered_with_an_error_document(upstream: Server, status: str) -> None:
    """The status comes with the distribution specification's body; 429 says when to come again."""
    with Liar(upstream.address, fault=status) as address:
        answer = ask(address, "/v2/busybox/manifests/latest")
    assert str(answer.status) == status
    assert json.loads(answer.content)["errors"]
    assert answer.headers["Retry-After"] == ("1" if status == "429" else None)


def test_faults_end_after_their_times_and_keep_to_their_kind(upstream: Server) -> None:
    """`only` spares manifests, and after `times` failures a blob is there."""
    digest = layer_of(upstream)
    liar = Liar(upstream.address, fault="500", only="blobs", times=2)
    with liar as address:
        assert ask(address, "/v2/busybox/manifests/latest").status == 200
        for _ in range(2):
            assert ask(address, f"/v2/busybox/blobs/{digest}").status == 500
        assert sha256(ask(address, f"/v2/busybox/blobs/{digest}").content) == digest
    assert [request.status for request in liar.requests] == [200, 500, 500, 200]


def test_manifest_means_the_same_under_a_false_digest(upstream: Server) -> None:
    """Only who computes the digest notices."""
    digest = upstream.digest("busybox", "latest")
    with Liar(upstream.address, fault="manifest-digest") as address:
        answer = ask(address, f"/v2/busybox/manifests/{digest}")
        content = answer.content
    assert answer.headers["Docker-Content-Digest"] == digest
    assert sha256(content) != digest
    assert json.loads(content)["layers"]


def test_manifest_has_a_false_type(upstream: Server) -> None:
    """The manifest comes as a web page."""
    with Liar(upstream.address, fault="content-type") as address:
        assert ask(address, "/v2/busybox/manifests/latest").headers.get_content_type() == "text/html"


def test_altered_blob_unpacks_all_the_same(upstream: Server) -> None:
    """Length and contents of the layer are right, its digest is not."""
    digest = layer_of(upstream)
    real = ask(upstream.address, f"/v2/busybox/blobs/{digest}").content
    with Liar(upstream.address, fault="blob-digest") as address:
        content = ask(address, f"/v2/busybox/blobs/{digest}").content
    assert sha256(content) != digest
    assert len(content) == len(real)
    assert zlib.decompress(content, wbits=31) == zlib.decompress(real, wbits=31)


def test_truncated_blob_announces_its_whole_length(upstream: Server) -> None:
    """Half of the blob comes, then the end of the connection."""
    with (
        Liar(upstream.address, fault="blob-truncated") as address,
        pytest.raises(http.client.IncompleteRead) as caught,
    ):
        ask(address, f"/v2/busybox/blobs/{layer_of(upstream)}")
    assert len(caught.value.partial) > 0
    assert caught.value.expected is not None
    assert abs(caught.value.expected - len(caught.value.partial)) <= 1


def test_longer_blob_announces_its_length(upstream: Server) -> None:
    """The real blob is there, and a MiB more."""
    digest = layer_of(upstream)
    with Liar(upstream.address, fault="blob-longer") as address:
        content = ask(address, f"/v2/busybox/blobs/{digest}").content
    assert sha256(content[: -(1 << 20)]) == digest


def test_token_is_given_to_the_right_user_for_one_scope(upstream: Server) -> None:
    """The challenge names the endpoint, which wants the password; the token opens its repository for its uses only."""
    basic = "Basic " + base64.b64encode(b"reader:secret").decode()
    with Liar(upstream.address, fault="bearer", credentials=("reader", "secret"), token_uses=1) as address:
        endpoint = "/token?service=liar&scope=repository:busybox:pull"
        refused = ask(address, "/v2/busybox/manifests/latest")
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"] == (
            f'Bearer realm="http://{address}/token",service="liar",scope="repository:busybox:pull"'
        )
        assert ask(address, endpoint).status == 401
        token = "Bearer " + json.loads(ask(address, endpoint, Authorization=basic).content)["token"]
        assert ask(address, "/v2/nginx/manifests/latest", Authorization=token).status == 401
        assert ask(address, "/v2/busybox/manifests/latest", Authorization=token).status == 200
        expired = ask(address, "/v2/busybox/manifests/latest", Authorization=token)
        assert expired.status == 401
        assert 'error="invalid_token"' in expired.headers["WWW-Authenticate"]


def test_redirect_shows_who_sends_a_token_along(upstream: Server) -> None:
    """A client that sends Authorization to another origin, as urllib does, is found out."""
    digest = layer_of(upstream)
    liar = Liar(upstream.address, fault="redirect")
    with liar as address:
        assert sha256(ask(address, f"/v2/busybox/blobs/{digest}", Authorization="Bearer secret").content) == digest
    first, second = liar.requests
    assert (first.status, second.status) == (307, 200)
    assert first.host == address != second.host
    assert second.authorization == "Bearer secret"


def test_refused_connection(upstream: Server) -> None:
    """Nobody listens."""
    with (
        Liar(upstream.address, fault="refused") as address,
        pytest.raises(urllib.error.URLError, match="Connection refused"),
    ):
        ask(address, "/v2/")


def test_stall_is_ended_by_the_block(upstream: Server) -> None:
    """The client waits in vain until its own time-out; leaving the block takes no time."""
    with Liar(upstream.address, fault="stall") as address:
        connection = http.client.HTTPConnection(address, timeout=0.3)
        connection.request("GET", "/v2/")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()
        begin = time.monotonic()
    assert time.monotonic() - begin < 2


def test_without_a_real_registry_nothing_is_found() -> None:
    """Standing alone, it is a registry, and empty."""
    with Liar() as address:
        assert ask(address, "/v2/").status == 200
        assert ask(address, "/v2/busybox/manifests/latest").status == 404


def test_unknown_fault_is_refused() -> None:
    """A misspelt fault does not make a test pass."""
    with pytest.raises(ValueError, match="no such fault: blob-digset"):
        Liar(fault="blob-digset")
