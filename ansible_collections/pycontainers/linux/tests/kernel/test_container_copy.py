# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files between the host and containers, also ones that do not play fair."""
from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.main import main
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_copy import Copy, Place
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_root import root_of
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of the host with files to copy."""
    folder = tmp_path / "here"
    (folder / "tree/sub").mkdir(parents=True)
    (folder / "tree/sub/file").write_text("sub")
    (folder / "tree/link").symlink_to("sub/file")
    (folder / "file").write_text("file")
    os.chown(folder / "file", 12, 34)
    (folder / "file").chmod(0o4750)
    return folder


@pytest.fixture
def cp(host: Host, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Call the verb in this process; a failure is its sentence, and no failure nothing."""

    def call(*words: str) -> str:
        status = main(["--root", host.layout.root, "--run", host.layout.run, "cp", *words])
        said = capsys.readouterr()
        assert said.out == ""
        assert bool(status) == said.err.startswith("pycontainers: cannot ")
        return said.err

    return call


def inside(host: Host, path: str) -> Path:
    """A path in the running container c, as it sees it."""
    return Path(f"/proc/{host.pid()}/root{path}")


@pytest.mark.parametrize("running", [True, False])
def test_files_get_in_and_out(host: Host, here: Path, cp: Callable[..., str], running: bool) -> None:
    """Files and folders arrive as they were, in containers that run and in those that do not."""
    host.shell("mkdir /there; echo x > /there/old; touch /ready; sleep 1000")
    wait(lambda: inside(host, "/ready").exists())
    if not running:
        host.ok("stop", "-t", "0", "c")
    assert cp(f"{here}/file", "c:/there/new") == ""
    assert cp(f"{here}/file", "c:/there") == ""
    assert cp(f"{here}/tree", "c:/there") == ""
    assert cp(f"{here}/tree/.", "c:/there/") == ""
    assert cp(f"{here}/tree", "c:made") == ""
    back = here / "back"
    assert cp("c:/there", str(back)) == ""
    found = {str(each.relative_to(back)) for each in back.rglob("*")}
    tree = {"tree/sub/file", "tree/link", "tree/sub", "sub/file", "sub", "link"}
    assert found == {"old", "new", "file", "tree", *tree}
    assert (back / "new").read_text() == "file"
    assert os.readlink(back / "link") == "sub/file"
    assert cp("c:/made/sub/file", str(here / "one")) == ""
    assert (here / "one").read_text() == "sub"
    assert cp("-L", "c:/made/link", str(here / "two")) == ""
    assert (here / "two").read_text() == "sub"
    assert cp("c:/made/link", str(here / "three")) == ""
    assert (here / "three").is_symlink()
    identity = host.observed().id or ""
    assert (mounted(host.layout.container(identity, "merged")) is not None) == running


def test_owners_and_rights(host: Host, here: Path, cp: Callable[..., str]) -> None:
    """In a container root owns what is copied, on the host who calls; -a keeps owners and set-user-ID bits."""
    host.run()
    assert cp(f"{here}/file", "c:/plain") == ""
    assert cp("-a", f"{here}/file", "c:/kept") == ""
    plain, kept = inside(host, "/plain").stat(), inside(host, "/kept").stat()
    assert (plain.st_uid, plain.st_gid, stat.S_IMODE(plain.st_mode)) == (0, 0, 0o4750)
    assert (kept.st_uid, kept.st_gid, stat.S_IMODE(kept.st_mode)) == (12, 34, 0o4750)
    assert cp("c:/kept", f"{here}/plain") == ""
    assert cp("-a", "c:/kept", f"{here}/kept") == ""
    plain, kept = (here / "plain").stat(), (here / "kept").stat()
    assert (plain.st_uid, stat.S_IMODE(plain.st_mode)) == (0, 0o750)
    assert (kept.st_uid, stat.S_IMODE(kept.st_mode)) == (12, 0o4750)
    before = inside(host, "/tmp").stat().st_mode
    (here / "tmp").mkdir(mode=0o700)
    assert cp(f"{here}/tmp", "c:/") == ""
    assert inside(host, "/tmp").stat().st_mode == before


def test_links_of_the_container_lead_into_the_container(host: Host, here: Path, cp: Callable[..., str]) -> None:
    """What links in a container point to is looked up in the container, on the way in and out."""
    host.shell(f"mkdir -p /real; ln -s /real /abs; ln -s ../../../../real /up; mkdir -p {here}; echo own > {here}/file;"
               f" ln -s {here}/file /out; touch /ready; sleep 1000")  # fmt: skip
    wait(lambda: inside(host, "/ready").exists())
    assert cp(f"{here}/file", "c:/abs/one") == ""
    assert cp(f"{here}/file", "c:/up/two") == ""
    assert sorted(os.listdir(inside(host, "/real"))) == ["one", "two"]
    assert cp("-L", "c:/out", f"{here}/copied") == ""
    assert (here / "copied").read_text() == "own\n"
    assert cp(f"{here}/tree/sub/file", "c:/out") == ""
    assert (here / "file").read_text() == "file"
    for link in ("/proc/self/root/etc/hostname", "/proc/1/cwd"):
        assert "cannot copy" in cp(f"{here}/file", f"c:{link}")


def test_nothing_is_written_to_the_kernel(host: Host, here: Path, cp: Callable[..., str]) -> None:
    """A target on a filesystem of the kernel is refused, also by way of a link; from there nothing is copied."""
    host.shell("ln -s /proc/sys/kernel /knobs; touch /ready; sleep 1000")
    wait(lambda: inside(host, "/ready").exists())
    for path in ("/proc/sys/kernel/core_pattern", "/knobs/core_pattern", "/sys/kernel/x"):
        assert "the kernel's" in cp(f"{here}/file", f"c:{path}")
    assert "left out /proc" in cp("c:/", f"{here}/all")
    assert os.listdir(here / "all/bin")


@pytest.fixture
def swapping(host: Host) -> None:
    """A container that swaps a folder and a link that leads to the host's /etc, if it were followed there."""
    host.shell("mkdir /d /e; echo in > /d/passwd; ln -s /etc /l; touch /ready;"
               " while true; do mv -T /d /x; mv -T /l /d; mv -T /d /l; mv -T /x /d; done")  # fmt: skip
    wait(lambda: inside(host, "/ready").exists())


@pytest.mark.usefixtures("swapping")
def test_a_swapped_folder_leads_nowhere(host: Host, here: Path) -> None:
    """While a folder is swapped with a link, what is copied is the container's or nothing, and the host's stays."""
    before = Path("/etc/passwd").read_bytes()
    seen = set()
    with root_of(host.layout, "c") as (_, root):
        end, number = time.monotonic() + 20, 0
        while number < 120 or ("folder" not in seen and time.monotonic() < end):
            number += 1
            target = here / f"out{number}"
            with suppress(Failure):  # in the moment when it is neither
                Copy(Place("/d", root, "c"), Place(str(target))).run()
            with suppress(Failure):
                Copy(Place(f"{here}/file"), Place("/d/pycontainers-new", root, "c")).run()
            if target.is_symlink():
                seen.add("link")
            elif target.joinpath("passwd").exists():
                assert target.joinpath("passwd").read_text() == "in\n"
                seen.add("folder")
    assert "folder" in seen
    assert Path("/etc/passwd").read_bytes() == before
    assert not Path("/etc/pycontainers-new").exists()


def test_what_can_not_be_is_refused(host: Host, here: Path, cp: Callable[..., str]) -> None:
    """Each refusal names both ends, and nothing is left half copied."""
    host.run()
    for words in (
        (f"{here}/file", f"{here}/x"),
        ("c:/bin", "c:/x"),
        (f"{here}/none", "c:/x"),
        (f"{here}/file", "c:/no/such/folder"),
        (f"{here}/file", "c:/none/"),
        (f"{here}/tree", "c:/etc/passwd"),
        ("no-such:/x", f"{here}/x"),
    ):
        assert "cannot " in cp(*words)
    (here / "tree/passwd").mkdir()
    assert "is no directory there" in cp(f"{here}/tree/.", "c:/etc")
    assert not list(inside(host, "/etc").glob(".pycontainers*"))


def test_a_folder_is_not_copied_into_itself(host: Host, here: Path, cp: Callable[..., str]) -> None:
    """A target within the source, by way of a volume, ends the copy instead of going on for ever."""
    volume = here / "volume"
    volume.mkdir()
    host.run(volumes=[f"{volume}:/volume"])
    assert "inside of the source" in cp("c:/volume", f"{volume}/copy")
