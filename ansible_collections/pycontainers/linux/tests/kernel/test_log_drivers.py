# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers say goes to syslog, to the journal, or nowhere, as their log driver says."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle, loggers
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot, wait

S6_LOG = loggers.find("s6-log") or "/usr/bin/s6-log"


@pytest.fixture
def syslog(tmp_path: Path, host: Host) -> Iterator[socket.socket]:
    """Listen where a syslog daemon does, in a /dev that is the tests' own."""
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    options = f"lowerdir=/dev,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, "/dev"], check=True)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(loggers.SYSLOG_SOCKET)
            listener.settimeout(10)
            yield listener
    finally:
        subprocess.run(["umount", "-l", "/dev"], check=True)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as the journal does, at another place."""
    path = str(tmp_path / "journal")
    monkeypatch.setattr(loggers, "JOURNAL_SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(10)
        yield listener


def test_syslog_has_lines_with_a_tag(host: Host, syslog: socket.socket) -> None:
    """Each line is a message of the facility daemon, a last one without an end too; nothing is kept here."""
    options = {"tag": "web/{{.Name}}-{{.ID}}"}
    container = host.shell("echo one; echo two >&2; printf three", log_driver="syslog", log_options=options)
    said = [syslog.recv(65536).decode() for _ in range(3)]
    assert all(each.startswith("<30>") for each in said)
    tag = f" web/c-{(container.id or '')[:12]}: "
    assert [each.rpartition(tag)[2].rstrip("\n") for each in said] == ["one", "two", "three"]
    host.ended(container)
    where = "its log driver is syslog, so its lines go to the host's syslog, with the tag web/c-"
    assert where in host.failure("logs", "c")
    assert os.listdir(lifecycle.log_folder(host.layout, container.id or "")) == []


def test_a_killed_logger_of_syslog_ends_nothing_else(host: Host, syslog: socket.socket) -> None:
    """The program is told when it writes again, and the next run has a logger."""
    container = host.shell("while echo more; do sleep 0.02; done; exit 4", log_driver="syslog")
    syslog.recv(65536)
    reader = lifecycle.logger(host.layout, container.id or "")
    assert reader is not None
    reader.signal(signal.SIGKILL)
    assert host.ended(container).exit_code in (4, 128 + signal.SIGPIPE)
    host.converge(state="started")
    wait(lambda: lifecycle.logger(host.layout, container.id or "") not in (None, reader))
    host.converge(state="stopped")


def test_the_journal_is_spoken_to_directly(host: Host, journal: socket.socket) -> None:
    """The program writes to the journal's socket, which is told first whose lines these are; no logger is needed."""
    container = host.shell("echo one; exec sleep 1000", log_driver="journald", log_options={"tag": "web"})
    stream, _ = journal.accept()
    with stream:
        stream.settimeout(10)
        said = b""
        while b"one\n" not in said:
            said += stream.recv(65536)
        assert said == b"web\n\n6\n0\n0\n0\n0\none\n"
        assert lifecycle.logger(host.layout, container.id or "") is None
        assert "journalctl -t web" in host.failure("logs", "c")
        assert "journalctl -t web" in host.failure("attach", "c")
        host.converge(state="stopped")
        assert stream.recv(1) == b""


def test_a_journal_that_refuses_is_told(host: Host, journal: socket.socket) -> None:
    """A start says which socket it was, and nothing is left of it."""
    host.run(state="stopped")
    journal.close()
    before = snapshot(host.layout)
    with pytest.raises(Failure, match=r"log to the journal: .*/journal: Connection refused"):
        host.converge(log_driver="journald")
    after = snapshot(host.layout)
    assert (after["mounts"], after["processes"]) == (before["mounts"], before["processes"])


def test_none_keeps_nothing(host: Host) -> None:
    """What is said goes to /dev/null, there is no logger, and that is told."""
    container = host.shell("echo one; exec sleep 1000", log_driver="none")
    assert [os.readlink(f"/proc/{host.pid()}/fd/{number}") for number in (1, 2)] == ["/dev/null"] * 2
    assert lifecycle.logger(host.layout, container.id or "") is None
    assert "its log driver is none, so its lines are kept nowhere" in host.failure("logs", "c")
    assert host.converge().facts["container"]["HostConfig"]["LogConfig"] == {"Type": "none", "Config": {}}
    assert "be attached to" in host.failure("run", "--log-driver", "none", host.busybox, "true", code=125)
    identity = host.ok("run", "-d", "--log-driver", "file", "--log-opt", "max-size=1m", host.busybox, "true").strip()
    shown = json.loads(host.ok("inspect", identity))[0]["HostConfig"]["LogConfig"]
    assert shown == {"Type": "file", "Config": {"max-size": str(1 << 20)}}


@pytest.mark.parametrize(
    ("asked", "option", "reason"),
    [
        ({"log_driver": "syslog"}, "log_driver", "there is no /dev/log on this host"),
        ({"log_driver": "none", "log_options": {"max-size": "1m"}}, "log_options", "nothing to the log driver none"),
        ({"log_driver": "syslog", "log_options": {"max-file": 2}}, "log_options", "syslog, whose options are: tag"),
        ({"log_options": {"tag": "a"}}, "log_options", "driver file, whose options are: max-size, max-file"),
        ({"log_driver": "none", "tty": True}, "log_driver", "what a terminal shows is kept in files"),
    ],
)
def test_what_makes_no_sense_is_refused_first(host: Host, asked: dict[str, Any], option: str, reason: str) -> None:
    """By a check and by a run alike, before anything is touched."""
    host.run()
    before = snapshot(host.layout)
    for check in (True, False):
        with pytest.raises(InvalidValue, match=reason) as caught:
            host.converge(**asked, check=check)
        assert caught.value.option == option
    assert snapshot(host.layout) == before


def test_a_host_without_s6_is_told_of(host: Host) -> None:
    """A task warns of it for a container that runs, and the doctor has it for one thing that one can do without."""
    host.run()
    assert "warnings" not in host.converge().facts
    assert host.ok("doctor") == "all is as it should be\n"
    subprocess.run(["mount", "--bind", "/dev/null", S6_LOG], check=True)
    try:
        host.run(name="d", tty=True)
        told = host.converge().facts["warnings"]
        said = host.ok("doctor")
        assert "warnings" not in host.converge("d").facts
    finally:
        subprocess.run(["umount", S6_LOG], check=True)
    assert len(told) == 1
    assert "container c: s6-log, of the package s6, is missing" in told[0]
    assert "container c: s6-log, of the package s6, is missing" in said
    assert said.endswith("\n1 finding\n")
