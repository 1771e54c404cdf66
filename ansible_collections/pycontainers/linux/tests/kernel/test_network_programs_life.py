# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of a container's network, over the container's life: ended, damaged, replaced, refused."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import programs as host_programs
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import user_network, user_network_program
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_state,
    supervise,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import parse_ports
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.user_network import LOG
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.user_network_steps import LeadPorts
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import (
    NEIGHBOUR,
    Bench,
)
from ansible_collections.pycontainers.linux.tests.kernel.user_network_bench import (
    PROGRAMS,
    TCP,
    bench,
    both,
    end_program,
    program_of,
    programs,
    start,
)

__all__ = ["bench"]


@both
def test_a_program_that_has_ended_is_started_again(host: Host, bench: Bench, program: str) -> None:
    """A check says so, the next run mends it, and so does the boot service, while the container's own goes on."""
    identity = start(host, program, published_ports=["8080:80"], restart_policy="always")
    pid, inside, outside = host.pid(), bench.listen(identity, 80), bench.listen("neighbour", 7000)
    for mend in (lambda: host.converge(), lambda: supervise.boot(host.layout)):
        served = program_of(host, identity)
        end_program(host)
        told = host.converge(check=True)
        assert [(each.path, each.before, each.after) for each in told.changes] == [
            ("published_ports", [], ["8080:80"]),
            ("attached", [], [program]),
        ]
        assert told.actions == (f"start {program} for the container's network", "publish 8080:80")
        assert mend() or True
        assert program_of(host, identity) not in (0, served)
        assert host.pid() == pid
        assert not host.converge().changed
        assert bench.reach(None, "127.0.0.1", 8080, inside)
        assert bench.reach(identity, NEIGHBOUR, 7000, outside)


@both
def test_nothing_is_left_of_it(host: Host, bench: Bench, program: str) -> None:
    """Stopped, started again, restarted by its policy, removed: there is one program while it runs, else none."""
    identity = start(host, program, published_ports=["8080:80"], restart_policy="always")
    served = program_of(host, identity)
    os.kill(host.pid(), signal.SIGKILL)
    wait(lambda: host.observed().state == "started" and host.pid())
    assert program_of(host, identity) == served
    host.converge(state="stopped", stop_timeout=0)
    assert programs() == []
    bench.listen(None, 8080).close()
    host.converge(state="started")
    assert len(programs()) == 1
    assert bench.reach(None, "127.0.0.1", 8080, bench.listen(identity, 80))
    assert supervise.shutdown(host.layout) == []
    assert programs() == []
    assert supervise.boot(host.layout) == []
    assert len(programs()) == 1
    host.ok("rm", "-f", "c")
    assert programs() == []
    container = host.run(["true"], network_mode=program, published_ports=["8080:80"])
    host.ended(container)
    assert programs() == []


@both
def test_a_new_container_takes_the_ports_of_the_old(host: Host, bench: Bench, program: str) -> None:
    """It is made beside the old one, which goes on if the new one can't be started."""
    start(host, program, published_ports=["8080:80"])
    pid = host.pid()
    with pytest.raises(Failure, match="executable file not found"):
        host.converge(command=["nothing-of-this-name"])
    assert host.pid() == pid
    assert len(programs()) == 1
    assert host.converge(env={"NEW": "yes"}).changed
    identity = host.observed().id or ""
    assert len(programs()) == 1
    assert bench.reach(None, "127.0.0.1", 8080, bench.listen(identity, 80))
    other = next(each for each in PROGRAMS if each != program)
    assert host.converge(network_mode=other).changed
    identity = host.observed().id or ""
    assert [each.rpartition("/")[2].split()[0] for each in (words.split()[0] for words in programs())] == [other]
    assert bench.reach(None, "127.0.0.1", 8080, bench.listen(identity, 80))
    host.network()
    assert host.converge(network_mode="private", networks=["front"]).changed
    assert programs() == []
    published = host.observed().published_ports
    assert published
    assert str(published[0]) == "8080:80"
    assert host.converge(network_mode=program).changed
    assert (host.observed().networks, host.observed().held) == ((), ())


@both
def test_ports_that_somebody_has_are_refused(host: Host, bench: Bench, program: str) -> None:
    """Before anything changes: those of a program of the host, of another such container, of one on a network."""
    bench.listen(None, 8080)
    with pytest.raises(InvalidValue, match="a program of the host listens on tcp"):
        start(host, program, published_ports=["8080:80"])
    assert programs() == []
    start(host, program, published_ports=["8081:80"])
    for mode in PROGRAMS:
        with pytest.raises(InvalidValue, match="a program of the host listens on tcp"):
            host.run(name="other", network_mode=mode, published_ports=["8081:80"])
    with pytest.raises(InvalidValue, match="a program of the host listens on tcp"):
        host.converge(published_ports=["8081:80", "8080:81"])
    host.network()
    with pytest.raises(InvalidValue, match="a program of the host listens on tcp"):
        host.run(name="other", networks=["front"], published_ports=["8081:80"])
    host.run(name="other", networks=["front"], published_ports=["8082:80"])
    with pytest.raises(InvalidValue, match="it leads to the container at"):
        host.converge(published_ports=["8082:80"])
    assert [str(port) for port in host.observed().published_ports or ()] == ["8081:80"]


def test_what_it_can_not_do_is_refused(host: Host, bench: Bench) -> None:
    """Before anything is made: what needs a network of ours, what the program does not know, options that are none."""
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("slirp4netns", {"networks": ["front"]}, "networks.*network_mode=slirp4netns leaves no room for it"),
        ("pasta", {"ingress_rate": "10mbit"}, "ingress_rate.*with network_mode=pasta nothing holds to it"),
        ("slirp4netns", {"egress_rate": "10mbit"}, "egress_rate.*with network_mode=slirp4netns nothing holds to it"),
        ("pasta", {"published_ports": ["8080:80/sctp"]}, "pasta knows no sctp"),
        ("slirp4netns", {"published_ports": ["[::]:8080:80"]}, "leads ports by IPv4 only"),
        ("pasta:--ipv4-only", {"published_ports": ["[::]:8080:80"]}, "leads ports by IPv4 only"),
        ("pasta", {"published_ports": ["127.0.0.1:80:80", "127.0.0.2:80:81"]}, "leads port 80 of all addresses to one"),
        ("slirp4netns", {"etc_hosts": {"host": "host-gateway"}}, "add the option allow_host_loopback=true"),
        ("pasta", {"etc_hosts": {"host": "host-gateway"}}, "add the option --map-gw"),
    ]
    host.network()
    for mode, options, reason in refused:
        with pytest.raises(InvalidValue, match=reason):
            start(host, mode, **options)
    assert host.cli("ps", "-a", "-q").stdout == ""


@both
def test_a_missing_program_is_told_before_anything_is_made(
    host: Host, bench: Bench, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name and that of its package."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(host_programs, "FOLDERS", "/nowhere")
    package = {"slirp4netns": "slirp4netns", "pasta": "passt"}[program]
    with pytest.raises(InvalidValue, match=f"there is no program {program} in PATH; install the package {package}"):
        start(host, program)
    assert host.cli("ps", "-a", "-q").stdout == ""


def test_what_a_program_says_is_told(host: Host, bench: Bench) -> None:
    """Pasta ends where the host has no way out: the step fails with its words, and nothing is left."""
    for family in ("-4", "-6"):
        subprocess.run(["ip", family, "route", "del", "default"], check=True)
    with pytest.raises(Failure, match=r"cannot start pasta for the network namespace .*: it ended, and said: \w+"):
        start(host, "pasta")
    assert host.cli("ps", "-a", "-q").stdout == ""
    assert programs() == []


@both
def test_damage_is_seen_and_mended(host: Host, bench: Bench, program: str) -> None:
    """An interface that is down, a socket that is gone, a port that the program has lost; never a reused pid killed."""
    identity = start(host, program, published_ports=["8080:80"])
    pid, folder = host.pid(), Path(host.layout.running(identity))
    own = ["nsenter", f"--net={host.layout.netns(identity)}", "ip", "link", "set", "tap0", "down"]
    damages: list[Callable[[], object]] = [lambda: subprocess.run(own, check=True)]
    if program == "slirp4netns":
        damages += [
            lambda: (folder / "network.sock").unlink(),
            lambda: user_network_program.lead(str(folder), ()),
        ]
    for damage in damages:
        damage()
        assert host.converge().changed
        assert not host.converge().changed
        assert len(programs()) == 1
        assert host.pid() == pid
    kept = json.loads((folder / "network.json").read_text())
    end_program(host)
    innocent = subprocess.Popen(["sleep", "100"])
    try:
        (folder / "network.json").write_text(json.dumps(kept | {"pid": innocent.pid}))
        assert host.converge().changed
        host.converge(state="stopped")
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_what_a_program_says_is_bounded(host: Host, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on when its log takes no more, and a new one begins anew."""
    monkeypatch.setattr(user_network_program, "LARGEST_LOG", 1000)
    identity = start(host, "slirp4netns", published_ports=["8080:80"])
    log = Path(host.layout.container(identity, LOG))
    wait(lambda: host.observed() and log.stat().st_size == 1000)
    assert not host.converge().changed
    assert bench.reach(None, "127.0.0.1", 8080, bench.listen(identity, 80))
    end_program(host)
    host.converge()
    assert log.read_text().startswith("sent tapfd")


@both
def test_a_damaged_record_leaves_no_program(host: Host, bench: Bench, program: str) -> None:
    """The container can be removed, and its program goes with it, whatever it was asked for."""
    identity = start(host, program, published_ports=["8080:80"])
    Path(container_state.record_path(host.layout, identity)).write_text("{}")
    host.converge(state="absent", stop_timeout=0)
    assert programs() == []
    assert host.cli("ps", "-a", "-q").stdout == ""


@both
def test_a_port_that_is_taken_meanwhile_changes_nothing(host: Host, bench: Bench, program: str) -> None:
    """Whoever takes it after it was looked for, the step says so, and the ports that were led are led."""
    identity = start(host, program, published_ports=["8080:80", "8081:81"])
    network = user_network.asked(program)
    assert network is not None
    before, after = host.observed().published_ports or (), parse_ports(["8079:79", "8080:80", "8082:82"])
    for family in (socket.AF_INET, socket.AF_INET6):
        bench.listen(None, 8082, TCP, family)
    with pytest.raises(Failure, match=r"cannot (lead tcp 0.0.0.0:8082|start pasta) .*(failed|8082)"):
        LeadPorts(host.layout, identity, network, before, after).do()
    assert host.observed().published_ports == before
    assert not host.converge().changed
    assert len(programs()) == 1
