# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import (
    Effect,
    Row,
    argument_spec,
    diff,
    parse,
    record,
    rows,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.cgroup_limit import CgroupLimit
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_commit import (
    ContainerCommit,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_exec import ContainerExec
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_files import (
    ContainerCopyInto,
    ContainerCopyOut,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_info import ContainerInfo
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_stats import (
    ContainerStatsInfo,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.host_info import HostInfo
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image import Image
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_export import ImageExport
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_info import ImageInfo
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_load import ImageLoad
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_info import NetworkInfo
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_model import Network
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.prune import Prune
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.rootfs import OverlayRootfs
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.service import Runtime
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.volume_info import VolumeInfo
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.volume_model import Volume

MODELS = (
    CgroupLimit,
    Container,
    ContainerCommit,
    ContainerStatsInfo,
    ContainerCopyInto,
    ContainerCopyOut,
    ContainerExec,
    ContainerInfo,
    HostInfo,
    Image,
    ImageExport,
    ImageInfo,
    NetworkInfo,
    ImageLoad,
    Network,
    OverlayRootfs,
    Prune,
    Runtime,
    Volume,
    VolumeInfo,
)
ROWS = [pytest.param(row, id=f"{model.__name__}.{row.name}") for model in MODELS for row in rows(model)]

texts = some.text(some.characters(codec="utf-8", exclude_characters="\0"))
names = some.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", fullmatch=True)
paths = some.from_regex(r"(/[^/:\0]{1,9}){1,4}/?", fullmatch=True).filter(lambda path: "/../" not in f"{path}/")
wholes = some.integers() | some.integers().map(str)
unlimited = some.sampled_from(["max", "unlimited", "-1", -1, "0", 0])
sizes = some.integers(4096, 2**63 - 1) | some.from_regex(r"[1-9]{1,3}(\.[0-9]{1,5})? ?[mg](i?b)?", fullmatch=True)
ports = some.integers(1, 65535)
addresses = some.ip_addresses(v=4).map(str)
words = some.from_regex(r"[a-z0-9]{1,9}", fullmatch=True)


def _unique(values: list[tuple[int, int, str]]) -> list[str]:
    by_port = {host: f"{host}:{inside}{protocol}" for host, inside, protocol in values}
    return list(by_port.values())


def _by_target(values: list[tuple[str, str, str]]) -> list[str]:
    return list({f"/in/{target}": f"{source}:/in/{target}{mode}" for source, target, mode in values}.values())


def _rates(rate: some.SearchStrategy[Any]) -> some.SearchStrategy[list[dict[str, Any]]]:
    devices = some.sampled_from(["/dev/sda", "/srv//", "8:16", "/"])
    return some.dictionaries(devices, rate).map(lambda found: [{"path": each, "rate": found[each]} for each in found])


def _network(first: int, prefix: int) -> str:
    base = first >> 32 - prefix << 32 - prefix
    return ".".join(map(str, base.to_bytes(4, "big"))) + f"/{prefix}"


references = some.builds(
    "{}{}{}{}".format,
    some.sampled_from(["", "docker.io/", "localhost:5000/", "host.example/a/", "10.0.0.1/"]),
    words,
    some.sampled_from(["", ":1.27", ":latest"]),
    some.sampled_from(["", f"@sha256:{'0a' * 32}"]),
)

SAID: dict[str, some.SearchStrategy[Any]] = {
    "text": texts,
    "name": names,
    "path": paths,
    "whole": wholes,
    "measured": some.floats(0, 60) | some.integers(0, 60).map(str),
    "bool": some.booleans(),
    "texts": some.lists(texts),
    "paths": some.lists(paths),
    "rate": unlimited | some.from_regex(r"[1-9]{1,3}(\.[0-9]{1,4})? ?[km]i?(bps|bit)", fullmatch=True).filter(
        lambda said: not said.endswith("bit") or "m" in said or float(said.partition("k")[0]) >= 8
    ),
    "protection": unlimited | sizes | some.just("25%"),
    "swappiness": some.sampled_from(["max", -1, "default"]) | some.integers(0, 100),
    "quota": unlimited | some.integers(1000, 2**44 - 1),
    "period": unlimited | some.integers(1000, 1_000_000),
    "burst": unlimited | some.integers(0, 2**44 - 1),
    "shares": unlimited | some.integers(2, 262144),
    "cpu_numbers": some.sampled_from(["", "max", "0-2,4", "3,1,2", " 1 - 3 ", "8191"]),
    "node_numbers": some.sampled_from(["", "max", "0-1", "1,0", "1023"]),
    "block_weight": unlimited | some.integers(10, 1000),
    "rates_bytes": _rates(some.sampled_from(["1m", 4096, "max", 0, "0.5g"])),
    "rates_operations": _rates(some.integers(0, 2**32 - 1)),
    "hugetlb": some.dictionaries(some.sampled_from(["2MB", "1gb", "64K"]), some.sampled_from(["max", 0, "1.5g"])),
    "rdma": some.dictionaries(words, some.sampled_from([{"handles": 1}, {"handles": "max", "objects": 0}, {}])),
    "misc": some.dictionaries(words, some.sampled_from(["max", 0, 7, "1m"])),
    "device_rules": some.lists(some.sampled_from(["c 1:3 rwm", " b 08:* mr ", "a *:* w"])),
    "pids": unlimited | some.integers(0, 2**22) | some.integers(0, 2**22).map(str),
    "memory": unlimited | sizes | some.sampled_from(["25%", "0.5%", "100 %"]),
    "layer_size": unlimited | some.integers(1 << 20, 2**63 - 1) | some.from_regex(r"[1-9]{1,3} ?[mg]", fullmatch=True),
    "inodes": unlimited | some.integers(0, 2**63 - 1) | some.integers(0, 2**63 - 1).map(str),
    "network_mode": some.sampled_from(
        ["", "default", "none", "host", "container:web", "ns:/run//netns/a", "slirp4netns", "slirp4netns:mtu=1500"]
        + ["slirp4netns:enable_ipv6=false,cidr=10.7.0.0/16", "pasta", "pasta:--mtu,65520,--map-gw,-4"]
    ),
    "dependencies": some.lists(names, unique=True) | some.just([{"name": "a", "condition": "started"}, "b"]),
    "pid_mode": some.sampled_from(["", "private", "host", "container:web", "container:0a0b"]),
    "log_options": some.fixed_dictionaries(
        {},
        optional={
            "max-size": some.integers(8192, 268435455) | some.sampled_from(["10m", "64k", "0.5m"]),
            "max-file": some.integers(1, 100) | some.integers(1, 100).map(str),
            "tag": some.sampled_from(["web", "{{.Name}}", "{{ .ID }}/a", "{{.FullID}}"]),
        },
    ),
    "storage_opts": some.fixed_dictionaries(
        {}, optional={"size": unlimited | some.integers(1 << 20, 2**63 - 1), "inodes": unlimited | some.integers(0, 99)}
    ),
    "cpus": unlimited | some.floats(0.01, 10_000) | some.floats(0.01, 10_000).map(str) | some.just("50%"),
    "reference": references,
    "references": some.lists(references),
    "image_names": some.lists(references),
    "instructions": some.lists(some.sampled_from(['CMD ["a", "b"]', "cmd a b", "ENV A=1 B='2 3'", "LABEL a b"])),
    "filters": some.dictionaries(
        some.sampled_from(["until"]), some.sampled_from(["1h", "2026-01-31T12:00:00Z"])
    ) | some.dictionaries(some.sampled_from(["label", "label!"]), words | some.lists(words)),
    "command": some.lists(texts) | some.lists(words).map(" ".join),
    "entrypoint": some.lists(texts),
    "environment": some.dictionaries(
        some.text(some.characters(codec="utf-8", exclude_characters="=\0"), min_size=1), texts
    ),
    "volumes": some.lists(
        some.tuples(paths, words, some.sampled_from(["", ":ro", ":rw", ":z,rslave", ":private,ro"]))
    ).map(_by_target) | some.sampled_from([["a:/x:nocopy", "/x/y"], ["/x:ro", "b.c:/y:ro,nocopy"]]),
    "mounts": some.lists(
        some.sampled_from(
            [
                {"type": "bind", "source": "/a//b", "target": "/1", "read_only": True, "propagation": "rshared"},
                {"source": "a", "target": "/2/", "no_copy": True, "labels": {"a": "b"}},
                {"type": "volume", "target": "/3"},
                {"type": "tmpfs", "target": "/4", "tmpfs_size": "1m", "tmpfs_mode": "0700", "read_only": True},
            ]
        ),
        unique_by=lambda each: each["target"],
    ),
    "driver_options": some.sampled_from(
        [{}, {"type": "tmpfs", "o": "size=1m"}, {"type": "none", "o": "bind,ro", "device": "/a/"}, {"device": None}]
    ),
    "networks": some.lists(names, unique=True).flatmap(
        lambda found: some.sampled_from([found, [{"name": each, "aliases": ["a", "b"]} for each in found]])
    ),
    "routes": some.lists(
        some.sampled_from(["10.1.0.0/16", "10.2.0.0/16", "fd01::/48"]), unique=True
    ).map(lambda found: [{"destination": each, "gateway": "fd00::9" if ":" in each else "10.0.0.9"} for each in found]),
    "ip_range": some.sampled_from(["10.0.0.128/25", "10.0.0.0/32"]),
    "ipv6_subnet": some.sampled_from(["fd00::/64", "2001:DB8:0:1::/126"]),
    "ipv6_range": some.sampled_from(["fd00::80/121", "fd00::/128"]),
    "ipv6_address": some.ip_addresses(v=6).map(str).filter(lambda address: "::ffff:" not in address),
    "capabilities": some.lists(some.sampled_from(["net_raw", "CAP_NET_RAW", "Sys_Admin", "ALL", "chown"])),
    "security_options": some.lists(
        some.sampled_from(["no-new-privileges", "no-new-privileges:true", "label=disable", "seccomp=/a//b.json"])
    ),
    "ulimits": some.dictionaries(
        some.sampled_from(["nofile", "core", "nproc"]), some.tuples(some.integers(-1, 99), some.integers(100, 2**62))
    ).map(lambda found: [f"{name}:{soft if soft >= 0 else high}:{high}" for name, (soft, high) in found.items()]),
    "sysctls": some.dictionaries(some.from_regex(r"[a-z]{1,9}(\.[a-z_]{1,9}){1,3}", fullmatch=True), texts),
    "devices": some.dictionaries(words, some.sampled_from(["", ":r", ":rw", ":mwr"])).map(
        lambda found: [f"/dev/{name}:/dev/x{name}{access}" for name, access in found.items()]
    ),
    "tmpfs": some.dictionaries(
        words, some.sampled_from(["", ":size=1m", ":exec,mode=755", ":ro,suid,nosuid", ":noatime,size=50%"])
    ).map(lambda found: [f"/{name}{options}" for name, options in found.items()]),
    "exposed_ports": some.lists(some.sampled_from(["80", "80/tcp", 53, "53/UDP", "8000-8002/sctp"])),
    "cgroup_parent": some.sampled_from(["", "/a", "a/b.slice/", "pycontainers", "//a//b"]),
    "comparisons": some.dictionaries(words, some.sampled_from(["strict", "ignore", "allow_more_present"])),
    "host_file": paths,
    "host_address": some.sampled_from(["", "192.0.2.1", "0.0.0.0", "::", "[2001:DB8::1]"]),
    "mac_address": some.sampled_from(["", "02:42:ac:11:00:02", "02-42-AC-11-00-03"]),
    "volumes_from": some.lists(some.sampled_from(["db", "db:ro", "0a1b2c:rw"])),
    "user": some.from_regex(r"[a-z0-9]{1,9}(:[a-z0-9]{1,9})?", fullmatch=True) | some.just(""),
    "groups": some.lists(words),
    "file_mode": some.integers(0, 0o7777) | some.from_regex(r"(0o?)?[0-7]{1,4}", fullmatch=True),
    "folder": paths | some.just(""),
    "dns_servers": some.lists(some.sampled_from(["192.0.2.1", "2001:DB8:0::1", " ::1 ", "10.0.0.7"]), max_size=3),
    "dns_search_domains": some.lists(some.sampled_from(["a.test", "b.test.", "c"])) | some.just(["."]),
    "dns_opts": some.lists(some.sampled_from(["ndots:2", "rotate", "edns0"])),
    "etc_hosts": some.dictionaries(words, some.sampled_from(["192.0.2.1", "2001:DB8:0::1", "host-gateway"])),
    "stop_signal": some.sampled_from(["", "term", "SIGQUIT", "9", 15, "RTMIN+3", "SIGRTMAX-1", "64"]),
    "host_name": some.from_regex(r"[a-z0-9]{1,9}(\.[a-z0-9]([a-z-]{1,9}[a-z]))?", fullmatch=True) | some.just(""),
    "labels": some.dictionaries(texts.filter(bool), texts),
    "shm_size": sizes,
    "score": some.integers(-1000, 1000) | some.integers(-1000, 1000).map(str),
    "seconds": some.integers(0) | some.integers(0).map(str),
    "patience": some.floats(-1, 1000) | some.integers(0, 600).map(str),
    "healthcheck": some.fixed_dictionaries(
        {},
        optional={
            "test": some.sampled_from(["", "NONE", "true", ["NONE"], ["CMD", "a", "b"], ["CMD-SHELL", "a || b"], []]),
            "interval": some.sampled_from(["1m30s", "500ms", "0s", "0", "1.5h", "1s1us", "2m3ns"]),
            "timeout": some.integers(10**6, 2**63 - 1).map(lambda count: f"{count}ns"),
            "retries": some.integers(0, 9) | some.integers(0, 9).map(str),
            "start_period": some.sampled_from(["1ms", "72h3m0.5s"]),
            "start_interval": some.none(),
        },
    ),
    "ports": some.lists(some.tuples(ports, ports, some.sampled_from(["", "/tcp", "/udp"]))).map(_unique)
    | some.lists(some.sampled_from(["80", 80, "80/tcp", "53/UDP", "127.0.0.1::80", "[fd00::1]::80-81"])),
    "subnet": some.builds(_network, some.integers(1 << 24, (127 << 24) - 1), some.integers(8, 30)),
    "address": addresses,
    "interface": some.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,14}", fullmatch=True),
    "vlan": some.integers(1, 4094) | some.integers(1, 4094).map(str),
    "mtu": some.integers(68, 65535),
}
"""What a playbook may say, by kind. A kind that is missing here fails the tests of the rows that have it."""

few = settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)


def _values(model: type) -> some.SearchStrategy[dict[str, Any]]:
    """What a playbook may say of all rows that are kept, each left out at times unless it is required."""
    by_name = {}
    for row in rows(model):
        said = some.sampled_from(row.choices) if row.choices else SAID[row.kind.name]
        if not row.request:
            by_name[row.name] = said if row.required else some.none() | said
    return some.fixed_dictionaries(by_name)


@pytest.mark.parametrize("row", ROWS)
@few
@given(draw=some.data())
def test_what_is_shown_is_read_as_the_same(row: Row, draw: some.DataObject) -> None:
    """Of every kind that a model uses: a value, shown, taken through JSON and read again, is that value."""
    value = row.kind.parse(draw.draw(SAID[row.kind.name]))
    assert row.kind.parse(json.loads(json.dumps(row.kind.show(value)))) == value


@pytest.mark.parametrize("row", ROWS)
@few
@given(draw=some.data())
def test_normal_forms_can_be_compared(row: Row, draw: some.DataObject) -> None:
    """Values can be put in a set, so a model is frozen through and through."""
    said = draw.draw(SAID[row.kind.name])
    assert {row.kind.parse(said)} == {row.kind.parse(said)}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@few
@given(draw=some.data())
def test_a_record_is_read_as_the_same(model: type, draw: some.DataObject) -> None:
    """A model, kept as a JSON record and read again, is the same and differs in nothing."""
    first: Any = parse(model, draw.draw(_values(model)))
    again: Any = parse(model, json.loads(json.dumps(record(first))))
    assert again == first
    assert diff(again, first) == ()


ACTING = (
    ContainerCommit, ContainerCopyInto, ContainerCopyOut, ContainerExec, ContainerInfo, ContainerStatsInfo,
    HostInfo, ImageExport, ImageInfo, ImageLoad, NetworkInfo, Prune, VolumeInfo,
)  # fmt: skip
"""The models that declare no thing but act on what is there."""


@pytest.mark.parametrize("model", [each for each in MODELS if each not in ACTING], ids=lambda model: model.__name__)
def test_every_model_says_absent(model: type) -> None:
    """Whatever can be declared can be declared absent."""
    assert "absent" in {row.name: row for row in rows(model)}["state"].choices


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_has_a_key(model: type) -> None:
    """What is declared has to be named, unless a host has only one."""
    by_name = {row.name: row for row in rows(model)}
    required = [row.name for row in by_name.values() if row.required]
    assert required in (["name"], ["path"], ["container"], [])
    assert len(argument_spec(model)) == sum(not row.internal for row in by_name.values())


@pytest.mark.parametrize("row", ROWS)
def test_rows_are_sound(row: Row) -> None:
    """A default is one of the choices, what is internal is never required, what is a request costs nothing."""
    assert row.default is None or not row.choices or row.default in row.choices
    assert not (row.internal and row.required)
    assert row.request is False or row.effect == Effect.NONE


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_rows_come_in_the_order_of_fields(model: type) -> None:
    """Rows are the fields that have one, in their order."""
    assert [row.name for row in rows(model)] == [each.name for each in fields(model) if "row" in each.metadata]
