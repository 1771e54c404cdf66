# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a container's program: how they are said, what they are refused for, what they cost."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import UNLIMITED
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Effect, diff, parse, rows
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.security import DEFAULT_CAPABILITIES
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import docker_seccomp, spec
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.users import User
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_state,
    container_wishes,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_kinds import (
    Device,
    Tmpfs,
    Ulimit,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container

RATES = {"ingress_rate": "10mbit", "egress_rate": "1mbit"}
STRICT = ("nodev", "noexec", "nosuid")


def said(**options: Any) -> Container:
    """A container as a playbook says it."""
    return parse(Container, {"name": "web", **options})


@pytest.mark.parametrize(
    ("option", "value", "normal"),
    [
        ("cap_add", ["net_raw", "CAP_CHOWN", "Net_Raw"], ("CAP_CHOWN", "CAP_NET_RAW")),
        ("cap_drop", ["CHOWN", "all"], ("ALL",)),
        ("security_opts", ["no-new-privileges:true"], ("no-new-privileges",)),
        ("security_opts", ["systempaths=unconfined"], ("systempaths=unconfined",)),
        ("security_opts", ["seccomp=//a/b.json", "apparmor:unconfined"], ("seccomp=/a/b.json",)),
        ("security_opts", ["no-new-privileges=false", "label=disable", "seccomp=builtin"], ()),
        ("ulimits", ["nofile:1:2", "core=-1"], (Ulimit("core", -1, -1), Ulimit("nofile", 1, 2))),
        ("ulimits", ["NOFILE:5:unlimited"], (Ulimit("nofile", 5, -1),)),
        ("dns_servers", ["192.0.2.1", "2001:DB8:0::1", "192.0.2.1"], ("192.0.2.1", "2001:db8::1")),
        ("dns_search_domains", ["b.test.", "a.test"], ("b.test", "a.test")),
        ("dns_opts", ["ndots:2", "rotate", "ndots:2"], ("ndots:2", "rotate")),
        ("etc_hosts", {"b": "::0:1", "a_1": "host-gateway"}, (("a_1", "host-gateway"), ("b", "::1"))),
        ("sysctls", {"net.b": 1, "net/a.1/c": " 0\t 7 "}, (("net.a/1.c", "0 7"), ("net.b", "1"))),
        ("devices", ["/dev/b", "/dev//a:wr"], (Device("/dev/a", "/dev/a", "rw"), Device("/dev/b", "/dev/b"))),
        ("devices", ["/dev/a:/dev/x:m"], (Device("/dev/x", "/dev/a", "m"),)),
        ("tmpfs", ["/b/", "/a:rw,size=1k"], (Tmpfs("/a", (*STRICT, "size=1024")), Tmpfs("/b", STRICT))),
        ("tmpfs", ["/a:exec,ro,suid,nosuid"], (Tmpfs("/a", ("exec", "nodev", "nosuid", "ro")),)),
        ("tmpfs", ["/a:size=1m,size=50%,mode=1777"], (Tmpfs("/a", ("mode=1777", *STRICT, "size=50%")),)),
        ("ingress_rate", "10mbit", 10_000_000),
        ("ingress_rate", "1.5 MBPS", 12_000_000),
        ("ingress_rate", "1kibps", 8192),
        ("egress_rate", "8001bit", 8000),
        ("egress_rate", "unlimited", UNLIMITED),
        ("egress_rate", 0, UNLIMITED),
        ("user", 1000, "1000"),
        ("user", "007:08", "7:8"),
        ("user", "www:", "www"),
        ("groups", [5, "mail", "05"], ("5", "mail")),
        ("working_dir", "/a/./b/", "/a/b"),
        ("stop_signal", "quit", "SIGQUIT"),
        ("stop_signal", 9, "SIGKILL"),
        ("stop_signal", "SIGRTMIN+3", "SIGRTMIN+3"),
        ("stop_signal", "", ""),
        ("shm_size", "1m", 1 << 20),
        ("labels", {"b": "2", "a": ""}, (("a", ""), ("b", "2"))),
        ("hostname", "Web-1.example", "Web-1.example"),
        ("oom_score_adj", "-5", -5),
        ("pid_mode", "", "private"),
        ("pid_mode", "host", "host"),
        ("pid_mode", "container:web.1", "container:web.1"),
        ("log_options", {"max-size": "1m", "max-file": "5"}, (("max-file", 5), ("max-size", 1 << 20))),
        ("log_options", {"max-size": "10240k", "max-file": 3, "tag": "{{.Name}}"}, ()),
        ("log_options", {"tag": "web/{{.ID}}"}, (("tag", "web/{{.ID}}"),)),
        ("storage_opts", {"size": "10G", "inodes": 5}, (("inodes", 5), ("size", 10 << 30))),
        ("storage_opts", {"size": "1048577", "inodes": "max"}, (("size", 1 << 20),)),
        ("storage_opts", {"size": "max"}, ()),
    ],
)
def test_options_have_one_normal_form(option: str, value: Any, normal: Any) -> None:
    """Each way to say an option gives the same value; so does what is shown of it."""
    found = getattr(said(**{option: value}), option)
    assert found == normal
    (row,) = (each for each in rows(Container) if each.name == option)
    assert row.kind.parse(row.kind.show(found)) == found


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("cap_add", ["FLY"], "there is no capability FLY"),
        ("cap_drop", "ALL", "it is not a list"),
        ("security_opts", ["seccomp=profile.json"], "is not known; options are"),
        ("security_opts", ["apparmor=docker-default"], "is not known"),
        ("security_opts", ["seccomp=unconfined", "seccomp=/a"], "there are two for seccomp"),
        ("ulimits", ["files:1"], "there is no limit 'files'"),
        ("ulimits", ["nofile"], "is not of the form name:soft[:hard]"),
        ("ulimits", ["nofile:2:1"], "the soft limit of nofile is above the hard one"),
        ("ulimits", ["nofile:-1:1"], "the soft limit of nofile is above the hard one"),
        ("ulimits", ["nofile:99999999999999999999"], "is no limit"),
        ("ulimits", ["core:1", "core:2"], "two limits are for core"),
        ("dns_servers", ["192.0.2.256"], "'192.0.2.256' is no address of IPv4 or IPv6"),
        ("dns_servers", ["::1", "::2", "::3", "::4"], "there are more than 3, which is what resolvers ask"),
        ("dns_search_domains", [".", "a.test"], "a dot stands for no domain at all, and there are others"),
        ("dns_search_domains", ["a b"], "a host name is made of letters"),
        ("dns_search_domains", [""], "a domain is empty"),
        ("dns_opts", ["ndots 2"], "'ndots 2' is no option such as ndots:2"),
        ("dns_opts", ["a\nnameserver 192.0.2.1"], "is no option such as"),
        ("etc_hosts", {"a b": "::1"}, "'a b' is not a name of letters"),
        ("etc_hosts", {"a": "b"}, "'b' is no address of IPv4 or IPv6"),
        ("etc_hosts", ["a:::1"], "it is not a dictionary"),
        ("sysctls", {"a": "1"}, "'a' is not the name of a kernel setting"),
        ("sysctls", {"net.b": 1, "net/b": 2}, "net.b is there twice"),
        ("sysctls", ["net.b=1"], "it is not a dictionary"),
        ("devices", ["dev/a"], "it is not an absolute path"),
        ("devices", ["/dev/a:/dev/b:x"], "'x' is not made of r, w and m"),
        ("devices", ["/dev/a:/dev/b", "/dev/c:/dev/b"], "two devices are at /dev/b"),
        ("tmpfs", ["/"], "a tmpfs can't take the place of the container's root"),
        ("tmpfs", ["/a:bind"], "'bind' is not an option of a tmpfs"),
        ("tmpfs", ["/a:size"], "'size' is not an option of a tmpfs"),
        ("tmpfs", ["/a:size=x"], "it is not a size"),
        ("tmpfs", ["/a", "/a/"], "two filesystems are at /a"),
        ("user", "a:b:c", "is not of the form user[:group]"),
        ("user", ":5", "is not of the form user[:group]"),
        ("groups", [""], "a group is empty"),
        ("working_dir", "srv", "it is not an absolute path"),
        ("stop_signal", "SIGNONE", "there is no such signal"),
        ("stop_signal", "0", "there is no such signal"),
        ("shm_size", 0, "it is not above zero"),
        ("labels", {"a": 1}, "the value of a is not text: quote it"),
        ("labels", {"": "1"}, "'' is not the name of a label"),
        ("hostname", "a_b", "a host name is made of"),
        ("hostname", "a" * 65, "a host name is made of"),
        ("oom_score_adj", 1001, "it is not from -1000 to 1000"),
        ("ingress_rate", "10m", "it is not a rate such as 10mbit"),
        ("ingress_rate", 1000000, "it is not a rate such as 10mbit"),
        ("egress_rate", "7kbit", "it is not between 8kbit and 34359738360bit"),
        ("egress_rate", "1tbit", "it is not between 8kbit and"),
        ("log_options", ["tag=a"], "it is not a dictionary"),
        ("log_options", {"labels": "a"}, "'labels' is not known; max-size, max-file and tag are"),
        ("log_options", {"max-size": "4095"}, "max-size is 4095, and can be from 4096 to 268435455 bytes"),
        ("log_options", {"max-size": "256m"}, "max-size is 256m, and can be from 4096 to 268435455 bytes"),
        ("log_options", {"max-size": "-1"}, "it is not a size"),
        ("log_options", {"max-file": 0}, "max-file is 0, and can be from 1 to 100"),
        ("log_options", {"max-file": 1, "max-size": 8191}, "with max-file 1 the max-size is halved"),
        ("log_options", {"tag": ""}, "not a line of 1 to 128 bytes"),
        ("log_options", {"tag": "a\nb"}, "not a line of 1 to 128 bytes"),
        ("log_options", {"tag": "{{.ImageName}}"}, "in a tag only"),
        ("log_options", {"tag": "{{.Name}"}, "in a tag only"),
        ("log_driver", "json-file", "it is not one of file, syslog, journald, none"),
        ("storage_opts", ["size=1g"], "it is not a dictionary"),
        ("storage_opts", {"dm.basesize": "1g"}, "'dm.basesize' is not known; inodes and size are"),
        ("storage_opts", {"size": "1k"}, "it is below 1048576 bytes"),
        ("ipc_mode", "shareable", "it is not one of host, private"),
        ("pid_mode", "shared", "it is not one of private, host and container:NAME"),
        ("pid_mode", "container:", "cannot use 'container:' as pid_mode"),
        ("pid_mode", "container:../x", "cannot use 'container:../x' as pid_mode"),
        ("userns_mode", "auto", "it is not one of host"),
    ],
)
def test_what_an_option_does_not_take(option: str, value: Any, reason: str) -> None:
    """The option, the value and the reason are named."""
    with pytest.raises(InvalidValue) as caught:
        said(**{option: value})
    assert caught.value.option == option
    assert reason in str(caught.value)


def test_a_default_is_no_difference() -> None:
    """What a record leaves out is the same as the default said: nothing of it is kept, and nothing differs."""
    names = [row.name for row in rows(Container) if "nothing" in row.facts]
    everything = replace(said(), **{name: container_state.DEFAULTS[name] for name in names})
    assert len(names) > 20
    assert container_state.encoded(everything) == container_state.encoded(said())


def test_what_changes_cost() -> None:
    """What is only kept, sizes, rates, limits and checks are changed live; all else takes another container."""
    live: dict[str, Any] = {"labels": {"a": "b"}, "stop_signal": "QUIT", "storage_opts": {"size": "1g"}} | RATES
    live |= {"ulimits": ["nofile:9"], "oom_score_adj": 5, "depends_on": ["db"], "auto_remove": True}
    live |= {"restart_policy": "always", "restart_retries": 3, "stop_timeout": 5}
    live |= {"exposed_ports": ["80"], "publish_all_ports": True}
    live |= {"healthcheck": {"test": "true"}, "on_unhealthy": "stop"}
    other = {"labels": {}, "stop_signal": "TERM", "storage_opts": {"size": "2g"}, "ingress_rate": 0, "egress_rate": 0}
    other |= {"ulimits": [], "oom_score_adj": 0, "depends_on": [], "healthcheck": {}, "on_unhealthy": "none"}
    other |= {"restart_policy": "no", "restart_retries": 0, "stop_timeout": 10}
    other |= {"auto_remove": False, "exposed_ports": [], "publish_all_ports": False}
    changes = diff(said(**live), said(**other))
    assert {change.effect for change in changes} == {Effect.LIVE}
    new = [row for row in rows(Container) if "nothing" in row.facts and row.name not in live]
    assert {row.effect for row in new} == {Effect.RECREATE}


def test_capabilities_are_those_asked_for() -> None:
    """What is dropped is missing, what is added is there, also if it is dropped."""
    default = set(DEFAULT_CAPABILITIES)
    everything = set(container_wishes.granted(said(privileged=True)))
    assert set(container_wishes.granted(said())) == default & everything
    assert set(container_wishes.granted(said(cap_drop=["CHOWN"]))) == (default - {"CAP_CHOWN"}) & everything
    assert container_wishes.granted(said(cap_drop=["ALL"], cap_add=["chown"])) == ("CAP_CHOWN",)
    assert set(container_wishes.granted(said(cap_add=["ALL"], cap_drop=["CHOWN"]))) == everything - {"CAP_CHOWN"}
    assert "CAP_CHOWN" in container_wishes.granted(said(cap_drop=["CHOWN"], cap_add=["CHOWN"]))


def configuration(**wishes: Any) -> dict[str, Any]:
    """The configuration of a container with these wishes."""
    return spec.configuration(
        arguments=["true"],
        environment=[],
        user=User(0, 0, (), "/root"),
        cwd="/",
        hostname="h",
        rootfs="/merged",
        binds=[("/data", "/a/b", False)],
        network="/run/netns/0a",
        cgroup="pycontainers/0a",
        wishes=spec.Wishes(**wishes),
    )


def test_wishes_become_a_configuration() -> None:
    """Each wish has its place in the OCI configuration."""
    limit = {"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}
    config = configuration(
        capabilities=("CAP_CHOWN",), profile=None, no_new_privileges=True, exposed=True, readonly=True,
        rlimits=(limit,), sysctls={"net.a": "1"}, oom_score_adj=7, domainname="d",
    )  # fmt: skip
    process, linux = config["process"], config["linux"]
    assert process["capabilities"]["bounding"] == process["capabilities"]["effective"] == ["CAP_CHOWN"]
    assert (process["noNewPrivileges"], process["rlimits"], process["oomScoreAdj"]) == (True, [limit], 7)
    assert (linux["maskedPaths"], linux["readonlyPaths"], linux["sysctl"]) == ([], [], {"net.a": "1"})
    assert "seccomp" not in linux
    assert config["root"] == {"path": "/merged", "readonly": True}
    assert (config["hostname"], config["domainname"]) == ("h", "d")


def test_mounts_are_in_the_order_of_their_depth() -> None:
    """A filesystem that lies above a volume is mounted before it, and one below it after; devices come last."""
    wishes: dict[str, Any] = {"tmpfs": (("/a/b/c", ("ro",)), ("/a", ())), "nodes": (("/dev/x", "/dev/y"),)}
    places = [each["destination"] for each in configuration(**wishes)["mounts"]]
    assert places[-4:] == ["/a", "/a/b", "/a/b/c", "/dev/y"]


def test_shared_namespaces_are_not_made() -> None:
    """A namespace that stays the host's is not in the list, and no name is set in it."""
    config = configuration(shared=frozenset({"uts", "ipc"}))
    assert [each["type"] for each in config["linux"]["namespaces"]] == ["pid", "mount", "cgroup", "network"]
    assert "hostname" not in config
    (shm,) = (each for each in config["mounts"] if each["destination"] == "/dev/shm")
    assert (shm["type"], shm["source"]) == ("bind", "/dev/shm")


PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["always"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["admin"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}},
        {"names": ["other"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}},
        {"names": ["arm"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
        {"names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
    ],
}


@pytest.mark.parametrize(
    ("capabilities", "machine", "kernel", "names"),
    [
        ([], "x86_64", "6.1.0", ["always", "other", "new"]),
        ([], "aarch64", "4.7.9", ["always", "other", "arm"]),
        (["CAP_SYS_ADMIN"], "x86_64", "4.8", ["always", "new"]),
        (["CAP_SYS_ADMIN", "CAP_BPF"], "x86_64", "5.0-rc1", ["always", "admin", "new"]),
    ],
)
def test_rules_of_a_profile_count_on_their_conditions(
    capabilities: list[str], machine: str, kernel: str, names: list[str]
) -> None:
    """A rule is there if all of what it includes is met, and none of what it excludes."""
    found = docker_seccomp.resolved(PROFILE, capabilities, machine, kernel)
    assert [each["names"][0] for each in found["syscalls"]] == names
    assert all(set(each) == {"names", "action"} for each in found["syscalls"])
    assert found["architectures"] == (["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"] if machine == "x86_64" else [])


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ([], "it is not an object"),
        ({"syscalls": {}}, "syscalls is not a list of objects"),
        ({"syscalls": [{"includes": {"phase": ["moon"]}}]}, "the condition 'phase' is not known"),
        ({"syscalls": [{"includes": {"caps": "CAP_BPF"}}]}, "the condition caps is not a list"),
        ({"archMap": [{}], "architectures": ["SCMP_ARCH_X86"]}, "it has both architectures and archMap"),
    ],
)
def test_what_is_no_profile(profile: Any, reason: str) -> None:
    """A condition that is not understood is refused: overlooking it would allow more than was meant."""
    with pytest.raises(ValueError, match=reason):
        docker_seccomp.resolved(profile, [])
