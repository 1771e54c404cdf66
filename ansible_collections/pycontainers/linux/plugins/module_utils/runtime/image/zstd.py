# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zstandard (RFC 8878) by the library of its authors, which package managers bring along (dpkg, apk).

Python has a module of its own from 3.14 on only. The library needs no process of its own, as the program would,
and says itself what is wrong with a stream.
"""
from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator

LIBRARY = "libzstd.so.1"
PIECE = 1 << 20
LARGEST_WINDOW = 27
"""The binary logarithm of the bytes that a frame may refer back to: 128 MiB, what zstd(1) makes and takes at most."""

_WINDOW_LOG_MAX = 100  # ZSTD_d_windowLogMax of zstd.h


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer."""

    _fields_ = (("start", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t))


def decompressed(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """The content of the frames that ``read`` gives the bytes of; pieces are bounded. Raises ``ValueError``."""
    library = _library()
    stream = library.ZSTD_createDCtx()
    if not stream:
        raise MemoryError("zstd")
    try:
        _checked(library, library.ZSTD_DCtx_setParameter(stream, _WINDOW_LOG_MAX, LARGEST_WINDOW))
        yield from _pieces(library, stream, read)
    finally:
        library.ZSTD_freeDCtx(stream)


def _pieces(library: ctypes.CDLL, stream: int, read: Callable[[int], bytes]) -> Iterator[bytes]:
    made = ctypes.create_string_buffer(PIECE)
    wanted = 0
    while piece := read(PIECE):
        given = ctypes.create_string_buffer(piece, len(piece))
        source = _Buffer(ctypes.addressof(given), len(piece), 0)
        full = False
        while source.position < source.size or full:
            target = _Buffer(ctypes.addressof(made), PIECE, 0)
            result = library.ZSTD_decompressStream(stream, ctypes.byref(target), ctypes.byref(source))
            wanted = _checked(library, result)
            # A full buffer may have more behind it, though all that was given is taken.
            full = target.position == PIECE and wanted > 0
            yield ctypes.string_at(made, target.position)
    if wanted:
        raise ValueError("its compressed content ends too early")


def _checked(library: ctypes.CDLL, result: int) -> int:
    if library.ZSTD_isError(result):
        raise ValueError(f"it can't be uncompressed ({library.ZSTD_getErrorName(result).decode()})")
    return result


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        packages = "install the package libzstd1 (Debian) or zstd-libs (Alpine) on this host"
        raise ValueError(f"it is compressed with zstd, and there is no {LIBRARY} here: {packages}") from None
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    for name, result, arguments in (
        ("ZSTD_createDCtx", pointer, ()),
        ("ZSTD_freeDCtx", size, (pointer,)),
        ("ZSTD_DCtx_setParameter", size, (pointer, ctypes.c_int, ctypes.c_int)),
        ("ZSTD_decompressStream", size, (pointer, pointer, pointer)),
        ("ZSTD_isError", ctypes.c_uint, (size,)),
        ("ZSTD_getErrorName", ctypes.c_char_p, (size,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
