# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container of the OCI command line whose network slirp4netns or pasta makes, for root and for plain users."""
from __future__ import annotations

import json
import os
import select
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import HOST, NEIGHBOUR, Bench
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci, wait
from ansible_collections.pycontainers.linux.tests.kernel.oci_traces import all_gone, deleted, killed, steps, traces
from ansible_collections.pycontainers.linux.tests.kernel.test_oci_userns import FIRST, as_user, owned, plain, users
from ansible_collections.pycontainers.linux.tests.kernel.user_network_bench import (
    both,
    of_host,
    outside,
    programs,
)


@pytest.fixture
def bench(layout: Layout, oci: Oci) -> Iterator[Bench]:
    """Another machine on the host's own network."""
    with outside(layout) as made:
        yield made


@pytest.fixture
def tun(tmp_path: Path) -> Iterator[None]:
    """The device that makes interfaces, which anybody may open, as on most hosts."""
    node = tmp_path / "tun"
    os.mknod(node, stat.S_IFCHR | 0o666, os.stat("/dev/net/tun").st_rdev)
    os.chmod(node, 0o666)
    syscalls.mount(str(node), "/dev/net/tun", flags=syscalls.MS_BIND)
    yield
    syscalls.umount("/dev/net/tun", syscalls.MNT_DETACH)


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=["root", "root of a user namespace", "user"])
def call(request: pytest.FixtureRequest, oci: Oci, bench: Bench, tun: None) -> Call:
    """The command line, called by whom, with a bundle of theirs."""

    def as_root(*words: str) -> tuple[int, str, str]:
        # What runs on holds the streams open, so they are files.
        with open(oci.bundle / "out", "w+") as out, open(oci.bundle / "err", "w+") as err:
            command = [COMMAND, "--root", str(oci.root), *words]
            status = subprocess.run(command, cwd=oci.bundle, stdout=out, stderr=err, timeout=30, check=False).returncode
        return status, (oci.bundle / "out").read_text(), (oci.bundle / "err").read_text()

    change = {"root": None, "root of a user namespace": users, "user": plain}[request.param]
    oci.configure(change=change)
    if request.param == "root of a user namespace":
        owned(oci.rootfs, FIRST)
    return as_root if request.param != "user" else lambda *words: as_user(oci, *words)


def runs(oci: Oci, *words: str) -> None:
    """Have the bundle run these words."""
    file = oci.bundle / "config.json"
    document = json.loads(file.read_text())
    document["process"]["args"] = list(words)
    file.write_text(json.dumps(document))


def inside(bench: Bench, pid: int) -> str:
    """Have the bench know the namespace of a process by a name."""
    place = Path(bench.layout.netns("inside"))
    place.unlink(missing_ok=True)
    place.symlink_to(f"/proc/{pid}/ns/net")
    return "inside"


@both
def test_it_reaches_the_outside_and_is_reached(oci: Oci, bench: Bench, call: Call, program: str) -> None:
    """From before its start, on the ports that are asked for; with it goes the program; the host is as it was."""
    before = of_host()
    words = ("--network", program, "--publish", "8080:80", "--publish", "127.0.0.1:8081:81/udp", "--pid-file", "pid")
    assert call("create", *words, "net") == (0, "", "")
    where = inside(bench, int((oci.bundle / "pid").read_text()))
    assert bench.reach(where, NEIGHBOUR, 7000, bench.listen("neighbour", 7000))
    waiting = bench.listen(where, 80)
    assert bench.reach(None, "127.0.0.1", 8080, waiting)
    assert call("start", "net") == (0, "", "")
    assert bench.reach("neighbour", HOST, 8080, waiting)
    assert len(programs()) == 1
    assert call("delete", "--force", "net") == (0, "", "")
    assert programs() == []
    assert of_host() == before


@both
def test_run_takes_it_away(oci: Oci, bench: Bench, call: Call, program: str) -> None:
    """In the foreground, whether the container is kept or not; and without a network there is none."""
    runs(oci, "ls", "/sys/class/net")
    for options in ((), ("--keep",)):
        status, out, err = call("run", "--network", program, *options, "net")
        assert (status, out.split(), err) == (0, ["lo", "tap0"], "")
        assert programs() == []
    assert call("delete", "net") == (0, "", "")
    assert call("run", "--network", "none", "net") == (0, "lo\n", "")


def hangs_up() -> bool:
    """Whether the kernel lets a pidfd hang up when the status of its process has been taken (Linux 6.9)."""
    child = subprocess.Popen(["true"])
    descriptor = os.pidfd_open(child.pid)
    child.wait()
    poll = select.poll()
    poll.register(descriptor, 0)
    found = bool(poll.poll(1000))
    os.close(descriptor)
    return found


@both
def test_a_container_that_ends_by_itself(oci: Oci, bench: Bench, call: Call, program: str) -> None:
    """Its program is gone with delete; that of slirp4netns before, where the kernel tells it."""
    runs(oci, "true")
    assert call("create", "--network", program, "--pid-file", "pid", "net") == (0, "", "")
    pid = int((oci.bundle / "pid").read_text())
    assert len(programs()) == 1
    assert call("start", "net") == (0, "", "")
    assert oci.exit_code(pid) == 0
    if program == "slirp4netns" and hangs_up():
        wait(lambda: programs() == [])
    assert call("delete", "net") == (0, "", "")
    assert programs() == []


@both
@pytest.mark.parametrize("verb", ["create", "delete"])
def test_a_killed_runtime(oci: Oci, bench: Bench, program: str, verb: str) -> None:
    """Whenever it is killed, what is left of it goes by delete --force: first process, program and folder."""
    create = ("create", "--network", program, "--publish", "8080:80", "c")
    before = traces(oci.root)

    def prepared() -> None:
        if verb == "delete":
            oci.create("c", *create[1:-1])

    words = create if verb == "create" else ("delete", "--force", "c")
    prepared()
    chosen = steps(oci, *words)
    deleted(oci)
    deaths = 0
    for step in chosen:
        all_gone(oci, before)
        prepared()
        deaths += killed(oci, step, *words)
        deleted(oci)
        assert programs() == []
    all_gone(oci, before)
    assert deaths > 0.9 * len(chosen) > 10


def test_what_can_not_be_is_refused(oci: Oci, bench: Bench, call: Call) -> None:
    """In one sentence, before anything is made."""
    bench.listen(None, 8080)
    refused: list[tuple[tuple[str, ...], str]] = [
        (("--network", "bridge"), "cannot use 'bridge' as --network: it is not one of none, slirp4netns and pasta"),
        (("--network", "pasta:-T,22"), "'-T' is no option of pasta here"),
        (("--publish", "8081:80"), "cannot use '8081:80' as --publish: the container has no network; give it one"),
        (("--network", "pasta", "--publish", "80"), "names no port of the host"),
        (("--network", "pasta", "--publish", "80:80/sctp"), "pasta knows no sctp"),
        (("--network", "slirp4netns", "--publish", "8080:80"), "a program of the host listens on tcp"),
    ]
    for words, reason in refused:
        status, out, err = call("create", *words, "net")
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert reason in err
        assert call("state", "net")[0] == 1


@both
def test_a_bundle_has_to_have_room_for_it(oci: Oci, bench: Bench, tun: None, program: str) -> None:
    """A network namespace of its own; and for a user its own pids, since root inside is the same user."""

    def without(kind: str) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            plain(document)
            document["linux"]["namespaces"].remove({"type": kind})

        return change

    oci.configure(change=without("network"))
    assert "has no new network namespace" in as_user(oci, "create", "--network", program, "net")[2]
    oci.configure(change=without("pid"))
    assert "could take hold of it by its pid" in as_user(oci, "create", "--network", program, "net")[2]
    assert programs() == []


def test_a_program_that_can_not_start(oci: Oci, bench: Bench, call: Call) -> None:
    """Pasta ends where the host has no way out: creating fails with its words, and nothing is left."""
    for family in ("-4", "-6"):
        subprocess.run(["ip", family, "route", "del", "default"], check=True)
    status, out, err = call("create", "--network", "pasta", "net")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "cannot start pasta" in err
    assert programs() == []
    assert call("state", "net")[0] == 1
