# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of users who were given ranges of ids, which newuidmap(1) and newgidmap(1) map for them."""
from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import Oci
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import unpacked
from ansible_collections.pycontainers.linux.tests.kernel.test_oci_userns import USER, as_user, plain

FIRST, SIZE = 700000, 65536
NAME = "ranges"


@pytest.fixture
def ranges(oci: Oci, tmp_path: Path) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """What calls the command line as a user with ranges of its own and with the programs that map them.

    The user and the ranges are in files that this test process alone sees in /etc.
    """
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("newuidmap", "newgidmap"):
        shutil.copy(unpacked("newuidmap") / "usr/bin" / name, programs)
        os.chmod(programs / name, 0o4755)
    texts = {
        "passwd": Path("/etc/passwd").read_text() + f"{NAME}:x:{USER}:{USER}::/:/bin/sh\n",
        "subuid": f"{NAME}:{FIRST}:{SIZE}\n",
        "subgid": f"{NAME}:{FIRST}:{SIZE}\n",
    }
    etc = tmp_path / "etc"
    shutil.copytree("/etc", etc, symlinks=True)
    for name, text in texts.items():
        (etc / name).write_text(text)
    syscalls.mount(str(etc), "/etc", flags=syscalls.MS_BIND)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{programs}:{path}"
    yield lambda *words: as_user(oci, *words)
    os.environ["PATH"] = path
    syscalls.umount("/etc", syscalls.MNT_DETACH)


def mapped(first: int = FIRST, size: int = SIZE - 1, others: int | None = None) -> Callable[[dict[str, Any]], None]:
    """Root inside is the user, and those after it a range; ``others`` is where that of groups begins if elsewhere."""

    def extents(begin: int) -> list[dict[str, int]]:
        one = {"containerID": 0, "hostID": USER, "size": 1}
        return [one, {"containerID": 1, "hostID": begin, "size": size}]

    def change(document: dict[str, Any]) -> None:
        plain(document)
        groups = extents(first if others is None else others)
        document["linux"] |= {"uidMappings": extents(first), "gidMappings": groups}

    return change


def test_ranges_are_mapped(oci: Oci, ranges: Callable[..., tuple[int, str, str]]) -> None:
    """The user has many users and groups inside, to own files and to run as, and exec is in the same namespace."""

    def change(document: dict[str, Any]) -> None:
        mapped()(document)
        document["process"]["user"] = {"uid": 5, "gid": 6, "additionalGids": [7]}

    oci.configure(change=change)
    assert ranges("run", "--detach", "--pid-file", "pid", "many") == (0, "", "")
    pid = int((oci.bundle / "pid").read_text())
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"Uid:\t{FIRST + 4}\t" in status
    assert f"Groups:\t{FIRST + 5} {FIRST + 6} \n" in status
    script = "touch /root; touch /made; chown 8:9 /made; cat /proc/self/uid_map /proc/self/setgroups; id -G"
    done, out, err = ranges("exec", "--user", "0:0", "--additional-gids", "3", "many", "sh", "-c", script)
    assert (done, err) == (0, "")
    assert out.split() == ["0", str(USER), "1", "1", str(FIRST), str(SIZE - 1), "allow", "0", "3"]
    about = (oci.rootfs / "made").stat()
    assert (about.st_uid, about.st_gid) == (FIRST + 7, FIRST + 8)
    assert ranges("delete", "--force", "many") == (0, "", "")
    assert oci.exit_code(pid) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("change", "program"),
    [
        (mapped(first=FIRST - 1), "newuidmap"),
        (mapped(size=SIZE + 1), "newuidmap"),
        (mapped(first=0, size=1), "newuidmap"),
        (mapped(others=FIRST - 1), "newgidmap"),
        (mapped(others=0, size=1), "newgidmap"),
    ],
)
def test_ranges_of_others_are_refused(
    oci: Oci,
    ranges: Callable[..., tuple[int, str, str]],
    change: Callable[[dict[str, Any]], None],
    program: str,
) -> None:
    """Ids that the user was not given are not mapped: one line tells which, and where ranges are; nothing is left."""
    oci.configure(change=change)
    status, out, err = ranges("run", "mine")
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert f"cannot map ids by {program}: " in err
    assert "not allowed" in err
    assert "/etc/subuid and /etc/subgid" in err
    assert os.listdir(oci.bundle / "runtime/pycontainers/oci") == []


def test_id_mapped_mounts_stay_roots(oci: Oci, ranges: Callable[..., tuple[int, str, str]]) -> None:
    """Also with ranges of its own a user has no id-mapped mount, and is told so before anything is made."""

    def change(document: dict[str, Any]) -> None:
        mapped()(document)
        mount = {"destination": "/mnt", "type": "bind", "source": str(oci.rootfs), "options": ["rbind", "idmap"]}
        document["mounts"].append(mount)

    oci.configure(change=change)
    status, _, err = ranges("run", "mine")
    assert (status, len(err.splitlines())) == (1, 1)
    assert "only root can have an id-mapped mount" in err
    assert os.listdir(oci.bundle / "runtime") == []
