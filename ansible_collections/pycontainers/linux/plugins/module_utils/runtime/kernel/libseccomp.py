# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiling system call filters: libseccomp (seccomp_init(3) and the pages it refers to), which is loaded when asked.

The library knows the system call tables of every architecture; the program that it makes is classic BPF for
:func:`.seccomp.load`. What it lacks is put before its program here: an answer for system calls that are newer
than whoever wrote the profile.
"""
from __future__ import annotations

import ctypes
import errno
import os
import struct
from ctypes import POINTER, c_char_p, c_int, c_uint, c_uint32, c_uint64, c_void_p
from functools import cache

from ..errors import Failure
from ..typed import NamedTuple
from .seccomp import INSTRUCTION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

KILL_PROCESS, KILL_THREAD, TRAP, ERRNO = 0x80000000, 0, 0x00030000, 0x00050000
NOTIFY, TRACE, LOG, ALLOW = 0x7FC00000, 0x7FF00000, 0x7FFC0000, 0x7FFF0000
"""What happens at a system call; ERRNO and TRACE with a number in the lower 16 bits (SECCOMP_RET_DATA)."""

MOST_INSTRUCTIONS = 4096
"""The longest program that the kernel takes (linux/bpf_common.h, BPF_MAXINSNS)."""

_OPTIMIZE, _BINARY_TREE = 8, 2
_NO_SUCH_SYSCALL = -1
_LD, _JA, _JEQ, _JGT, _JSET, _RET = 0x20, 0x05, 0x15, 0x25, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_X86_64, _X32, _X32_BIT = 0xC000003E, 0x4000003E, 0x40000000


class Comparison(NamedTuple):
    """A condition on an argument; ``op`` as of seccomp.h. For MASKED_EQ ``value`` is the mask, ``other`` the rest."""

    argument: int
    op: int
    value: int
    other: int


class Rule(NamedTuple):
    """What to do at a system call whose arguments meet all comparisons."""

    syscall: str
    action: int
    comparisons: tuple[Comparison, ...] = ()


class _ScmpArgCmp(ctypes.Structure):
    """``struct scmp_arg_cmp`` of seccomp.h."""

    _fields_ = (("arg", c_uint), ("op", c_int), ("datum_a", c_uint64), ("datum_b", c_uint64))


class _ScmpVersion(ctypes.Structure):
    """``struct scmp_version`` of seccomp.h."""

    _fields_ = (("major", c_uint), ("minor", c_uint), ("micro", c_uint))


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        fix = "install the package libseccomp (Debian's is libseccomp2)"
        raise Failure("compile a seccomp profile", "libseccomp is missing on this host", fix) from error
    library.seccomp_init.argtypes, library.seccomp_init.restype = (c_uint32,), c_void_p
    library.seccomp_release.argtypes, library.seccomp_release.restype = (c_void_p,), None
    library.seccomp_arch_resolve_name.argtypes, library.seccomp_arch_resolve_name.restype = (c_char_p,), c_uint32
    library.seccomp_arch_native.restype = c_uint32
    library.seccomp_arch_add.argtypes = (c_void_p, c_uint32)
    library.seccomp_attr_set.argtypes = (c_void_p, c_int, c_uint32)
    library.seccomp_syscall_resolve_name.argtypes = (c_char_p,)
    library.seccomp_syscall_resolve_name_arch.argtypes = (c_uint32, c_char_p)
    library.seccomp_rule_add_array.argtypes = (c_void_p, c_uint32, c_int, c_uint, POINTER(_ScmpArgCmp))
    library.seccomp_export_bpf.argtypes = (c_void_p, c_int)
    library.seccomp_version.restype = POINTER(_ScmpVersion)
    return library


def version() -> str:
    """The library's version: a newer one knows more system calls, and makes another program of the same profile."""
    found = _library().seccomp_version().contents
    return f"{found.major}.{found.minor}.{found.micro}"


def compile_rules(default: int, architectures: Sequence[str], rules: Sequence[Rule]) -> bytes:
    """The program that does ``default`` at any system call but those of the rules: an array of ``struct sock_filter``.

    The machine's own architecture is always there; ``architectures`` (``x86``, ``arm``, … as libseccomp names
    them) are others to filter for: a call by one that is not there ends the thread. A system call that this
    libseccomp does not know is passed over. Raises :class:`Failure`.
    """
    library = _library()
    context = library.seccomp_init(default)
    if not context:
        raise Failure("compile a seccomp profile", f"libseccomp does not take the default action {default:#x}")
    try:
        tokens = [_architecture(context, name) for name in architectures]
        # With no rules at all, versions up to 2.5.4 make a wrong program in this mode.
        if len(rules) > 32:
            library.seccomp_attr_set(context, _OPTIMIZE, _BINARY_TREE)
        for rule in rules:
            if rule.action != default:
                _add(context, rule)
        program = _export(context)
    finally:
        library.seccomp_release(context)
    if not _permissive(default):
        known = {each for each in tokens if each} | {library.seccomp_arch_native()}
        program = _unknown_is_unknown({each: _last(each, rules) for each in sorted(known)}) + program
    if len(program) > MOST_INSTRUCTIONS * INSTRUCTION:
        reason = f"its program has {len(program) // INSTRUCTION} instructions, the kernel takes {MOST_INSTRUCTIONS}"
        raise Failure("compile a seccomp profile", reason, "name fewer system calls or architectures")
    return program


def _architecture(context: int, name: str) -> int:
    """Filter for an architecture too; 0 for one that this libseccomp does not know."""
    library = _library()
    token: int = library.seccomp_arch_resolve_name(name.encode())
    result = library.seccomp_arch_add(context, token) if token else 0
    if result not in (0, -errno.EEXIST):
        raise Failure(f"filter system calls of the architecture {name}", os.strerror(-result))
    return token


def _add(context: int, rule: Rule) -> None:
    library = _library()
    number = library.seccomp_syscall_resolve_name(rule.syscall.encode())
    if number == _NO_SUCH_SYSCALL:
        return
    comparisons = (_ScmpArgCmp * len(rule.comparisons))(*(_ScmpArgCmp(*each) for each in rule.comparisons))
    result = library.seccomp_rule_add_array(context, rule.action, number, len(comparisons), comparisons)
    if result not in (0, -errno.EEXIST):
        raise Failure(f"filter the system call {rule.syscall}", os.strerror(-result))


def _export(context: int) -> bytes:
    descriptor = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        result = _library().seccomp_export_bpf(context, descriptor)
        if result:
            raise Failure("compile a seccomp profile", os.strerror(-result))
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)


def _permissive(default: int) -> bool:
    """Whether a system call that nobody named gets through, or is told to a tracer, or is unknown already."""
    return default in (ALLOW, LOG, ERRNO | errno.ENOSYS) or default & 0xFFFF0000 == TRACE


def _last(architecture: int, rules: Sequence[Rule]) -> int:
    """The highest number of the system calls in the rules, on an architecture; -1 where it has none of them."""
    resolve = _library().seccomp_syscall_resolve_name_arch
    # Numbers below zero stand for system calls that the architecture does not have.
    return max((resolve(architecture, name) for name in {rule.syscall.encode() for rule in rules}), default=-1)


def _unknown_is_unknown(last: dict[int, int]) -> bytes:
    """The beginning of a program that answers ENOSYS to calls that are newer than the newest of a profile.

    The C libraries try the newest system call and fall back to an older one at ENOSYS, but not at EPERM: a profile
    that denies what it does not know would break them with each new kernel. ``last`` has the highest known
    number by architecture. The x32 calls of x86-64, where nobody asked for them, are calls of a high number.
    """
    sections = []
    x32 = last.pop(_X32, -1)
    for architecture, highest in last.items():
        if highest < 0:
            continue
        found = [(_LD, 0, 0, _NUMBER), (_JGT, 0, 1, highest), (_RET, 0, 0, ERRNO | errno.ENOSYS)]
        if architecture == _X86_64 and x32 >= 0:
            found[1:2] = [(_JSET, 1, 0, _X32_BIT), (_JGT, 1, 2, highest), (_JGT, 0, 1, x32)]
        sections.append((architecture, found))
    # A section is: is it this architecture, the calls, and the jump to what libseccomp has made.
    length = 1 + sum(len(found) + 2 for _, found in sections)
    program = [(_LD, 0, 0, _ARCHITECTURE)]
    for architecture, found in sections:
        program += [(_JEQ, 0, len(found) + 1, architecture), *found]
        program.append((_JA, 0, 0, length - len(program) - 1))
    return b"".join(struct.pack("=HBBI", *each) for each in program)
