# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the host's programs are looked for, and which shell stays."""

from __future__ import annotations

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


def elf(*kinds: int, size: int = 56, start: int = 64) -> bytes:
    """The first bytes of a program with headers of these kinds (elf(5))."""
    head = b"\x7fELF\x02".ljust(32, b"\0") + struct.pack("=QQIHHHHHH", start, 0, 0, 64, size, len(kinds), 0, 0, 0)
    return head + b"".join(struct.pack("=I", kind).ljust(size, b"\0") for kind in kinds)


@pytest.mark.parametrize(
    ("content", "static"),
    [
        (elf(1, 1, 4), True),
        (elf(6, 3, 1), False),
        (elf(1, 3), False),
        (elf(), False),
        (elf(1, start=1 << 40), False),
        (elf(1, 1)[:-1], False),
        (elf(1)[:40], False),
        (elf(1).replace(b"\x02", b"\x01", 1), False),
        (elf(1, size=0), False),
        (b"#!/bin/sh\n".ljust(200), False),
        (b"", False),
    ],
)
def test_what_needs_no_dynamic_linker(content: bytes, static: bool, tmp_path: Path) -> None:
    """A program of 64 bits none of whose headers names one; what is no such program is none without."""
    (tmp_path / "program").write_bytes(content)
    assert is_static(str(tmp_path / "program")) is static


def test_what_is_not_there_is_not_static(tmp_path: Path) -> None:
    """Neither is a folder."""
    assert not is_static(str(tmp_path / "none"))
    assert not is_static(str(tmp_path))


def test_there_is_always_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small one where it is static, else that of the host."""
    monkeypatch.setattr(programs, "SMALL_SHELL", str(tmp_path / "busybox"))
    assert programs.shell() == "/bin/sh"
    (tmp_path / "busybox").write_bytes(elf(1))
    assert programs.shell() == str(tmp_path / "busybox")
