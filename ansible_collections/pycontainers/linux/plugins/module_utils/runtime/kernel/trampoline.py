# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of a hundred bytes that a process becomes before it becomes the container's program.

The kernel opens the interpreter of a script while the process that executes it is still the old program, and that may
be ``/proc/self/exe``: executed by Python, such a script would run and hold the host's Python (CVE-2019-5736). Executed
by this one it finds a sealed file in memory that can be neither changed nor made longer. It is what a read-only mount
of the interpreter is good for as well (:func:`.security.shield_interpreter`), without a second start of Python.

It takes the path of the program as its first argument and the program's own arguments after it. When execve(2) fails,
it says so to a descriptor, which the program does not get: :data:`FAILED` and the number of the error. Without that
descriptor, which is how such a script executes it, it ends at once.
"""
from __future__ import annotations

import errno
import fcntl
import os
import struct

from ..typed import NamedTuple

FAILED = b"X\0\0\0\1"
"""What comes before the number of the error, a byte: a message as :mod:`..oci.channel` has them."""

TRAMPOLINE = "pycontainers-trampoline"
"""What the file in memory is called, as /proc shows it."""

SYSTEM_CALLS = ("execveat", "fcntl", "execve", "write", "exit")
"""Those that lead from one to the other: a filter that is in force by then has to let them through."""

_MACHINES = {"x86_64": 62, "aarch64": 183}
"""EM_X86_64 and EM_AARCH64 (linux/elf-em.h)."""

_BASE, _HEADERS = 0x400000, 64 + 56
_MFD_EXEC = 0x10
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Trampoline(NamedTuple):
    """The descriptor of the program, sealed, and the number of the descriptor that it reports to.

    Until that is the number of something to report to, it is another one of the program itself.
    """

    program: int
    report: int


def sealed() -> Trampoline | None:
    """Make the program; None on a machine that it is not known for, or where nothing in memory may be executed."""
    machine = os.uname().machine
    if machine not in _MACHINES:
        return None
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        try:
            descriptor = os.memfd_create(TRAMPOLINE, flags | _MFD_EXEC)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # Before Linux 6.3 there was no such flag, and each of these files could be executed.
            descriptor = os.memfd_create(TRAMPOLINE, flags)
    except OSError:
        # The kernel was told so (vm.memfd_noexec), or has no memfd_create(2).
        return None
    report = os.dup(descriptor)
    os.write(descriptor, program(machine, report))
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return Trampoline(descriptor, report)


def usable() -> bool:
    """Whether there can be one here."""
    made = sealed()
    for descriptor in made or ():
        os.close(descriptor)
    return made is not None


def program(machine: str, report: int) -> bytes:
    """The program for a machine as ``uname -m`` calls it, an ELF file (elf(5)). Raises ``KeyError`` for another."""
    number, code = _MACHINES[machine], _x86_64(report) if machine == "x86_64" else _aarch64(report)
    size = _HEADERS + len(code)
    identification = b"\x7fELF\2\1\1".ljust(16, b"\0")
    header = struct.pack("<HHIQQQIHHHHHH", 2, number, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000)
    return identification + header + segment + code


def _x86_64(report: int) -> bytes:
    """On entry the stack holds argc, the arguments, a null pointer, the variables (System V ABI, AMD64, 3.4.1)."""
    descriptor = b"\xbf" + struct.pack("<I", report)  # mov edi, report
    close = (
        descriptor,
        b"\xbe\x02\x00\x00\x00",  # mov esi, F_SETFD
        b"\xba\x01\x00\x00\x00",  # mov edx, FD_CLOEXEC
        b"\xb8\x48\x00\x00\x00\x0f\x05",  # mov eax, SYS_fcntl; syscall
        b"\x85\xc0",  # test eax, eax
    )
    execute = (
        b"\x48\x8b\x7c\x24\x08",  # mov rdi, [rsp+8]: the path
        b"\x48\x8d\x74\x24\x10",  # lea rsi, [rsp+16]: the arguments
        b"\x48\x8b\x0c\x24",  # mov rcx, [rsp]: argc
        b"\x48\x8d\x54\xcc\x10",  # lea rdx, [rsp+rcx*8+16]: the variables
        b"\xb8\x3b\x00\x00\x00\x0f\x05",  # mov eax, SYS_execve; syscall
        b"\xf7\xd8",  # neg eax: the error's number
        b"\x48\xc1\xe0\x28",  # shl rax, 40
        b"\x48\xb9" + FAILED + bytes(3),  # mov rcx, FAILED
        b"\x48\x09\xc8",  # or rax, rcx
        b"\x50",  # push rax
        descriptor,
        b"\x48\x89\xe6",  # mov rsi, rsp
        b"\xba\x06\x00\x00\x00",  # mov edx, 6
        b"\xb8\x01\x00\x00\x00\x0f\x05",  # mov eax, SYS_write; syscall
    )
    end = (
        b"\xbf\x7e\x00\x00\x00",  # mov edi, 126
        b"\xb8\x3c\x00\x00\x00\x0f\x05",  # mov eax, SYS_exit; syscall
    )
    middle = b"".join(execute)
    return b"".join((*close, b"\x75", bytes([len(middle)]), middle, *end))  # jnz end


def _aarch64(report: int) -> bytes:
    """The same stack at entry; system calls have their number in x8 (System V ABI, AArch64)."""
    low, high = _move(0, report & 0xFFFF), 0xF2A00000 | (report >> 16) << 5
    said = FAILED.ljust(8, b"\0")
    close = (low, high, _move(1, 2), _move(2, 1), _move(8, 25), _SVC)  # fcntl(report, F_SETFD, FD_CLOEXEC)
    execute = (
        0xF94003E3,  # ldr x3, [sp]: argc
        0xF94007E0,  # ldr x0, [sp, #8]: the path
        0x910043E1,  # add x1, sp, #16: the arguments
        0x8B030C22,  # add x2, x1, x3, lsl #3: the variables
        *(_move(8, 221), _SVC),  # execve
        0xCB0003E0,  # neg x0, x0: the error's number
        0xD3585C00,  # lsl x0, x0, #40
        _move(4, int.from_bytes(said[:2], "little")),
        0xF2C00004 | int.from_bytes(said[4:6], "little") << 5,  # movk x4, …, lsl #32
        0xAA040000,  # orr x0, x0, x4
        0xF81F0FE0,  # str x0, [sp, #-16]!
        0x910003E1,  # mov x1, sp
        *(low, high, _move(2, 6), _move(8, 64), _SVC),  # write(report, sp, 6)
    )
    end = (_move(0, 126), _move(8, 93), _SVC)  # exit(126)
    skip = 0xB5000000 | (len(execute) + 1) << 5  # cbnz x0, end
    words = (*close, skip, *execute, *end)
    return struct.pack(f"<{len(words)}I", *words)


_SVC = 0xD4000001


def _move(register: int, value: int) -> int:
    """``movz``: 16 bits into a register, the others become zero."""
    return 0xD2800000 | value << 5 | register
