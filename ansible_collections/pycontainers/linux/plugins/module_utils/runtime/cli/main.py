# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``pycontainers``: the verbs, and what all of them share. Their grammar is Docker's where they do what it does."""
from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence

from ..core.layout import DEFAULT_ROOT, DEFAULT_RUN, Layout
from ..errors import Failure
from .complaint import complain

Verb = Callable[[Layout, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None, prog: str = "pycontainers") -> int:
    """Run one verb and return its exit status. An error is one line on stderr, and status 1 (125 for exec)."""
    parser = _parser(prog)
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


def _parser(prog: str) -> argparse.ArgumentParser:
    from . import attach, containers, execute, images, inspect, registries, run, service

    parser = argparse.ArgumentParser(prog=prog, description="Containers of this host, without a daemon.")
    environment = Layout.of_environment(os.environ)
    kept = f"what is kept (default {DEFAULT_ROOT})"
    parser.add_argument("--root", default=environment.root, metavar="DIR", help=kept)
    parser.add_argument("--run", default=environment.run, metavar="DIR", help=f"what runs (default {DEFAULT_RUN})")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for subject in (containers, inspect, run, attach, execute, images, registries, service):
        subject.add(verbs)
    return parser
