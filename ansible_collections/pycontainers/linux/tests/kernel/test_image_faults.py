# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries that refuse, fail and lie, and what is said and kept then."""
from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import (
    content,
    layer,
    manifest,
    transport,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import registry as client
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.download import Download
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from testbed.registry import Liar, Server


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Try again at once, and know no logins."""
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(client, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(transport, "TIMEOUT", 0.5)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))


def log_in(tmp_path: Path, address: str, login: str) -> None:
    """Keep a login for a registry."""
    auth = base64.b64encode(login.encode()).decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {address: {"auth": auth}}}))


def kept(layout: Layout) -> list[str]:
    """List every file of the store and every layer."""
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(layout.root) for name in names)


DIGEST = "sha256:[0-9a-f]{64}"
LOGIN = r"; log in with 'podman login HOST' or put the login into \"auths\" of .*/auth.json"
KEPT = "; nothing was kept; look for a proxy that alters downloads, or push the image again"
FAULTS = {
    "401": ("HOST wants a login and does not say how (401)", ""),
    "403": ("HOST does not let us read busybox (403 DENIED): as told", LOGIN),
    "404": (
        "the registry has no tag latest in busybox (404 NOT_FOUND)",
        "; see its tags at http://HOST/v2/busybox/tags/list",
    ),
    "429": (
        "HOST has had too many requests from here (429 TOOMANYREQUESTS), in each of 3 tries",
        "; wait, or log in for a higher limit",
    ),
    "500": (
        "HOST is in trouble (500 UNKNOWN), in each of 3 tries", "; try again later, or look into the registry's log",
    ),
    "stall": ("HOST did not answer in 0 seconds, in each of 3 tries", "; look into the network between"),
    "refused": ("nothing listens at HOST (connection refused)", "; start the registry, or correct host and port"),
    "manifest-digest": ("the manifest that the registry sent as DIGEST has the digest DIGEST", KEPT),
    "content-type": (
        "its manifest has the media type 'text/html', which is neither OCI's nor Docker's version 2, schema 2", "",
    ),
    "blob-digest": ("what the registry sent as blob DIGEST has the digest DIGEST", KEPT),
    "blob-truncated": ("the blob DIGEST broke off after [0-9]+ of [0-9]+ bytes, in each of 3 tries", ""),
    "blob-longer": ("the blob DIGEST has more than [0-9]+ bytes", KEPT),
    "bearer-denied": ("HOST gives no token without a login (401)", LOGIN),
}  # fmt: skip


def sentence(address: str, reason: str, fix: str) -> str:
    """Write the whole sentence as a pattern."""
    literal = re.sub(r"([().])", r"[\1]", reason)
    text = f"cannot pull HOST/busybox:latest: {literal}{fix}"
    return text.replace("HOST", re.escape(address)).replace("DIGEST", DIGEST)


@pytest.mark.parametrize(("fault", "reason", "fix"), [(fault, *said) for fault, said in FAULTS.items()], ids=FAULTS)
def test_a_fault_is_one_sentence_and_leaves_the_store_as_it_was(
    layout: Layout, server: Server, fault: str, reason: str, fix: str
) -> None:
    """Operation, object, reason and remedy are said; another image of the store stays, and nothing is added."""
    pull(layout, parse_reference(f"{server.address}/nginx:latest"))
    before = kept(layout)
    with Liar(server.address, fault=fault) as address:
        with pytest.raises(Failure) as raised:
            pull(layout, parse_reference(f"{address}/busybox:latest"))
        assert re.fullmatch(sentence(address, reason, fix), str(raised.value)), str(raised.value)
    assert kept(layout) == before


@pytest.mark.parametrize("fault", ["429", "500", "stall", "blob-truncated"])
def test_a_passing_fault_passes_unnoticed(layout: Layout, server: Server, fault: str) -> None:
    """A registry that is busy, in trouble or gone for a moment is asked again."""
    with Liar(server.address, fault=fault, times=2) as address:
        assert pull(layout, parse_reference(f"{address}/busybox:latest")).layers


def test_a_layer_that_is_not_what_it_should_be_takes_the_others_along(
    layout: Layout, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull that fails midway leaves nothing of what it had fetched and unpacked before."""
    monkeypatch.setattr(layer, "MOST_MEMBERS", 1)
    with pytest.raises(Failure, match=f"its layer {DIGEST} can't be unpacked: it has more than 1 members; nothing was"):
        pull(layout, parse_reference(f"{server.address}/busybox:latest"))
    assert os.listdir(f"{layout.images}/blobs/sha256") == os.listdir(layout.layer("")) == []


LAYER_FAULTS = {
    "blob-digest": f"what the registry sent as blob {DIGEST} has the digest {DIGEST}; nothing was kept",
    "blob-truncated": f"blob {DIGEST} broke off after [0-9]+ of [0-9]+ bytes, in each of 3 tries",
    "blob-longer": f"the registry sent more than the [0-9]+ bytes that blob {DIGEST} has; nothing was kept",
}


@pytest.mark.parametrize(("fault", "reason"), LAYER_FAULTS.items(), ids=LAYER_FAULTS)
def test_layers_are_checked_as_they_come(
    layout: Layout, server: Server, tmp_path: Path, fault: str, reason: str
) -> None:
    """A layer, which is written to a file as it comes, has to have the size and the digest of its descriptor."""
    image = pull(layout, parse_reference(f"{server.address}/busybox:latest"))
    blob = json.loads(Path(content.blob(layout, image.manifest_digest)).read_bytes())["layers"][0]
    with Liar(server.address, fault=fault) as address:
        ours = client.Registry(layout, parse_reference(f"{address}/busybox:latest"))
        download = Download(str(tmp_path / "blob"), blob["digest"], blob["size"])
        with download, pytest.raises(Failure, match=reason):
            ours.blob(download)


def test_blobs_that_cannot_be_had_are_an_error(layout: Layout, server: Server) -> None:
    """Where only the blobs are in trouble, nothing is kept either."""
    with Liar(server.address, fault="404", only="blobs") as address, pytest.raises(Failure, match="lacks sha256:"):
        pull(layout, parse_reference(f"{address}/busybox:latest"))
    assert content.entries(layout) == []


def test_a_repository_and_a_manifest_that_are_not_there_are_told_apart(layout: Layout, server: Server) -> None:
    """An unknown repository, tag and digest are each said as what they are."""
    for name, reason in (
        ("nosuch:latest", "the registry has no repository nosuch .*; correct the name"),
        ("busybox:9", r"has no tag 9 in busybox \(404 MANIFEST_UNKNOWN\); its tags are docker, latest, multi$"),
        (f"busybox@sha256:{'0' * 64}", "the registry has no manifest sha256:0+ in busybox"),
    ):
        with pytest.raises(Failure, match=reason):
            pull(layout, parse_reference(f"{server.address}/{name}"))


def test_another_machines_image_is_refused(
    layout: Layout, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an index, the platforms that it has are listed; an image by itself is refused by its configuration."""
    monkeypatch.setattr(manifest, "machine", lambda: ("riscv64", ("",)))
    with pytest.raises(Failure, match="it has no image for linux/riscv64, only for linux/arm64/v8, linux/amd64"):
        pull(layout, parse_reference(f"{server.address}/busybox:multi"))
    with pytest.raises(Failure, match="it is for linux/amd64, and this machine is linux/riscv64"):
        pull(layout, parse_reference(f"{server.address}/busybox:latest"))


def test_a_token_is_fetched_and_used(layout: Layout, server: Server) -> None:
    """Without a login the token is an anonymous one, and one token serves a whole pull."""
    liar = Liar(server.address, fault="bearer")
    with liar as address:
        pull(layout, parse_reference(f"{address}/busybox:latest"))
    tokens = [each for each in liar.requests if each.path.startswith("/token")]
    assert [each.authorization for each in tokens] == [None]
    assert "scope=repository%3Abusybox%3Apull" in tokens[0].path
    assert all((each.authorization or "").startswith("Bearer ") for each in liar.requests if each.status == 200
               and each not in tokens)


def test_a_token_that_expires_is_fetched_again(layout: Layout, server: Server) -> None:
    """A pull goes on with a new token when the old one is not taken any more."""
    with Liar(server.address, fault="bearer", token_uses=2) as address:
        assert pull(layout, parse_reference(f"{address}/busybox:latest")).layers


def test_a_login_is_given_for_the_token_only(layout: Layout, server: Server, tmp_path: Path) -> None:
    """Name and password go to the token's realm, and never to the registry's own paths."""
    liar = Liar(server.address, fault="bearer", credentials=("user", "secret"))
    with liar as address:
        reference = parse_reference(f"{address}/busybox:latest")
        with pytest.raises(Failure, match="gives no token without a login"):
            pull(layout, reference)
        log_in(tmp_path, address, "user:wrong")
        with pytest.raises(Failure, match=r"refuses the user 'user' \(401\)") as raised:
            pull(layout, reference)
        assert "wrong" not in str(raised.value)
        log_in(tmp_path, address, "user:secret")
        pull(layout, reference)
    assert all(each.path.startswith("/token") for each in liar.requests if "Basic" in (each.authorization or ""))


def test_no_login_follows_a_redirect(layout: Layout, server: Server, tmp_path: Path) -> None:
    """Where blobs are elsewhere, they are fetched there without the token."""
    liar = Liar(server.address, fault="bearer+redirect", credentials=("user", "secret"))
    with liar as address:
        log_in(tmp_path, address, "user:secret")
        assert pull(layout, parse_reference(f"{address}/busybox:latest")).layers
    elsewhere = [each for each in liar.requests if each.host != address]
    assert elsewhere
    assert {each.authorization for each in elsewhere} == {None}


FORWARDER = """
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
host, port = sys.argv[2].split(":")
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)

def copy(source, target):
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass

def serve(raw):
    try:
        inner = context.wrap_socket(raw, server_side=True)
    except OSError:
        return
    outer = socket.create_connection((host, int(port)))
    threading.Thread(target=copy, args=(inner, outer), daemon=True).start()
    copy(outer, inner)
    inner.close()
    outer.close()

threading.Thread(target=sys.stdin.read, daemon=True).start()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


@contextmanager
def over_tls(address: str, certificate: Path) -> Iterator[int]:
    """Put TLS before a registry; gives the port."""
    command = [sys.executable, "-I", "-c", FORWARDER, str(certificate), address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.kill()


@pytest.fixture
def _hosts(tmp_path: Path) -> Iterator[None]:
    """Let registry.test be this machine, for this process only."""
    (tmp_path / "hosts").write_text("127.0.0.1 localhost registry.test\n")
    syscalls.mount(str(tmp_path / "hosts"), "/etc/hosts", flags=syscalls.MS_BIND)
    yield
    syscalls.umount("/etc/hosts")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate for registry.test that signs itself, with its key."""
    path = tmp_path / "certificate.pem"
    kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=registry.test"
    command = ["openssl", *kind.split(), "-addext", "subjectAltName=DNS:registry.test"]
    subprocess.run([*command, "-keyout", path, "-out", tmp_path / "crt"], check=True, capture_output=True)
    with path.open("a") as file:
        file.write((tmp_path / "crt").read_text())
    return path


@pytest.mark.usefixtures("_hosts")
def test_other_machines_are_reached_by_tls_and_their_certificates_checked(
    layout: Layout, server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of an authority that the system trusts is needed; then all goes as without TLS."""
    with over_tls(server.address, certificate) as port:
        reference = parse_reference(f"registry.test:{port}/busybox:latest")
        reason = f"the certificate of registry.test:{port} is not trusted .self-signed certificate.; add its CA to"
        with pytest.raises(Failure, match=reason):
            pull(layout, reference)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert pull(layout, reference).layers


@pytest.mark.usefixtures("_hosts")
def test_plain_registries_of_other_machines_must_be_allowed(layout: Layout, server: Server) -> None:
    """Nothing but this machine itself is spoken to without TLS, unless it is listed."""
    address = f"registry.test:{server.address.partition(':')[2]}"
    reference = parse_reference(f"{address}/busybox:latest")
    reason = f'{address} does not speak TLS .*; if it speaks plain HTTP, add "{address}" to "insecure" in'
    with pytest.raises(Failure, match=reason):
        pull(layout, reference)
    Path(layout.root).mkdir(exist_ok=True)
    Path(layout.registries).write_text(json.dumps({"insecure": [address]}))
    assert pull(layout, reference).layers


@pytest.mark.usefixtures("_hosts")
def test_a_host_that_no_one_knows_is_said(layout: Layout) -> None:
    """A name that does not resolve is named."""
    with pytest.raises(Failure, match=r"the host name in nosuch\.test:5 can't be resolved"):
        pull(layout, parse_reference("nosuch.test:5/a"))


def test_a_proxy_is_used_for_others_and_not_for_this_machine(
    layout: Layout, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's proxy is asked for a registry elsewhere."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://user:secret@127.0.0.1:9/")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert pull(layout, parse_reference(f"{server.address}/busybox:latest")).layers
    with pytest.raises(Failure, match=r"nothing listens at the proxy 127\.0\.0\.1:9 \(connection refused\)"):
        pull(layout, parse_reference("registry.invalid/a"))


def test_a_full_disk_is_said_and_leaves_nothing(layout: Layout, server: Server) -> None:
    """The remedy is to make room."""
    os.makedirs(layout.root)
    syscalls.mount("tmpfs", layout.root, "tmpfs", options="size=17m")
    try:
        with pytest.raises(Failure, match=f"No space left on device; make room on the file system of {layout.root}"):
            pull(layout, parse_reference(f"{server.address}/nginx:latest"))
        assert content.entries(layout) == []
        assert os.listdir(f"{layout.images}/blobs/sha256") == os.listdir(layout.layer("")) == []
    finally:
        syscalls.umount(layout.root)
