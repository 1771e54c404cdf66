# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ctypes
import io
import random
import resource

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import zstd

MIB = 1 << 20
SKIPPED = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
"""A frame that is to be passed over (RFC 8878, 3.1.2)."""


def compressed(content: bytes) -> bytes:
    """Compress by the library's other half."""
    library = ctypes.CDLL(zstd.LIBRARY)
    library.ZSTD_compress.restype = library.ZSTD_compressBound.restype = ctypes.c_size_t
    room = library.ZSTD_compressBound(ctypes.c_size_t(len(content)))
    target = ctypes.create_string_buffer(room)
    size = library.ZSTD_compress(target, ctypes.c_size_t(room), content, ctypes.c_size_t(len(content)), 3)
    return target.raw[:size]


def whole(packed: bytes) -> bytes:
    """Decompress all of it."""
    return b"".join(zstd.decompressed(io.BytesIO(packed).read))


NOISE = random.Random(1).randbytes(3 * MIB + 17)

CONTENTS = {
    "nothing": b"",
    "little": b"hello",
    "zeros": bytes(5 * MIB),
    "a piece exactly": NOISE[:MIB],
    "noise": NOISE,
    "text": b"0123456789\n" * 500_000,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_what_was_compressed_comes_back(content: bytes) -> None:
    """In one frame, or in several with others between that mean nothing."""
    packed = compressed(content)
    assert whole(packed) == content
    assert whole(packed + SKIPPED + packed) == content * 2


DAMAGED = {
    "cut": (compressed(NOISE)[:-9], "ends too early"),
    "cut in its header": (compressed(NOISE)[:5], "ends too early"),
    "followed by something": (compressed(b"hello") + b"world", "can't be uncompressed|ends too early"),
    "another": (b"\x28\xb5\x2f\xfd" + bytes(range(100)), "can't be uncompressed"),
    "a window of 256 MiB": (b"\x28\xb5\x2f\xfd\x00\x90" + bytes(50), "Frame requires too much memory"),
}


@pytest.mark.parametrize(("packed", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_damaged_is_refused(packed: bytes, reason: str) -> None:
    """With the reason, and nothing is passed over."""
    with pytest.raises(ValueError, match=reason):
        whole(packed)


def test_a_bomb_takes_no_memory_for_what_it_would_be() -> None:
    """Pieces are bounded however well they were compressed."""
    packed = compressed(bytes(256 * MIB))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(map(len, zstd.decompressed(io.BytesIO(packed).read))) == 256 * MIB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_host_without_the_library_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is named."""
    monkeypatch.setattr(zstd, "LIBRARY", "libnosuch.so.9")
    with pytest.raises(ValueError, match=r"there is no libnosuch\.so\.9 here: install the package libzstd1"):
        whole(b"")
