# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import (
    Failure,
    InvalidValue,
    NotFound,
    explain,
    failing,
)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/a"), "/a: No such file or directory"),
        (OSError(errno.EXDEV, "Invalid cross-device link", "/a", None, "/b"), "/a -> /b: Invalid cross-device link"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.ELOOP, "the directories overlap", "/a"), "/a: the directories overlap"),
        (OSError(errno.EACCES, None, "/a"), "/a: Permission denied"),
        (OSError("it is broken"), "it is broken"),
        (ValueError("it is not a size"), "it is not a size"),
        ("it is wet", "it is wet"),
    ],
)
def test_reasons_are_words(reason: object, words: str) -> None:
    """An error is told without numbers of the interpreter's, with its paths, in the words of whoever raised it."""
    assert explain(reason) == words


def test_a_failure_is_one_sentence() -> None:
    """A failure says what can't be done, why, and what to do."""
    assert str(Failure("mount /a", "it is wet")) == "cannot mount /a: it is wet"
    assert str(NotFound("find b", "there is none", "make one")) == "cannot find b: there is none; make one"
    assert str(InvalidValue("memory", "lots", "it is not a size")) == "cannot use 'lots' as memory: it is not a size"


def test_only_errors_of_the_system_are_turned_into_failures() -> None:
    """In a block that may fail, an error of the system becomes the failure of the operation; a bug stays a bug."""
    with pytest.raises(Failure) as caught, failing("paint the wall", "open a window"):
        raise PermissionError(errno.EACCES, "Permission denied", "/wall")
    assert str(caught.value) == "cannot paint the wall: /wall: Permission denied; open a window"
    assert isinstance(caught.value.__cause__, PermissionError)
    with pytest.raises(KeyError), failing("paint the wall"):
        raise KeyError("wall")
    inner = NotFound("find the brush", "it is gone")
    with pytest.raises(NotFound) as passed, failing("paint the wall"):
        raise inner
    assert passed.value is inner
