# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of three makers, unpacked by this collection and by umoci: file by file they are the same."""
from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, layer, overlay
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import Call, caller, client
from ansible_collections.pycontainers.linux.tests.kernel.test_image_layers import (
    BLK,
    CAP_NET_RAW,
    CHR,
    DIR,
    FIFO,
    LNK,
    SYM,
    member,
    xattr,
)

NAME = "org.opencontainers.image.ref.name"
LONG = "n" * 200


@pytest.fixture(scope="module")
def umoci() -> Call:
    """Umoci's command line."""
    return caller(["umoci"], client("umoci"))


def image(folder: Path, *archives: bytes) -> None:
    """Write an image of these layers as an OCI image layout, with the tag ``made``."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(text: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(text).hexdigest()
        (blobs / digest).write_bytes(text)
        kind = f"application/vnd.oci.image.{media_type}"
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(text)}

    diff_ids = ["sha256:" + hashlib.sha256(archive).hexdigest() for archive in archives]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "config": blob(json.dumps(config).encode(), "config.v1+json"),
        "layers": [blob(gzip.compress(archive), "layer.v1.tar+gzip") for archive in archives],
    }
    entry = {**blob(json.dumps(manifest).encode(), "manifest.v1+json"), "annotations": {NAME: "made"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def unpacked(layout: Layout, folder: Path) -> list[str]:
    """Unpack the layers of an image, and return their directories, the uppermost first."""
    content.prepare(layout)
    entries = json.loads((folder / "index.json").read_text())["manifests"]
    entry = next(each for each in entries if each.get("annotations", {}).get(NAME, "made") == "made")
    manifest = json.loads((folder / "blobs" / entry["digest"].replace(":", "/")).read_text())
    config = json.loads((folder / "blobs" / manifest["config"]["digest"].replace(":", "/")).read_text())
    roots: list[str] = []
    for part, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        layer.unpack(layout, str(folder / "blobs" / part["digest"].replace(":", "/")), diff_id, tuple(roots))
        roots.insert(0, layout.layer(diff_id))
    return roots


def described(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything about every file below a folder; names of one file have the first of them in common."""
    found: dict[str, tuple[object, ...]] = {}
    first: dict[int, str] = {}
    for path in [root, *sorted(root.rglob("*"))]:
        name, there = str(path.relative_to(root)), path.lstat()
        kind = stat.S_IFMT(there.st_mode)
        keys = os.listxattr(path, follow_symlinks=False)
        xattrs = {key: os.getxattr(path, key, follow_symlinks=False) for key in keys}
        same = name if kind == stat.S_IFDIR else first.setdefault(there.st_ino, name)
        found[name] = (
            oct(there.st_mode), there.st_uid, there.st_gid, there.st_mtime_ns, xattrs, same,
            # overlayfs counts no folders in a folder
            None if kind == stat.S_IFDIR else there.st_nlink,
            there.st_rdev if kind in (stat.S_IFCHR, stat.S_IFBLK) else None,
            hashlib.sha256(path.read_bytes()).hexdigest() if kind == stat.S_IFREG else None,
            os.readlink(path) if kind == stat.S_IFLNK else None,
        )  # fmt: skip
    return found


def same(layout: Layout, umoci: Call, folder: Path) -> dict[str, tuple[object, ...]]:
    """See that both make the same of an image, and return what that is."""
    bundle, merged = folder.parent / "bundle", folder.parent / "merged"
    done = umoci("unpack", "--image", f"{folder}:made", str(bundle))
    assert done.returncode == 0, done.stderr
    roots = unpacked(layout, folder)
    merged.mkdir()
    # Overlayfs takes no layer that is alone.
    (folder.parent / "nothing").mkdir()
    lower = ":".join([*overlay.shown(tuple(roots)), str(folder.parent / "nothing")])
    syscalls.mount("overlay", str(merged), "overlay", options=f"lowerdir={lower}")
    try:
        ours, theirs = described(merged), described(bundle / "rootfs")
    finally:
        syscalls.umount(str(merged))
    assert ours.keys() == theirs.keys()
    assert {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]} == {}
    return ours


ROOT = member("./", DIR, mode=0o755, mtime=1_700_000_000.25)
DEEP = tuple("/".join(["var", *[LONG] * depth]) for depth in range(4))
FOLDERS = ("bin", "usr", "usr/lib", "etc", "dev", "old", "gone", *DEEP)
BASE = (
    ROOT
    + b"".join(member(name, DIR, mode=0o755, mtime=5) for name in FOLDERS)
    + member("tmp", DIR, mode=0o1777, mtime=9)
    + member("srv", DIR, mode=0o2775, uid=33, gid=33, mtime=6, pax_headers=xattr("user.note", b"kept\0"))
    + member("srv/page", mode=0o640, uid=33, gid=33, text=b"page", mtime=7.123456789)
    + member("bin/ping", mode=0o755, text=b"ping", pax_headers=xattr("security.capability", CAP_NET_RAW))
    + member("bin/su", mode=0o4755, text=b"su", mtime=1)
    + member("bin/wall", mode=0o2755, gid=5, text=b"wall", mtime=1)
    + member("usr/lib/a", mode=0o644, text=b"a" * 100_000, mtime=2, pax_headers=xattr("user.a", bytes(range(256))))
    + member("bin/a", LNK, "usr/lib/a")
    + member("etc/b", LNK, "./bin/a")
    + member("lib", SYM, "usr/lib", uid=3, gid=4, mtime=8)
    + member("etc/link", SYM, "/no/such/place", mtime=8.5)
    + member("etc/hard-to-link", LNK, "etc/link")
    + member("etc/single", SYM, "link", mtime=8)
    + member("dev/null", CHR, mode=0o666, devmajor=1, devminor=3, mtime=4)
    + member("dev/sda", BLK, mode=0o660, gid=6, devmajor=8, devminor=300, mtime=4)
    + member("dev/pipe", FIFO, mode=0o600, uid=1000, gid=3_000_000_000, mtime=4)
    + member(f"{DEEP[3]}/f", mode=0o600, text=b"deep", mtime=3)
    + member("var/\udcff\udce4", mode=0o600, text=b"bytes", mtime=3)
    + b"".join(member(f"old/{name}", text=b"old", mtime=3) for name in ("x", "y", "z"))
    + b"".join(member(f"gone/{name}", text=b"old", mtime=3) for name in ("x", "y"))
    + member("old", DIR, mode=0o750, mtime=11)
    + member("gone", DIR, mode=0o755, mtime=12)
)
MIDDLE = (
    member("old", DIR, mode=0o700, mtime=20)
    + member("old/.wh..wh..opq")
    + member("old/new", text=b"new", mtime=21)
    + member(".wh.gone")
    + member("lib/c", mode=0o644, text=b"c", mtime=22)
    + member("tmp/left", mode=0o600, text=b"left", mtime=23)
    + member("srv/.wh.page")
    + member("bin/ping", mode=0o755, text=b"new ping", mtime=24)
    + member("dev/null", mode=0o644, text=b"a file", mtime=25)
    + member("etc/single", DIR, mode=0o755, mtime=27)
    + member("etc/single/f", mode=0o644, text=b"f", mtime=26)
)
TOP = (
    member("gone", DIR, mode=0o711, mtime=30)
    + member("gone/z", text=b"z", mtime=31)
    + member("old", mode=0o600, text=b"no folder any more", mtime=32)
    + member("usr/lib/.wh.c")
    + member("srv/one", mode=0o4711, text=b"one", mtime=33)
    + member("bin/two", LNK, "srv/one")
    + member("lib/three", LNK, "bin/two")
    + member("srv/first", text=b"first", mtime=34)
    + member("srv/first", SYM, "second", mtime=35)
    + member(".wh.dev")
    + member("etc/.wh.single")
)


def test_layers_written_by_hand(layout: Layout, umoci: Call, tmp_path: Path) -> None:
    """Capabilities, devices, links across folders, deletions, types that change, folders only the layers below have."""
    image(tmp_path / "image", BASE, MIDDLE, TOP)
    found = same(layout, umoci, tmp_path / "image")
    assert found["bin/ping"][4] == {}
    assert found["usr/lib/three"][5:7] == ("bin/two", 3)
    assert [name for name in found if name.startswith(("old/", "dev", "etc/single", "gone/"))] == ["gone/z"]


def test_the_lowest_layer_alone(layout: Layout, umoci: Call, tmp_path: Path) -> None:
    """What the layers above hid in the other test."""
    image(tmp_path / "image", BASE)
    found = same(layout, umoci, tmp_path / "image")
    assert found["bin/ping"][4] == {"security.capability": CAP_NET_RAW}
    assert found["usr/lib/a"][5:7] == ("bin/a", 3)
    assert found["dev/sda"][7] == os.makedev(8, 300)


def test_a_layer_that_hides_all_below(layout: Layout, umoci: Call, tmp_path: Path) -> None:
    """The opaque mark in the layer's own root, which overlayfs would pass over."""
    image(tmp_path / "image", BASE, ROOT + member(".wh..wh..opq") + member("only", text=b"one", mtime=3))
    assert list(same(layout, umoci, tmp_path / "image")) == [".", "only"]


def populate(root: Path) -> None:
    """Make files of most kinds below a folder."""
    for folder in ("bin", "share/a", "share/b", "replaced", "deleted", "kept"):
        (root / folder).mkdir(parents=True)
        for name in ("one", "two"):
            (root / folder / name).write_text(f"{folder}/{name}")
    os.setxattr(root / "bin/one", "security.capability", CAP_NET_RAW)
    os.setxattr(root / "share", "user.note", b"\0\xff")
    os.link(root / "share/a/one", root / "share/b/three")
    os.link(root / "share/a/one", root / "bin/three")
    os.symlink("../share", root / "bin/link")
    os.mkfifo(root / "share/pipe", 0o622)
    os.mknod(root / "share/zero", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    os.chown(root / "kept", 1000, 100)
    (root / "kept").chmod(0o1770)
    (root / "bin/two").chmod(0o6755)
    with open(root / "share/sparse", "wb") as file:
        file.truncate(3 << 20)
        file.seek(1 << 20)
        file.write(b"content")
    os.utime(root / "share/a/two", ns=(0, 1_234_567_890_123_456_789))
    os.utime(root / "share", ns=(0, 1_000_000_000_000_000_001))


def change(root: Path) -> None:
    """Change, replace and delete some of them."""
    shutil.rmtree(root / "deleted")
    shutil.rmtree(root / "replaced")
    (root / "replaced").mkdir(0o700)
    (root / "replaced/three").write_text("three")
    (root / "share/a/two").unlink()
    (root / "share/b/two").write_text("changed")
    (root / "share/zero").unlink()
    (root / "share/zero").write_text("a file")
    (root / "bin/link").unlink()
    (root / "bin/link").mkdir()
    (root / "kept").chmod(0o711)
    os.link(root / "share/b/two", root / "kept/three")


def test_an_image_of_umoci(layout: Layout, umoci: Call, tmp_path: Path) -> None:
    """Layers that umoci makes of changed files, and one that it inserts with an opaque folder."""
    def ok(*words: str) -> None:
        done = umoci(*words)
        assert done.returncode == 0, done.stderr

    folder, bundle = tmp_path / "image", tmp_path / "work"
    ok("init", "--layout", str(folder))
    ok("new", "--image", f"{folder}:made")
    for step in (populate, change):
        ok("unpack", "--image", f"{folder}:made", str(bundle))
        step(bundle / "rootfs")
        ok("repack", "--image", f"{folder}:made", str(bundle))
        shutil.rmtree(bundle)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/four").write_text("four")
    ok("insert", "--image", f"{folder}:made", "--opaque", str(tmp_path / "more"), "/replaced")
    ok("insert", "--image", f"{folder}:made", "--whiteout", "/kept/one")
    found = same(layout, umoci, folder)
    kept = [name for name in found if name.startswith(("deleted", "replaced/", "kept/"))]
    assert kept == ["kept/three", "kept/two", "replaced/four"]
    assert found["share/b/two"][5:7] == ("kept/three", 2)


@pytest.fixture
def buildah() -> Iterator[tuple[Call, Path]]:
    """Buildah's command line, and the folder in which it keeps everything."""
    folder = Path(tempfile.mkdtemp(prefix="buildah"))
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (folder / "registries.conf").write_text("")
    environment = client("buildah") | {"TMPDIR": str(folder), "HOME": str(folder)}
    places = [f"--root={folder}/root", f"--runroot={folder}/run", f"--registries-conf={folder}/registries.conf"]
    yield caller(["buildah", *places, "--storage-driver", "vfs"], environment), folder
    shutil.rmtree(folder)


def test_an_image_of_buildah(
    layout: Layout, umoci: Call, buildah: tuple[Call, Path], tmp_path: Path
) -> None:
    """Layers that buildah commits of the same changes."""
    call, place = buildah

    def ok(*words: str) -> str:
        done = call(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    source, policy, folder = "scratch", f"--signature-policy={place}/policy.json", tmp_path / "image"
    for number, step in enumerate((populate, change)):
        ok("from", policy, "--name", f"w{number}", source)
        step(Path(ok("mount", f"w{number}")))
        ok("umount", f"w{number}")
        ok("commit", policy, f"w{number}", source := f"made{number}")
    ok("push", policy, source, f"oci:{folder}:made")
    ok("rm", "--all")
    assert len(unpacked(layout, folder)) == 2
    found = same(layout, umoci, folder)
    assert [name for name in found if name.startswith(("deleted", "replaced/"))] == ["replaced/three"]
