# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a container's program, by what the kernel says of it from inside."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import security
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_facts import inspect
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, proc_status

DEFAULT = security.mask(security.DEFAULT_CAPABILITIES)
CHOWN, NET_ADMIN, NET_RAW = (security.mask([each]) for each in ("CHOWN", "NET_ADMIN", "NET_RAW"))
SETS = "grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status"


def own_bounds() -> int:
    """The capabilities that this process could pass on."""
    return int(proc_status("self")["CapBnd"], 16)


def fields(said: str) -> dict[str, int]:
    """Lines of a status file by name; capability sets and all else as numbers."""
    pairs = (line.split(":") for line in said.splitlines())
    return {name: int(value, 16 if name.startswith("Cap") else 10) for name, value in pairs}


@pytest.mark.parametrize(
    ("options", "bounds"),
    [
        ({}, DEFAULT),
        ({"cap_add": ["net_admin"]}, DEFAULT | NET_ADMIN),
        ({"cap_drop": ["CAP_NET_RAW"]}, DEFAULT & ~NET_RAW),
        ({"cap_drop": ["ALL"]}, 0),
        ({"cap_drop": ["all"], "cap_add": ["CHOWN"]}, CHOWN),
        ({"cap_add": ["ALL"], "cap_drop": ["CHOWN"]}, -1 & ~CHOWN),
        ({"privileged": True}, -1),
    ],
)
def test_capabilities(host: Host, options: dict[str, Any], bounds: int) -> None:
    """Root has the sets that are asked for, as has what exec runs; another user has none in effect."""
    host.run(**options)
    wanted = bounds & own_bounds()
    found = fields(host.ok("exec", "c", "sh", "-c", SETS))
    assert {found[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {wanted}
    first = proc_status(host.pid())
    assert {int(first[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {wanted}
    if options != {"cap_drop": ["ALL"]}:
        other = fields(host.ok("exec", "-u", "nobody", "c", "sh", "-c", SETS))
        assert (other["CapBnd"], other["CapEff"]) == (wanted, 0)


def test_privileged(host: Host) -> None:
    """No filter, no hidden files, a writable /sys and the host's devices: mounts work and the kernel's log opens."""
    host.run(privileged=True)
    assert proc_status(host.pid())["Seccomp"] == "0"
    script = "mkdir -p /x && mount -t tmpfs none /x && : < /dev/kmsg && cat /proc/keys | grep -q . && echo all"
    assert host.ok("exec", "c", "sh", "-c", f"({script}) 2>&1") == "all\n"
    mounts = host.ok("exec", "c", "cat", "/proc/mounts").splitlines()
    assert next(line for line in mounts if " /sys " in line).split()[3].split(",")[0] == "rw"
    assert not [line for line in mounts if line.split()[1] in ("/proc/sys", "/sys/firmware")]
    assert Path("/dev/kmsg").stat().st_rdev == os.stat(f"/proc/{host.pid()}/root/dev/kmsg").st_rdev
    host.converge(privileged=False, stop_timeout=0)
    assert proc_status(host.pid())["Seccomp"] == "2"


def test_a_user_with_groups_and_a_folder(host: Host) -> None:
    """The program is the user, in its groups and the added ones, in the directory, which is made; so is exec's."""
    script = "id -u; id -g; id -G; pwd"
    said = host.said(script, user="nobody", groups=["33", "root"], working_dir="/srv/deep/er")
    assert said.splitlines() == ["65534", "65534", "65534 0 33 100", "/srv/deep/er"]
    host.run(user="33:5", working_dir="/srv")
    assert host.ok("exec", "c", "sh", "-c", "echo $(id -u):$(id -g) $(pwd)") == "33:5 /srv\n"


def test_an_option_comes_before_the_image_and_gives_way_to_it(host: Host) -> None:
    """User, directory and stop signal are the image's, until the option says else; an empty one is the image's."""
    image = host.image("own", {"User": "33", "WorkingDir": "/usr", "StopSignal": "SIGINT", "Labels": {"a": "1"}})
    look = ["sh", "-c", "id -u; pwd; exec sleep 1000"]
    given: dict[str, Any] = {"image": image, "command": look, "stop_timeout": 0}
    host.converge(**given)
    assert host.ok("exec", "c", "sh", "-c", "id -u; pwd") == "33\n/usr\n"
    shown = inspect(host.layout, host.observed())["Config"]
    assert (shown["User"], shown["StopSignal"], shown["Labels"]) == ("33", "SIGINT", {"a": "1"})
    host.converge(**given, user="7", working_dir="/tmp", stop_signal="quit", labels={"a": "2", "b": "3"})
    assert host.ok("exec", "c", "sh", "-c", "id -u; pwd") == "7\n/tmp\n"
    shown = inspect(host.layout, host.observed())["Config"]
    assert (shown["User"], shown["StopSignal"], shown["Labels"]) == ("7", "SIGQUIT", {"a": "2", "b": "3"})
    host.converge(**given, user="", working_dir="", stop_signal="", labels={})
    assert host.ok("exec", "c", "sh", "-c", "id -u; pwd") == "33\n/usr\n"


def test_a_read_only_root_with_a_writable_place(host: Host) -> None:
    """Nothing can be written but below the tmpfs, /dev and /dev/shm, which have the options that are asked for."""
    script = "touch /a 2>&1; touch /run/a /dev/shm/a && echo wrote; cat /proc/mounts"
    options = {"read_only": True, "tmpfs": ["/run:size=64k,exec,mode=700"], "shm_size": "2m"}
    said = host.said(script, **options).splitlines()
    assert said[:2] == ["touch: /a: Read-only file system", "wrote"]
    mounts = {line.split()[1]: line.split()[2:4] for line in said[2:]}
    assert mounts["/run"][0] == "tmpfs"
    assert {"rw", "nosuid", "nodev", "size=64k", "mode=700"} <= set(mounts["/run"][1].split(","))
    assert "noexec" not in mounts["/run"][1]
    assert "size=2048k" in mounts["/dev/shm"][1].split(",")
    assert mounts["/"][1].split(",")[0] == "ro"


def test_a_tmpfs_lies_below_a_volume_and_the_other_way_round(host: Host, tmp_path: Path) -> None:
    """Of two places one below the other that above is mounted first, whichever option it is of."""
    (tmp_path / "file").write_text("of the volume\n")
    options = {"volumes": [f"{tmp_path}:/a", f"{tmp_path}:/b/c"], "tmpfs": ["/b", "/a/d"]}
    assert host.said("cat /a/file /b/c/file; stat -f -c %T /a/d /b", **options).splitlines() == [
        "of the volume", "of the volume", "tmpfs", "tmpfs"
    ]  # fmt: skip


def test_no_new_privileges_and_the_filter(host: Host) -> None:
    """What exec runs is confined as the program is: no new privileges, and with the filter or without."""
    for options, wanted in (
        ([], (0, 2)),
        (["no-new-privileges"], (1, 2)),
        (["seccomp=unconfined"], (0, 0)),
        (["no-new-privileges:true", "seccomp=unconfined"], (1, 0)),
    ):
        host.run(security_opts=options)
        first = proc_status(host.pid())
        assert (int(first["NoNewPrivs"]), int(first["Seccomp"])) == wanted
        for user in ("root", "nobody"):
            found = fields(host.ok("exec", "-u", user, "c", "sh", "-c", SETS))
            assert (found["NoNewPrivs"], found["Seccomp"]) == wanted


def test_a_seccomp_profile_of_docker_s_form(host: Host, tmp_path: Path) -> None:
    """A profile's rules count, those with a condition only where it is met; exec has the same."""
    profile = tmp_path / "profile.json"
    denied = {"action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    rules = [
        {"names": ["mkdir", "mkdirat"], **denied},
        {"names": ["chmod", "fchmodat", "fchmodat2"], **denied, "excludes": {"caps": ["CAP_NET_ADMIN"]}},
    ]
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [], "syscalls": rules}))
    options: dict[str, Any] = {"security_opts": [f"seccomp={profile}"]}
    script = "mkdir /x 2>&1; chmod 700 /tmp 2>&1; echo done"
    host.run(**options)
    said = host.ok("exec", "c", "sh", "-c", script)
    assert said.count("Operation not permitted") == 2
    host.run(**options, cap_add=["NET_ADMIN"])
    assert host.ok("exec", "c", "sh", "-c", script).count("Operation not permitted") == 1
    assert proc_status(host.pid())["Seccomp"] == "2"


def test_limits_settings_and_score(host: Host) -> None:
    """Resource limits, kernel settings and the out-of-memory score are those asked for; exec has the limits too."""
    options: dict[str, Any] = {
        "ulimits": ["nofile:100:200", "core=0"],
        "sysctls": {"net.ipv4.ip_default_ttl": 33, "kernel.shm_rmid_forced": "1", "net/ipv4/ping_group_range": "0  7"},
        "oom_score_adj": 321,
    }
    host.run(**options)
    script = "ulimit -Sn; ulimit -Hn; ulimit -c"
    assert host.ok("exec", "c", "sh", "-c", script).split() == ["100", "200", "0"]
    limits = Path(f"/proc/{host.pid()}/limits").read_text()
    assert "Max open files            100                  200" in limits
    assert Path(f"/proc/{host.pid()}/oom_score_adj").read_text() == "321\n"
    names = ("net/ipv4/ip_default_ttl", "kernel/shm_rmid_forced", "net/ipv4/ping_group_range")
    said = host.ok("exec", "c", "cat", *(f"/proc/sys/{name}" for name in names))
    assert said.split() == ["33", "1", "0", "7"]
    assert Path("/proc/sys/kernel/shm_rmid_forced").read_text() == "0\n"


def test_names(host: Host) -> None:
    """The host and domain name are those asked for, and the host name leads to the container."""
    said = host.said("hostname; cat /proc/sys/kernel/domainname; echo $HOSTNAME", hostname="Web-1.x", domainname="d.x")
    assert said.split() == ["Web-1.x", "d.x", "Web-1.x"]
    assert host.said("hostname", uts="host").strip() == os.uname().nodename


def test_names_of_others(host: Host) -> None:
    """Resolvers, search domains, options and lines of the hosts file are those asked for, the host's among them."""
    host.network()
    lines = "cat /etc/resolv.conf /etc/hosts"
    given = {
        "dns_servers": ["192.0.2.1", "2001:DB8::1"], "dns_search_domains": ["a.test"], "dns_opts": ["ndots:2"],
        "etc_hosts": {"db": "192.0.2.9", "six": "2001:db8::9", "host": "host-gateway"},
        "networks": [{"name": "front"}],
    }  # fmt: skip
    said = host.said(lines, **given).splitlines()
    expected = ["nameserver 192.0.2.1", "nameserver 2001:db8::1", "search a.test", "options ndots:2"]
    assert [line for line in said if line in expected] == expected
    assert {"192.0.2.9 db", "2001:db8::9 six", "10.91.0.1 host"} <= set(said)
    assert not any(line.startswith("nameserver") and line not in expected for line in said)
    with pytest.raises(InvalidValue, match="etc_hosts: the container is on no network"):
        host.run(name="d", etc_hosts={"host": "host-gateway"})


def test_namespaces_of_the_host(host: Host) -> None:
    """The namespaces that are to be the host's are, the others are not; limits are still the container's."""
    host.run(ipc_mode="host", uts="host", cgroupns_mode="host")
    for kind in ("ipc", "uts", "cgroup"):
        assert os.readlink(f"/proc/{host.pid()}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}")
    for kind in ("mnt", "pid", "net"):
        assert os.readlink(f"/proc/{host.pid()}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
    identity = host.observed().id or ""
    assert f"/pycontainers/{identity}" in host.ok("exec", "c", "cat", "/proc/1/cgroup")
    if cgroups().version == 1:
        host.ok("exec", "c", "test", "-e", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
        assert host.cli("exec", "c", "test", "-e", f"/sys/fs/cgroup/memory/pycontainers/{identity}").returncode == 1
    there = Path("/dev/shm") / f"pycontainers-test-{os.getpid()}"
    try:
        there.write_text("seen")
        assert host.ok("exec", "c", "cat", str(there)) == "seen"
    finally:
        there.unlink()


def test_devices(host: Host) -> None:
    """A device is where it is asked for, with the access that is asked for, and its node can't be changed."""
    host.run(devices=["/dev/fuse:/dev/in/fuse:r", "/dev/loop-control"])
    script = "true < /dev/in/fuse && echo read; (true > /dev/in/fuse) 2>&1; chmod 0 /dev/in/fuse 2>&1"
    said = host.cli("exec", "c", "sh", "-c", script).stdout.splitlines()
    assert said[0] == "read"
    assert "Operation not permitted" in said[1]
    assert "Read-only file system" in said[2]
    assert host.ok("exec", "c", "sh", "-c", ": < /dev/loop-control; echo $?") == "0\n"
    host.run(devices=[])
    assert host.cli("exec", "c", "test", "-e", "/dev/loop-control").returncode == 1


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"cap_add": ["NET_ADMIN", "SYS_TIME"]}, {"cap_add": ["cap_sys_time", "net_admin", "NET_ADMIN"]}),
    ({"tmpfs": ["/b", "/a:size=1m,mode=755"]}, {"tmpfs": ["/a/:mode=755,noexec,size=1048576", "/b:nosuid,rw"]}),
    ({"ulimits": ["nofile:9", "core:0:-1"]}, {"ulimits": ["core=0:unlimited", "NOFILE=9:9"]}),
    ({"sysctls": {"net.ipv4.ip_forward": 1}}, {"sysctls": {"net/ipv4/ip_forward": "1 "}}),
    ({"security_opts": ["no-new-privileges"]}, {"security_opts": ["label:disable", "no-new-privileges:true"]}),
    ({"devices": ["/dev/fuse"]}, {"devices": ["/dev/fuse:/dev//fuse:mrw"]}),
    ({"user": "033", "groups": ["5", "mail"]}, {"user": 33, "groups": ["mail", 5]}),
    ({"shm_size": "1g", "working_dir": "/a/"}, {"shm_size": 1 << 30, "working_dir": "/a"}),
    ({"stop_signal": "term", "labels": {"a": "1"}}, {"stop_signal": "15", "labels": {"a": "1"}}),
    (
        {},
        {"privileged": False, "cap_add": [], "read_only": False, "shm_size": "64m", "user": "", "hostname": ""}
        | {"oom_score_adj": 0, "ipc_mode": "private", "tmpfs": [], "security_opts": [], "labels": {}},
    ),
]


def test_equal_values_are_no_change(host: Host) -> None:
    """The same options, said again or said otherwise, change nothing; said in neither way, they stay."""
    for number, (first, again) in enumerate(SAME):
        given: dict[str, Any] = {"name": f"c{number}", "image": host.busybox, "state": "stopped"}
        host.converge(**given, **first)
        for options in (first, again, {}):
            outcome = host.converge(**given, **options)
            assert (outcome.actions, outcome.changes) == ((), ()), options


def test_labels_and_the_stop_signal_change_while_it_runs(host: Host) -> None:
    """They are only kept: the program goes on, and the next stop has the new signal."""
    container = host.shell("trap 'exit 7' USR1; while :; do sleep 0.05; done")
    pid = host.pid()
    outcome = host.converge(labels={"a": "b"}, stop_signal="USR1")
    assert [change.effect.name for change in outcome.changes] == ["LIVE", "LIVE"]
    assert host.pid() == pid
    host.converge(state="stopped", stop_timeout=10)
    assert container_state.status(host.layout, container.id or "").exit_code == 7


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"devices": ["/dev/no-such"]}, "there is no such device on the host"),
        ({"devices": ["/etc/passwd:/dev/x"]}, "it is not a device"),
        ({"security_opts": ["seccomp=/no/such.json"]}, "there is no such file on the host"),
        ({"security_opts": ["seccomp=/etc/passwd"]}, "it is not a seccomp profile"),
        ({"sysctls": {"kernel.panic": "1"}}, "no namespace has this setting of its own"),
        ({"sysctls": {"kernel.msgmax": "1"}, "ipc_mode": "host"}, "shares the runtime's ipc namespace"),
        ({"hostname": "a", "uts": "host"}, "it would be the host's"),
        ({"volumes": ["/etc:/a"], "tmpfs": ["/a"]}, "there is a volume at the same place"),
    ],
)
def test_what_the_host_can_not_give_is_refused_first(host: Host, options: dict[str, Any], reason: str) -> None:
    """It is named before anything is touched, and the container that runs goes on."""
    host.run()
    pid = host.pid()
    with pytest.raises(InvalidValue, match=reason):
        host.converge(**options)
    assert host.pid() == pid
    assert len(container_state.identities(host.layout)) == 1


def test_options_outlive_a_restart(host: Host) -> None:
    """After a stop and a start by the command line all is as it was declared, and declaring it again is no change."""
    options: dict[str, Any] = {
        "cap_drop": ["ALL"], "security_opts": ["no-new-privileges"], "read_only": True, "user": "0:33",
        "ulimits": ["nofile:99"], "devices": ["/dev/fuse"], "sysctls": {"net.ipv4.ip_default_ttl": "9"},
    }  # fmt: skip
    host.run(**options)
    pid = host.pid()
    host.ok("restart", "-t", "0", "c")
    assert host.pid() not in (0, pid)
    status = proc_status(host.pid())
    assert (status["CapBnd"], status["NoNewPrivs"], status["Gid"].split()[0]) == ("0" * 16, "1", "33")
    script = "ulimit -n; cat /proc/sys/net/ipv4/ip_default_ttl; touch /x 2>&1; true < /dev/fuse && echo opened"
    said = host.ok("exec", "c", "sh", "-c", script).splitlines()
    assert said == ["99", "9", "touch: /x: Read-only file system", "opened"]
    pid = host.pid()
    given: dict[str, Any] = {"image": host.busybox, "command": ["sleep", "1000"], "stop_timeout": 0}
    for check in (True, False):
        assert host.converge(check=check, **given, **options).actions == ()
    assert host.pid() == pid
