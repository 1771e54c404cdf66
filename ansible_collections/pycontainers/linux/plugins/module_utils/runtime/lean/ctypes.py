# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of :mod:`ctypes` is needed to call the C library, without the types of all other libraries."""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL as CDLL
    from ctypes import Structure as Structure
    from ctypes import byref as byref
    from ctypes import c_char_p as c_char_p
    from ctypes import c_int as c_int
    from ctypes import c_long as c_long
    from ctypes import c_uint as c_uint
    from ctypes import c_uint64 as c_uint64
    from ctypes import c_ulong as c_ulong
    from ctypes import c_ushort as c_ushort
    from ctypes import c_void_p as c_void_p
    from ctypes import get_errno as get_errno
    from ctypes import sizeof as sizeof
else:
    from _ctypes import (  # noqa: F401
        FUNCFLAG_CDECL,
        FUNCFLAG_USE_ERRNO,
        RTLD_LOCAL,
        CFuncPtr,
        Structure,
        _SimpleCData,
        byref,
        dlopen,
        get_errno,
        sizeof,
    )

    def _simple(name, letter):
        return type(_SimpleCData)(name, (_SimpleCData,), {"_type_": letter})

    c_int, c_uint, c_ushort = _simple("c_int", "i"), _simple("c_uint", "I"), _simple("c_ushort", "H")
    c_long, c_ulong = _simple("c_long", "l"), _simple("c_ulong", "L")
    c_uint64 = c_ulong if sizeof(c_ulong) == 8 else _simple("c_uint64", "Q")
    c_char_p, c_void_p = _simple("c_char_p", "z"), _simple("c_void_p", "P")

    class _Function(CFuncPtr):
        _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
        _restype_ = c_int

    class CDLL:
        """A library whose functions are its attributes, and leave errno for :func:`get_errno`."""

        def __init__(self, name, use_errno=True):
            """Load it; no name stands for what the interpreter has loaded."""
            self._handle = dlopen(name, RTLD_LOCAL)

        def __getattr__(self, name):
            """The function of this name, made once."""
            found = _Function((name, self))
            setattr(self, name, found)
            return found
