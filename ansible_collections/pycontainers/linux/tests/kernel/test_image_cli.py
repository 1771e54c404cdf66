# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs about images, as people call them."""
from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.main import main
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import check, content
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.room import size_of
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.overlay import Overlay, mount_overlay
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import image_mount
from ansible_collections.pycontainers.linux.tests.kernel.cli_bench import failure, ok
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

NAME = "registry.test/site:1"


def ids(host: Host) -> dict[str, str]:
    """What each name stands for."""
    return {name: each.id for each in content.images(host.layout) for name in each.references}


def test_an_image_gets_names_and_loses_them(host: Host) -> None:
    """Tag takes names and ids; rmi takes one name away, by an id all of them only if forced."""
    identity = ids(host)[host.busybox]
    assert ok(host, "tag", host.busybox, NAME) == ""
    assert ok(host, "tag", identity[7:19], "other") == ""
    assert set(ids(host).values()) == {identity}
    assert len(ids(host)) == 3
    assert ok(host, "rmi", "other") == "other\n"
    assert "several names" in failure(host, "rmi", identity[7:19])
    assert len(ids(host)) == 2
    assert ok(host, "rmi", "-f", identity[:20]) == f"{identity[:20]}\n"
    assert ids(host) == {}
    for words in (("tag", "no/such", "x"), ("tag", host.busybox, "UPPER"), ("rmi", "-f", "0123456789ab")):
        failure(host, *words)


def test_images_are_listed(host: Host) -> None:
    """A line per name; by repository, by tag, with whole ids and digests if asked for."""
    ok(host, "tag", host.busybox, "registry.test/site:1")
    ok(host, "tag", host.busybox, "registry.test/site:2")
    header, *lines = ok(host, "images", "registry.test/site").splitlines()
    assert header.split() == "REPOSITORY TAG IMAGE ID CREATED SIZE".split()
    assert [line.split()[1] for line in lines] == ["1", "2"]
    assert all(" ago " in line for line in lines)
    assert len(ok(host, "images", "registry.test/site:2").splitlines()) == 2
    assert len(ok(host, "images").splitlines()) == 4
    (image,) = content.images(host.layout)
    assert ok(host, "images", "-q", "--no-trunc") == f"{image.id}\n"
    assert image.registry_digest in ok(host, "images", "--digests", "registry.test/site:2")
    assert json.loads(ok(host, "images", "--json", "no/such")) == []


def test_the_group_has_the_verbs_too(host: Host) -> None:
    """What is a verb about images is one of the group image as well, under Docker's names."""
    assert ok(host, "image", "ls") == ok(host, "images")
    assert ok(host, "image", "tag", host.busybox, NAME) == ""
    assert ok(host, "image", "history", NAME) == ok(host, "history", NAME)
    assert ok(host, "image", "rm", NAME) == f"{NAME}\n"
    for name in ("pull", "push", "load", "save", "import", "prune", "inspect", "mount", "unmount", "check"):
        with redirect_stdout(io.StringIO()) as said, pytest.raises(SystemExit, match="0"):
            main(["image", name, "--help"])
        assert f"usage: pycontainers image {name}" in said.getvalue()


def test_an_image_is_shown(host: Host) -> None:
    """Inspect finds containers first and then images, by name and id; image inspect finds images only."""
    (shown,) = json.loads(ok(host, "image", "inspect", host.busybox))
    (same,) = json.loads(ok(host, "inspect", shown["Id"][7:20]))
    assert shown == same
    assert shown["Id"] == ids(host)[host.busybox]
    assert shown["Blobs"]
    host.converge("busybox", image=host.busybox, command=["true"], state="stopped")
    (container,) = json.loads(ok(host, "inspect", "busybox"))
    assert container["Name"] == "/busybox"
    assert "of this name or id" in failure(host, "inspect", "no/such")
    assert "of this name or id" in failure(host, "image", "inspect", "no/such")


def test_a_history_is_told(host: Host) -> None:
    """The last step comes first and has the image's id; steps have the sizes of their layers."""
    name = host.image("built", {}, lambda root: root.joinpath("file").write_bytes(bytes(1 << 20)))
    steps = json.loads(ok(host, "history", "--json", name))
    assert steps[0]["Id"] == ids(host)[name]
    assert [each["Id"] for each in steps[1:]] == ["<missing>"] * (len(steps) - 1)
    (image,) = [each for each in content.images(host.layout) if name in each.references]
    told = sum(each["Size"] for each in steps)
    assert told == sum(size_of([host.layout.layer(each)]) for each in image.diff_ids)
    header, *lines = ok(host, "history", name).splitlines()
    assert header.split() == "IMAGE CREATED CREATED BY SIZE COMMENT".split()
    assert len(lines) == len(steps)
    assert ok(host, "history", "-q", "--no-trunc", name).splitlines()[0] == ids(host)[name]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_root_filesystem_is_imported(host: Host, tmp_path: Path, compressed: bool) -> None:
    """A tar becomes an image that runs, with what the instructions say; from a file or stdin."""
    (image,) = content.images(host.layout)
    plain = tmp_path / "root.tar"
    with tarfile.open(plain, "w") as tar:
        for folder in reversed(image.layers):
            tar.add(folder, ".")
    path = tmp_path / "packed"
    text = plain.read_bytes()
    path.write_bytes(gzip.compress(text, 1) if compressed else text)
    change = ("-c", 'CMD ["echo", "it runs"]', "-c", "ENV A=1", "-m", "why")
    identity = ok(host, "import", *change, str(path), NAME).strip()
    with path.open("rb") as source, host.beside("import", "-", "two", stdin=source.fileno()) as running:
        assert running.stdout is not None
        assert running.stdout.read().startswith(b"sha256:")
        assert running.wait() == 0
    assert ids(host)[NAME] == identity
    found = content.find(host.layout, parse_reference(NAME))
    assert found is not None
    assert dict(found.config) == {"Cmd": ["echo", "it runs"], "Env": ["A=1"]}
    assert json.loads(ok(host, "history", "--json", NAME))[0]["Comment"] == "why"
    assert check.check(host.layout) == []
    host.converge("c", image=NAME)
    container = host.observed()
    host.ended(container)
    assert host.log(container) == "it runs\n"


def test_what_is_no_root_filesystem_is_refused(host: Host, tmp_path: Path) -> None:
    """What is no tar is named, and nothing of it is kept; a directory is an image as well."""
    before = sorted(os.listdir(f"{host.layout.images}/blobs/sha256"))
    (tmp_path / "text").write_text("text")
    assert "can't be unpacked" in failure(host, "import", str(tmp_path / "text"), NAME)
    assert "no such file" in failure(host, "import", str(tmp_path / "none"), NAME).lower()
    assert "no instruction" in failure(host, "import", "-c", "RUN x", str(tmp_path / "text"), NAME)
    assert sorted(os.listdir(f"{host.layout.images}/blobs/sha256")) == before
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("text")
    assert ok(host, "import", str(tmp_path / "tree"), NAME).strip() == ids(host)[NAME]


def test_an_image_is_mounted(host: Host, tmp_path: Path) -> None:
    """A mounted image is read-only, its set-user-ID bits and devices do not count, and its layers stay."""

    def build(root: Path) -> None:
        root.joinpath("file").write_text("text")
        os.mknod(root / "null", 0o20666, os.makedev(1, 3))

    name = host.image("built", {}, build)
    folder = tmp_path / "folder"
    folder.mkdir()
    path = str(folder)
    assert ok(host, "mount", name, path) == f"{path}\n"
    try:
        assert folder.joinpath("file").read_text() == "text"
        assert folder.joinpath("bin/busybox").exists()
        with pytest.raises(OSError, match="Read-only"):
            folder.joinpath("new").write_text("")
        with pytest.raises(PermissionError):
            folder.joinpath("null").read_bytes()
        flags = os.ST_RDONLY | os.ST_NOSUID | os.ST_NODEV
        assert os.statvfs(path).f_flag & flags == flags
        assert json.loads(ok(host, "mount", "--json")) == [{"Path": path, "Image": ids(host)[name]}]
        assert name in ok(host, "mount")
        assert "something is mounted there" in failure(host, "mount", name, path)
        ok(host, "rmi", name)
        assert folder.joinpath("file").read_text() == "text"
    finally:
        assert ok(host, "unmount", path) == f"{path}\n"
    assert not Path(host.layout.run, "mounting").exists()
    assert "no image is mounted there" in failure(host, "umount", path)
    assert "no directory given" in failure(host, "mount", host.busybox)
    assert "No such file" in failure(host, "mount", host.busybox, f"{path}/none")


def test_what_a_killed_mount_has_left_goes_with_the_next(host: Host, tmp_path: Path) -> None:
    """An image that got no further than to where it is mounted at first keeps its layers only until then."""
    image = content.find(host.layout, parse_reference(host.busybox))
    assert image is not None
    folder = tmp_path / "folder"
    folder.mkdir()
    aside = Path(host.layout.run, "mounting")
    for name in ("empty", "merged"):
        aside.joinpath(name).mkdir(parents=True)
    mount_overlay(str(aside / "merged"), Overlay((*image.layers, str(aside / "empty"))), str)
    assert len(image_mount.image_mounts(host.layout)) == 1
    ok(host, "mount", host.busybox, str(folder))
    assert [path for path, _ in image_mount.image_mounts(host.layout)] == [str(folder)]
    assert not aside.exists()
    ok(host, "unmount", str(folder))


def test_what_is_no_image_is_not_unmounted(host: Host, tmp_path: Path) -> None:
    """A mount that is not one of ours stays."""
    (tmp_path / "folder").mkdir()
    syscalls.mount("none", str(tmp_path / "folder"), "tmpfs")
    try:
        with pytest.raises(Failure, match="no image is mounted"):
            image_mount.unmount(host.layout, str(tmp_path / "folder"))
        assert mounted(str(tmp_path / "folder"))
    finally:
        syscalls.umount(str(tmp_path / "folder"))


def test_an_image_that_lacks_a_part_is_removed(host: Host) -> None:
    """A layer that is missing keeps nobody from taking the name away, which is what a check of the store says to do."""
    image = content.find(host.layout, parse_reference(host.busybox))
    assert image is not None
    content.discard(image.layers[0])
    assert "remove it and pull" in host.cli("image", "check").stdout
    ok(host, "rmi", host.busybox)
    assert content.entries(host.layout) == []
    assert check.check(host.layout) == []
    assert "none of this name" in failure(host, "rmi", host.busybox)
