# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic between containers, and to a published port, beside a bridge with two veth pairs, and beside podman's."""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import namespaces
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from benchmarks import podman
from benchmarks.world import World

PEERS = {"podman": ("podman", "netavark", "aardvark-dns"), "runc": ("runc",), "iperf3": ("iperf3",)}
"""The programs, and the Debian packages that they need."""

ROUNDS, SECONDS, QUESTIONS = 7, 1, 5000
PORT, PUBLISHED, OTHERS = 5201, 5301, 5401
PATIENCE = 10.0
SHOWN = "{{.NetworkSettings.SandboxKey}} {{.NetworkSettings.Networks.bench.IPAddress}}"
"""What podman is asked for: the path of the network namespace, and the address."""


@dataclass(frozen=True)
class Way:
    """From a network namespace (None: the host's) to an address and a port, at which somebody in another listens."""

    source: str | None
    target: str
    address: str
    port: int


@dataclass
class Course:
    """What the rounds of one candidate gave: Gbit/s, and microseconds for a question and its answer."""

    rates: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


def peers() -> None:
    """Install those that are missing. It takes the machine's own network namespace."""
    missing = [package for program, packages in PEERS.items() if shutil.which(program) is None for package in packages]
    if missing and shutil.which("apt-get"):
        print(f"installing {' '.join(missing)}", file=sys.stderr)
        command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(made: World) -> None:
    """Print throughput and round trip of each, all in turn."""
    with tempfile.TemporaryDirectory(prefix="pycontainers-network-") as folder, ExitStack() as stack:
        plain = stack.enter_context(_plain(Path(folder)))
        ours = stack.enter_context(_ours(made))
        theirs = stack.enter_context(_podman(made, Path(folder)))
        show("Between two on one network", {"veth, bridge, veth": plain[0], **ours[0], **theirs[0]})
        show("From the host to a port of one", {"bridge, veth, by its address": plain[1], **ours[1], **theirs[1]})


def show(title: str, ways: Mapping[str, Way]) -> None:
    """Measure in turn and print medians, each with its ratio to the first."""
    courses = {name: Course() for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            rate, duration = _throughput(way), _round_trip(way)
            if turn:
                courses[name].rates.append(rate)
                courses[name].times.append(duration)
    print(f"\n{title}; medians of {ROUNDS} rounds of {SECONDS} s, and of {QUESTIONS} questions")
    middle = {name: (statistics.median(each.rates), statistics.median(each.times)) for name, each in courses.items()}
    base = next(iter(middle.values()))
    for name, (rate, duration) in middle.items():
        figures = f"{rate:6.2f} Gbit/s  x {rate / base[0]:.2f}    {duration:6.1f} us  x {duration / base[1]:.2f}"
        print(f"  {name:<44} {figures}")


def _throughput(way: Way) -> float:
    """Gbit/s of one TCP connection."""
    serve = ["iperf3", "--server", "--one-off", "--port", str(PORT)]
    with subprocess.Popen([*_inside(way.target), *serve], stdout=subprocess.DEVNULL) as server:
        try:
            _until_heard(way.target)
            ask = ["iperf3", "--client", way.address, "--port", str(way.port), "--time", str(SECONDS), "--json"]
            done = subprocess.run([*_inside(way.source), *ask], capture_output=True, check=True, timeout=60)
        finally:
            server.terminate()
    found = json.loads(done.stdout)
    if "error" in found:
        raise SystemExit(f"bench: {' '.join(ask)}: {found['error']}")
    rate: float = found["end"]["sum_received"]["bits_per_second"]
    return rate / 1e9


def _until_heard(target: str) -> None:
    end = time.monotonic() + PATIENCE
    while f":{PORT:04X} " not in subprocess.run(
        [*_inside(target), "cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, text=True, check=True
    ).stdout:
        if time.monotonic() > end:
            raise SystemExit("bench: nobody listens")
        time.sleep(0.01)


def _round_trip(way: Way) -> float:
    """Microseconds from a question of one byte to its answer, by TCP, from a process to another."""
    with namespaces.entered(way.target):
        waiting = socket.create_server(("0.0.0.0", PORT))
    with closing(waiting):
        child = os.fork()
        if not child:
            _answer(waiting)
        with namespaces.entered(way.source) if way.source else nullcontext():
            asking = socket.create_connection((way.address, way.port), PATIENCE)
        with closing(asking):
            asking.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            began = time.perf_counter()
            for _ in range(QUESTIONS):
                asking.send(b"?")
                asking.recv(1)
            duration = time.perf_counter() - began
        os.waitpid(child, 0)
    return duration / QUESTIONS * 1e6


def _answer(waiting: socket.socket) -> None:
    """Be the process that answers, until nobody asks any more."""
    try:
        answering = waiting.accept()[0]
        answering.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while answering.recv(1):
            answering.send(b"!")
    finally:
        os._exit(0)


def _inside(namespace: str | None) -> list[str]:
    return ["nsenter", f"--net={namespace}"] if namespace else []


@contextmanager
def _plain(folder: Path) -> Iterator[tuple[Way, Way]]:
    """A bridge with an address and two namespaces, made by ip(8)."""
    subprocess.run("ip link add plain0 type bridge".split(), check=True)
    subprocess.run("ip addr add 10.78.0.1/24 dev plain0".split(), check=True)
    subprocess.run("ip link set plain0 up".split(), check=True)
    paths = [str(folder / name) for name in ("one", "two")]
    try:
        for number, path in enumerate(paths, 2):
            namespaces.pin(path)
            subprocess.run(f"ip link add plain{number} type veth peer name peer{number}".split(), check=True)
            subprocess.run(f"ip link set peer{number} netns {path}".split(), check=True)
            subprocess.run(f"ip link set plain{number} master plain0 up".split(), check=True)
            for command in (f"addr add 10.78.0.{number}/24 dev peer{number}", f"link set peer{number} up"):
                subprocess.run([*_inside(path), "ip", *command.split()], check=True)
        between = Way(paths[0], paths[1], "10.78.0.3", PORT)
        yield between, Way(None, paths[1], "10.78.0.3", PORT)
    finally:
        for path in paths:
            namespaces.unpin(path)
        subprocess.run("ip link del plain0".split(), check=True)


@contextmanager
def _ours(made: World) -> Iterator[tuple[dict[str, Way], dict[str, Way]]]:
    """Two containers on a network, of which one publishes a port."""
    sleep = {"image": f"{made.registry}/busybox:latest", "command": "sleep 1000", "networks": [{"name": "web"}]}
    paths, addresses = [], []
    try:
        for name, ports in (("asks", []), ("answers", [f"{PUBLISHED}:{PORT}"])):
            found = made.declare(CONTAINER, name=name, **sleep, published_ports=ports).facts["container"]
            paths.append(made.layout.netns(container_state.identity_of(made.layout, name) or ""))
            addresses.append(found["NetworkSettings"]["Networks"]["web"]["IPAddress"])
        between = {"pycontainers": Way(paths[0], paths[1], addresses[1], PORT)}
        yield between, {"pycontainers, published": Way(None, paths[1], "10.77.0.1", PUBLISHED)}
    finally:
        for name in ("asks", "answers"):
            made.declare(CONTAINER, name=name, state="absent")


@contextmanager
def _podman(made: World, folder: Path) -> Iterator[tuple[dict[str, Way], dict[str, Way]]]:
    """Two of podman's containers on a network of its own, where it is installed."""
    if not podman.is_there():
        yield {}, {}
        return
    theirs = podman.Podman(folder, f"{made.registry}/busybox:latest")
    with podman.cgroup():
        try:
            theirs.call("network", "create", "--subnet", "10.79.0.0/24", "bench")
            theirs.run("asks", "--network", "bench")
            theirs.run("answers", "--network", "bench", "-p", f"{OTHERS}:{PORT}")
            shown = (theirs.call("inspect", "--format", SHOWN, name).split() for name in ("asks", "answers"))
            (source, _), (target, address) = shown
            between = {"podman": Way(source, target, address, PORT)}
            yield between, {"podman, published": Way(None, target, "10.79.0.1", OTHERS)}
        finally:
            theirs.remove("asks", "answers")
            theirs.call("network", "rm", "-f", "bench")
