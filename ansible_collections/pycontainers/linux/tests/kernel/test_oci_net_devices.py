# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network devices of the host that move into a container (``linux.netDevices``)."""
from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links, namespaces
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import Oci, hook, wait

Change = Callable[[dict[str, Any]], object]
HOST = "/proc/self/ns/net"


def ip(*words: str, where: str = HOST) -> Any:
    """What iproute2 says, which must do well, in a network namespace."""
    command = ["nsenter", f"--net={where}", "ip", "-json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return json.loads(done.stdout or "[]")


def names() -> set[str]:
    """The devices of the test process's network namespace."""
    return {name for _, name in socket.if_nameindex()}


def about(name: str, where: str = HOST) -> dict[str, Any]:
    """What tells a device from others: MAC, MTU, whether it is up, its global addresses, whose port it is."""
    (found,) = ip("address", "show", "dev", name, where=where)
    addresses = [
        (each["local"], each["prefixlen"], each.get("address", ""), each.get("broadcast", ""))
        for each in found["addr_info"]
        if each["scope"] == "global"
    ]
    return {
        "mac": found["address"],
        "mtu": found["mtu"],
        "up": "UP" in found["flags"],
        "addresses": sorted(addresses),
        "master": found.get("master"),
    }


def pair(name: str, *words: str, where: str = HOST) -> None:
    """Make a virtual device and its peer."""
    ip("link", "add", name, *words, "type", "veth", "peer", "name", f"peer-{name}", where=where)


@pytest.fixture
def device() -> Iterator[str]:
    """A virtual device that is up, with addresses; it is taken away if it is still there."""
    pair("moves0", "address", "02:00:00:00:00:07", "mtu", "1300")
    for address in ("10.9.0.1/24", "10.9.0.2/24", "fd09::1/64"):
        ip("address", "add", address, "dev", "moves0", *(["brd", "+"] if "." in address else ["nodad"]))
    ip("address", "add", "10.8.0.1", "peer", "10.8.0.2", "dev", "moves0")
    ip("link", "set", "moves0", "up")
    yield "moves0"
    if "moves0" in names():
        ip("link", "delete", "moves0")


@pytest.fixture
def pinned(tmp_path: Path) -> Iterator[str]:
    """The path of a network namespace without a process."""
    path = str(tmp_path / "netns/pinned")
    namespaces.pin(path)
    yield path
    namespaces.unpin(path)
    # A device that has stayed there goes with it, and with that its peer here, some time later.
    wait(lambda: "moves0" in names() or "peer-moves0" not in names())


def devices(given: dict[str, Any], path: str = "", **hooks: Any) -> Change:
    """A configuration with these devices, and a network namespace by a path if there is one."""
    network = {"type": "network", "path": path} if path else {"type": "network"}

    def change(document: dict[str, Any]) -> None:
        linux = document["linux"]
        linux["netDevices"] = given
        linux["namespaces"] = [each for each in linux["namespaces"] if each["type"] != "network"] + [network]
        document["hooks"] = hooks

    return change


def test_a_device_moves(oci: Oci, device: str) -> None:
    """It is renamed and up inside, with MAC, MTU and lasting addresses, and gone from the host, then from the world."""
    before = about(device)
    ip("address", "add", "10.7.0.1/24", "dev", device, "valid_lft", "1000", "preferred_lft", "1000")
    oci.configure(change=devices({device: {"name": "inner"}}))
    pid = oci.create()
    assert device not in names()
    assert about("inner", f"/proc/{pid}/ns/net") == before
    assert len(before["addresses"]) == 4
    oci.ok("start", "c")
    assert set(oci.ok("exec", "c", "ls", "/sys/class/net").split()) >= {"lo", "inner"}
    oci.ok("delete", "--force", "c")
    wait(lambda: not names() & {device, f"peer-{device}"})


def test_names(oci: Oci, device: str) -> None:
    """Without a name inside a device keeps its own, and the kernel numbers those that are named by a pattern."""
    pair("moves1")
    pair("moves2")
    given = {device: {}, "moves1": {"name": "net%d"}, "moves2": {"name": "net%d"}}
    oci.configure(change=devices(given))
    pid = oci.create()
    found = {each["ifname"]: each["flags"] for each in ip("link", "show", where=f"/proc/{pid}/ns/net")}
    assert set(found) == {"lo", device, "net0", "net1"}
    assert all("UP" in found[name] for name in ("net0", "net1"))
    assert names() >= {"peer-moves1", "peer-moves2"}
    assert names() & {device, "moves1", "moves2"} == set()
    oci.ok("delete", "--force", "c")
    wait(lambda: not names() & {"peer-moves1", "peer-moves2"})


def test_what_can_not_move(oci: Oci, device: str, pinned: str) -> None:
    """A missing device, the loopback device and a name that is taken are refused by field before anything is made."""
    pair("taken", where=pinned)
    for given, path, field, reason in (
        ({"none0": {}}, "", "['none0']", "there is no network device"),
        ({"lo": {"name": "other"}}, "", "['lo']", "can't be moved"),
        ({device: {"name": "lo"}}, "", f"['{device}'].name", "a device of this name already"),
        ({device: {"name": "taken"}}, pinned, f"['{device}'].name", "a device of this name already"),
        ({device: {"name": "a%b"}}, "", f"['{device}'].name", "as %d"),
    ):
        said = oci.refused(devices(given, path))
        assert f"as linux.netDevices{field}: " in said
        assert reason in said
        assert device in names()

    def alone(document: dict[str, Any]) -> None:
        devices({device: {}})(document)
        document["linux"]["namespaces"] = [{"type": "mount"}, {"type": "uts"}]

    assert "linux.netDevices: the container has no network namespace" in oci.refused(alone)


def test_a_creation_that_fails(oci: Oci, device: str, pinned: str) -> None:
    """When something fails after devices have moved, they are back as they were, also from a namespace that stays."""
    ip("link", "add", "bridge0", "type", "bridge")
    pair("moves1", "master", "bridge0")
    before = about(device), about("moves1")
    given: dict[str, Any] = {device: {"name": "inner"}, "moves1": {}}
    seen = oci.bundle / "seen"
    failing = hook(f"ip link > {seen}; exit 1")
    try:
        oci.refused(devices(given, createRuntime=[failing]))
        assert f" {device}@" not in seen.read_text()
        assert (about(device), about("moves1")) == before
        oci.refused(devices(given, pinned, createContainer=[hook("exit 1")]))
        assert (about(device), about("moves1")) == before
        assert set(links.links(pinned)) == {"lo"}
    finally:
        ip("link", "delete", "moves1")
        ip("link", "delete", "bridge0")


def test_what_the_kernel_refuses(oci: Oci, device: str) -> None:
    """A device that the kernel keeps where it is is told by its field, and those before it are back."""
    ip("link", "add", "bridge0", "type", "bridge")
    before = about(device)
    try:
        said = oci.refused(devices({device: {}, "bridge0": {}}))
        assert "as linux.netDevices['bridge0']: the kernel keeps devices of this kind in their namespace" in said
        assert about(device) == before
    finally:
        ip("link", "delete", "bridge0")


def test_into_a_user_namespace(oci: Oci, device: str) -> None:
    """A device of the host moves into a network namespace that belongs to the container's own user namespace."""

    def change(document: dict[str, Any]) -> None:
        devices({device: {"name": "inner"}})(document)
        document["linux"]["namespaces"].append({"type": "user"})
        for name in ("uidMappings", "gidMappings"):
            document["linux"][name] = [{"containerID": 0, "hostID": 0, "size": 65536}]

    before = about(device)
    oci.configure(change=change)
    assert about("inner", f"/proc/{oci.create()}/ns/net") == before
    oci.ok("delete", "--force", "c")


def test_an_end_gives_back_nothing_that_is_virtual(oci: Oci, device: str, pinned: str) -> None:
    """In a namespace that outlives the container its devices stay: they are not the runtime's any more."""
    oci.configure(change=devices({device: {}}, pinned))
    oci.run()
    oci.ok("delete", "--force", "c")
    assert set(links.links(pinned)) == {"lo", device}
    assert f"peer-{device}" in names()
