# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers use: the verb ``stats``, and the module that tells the same."""
from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_stats import (
    CONTAINER_STATS,
    ContainerStatsInfo,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_usage import Watch
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.test_network_many import at_once

MEBIBYTE = 1 << 20
MANY = 200
BUSY = "while :; do :; done"


def told(host: Host, *words: str) -> dict[str, dict[str, Any]]:
    """What one look of the verb tells, by name."""
    found = map(json.loads, host.ok("stats", "--no-stream", "--json", *words).splitlines())
    return {each["name"]: each for each in found}


def asked(host: Host, **values: Any) -> dict[str, Any]:
    """What the module returns."""
    question = parse(ContainerStatsInfo, values)
    return dict(converge(CONTAINER_STATS, host.layout, question, check=False).facts)


def test_what_a_container_uses(host: Host) -> None:
    """Limits, what is used of them, and what has gone through the container's own interface."""
    host.network()
    fill = "head -c 20000000 /dev/zero | tail -c 19000000 > /dev/shm/kept; ping -c 3 -i 0.1 10.91.0.1"
    container = host.shell(
        f"{fill} > /dev/null; sleep 1000 & echo full; {BUSY}",
        networks=[{"name": "front"}], memory="64m", cpus="0.2", pids_limit=9,
    )  # fmt: skip
    wait(lambda: "full" in host.log(container))
    found = told(host, "c")["c"]
    assert (found["id"], found["running"], found["oom_kills"]) == (container.id, True, 0)
    assert (found["memory_limit"], found["pids_limit"], found["pids_current"]) == (64 * MEBIBYTE, 9, 2)
    assert 18_000_000 < found["memory_usage"] < 40_000_000
    assert found["memory_percent"] == round(100 * found["memory_usage"] / (64 * MEBIBYTE), 2)
    assert found["memory_peak"] >= found["memory_usage"]
    assert 0 < found["cpu_percent"] < 40
    assert found["cpu_throttled"] > 0
    assert found["cpu_usage"] > 0
    assert set(found["networks"]) == {"eth0"}
    # Three echo requests of 98 bytes, and at least an ARP request; answers as many.
    assert found["networks"]["eth0"]["tx_bytes"] >= 3 * 98
    assert found["networks"]["eth0"]["rx_packets"] >= 3


def test_the_module_tells_the_same(host: Host) -> None:
    """Of all that run, or of those that are named; without numbers of one that does not run, and nothing of others."""
    host.run(name="one", memory="32m", pids_limit=9)
    host.run(name="two")
    host.converge("made", image=host.busybox, command=["sleep", "1"], state="stopped")
    by_name = {each["name"]: each for each in asked(host)["containers"]}
    shown = told(host)
    assert list(by_name) == list(shown) == ["one", "two"]
    steady = ("id", "running", "memory_limit", "swap_limit", "oom_kills", "pids_current", "pids_limit", "networks")
    for name, each in by_name.items():
        assert list(each) == list(shown[name])
        assert [each[key] for key in steady] == [shown[name][key] for key in steady]
        assert each["cpu_percent"] is None
    named = asked(host, name=["two", "made", "nosuch", (host.observed("one").id or "")[:12]], interval="0.2")
    assert [(each["name"], each["running"]) for each in named["containers"]] == [
        ("two", True), ("made", False), ("one", True)
    ]  # fmt: skip
    assert [each["cpu_percent"] is None for each in named["containers"]] == [False, True, False]
    assert named["unreadable"] == []


def test_which_containers(host: Host) -> None:
    """All that run, with -a the others too, or those that are named, each once; one that is not there is an error."""
    identity = host.run(name="runs").id or ""
    host.converge("made", image=host.busybox, command=["sleep", "1"], state="stopped")
    assert list(told(host)) == ["runs"]
    assert list(told(host, "-a")) == ["made", "runs"]
    assert list(told(host, "runs", "made", identity[:6])) == ["runs", "made"]
    assert "cannot find container nosuch: there is none" in host.failure("stats", "runs", "nosuch")
    os.rename(host.layout.name("runs"), f"{host.layout.root}/kept")
    assert list(told(host)) == []  # It has no name yet, or no more: it is being replaced.
    os.rename(f"{host.layout.root}/kept", host.layout.name("runs"))
    table = host.ok("stats", "--no-stream", "--no-trunc", "-a").splitlines()
    assert [line.split()[:2] for line in table[1:]] == [[host.observed("made").id, "made"], [identity, "runs"]]
    assert host.ok("stats", "--no-stream", "-a").splitlines()[2].split()[0] == identity[:12]


def test_a_record_that_can_not_be_read(host: Host) -> None:
    """It is named, and the others are told of."""
    host.run(name="good")
    record = Path(container_state.record_path(host.layout, host.run(name="damaged").id or ""))
    text = record.read_text()
    record.write_text("{")
    shown, returned = host.cli("stats", "--no-stream", "--json"), asked(host)
    record.write_text(text)
    assert [json.loads(line)["name"] for line in shown.stdout.splitlines()] == ["good"]
    assert (shown.returncode, shown.stderr.count("\n")) == (1, 1)
    assert str(record) in shown.stderr
    assert [each["name"] for each in returned["containers"]] == ["good"]
    assert [str(record) in each for each in returned["unreadable"]] == [True]


def test_whose_network(host: Host) -> None:
    """Interfaces of the host are not a container's; those of another container that it is with are."""
    host.network()
    host.run(name="front", networks=[{"name": "front"}])
    host.run(name="beside", network_mode="container:front")
    host.run(name="of-host", network_mode="host")
    host.run(name="alone")
    found = told(host)
    assert {name: list(each["networks"]) for name, each in found.items()} == {
        "alone": [], "beside": ["eth0"], "front": ["eth0"], "of-host": []
    }  # fmt: skip


def test_a_stream_goes_on_when_containers_end(host: Host) -> None:
    """One that ends, is started and is removed in the middle is no error; without those that are named it ends."""
    host.run(name="c")
    host.run(name="other")
    with host.beside("stats", "--json", "c") as named, host.beside("stats", "--json") as every:
        assert named.stdout is not None
        assert every.stdout is not None
        assert [json.loads(named.stdout.readline())["running"] for _ in range(2)] == [True, True]
        host.ok("stop", "-t", "0", "c")
        assert _until(named.stdout, lambda each: not each["running"])["cpu_usage"] is None
        host.ok("start", "c")
        assert _until(named.stdout, lambda each: each["running"])["name"] == "c"
        host.ok("rm", "-f", "c")
        rest = [json.loads(line)["name"] for line in named.stdout]
        assert set(rest) <= {"c"}
        assert named.wait(10) == 0
        assert named.stderr is not None
        assert named.stderr.read() == b""
        host.run(name="new")
        assert _until(every.stdout, lambda each: each["name"] == "new")["running"]
        assert every.poll() is None


def _until(lines: Any, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first of the documents to come of which it is true."""
    return next(found for found in map(json.loads, lines) if true(found))


def test_a_reader_that_has_enough(host: Host) -> None:
    """It ends the stream without a complaint, as it does for other verbs."""
    host.run()
    with host.beside("stats", "--json") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.wait(10) == 0
        assert running.stderr.read() == b""


def test_a_terminal_is_drawn_over_until_ctrl_c(host: Host) -> None:
    """It is cleared once, then each look begins at its top; Ctrl-C ends it as it ends other programs."""
    host.run()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 10, 40, 0, 0))
    command = host.command("stats")
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=_take_terminal
    ) as running:
        os.close(slave)
        shown = b""
        while shown.count(b"\x1b[H") < 3:
            shown += os.read(master, 4096)
        os.write(master, b"\x03")
        assert running.wait(10) == 130
        with suppress(OSError):  # EIO: nobody has the other end any more
            while more := os.read(master, 4096):
                shown += more
    os.close(master)
    text = shown.decode().replace("\r\n", "\n")
    assert text.startswith("\x1b[H\x1b[2JCONTAINER ID")
    assert text.count("\x1b[2J") == 1
    assert "Traceback" not in text
    assert max(map(len, re.sub(r"\x1b\[2?[A-Z]", "", text).splitlines())) == 40


def _take_terminal() -> None:
    # Whoever runs the tests in the background of a shell has them ignore it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_two_hundred_containers(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All are told of at each look, and what a look costs is printed."""
    names = [f"c{number}" for number in range(MANY)]
    at_once(names, lambda name: host.run(name=name), tmp_path / "started")
    watch = Watch(host.layout)
    watch.look()
    begun, spent = time.monotonic(), time.process_time()
    found = [watch.look() for _ in range(5)][-1]
    begun, spent = time.monotonic() - begun, time.process_time() - spent
    assert sorted(each["name"] for each in found) == sorted(names)
    assert all(each["memory_usage"] > 0 and each["cpu_percent"] is not None for each in found)
    with capsys.disabled():
        print(f" {1000 * begun / 5:.0f} ms a look, {1000 * spent / 5:.0f} ms of a processor", end=" ")
    at_once(names, lambda name: host.converge(name, state="absent", stop_timeout=0), tmp_path / "gone")
    assert watch.look() == []


def test_counters_are_those_of_the_kernel() -> None:
    """Of the test's own namespace, which the kernel tells in another way too; loopback is left out."""
    subprocess.run(["ip", "link", "add", "v1", "type", "veth", "peer", "name", "v2"], check=True)
    try:
        for name in ("v1", "v2"):
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
        wait(lambda: links.counters()["v1"].rx_packets > 0)
        subprocess.run(["ip", "link", "set", "v2", "down"], check=True)
        lines = [line.split(":") for line in Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]]
        by_name = {name.strip(): [int(number) for number in numbers.split()] for name, numbers in lines}
        found = links.counters()
        assert set(found) == set(by_name) - {"lo"}
        for name, each in found.items():
            received, sent = by_name[name][:4], by_name[name][8:12]
            assert [each.rx_bytes, each.rx_packets, each.rx_errors, each.rx_dropped] == received
            assert [each.tx_bytes, each.tx_packets, each.tx_errors, each.tx_dropped] == sent
    finally:
        subprocess.run(["ip", "link", "del", "v1"], check=True)
