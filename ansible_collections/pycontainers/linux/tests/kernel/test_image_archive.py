# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images to archives and back, and to and from other programs."""
from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, apply, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import check, content, garbage
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_export import (
    FORMATS,
    IMAGE_EXPORT,
    ImageExport,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_load import (
    IMAGE_LOAD,
    ImageLoad,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot
from testbed.registry import images

NAME = "registry.test/web:1"


@pytest.fixture
def other(tmp_path: Path) -> Layout:
    """A second host's store, empty."""
    return Layout(str(tmp_path / "other"), str(tmp_path / "other-run"))


def load(layout: Layout, path: Path | str, check: bool = False, **values: Any) -> Outcome[ImageLoad]:
    """Load an archive."""
    return converge(IMAGE_LOAD, layout, parse(ImageLoad, {"path": str(path), **values}), check)


def export(host: Host, path: Path, check: bool = False, **values: Any) -> Outcome[ImageExport]:
    """Export busybox, unless other names are given."""
    given = {"path": str(path), "names": [host.busybox], **values}
    return converge(IMAGE_EXPORT, host.layout, parse(ImageExport, given), check)


def ids(layout: Layout) -> dict[str, str]:
    """What each name of a store stands for."""
    return {name: each.id for each in content.images(layout) for name in each.references}


def skopeo(*words: str) -> None:
    """Run another program that knows images."""
    subprocess.run(["skopeo", "--insecure-policy", *words], check=True, capture_output=True, timeout=60)


def files(folder: str) -> list[tuple[str, int, int]]:
    """List a layer."""
    return [(str(each.relative_to(folder)), each.lstat().st_mode, each.lstat().st_size) for each in
            sorted(Path(folder).rglob("*"))]  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_can_be_loaded(host: Host, other: Layout, tmp_path: Path, form: str) -> None:
    """An exported image is the same in another store, by its id and its layers, and each way is gone once only."""
    path = tmp_path / "archive"
    predicted = export(host, path, check=True, format=form)
    assert not path.exists()
    done = export(host, path, format=form)
    assert (done.actions, done.changes) == (predicted.actions, predicted.changes)
    assert not export(host, path, format=form).changed
    before = path.stat().st_mtime_ns
    predicted_load = load(other, path, check=True)
    assert not Path(other.root).exists()
    loaded = load(other, path)
    assert (loaded.actions, loaded.changes) == (predicted_load.actions, predicted_load.changes)
    assert loaded.facts["image_names"] == [host.busybox]
    assert not load(other, path).changed
    assert ids(other) == ids(host.layout)
    assert check.check(other) == []
    (mine,), (theirs,) = content.images(host.layout), content.images(other)
    assert mine.config == theirs.config
    assert [files(each) for each in mine.layers] == [files(each) for each in theirs.layers]
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("form", FORMATS)
def test_other_programs_read_what_is_exported(host: Host, tmp_path: Path, form: str) -> None:
    """Skopeo copies the image out of each form, and verifies all that it reads."""
    path = tmp_path / "archive"
    export(host, path, format=form)
    transport = {"oci-dir": "oci"}.get(form, form)
    name = "" if form == "docker-archive" else f":{host.busybox}"
    skopeo("copy", f"{transport}:{path}{name}", f"dir:{tmp_path}/copy")
    config = json.loads((tmp_path / "copy/manifest.json").read_bytes())["config"]["digest"]
    assert config == content.images(host.layout)[0].id


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_what_other_programs_write_is_loaded(layout: Layout, tmp_path: Path, form: str) -> None:
    """What skopeo makes of an image is loaded with the name that it has there, also when it is compressed."""
    source, path = f"oci:{images().directory}/nginx:latest", tmp_path / "nginx.tar"
    skopeo("copy", source, f"{form}:{path}:{NAME}")
    load(layout, path)
    assert list(ids(layout)) == [NAME]
    assert check.check(layout) == []
    packed = tmp_path / "nginx.tar.gz"
    with path.open("rb") as file, gzip.open(packed, "wb", compresslevel=1) as target:
        shutil.copyfileobj(file, target)
    assert not load(layout, packed).changed
    load(layout, packed, name="registry.test/second")
    assert ids(layout)["registry.test/second:latest"] == ids(layout)[NAME]


def test_layouts_of_other_programs_need_a_name(layout: Layout) -> None:
    """A layout that knows tags only is loaded under the name that is asked for; several images are told apart."""
    folder = images().directory / "busybox"
    with pytest.raises(Failure, match="has no name in it; give it one"):
        load(layout, folder)
    load(layout, folder, name="registry.test/busybox:1")
    assert list(ids(layout)) == ["registry.test/busybox:1"]
    with pytest.raises(Failure, match=r"it holds \d images"):
        load(layout, images().directory / "nginx", name="registry.test/nginx:1")


def test_several_images_share_an_archive(host: Host, other: Layout, tmp_path: Path) -> None:
    """An archive has each layer once and all names; a name that moved is moved by loading."""
    second = host.image("second", {"Cmd": ["other"]})
    digest = f"{host.busybox}@{content.images(host.layout)[0].manifest_digest}"
    content.set_entry(host.layout, parse_reference(digest), content.images(host.layout)[0].entry)
    for form in FORMATS:
        path = tmp_path / form
        export(host, path, names=[host.busybox, second], format=form)
        with_one = export(host, path, names=[second], format=form)
        assert with_one.changed
        export(host, path, names=[host.busybox, second], format=form)
    with tarfile.open(tmp_path / "oci-archive") as tar:
        assert len(tar.getnames()) == len(set(tar.getnames()))
    load(other, tmp_path / "docker-archive")
    assert sorted(ids(other)) == sorted([host.busybox, second])
    first = content.find(other, parse_reference(host.busybox))
    content.set_entry(other, parse_reference(second), first.entry if first else None)
    moved = load(other, tmp_path / "oci-archive")
    assert len(moved.actions) == 1
    assert ids(other)[second] == ids(host.layout)[second]


def test_the_same_images_give_the_same_bytes(host: Host, tmp_path: Path) -> None:
    """An archive says nothing of when and where it was written."""
    for form in ("oci-archive", "docker-archive"):
        export(host, tmp_path / "one", format=form, force=True)
        export(host, tmp_path / "two", format=form, force=True)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_is_in_the_way_is_not_lost(host: Host, tmp_path: Path) -> None:
    """A file or folder that is no archive is not replaced, unless a file is by force."""
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(Failure, match="give another path, or force"):
        export(host, path)
    assert path.read_text() == "mine"
    export(host, path, force=True)
    folder = tmp_path / "home"
    folder.mkdir()
    folder.joinpath("notes").write_text("mine")
    for force in (False, True):
        with pytest.raises(Failure, match="give another path"):
            export(host, folder, format="oci-dir", force=force)
    assert folder.joinpath("notes").read_text() == "mine"
    with pytest.raises(NotFound, match="not in the store"):
        export(host, path, names=["no/such"])
    with pytest.raises(InvalidValue, match="name at least one"):
        export(host, path, names=[])
    with pytest.raises(InvalidValue, match="make that first"):
        export(host, tmp_path / "no/such")


def test_damage_in_the_store_is_not_exported(host: Host, tmp_path: Path) -> None:
    """A blob with another content stops the export, and what was exported before stays."""
    path = tmp_path / "archive"
    export(host, path)
    good = path.read_bytes()
    (image,) = content.images(host.layout)
    manifest = json.loads(Path(content.blob(host.layout, image.manifest_digest)).read_bytes())
    blob = Path(content.blob(host.layout, manifest["layers"][-1]["digest"]))
    bad = blob.read_bytes()[:-1] + b"x"
    blob.unlink()
    with pytest.raises(Failure, match="pull or load the image again"):
        export(host, path, force=True)
    blob.write_bytes(bad)
    for form in ("oci-archive", "docker-archive"):
        with pytest.raises(Failure, match="pull or load the image again"):
            export(host, path, force=True, format=form)
    assert path.read_bytes() == good
    assert not list(tmp_path.glob(".archive*"))


def packed(path: Path, members: dict[str, bytes]) -> None:
    """Write a tar."""
    with tarfile.open(path, "w") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))


def members(path: Path) -> dict[str, bytes]:
    """Read a tar."""
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


def broken(kind: str, good: dict[str, bytes]) -> dict[str, bytes]:
    """Archives that are not what they say."""
    blobs = {name: text for name, text in good.items() if name.startswith("blobs/")}
    largest = max(blobs, key=lambda name: len(blobs[name]))
    if kind == "changed layer":
        return good | {largest: blobs[largest][:-1] + b"x"}
    if kind == "packed anew":  # the same once it is uncompressed, so only its own digest tells
        return good | {largest: gzip.compress(gzip.decompress(blobs[largest]), 1)}
    if kind == "missing layer":
        return {name: text for name, text in good.items() if name != largest}
    if kind == "changed manifest":
        digest = json.loads(good["index.json"])["manifests"][0]["digest"]
        name = f"blobs/sha256/{digest[7:]}"
        return good | {name: blobs[name] + b" "}
    if kind == "no index":
        return {"oci-layout": b"{}"}
    if kind == "index of nothing":
        return good | {"index.json": b'{"manifests": []}'}
    if kind == "index no JSON":
        return good | {"index.json": b"{"}
    if kind == "docker outside":
        text = json.dumps([{"Config": "../../etc/passwd", "Layers": [], "RepoTags": []}])
        return {"manifest.json": text.encode()}
    if kind == "docker other layer":
        diff_id = "sha256:" + hashlib.sha256(b"x").hexdigest()
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
        text = json.dumps([{"Config": "c.json", "Layers": ["l.tar"], "RepoTags": [NAME]}])
        return {"manifest.json": text.encode(), "c.json": json.dumps(config).encode(), "l.tar": bytes(1024)}
    return {"manifest.json": b"[{}]"}


BROKEN = (
    "changed layer",
    "packed anew",
    "missing layer",
    "changed manifest",
    "no index",
    "index of nothing",
    "index no JSON",
    "docker outside",
    "docker other layer",
    "docker without parts",
)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_archive_leaves_nothing(host: Host, other: Layout, tmp_path: Path, kind: str) -> None:
    """An archive that is not what it says is refused in one sentence, and the store is as it was."""
    path = tmp_path / "archive"
    export(host, path)
    packed(path, broken(kind, members(path)))
    with pytest.raises(Failure, match=r"^cannot "):
        load(other, path)
    assert content.images(other) == []
    assert [each for each in Path(other.root).rglob("*") if each.is_file() and each.name != "oci-layout"] == []


def test_no_archive_is_told(layout: Layout, tmp_path: Path) -> None:
    """A path where there is nothing, or no archive, is named."""
    (tmp_path / "text").write_text("text")
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut").write_bytes(gzip.compress(bytes(100_000))[:-20])
    for name in ("none", "text", "empty", "cut"):
        with pytest.raises(Failure, match=f"cannot .*{tmp_path}/{name}"):
            load(layout, tmp_path / name)


def test_a_load_can_be_undone(host: Host, tmp_path: Path) -> None:
    """What was loaded goes again when a later step fails, and names stand for what they stood for."""
    path = tmp_path / "archive"
    second = host.image("second", {"Cmd": ["other"]})
    export(host, path, names=[second])
    content.set_entry(host.layout, parse_reference(second), content.images(host.layout)[0].entry)
    garbage.prune(host.layout)
    before = snapshot(host.layout)["files"]
    want = parse(ImageLoad, {"path": str(path)})
    have = IMAGE_LOAD.observe(host.layout, want)
    plan = IMAGE_LOAD.plan(host.layout, IMAGE_LOAD.resolve(host.layout, want, have), have)
    apply(plan)
    assert snapshot(host.layout)["files"] != before
    for step in plan.steps:
        step.undo()
    index = f"{host.layout.images}/index.json"
    after = snapshot(host.layout)["files"]
    assert {path: each for path, each in after.items() if path != index} == {
        path: each for path, each in before.items() if path != index
    }
    assert ids(host.layout)[second] == ids(host.layout)[host.busybox]


def test_the_verbs_save_and_load(host: Host, tmp_path: Path) -> None:
    """Save writes to a file or stdout, load reads from a file or stdin, and names what it loaded."""
    path = tmp_path / "archive"
    assert host.ok("save", "-o", str(path), host.busybox) == ""
    with host.beside("save", "--format", "docker-archive", host.busybox) as running:
        assert running.stdout is not None
        piped = running.stdout.read()
        assert running.wait() == 0
    root = ("--root", str(tmp_path / "second"))
    assert host.ok(*root, "load", "-i", str(path)) == f"Loaded image: {host.busybox}\n"
    read, write = os.pipe()
    words = (*root, "load", "--json", "--name", NAME)
    with open(read, "rb") as source, host.beside(*words, stdin=source.fileno()) as running:
        with open(write, "wb") as target:
            target.write(piped)
        assert running.stdout is not None
        assert json.loads(running.stdout.read())["image_names"] == [NAME]
        assert running.wait() == 0
    assert sorted(ids(Layout(root[1]))) == sorted([host.busybox, NAME])
    assert "not in the store" in host.failure("save", "-o", str(path), "no/such")
    assert "a directory has no stream" in host.failure("save", "--format", "oci-dir", host.busybox)
    assert str(tmp_path / "none") in host.failure("load", "-i", str(tmp_path / "none"))


def test_a_folder_that_a_killed_export_has_moved_away_stays(host: Host, tmp_path: Path) -> None:
    """Where the new one had its place already, the old one goes; where it had not yet, the old one gets it back."""
    path, old = tmp_path / "out", tmp_path / ".out.old.new"
    assert export(host, path, format="oci-dir").changed
    shutil.copytree(path, old)
    assert export(host, path, format="oci-dir", force=True).changed
    assert not old.exists()
    path.rename(old)
    old.joinpath("mark").touch()
    old.joinpath("oci-layout").unlink()
    with pytest.raises(Failure, match="something else in it"):
        export(host, path, format="oci-dir", force=True)
    assert path.joinpath("mark").exists()


@pytest.mark.parametrize("said", [{"RepoTags": 5}, {"Layers": ["a\0b"]}, {"Layers": ["\ud800"]}], ids=repr)
def test_what_is_no_name_in_a_docker_archive_is_told(layout: Layout, tmp_path: Path, said: dict[str, Any]) -> None:
    """What a manifest.json may not hold is said in a sentence, of a folder too."""
    image = {"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}, "os": "linux", "architecture": "amd64"}
    tmp_path.joinpath("c.json").write_text(json.dumps(image))
    manifest = [{"Config": "c.json", "RepoTags": [], "Layers": ["layer"], **said}]
    tmp_path.joinpath("manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Failure, match="read the images in"):
        load(layout, tmp_path, name="registry.test/x:1")
