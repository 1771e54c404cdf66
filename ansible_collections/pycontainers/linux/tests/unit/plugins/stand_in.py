# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime's root whose command line enters nothing: what is for a container runs here. And Ansible to call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[6]

PROGRAM = """\
#!/bin/sh
printf '%s|' "$@" >> {folder}/calls
echo >> {folder}/calls
shift 4
[ "$1" != ps ] || {{ . {folder}/answer; exit; }}
stdin=/dev/null
shift
while :; do
    case $1 in
    -i) stdin= && shift ;;
    -u) shift 2 ;;
    *) break ;;
    esac
done
[ "$1" = web ] || {{ echo "pycontainers: cannot find container $1: there is none of this name or id" >&2; exit 125; }}
shift
[ -z "$stdin" ] || exec < $stdin
exec "$@"
"""


@dataclass(frozen=True)
class StandIn:
    """The stand-in's folder, which has inventories and what is copied too."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> StandIn:
        """One in an empty folder, that has no containers but one called web."""
        made = cls(folder)
        program = made.root / "runtime/current/pycontainers"
        program.parent.mkdir(parents=True)
        program.write_text(PROGRAM.format(folder=folder))
        program.chmod(0o755)
        made.answer("[]")
        (folder / "calls").write_text("")
        return made

    @property
    def root(self) -> Path:
        """The runtime's root."""
        return self.folder / "root"

    @property
    def calls(self) -> list[list[str]]:
        """The words of all calls."""
        return [line.split("|")[:-1] for line in (self.folder / "calls").read_text().splitlines()]

    def answer(self, text: str, script: str = "") -> None:
        """Say what it lists, and what it does after that."""
        (self.folder / "listing").write_text(text)
        (self.folder / "answer").write_text(f"cat {self.folder}/listing\n{script}\n")

    def write(self, name: str, content: Any) -> Path:
        """A file of the folder with something as JSON, which is YAML too."""
        path = self.folder / name
        path.write_text(json.dumps(content))
        return path

    def ansible(self, tool: str, *words: object) -> subprocess.CompletedProcess[str]:
        """Run a command of Ansible's."""
        environment = {
            **os.environ,
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_REMOTE_TMP": str(self.folder / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        environment.pop("ANSIBLE_CONFIG", None)
        command = [str(Path(sys.executable).with_name(tool)), *map(str, words)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False, cwd="/"
        )
