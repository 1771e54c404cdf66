# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``pycontainers`` as people call it: every test runs the installed command line."""
from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_order,
    container_state,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_info import (
    CONTAINER_INFO,
    ContainerInfo,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.dependencies import Dependency
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, wait
from testbed.registry import Server


def test_ps_lists_containers(host: Host) -> None:
    """Ps lists what runs, with -a all, the newest first; with image, command, state, ports and name."""
    host.network()
    web = host.run(name="web", networks=[{"name": "front"}], published_ports=["8080:80", "8053:53/udp"])
    time.sleep(0.01)
    host.shell("exit 3", "done")
    host.ended(host.observed("done"))
    host.converge("made", image=host.busybox, command=["sleep", "1"], state="stopped")
    lines = host.ok("ps").splitlines()
    assert lines[0].split() == "CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES".split()
    assert len(lines) == 2
    assert lines[1].startswith((web.id or "")[:12])
    for word in (host.busybox, '"sleep 1000"', "Up ", "0.0.0.0:8080->80/tcp", "0.0.0.0:8053->53/udp"):
        assert word in lines[1]
    every = host.ok("ps", "-a").splitlines()
    assert [line.split()[-1] for line in every[1:]] == ["made", "done", "web"]
    assert "Created" in every[1]
    assert "Exited (3)" in every[2]
    assert host.ok("ps", "-q").split() == [(web.id or "")[:12]]
    assert host.ok("ps", "-q", "--no-trunc").split() == [web.id]
    shown = json.loads(host.ok("ps", "-a", "--json"))
    assert [each["Name"] for each in shown] == ["/made", "/done", "/web"]
    assert [each["State"]["Status"] for each in shown] == ["created", "exited", "running"]


def test_ps_tells_of_what_it_can_not_read(host: Host) -> None:
    """A damaged record is named on stderr, and the others are listed."""
    host.run(name="good")
    damaged = host.run(name="damaged")
    record = Path(container_state.record_path(host.layout, damaged.id or ""))
    text = record.read_text()
    record.write_text("{")
    result = host.cli("ps", "-a")
    record.write_text(text)
    assert [line.split()[-1] for line in result.stdout.splitlines()[1:]] == ["good"]
    assert result.stderr.count("\n") == 1
    assert str(record) in result.stderr
    assert result.returncode == 1


def test_logs(host: Host) -> None:
    """Logs prints what the program wrote, its last lines with -n, and follows with -f until it ends."""
    container = host.shell("for n in 1 2 3; do echo line $n; done; read x < /hold; echo late; printf end",
                           volumes=[f"{_fifo(host)}:/hold"])  # fmt: skip
    wait(lambda: "line 3" in host.log(container))
    assert host.ok("logs", "c") == "line 1\nline 2\nline 3\n"
    assert host.ok("logs", "-n", "2", (container.id or "")[:8]) == "line 2\nline 3\n"
    assert host.ok("logs", "-n", "0", "c") == ""
    assert host.ok("logs", "--tail", "all", "c") == host.ok("logs", "-n", "99", "c")
    with host.beside("logs", "-f", "-n", "1", "c") as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"line 3\n"
        Path(_fifo(host)).write_text("go\n")
        assert follower.stdout.read() == b"late\nend"
        assert follower.wait(10) == 0
    assert host.ok("logs", "-n", "1", "c") == "end"
    assert host.ok("logs", "-n", "2", "c") == "late\nend"
    assert "neither a number nor all" in host.failure("logs", "-n", "x", "c")


def _fifo(host: Host) -> str:
    path = f"{host.layout.root}/fifo"
    if not os.path.exists(path):
        os.mkfifo(path)
    return path


def test_logs_end_when_the_container_is_removed(host: Host) -> None:
    """A log that is followed ends without a complaint when its container is removed."""
    host.shell("echo here; sleep 1000")
    with host.beside("logs", "-f", "c") as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"here\n"
        host.ok("rm", "-f", "c")
        assert follower.wait(10) == 0
        assert follower.stderr is not None
        assert follower.stderr.read() == b""


def test_start_stop_restart_rm(host: Host) -> None:
    """The verbs do what they say to each container that is named, and nothing where there is nothing to do."""
    one, two = host.run(name="one"), host.run(name="two")
    pid = host.pid("one")
    assert host.ok("start", "one") == "one\n"
    assert host.pid("one") == pid
    assert host.ok("stop", "-t", "0", "one", (two.id or "")[:6]) == f"one\n{(two.id or '')[:6]}\n"
    assert (host.pid("one"), host.pid("two")) == (0, 0)
    assert host.ok("stop", "one") == "one\n"
    assert host.ok("start", "one", "two") == "one\ntwo\n"
    pid = host.pid("one")
    assert host.ok("restart", "-t", "0", "one") == "one\n"
    assert host.pid("one") not in (0, pid)
    assert host.observed("one").id == one.id
    assert "it runs" in host.failure("rm", "one")
    assert host.pid("one")
    assert host.ok("rm", "-f", "one", "two") == "one\ntwo\n"
    assert container_state.identities(host.layout) == []
    wait(lambda: processes(host.layout) == [])


def test_a_start_whose_port_is_taken(host: Host) -> None:
    """A stopped container whose port another one has by now is not started, and the error names both."""
    host.network()
    host.run(networks=[{"name": "front"}], published_ports=["8080:80"])
    host.ok("stop", "-t", "0", "c")
    other = host.run(name="other", networks=[{"name": "front"}], published_ports=["8080:80"])
    said = host.failure("start", "c")
    assert "8080" in said
    assert dict(other.held)["front"][0] in said
    assert host.observed().remains == ()


def test_one_failure_holds_up_no_other(host: Host) -> None:
    """Of several containers those that can be stopped are, the others are told of, and the status is 1."""
    host.run(name="one")
    result = host.cli("stop", "-t", "0", "nosuch", "one")
    assert (result.returncode, result.stdout) == (1, "one\n")
    assert "nosuch" in result.stderr
    assert host.pid("one") == 0


def test_a_restart_publishes_what_is_declared(host: Host) -> None:
    """A restart brings ports and limits back as declared, not as somebody has changed them."""
    host.network()
    host.run(networks=[{"name": "front"}], published_ports=["8080:80"])
    declared = host.observed()
    subprocess.run(["nft", "flush", "map", "inet", "pycontainers", "ports_any"], check=True)
    assert host.observed() != declared
    host.ok("restart", "-t", "0", "c")
    assert host.observed() == declared


def test_images_pull_rmi(host: Host, server: Server) -> None:
    """An image is pulled, listed, and removed when no container uses it any more."""
    name = f"{server.address}/busybox:multi"
    Path(host.layout.root, "registries.json").write_text("{}")
    result = host.cli("pull", name)
    assert (result.returncode, result.stdout) == (0, f"{name}\n")
    lines = [line.split() for line in host.ok("images").splitlines()]
    assert lines[0] == "REPOSITORY TAG IMAGE ID CREATED SIZE".split()
    expected = [name.rsplit(":", 1), host.busybox.rsplit(":", 1)]
    assert sorted(line[:2] for line in lines[1:]) == sorted(expected)
    assert len(host.ok("images", "-q").split()) == len(json.loads(host.ok("images", "--json")))
    assert host.ok("rmi", name) == f"{name}\n"
    assert name.rpartition(":")[2] not in host.ok("images")
    assert "there is none of this name" in host.failure("rmi", name)
    assert host.failure("pull", "127.0.0.1:1/no/such")
    assert host.failure("pull", "NOT A NAME")


def test_inspect(host: Host) -> None:
    """Inspect prints what docker inspect would, by name and by the beginning of an id."""
    container = host.run(memory="32m")
    (shown,) = json.loads(host.ok("inspect", "c"))
    assert (shown["Id"], shown["Name"]) == (container.id, "/c")
    assert shown["HostConfig"]["Memory"] == 32 << 20
    assert shown["State"] | {"StartedAt": ""} == {
        "Status": "running", "Running": True, "Paused": False, "Restarting": False, "Pid": host.pid(), "ExitCode": 0,
        "Error": "",
        "StartedAt": "", "FinishedAt": "0001-01-01T00:00:00Z",
        "OOMKilled": False, "OomKills": 0, "OomKilledAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    assert json.loads(host.ok("inspect", (container.id or "")[:5])) == [shown]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["start", "nosuch"], 1),
        (["stop", "nosuch"], 1),
        (["restart", "nosuch"], 1),
        (["rm", "-f", "nosuch"], 1),
        (["logs", "nosuch"], 1),
        (["logs", "-f", "nosuch"], 1),
        (["inspect", "nosuch"], 1),
        (["exec", "nosuch", "true"], 125),
        (["rmi", "nosuch:tag"], 1),
        (["stop", "../../etc"], 1),
        (["inspect", ""], 1),
    ],
)
def test_what_is_not_there_is_named(host: Host, words: list[str], code: int) -> None:
    """A container or image that is not there is named in one sentence, without a traceback."""
    assert words[-1] in host.failure(*words, code=code) or words[0] == "exec"


def test_an_ambiguous_id_is_refused(host: Host) -> None:
    """The beginning of several ids names none of them."""
    identity = host.run().id or ""
    other = Path(host.layout.container(identity[:32] + "f" * 32))
    other.mkdir()
    assert "2 ids begin so" in host.failure("inspect", identity[:4])
    other.rmdir()
    assert host.ok("inspect", identity[:4])


def test_a_few_characters_are_no_id(host: Host) -> None:
    """What names nothing is not taken for the beginning of another one's id: neither a container's nor an image's."""
    identity, image = host.run(name="web").id or "", host.observed("web").image_id or ""
    for short in (identity[:1], identity[:3]):
        assert "an id is given by 4 characters or more" in host.failure("rm", "-f", short)
    assert "there is none of this name or id" in host.failure("rm", "-f", "wb")
    assert host.pid("web")
    web = host.observed("web")
    for size, there in ((3, False), (4, True)):
        said = identity[:size]
        assert bool(host.ok("events", "--since", "1h", "--until", "0s", "--filter", f"container={said}")) is there
        asked = converge(CONTAINER_INFO, host.layout, ContainerInfo(name=(said,)), False).facts
        assert bool(asked["containers"]) is there
        needy = Container(name="c", id="f" * 64, depends_on=(Dependency(said, "started"),))
        assert container_order.edges(host.layout, (web, needy))["f" * 64] == ({identity} if there else set())
    assert "an id is given by 4 characters or more" in host.failure("history", image.removeprefix("sha256:")[:3])


def test_a_reader_that_has_enough(host: Host) -> None:
    """A listing whose reader goes away ends without a complaint."""
    host.shell("yes | head -100000")
    wait(lambda: host.pid() == 0)
    with host.beside("logs", "c") as running:
        assert running.stdout is not None
        running.stdout.read(10)
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == b""
        assert running.wait(10) == 0
