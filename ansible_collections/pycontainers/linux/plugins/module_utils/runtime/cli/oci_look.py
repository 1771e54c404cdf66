# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that only look: state, list, ps, spec, features."""
from __future__ import annotations

import json
import os
import sys

from ..core import store
from ..errors import Failure, NotFound
from ..kernel.process import process
from ..kernel.seccomp_names import ACTIONS, ARCHITECTURES, FLAGS, OPERATORS
from ..kernel.security import CAPABILITIES, DEFAULT_CAPABILITIES
from ..oci import container, end
from ..oci.config_linux import NAMESPACES
from ..oci.config_mounts import OPTION_WORDS
from ..oci.config_process import HOOKS
from ..oci.spec import DEFAULT_PATH, MASKED_PATHS, MOUNTS, READONLY_PATHS
from ..oci.spec import NAMESPACES as DEFAULT_NAMESPACES
from ..typed import Any
from .oci_call import Call


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def state(call: Call) -> int:
    """Print the state document."""
    (identity,) = call.chosen.only(1, "a container id")
    record = call.containers.load(identity)
    _say(_ordered(container.state(record, call.containers.status(record))))
    return 0


def _ordered(document: dict[str, Any]) -> dict[str, Any]:
    """As people expect it: version, id, pid, status and the rest."""
    first = ("ociVersion", "id", "pid", "status")
    return {**{name: document[name] for name in first}, **document}


def listing(call: Call) -> int:
    """Print all containers."""
    call.chosen.only(0, "")
    found = []
    for identity in call.containers.ids():
        try:
            record = call.containers.load(identity)
            found.append(_ordered(container.state(record, call.containers.status(record))))
        except NotFound:
            continue  # One that is deleted meanwhile, or is only being made, is none.
        except container.Damaged as error:
            call.warn(str(error))
            found.append(_ordered(container.state(container.bare(identity, ""), container.DAMAGED)))
    if call.chosen.flag("quiet"):
        sys.stdout.write("".join(f"{each['id']}\n" for each in found))
    elif call.chosen.text("format", "table") == "json":
        _say(found)
    else:
        columns = ("id", "pid", "status", "bundle", "created", "owner")
        rows = [[name.upper() for name in columns], *([str(each[name]) for name in columns] for each in found)]
        widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
        for row in rows:
            line = "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            sys.stdout.write(line.rstrip() + "\n")
    return 0


def ps(call: Call) -> int:
    """Print the processes: pids as JSON, or with their command lines."""
    identity = call.chosen.words[0] if call.chosen.words else ""
    record = call.containers.load(identity)
    if call.containers.status(record) == container.STOPPED:
        raise Failure(f"list processes of container {identity}", "container not running")
    pids = [pid for pid in end.members(record) if process(pid)]
    if call.chosen.text("format", "table") == "json":
        sys.stdout.write(json.dumps(pids) + "\n")
        return 0
    sys.stdout.write("PID        CMD\n")
    for pid in pids:
        words = (store.read(f"/proc/{pid}/cmdline") or b"").rstrip(b"\0").replace(b"\0", b" ")
        sys.stdout.write(f"{pid:<10} {words.decode(errors='replace')}\n")
    return 0


def spec(call: Call) -> int:
    """Write a config.json to begin with into the bundle."""
    path = os.path.join(call.chosen.text("bundle", "."), "config.json")
    if os.path.exists(path):
        raise Failure(f"write {path}", "it exists already", "move it away first")
    store.write_json(path, template(), 0o644)
    return 0


def template() -> dict[str, Any]:
    """A configuration with the defaults of the containers that this project runs, for a shell on a terminal."""
    mounts = [
        {"destination": place, "type": kind, "source": source, "options": _options(place, options)}
        for place, kind, source, options in MOUNTS
    ]
    capabilities = list(DEFAULT_CAPABILITIES)
    sets = dict.fromkeys(("bounding", "effective", "permitted"), capabilities)
    return {
        "ociVersion": "1.2.0",
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": [f"PATH={DEFAULT_PATH}", "TERM=xterm"],
            "cwd": "/",
            "capabilities": sets,
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "pycontainers",
        "mounts": mounts,
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in (*DEFAULT_NAMESPACES, "network")],
            "maskedPaths": list(MASKED_PATHS),
            "readonlyPaths": list(READONLY_PATHS),
        },
    }


def _options(place: str, options: tuple[str, ...]) -> list[str]:
    """The nodes in /dev are made there, and not bound from the host: ``nodev`` would make them useless."""
    return [word for word in options if (place, word) != ("/dev", "nodev")]


def features(call: Call) -> int:
    """Print what this runtime can do (runtime-spec features.md)."""
    call.chosen.only(0, "")
    _say(
        {
            "ociVersionMin": "1.0.0",
            "ociVersionMax": "1.3.0",
            "hooks": list(HOOKS),
            "mountOptions": list(OPTION_WORDS),
            "linux": {
                "namespaces": sorted(NAMESPACES),
                "capabilities": [f"CAP_{name}" for name in CAPABILITIES],
                "cgroup": {"v1": True, "v2": True, "systemd": False, "systemdUser": False, "rdma": False},
                "seccomp": {
                    "enabled": True,
                    "actions": list(ACTIONS),
                    "operators": list(OPERATORS),
                    "archs": list(ARCHITECTURES),
                    "knownFlags": list(FLAGS),
                    "supportedFlags": [name for name in FLAGS if "WAIT" not in name],
                },
                "apparmor": {"enabled": True},
                "selinux": {"enabled": True},
                "intelRdt": {"enabled": False},
                "mountExtensions": {"idmap": {"enabled": True}},
                "netDevices": {"enabled": True},
            },
        }
    )
    return 0
