# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of one network know each other by name, from their start to their end, and nobody answers for it."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import plan, store
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    endpoint_steps,
    hosts_files,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

FRONT = [{"name": "front"}]


@pytest.fixture
def front(host: Host) -> Host:
    """A host with a network."""
    host.network()
    return host


def known(host: Host, name: str) -> dict[str, list[str]]:
    """What a container's hosts file has beside its own lines, by name."""
    found: dict[str, list[str]] = {}
    own = [address for _, held in host.observed(name).held for address in held]
    for line in host.ok("exec", name, "cat", "/etc/hosts").replace("\0", "").split("\n"):
        address, *names = line.split() or ["#"]
        if not address.startswith("#") and address not in ("127.0.0.1", "::1", *own):
            for each in names:
                found.setdefault(each, []).append(address)
    return found


def stale(host: Host, name: str) -> bool:
    """Whether a container's file does not say who is on its networks."""
    return hosts_files.observe(host.layout, str(host.observed(name).id)) == hosts_files.STALE


def address(container: Container, network: str = "front") -> str:
    """The address of a container."""
    return dict(container.held)[network][0]


def test_names_and_ids_are_known_from_start_to_stop(front: Host) -> None:
    """Both know each other as soon as the second's task is done, under its name and the start of its id; then not."""
    first = front.run(name="a", networks=FRONT)
    assert known(front, "a") == {}
    second = front.run(name="b", networks=FRONT)
    assert known(front, "a") == {"b": [address(second)], str(second.id)[:12]: [address(second)]}
    assert known(front, "b") == {"a": [address(first)], str(first.id)[:12]: [address(first)]}
    assert front.ok("exec", "b", "ping", "-c1", "-W2", "a").startswith(f"PING a ({address(first)})")
    assert front.ok("exec", "a", "ping", "-c1", "-W2", str(second.id)[:12])
    front.converge("b", state="stopped", stop_timeout=0)
    assert known(front, "a") == {}
    front.converge("b", state="started")
    assert known(front, "a")["b"] == [address(second)]
    front.converge("b", state="absent", stop_timeout=0)
    assert known(front, "a") == {}


def test_a_program_that_ends_by_itself_is_not_known_any_more(front: Host) -> None:
    """Unless it is started again: then its address stays, and so does the name."""
    front.run(name="a", networks=FRONT)
    ending = front.run(name="b", networks=FRONT)
    again = front.run(name="c", networks=FRONT, restart_policy="always")
    for name in ("b", "c"):
        os.kill(front.pid(name), signal.SIGKILL)
    wait(lambda: set(known(front, "a")) == {"c", str(again.id)[:12]})
    wait(lambda: front.observed("b").state == "stopped" and not lifecycle.waiter(front.layout, str(ending.id)))


def test_names_are_those_of_common_networks(front: Host) -> None:
    """Who is on two knows both; the others know just their own."""
    front.network("back", "10.92.0.0/24")
    front.run(name="a", networks=FRONT)
    both = front.run(name="b", networks=[*FRONT, {"name": "back"}])
    front.run(name="c", networks=[{"name": "back"}])
    names = {name: {each for each in known(front, name) if len(each) == 1} for name in "abc"}
    assert names == {"a": {"b"}, "b": {"a", "c"}, "c": {"b"}}
    assert known(front, "a")["b"] == [address(both)]
    assert known(front, "c")["b"] == [address(both, "back")]


def test_a_replaced_container_is_known_by_its_new_address(front: Host) -> None:
    """And by the new one alone."""
    front.run(name="a", networks=FRONT)
    before = front.run(name="b", networks=FRONT)
    after = front.run(name="b", networks=FRONT, recreate=True)
    assert before.id != after.id
    assert known(front, "a") == {"b": [address(after)], str(after.id)[:12]: [address(after)]}


def test_aliases_that_change_are_told_at_once(front: Host) -> None:
    """To the others, of a container that goes on running."""
    front.run(name="a", networks=FRONT)
    own = address(front.run(name="b", networks=FRONT))
    for aliases in (["www", "site"], ["www"], []):
        front.converge("b", networks=[{"name": "front", "aliases": aliases}])
        identity = str(front.observed("b").id)[:12]
        assert known(front, "a") == {name: [own] for name in ("b", identity, *aliases)}
        assert not stale(front, "a")


def test_a_change_that_fails_leaves_the_names(front: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the addresses that come back, whatever fails after the new ones were there."""
    front.run(name="a", networks=FRONT)
    front.run(name="b", networks=FRONT, published_ports=["8080:80"])
    before = known(front, "a")

    for step in (endpoint_steps.SetPorts, store.Write):

        def fails(self: object, real: Any = step.do) -> None:
            if not getattr(self, "add", True):
                real(self)
                return
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(step, "do", fails)
            with pytest.raises(Failure, match="Input/output error"):
                front.converge("b", networks=[{"name": "front", "ipv4_address": "10.91.0.99"}])
        assert known(front, "a") == before
        assert not stale(front, "a")


def test_a_start_that_fails_leaves_no_name(front: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is undone is not known, and what ran before is known again."""
    front.run(name="a", networks=FRONT)
    before = front.run(name="b", networks=FRONT)

    class Broken:
        def describe(self) -> str:
            return "fail"

        def do(self) -> None:
            raise OSError(5, "broken")

        def undo(self) -> None:
            raise AssertionError("it was not done")

    steps = plan.apply

    def broken(found: plan.Plan) -> None:
        steps(plan.Plan((*found.steps, Broken()), found.purge))

    monkeypatch.setattr(plan, "apply", broken)
    with pytest.raises(Exception, match="broken"):
        front.converge("b", image=front.busybox, networks=FRONT, recreate=True)
    assert known(front, "a") == {"b": [address(before)], str(before.id)[:12]: [address(before)]}


@pytest.mark.parametrize(
    ("change", "drifted"),
    [
        (": > /etc/hosts", True),
        ("sed /^10/d /etc/hosts > /tmp/h; cat /tmp/h > /etc/hosts", True),
        ("sed /End/d /etc/hosts > /tmp/h; cat /tmp/h > /etc/hosts", True),
        ("dd if=/dev/zero bs=1M count=3 2>/dev/null >> /etc/hosts", False),
        ("dd if=/dev/zero of=/etc/hosts bs=1M count=3 2>/dev/null", True),
        ("chmod 0 /etc/hosts", False),
    ],
)
def test_a_changed_file_is_drift_that_a_run_mends(front: Host, change: str, drifted: bool) -> None:
    """The check tells it; the run writes the names, and the program goes on. Owner and mode are the container's."""
    front.run(name="a", networks=FRONT)
    front.run(name="b", networks=FRONT)
    good, pid = known(front, "a"), front.pid("a")
    front.ok("exec", "a", "sh", "-c", change)
    outcome = front.converge("a", check=True)
    assert outcome.changed == drifted
    assert [each.path for each in outcome.changes] == (["hosts"] if drifted else [])
    assert front.converge("a").changed == drifted
    assert {"b"} <= set(good) <= set(known(front, "a"))
    assert front.pid("a") == pid
    assert not front.converge("a").changed


def test_what_a_program_adds_stays(front: Host) -> None:
    """Lines before and behind ours are no drift, and are there when names come and go."""
    front.run(name="a", networks=FRONT)
    front.ok("exec", "a", "sh", "-c", "sed '1i 10.9.9.8 first' /etc/hosts > /tmp/h; cat /tmp/h > /etc/hosts")
    front.ok("exec", "a", "sh", "-c", "echo 10.9.9.9 last >> /etc/hosts")
    assert not front.converge("a").changed
    added = {"first": ["10.9.9.8"], "last": ["10.9.9.9"]}
    second = front.run(name="b", networks=FRONT)
    assert known(front, "a") == added | {each: [address(second)] for each in ("b", str(second.id)[:12])}
    front.converge("b", state="absent", stop_timeout=0)
    assert known(front, "a") == added


HOLDER = """\
import fcntl, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(sys.argv[1], "r+")
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
time.sleep(60)
"""


def test_a_lease_on_the_file_makes_nobody_wait(front: Host) -> None:
    """A program may have every other open of its file wait for most of a minute; starts of others do not."""
    held = front.run(name="a", networks=FRONT)
    path = front.layout.container(str(held.id), "hosts")
    with subprocess.Popen([sys.executable, "-I", "-c", HOLDER, path], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            began = time.monotonic()
            front.run(name="b", networks=FRONT)
            assert stale(front, "a")
            assert time.monotonic() - began < 20
        finally:
            child.kill()
    assert front.converge("a").changed
    assert "b" in known(front, "a")


def test_many_that_start_at_once_know_each_other(front: Host) -> None:
    """Whoever is last tells all."""
    names = [f"c{each}" for each in range(8)]
    with ThreadPoolExecutor(len(names)) as pool:
        words = ["run", "-d", "--network", "front"]
        list(pool.map(lambda name: front.ok(*words, "--name", name, front.busybox, "sleep", "1000"), names))
    for name in names:
        assert {each for each in known(front, name) if len(each) == 2} == set(names) - {name}
        assert not stale(front, name)


def test_what_a_container_has_written_reaches_nothing_else(front: Host) -> None:
    """A link in the place of its file, or another file there, is not what the names are written to."""
    other = front.run(name="a", networks=FRONT)
    target = Path(front.layout.container(str(other.id), "hosts"))
    precious = target.with_name("precious")
    precious.write_text("precious")
    target.unlink()
    target.symlink_to(precious)
    front.run(name="b", networks=FRONT)
    assert precious.read_text() == "precious"
    assert stale(front, "a")


FREEZER = """\
import fcntl, os, sys
folder = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(folder, 0xC0045877, 0)  # FIFREEZE of linux/fs.h
try:
    print("frozen", flush=True)
    sys.stdin.read()
finally:
    fcntl.ioctl(folder, 0xC0045878, 0)  # FITHAW
"""
"""It ends with whoever started it, however that ends: nothing else could let go of who waits for the filesystem."""


@contextmanager
def frozen(folder: Path) -> Iterator[Callable[[], object]]:
    """Let all writes to a filesystem wait, where no signal reaches those who do; gives what ends it."""
    command = [sys.executable, "-I", "-c", FREEZER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"frozen\n"
        yield child.communicate


def test_a_write_that_does_not_end_makes_nobody_wait(front: Host, tmp_path: Path) -> None:
    """What a program does to its file may have all other writes wait where no signal ends them.

    Here it is a frozen filesystem that does so. Starts and stops of others go on, and their names are written.
    """
    first = front.run(name="a", networks=FRONT)
    front.run(name="c", networks=FRONT)
    hosts = Path(front.layout.container(str(first.id), "hosts"))
    subprocess.run(["mkfs.ext4", "-q", tmp_path / "image", "8m"], check=True)
    (tmp_path / "there").mkdir()
    subprocess.run(["mount", "-o", "loop", tmp_path / "image", tmp_path / "there"], check=True)
    try:
        (tmp_path / "there/hosts").write_bytes(hosts.read_bytes())
        syscalls.mount(str(tmp_path / "there/hosts"), str(hosts), flags=syscalls.MS_BIND)
        given = ["run", "-d", "--network", "front", "--name", "b", front.busybox, "sleep", "1000"]
        with frozen(tmp_path / "there") as thaw, front.beside(*given) as starting:
            try:
                assert starting.wait(20) == 0
                assert stale(front, "a")
                known_then = known(front, "c")
            finally:
                thaw()
        wait(lambda: not any(map(_left, os.listdir("/proc"))))
        subprocess.run(["umount", "-l", hosts], check=True)  # who was left may still be about to close it
    finally:
        subprocess.run(["umount", "-l", tmp_path / "there"], check=True)
    second = front.observed("b")
    assert known_then["b"] == [address(second)]
    assert front.converge("a").changed
    assert known(front, "a")["b"] == [address(second)]


def _left(process: str) -> bool:
    """Whether a process is what the start of b has left behind."""
    with suppress(OSError):
        return process.isdecimal() and b"--name\0b\0" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False
