# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container has written: shown, and made an image."""
from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import store
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import check, content, garbage
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.build import build as build_image
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.differences import differences
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pack import Packing
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import freezer, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_commit import (
    CONTAINER_COMMIT,
    ContainerCommit,
    recipe,
)
from ansible_collections.pycontainers.linux.tests.kernel.cli_bench import failure, ok
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

NAME = "registry.test/tuned:1"


def commit(host: Host, check: bool = False, **values: Any) -> Outcome[ContainerCommit]:
    """Commit the container c."""
    given = {"container": "c", "image": NAME, **values}
    return converge(CONTAINER_COMMIT, host.layout, parse(ContainerCommit, given), check)


def build(root: Path) -> None:
    """Fill a layer with what a container can delete and replace."""
    for path in ("old/one", "old/two", "gone/file", "emptied/file", "turned/file"):
        root.joinpath(path).parent.mkdir(exist_ok=True)
        root.joinpath(path).write_text(path)
    root.joinpath("file").write_text("file")
    root.joinpath("link").symlink_to("old")


SCRIPT = """
rm -r /gone /old/one; echo changed > /old/two; rm -r /emptied; mkdir /emptied; echo new > /emptied/new
rm -r /turned; echo file > /turned; rm /file; mkdir /file; echo in > /file/in; rm /link; ln -s /new /link
mkdir /new; echo a > /new/a; ln /new/a /new/b; mkfifo -m 640 /new/fifo; chown 12:34 /new/a; chmod 4755 /new/a
truncate -s 1M /new/sparse
"""


def tree(host: Host, image: str, tmp_path: Path) -> dict[str, tuple[object, ...]]:
    """All files of an image, as a container of it sees them."""
    found = content.find(host.layout, parse_reference(image))
    assert found is not None
    merged = tmp_path / "merged"
    merged.mkdir(exist_ok=True)
    syscalls.mount("overlay", str(merged), "overlay", options=f"lowerdir={':'.join(found.layers)}")
    try:
        return described(merged)
    finally:
        syscalls.umount(str(merged))


def described(root: Path) -> dict[str, tuple[object, ...]]:
    """Type, mode, owner, links, time and content of all files; of folders not when they were changed."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        there = path.lstat()
        text = path.read_bytes() if stat.S_ISREG(there.st_mode) else os.readlink(path) if path.is_symlink() else b""
        links = 1 if path.is_dir() else there.st_nlink
        seconds = 0 if path.is_dir() else int(there.st_mtime)
        found[str(path.relative_to(root))] = (there.st_mode, there.st_uid, there.st_gid, links, seconds, text)
    return found


def written(host: Host, script: str = SCRIPT) -> str:
    """Run a script to its end in the container c, of an image with something to delete; the image's name."""
    name = host.image("base", {"Labels": {"a": "1"}}, build)
    host.converge("c", image=name, command=["sh", "-ec", script], stop_timeout=0, env={"A": "1"})
    container = host.observed()
    host.ended(container)
    assert host.log(container) == ""
    return name


def test_differences_are_shown(host: Host) -> None:
    """Each file that was added, changed or deleted is named, also below a folder that was made anew."""
    written(host)
    lines = set(ok(host, "diff", "c").splitlines())
    expected = {
        "D /gone", "C /old", "D /old/one", "C /old/two", "C /emptied", "D /emptied/file", "A /emptied/new",
        "C /turned", "C /file", "A /file/in", "C /link", "A /new", "A /new/a", "A /new/b", "A /new/fifo",
        "A /new/sparse",
    }  # fmt: skip
    assert expected <= lines
    # What is mounted into each container has places made for it.
    assert {line for line in lines - expected if line.split("/")[1] not in ("dev", "etc", "proc", "sys")} == set()
    told = json.loads(ok(host, "diff", "--json", "c"))
    assert {f"{each['Kind']} {each['Path']}" for each in told} == lines


def test_nothing_written_is_nothing_shown(host: Host) -> None:
    """A container that was never started differs in nothing, and can't be committed."""
    host.converge("c", image=host.busybox, command=["true"], state="stopped")
    assert ok(host, "diff", "c") == ""
    assert "never been started" in failure(host, "commit", "c", NAME)
    assert "of this name or id" in failure(host, "diff", "no-such")


def test_what_a_lower_link_leads_to_is_no_matter(tmp_path: Path) -> None:
    """A folder in the place of a link is compared by its name, not by what the link leads to."""
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    for each in (upper, lower):
        each.mkdir()
    lower.joinpath("link").symlink_to("/etc")
    upper.joinpath("link").mkdir()
    upper.joinpath("link/passwd").write_text("")
    assert list(differences(str(upper), (str(lower),))) == [("C", "/link"), ("A", "/link/passwd")]


def test_an_image_of_a_container_has_its_files(host: Host, tmp_path: Path) -> None:
    """A container of the new image sees just what the old one left, and runs what it ran."""
    base = written(host)
    predicted = commit(host, check=True, changes=["LABEL b=2"], author="me", comment="why")
    assert content.find(host.layout, parse_reference(NAME)) is None
    done = commit(host, changes=["LABEL b=2"], author="me", comment="why")
    assert (done.actions, done.changes) == (predicted.actions, predicted.changes)
    assert not commit(host, changes=["LABEL b=2"], author="me", comment="why").changed
    assert check.check(host.layout) == []
    seen = tree(host, NAME, tmp_path)
    upper = Path(host.layout.container(host.observed().id or "", "upper"))
    old = tree(host, base, tmp_path)
    assert "gone" not in seen
    assert "old/one" not in seen
    assert "emptied/file" not in seen
    assert seen["old/two"][-1] == b"changed\n"
    assert seen["new/a"][0] == stat.S_IFREG | 0o4755
    assert seen["new/a"][1:4] == (12, 34, 2)
    assert {name: each for name, each in seen.items() if name.startswith("new")} == {
        name: each for name, each in described(upper).items() if name.startswith("new")
    }
    assert {name: each for name, each in seen.items() if name.startswith("bin/")} == {
        name: each for name, each in old.items() if name.startswith("bin/")
    }
    config = done.facts["image"]["Config"]
    assert config["Labels"] == {"a": "1", "b": "2"}
    assert "A=1" in config["Env"]
    assert config["Cmd"][:2] == ["sh", "-ec"]
    step = json.loads(ok(host, "history", "--json", NAME))[0]
    assert step["Comment"] == "why"
    host.converge("c", image=NAME, command=["sh", "-ec", "cat /new/a /emptied/*"], stop_timeout=0)
    container = host.observed()
    host.ended(container)
    assert host.log(container) == "a\nnew\n"


def test_the_same_changes_are_the_same_layer(host: Host) -> None:
    """A container that only removes has a layer whose digest depends on nothing but the removal."""
    done = []
    for name in ("one", "two"):
        image = host.image("base", {}, build) if name == "one" else "registry.test/base:latest"
        host.converge("c", image=image, command=["sh", "-ec", "rm -r /gone; touch -d @7 / /etc"], stop_timeout=0)
        host.ended(host.observed())
        upper = Path(host.layout.container(host.observed().id or "", "upper"))
        for path in (upper, *upper.rglob("*")):
            if not (stat.S_ISCHR(path.lstat().st_mode) or path.is_symlink()):
                os.utime(path, (7, 7))
        done.append(commit(host, image=f"registry.test/{name}").facts["image"]["RootFS"]["Layers"][-1])
        host.converge("c", state="absent")
    assert done[0] == done[1]


def test_a_running_container_is_held_still(host: Host) -> None:
    """While it writes it is read as it is at one moment, and goes on afterwards."""
    host.shell("dd if=/dev/urandom of=/random bs=1M count=8; while true; do echo x >> /grows; done")
    container = host.observed()
    wait(lambda: os.path.exists(host.layout.container(container.id or "", "upper/grows")))
    assert ok(host, "commit", "c", NAME).startswith("sha256:")
    assert check.check(host.layout) == []
    assert not freezer.frozen(cgroups(), container_state.cgroup(container))
    upper = Path(host.layout.container(container.id or "", "upper/grows"))
    size = upper.stat().st_size
    wait(lambda: upper.stat().st_size > size)
    image = content.find(host.layout, parse_reference(NAME))
    assert image is not None
    assert Path(image.layers[0], "grows").stat().st_size <= upper.stat().st_size


def test_a_container_is_not_held_still_while_the_store_is_busy(host: Host) -> None:
    """A commit waits for who changes the store before it holds anybody still."""
    container = host.run()
    with store.lock(host.layout.lock("images")), host.beside("commit", "c", NAME) as running:
        wait(lambda: any(f"-> FLOCK  ADVISORY  WRITE {running.pid} " in each for each in locks()))
        assert not freezer.frozen(cgroups(), container_state.cgroup(container))
        running.kill()


def test_a_commit_that_is_killed_holds_nobody_still(host: Host) -> None:
    """The container goes on."""
    container = host.shell("dd if=/dev/urandom of=/random bs=1M count=24; touch /done; sleep 1000")
    wait(lambda: os.path.exists(host.layout.container(container.id or "", "upper/done")))
    path = container_state.cgroup(container)
    with host.beside("commit", "c", NAME) as running:
        wait(lambda: freezer.frozen(cgroups(), path))
        running.kill()
        running.wait()
        wait(lambda: not freezer.frozen(cgroups(), path))


def test_a_container_that_is_held_still_is_removed(host: Host) -> None:
    """Whoever has frozen its processes, they end."""
    container = host.run()
    freezer.freeze(cgroups(), container_state.cgroup(container))
    host.converge(state="absent", stop_timeout=0)
    assert os.listdir(host.layout.containers) == []


def locks() -> list[str]:
    """Who holds or waits for which locks."""
    return Path("/proc/locks").read_text().splitlines()


def test_what_is_written_meanwhile_is_noticed(host: Host) -> None:
    """A directory that is not any more what was announced becomes no image, and nothing is kept of it."""
    written(host)
    want = parse(ContainerCommit, {"container": "c", "image": NAME})
    want = CONTAINER_COMMIT.resolve(host.layout, want, None)
    announced = recipe(host.layout, want)
    upper = host.layout.container(host.observed().id or "", "upper")
    Path(upper, "new/a").write_text("other")
    base = content.find(host.layout, parse_reference("registry.test/base"))
    before = sorted(os.listdir(f"{host.layout.images}/blobs/sha256"))
    with pytest.raises(Failure, match="changed meanwhile"):
        build_image(host.layout, announced, Packing(upper, overlay=True), base, (parse_reference(NAME),))
    assert sorted(os.listdir(f"{host.layout.images}/blobs/sha256")) == before
    assert check.check(host.layout) == []


def test_an_image_that_has_gone_is_told(host: Host) -> None:
    """Without the blobs of the image below there is no image on top of it."""
    written(host)
    garbage.remove(host.layout, parse_reference("registry.test/base"))
    for checked in (True, False):
        with pytest.raises(Failure, match="pull or load that image again"):
            commit(host, check=checked)
    with pytest.raises(InvalidValue, match="needs a name"):
        commit(host, image=None)
    assert "no instruction" in failure(host, "commit", "-c", "RUN x", "c", NAME)
