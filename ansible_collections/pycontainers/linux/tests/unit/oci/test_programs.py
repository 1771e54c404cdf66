# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the host's programs are looked for, and which shell stays."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import programs
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.programs import find, is_static, paths


def test_programs_are_looked_for_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be executed is none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "of-no-package").write_text("#!/bin/sh\n")
    assert find("of-no-package") is None
    (tmp_path / "of-no-package").chmod(0o755)
    assert find("of-no-package") == str(tmp_path / "of-no-package")


def test_more_folders_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty part of PATH, which a shell takes for the folder it is in, is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f":{tmp_path}/first")
    for name in ("first", "last", "."):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "of-no-package").write_text("#!/bin/sh\n")
        (tmp_path / name / "of-no-package").chmod(0o755)
    found = list(paths("of-no-package", f"{tmp_path}/last"))
    assert found == [f"{tmp_path}/first/of-no-package", f"{tmp_path}/last/of-no-package"]


def elf(*kinds: int, size: int = 56, start: int = 64, order: str = "<") -> bytes:
    """The first bytes of a program of 64 bits with headers of these kinds (elf(5))."""
    head = b"\x7fELF\x02" + (b"\x01" if order == "<" else b"\x02")
    head = head.ljust(32, b"\0") + struct.pack(f"{order}QQIHHHHHH", start, 0, 0, 64, size, len(kinds), 0, 0, 0)
    return head + b"".join(struct.pack(f"{order}I", kind).ljust(size, b"\0") for kind in kinds)


def narrow(*kinds: int) -> bytes:
    """The same of one of 32 bits."""
    head = b"\x7fELF\x01\x01".ljust(28, b"\0") + struct.pack("<IIIHHHHHH", 52, 0, 0, 52, 32, len(kinds), 0, 0, 0)
    return head + b"".join(struct.pack("<I", kind).ljust(32, b"\0") for kind in kinds)


@pytest.mark.parametrize(
    ("content", "static"),
    [
        (elf(1, 1, 4), True),
        (elf(6, 3, 1), False),
        (elf(1, 3), False),
        (elf(1, order=">"), True),
        (elf(1, 3, order=">"), False),
        (narrow(1, 4).ljust(200), True),
        (narrow(1, 3).ljust(200), False),
        (elf(), False),
        (elf(1, start=1 << 62), False),
        (elf(1, 1)[:-1], False),
        (elf(1)[:40], False),
        (elf(1, size=0), False),
        (b"#!/bin/sh\n".ljust(200), False),
        (b"", False),
    ],
)
def test_what_needs_no_dynamic_linker(content: bytes, static: bool, tmp_path: Path) -> None:
    """A program none of whose headers names one; what is no program is none without."""
    (tmp_path / "program").write_bytes(content)
    assert is_static(str(tmp_path / "program")) is static


def test_what_is_not_there_is_not_static(tmp_path: Path) -> None:
    """Neither is a folder."""
    assert not is_static(str(tmp_path / "none"))
    assert not is_static(str(tmp_path))


QUIET = bytes.fromhex("31ff b83c000000 0f05")
"""Machine code of x86_64: exit(0)."""


def quiet() -> bytes:
    """A static program for x86_64 that says nothing and ends well."""
    base, place = 0x400000, 64 + 56
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + place, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    whole = place + len(QUIET)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, whole, whole, 4096) + QUIET


@pytest.mark.parametrize(
    ("content", "mode"),
    [(None, 0), (elf(1), 0o644), (elf(1), 0o755), (quiet(), 0o755), (b"#!/bin/sh\nexec /bin/sh", 0o755)],
)
def test_there_is_always_a_shell(
    content: bytes | None, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the host where the small one is not there, can't be executed, is none, or is linked."""
    monkeypatch.setattr(programs, "SMALL_SHELL", str(tmp_path / "busybox"))
    if content is not None:
        (tmp_path / "busybox").write_bytes(content)
        (tmp_path / "busybox").chmod(mode)
    assert programs.shell() == "/bin/sh"


def test_a_small_shell_does_what_it_has_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken where it passes the trial, and tried again when it is another one."""
    if not is_static(programs.SMALL_SHELL):
        pytest.skip(f"{programs.SMALL_SHELL} is missing here, or needs a dynamic linker")
    place = tmp_path / "busybox"
    shutil.copy(programs.SMALL_SHELL, place)
    monkeypatch.setattr(programs, "SMALL_SHELL", str(place))
    assert programs.shell() == str(place)
    place.write_bytes(quiet())
    assert programs.shell() == "/bin/sh"
