# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container_copy_into`` and ``container_copy_out``: only what differs is copied."""
from __future__ import annotations

import base64
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.report import diff_text
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_files import (
    CONTAINER_COPY_INTO,
    CONTAINER_COPY_OUT,
    ContainerCopyInto,
    ContainerCopyOut,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_root import view_of
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot, wait


def into(host: Host, check: bool = False, **values: Any) -> Outcome[ContainerCopyInto]:
    """Copy into the container c, of the host unless it is content."""
    return converge(CONTAINER_COPY_INTO, host.layout, parse(ContainerCopyInto, {"container": "c", **values}), check)


def out(host: Host, check: bool = False, **values: Any) -> Outcome[ContainerCopyOut]:
    """Copy out of the container c."""
    return converge(CONTAINER_COPY_OUT, host.layout, parse(ContainerCopyOut, {"container": "c", **values}), check)


def inside(host: Host, path: str) -> Path:
    """A path in the running container c, as it sees it."""
    return Path(f"/proc/{host.pid()}/root{path}")


def look(host: Host, path: str) -> tuple[str, bytes, int, int, int]:
    """Kind, content, mode and owner of what is at a path in the container c, running or not."""
    with view_of(host.layout, "c") as (_, root):
        place = Path(f"/proc/self/fd/{root}{path}")
        there = place.lstat()
        kind = {stat.S_IFLNK: "link", stat.S_IFDIR: "folder", stat.S_IFREG: "file"}[stat.S_IFMT(there.st_mode)]
        content = {"link": lambda: os.fsencode(os.readlink(place)), "file": place.read_bytes, "folder": bytes}
        return kind, content[kind](), stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of the host with files to copy."""
    folder = tmp_path / "here"
    (folder / "tree/sub").mkdir(parents=True)
    (folder / "tree/sub").chmod(0o750)
    (folder / "tree/sub/file").write_text("sub")
    (folder / "tree/sub/program").write_text("p")
    (folder / "tree/sub/program").chmod(0o4755)
    (folder / "tree/link").symlink_to("sub/file")
    os.mkfifo(folder / "tree/pipe")
    (folder / "file").write_text("one\ntwo\n")
    (folder / "file").chmod(0o640)
    return folder


def bring(host: Host, kind: str) -> None:
    """Make a container that runs, one that has been stopped, or one that never ran."""
    if kind == "new":
        host.converge(image=host.busybox, command=["sleep", "1000"], state="present")
        return
    host.run()
    if kind == "stopped":
        host.converge(state="stopped")


@pytest.mark.parametrize("kind", ["running", "stopped", "new"])
def test_only_what_differs_is_copied(host: Host, here: Path, kind: str) -> None:
    """A check tells what the run does, and leaves no trace; a second run changes nothing; each difference is seen."""
    bring(host, kind)
    given: dict[str, Any] = {"path": f"{here}/file", "container_path": "/etc/new.conf"}
    before = snapshot(host.layout)
    predicted = into(host, check=True, **given)
    assert snapshot(host.layout) == before
    done = into(host, **given)
    assert (predicted.actions, predicted.changes) == (done.actions, done.changes)
    assert done.actions == (f"copy {here}/file to c:/etc/new.conf",)
    assert look(host, "/etc/new.conf") == ("file", b"one\ntwo\n", 0o640, 0, 0)
    for more in ({}, {"mode": "0600"}, {"mode": "0600", "owner_id": 7, "group_id": 8}):
        assert into(host, check=True, **given, **more).changed == bool(more)
        assert into(host, **given, **more).changed == bool(more)
        assert not into(host, **given, **more).changed
    assert look(host, "/etc/new.conf")[2:] == (0o600, 7, 8)
    (here / "file").write_text("one\n2\n")
    changed = into(host, **given)
    assert [each.path for each in changed.changes] == ["files", "text"]
    shown = diff_text(changed.changes, "container")
    assert [each.partition("\n")[2] for each in shown] == [
        "text: |\n  one\n  two\n",
        "text: |  # live\n  one\n  2\n",
    ]
    assert shown[0].startswith("files./etc/new.conf: file 0600 7:8 8 bytes sha256:")
    assert shown[1].startswith("files./etc/new.conf: file 0640 0:0 6 bytes sha256:")
    identity = host.observed().id or ""
    assert (mounted(host.layout.container(identity, "merged")) is not None) == (kind == "running")


@pytest.mark.parametrize("kind", ["running", "stopped"])
def test_directories(host: Host, here: Path, kind: str) -> None:
    """All below a directory gets there with its modes; what is there besides stays, and what differs is named."""
    bring(host, kind)
    given: dict[str, Any] = {"path": f"{here}/tree", "container_path": "/srv/tree"}
    with pytest.raises(Failure, match="No such file"):
        into(host, **given)
    into(host, content="", mode="0600", container_path="/keep")
    given["container_path"] = "/etc"
    assert set(into(host, **given).facts["files"]) == {
        "/etc", "/etc/link", "/etc/sub", "/etc/sub/file", "/etc/sub/program",
    }  # fmt: skip
    assert not into(host, **given).changed
    assert look(host, "/etc/passwd")[0] == "file"
    assert look(host, "/etc/link")[:2] == ("link", b"sub/file")
    assert look(host, "/etc/sub") == ("folder", b"", 0o750, 0, 0)
    assert look(host, "/etc/sub/program")[2] == 0o4755
    (here / "tree/sub/file").write_text("other")
    (here / "tree/link").unlink()
    (here / "tree/link").symlink_to("sub")
    found = into(host, check=True, **given).changes
    assert [each.path for each in found] == ["files"]
    differs = {path for path in found[0].after if found[0].after[path] != found[0].before[path]}
    assert differs == {"/etc/link", "/etc/sub/file"}
    assert into(host, **given).changed
    assert look(host, "/etc/link")[1] == b"sub"


def test_content(host: Host) -> None:
    """Content may be text or Base64; whoever the container's program runs as owns it; force says whether to write."""
    host.run(user="33:5")
    given: dict[str, Any] = {"content": "a\0b", "container_path": "/x", "mode": 0o600}
    with pytest.raises(Failure, match="NUL"):
        into(host, **given)
    given |= {"content": base64.b64encode(b"a\0b").decode(), "content_is_b64": True}
    assert [each.path for each in into(host, **given).changes] == ["files"]
    assert look(host, "/x") == ("file", b"a\0b", 0o600, 33, 5)
    number = inside(host, "/x").stat().st_ino
    assert not into(host, **given).changed
    assert inside(host, "/x").stat().st_ino == number
    forced = into(host, **given, force=True)
    assert (forced.changed, forced.changes) == (True, ())
    assert not into(host, content="z", mode="0600", container_path="/x", force=False).changed
    assert look(host, "/x")[1] == b"a\0b"
    assert into(host, content="z", mode="0600", container_path="/y", force=False).changed


def test_links_at_the_end(host: Host) -> None:
    """A link in the container is replaced, or followed within the container if that is wanted."""
    host.shell("mkdir /real; ln -s ../../../real/target /link; ln -s /etc/passwd /out; touch /ready; sleep 1000")
    wait(lambda: inside(host, "/ready").exists())
    before = Path("/etc/passwd").read_bytes()
    given: dict[str, Any] = {"content": "x", "mode": "0644"}
    assert into(host, **given, container_path="/link", follow=True).facts["container_path"] == "/real/target"
    assert look(host, "/real/target")[1] == b"x"
    assert look(host, "/link")[0] == "link"
    assert not into(host, **given, container_path="/link", follow=True).changed
    assert into(host, **given, container_path="/link").changed
    assert look(host, "/link")[:2] == ("file", b"x")
    assert into(host, **given, container_path="/out", follow=True).changed
    assert look(host, "/etc/passwd")[1] == b"x"
    assert Path("/etc/passwd").read_bytes() == before


def test_a_file_is_replaced_whole(host: Host) -> None:
    """A program that has the file open goes on with the old one, and one that looks anew has the new one."""
    host.shell("echo old > /f; exec 3< /f; touch /ready; while [ ! -e /go ]; do sleep 0.01; done; cat <&3; cat /f")
    wait(lambda: inside(host, "/ready").exists())
    assert into(host, content="new\n", mode="0644", container_path="/f").changed
    container = host.observed()
    host.ok("exec", "c", "touch", "/go")
    host.ended(container)
    assert host.log(container) == "old\nnew\n"


@pytest.mark.parametrize("kind", ["running", "stopped"])
def test_files_get_out(host: Host, here: Path, kind: str) -> None:
    """Files and directories get to the host with their modes but for set-user-ID bits, and once."""
    bring(host, kind)
    into(host, path=f"{here}/tree", container_path="/tree", owner_id=12, group_id=34)
    given: dict[str, Any] = {"container_path": "/tree", "path": f"{here}/back"}
    before = snapshot(host.layout)
    predicted = out(host, check=True, **given)
    assert not (here / "back").exists()
    assert snapshot(host.layout) == before
    done = out(host, **given)
    assert (predicted.actions, predicted.changes) == (done.actions, done.changes)
    assert done.changed
    assert not out(host, **given).changed
    assert (here / "back/sub/file").read_text() == "sub"
    assert os.readlink(here / "back/link") == "sub/file"
    there = (here / "back/sub/program").stat()
    assert (there.st_uid, stat.S_IMODE(there.st_mode)) == (0, 0o755)
    assert out(host, container_path="/tree/sub/program", path=f"{here}/p", mode="4711").changed
    assert stat.S_IMODE((here / "p").stat().st_mode) == 0o4711
    (here / "back/sub/file").write_text("changed")
    followed = out(host, container_path="/tree/link", path=f"{here}/back/sub/file", follow=True)
    assert (followed.changes[-1].before, followed.changes[-1].after) == ("changed", "sub")
    assert (here / "back/sub/file").read_text() == "sub"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"content": "x", "container_path": "/x"}, "content has no mode"),
        ({"content": "x", "mode": "0644"}, "container_path"),
        ({"container_path": "/x"}, "exactly one of path and content"),
        ({"content": "x", "path": "/x", "container_path": "/x", "mode": "1"}, "exactly one of path and content"),
        ({"content": "x", "container_path": "/x", "mode": "1", "owner_id": 1}, "go together"),
        ({"content": "x", "container_path": "/x", "mode": "1", "owner_id": -1, "group_id": 1}, "ids are from 0"),
        ({"content": "x", "container_path": "/x", "mode": "999"}, "it is not a mode"),
        ({"content": "x", "container_path": "/x", "mode": "17777"}, "it is not a mode"),
        ({"content": "x", "container_path": "/etc", "mode": "0644"}, "at /etc there is a directory"),
        ({"path": "/etc", "container_path": "/etc/passwd"}, "there is a file, and a directory is to be"),
        ({"content": "x", "container_path": "/no/x", "mode": "0644"}, "No such file"),
        ({"content": "x", "container_path": "/proc/sys/kernel/x", "mode": "0644"}, "the kernel's"),
        ({"path": "/no/such", "container_path": "/x"}, "/no/such: No such file"),
        ({"content": "x", "container_path": "/x", "mode": "0644", "container": "none"}, "none of this name"),
        ({"content": "x", "container_path": "/v/x", "mode": "0644", "container": "stopped"}, "/v is a volume"),
    ],
)
def test_what_can_not_be_is_refused(host: Host, tmp_path: Path, values: dict[str, Any], said: str) -> None:
    """By a check as well, and nothing is changed."""
    host.run()
    host.run(name="stopped", volumes=[f"{tmp_path}:/v"])
    host.converge("stopped", state="stopped")
    for check in (True, False):
        with pytest.raises(Failure, match=said):
            into(host, check=check, **values)


def test_a_container_that_swaps_links(host: Host, here: Path) -> None:
    """While a folder is swapped with a link to the host's, nothing of the host's is written, and nothing of it read."""
    target = here / "target"
    target.mkdir()
    (target / "file").write_text("of the host")
    host.shell(f"mkdir -p /d /r{here}; echo in > /d/file; ln -s {target} /l; touch /ready;"
               " while true; do mv -T /d /x; mv -T /l /d; mv -T /d /l; mv -T /x /d; done")  # fmt: skip
    wait(lambda: inside(host, "/ready").exists())
    (here / "new").mkdir()
    (here / "new/file").write_text("written")
    seen: set[str] = set()
    read, end, number = set(), time.monotonic() + 30, 0
    # Nothing is to get to /d itself: a folder that is made there in the wrong moment ends the swapping.
    while number < 60 or (seen != {"link", "folder"} and time.monotonic() < end):
        number += 1
        with suppress(Failure):  # in the moment when it is neither
            into(host, path=str(here / "new"), container_path="/d/new")
        with suppress(Failure):
            into(host, content="w", mode="0644", container_path="/d/more", follow=bool(number % 2))
        with suppress(Failure):
            out(host, container_path="/d/file", path=str(here / "copied"), follow=bool(number % 2))
            read.add((here / "copied").read_text())
        with suppress(Failure):
            out(host, container_path="/d", path=str(here / f"try{number}"))
            seen.add("link" if (here / f"try{number}").is_symlink() else "folder")
    assert seen == {"link", "folder"}
    assert read <= {"in\n"}
    assert {each.name: each.read_text() for each in target.iterdir()} == {"file": "of the host"}
