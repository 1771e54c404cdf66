# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the cache: each is built once, beside its place, and renamed into it whole."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import RegistryFailure


def home() -> Path:
    """Return the directory of all entries (XDG Base Directory Specification, `$XDG_CACHE_HOME`)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification says that a relative path is to be ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "pycontainers-testbed"


def once(name: str, build: Callable[[Path], None]) -> Path:
    """Return the entry `name`, calling `build(directory)` first if it does not exist.

    Two callers at the same time build once: the second waits. An entry is there whole or not at all.
    Errors: whatever `build` raises, with nothing left behind; RegistryFailure where the cache cannot be written.
    """
    entry = home() / name
    if entry.is_dir():
        return entry
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RegistryFailure(
            f"cannot create the cache {entry.parent}: {error.strerror}; set XDG_CACHE_HOME to a writable directory"
        ) from error
    with locked(entry.with_name(f".{name}.lock")):
        if entry.is_dir():
            return entry
        # Only the holder of the lock has such a directory, so any other is from a run that was killed.
        for leftover in entry.parent.glob(f".{name}.new-*"):
            shutil.rmtree(leftover)
        aside = Path(tempfile.mkdtemp(prefix=f".{name}.new-", dir=entry.parent))
        try:
            build(aside)
            aside.chmod(0o755)
            os.sync()
            aside.rename(entry)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    return entry


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file `path` exclusively, waiting for another holder to let go (flock(2))."""
    with path.open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
