# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the standard library the start of a container needs, for a fraction of its imports' time.

json, re, enum, signal, socket, contextlib and collections together take as long as a container's start itself. Each
file here has the names of one of them, from the parts in C that the interpreter has anyway.
"""
from __future__ import annotations
