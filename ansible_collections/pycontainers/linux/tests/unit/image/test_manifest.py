# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import manifest
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.manifest import Descriptor, Parts

INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
DIGEST = "sha256:" + "a" * 64


def described(media_type: str, **more: object) -> dict[str, object]:
    """Make a descriptor."""
    return {"mediaType": media_type, "digest": DIGEST, "size": 7, **more}


def body(**members: object) -> bytes:
    """Encode a document."""
    return json.dumps({"schemaVersion": 2, **members}).encode()


GOOD = {
    "oci": (MANIFEST, body(config={}, layers=[])),
    "docker": (DOCKER, body(mediaType=DOCKER, config={}, layers=[])),
    "index": (INDEX, body(manifests=[])),
    "docker's list": (DOCKER_LIST, body(mediaType=DOCKER_LIST, manifests=[])),
}
BAD = {
    "no json": (MANIFEST, b"<html>", "not JSON"),
    "nested beyond reason": (MANIFEST, b"[" * 100_000, "not JSON"),
    "a list": (MANIFEST, b"[]", "not a JSON object"),
    "html": ("text/html", body(layers=[]), "'text/html', which is neither"),
    "schema 1": (SCHEMA_1, body(fsLayers=[]), "v1\\+prettyjws', which is neither"),
    "two types": (MANIFEST, body(mediaType=DOCKER, layers=[]), "calls itself"),
    "both at once": (MANIFEST, body(layers=[], manifests=[]), "not what"),
    "an index sent as a manifest": (MANIFEST, body(manifests=[]), "not what"),
    "a manifest sent as an index": (INDEX, body(layers=[]), "not what"),
}


@pytest.mark.parametrize(("media_type", "content"), GOOD.values(), ids=GOOD)
def test_documents_of_both_families_are_read(media_type: str, content: bytes) -> None:
    """OCI's and Docker's media types are known."""
    assert manifest.document(content, media_type)["schemaVersion"] == 2


@pytest.mark.parametrize(("media_type", "content", "reason"), BAD.values(), ids=BAD)
def test_documents_that_could_be_misread_are_refused(media_type: str, content: bytes, reason: str) -> None:
    """What is sent, what it calls itself and what it has must fit together."""
    with pytest.raises(ValueError, match=reason):
        manifest.document(content, media_type)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"config": None}, "no descriptor"),
        ({"config": described("application/vnd.cncf.helm.config.v1+json")}, "no container image but"),
        ({"layers": [described("application/vnd.oci.image.layer.v1.tar+xz")]}, "unsupported media type"),
        ({"layers": [described(FOREIGN, urls=["https://evil.example/layer"])]}, "unsupported media type"),
        ({"layers": [described(NONDISTRIBUTABLE)]}, "unsupported media type"),
        ({"layers": [described(LAYER, digest="sha256:../../x")]}, "no sha256 digest"),
        ({"layers": [described(LAYER, digest="sha512:" + "a" * 128)]}, "no sha256 digest"),
        ({"layers": [described(LAYER, size=-1)]}, "no size"),
        ({"layers": [described(LAYER, size=True)]}, "no size"),
        ({"layers": [described(LAYER)] * 501}, "at most 500"),
        ({"layers": {}}, "not a list"),
    ],
)
def test_parts_of_an_image_are_checked(members: dict[str, Any], reason: str) -> None:
    """No digest becomes a path and no size a promise unless they are what they claim."""
    with pytest.raises(ValueError, match=reason):
        manifest.image_parts({"config": described(CONFIG), "layers": [described(LAYER)], **members})


def on(monkeypatch: pytest.MonkeyPatch, architecture: str, *variants: str) -> None:
    """Let this be another machine."""
    monkeypatch.setattr(manifest, "machine", lambda: (architecture, variants))


def platform(system: str, architecture: str, variant: str = "", size: int = 1) -> dict[str, object]:
    """Make an index's descriptor; its size tells it from others."""
    return described(MANIFEST, size=size, platform={"os": system, "architecture": architecture, "variant": variant})


INDEX_OF_MANY = {
    "manifests": [
        platform("unknown", "unknown", size=1),
        platform("windows", "amd64", size=2),
        platform("linux", "arm", "v6", size=3),
        platform("linux", "arm", "v7", size=4),
        platform("linux", "arm", "v5", size=8),
        platform("linux", "amd64", "v3", size=5),
        platform("linux", "amd64", size=6),
        platform("linux", "arm64", "v8", size=7),
    ]
}


@pytest.mark.parametrize(
    ("machine", "size"),
    [
        (("amd64", "", "v1"), 6),
        (("arm64", "v8", ""), 7),
        (("arm", "v7", "v6", "v5", ""), 4),
        (("arm", "v6", "v5", ""), 3),
    ],
)
def test_an_index_gives_the_best_image_for_the_machine(
    monkeypatch: pytest.MonkeyPatch, machine: tuple[str, ...], size: int
) -> None:
    """The best variant that the machine runs is taken, wherever it stands."""
    on(monkeypatch, *machine)
    assert manifest.of_platform(INDEX_OF_MANY).size == size


def test_an_index_without_the_machines_platform_lists_those_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attestations, which are for no platform, are not listed."""
    on(monkeypatch, "riscv64", "")
    expected = (
        "it has no image for linux/riscv64, only for windows/amd64, linux/arm/v6, linux/arm/v7, linux/arm/v5, "
        "linux/amd64/v3, linux/amd64, linux/arm64/v8"
    )
    with pytest.raises(ValueError, match=expected):
        manifest.of_platform(INDEX_OF_MANY)


PARTS = Parts(Descriptor(CONFIG, DIGEST, 7), (Descriptor(LAYER, DIGEST, 7),))
IMAGE = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [DIGEST]}}


@pytest.mark.parametrize("config", [None, {}, {"Env": None, "Cmd": ["a"], "User": "", "Labels": {"a": "b"}}])
def test_a_configuration_may_leave_things_out(monkeypatch: pytest.MonkeyPatch, config: object) -> None:
    """Docker writes null where there is nothing."""
    on(monkeypatch, "amd64", "")
    assert manifest.image(json.dumps({**IMAGE, "config": config}).encode(), PARTS)["os"] == "linux"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"architecture": "s390x"}, "it is for linux/s390x, and this machine is linux/amd64"),
        ({"os": "windows"}, "it is for windows/amd64"),
        ({"rootfs": {"diff_ids": ["sha256:../x"]}}, "no list of sha256"),
        ({"rootfs": {"diff_ids": []}}, "has 1 layers, its configuration 0"),
        ({"rootfs": None}, "no list of sha256"),
        ({"config": []}, None),
        ({"config": [1]}, "not an object"),
        ({"config": {"Env": "A=1"}}, "Env is not a list of texts"),
        ({"config": {"Cmd": [1]}}, "Cmd is not a list of texts"),
        ({"config": {"Entrypoint": ["a\0b"]}}, "Entrypoint is not a list of texts"),
        ({"config": {"User": 0.5}}, "User is not text"),
        ({"config": {"Labels": ["a"]}}, "Labels is not an object"),
    ],
)
def test_configurations_that_would_fail_later_are_refused(
    monkeypatch: pytest.MonkeyPatch, members: dict[str, Any], reason: str | None
) -> None:
    """A container is started from what is known to have the right types."""
    on(monkeypatch, "amd64", "")
    content = json.dumps({**IMAGE, **members}).encode()
    if reason is None:
        manifest.image(content, PARTS)
        return
    with pytest.raises(ValueError, match=reason):
        manifest.image(content, PARTS)
