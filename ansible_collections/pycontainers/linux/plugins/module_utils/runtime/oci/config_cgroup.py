# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``linux.cgroupsPath`` of an OCI configuration: where the container's control group is, in both of its grammars."""
from __future__ import annotations

from ..typed import NamedTuple
from .fields import Field

NAME_MAX = 255
DEFAULT_SLICE = "system.slice"


class CgroupPath(NamedTuple):
    """A cgroup below the hierarchy's root, without a slash at either end.

    ``absolute`` is whether it was written so; else the runtime may put it where it likes. ``slice`` and ``unit`` are
    systemd's names for it, empty in the plain grammar.
    """

    path: str
    absolute: bool
    slice: str = ""
    unit: str = ""


def cgroup_path(field: Field, systemd: bool) -> CgroupPath | None:
    """The path; None where nothing is said. With ``systemd`` the text is ``slice:prefix:name``."""
    said = field.path_text("", absolute=False)
    if not said:
        return None
    if "\n" in said:
        raise field.refusal("the kernel takes no newline in a cgroup's name")
    found = _unit(field, said) if systemd else CgroupPath("/".join(_parts(field, said)), said.startswith("/"))
    if any(len(part.encode()) > NAME_MAX for part in found.path.split("/")):
        raise field.refusal(f"a part of it has more than {NAME_MAX} bytes")
    return found


def _parts(field: Field, said: str) -> list[str]:
    parts: list[str] = []
    for part in said.split("/"):
        if part == "..":
            if not parts:
                raise field.refusal("it climbs out of the hierarchy by '..'")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        raise field.refusal("it is the root of the hierarchy, where no limit can be set")
    return parts


def _unit(field: Field, said: str) -> CgroupPath:
    """The path that systemd gives to a unit: its slice with all above it, then the unit (systemd.slice(5))."""
    parts = said.split(":")
    if len(parts) != 3:
        raise field.refusal("with systemd's cgroups it is slice:prefix:name, such as system.slice:pycontainers:web")
    inside, prefix, name = parts[0] or DEFAULT_SLICE, parts[1], parts[2]
    if not name or "/" in prefix or "/" in name:
        raise field.refusal("prefix and name have no '/', and there is a name")
    unit = name if name.endswith(".slice") else f"{prefix}-{name}.scope" if prefix else f"{name}.scope"
    return CgroupPath("/".join([*_slices(field, inside), unit]), True, inside, unit)


def _slices(field: Field, name: str) -> list[str]:
    """``a-b.slice`` is in ``a.slice``, and ``-.slice`` is the root."""
    if name == "-.slice":
        return []
    stem = name.removesuffix(".slice")
    levels = stem.split("-")
    if stem == name or "/" in stem or not all(levels):
        raise field.refusal(f"{name[:60]!r} is not the name of a slice")
    return ["-".join(levels[: depth + 1]) + ".slice" for depth in range(len(levels))]
