# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that decide about a cgroup's devices: bpf(2), as much of it as they take.

Numbers and layouts are those of linux/bpf.h; instructions are described in the kernel's bpf/standardization/.
"""
from __future__ import annotations

import ctypes
import errno
import os
import struct
from ctypes import c_int, c_long, c_uint

from .syscalls import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

BPF_PROG_LOAD, BPF_PROG_ATTACH, BPF_PROG_DETACH, BPF_PROG_GET_FD_BY_ID, BPF_PROG_QUERY = 5, 8, 9, 13, 16
BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE = 15, 6
BPF_F_ALLOW_MULTI, BPF_F_REPLACE = 2, 4

LOAD_WORD, MOVE, MOVE_REGISTER, AND, SHIFT_RIGHT = 0x61, 0xB7, 0xBF, 0x57, 0x77
JUMP_IF_EQUAL_32, JUMP_IF_NOT_32, EXIT = 0x16, 0x56, 0x95
"""Operation codes; those with 32 compare the lower halves of registers, so that a number is not read as negative."""

NAME = b"pycontainers"
MOST_PROGRAMS = 64
"""How many programs a cgroup can have (linux/bpf-cgroup.h, BPF_CGROUP_MAX_PROGS)."""

_LICENSE = b"GPL"
_SYS_BPF = {"x86_64": 321, "i686": 357, "aarch64": 280, "riscv64": 280, "armv7l": 386, "ppc64le": 361, "s390x": 351}


def instruction(code: int, destination: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    """One instruction, a ``struct bpf_insn``."""
    low, high = (destination, source) if struct.pack("=H", 1)[0] else (source, destination)
    return struct.pack("=BBhI", code, high << 4 | low, offset, immediate & 0xFFFFFFFF)


def load(program: bytes) -> int:
    """The descriptor of a program that the kernel has verified. Raises ``OSError``; EACCES is the verifier's no."""
    text = ctypes.create_string_buffer(program, len(program))
    license_ = ctypes.create_string_buffer(_LICENSE)
    addresses = ctypes.addressof(text), ctypes.addressof(license_)
    no_log = (0, 0, 0)
    attributes = (BPF_PROG_TYPE_CGROUP_DEVICE, len(program) // 8, *addresses, *no_log, 0, 0, NAME)
    return _bpf(BPF_PROG_LOAD, struct.pack("=IIQQIIQII16s", *attributes))


def attach(cgroup: int, program: int, instead_of: int = -1) -> None:
    """Let a program decide in a cgroup (its directory's descriptor): beside others there, or instead of one of them."""
    flags = BPF_F_ALLOW_MULTI | (0 if instead_of < 0 else BPF_F_REPLACE)
    _bpf(BPF_PROG_ATTACH, struct.pack("=IIIII", cgroup, program, BPF_CGROUP_DEVICE, flags, max(instead_of, 0)))


def detach(cgroup: int, program: int) -> None:
    """Let a program decide in a cgroup no longer; who has no descriptor of it left has lost it."""
    _bpf(BPF_PROG_DETACH, struct.pack("=IIIII", cgroup, program, BPF_CGROUP_DEVICE, 0, 0))


def attached(cgroup: int) -> tuple[int, ...]:
    """The descriptors of the programs that decide in the cgroup itself; the caller closes them."""
    identities = (c_uint * MOST_PROGRAMS)()
    query = struct.pack("=IIIIQII", cgroup, BPF_CGROUP_DEVICE, 0, 0, ctypes.addressof(identities), MOST_PROGRAMS, 0)
    attributes = ctypes.create_string_buffer(query, len(query))
    _call(BPF_PROG_QUERY, attributes)
    count = struct.unpack_from("=I", attributes, 24)[0]
    return tuple(_all_or_none(identities[:count]))


def _all_or_none(identities: Sequence[int]) -> list[int]:
    found: list[int] = []
    for each in identities:
        try:
            found.append(_bpf(BPF_PROG_GET_FD_BY_ID, struct.pack("=III", each, 0, 0)))
        except OSError as error:
            if error.errno == errno.ENOENT:  # it has been detached meanwhile
                continue
            for descriptor in found:
                os.close(descriptor)
            raise
    return found


def _bpf(command: int, attributes: bytes) -> int:
    return _call(command, ctypes.create_string_buffer(attributes, len(attributes)))


def _call(command: int, attributes: ctypes.Array[ctypes.c_char]) -> int:
    number = _SYS_BPF.get(os.uname().machine, -1)
    size = c_uint(len(attributes))
    result: int = libc.syscall(c_long(number), c_int(command), ctypes.byref(attributes), size)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
