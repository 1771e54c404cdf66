# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of containers: named, without a name, of the image; their first content, and what becomes of them."""
from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_state,
    container_volumes,
    volume_model,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.volume_copy import ASIDE, Copy
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.volume_model import COPYING, READY
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot, wait

SLEEP: dict[str, Any] = {"command": ["sleep", "1000"], "stop_timeout": 0}


def content(host: Host, name: str) -> Path:
    """The folder that containers see of a volume."""
    return Path(host.layout.volume(name, "_data"))


def build(root: Path) -> None:
    """Fill a layer with all kinds of things below /data."""
    data = root / "data"
    (data / "below").mkdir(parents=True)
    (data / "file").write_text("of the image")
    os.chown(data / "file", 1000, 1001)
    os.chmod(data / "file", 0o4750)
    os.setxattr(data / "file", "trusted.test", b"kept")
    os.link(data / "file", data / "below/again")
    (data / "out").symlink_to("/etc/passwd")
    os.mkfifo(data / "fifo")
    os.utime(data / "below", ns=(1, 2))
    os.chown(data, 7, 8)
    os.chmod(data, 0o1777)


def anonymous(host: Host, target: str = "/data", name: str = "c") -> str:
    """The name of a container's volume that was given none."""
    container = host.observed(name)
    return container_volumes.anonymous(container, container_volumes.image_config(host.layout, container))[target]


def test_a_named_volume_is_made_and_outlives_its_container(host: Host) -> None:
    """It is a step of the plan where it is not there; what one container writes the next reads."""
    task: dict[str, Any] = {"image": host.busybox, "volumes": ["files:/files"], **SLEEP}
    before = snapshot(host.layout)
    predicted = host.converge(check=True, **task)
    assert snapshot(host.layout) == before
    done = host.converge(**task)
    assert done.actions == predicted.actions
    assert "make volume files" in done.actions
    assert not host.converge(**task).changed
    assert host.said("echo written > /files/a", volumes=["files:/files"]) == ""
    assert Path(f"/proc/{host.pid()}/root/files/a").read_text() == "written\n"
    facts: Any = host.converge(**task).facts["container"]
    mount = {"Type": "volume", "Name": "files", "Destination": "/files", "RW": True, "Driver": "local"}
    assert facts["Mounts"] == [mount | {"Source": str(content(host, "files")), "Propagation": ""}]
    host.converge(state="absent", keep_volumes=False)
    assert (content(host, "files") / "a").read_text() == "written\n"
    assert "make volume files" not in host.converge(**task).actions


def test_the_two_spellings_are_the_same(host: Host, tmp_path: Path) -> None:
    """What was declared by volumes and tmpfs makes no difference when it is said by mounts."""
    spelt: dict[str, Any] = {"volumes": [f"{tmp_path}:/a:ro", "b:/b:nocopy", "/c"], "tmpfs": ["/d:size=1m"]}
    host.run(**spelt)
    mounts: list[dict[str, Any]] = [
        {"type": "tmpfs", "target": "/d", "tmpfs_size": "1m"},
        {"target": "/c"},
        {"type": "volume", "source": "b", "target": "/b", "no_copy": True, "labels": {"x": "y"}},
        {"type": "bind", "source": str(tmp_path), "target": "/a", "read_only": True},
    ]
    pid = host.pid()
    assert not host.converge(mounts=mounts).changed
    assert not host.converge(mounts=mounts[:2], volumes=spelt["volumes"][:2]).changed
    assert host.pid() == pid
    with pytest.raises(Failure, match="two volumes have the target /c; leave out one of the two"):
        host.converge(mounts=mounts, volumes=["/c"])
    assert [each.path for each in host.converge(check=True, mounts=mounts[1:]).changes] == ["tmpfs"]


def test_labels_are_those_of_a_volume_that_is_made(host: Host) -> None:
    """A volume that a mount names gets its labels when it is made, and keeps its own when it is there."""
    mount: dict[str, Any] = {"source": "files", "target": "/files", "labels": {"a": "b"}}
    host.converge(image=host.busybox, state="stopped", mounts=[mount])
    host.converge("other", image=host.busybox, state="stopped", mounts=[mount | {"labels": {"c": "d"}}])
    known = volume_model.load(host.layout, "files")
    assert known is not None
    assert known.labels == (("a", "b"),)


def test_the_first_content_is_the_images(host: Host) -> None:
    """Owners, modes, attributes, links of both kinds and times are copied, once; what is gone stays gone."""
    image = host.image("filled", {}, build)
    host.converge(image=image, volumes=["files:/data"], **SLEEP)
    there = content(host, "files")
    file, again = os.stat(there / "file"), os.stat(there / "below/again")
    assert (file.st_uid, file.st_gid, stat.S_IMODE(file.st_mode)) == (1000, 1001, 0o4750)
    assert (file.st_ino, file.st_nlink) == (again.st_ino, 2)
    assert os.getxattr(there / "file", "trusted.test") == b"kept"
    assert os.readlink(there / "out") == "/etc/passwd"
    assert stat.S_ISFIFO(os.stat(there / "fifo").st_mode)
    assert os.stat(there / "below").st_mtime_ns == 2
    folder = os.stat(there)
    assert (folder.st_uid, folder.st_gid, stat.S_IMODE(folder.st_mode)) == (7, 8, 0o1777)
    assert sorted(os.listdir(there)) == ["below", "fifo", "file", "out"]
    for name in ("fifo", "file", "out"):
        os.unlink(there / name)
    host.converge(state="stopped")
    host.converge(state="started")
    assert os.listdir(there) == ["below"]


def test_what_is_in_a_volume_is_not_written_over(host: Host) -> None:
    """A volume that is not empty gets nothing of the image, nor one that asks for nothing."""
    image = host.image("filled", {}, build)
    host.converge("first", image=host.busybox, state="stopped", volumes=["full:/x"])
    (content(host, "full") / "mine").touch()
    host.converge(image=image, volumes=["full:/data", "bare:/data/below:nocopy"], **SLEEP)
    assert sorted(os.listdir(content(host, "full"))) == ["below", "mine"]
    assert os.listdir(content(host, "bare")) == []


def test_a_copy_that_was_cut_short_is_done_again(host: Host) -> None:
    """Whoever starts a container is killed while files are copied: the next start has all of them."""

    def many(root: Path) -> None:
        (root / "data").mkdir()
        for number in range(5000):
            (root / f"data/{number}").write_text(str(number))
        os.link(root / "data/0", root / "data/other")

    host.converge(image=host.image("many", {}, many), state="stopped", volumes=["files:/data"], **SLEEP)

    def state() -> str | None:
        known = volume_model.load(host.layout, "files")
        return known.content if known else None

    with host.beside("start", "c") as running:
        wait(lambda: state() == COPYING and len(os.listdir(content(host, "files"))) > 10)
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert state() == COPYING
    assert len(os.listdir(content(host, "files"))) < 5000
    host.converge(state="started")
    assert state() == READY
    there = content(host, "files")
    assert sorted(os.listdir(there)) == sorted([*map(str, range(5000)), "other"])
    assert all((there / str(number)).read_text() == str(number) for number in range(5000))
    assert os.stat(there / "0").st_ino == os.stat(there / "other").st_ino


def test_an_images_volumes_have_no_name(host: Host) -> None:
    """What the image declares is a volume that goes with the container if it is not to be kept."""
    image = host.image("declaring", {"Volumes": {"/data": {}, "/more/": {}, "/own": {}}}, build)
    task: dict[str, Any] = {"image": image, "volumes": ["/own", "named:/more"], **SLEEP}
    host.converge(**task)
    assert not host.converge(**task).changed
    names = [anonymous(host), anonymous(host, "/own")]
    assert volume_model.names(host.layout) == sorted(["named", *names])
    assert (content(host, names[0]) / "file").read_text() == "of the image"
    host.converge(state="absent", keep_volumes=False)
    assert volume_model.names(host.layout) == ["named"]
    host.converge(**task)
    host.converge(state="absent")
    assert len(volume_model.names(host.layout)) == 3


def test_a_replacement_takes_over_volumes_without_a_name(host: Host) -> None:
    """The new container has the old one's content at the same places; what it has no place for goes if so wanted."""
    host.run(volumes=["/a", "/b", "/c"])
    pid, names = host.pid(), [anonymous(host, each) for each in ("/a", "/b", "/c")]
    for each in names:
        (content(host, each) / "kept").touch()
    host.converge(volumes=["/a", "/b:ro"], env={"NEW": "yes"})
    assert host.pid() != pid
    assert [anonymous(host, each) for each in ("/a", "/b")] == names[:2]
    assert Path(f"/proc/{host.pid()}/root/a/kept").exists()
    assert names[2] in volume_model.names(host.layout)
    host.converge(volumes=["/a"], env={"NEW": "again"}, keep_volumes=False)
    assert anonymous(host, "/a") == names[0]
    assert sorted([names[0], names[2]]) == volume_model.names(host.layout)
    assert (content(host, names[0]) / "kept").exists()


def test_a_replacement_that_fails_leaves_volumes_as_they_were(host: Host) -> None:
    """The old container runs on with its volumes, and none is there that was made for the new one."""
    host.run(volumes=["/a", "named:/b"])
    pid, before = host.pid(), volume_model.names(host.layout)
    with pytest.raises(Failure, match="nobody-is"):
        host.converge(volumes=["/a", "/c", "named:/b", "other:/d"], user="nobody-is")
    assert (host.pid(), volume_model.names(host.layout)) == (pid, before)
    assert anonymous(host, "/a") in before


def test_what_removes_itself_takes_its_volumes_without_a_name(host: Host) -> None:
    """With --rm they go at the end, and with rm -v; without it they stay."""
    assert host.ok("run", "--rm", "-v", "/a", "-v", "named:/b", host.busybox, "true") == ""
    assert volume_model.names(host.layout) == ["named"]
    host.ok("run", "-d", "--rm", "-v", "/a", host.busybox, "true")
    wait(lambda: container_state.identities(host.layout) == [])
    assert volume_model.names(host.layout) == ["named"]
    host.ok("run", "-d", "--name", "c", "-v", "/a", host.busybox, "true")
    host.ended(host.observed())
    host.ok("rm", "-v", "c")
    assert volume_model.names(host.layout) == ["named"]
    host.ok("create", "--name", "c", "--mount", "type=volume,dst=/a", host.busybox, "true")
    host.ok("rm", "c")
    assert len(volume_model.names(host.layout)) == 2


def test_what_is_mounted_in_a_volume_is_there_while_containers_run(host: Host) -> None:
    """It is mounted for the first and unmounted after the last, also when whoever stopped that was killed."""
    host.ok("volume", "create", "-o", "type=tmpfs", "-o", "o=size=1m,noexec", "memory")
    place = str(content(host, "memory"))
    image = host.image("filled", {}, build)
    host.converge("a", image=image, volumes=["memory:/data"], **SLEEP)
    assert (content(host, "memory") / "file").read_text() == "of the image"
    host.converge("b", image=host.busybox, volumes=["memory:/m"], **SLEEP)
    found = mounted(place)
    assert found is not None
    assert {"size=1024k", "noexec"} <= set(found.options)
    host.converge("a", state="stopped")
    assert mounted(place) is not None
    assert Path(f"/proc/{host.pid('b')}/root/m/file").exists()
    os.kill(host.pid("b"), signal.SIGKILL)
    host.ended(host.observed("b"))
    assert mounted(place) is None
    host.converge("a", state="started")
    assert (content(host, "memory") / "file").exists()
    host.converge("a", state="absent")
    assert mounted(place) is None
    assert not os.path.exists(host.layout.holds("memory"))


def test_a_mount_that_is_refused_names_it(host: Host) -> None:
    """What the kernel does not mount keeps the container from starting, and nothing is left."""
    host.ok("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/no/such", "gone")
    with pytest.raises(Failure, match="mount /no/such as volume gone"):
        host.converge(image=host.busybox, volumes=["gone:/g"], **SLEEP)
    assert container_state.identities(host.layout) == []
    assert volume_model.holders(host.layout, "gone") == []


@pytest.mark.parametrize(
    ("word", "sees", "shows"),
    [(each, True, each.endswith("shared")) for each in ("rshared", "shared", "rslave", "slave")] + [("", False, False)],
)
def test_mounts_spread_as_they_are_asked_to(host: Host, tmp_path: Path, word: str, sees: bool, shows: bool) -> None:
    """What the host mounts later is seen by rslave and rshared, what the container mounts is shown by rshared alone."""
    volume = tmp_path / "volume"
    volume.mkdir()
    syscalls.mount("none", str(volume), "tmpfs")
    syscalls.mount("none", str(volume), flags=syscalls.MS_SHARED)
    try:
        for name in ("later", "inner"):
            (volume / name).mkdir()
        options: dict[str, Any] = {"cap_add": ["SYS_ADMIN"], "security_opts": ["seccomp=unconfined"]}
        script = "mount -t tmpfs none /volume/inner && touch /volume/inner/mine /done; sleep 1000"
        host.shell(script, volumes=[f"{volume}:/volume{word and ':' + word}", f"{volume}:/plain"], **options)
        root = Path(f"/proc/{host.pid()}/root")
        wait((root / "done").exists)
        syscalls.mount("none", str(volume / "later"), "tmpfs")
        (volume / "later/seen").touch()
        assert (root / "volume/later/seen").exists() == sees
        assert (volume / "inner/mine").exists() == shows
        lines = (root.parent / "mountinfo").read_text().splitlines()
        spread = [line.split()[4] for line in lines if "shared:" in line or "master:" in line]
        assert [each for each in spread if not each.startswith("/volume")] == []
        host.converge(state="stopped")
    finally:
        syscalls.umount(str(volume), syscalls.MNT_DETACH)


def test_a_path_that_spreads_needs_a_mount_that_does(host: Host, tmp_path: Path) -> None:
    """Sharing is refused where the host's mount is nobody's peer."""
    with pytest.raises(Failure, match=f"'{tmp_path}' as volumes: its mount on .* is not shared"):
        host.converge(image=host.busybox, volumes=[f"{tmp_path}:/a:rshared"], **SLEEP)


def test_links_in_image_and_volume_lead_nowhere(host: Host, tmp_path: Path) -> None:
    """Neither the copy nor a mount goes where links lead that an image or a container has put in a path."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("of the host")

    def linked(root: Path) -> None:
        (root / "data").symlink_to(outside)
        (root / "real").mkdir()
        (root / "real/link").symlink_to(outside)

    image = host.image("linked", {}, linked)
    host.converge(image=image, volumes=["a:/data", "b:/real", f"e:{outside}"], **SLEEP)
    assert os.listdir(content(host, "a")) == os.listdir(content(host, "e")) == []
    assert os.readlink(content(host, "b") / "link") == str(outside)
    # A container puts a link where another volume is to be mounted within this one.
    host.said(f"ln -s {outside} /v/below; ln -s {outside} /v/other", volumes=["b:/v"])
    host.converge("second", image=image, volumes=["b:/v", "c:/v/below", "d:/v/other/deep"], **SLEEP)
    assert os.listdir(outside) == ["secret"]
    assert (os.listdir(content(host, "c")), os.listdir(content(host, "d"))) == (["deep"], [])
    assert Path(f"/proc/{host.pid('second')}/root{outside}/deep").is_dir()


def test_links_that_are_put_in_the_way_of_a_copy_are_not_followed(tmp_path: Path) -> None:
    """Where the volume has a link under a name of the image, a file takes its place, and a folder is refused."""
    image, volume, outside = (tmp_path / each for each in ("image", "volume", "outside"))
    for each in (image, volume, outside):
        each.mkdir()
    (image / "a").write_text("of the image")
    (outside / "a").write_text("of the host")
    for name in ("a", ASIDE):
        (volume / name).symlink_to(outside / "a")
    _copied(image, volume)
    assert ((volume / "a").read_text(), (outside / "a").read_text()) == ("of the image", "of the host")
    assert os.listdir(volume) == ["a"]
    (image / "b").mkdir()
    (image / "b/c").touch()
    (volume / "b").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        _copied(image, volume)
    assert os.listdir(outside) == ["a"]


def _copied(source: Path, target: Path) -> None:
    descriptors = [os.open(each, os.O_RDONLY | os.O_DIRECTORY) for each in (source, target)]
    try:
        Copy(descriptors[0], descriptors[1]).run()
    finally:
        for each in descriptors:
            os.close(each)


def test_a_volumes_own_folder_is_no_link(host: Host, tmp_path: Path) -> None:
    """One that somebody has put in its place is followed neither by copy nor by mount."""
    host.ok("volume", "create", "a")
    content(host, "a").rmdir()
    content(host, "a").symlink_to(tmp_path)
    for volumes in (["a:/etc"], ["a:/data"]):
        with pytest.raises(Failure, match=r"cannot use volume a: .*(directory|symbolic links)"):
            host.converge(image=host.busybox, volumes=volumes, **SLEEP)
    assert set(os.listdir(tmp_path)) <= {"root", "run"}


def test_a_volume_that_was_removed_by_hand_is_there_again(host: Host) -> None:
    """A container starts with an empty volume where its own is gone."""
    host.converge(image=host.busybox, state="stopped", volumes=["a:/a"], **SLEEP)
    os.unlink(volume_model.record_path(host.layout, "a"))
    content(host, "a").rmdir()
    host.ok("start", "c")
    assert json.loads(host.ok("volume", "inspect", "a"))[0]["Containers"] == {host.observed().id: {"Name": "c"}}
