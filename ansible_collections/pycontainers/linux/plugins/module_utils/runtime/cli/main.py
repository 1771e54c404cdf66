# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``pycontainers``: the verbs, and what all of them share. Their grammar is Docker's where they do what it does."""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from ..core.layout import DEFAULT_ROOT, DEFAULT_RUN, Layout
from ..errors import Failure
from ..typed import Any
from .complaint import complain

Verb = Callable[[Layout, argparse.Namespace], int]

SUBJECTS = {
    "container_group": ("container",),
    "containers": ("restart", "rm", "start", "stop"),
    "ps": ("ps",),
    "inspect": ("inspect",),
    "logs": ("logs",),
    "run": ("create", "run"),
    "stats": ("stats",),
    "update": ("update",),
    "attach": ("attach",),
    "execute": ("exec",),
    "images": ("images", "pull", "rmi"),
    "prune": ("prune",),
    "archives": ("load", "save"),
    "changes": ("commit", "diff"),
    "copying": ("cp",),
    "doctor": ("doctor",),
    "events": ("events",),
    "image_look": ("history", "mount", "umount", "unmount"),
    "image_make": ("import", "tag"),
    "image_group": ("image",),
    "networks": ("network", "port"),
    "registries": ("push", "search", "tags"),
    "health": ("health",),
    "info": ("info",),
    "hold": ("kill", "pause", "rename", "top", "unpause", "wait"),
    "volumes": ("volume",),
    "service": ("boot", "exited", "resume", "shutdown"),
}
"""The verbs of each file. Only the file of the verb that is called is imported: all take a tenth of a second.

Those that no other file imports are named in ``resources/service.py`` too, for Ansible's archive.
"""

SHARED = ("--root", "--run")
"""The options before the verb, which have a value each."""


def main(arguments: Sequence[str] | None = None, prog: str = "pycontainers") -> int:
    """Run one verb and return its exit status. An error is one line on stderr, and status 1 (125 for exec)."""
    parser = _parser(prog, _called(sys.argv[1:] if arguments is None else arguments))
    chosen = parser.parse_args(arguments)
    layout = Layout(chosen.root, chosen.run)
    verb: Verb = chosen.verb
    try:
        return verb(layout, chosen)
    except BrokenPipeError:
        # The reader has had enough, as `head` does. Nothing more may be written when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (OSError, Failure) as error:
        complain(error)
    except KeyboardInterrupt:
        return 130
    return int(getattr(chosen, "failed", 1))


def _called(words: Sequence[str]) -> str:
    """The first word that is neither a shared option nor its value, which is the verb if it is one."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return word
        if word in SHARED:
            next(rest, None)
    return ""


def _subjects(verb: str) -> list[Any]:
    """The file of the verb; all files for what is none of these, so that help and errors name all."""
    names = [name for name, verbs in SUBJECTS.items() if verb in verbs] or list(SUBJECTS)
    return [import_module(f".{name}", __package__) for name in names]


def _parser(prog: str, verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Containers of this host, without a daemon.")
    environment = Layout.of_environment(os.environ)
    kept = f"what is kept (default {DEFAULT_ROOT})"
    parser.add_argument("--root", default=environment.root, metavar="DIR", help=kept)
    parser.add_argument("--run", default=environment.run, metavar="DIR", help=f"what runs (default {DEFAULT_RUN})")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for subject in _subjects(verb):
        subject.add(verbs)
    return parser
