# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of variables."""
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.env_file import read


def test_a_file_is_read_as_docker_reads_it(tmp_path: Path) -> None:
    """Values are as they stand there, comments and empty lines say nothing, the last of two counts."""
    path = tmp_path / "env"
    path.write_bytes(b"\xef\xbb\xbfA=1\r\n\n# B=2\n  C='x y' # z \nD=\nE=a=b\nA=\xc3\xbc\n")
    assert read(str(path)) == {"A": "ü", "C": "'x y' # z ", "D": "", "E": "a=b"}


def test_a_name_alone_is_the_callers(tmp_path: Path) -> None:
    """On the command line a name without a value has the caller's, and is left out if that has none."""
    path = tmp_path / "env"
    path.write_text("A\nB\n")
    assert read(str(path), {"A": "1", "C": "3"}) == {"A": "1"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"A=1\nsecret\n", "line 2 gives its variable no value"),
        (b"=1\n", "line 1 does not begin with a variable's name"),
        (b"a secret=1\n", "line 1 does not begin with a variable's name"),
        (b"A=\0\n", "line 1 contains a NUL byte"),
        (b"A=\xff\n", "it is not text in UTF-8"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """The error names the option, the file and the line, and repeats nothing of it."""
    path = tmp_path / "env"
    path.write_bytes(content)
    with pytest.raises(InvalidValue) as caught:
        read(str(path))
    assert caught.value.option == "env_file"
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """So is a directory."""
    with pytest.raises(InvalidValue, match="there is no such file on the host"):
        read(str(tmp_path / "none"))
    with pytest.raises(InvalidValue, match="directory"):
        read(str(tmp_path))
