# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of archives and directories, further names, and when a registry is asked."""
from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, apply, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import check, content
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image import IMAGE, Image
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_export import (
    IMAGE_EXPORT,
    ImageExport,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_info import (
    IMAGE_INFO,
    ImageInfo,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from testbed.registry import Server

NAME = "registry.test/site:1"


def declare(host: Host, check: bool = False, **values: Any) -> Outcome[Image]:
    """Declare an image."""
    return converge(IMAGE, host.layout, parse(Image, values), check)


def ids(host: Host) -> dict[str, str]:
    """What each name stands for."""
    return {name: each.id for each in content.images(host.layout) for name in each.references}


def predicted(host: Host, **values: Any) -> Outcome[Image]:
    """Declare an image after a check, which must tell the same and change nothing; and again, which changes nothing."""
    before = ids(host)
    told = declare(host, check=True, **values)
    assert ids(host) == before
    done = declare(host, **values)
    assert (done.actions, done.changes) == (told.actions, told.changes)
    assert not declare(host, **values).changed
    assert check.check(host.layout) == []
    return done


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with one of each kind of file."""
    root = tmp_path / "tree"
    (root / "bin").mkdir(parents=True)
    (root / "bin/sh").write_text("#!")
    (root / "bin/sh").chmod(0o4755)
    (root / "bin/ash").hardlink_to(root / "bin/sh")
    (root / "link").symlink_to("bin/sh")
    (root / "sparse").write_bytes(b"")
    os.truncate(root / "sparse", 1 << 20)
    os.mkfifo(root / "fifo", 0o640)
    os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.chown(root / "bin/ash", 70000, 3_000_000)
    os.setxattr(root / "bin/sh", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    return root


def described(root: Path) -> dict[str, tuple[object, ...]]:
    """Describe every file below a folder."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        there = path.lstat()
        text = path.read_bytes() if stat.S_ISREG(there.st_mode) else os.readlink(path) if path.is_symlink() else b""
        attributes = [
            (name, os.getxattr(path, name, follow_symlinks=False))
            for name in os.listxattr(path, follow_symlinks=False)
            if name == "security.capability"
        ]
        links = 1 if path.is_dir() else there.st_nlink
        found[str(path.relative_to(root))] = (
            (there.st_mode, there.st_uid, there.st_gid, there.st_rdev, links, int(there.st_mtime)),
            text,
            attributes,
        )
    return found


def test_a_directory_becomes_an_image(host: Host, tree: Path, tmp_path: Path) -> None:
    """The image's one layer holds just what the directory does, and another program unpacks the same."""
    done = predicted(host, name=NAME, source="tree", path=str(tree), changes=['CMD ["/bin/sh"]', "ENV A=1"])
    assert "make image" in done.actions[0]
    image = content.find(host.layout, parse_reference(NAME))
    assert image is not None
    assert dict(image.config) == {"Cmd": ["/bin/sh"], "Env": ["A=1"]}
    assert described(Path(image.layers[0])) == described(tree)
    values = {"path": str(tmp_path / "layout"), "names": [NAME], "format": "oci-dir"}
    converge(IMAGE_EXPORT, host.layout, parse(ImageExport, values), False)
    source = f"oci:{tmp_path}/layout:{NAME}"
    target = f"oci:{tmp_path}/copy:tag"
    subprocess.run(["skopeo", "--insecure-policy", "copy", source, target], check=True, capture_output=True)
    bundle = tmp_path / "bundle"
    command = ["umoci", "unpack", "--image", f"{tmp_path}/copy:tag", str(bundle)]
    subprocess.run(command, check=True, capture_output=True)
    assert described(bundle / "rootfs") == described(tree)


def test_a_changed_directory_is_another_image(host: Host, tree: Path) -> None:
    """What changes in the directory replaces the image, and what nothing uses any more goes."""
    predicted(host, name=NAME, source="tree", path=str(tree))
    first = ids(host)[NAME]
    (tree / "new").write_text("new")
    done = predicted(host, name=NAME, source="tree", path=str(tree))
    assert ids(host)[NAME] != first
    assert [each.path for each in done.changes] == ["id"]
    assert predicted(host, name=NAME, source="tree", path=str(tree), changes=["USER web"]).changed


def test_an_image_of_an_archive(host: Host, tmp_path: Path) -> None:
    """The one image of an archive gets the name; of several the one of that name is taken."""
    second = host.image("second", {"Cmd": ["other"]})
    for path, names in (("one", [second]), ("two", [host.busybox, second])):
        values = {"path": str(tmp_path / path), "names": names}
        converge(IMAGE_EXPORT, host.layout, parse(ImageExport, values), False)
    before = ids(host)
    declare(host, name=second, state="absent")
    predicted(host, name=NAME, source="archive", path=str(tmp_path / "one"))
    assert ids(host)[NAME] == before[second]
    predicted(host, name=second, source="archive", path=str(tmp_path / "two"))
    assert ids(host)[second] == before[second]
    with pytest.raises(Failure, match="holds 2 images"):
        declare(host, name="other/name", source="archive", path=str(tmp_path / "two"))


def test_an_image_has_several_names(host: Host) -> None:
    """Names are given to the image, whatever they stood for, and taken back when a later step fails."""
    other = host.image("other", {"Cmd": ["other"]})
    tags = [other, "registry.test/new:1"]
    done = predicted(host, name=host.busybox, tags=tags)
    assert len(done.actions) == 3  # two names, and what only the old one used
    assert ids(host) == dict.fromkeys([host.busybox, *tags], ids(host)[host.busybox])
    assert [(each.path, each.before) for each in done.changes] == [("tags", [])]
    assert predicted(host, name=host.busybox, tags=["registry.test/third:1"]).changed
    third = host.image("fourth", {"Cmd": ["third"]})
    was = ids(host)
    want = parse(Image, {"name": host.busybox, "tags": [third]})
    have = IMAGE.observe(host.layout, want)
    plan = IMAGE.plan(host.layout, IMAGE.resolve(host.layout, want, have), have)
    for step in plan.steps:
        step.do()
    assert ids(host) != was
    for step in reversed(plan.steps):
        step.undo()
    assert ids(host) == was
    apply(plan)


def test_removal_takes_the_names_that_are_meant(host: Host) -> None:
    """Absent removes the name and tags, with force all names of the image, and else none."""
    tags = ["registry.test/a:1", "registry.test/b:1", "registry.test/c:1"]
    declare(host, name=host.busybox, tags=tags)
    predicted(host, name=tags[0], state="absent")
    assert sorted(ids(host)) == sorted([host.busybox, *tags[1:]])
    predicted(host, name="no/such", tags=[tags[1]], state="absent")
    assert sorted(ids(host)) == sorted([host.busybox, tags[2]])
    predicted(host, name=tags[2], state="absent", force=True)
    assert ids(host) == {}
    assert os.listdir(host.layout.layer("")) == []


def test_when_the_registry_is_asked(host: Host, server: Server) -> None:
    """Newer is content with what there is if the registry is away, always is not, missing and never do not ask."""
    away = host.busybox  # its registry has ended
    for policy in ("missing", "never", "newer"):
        assert not declare(host, name=away, pull=policy).changed
    for values in ({"pull": "always"}, {"force": True}, {"pull": "newer", "force": True}):
        with pytest.raises(Failure, match="cannot"):
            declare(host, check=True, name=away, **values)
    with pytest.raises(NotFound, match="pull is never"):
        declare(host, name="no/such", pull="never")
    with pytest.raises(Failure, match="cannot"):
        declare(host, name=away.replace("busybox", "other"), pull="newer")
    there = f"{server.address}/busybox:multi"
    assert predicted(host, name=there, pull="newer", tags=[NAME]).changed
    assert ids(host)[NAME] == ids(host)[there]
    declare(host, name=there, state="absent")
    moved = content.find(host.layout, parse_reference(NAME))
    other = host.image("other", {"Cmd": ["other"]})
    stands = content.find(host.layout, parse_reference(other))
    assert moved is not None
    assert stands is not None
    content.set_entry(host.layout, parse_reference(there), stands.entry)
    assert not declare(host, name=there).changed
    assert predicted(host, name=there, pull="newer").changed
    assert ids(host)[there] == moved.id


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"source": "tree"}, "needs one"),
        ({"source": "archive"}, "needs one"),
        ({"source": "tree", "path": "/no/such"}, "no such directory"),
        ({"source": "tree", "path": "/etc/passwd"}, "not a directory"),
        ({"path": "/etc"}, "an image that is pulled has none"),
        ({"changes": ["USER web"]}, "an image that is pulled has none"),
        ({"source": "archive", "path": "/etc", "changes": ["USER web"]}, "as they are"),
    ],
)
def test_what_does_not_go_together_is_refused(host: Host, values: dict[str, Any], said: str) -> None:
    """Options of one source are refused with another."""
    with pytest.raises(InvalidValue, match=said):
        declare(host, name=NAME, **values)


def test_all_is_told_of_images(host: Host) -> None:
    """Images are told of by name, by id, or all; with their blobs, the room that they take, and who uses them."""
    other = host.image("other", {"Cmd": ["other"]})
    host.converge("web", image=other, command=["true"], state="stopped")

    def told(*names: str) -> list[dict[str, Any]]:
        values = {"name": list(names)} if names else {}
        outcome = converge(IMAGE_INFO, host.layout, parse(ImageInfo, values), True)
        assert not outcome.changed
        found: list[dict[str, Any]] = outcome.facts["images"]
        return found

    assert len(told()) == 2
    (image,) = told(other, "no/such")
    assert image["UsedBy"] == ["web"]
    assert image["UnpackedSize"] > 0
    assert [each["Size"] for each in image["Blobs"]]
    assert image["Config"]["Cmd"] == ["other"]
    assert told(image["Id"]) == [image]
    assert told("NO NAME", "no/such") == []
