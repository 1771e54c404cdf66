# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Device rules as the program that cgroup version 2 decides by."""
from __future__ import annotations

import errno
import os

from . import bpf
from .bpf import instruction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .devices import DeviceRule

_EVERY_ACCESS = 7
"""The bits of BPF_DEVCG_ACC_MKNOD, _READ and _WRITE together."""

TYPES = {"b": 1, "c": 2}
"""BPF_DEVCG_DEV_BLOCK and _CHAR."""

_RESULT, _CONTEXT, _TYPE, _WANTED, _MAJOR, _MINOR = 0, 1, 2, 3, 4, 5
"""What the registers of the program hold: its result and context by convention, the others by choice."""


def program(rules: Sequence[DeviceRule]) -> bytes:
    """The program for version 2: from the last rule to the first, until every access that is wanted is allowed.

    Its context is ``struct bpf_cgroup_dev_ctx``: access and type in one word, major, minor.
    """
    found = [
        instruction(bpf.LOAD_WORD, _TYPE, _CONTEXT, 0),
        instruction(bpf.MOVE_REGISTER, _WANTED, _TYPE),
        instruction(bpf.AND, _TYPE, immediate=0xFFFF),
        instruction(bpf.SHIFT_RIGHT, _WANTED, immediate=16),
        instruction(bpf.LOAD_WORD, _MAJOR, _CONTEXT, 4),
        instruction(bpf.LOAD_WORD, _MINOR, _CONTEXT, 8),
    ]
    for rule in reversed(rules):
        found += _section(rule)
        if rule.whole:
            # The kernel takes no instruction that is never reached.
            return b"".join(found)
    return b"".join([*found, *_answer(False)])


def _section(rule: DeviceRule) -> list[bytes]:
    """The instructions of one rule: comparisons that skip the rest, and what to do where it matches."""
    answer = _answer(rule.allow)
    if rule.allow and rule.access != _EVERY_ACCESS:
        # What is allowed is wanted no longer; an earlier rule decides about the rest.
        answer = [
            instruction(bpf.AND, _WANTED, immediate=_EVERY_ACCESS & ~rule.access),
            instruction(bpf.JUMP_IF_NOT_32, _WANTED, offset=len(answer)),
            *answer,
        ]
    elif not rule.allow and rule.access != _EVERY_ACCESS:
        answer = [
            instruction(bpf.MOVE_REGISTER, _RESULT, _WANTED),
            instruction(bpf.AND, _RESULT, immediate=rule.access),
            instruction(bpf.JUMP_IF_EQUAL_32, _RESULT, offset=len(answer)),
            *answer,
        ]
    wanted = ((_TYPE, TYPES.get(rule.type)), (_MAJOR, rule.major), (_MINOR, rule.minor))
    checks = [(register, value) for register, value in wanted if value is not None]
    skips = [
        instruction(bpf.JUMP_IF_NOT_32, register, offset=len(answer) + len(checks) - n, immediate=value)
        for n, (register, value) in enumerate(checks, 1)
    ]
    return skips + answer


def _answer(allow: bool) -> list[bytes]:
    return [instruction(bpf.MOVE, _RESULT, immediate=int(allow)), instruction(bpf.EXIT)]


def replace(directory: str, instructions: bytes) -> None:
    """Attach a program and detach all others; there is no moment without any."""
    opened = [os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        opened += bpf.attached(opened[0])
        cgroup, *old = opened
        new = bpf.load(instructions)
        opened.append(new)
        bpf.attach(cgroup, new, instead_of=old.pop() if len(old) == 1 else -1)
        for each in old:
            bpf.detach(cgroup, each)
    except OSError as error:
        reason = "The verifier finds them too many" if error.errno == errno.E2BIG else os.strerror(error.errno or 0)
        raise OSError(error.errno, f"{reason} (setting device rules)", directory) from error
    finally:
        for descriptor in opened:
            os.close(descriptor)
