# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers that mean harm: nothing outside changes, no memory and no disk is taken, and the reason is said."""
from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import resource
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, layer
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.below import MARK
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.tests.kernel.hostile_layers import CASES, LIMIT, MEMBERS, NEIGHBOUR, Case
from ansible_collections.pycontainers.linux.tests.unit.image.archives import extension, header, octal, padded

MANY = int(os.environ.get("PYCONTAINERS_MEMBERS", "3000"))
MEMORY = 48 << 10
"""Kilobytes that unpacking may take beyond what the test process has."""

SECONDS = 20


def everything(root: Path) -> dict[str, tuple[object, ...]]:
    """Describe every file below a folder, by what a change of any kind would change."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [root, *sorted(root.rglob("*"))]:
        there = path.lstat()
        text = path.read_bytes() if stat.S_ISREG(there.st_mode) else os.readlink(path) if path.is_symlink() else None
        owner = (there.st_mode, there.st_uid, there.st_gid, there.st_nlink)
        found[str(path)] = (*owner, there.st_mtime_ns, there.st_ctime_ns, text)
    return found


@pytest.fixture
def canary(layout: Layout, tmp_path: Path) -> Iterator[Path]:
    """A folder that hostile layers aim at, and another layer beside theirs; the store is on a small disk."""
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "secret").write_text("secret")
    (outside / "secret").chmod(0o600)
    (outside / "folder/file").write_text("file")
    (outside / "link").symlink_to("folder")
    os.mkfifo(outside / "pipe")
    os.makedirs(layout.root)
    syscalls.mount("tmpfs", layout.root, "tmpfs", options=f"size={4 * LIMIT}")
    content.prepare(layout)
    neighbour = Path(layout.layer("")) / NEIGHBOUR
    neighbour.mkdir()
    (neighbour / "f").write_text("of another layer")
    (neighbour / "secret").symlink_to(outside / "secret")
    yield outside
    syscalls.umount(layout.root)


CROWDS = {
    "files of one folder": lambda number: header(b"d/%d" % number),
    "folders": lambda number: header(b"d/%d" % number, tarfile.DIRTYPE),
    "opaque folders": lambda number: header(b"%d/.wh..wh..opq" % number),
    "deep": lambda number: extension(b"%d/" % number + b"d/" * 200 + b"\0", b"L") + header(kind=tarfile.DIRTYPE),
    "files in turns": lambda number: header(b"%d/a/b/c/d/e/f/%d" % (number % 2, number)),
    "one file": lambda number: header(b"f", size=octal(1)) + padded(b"x"),
    "hard links": lambda number: header(b"%d" % number, tarfile.LNKTYPE if number else tarfile.REGTYPE, target=b"0"),
}  # fmt: skip


@pytest.fixture
def room(layout: Layout) -> Iterator[Layout]:
    """A store in memory, which is quicker with so many files, and has room for any number of them."""
    os.makedirs(layout.root)
    syscalls.mount("tmpfs", layout.root, "tmpfs", options="nr_inodes=0")
    content.prepare(layout)
    yield layout
    syscalls.umount(layout.root)


@pytest.mark.parametrize("made", CROWDS.values(), ids=CROWDS)
def test_a_crowd_of_members_takes_no_memory(room: Layout, made: Callable[[int], bytes]) -> None:
    """One more member than is allowed, whatever they are: it ends at the limit, or before it at one of Linux's.

    ``./dev soak`` tries a million.
    """
    blob = Path(room.root) / "blob"
    with gzip.open(blob, "wb", 1) as file:
        for number in range(MANY + 1):
            file.write(made(number))
    answer = judged(room, str(blob), "sha256:" + "0" * 64, limits=(1 << 30, MANY))
    assert (answer["kind"], answer["descriptors"]) == ("ValueError", 0), answer
    assert re.search(f"it has more than {MANY} members|Too many links", answer["said"]), answer
    assert answer["kilobytes"] < 16 << 10, answer
    assert os.listdir(room.layer("")) == []


def unpacked(layout: Layout, archive: bytes, case: Case, below: tuple[str, ...] = ()) -> tuple[str, dict[str, Any]]:
    """Unpack a layer in a process of its own: its directory, and what was said and taken."""
    diff_id = "sha256:" + hashlib.sha256(archive).hexdigest()
    blob = Path(layout.root).parent / "blob"
    blob.write_bytes(case.pack(archive))
    answer = judged(layout, str(blob), diff_id, below)
    blob.unlink()
    return layout.layer(diff_id), answer


def judged(
    layout: Layout, blob: str, diff_id: str, below: tuple[str, ...] = (), limits: tuple[int, int] = (LIMIT, MEMBERS)
) -> dict[str, Any]:
    """Unpack a layer in a process of its own, with limits of bytes and members: what was said and taken."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        try:
            os.write(writer, json.dumps(_unpack(layout, blob, diff_id, below, limits)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as said:
        answer = said.read()
    assert os.waitpid(child, 0)[1] == 0
    found: dict[str, Any] = json.loads(answer)
    return found


def _unpack(
    layout: Layout, blob: str, diff_id: str, below: tuple[str, ...], limits: tuple[int, int]
) -> dict[str, Any]:
    layer.LEAST_LIMIT, layer.MOST_MEMBERS = limits
    seconds = SECONDS + limits[1] // 1000
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (proc(5))
    before, kind, said = _memory(), "", ""
    descriptors = len(os.listdir("/proc/self/fd"))
    try:
        layer.unpack(layout, blob, diff_id, below)
    except Exception as error:
        kind, said = type(error).__name__, str(error)
    return {
        "kind": kind,
        "said": said,
        "kilobytes": _memory() - before,
        "descriptors": len(os.listdir("/proc/self/fd")) - descriptors,
    }


def _memory() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_hostile_layer_does_no_harm(layout: Layout, canary: Path, case: Case) -> None:
    """It is refused for the right reason and nothing of it is kept, or it has only what it may have."""
    below: tuple[str, ...] = ()
    if case.below:
        below = (unpacked(layout, case.below(str(canary)), case)[0],)
    archive = case.archive(str(canary))
    before = everything(canary.parent)
    target, answer = unpacked(layout, archive, case, below)
    after = everything(canary.parent)
    mine = {path: after[path] for path in after if path == target or path.startswith(f"{target}/")}
    kept = {path: seen for path, seen in after.items() if path not in mine}
    for changed in (str(canary.parent), layout.layer("").rstrip("/")):  # the blob came and went, and the layer
        before.pop(changed), kept.pop(changed)
    assert kept == before
    assert (answer["descriptors"], answer["kilobytes"] < MEMORY) == (0, True), answer
    if isinstance(case.outcome, str):
        assert (answer["kind"], mine) == ("ValueError", {}), answer
        assert re.search(case.outcome, answer["said"]), answer
        assert len(answer["said"]) < 500
        return
    assert answer["said"] == ""
    assert {name: (Path(target) / name).read_bytes() for name in case.outcome} == case.outcome
    for path in mine:
        attributes = os.listxattr(path, follow_symlinks=False)
        assert set(attributes) <= {"trusted.overlay.opaque", MARK}
        assert path == target or MARK not in attributes
        assert not os.lstat(path).st_mode & stat.S_ISUID
