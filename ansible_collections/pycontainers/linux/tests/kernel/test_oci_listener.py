# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process outside answers for system calls of a container (``linux.seccomp.listenerPath``)."""
from __future__ import annotations

import array
import fcntl
import json
import os
import socket
import struct
import threading
from pathlib import Path
from typing import Any

from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import Oci
from ansible_collections.pycontainers.linux.tests.kernel.test_seccomp import NOTIF_RECV, NOTIF_SEND, NOTIFICATION

NETDOWN = -100


class Agent(threading.Thread):
    """Takes one listener with its document, and answers one call with ENETDOWN."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.told, self.caller = path, "", 0
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen(1)
        self.server.settimeout(20)

    def run(self) -> None:
        """Take the listener, answer, and go."""
        channel, _ = self.server.accept()
        with self.server, channel:
            said, (listener,), _, _ = socket.recv_fds(channel, 65536, 1)
            self.told = said.decode()
        told = array.array("B", bytes(NOTIFICATION))
        fcntl.ioctl(listener, NOTIF_RECV, told)
        identity, self.caller = struct.unpack_from("=QI", told)
        fcntl.ioctl(listener, NOTIF_SEND, struct.pack("=QqiI", identity, 0, NETDOWN, 0))
        os.close(listener)
        self.path.unlink()


def _asking(path: Path) -> Any:
    def change(document: dict[str, Any]) -> None:
        call = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}
        document["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [call],
            "listenerPath": str(path),
            "listenerMetadata": "for the test",
        }

    return change


def test_an_agent_answers_for_the_program(oci: Oci, tmp_path: Path) -> None:
    """It gets the listener and the state of the container, and its answer is what the call returns."""
    agent = Agent(tmp_path / "agent")
    agent.start()
    oci.configure("mkdir", "/made", change=_asking(agent.path))
    done = oci.call("run", "asked")
    agent.join(20)
    assert "Network is down" in done.stderr
    told = json.loads(agent.told)
    assert (told["fds"], told["metadata"], told["state"]["id"]) == (["seccompFd"], "for the test", "asked")
    assert told["pid"] == told["state"]["pid"] == agent.caller
    assert told["state"]["status"] == "creating"
    assert not (oci.rootfs / "made").exists()


def test_an_agent_answers_for_another_program(oci: Oci, tmp_path: Path) -> None:
    """An exec has a listener of its own; the document says which process it is, and that the container runs."""
    first = tmp_path / "agent"
    agent = Agent(first)
    agent.start()
    oci.configure("sh", "-c", "mkdir /made; exec sleep 1000", change=_asking(first))
    pid = oci.run()
    agent.join(20)
    other = Agent(first)
    other.start()
    done = oci.call("exec", "c", "mkdir", "/made")
    other.join(20)
    assert "Network is down" in done.stderr
    told = json.loads(other.told)
    assert (told["state"]["status"], told["state"]["pid"]) == ("running", pid)
    assert told["pid"] == other.caller != pid


def test_without_an_agent_nothing_is_made(oci: Oci, tmp_path: Path) -> None:
    """A path where nobody listens is an error that names it."""
    assert str(tmp_path / "nobody") in oci.refused(_asking(tmp_path / "nobody"))
