# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins out of a credential helper: a program ``docker-credential-NAME`` that an auth file names.

It gets the registry on stdin and answers with JSON (docker-credential-helpers, README, "Development"). The file
that names it is its user's own, as is the PATH that it is looked for in.
"""
from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from ..errors import Failure

PATIENCE = 30.0
"""Seconds that a helper may take."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_NONE = b"credentials not found"
"""What a helper says of a registry that it has no login for."""


def ask(path: str, name: Any, place: str) -> str | None:
    """``user:password`` of a registry, or None if the helper has none. ``path`` is the file that names the helper."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Failure(f"read {path}", f"its credential helper {name!r} is no name of a program", "correct the name")
    program = f"docker-credential-{name}"
    operation = f"get the login of {place} from {program}, which {path} names"
    try:
        command = [program, "get"]
        done = subprocess.run(command, input=place.encode(), capture_output=True, timeout=PATIENCE, check=False)
    except FileNotFoundError:
        fix = f"install {program}, or keep the login in \"auths\" of the file"
        raise Failure(operation, "there is no such program in PATH", fix) from None
    except subprocess.TimeoutExpired:
        raise Failure(operation, f"it did not answer in {PATIENCE:.0f} seconds") from None
    except OSError as error:
        raise Failure(operation, error) from error
    if done.returncode:
        if _NONE in done.stdout.lower():
            return None
        words = " ".join((done.stdout or done.stderr)[:200].decode(errors="replace").split())
        raise Failure(operation, f"it failed with status {done.returncode}: {words}".rstrip(": "))
    try:
        said = json.loads(done.stdout)
        user, secret = said["Username"], said["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        user = secret = None
    if not isinstance(user, str) or not isinstance(secret, str) or ":" in user:
        raise Failure(operation, "its answer has no Username and Secret")
    return f"{user}:{secret}" if secret else None
