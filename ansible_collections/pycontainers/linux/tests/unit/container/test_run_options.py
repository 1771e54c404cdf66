# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container told in the options of ``pycontainers run``."""
from __future__ import annotations

import argparse
import os
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli import run, run_options, update
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse, record
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import LIMIT_ROWS

DOCKER = """
--add-host --cap-add --cap-drop --cgroupns --cpus --device --dns --dns-option --dns-search
--domainname --env --group-add --hostname --init --interactive --ipc
--label --memory --mount --net --oom-score-adj --pids-limit --privileged --publish --pull --read-only --security-opt
--shm-size --stop-signal --stop-timeout --sysctl --tmpfs --tty --ulimit --user --userns --uts --volume --workdir
""".split()
"""Options of docker run that containers have rows for."""


def chosen(*words: str) -> argparse.Namespace:
    """What the parser makes of the words after ``run``."""
    parser = argparse.ArgumentParser()
    run.add(parser.add_subparsers())
    return parser.parse_args(["run", *words])


def wanted(*words: str) -> dict[str, Any]:
    """The container that the words after ``run`` ask for, as a record has it."""
    return record(run_options.wanted(chosen("--name", "c", *words)))


def test_options_are_spelt_as_docker_spells_them() -> None:
    """What docker run has an option for is called by that name."""
    assert set(DOCKER) <= set(run_options.options())


def test_nothing_is_asked_for_that_is_not_said() -> None:
    """An image alone leaves all else as it is by default."""
    assert wanted("busybox") == record(parse(Container, {"name": "c", "image": "busybox"}))


@pytest.mark.parametrize(("word", "asked"), [("-it", 2), ("-ti", 2), ("-t", 1), ("-dit", 2), ("-tid", 2)])
def test_short_flags_can_be_one_word(word: str, asked: int) -> None:
    """Flags of one letter are put together in any order."""
    found = wanted(word, "busybox")
    assert [found.get("tty"), found.get("interactive")].count(True) == asked
    assert chosen(word, "busybox").detach == ("d" in word)


@pytest.mark.parametrize(
    ("words", "mount"),
    [
        ("type=bind,source=/a,target=/x,readonly", {"type": "bind", "source": "/a", "target": "/x", "read_only": True}),
        ("type=bind,src=/a,dst=/x,ro=false,bind-propagation=rslave,consistency=cached",
         {"type": "bind", "source": "/a", "target": "/x", "propagation": "rslave"}),
        ("src=a,destination=/x,volume-nocopy,volume-label=a=b=c,volume-label=d",
         {"source": "a", "target": "/x", "no_copy": True, "labels": {"a": "b=c", "d": ""}}),
        ("type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=700",
         {"type": "tmpfs", "target": "/x", "tmpfs_size": "1m", "tmpfs_mode": "700"}),
    ],
)  # fmt: skip
def test_a_mount_is_spelt_as_docker_spells_it(words: str, mount: dict[str, Any]) -> None:
    """Names with values between commas are what the option mounts has."""
    found = run_options.wanted(chosen("--name", "c", "--mount", words, "busybox")).mounts
    assert found == parse(Container, {"name": "c", "mounts": [mount]}).mounts
    assert found is not None


@pytest.mark.parametrize("words", ["what=1,dst=/x", "dst", "dst=/x,readonly=maybe", "type=bind;dst=/x"])
def test_a_mount_that_is_not_understood_is_refused(words: str) -> None:
    """No word is passed over."""
    with pytest.raises(InvalidValue, match=r" as mounts?: "):
        run_options.wanted(chosen("--mount", words, "busybox"))


def test_a_volume_can_be_named_from_where_the_caller_is() -> None:
    """A source that begins with a dot is a path; any other without a slash is a volume's name."""
    found = wanted("-v", "./a:/x", "-v", "..:/y:ro", "-v", "a:/z", "busybox")["volumes"]
    above = os.path.dirname(os.getcwd())
    assert found == [f"{os.getcwd()}/a:/x:rw", f"{above}:/y:ro", "a:/z:rw"]


def test_what_follows_the_image_is_the_command() -> None:
    """Options after the image are the program's."""
    found = wanted("-t", "busybox", "sh", "-c", "ls -l", "-i", "--rm")
    assert found["command"] == ["sh", "-c", "ls -l", "-i", "--rm"]
    assert "interactive" not in found
    assert wanted("busybox", "-i")["command"] == ["-i"]


@pytest.mark.parametrize(
    ("words", "row", "value"),
    [
        (["--restart", "on-failure:3"], "restart_retries", 3),
        (["--restart", "always"], "restart_policy", "always"),
        (["--entrypoint", "/bin/sh -c"], "entrypoint", ["/bin/sh -c"]),
        (["--entrypoint", ""], "entrypoint", []),
        (["--network", "none"], "network_mode", "none"),
        (["--network", "container:web"], "network_mode", "container:web"),
        (["--network", "slirp4netns:mtu=1500"], "network_mode", "slirp4netns:mtu=1500"),
        (["--network", "pasta"], "network_mode", "pasta"),
        (["--net=host"], "networks", []),
        (["--net", "a", "--network=b"], "networks", [{"name": "a"}, {"name": "b"}]),
        (
            "--net a --ip 10.0.0.5 --ip6 fd00::5 --mac-address 02:42:ac:11:00:02 --network-alias b".split(),
            "networks",
            [
                {
                    "name": "a",
                    "ipv4_address": "10.0.0.5",
                    "ipv6_address": "fd00::5",
                    "mac_address": "02:42:ac:11:00:02",
                    "aliases": ["b"],
                }
            ],
        ),
        (["-e", "B=1=2", "-e", "A="], "env", {"A": "", "B": "1=2"}),
        (["-l", "empty"], "labels", {"empty": ""}),
        (["--add-host", "a:192.0.2.1", "--add-host", "b=::1"], "etc_hosts", {"a": "192.0.2.1", "b": "::1"}),
        (["--add-host", "a:2001:db8::1"], "etc_hosts", {"a": "2001:db8::1"}),
        (["--dns", "192.0.2.1", "--dns", "::1"], "dns_servers", ["192.0.2.1", "::1"]),
        (["--ulimit", "nofile=9:10"], "ulimits", ["nofile:9:10"]),
        (["-c", "512"], "cpu_shares", 512),
        (["--memory-swap", "-1"], "memory_swap", "max"),
        (["--device-read-bps", "/dev/sda:1mb"], "device_read_bps", [{"path": "/dev/sda", "rate": 1 << 20}]),
        (["--device-write-iops", "8:0:9"], "device_write_iops", [{"path": "8:0", "rate": 9}]),
        (["--device-cgroup-rule", "c 1:3 r"], "device_cgroup_rules", ["c 1:3 r"]),
        (["--hugetlb", "2MB=4m"], "hugetlb", {"2MB": 4 << 20}),
        (["--rdma", "mlx4_0=handles=2"], "rdma", {"mlx4_0": {"handles": 2, "objects": "max"}}),
    ],
)
def test_values(words: list[str], row: str, value: Any) -> None:
    """Values mean what they mean to Docker."""
    assert wanted(*words, "busybox")[row] == value


def test_a_variable_without_a_value_has_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name takes the caller's variable, and nothing if that has none."""
    monkeypatch.setenv("HERE", "x")
    monkeypatch.delenv("NOWHERE", raising=False)
    assert wanted("-e", "HERE", "-e", "NOWHERE", "busybox")["env"] == {"HERE": "x"}


def test_a_health_check_is_spelt_as_docker_spells_it() -> None:
    """Each part has an option; what is left out is the image's, and all of it if nothing is said."""
    words = ["--health-cmd", "NONE", "--health-interval", "1m", "--health-timeout=2s", "--health-retries", "4"]
    words += ["--health-start-period", "5s", "--health-start-interval", "500ms"]
    assert wanted(*words, "busybox")["healthcheck"] == {
        "test": ["CMD-SHELL", "NONE"], "interval": "1m", "timeout": "2s", "retries": 4, "start_period": "5s",
        "start_interval": "500ms",
    }  # fmt: skip
    assert wanted("--health-retries", "1", "busybox")["healthcheck"] == {"retries": 1}
    assert wanted("--no-healthcheck", "busybox")["healthcheck"] == {"test": ["NONE"]}
    assert "healthcheck" not in wanted("busybox")
    with pytest.raises(InvalidValue, match="as --health-cmd: there is to be no check"):
        wanted("--health-cmd", "true", "--no-healthcheck", "busybox")


@pytest.mark.parametrize(("words", "row"), [(["-m", "much"], "memory"), (["--restart", "often"], "restart_policy")])
def test_bad_values_are_refused(words: list[str], row: str) -> None:
    """What a row does not take is refused by its name."""
    with pytest.raises(InvalidValue, match=row):
        wanted(*words, "busybox")


def test_a_container_without_a_name_gets_one_of_its_image() -> None:
    """The name tells the image, is one that containers can have, and is another each time."""
    names = {run_options.wanted(chosen("10.0.0.1:5000/team/web:1.2")).name for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("web-") for name in names)


def test_limits_are_options_of_update_too() -> None:
    """Whatever can be limited is spelt as for a new container, and what is left out is not asked for."""
    parser = argparse.ArgumentParser()
    update.add(parser.add_subparsers())
    words = []
    for row in LIMIT_ROWS:
        value = [] if row.kind.spec["type"] == run_options.FLAG else ["5m"]
        words += [run_options._spellings(row)[-1], *value]
    found = parser.parse_args(["update", *words, "c"])
    assert set(run_options.values(found, LIMIT_ROWS)) == {row.name for row in LIMIT_ROWS}
    assert None not in run_options.values(found, LIMIT_ROWS).values()
    assert set(run_options.values(parser.parse_args(["update", "c"]), LIMIT_ROWS).values()) == {None}
