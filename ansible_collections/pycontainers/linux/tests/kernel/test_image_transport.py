# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How registries are reached: logins, TLS, mirrors, connections that drop, redirects, and waits that they ask for."""
from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, garbage, transport
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import registry as client
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.check import check
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import is_current, pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.tests.kernel.test_image_faults import over_tls
from testbed.registry import Liar, Server, registry

HTPASSWD = "ann:$2b$05$qquClxflkm1nxK6KeG7QM.aKzbY0BJNVFner8rdKikT/ASQt/Z8Cq\n"
"""The user ann with the password "secret", as htpasswd(1) writes it."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Try again at once, and know no logins."""
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(transport, "TIMEOUT", 5.0)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))


@pytest.fixture
def _hosts(tmp_path: Path) -> Iterator[None]:
    """Let registry.test and mirror.test be this machine, for this process only."""
    (tmp_path / "hosts").write_text("127.0.0.1 localhost registry.test mirror.test\n")
    syscalls.mount(str(tmp_path / "hosts"), "/etc/hosts", flags=syscalls.MS_BIND)
    yield
    syscalls.umount("/etc/hosts")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority, ca.pem, and what it has signed for registry.test, server.pem with the key in it."""
    folder = tmp_path_factory.mktemp("authority")
    new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout"
    (folder / "names").write_text("subjectAltName=DNS:registry.test,DNS:mirror.test\n")
    for line in (
        f"{new} ca.key -x509 -days 1 -subj /CN=authority -out ca.pem",
        f"{new} server.key -subj /CN=registry.test -out server.csr",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile names -out server.crt",
    ):
        subprocess.run(["openssl", *line.split()], check=True, capture_output=True, cwd=folder)
    (folder / "server.pem").write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
    return folder


def log_in(tmp_path: Path, address: str, login: str) -> None:
    """Keep a login for a registry."""
    auth = base64.b64encode(login.encode()).decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {address: {"auth": auth}}}))


def configure(layout: Layout, **values: object) -> None:
    """Write how registries are reached."""
    os.makedirs(layout.root, exist_ok=True)
    Path(layout.registries).write_text(json.dumps(values))


def is_empty(layout: Layout) -> bool:
    """Tell whether the store has neither a blob nor a layer nor a name."""
    folders = (f"{layout.images}/blobs/sha256", layout.layer(""))
    return not any(os.path.isdir(each) and os.listdir(each) for each in folders) and content.entries(layout) == []


@pytest.mark.usefixtures("_hosts")
def test_a_registry_with_tls_and_a_password_serves_who_has_both(
    layout: Layout, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority has to be trusted, and the login right; each is said."""
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    settings = {
        "auth": {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}},
        "http": {"tls": {"certificate": str(authority / "server.crt"), "key": str(authority / "server.key")}},
    }
    with registry(tmp_path / "registry", settings=settings) as running:
        address = f"registry.test:{running.address.rpartition(':')[2]}"
        reference = parse_reference(f"{address}/busybox:latest")
        with pytest.raises(Failure, match=rf"the certificate of {address} is not trusted"):
            pull(layout, reference)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
        with pytest.raises(Failure, match=rf"{address} wants a user and a password \(401\); log in with 'podman login"):
            pull(layout, reference)
        log_in(tmp_path, address, "ann:wrong")
        with pytest.raises(Failure, match=rf"{address} does not let us read busybox \(401 UNAUTHORIZED\)"):
            pull(layout, reference)
        assert is_empty(layout)
        log_in(tmp_path, address, "ann:secret")
        assert pull(layout, reference).layers
        assert check(layout) == []


def test_a_connection_that_drops_again_and_again_is_gone_on_with(layout: Layout, server: Server) -> None:
    """Each request asks for what is missing, and nothing comes twice."""
    liar = Liar(server.address, fault="blob-dropped")
    with liar as address:
        assert pull(layout, parse_reference(f"{address}/nginx:latest")).layers
    assert check(layout) == []
    by_blob: dict[str, list[int]] = {}
    for request in liar.requests:
        if "/blobs/" in request.path:
            by_blob.setdefault(request.path, []).append(int((request.range or "bytes=0-")[6:-1]))
    assert all(starts == sorted(set(starts)) for starts in by_blob.values())
    assert max(map(len, by_blob.values())) > 2


def test_a_registry_that_knows_no_ranges_begins_anew(layout: Layout, server: Server) -> None:
    """What is there already is passed over; where it always drops at the same place, that is an error."""
    with Liar(server.address, fault="blob-dropped+range-ignored", times=1) as address:
        assert pull(layout, parse_reference(f"{address}/nginx:latest")).layers
    garbage.remove(layout, parse_reference(f"{address}/nginx:latest"))
    reason = r"broke off after 2097152 of [0-9]+ bytes, in each of 3 tries"
    liar = Liar(server.address, fault="blob-dropped+range-ignored")
    with liar as address, pytest.raises(Failure, match=reason):
        pull(layout, parse_reference(f"{address}/nginx:latest"))
    assert is_empty(layout)


def test_another_range_than_was_asked_for_is_refused(layout: Layout, server: Server) -> None:
    """It would make another blob, and is said at once."""
    reason = r"sent another part of blob sha256:[0-9a-f]{64} than it was asked for; nothing was kept"
    liar = Liar(server.address, fault="blob-dropped+range-wrong")
    with liar as address, pytest.raises(Failure, match=reason):
        pull(layout, parse_reference(f"{address}/nginx:latest"))
    assert is_empty(layout)


@pytest.mark.parametrize("as_date", [False, True])
def test_a_wait_that_is_asked_for_is_kept(layout: Layout, server: Server, as_date: bool) -> None:
    """Seconds or a date in Retry-After, whatever the own pauses are."""
    said = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True) if as_date else "1"
    with Liar(server.address, fault="429", only="manifests", times=1, retry_after=said) as address:
        began = time.monotonic()
        assert pull(layout, parse_reference(f"{address}/busybox:latest")).layers
        assert time.monotonic() - began > 1


def test_a_wait_that_is_too_long_is_an_error(layout: Layout, server: Server) -> None:
    """Who is to come back in an hour is told so at once."""
    liar = Liar(server.address, fault="429", retry_after="3600")
    with liar as address:
        reason = r"too many requests from here \(429 TOOMANYREQUESTS\) and wants us to wait for 3600 seconds; wait, or"
        with pytest.raises(Failure, match=reason):
            pull(layout, parse_reference(f"{address}/busybox:latest"))
    assert len(liar.requests) == 1


def test_redirects_end(layout: Layout, server: Server) -> None:
    """A blob that is always elsewhere is given up."""
    liar = Liar(server.address, fault="redirect-loop")
    with liar as address, pytest.raises(Failure, match=f"{address} redirects without end"):
        pull(layout, parse_reference(f"{address}/busybox:latest"))
    assert len([each for each in liar.requests if "/blobs/" in each.path]) <= 6
    assert is_empty(layout)


@pytest.mark.usefixtures("_hosts")
@pytest.mark.parametrize("fault", ["redirect", "bearer"])
def test_nothing_leads_from_tls_to_plain(
    layout: Layout, server: Server, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Neither a redirect nor a token's realm is followed there, and no login is sent."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    liar = Liar(server.address, fault=fault, credentials=("ann", "secret"))
    with liar as inner, over_tls(inner, authority / "server.pem") as port:
        address = f"registry.test:{port}"
        log_in(tmp_path, address, "ann:secret")
        reasons = {
            "redirect": "it redirects from https to http",
            "bearer": f"{address} sends us for a token to 'http://{inner}/token', which is not https",
        }
        with pytest.raises(Failure, match=re.escape(reasons[fault])):
            pull(layout, parse_reference(f"{address}/busybox:latest"))
    assert {each.authorization for each in liar.requests} == {None}
    assert not any("elsewhere" in each.path or each.path.startswith("/token") for each in liar.requests)
    assert is_empty(layout)


def test_an_identity_token_is_exchanged(layout: Layout, server: Server, tmp_path: Path) -> None:
    """It goes to the realm as OAuth 2's refresh token, in a body that no log of requests shows."""
    liar = Liar(server.address, fault="bearer", identity="long-lived")
    with liar as address:
        for identity, works in (("short-lived", False), ("long-lived", True)):
            (tmp_path / "auth.json").write_text(json.dumps({"auths": {address: {"identitytoken": identity}}}))
            reference = parse_reference(f"{address}/busybox:latest")
            if works:
                assert pull(layout, reference).layers
            else:
                with pytest.raises(Failure, match=r"refuses the identity token \(401\)"):
                    pull(layout, reference)
    assert {each.method for each in liar.requests if each.path.startswith("/token")} == {"POST"}


def test_a_mirror_is_asked_first(layout: Layout, server: Server) -> None:
    """What it has comes from it, below the path that it is configured with; the image has the registry's name."""
    with Liar() as nothing:
        configure(layout, mirrors={nothing: [server.address]})
        reference = parse_reference(f"{nothing}/busybox:latest")
        image = pull(layout, reference)
        assert image.references == (str(reference),)
        assert is_current(layout, reference, image)
        configure(layout, mirrors={nothing: [f"{server.address}/no/such"]})
        said = f"(before that, the mirror {server.address}: the registry has no repository no/such/nginx"
        with pytest.raises(NotFound, match=re.escape(said)):
            pull(layout, parse_reference(f"{nothing}/nginx:latest"))


@pytest.mark.parametrize("fault", ["refused", "500", "404", "blob-digest", "blob-dropped+range-ignored"])
def test_a_mirror_that_fails_is_passed_over(layout: Layout, server: Server, fault: str) -> None:
    """Whatever is wrong with it, the registry itself has the image."""
    liar = Liar(server.address, fault=fault)
    with liar as mirror:
        configure(layout, mirrors={server.address: [mirror]})
        assert pull(layout, parse_reference(f"{server.address}/nginx:latest")).layers
    assert check(layout) == []


def test_no_login_for_a_registry_goes_to_its_mirror(layout: Layout, server: Server, tmp_path: Path) -> None:
    """A mirror is another host: it has a login of its own, or none."""
    mirror = Liar(server.address, fault="bearer", credentials=("bob", "word"))
    with mirror as at:
        configure(layout, mirrors={server.address: [at]})
        log_in(tmp_path, server.address, "ann:secret")
        assert pull(layout, parse_reference(f"{server.address}/busybox:latest")).layers
    assert {each.authorization for each in mirror.requests} == {None}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"mirrors": []}, 'its "mirrors" have no list of hosts for 127.0.0.1:5'),
        ({"mirrors": {"127.0.0.1:5": "a"}}, 'its "mirrors" have no list of hosts for 127.0.0.1:5'),
        ({"mirrors": {"127.0.0.1:5": ["plain"]}}, "its mirror 'plain' is no host with a dot or a port"),
        ({"mirrors": {"127.0.0.1:5": ["https://a.b"]}}, "its mirror 'https://a.b' can't be one"),
        ({"insecure": "a"}, 'its "insecure" is not a list'),
    ],
)
def test_a_wrong_configuration_is_said(layout: Layout, values: dict[str, object], reason: str) -> None:
    """File and entry are named, before anything is asked."""
    configure(layout, **values)
    with pytest.raises(Failure, match=re.escape(f"cannot read {layout.registries}: {reason}")):
        pull(layout, parse_reference("127.0.0.1:5/a"))
