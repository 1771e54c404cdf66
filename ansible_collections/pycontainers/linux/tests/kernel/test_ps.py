# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``pycontainers ps`` chooses and how it shows that."""
from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host


@pytest.fixture
def some(host: Host, tmp_path: Path) -> Host:
    """Containers that differ in all that there is a filter for."""
    host.network()
    own = host.image("own", {"Labels": {"by": "image"}}, lambda root: (root / "own").mkdir())
    host.run(
        name="web", networks=["front"], published_ports=["8080:80", "8053:53/udp"], labels={"tier": "front", "a": "1"},
        volumes=["files:/srv/files"],
    )  # fmt: skip
    host.run(name="webdb", image=own, volumes=[f"{tmp_path}:/data"], exposed_ports=["5432"], labels={"tier": "back"})
    host.run(name="held", network_mode="host", paused=True)
    host.ended(host.shell("exit 3", name="failed", labels={"tier": "front"}))
    host.converge("made", image=host.busybox, command=["true"], state="stopped")
    return host


def names(host: Host, *words: str) -> list[str]:
    """The names that are listed."""
    return host.ok("ps", "--format", "{{.Names}}", *words).split()


def test_filters_are_dockers(some: Host, tmp_path: Path) -> None:
    """Each for itself and together; several of one kind are alternatives, labels are not."""
    web = some.observed("web").id or ""
    expected = {
        ("-a",): "made failed held webdb web",
        ("name=web",): "webdb web",
        ("name=^/?web$",): "web",
        ("name=^web$", "name=held"): "held web",
        (f"id={web[:12]}",): "web",
        ("status=paused",): "held",
        ("status=running", "status=created"): "made webdb web",
        ("status=exited",): "failed",
        ("status=dead",): "",
        ("exited=3",): "failed",
        ("exited=0",): "",
        ("label=tier",): "webdb web",
        ("-a", "label=tier=front"): "failed web",
        ("label=tier=front", "label=a=1"): "web",
        ("label=by=image",): "webdb",
        ("label=tier=front", "label=tier=back"): "",
        (f"ancestor={some.busybox}",): "held webdb web",
        ("ancestor=registry.test/own",): "webdb",
        (f"ancestor={(some.observed('webdb').image_id or '').partition(':')[2][:12]}",): "webdb",
        ("ancestor=registry.test/none",): "",
        ("network=front",): "web",
        ("network=host",): "held",
        ("network=front", "network=host"): "held web",
        ("volume=files",): "web",
        ("volume=/srv/files/",): "web",
        (f"volume={tmp_path}",): "webdb",
        ("publish=8080",): "web",
        ("publish=8050-8060/udp",): "web",
        ("publish=8053",): "",
        ("publish=80",): "",
        ("expose=80/tcp",): "web",
        ("expose=5432",): "webdb",
        ("before=held",): "webdb web",
        ("-a", "since=held"): "made failed",
        ("name=web", "network=front"): "web",
        ("health=none", "name=held"): "held",
    }
    for words, found in expected.items():
        given = [part for each in words for part in ([each] if each.startswith("-") else ["--filter", each])]
        assert names(some, *given) == found.split(), words


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("what=x", "there is no such filter; filters are ancestor, before, exited, expose, health, id, label, name, "
                   "network, publish, since, status, volume"),
        ("name", "it is not KEY=VALUE"),
        ("name=(", "it is no regular expression"),
        ("status=well", "it is not one of created, dead, exited"),
        ("health=well", "it is not one of starting, healthy"),
        ("exited=x", "it is no exit status"),
        ("publish=x", "is neither a port nor a range of ports"),
        ("ancestor=UPPER", "UPPER"),
        ("before=nobody", "there is none of this name or id"),
    ],
)  # fmt: skip
def test_what_no_filter_can_be_is_refused(host: Host, said: str, reason: str) -> None:
    """In one sentence that says what can be."""
    assert reason in host.failure("ps", "--filter", said)


def test_it_shows_what_is_asked_for(host: Host) -> None:
    """The newest ones, their ids, columns of one's own, JSON for each."""
    host.run(name="one", labels={"a": "b"}, networks=[])
    time.sleep(0.01)
    host.ended(host.shell("exit 3", name="two"))
    two = host.observed("two").id or ""
    assert host.ok("ps", "-q", "-l").split() == [two[:12]]
    assert host.ok("ps", "-q", "--no-trunc", "-n", "1").split() == [two]
    assert names(host, "-n", "9") == ["two", "one"]
    assert names(host, "-n", "0") == []
    assert names(host) == ["one"]
    assert host.ok("ps", "--format", "table {{.Names}}\\t{{.State}}\\t{{.Label \"a\"}}").splitlines() == [
        "NAMES   STATE     LABEL", "one     running   b",
    ]  # fmt: skip
    (line,) = host.ok("ps", "--format", "json").splitlines()
    shown = json.loads(line)
    assert (shown["Names"], shown["Image"], shown["State"]) == ("one", host.busybox, "running")
    assert shown["Labels"].endswith(",a=b")
    assert "there is no field What" in host.failure("ps", "--format", "{{.What}}")
    assert names(host, "--filter", "name=one") == host.ok("container", "ls", "--format", "{{.Names}}").split()
    assert host.ok("inspect", "-f", "{{.Name}} {{.State.ExitCode}}", "one", "two") == "/one 0\n/two 3\n"
