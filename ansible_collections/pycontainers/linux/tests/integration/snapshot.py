# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host: prints as JSON all that could be left behind there, so that two of them can be compared."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator

# Programs that leave their traces at any time: loggers, Ansible's own directory, and locks, which are files that stay.
LEFT_OUT = ("/proc", "/sys", "/dev", "/root/.ansible", "/var/log", "/run/pycontainers/locks")
SETTINGS = ("ipv4/ip_forward", "ipv4/conf/all/route_localnet")

# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h
NETLINK_NETFILTER = 12
NFNL_SUBSYS_NFTABLES = 10
NLMSG_ERROR, NLMSG_DONE = 2, 3
REQUEST_DUMP = 0x301
GETTABLE, GETCHAIN, GETRULE, GETSET, GETSETELEM = 1, 4, 7, 10, 13


def files(folder: str) -> Iterator[str]:
    """Every file below a folder, with its mode, its size and its content's last change."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.path in LEFT_OUT or entry.name == "__pycache__":
            continue
        status = entry.stat(follow_symlinks=False)
        line = f"{entry.path} {stat.filemode(status.st_mode)}"
        if entry.is_symlink():
            yield f"{line} -> {os.readlink(entry.path)}"
        elif entry.is_dir(follow_symlinks=False):
            yield line
            yield from files(entry.path)
        else:
            yield f"{line} {status.st_size} {status.st_mtime_ns}"


def mounts() -> Iterator[str]:
    """What is mounted, without the numbers that the kernel gives mounts."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        for line in table:
            yield " ".join(line.split()[2:])


def cgroups() -> Iterator[str]:
    """Every cgroup."""
    for folder, _names, _files in os.walk("/sys/fs/cgroup"):
        yield folder


def links() -> Iterator[str]:
    """Every interface, and addresses and routes of IPv4: the kernel gives itself those of IPv6 when it likes."""
    from pyroute2 import IPRoute

    with IPRoute() as kernel:
        for link in kernel.get_links():
            yield f"link {link['index']} {link.get('ifname')} {link['state']}"
        for address in kernel.get_addr(family=socket.AF_INET):
            yield f"address {address['index']} {address.get('address')}/{address['prefixlen']}"
        for route in kernel.get_routes(family=socket.AF_INET):
            yield f"route {route.get('dst')}/{route['dst_len']} {route.get('oif')} {route.get('table')}"


def rules() -> Iterator[str]:
    """Every table, chain, rule, set and element of nftables, as the kernel sends them (nfnetlink(7))."""
    for kind in (GETTABLE, GETCHAIN, GETRULE):
        yield from (f"{kind} {family} {content.hex()}" for family, content in nftables(kind))
    for family, content in nftables(GETSET):
        yield f"{GETSET} {family} {content.hex()}"
        # The first two attributes name the table and the set, and are the first two of the question for its elements.
        end = aligned(int.from_bytes(content[:2], sys.byteorder))
        names = content[: end + aligned(int.from_bytes(content[end : end + 2], sys.byteorder))]
        yield from (f"{GETSETELEM} {family} {each.hex()}" for _, each in nftables(GETSETELEM, names, family))


def nftables(kind: int, question: bytes = b"", family: int = 0) -> Iterator[tuple[int, bytes]]:
    """The answers to a request for everything of a kind: each with its family, as attributes."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        length = 20 + len(question)
        request = NFNL_SUBSYS_NFTABLES << 8 | kind, REQUEST_DUMP, 1, 0, family, 0, 0
        kernel.send(struct.pack("=IHHIIBBH", length, *request) + question)
        while True:
            received = kernel.recv(1 << 20)
            while received:
                length, answer = struct.unpack_from("=IH", received)
                if answer in (NLMSG_ERROR, NLMSG_DONE):
                    return
                yield received[16], received[20:length]
                received = received[aligned(length) :]


def aligned(length: int) -> int:
    """A length with the padding that follows."""
    return (length + 3) & ~3


def settings() -> Iterator[str]:
    """Settings of the network."""
    for name in SETTINGS:
        with open(f"/proc/sys/net/{name}", encoding="utf-8") as file:
            yield f"{name} = {file.read().strip()}"


if __name__ == "__main__":
    kinds = {
        "files": files("/"),
        "mounts": mounts(),
        "cgroups": cgroups(),
        "links": links(),
        "rules": rules(),
        "settings": settings(),
    }
    json.dump({kind: sorted(found) for kind, found in kinds.items()}, sys.stdout)
