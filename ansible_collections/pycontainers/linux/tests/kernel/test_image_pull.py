# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images out of a real registry: what arrives, what is asked for, and that it is what other programs make of it."""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import model
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, Plan, apply, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, garbage
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import Pull, pull, resolve
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import (
    Reference,
    parse_reference,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image import IMAGE, Image
from testbed.registry import Server, images, registry

REPOSITORY = Path(__file__).resolve().parents[5]


def named(server: Server, name: str) -> Reference:
    """Name an image of the registry."""
    return parse_reference(f"{server.address}/{name}")


def asked(server: Server) -> list[str]:
    """List what the registry was asked so far."""
    return [line.split('"')[1] for line in server.log.read_text().splitlines() if '"GET ' in line or '"HEAD ' in line]


def described(root: Path) -> dict[str, tuple[object, ...]]:
    """Describe every file: type and mode, owner, links, device or target or content's digest, attributes, time."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (root, *root.rglob("*")):
        there = path.lstat()
        what: object = there.st_rdev
        if stat.S_ISREG(there.st_mode):
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.is_symlink():
            what = os.readlink(path)
        links = 1 if path.is_dir() else there.st_nlink
        names = [name for name in os.listxattr(path, follow_symlinks=False) if name != "user.rootlesscontainers"]
        attributes = sorted((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
        time = there.st_mtime_ns // 10**9 if path != root else 0
        found[str(path.relative_to(root))] = (there.st_mode, there.st_uid, there.st_gid, links, what, attributes, time)
    return found


@pytest.mark.parametrize("name", ["nginx:latest", "nginx:next", "busybox:docker"])
def test_a_pulled_image_is_what_umoci_unpacks(layout: Layout, server: Server, tmp_path: Path, name: str) -> None:
    """Mounted by overlayfs, the layers give the same files as umoci makes of the image."""
    image = pull(layout, named(server, name))
    repository, tag = name.split(":")
    source = f"{images().directory}/{repository}:{'latest' if tag == 'docker' else tag}"
    subprocess.run(["umoci", "unpack", "--image", source, tmp_path / "bundle"], check=True, capture_output=True)
    merged = tmp_path / "merged"
    merged.mkdir()
    syscalls.mount("overlay", str(merged), "overlay", options=f"lowerdir={':'.join(image.layers)}")
    try:
        assert described(merged) == described(tmp_path / "bundle/rootfs")
    finally:
        syscalls.umount(str(merged))
        shutil.rmtree(tmp_path / "bundle")


def test_a_pulled_image_is_known_by_all_that_is_to_be_known(layout: Layout, server: Server) -> None:
    """The store tells ids, configuration, layers and sizes."""
    image = pull(layout, named(server, "nginx:latest"))
    config = Path(content.blob(layout, image.id)).read_bytes()
    assert image.id == "sha256:" + hashlib.sha256(config).hexdigest()
    assert image.manifest_digest == server.digest("nginx", "latest")
    assert image.registry_digest == image.manifest_digest
    assert image.config["Cmd"] == ["nginx", "-g", "daemon off;"]
    assert [layout.layer(diff_id) for diff_id in reversed(image.diff_ids)] == list(image.layers)
    assert image.references == (f"{server.address}/nginx:latest",)
    assert content.find(layout, named(server, "nginx:latest")) == image
    assert content.find_id(layout, image.id) == image
    assert content.images(layout) == [image]
    assert content.find(layout, named(server, "nginx:next")) is None


def test_the_store_is_an_oci_layout_that_others_read(layout: Layout, server: Server, tmp_path: Path) -> None:
    """Skopeo finds the image by its reference and copies the whole of it, verifying each blob."""
    pull(layout, named(server, "busybox:latest"))
    source = f"oci:{layout.images}:{server.address}/busybox:latest"
    command = ["skopeo", "--insecure-policy", "copy", source, f"dir:{tmp_path}/copy"]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "copy/manifest.json").exists()


def test_an_index_gives_this_machines_image(layout: Layout, server: Server) -> None:
    """Pulled by an index, the image is the platform's, and the registry's digest is the index's."""
    image = pull(layout, named(server, "busybox:multi"))
    assert image.registry_digest == server.digest("busybox", "multi")
    assert image.manifest_digest != image.registry_digest
    assert image.architecture == "amd64"


def test_an_image_is_pulled_by_digest(layout: Layout, server: Server) -> None:
    """A digest in the reference names one image for ever, be it a manifest's or an index's."""
    for tag in ("latest", "multi"):
        reference = named(server, f"busybox@{server.digest('busybox', tag)}")
        image = pull(layout, reference)
        assert image.registry_digest == reference.digest
        assert str(reference) in image.references


def test_a_second_pull_fetches_nothing(layout: Layout, server: Server) -> None:
    """If the registry still has the same, one HEAD is all; a second tag of the image fetches documents only."""
    pull(layout, named(server, "busybox:latest"))
    before = len(asked(server))
    pull(layout, named(server, "busybox:latest"))
    assert [line.split()[0] for line in asked(server)[before:]] == ["HEAD"]
    pull(layout, named(server, "busybox:multi"))
    layers = [line for line in asked(server)[before:] if "/blobs/" in line]
    assert layers == [], "the configuration is the same, too"


def test_images_are_listed_with_all_their_names(layout: Layout, server: Server) -> None:
    """Two manifests of one configuration are one image, as its id says."""
    for tag in ("latest", "docker", "multi"):
        pull(layout, named(server, f"busybox:{tag}"))
    (image,) = content.images(layout)
    assert image.references == tuple(f"{server.address}/busybox:{tag}" for tag in ("docker", "latest", "multi"))
    assert set(image.digests) == {
        f"{server.address}/busybox@{server.digest('busybox', tag)}" for tag in ("latest", "docker", "multi")
    }


def declare(layout: Layout, check: bool = False, **values: Any) -> Outcome[Image]:
    """Converge an image."""
    return converge(IMAGE, layout, model.parse(Image, values), check)


def test_an_image_is_declared_present_and_absent(layout: Layout, server: Server) -> None:
    """Check mode predicts, the run does it, the next one has nothing to do; and so for its removal."""
    name = f"{server.address}/busybox:latest"
    predicted = declare(layout, check=True, name=name)
    assert not os.path.exists(layout.root)
    done = declare(layout, name=name)
    assert done.changed
    assert (done.actions, done.changes) == (predicted.actions, predicted.changes)
    assert declare(layout, name=name).actions == declare(layout, name=name, pull="always").actions == ()
    assert declare(layout, check=True, name=name, state="absent").actions == (f"remove image {name}",)
    assert declare(layout, name=name, state="absent").changed
    assert not declare(layout, name=name, state="absent").changed
    assert os.listdir(f"{layout.images}/blobs/sha256") == os.listdir(layout.layer("")) == []


def test_facts_are_shaped_as_dockers(layout: Layout, server: Server) -> None:
    """What a task returns can be read as ``docker image inspect`` is."""
    facts = declare(layout, name=f"{server.address}/busybox:multi").facts["image"]
    assert facts["Id"].startswith("sha256:")
    assert facts["RepoTags"] == [f"{server.address}/busybox:multi"]
    assert facts["RepoDigests"] == [f"{server.address}/busybox@{server.digest('busybox', 'multi')}"]
    assert facts["Config"]["Cmd"] == ["sh"]
    assert facts["RootFS"]["Type"] == "layers"
    assert len(facts["RootFS"]["Layers"]) == 2
    assert (facts["Architecture"], facts["Os"], facts["Size"] > 1_000_000) == ("amd64", "linux", True)
    assert declare(layout, name=f"{server.address}/busybox:multi", state="absent").facts == {}


def test_an_image_that_may_not_be_pulled_must_be_there(layout: Layout, server: Server) -> None:
    """``never`` and missing is an error that says so, and nothing is asked."""
    before = len(asked(server))
    expected = f"cannot use the image {server.address}/busybox:latest: it is not in the store, and pull is never; "
    with pytest.raises(NotFound, match=expected):
        declare(layout, name=f"{server.address}/busybox:latest", pull="never")
    assert len(asked(server)) == before


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """Run a registry whose tags a test may move."""
    with registry(tmp_path / "registry") as running:
        yield running


def test_layers_in_zstd_become_the_same_folders(layout: Layout, own: Server) -> None:
    """However a registry holds a layer, what is unpacked is known by its own digest."""
    name, plain = f"{own.address}/busybox:zstd", f"dir:{own.storage.parent}/plain"
    unpacked = ["--dest-decompress", f"oci:{images().directory}/busybox:latest", plain]
    packed_anew = ["--dest-tls-verify=false", "--dest-compress-format=zstd", plain, f"docker://{name}"]
    for words in (unpacked, packed_anew):
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", *words], check=True, capture_output=True)
    packed = pull(layout, parse_reference(name))
    manifest = json.loads(Path(content.blob(layout, packed.manifest_digest)).read_bytes())
    assert all(each["mediaType"].endswith("tar+zstd") for each in manifest["layers"])
    assert pull(layout, named(own, "busybox:latest")).layers == packed.layers


def move(server: Server, repository: str, tag: str, to: str) -> None:
    """Let a tag name what another names."""
    tags = server.storage / "docker/registry/v2/repositories" / repository / "_manifests/tags"
    (tags / tag / "current/link").write_text((tags / to / "current/link").read_text())


def test_a_tag_that_moved_is_pulled_again_if_asked_for(layout: Layout, own: Server) -> None:
    """``missing`` keeps what is there; ``always`` follows the tag, says so before, and drops what nothing uses then."""
    name = f"{own.address}/nginx:latest"
    declare(layout, name=name)
    old = content.find(layout, parse_reference(name))
    move(own, "nginx", "latest", "next")
    assert not declare(layout, name=name).changed
    predicted = declare(layout, check=True, name=name, pull="always")
    done = declare(layout, name=name, pull="always")
    assert done.actions == predicted.actions
    assert done.actions[1] == "remove image layers that nothing uses"
    assert [change.path for change in done.changes if change.path == "id"] == ["id"]
    new = content.find(layout, parse_reference(name))
    assert old is not None
    assert new is not None
    assert new.id != old.id
    assert not any(map(os.path.isdir, set(old.layers) - set(new.layers)))
    assert all(map(os.path.isdir, new.layers))


class Failing:
    """A step that fails."""

    def describe(self) -> str:
        """Say what it is for."""
        return "fail"

    def do(self) -> None:
        """Fail."""
        raise Failure("do this", "it is a test")

    def undo(self) -> None:
        """Do nothing."""


def test_a_pull_is_taken_back_when_a_later_step_fails(layout: Layout, own: Server) -> None:
    """A first pull leaves nothing; a pull over an older image leaves that one, complete."""
    reference = named(own, "nginx:latest")
    remote = resolve(layout, reference)
    with pytest.raises(Failure, match=r"it is a test$"):
        apply(Plan((Pull(layout, reference, remote.manifest_digest, None), Failing())))
    assert os.listdir(f"{layout.images}/blobs/sha256") == os.listdir(layout.layer("")) == []
    old = pull(layout, reference)
    move(own, "nginx", "latest", "next")
    remote = resolve(layout, reference)
    with pytest.raises(Failure, match=r"it is a test$"):
        apply(Plan((Pull(layout, reference, remote.manifest_digest, old), Failing())))
    assert content.find(layout, reference) == old
    assert remote.manifest_digest.partition(":")[2] not in os.listdir(f"{layout.images}/blobs/sha256")


def test_a_run_that_changes_nothing_loads_nothing(layout: Layout, server: Server) -> None:
    """A no-op task imports neither network nor archive nor hash code."""
    name = f"{server.address}/busybox:latest"
    declare(layout, name=name)
    runtime = Image.__module__.rpartition(".resources")[0]
    program = f"""
import sys; sys.path.insert(0, {str(REPOSITORY)!r})
from {runtime}.core import model, plan
from {runtime}.core.layout import Layout
from {runtime}.resources.image import IMAGE, Image
want, layout = model.parse(Image, dict(name={name!r})), Layout({layout.root!r}, {layout.run!r})
outcome = plan.converge(IMAGE, layout, want, False)
heavy = dict.fromkeys("http urllib ssl socket tarfile hashlib zlib shutil ctypes subprocess email".split())
print(outcome.changed, sorted(heavy.keys() & sys.modules.keys()))
"""
    run = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout == "False []\n"


def test_images_share_layers_and_the_last_one_takes_them_along(layout: Layout, server: Server) -> None:
    """A layer stays as long as an image or a container uses it."""
    first, second = named(server, "nginx:latest"), named(server, "nginx:next")
    one, two = pull(layout, first), pull(layout, second)
    record = Path(layout.container("c1", "container.json"))
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"image_id": one.id}))
    assert garbage.remove(layout, first)
    assert not garbage.remove(layout, first)
    assert all(map(os.path.isdir, (*one.layers, *two.layers)))
    kept = content.find_id(layout, one.id)
    assert kept is not None
    assert (kept.references, kept.layers, kept.config) == ((), one.layers, one.config)
    garbage.remove(layout, second)
    assert sorted(os.listdir(layout.layer(""))) == sorted(os.path.basename(each) for each in one.layers)
    assert os.listdir(f"{layout.images}/blobs/sha256") == [one.id.partition(":")[2]]
    record.unlink()
    garbage.prune(layout)
    assert os.listdir(f"{layout.images}/blobs/sha256") == os.listdir(layout.layer("")) == []
