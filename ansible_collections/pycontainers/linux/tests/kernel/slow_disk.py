# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that answers one question after another, each after a while: who gets how much is no matter of processors.

It is a loop device on a file whose content a process answers for (the kernel's fuse.h, protocol 7.31). Start as
``python FILE PATH`` it is that process: it mounts itself on the file, says so, and serves until its stdin ends.
"""
from __future__ import annotations

import ctypes
import errno
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SIZE = 1 << 26
WHILE = 0.002
"""Seconds that an answer takes."""

GETATTR, SETATTR, OPEN, READ, WRITE, INIT = 3, 4, 14, 15, 16, 26
FORGET, INTERRUPT, BATCH_FORGET = 2, 36, 42
UNCACHED = 1
"""FOPEN_DIRECT_IO: each read is a question."""


@contextmanager
def slow_disk(folder: Path) -> Iterator[str]:
    """A device that nobody else uses."""
    file = folder / "slow"
    file.touch()
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-I", __file__, str(file)], stdin=pipe, stdout=pipe) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"mounted\n"
        assert file.stat().st_size == SIZE  # the kernel asks, and the loop device goes by what it knows
        found = subprocess.run(["losetup", "--find", "--show", file], check=True, capture_output=True, text=True).stdout
        try:
            yield found.strip()
        finally:
            subprocess.run(["losetup", "--detach", found.strip()], check=True)
            subprocess.run(["umount", "--lazy", file], check=True)
            server.kill()


def _serve(path: str) -> None:
    channel = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={channel},rootmode=100644,user_id=0,group_id=0"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"slow", path.encode(), b"fuse", 0, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), "mount", path)
    print("mounted", flush=True)
    with suppress(OSError):  # ENODEV: it is not mounted any more
        while True:
            asked = os.read(channel, 1 << 20)
            _, opcode, unique = struct.unpack_from("IIQ", asked)
            if opcode not in (FORGET, INTERRUPT, BATCH_FORGET):
                answer = _answer(opcode, asked[40:])
                error = 0 if answer else -errno.ENOSYS
                os.write(channel, struct.pack("IiQ", 16 + len(answer), error, unique) + answer)


def _answer(opcode: int, asked: bytes) -> bytes:
    if opcode == INIT:
        return struct.pack("IIIIHHIIHH8I", 7, 31, 1 << 17, 0, 64, 64, 1 << 17, 1, 32, 0, *[0] * 8)
    if opcode in (GETATTR, SETATTR):
        # Valid for an hour; inode, size, blocks, three times in two parts, mode, links, owner, device, size of blocks.
        return struct.pack("Q8x3Q24x12x2I12xI4x", 3600, 1, SIZE, SIZE >> 9, 0o100644, 1, 4096)
    if opcode == OPEN:
        return struct.pack("QII", 1, UNCACHED, 0)
    if opcode in (READ, WRITE):
        time.sleep(WHILE)
        size = struct.unpack_from("QQI", asked)[2]
        return bytes(size) if opcode == READ else struct.pack("II", size, 0)
    return b""


if __name__ == "__main__":
    _serve(sys.argv[1])
