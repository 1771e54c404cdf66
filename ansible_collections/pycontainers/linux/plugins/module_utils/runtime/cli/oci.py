# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``pycontainers-oci``: the command line of an OCI runtime, as podman, containerd, docker and others call it."""
from __future__ import annotations

import os
import sys
import time

from ..errors import Failure, explain
from ..oci import limits
from ..oci.container import Containers
from ..typed import NamedTuple
from .oci_call import Call
from .options import FLAG, LIST, VALUE, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEFAULT_ROOT = "/run/pycontainers/oci"
VERSION = """pycontainers-oci version 0.1.0
spec: 1.2.0
+SECCOMP +CAP
"""

GLOBALS = {
    "root": VALUE,
    "log": VALUE,
    "log-format": VALUE,
    "log-level": VALUE,
    "debug": FLAG,
    "systemd-cgroup": FLAG,
    "cgroup-manager": VALUE,
    "rootless": FLAG,
    "version": FLAG,
    "help": FLAG,
}
"""``--rootless`` is taken as a flag or with any value: who runs us says enough of that."""

_CREATE = {
    "bundle": VALUE,
    "config": VALUE,
    "console-socket": VALUE,
    "pid-file": VALUE,
    "preserve-fds": VALUE,
    "no-pivot": FLAG,
    "no-new-keyring": FLAG,
    "network": VALUE,
    "publish": LIST,
}
_SHORT = {"b": "bundle", "f": "format", "q": "quiet", "a": "all", "r": "resources", "h": "help", "v": "version"}


class Verb(NamedTuple):
    """A verb: the module and function that carry it out, its options, and what they are for short."""

    module: str
    function: str
    options: Mapping[str, str]
    short: Mapping[str, str]
    failed: int = 1


VERBS = {
    "create": Verb("oci_life", "create", _CREATE, {"b": "bundle", "f": "config"}),
    "start": Verb("oci_life", "start", {}, {}),
    "run": Verb(
        "oci_life",
        "run",
        {**_CREATE, "detach": FLAG, "keep": FLAG, "no-subreaper": FLAG},
        {"b": "bundle", "f": "config", "d": "detach"},
    ),
    "kill": Verb("oci_life", "kill", {"all": FLAG}, _SHORT),
    "delete": Verb("oci_life", "delete", {"force": FLAG, "regex": FLAG}, {"f": "force"}),
    "exec": Verb(
        "oci_exec",
        "execute",
        {
            "process": VALUE,
            "detach": FLAG,
            "pid-file": VALUE,
            "console-socket": VALUE,
            "tty": FLAG,
            "cwd": VALUE,
            "env": LIST,
            "user": VALUE,
            "additional-gids": LIST,
            "cap": LIST,
            "no-new-privs": FLAG,
            "preserve-fds": VALUE,
            "ignore-paused": FLAG,
            "apparmor": VALUE,
            "process-label": VALUE,
        },
        {"p": "process", "d": "detach", "t": "tty", "e": "env", "u": "user", "g": "additional-gids", "c": "cap"},
        failed=255,
    ),
    "state": Verb("oci_look", "state", {}, {}),
    "list": Verb("oci_look", "listing", {"format": VALUE, "quiet": FLAG}, _SHORT),
    "ps": Verb("oci_look", "ps", {"format": VALUE}, _SHORT),
    "events": Verb("oci_events", "events", {"stats": FLAG, "interval": VALUE}, {}),
    "spec": Verb("oci_look", "spec", {"bundle": VALUE}, _SHORT),
    "features": Verb("oci_look", "features", {}, {}),
    "pause": Verb("oci_change", "pause", {}, {}),
    "resume": Verb("oci_change", "resume", {}, {}),
    "update": Verb(
        "oci_change",
        "update",
        {
            "resources": VALUE,
            **dict.fromkeys(
                "blkio-weight cpu-burst cpu-idle cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-share "
                "cpuset-cpus cpuset-mems kernel-memory kernel-memory-tcp memory memory-reservation memory-swap "
                "pids-limit".split(),
                VALUE,
            ),
        },
        _SHORT,
    ),
}


class Log:
    """Where errors and warnings are told: stderr, and the file of ``--log`` in the form of ``--log-format``."""

    def __init__(self, path: str, form: str) -> None:
        self.path, self.form = path, form

    def error(self, said: str) -> None:
        """Say what went wrong. stderr is for people and for clients that read no log."""
        sys.stderr.write(f"{said}\n")
        self._write("error", said)

    def warning(self, said: str) -> None:
        """Say what was left out; only the log is told."""
        self._write("warning", said)

    def _write(self, level: str, said: str) -> None:
        if not self.path:
            return
        import json

        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"time={moment} level={level} msg={json.dumps(said)}"
        if self.form == "json":
            line = json.dumps({"level": level, "msg": said, "time": moment})
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError as error:
            sys.stderr.write(f"cannot write the log {self.path}: {explain(error)}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit status: 1 for an error (255 for exec), else 0 or the program's own."""
    words = [_rootless(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    log, verb = Log("", "text"), None
    try:
        chosen = parse("use the command line", words, GLOBALS, {"v": "version", "h": "help"})
        log = Log(chosen.text("log"), chosen.text("log-format", "text"))
        if chosen.flag("version"):
            sys.stdout.write(VERSION)
            return 0
        if chosen.flag("help") or not chosen.words or chosen.words[0] == "help":
            sys.stdout.write(f"usage: pycontainers-oci [OPTIONS] VERB [OPTIONS] …\nverbs: {', '.join(VERBS)}\n")
            return 0
        verb = VERBS.get(chosen.words[0])
        if verb is None:
            raise Failure(f"run verb {chosen.words[0]}", f"there is none of this name; there are {', '.join(VERBS)}")
        inner = parse(f"run verb {chosen.words[0]}", chosen.words[1:], verb.options, verb.short)
        root = chosen.text("root", _default_root())
        limits.remember()
        return _function(verb)(Call(Containers(os.path.abspath(root)), chosen, inner, log.warning))
    except (OSError, Failure) as error:
        log.error(str(error) if isinstance(error, Failure) else explain(error))
    except KeyboardInterrupt:
        return 130
    return verb.failed if verb else 1


def _rootless(word: str) -> str:
    """Its values are words besides true and false (``auto``), and say nothing here."""
    return "--rootless" if word.lstrip("-").startswith("rootless=") and word.startswith("-") else word


def _default_root() -> str:
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return f"{folder}/pycontainers/oci" if os.geteuid() and folder else DEFAULT_ROOT


def _function(verb: Verb) -> Callable[[Call], int]:
    """The verb's function. Each group of verbs is imported when one of it is called."""
    if verb.module == "oci_life":
        from . import oci_life as module
    elif verb.module == "oci_exec":
        from . import oci_exec as module  # type: ignore[no-redef]
    elif verb.module == "oci_look":
        from . import oci_look as module  # type: ignore[no-redef]
    elif verb.module == "oci_events":
        from . import oci_events as module  # type: ignore[no-redef]
    else:
        from . import oci_change as module  # type: ignore[no-redef]
    found: Callable[[Call], int] = getattr(module, verb.function)
    return found
