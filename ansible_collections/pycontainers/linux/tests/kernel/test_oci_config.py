# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a config.json asks for, as the kernel shows it from inside a container of the OCI command line."""
from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import Oci, hook, wait

Change = Callable[[dict[str, Any]], object]


def mounted(**mount: Any) -> Change:
    """A configuration with one mount more."""
    return lambda document: document["mounts"].append(mount)


def linux(**values: Any) -> Change:
    """A configuration with other values in ``linux``."""
    return lambda document: document["linux"].update(values)


def process(**values: Any) -> Change:
    """A configuration with other values in ``process``."""
    return lambda document: document["process"].update(values)


def test_names(oci: Oci) -> None:
    """Host name and domain name are those of the container alone."""
    name = os.uname().nodename
    said = oci.said("hostname; cat /proc/sys/kernel/domainname", lambda document: document.update(domainname="inside"))
    assert said.split() == ["pycontainers", "inside"]
    assert os.uname().nodename == name


def test_identity(oci: Oci) -> None:
    """User, groups and umask are as given, and the capability sets of another user are exactly those asked for."""
    sets = {name: ["CAP_KILL"] for name in ("permitted", "effective", "inheritable", "ambient")}
    sets["bounding"] = ["CAP_CHOWN", "CAP_KILL"]
    user = {"uid": 7, "gid": 8, "additionalGids": [9], "umask": 0o27}
    said = oci.said(
        "id -u; id -g; id -G; umask; grep -E '^Cap|NoNew' /proc/self/status",
        process(user=user, capabilities=sets, noNewPrivileges=True),
    )
    assert said.split()[:5] == ["7", "8", "8", "9", "0027"]
    values = dict(line.split(":\t") for line in said.splitlines()[4:])
    assert values == {
        "CapInh": f"{1 << 5:016x}",
        "CapPrm": f"{1 << 5:016x}",
        "CapEff": f"{1 << 5:016x}",
        "CapBnd": f"{1 << 5 | 1:016x}",
        "CapAmb": f"{1 << 5:016x}",
        "NoNewPrivs": "1",
    }


def test_home(oci: Oci) -> None:
    """Where the environment has no HOME, it is the user's home in the image, also for exec, and else the root."""
    (oci.rootfs / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nnone:x:7:7:::\nsome:x:8:8::/home/some:\n")

    def user(uid: int, *variables: str) -> Change:
        return process(user={"uid": uid, "gid": 0}, env=["PATH=/bin", *variables])

    wanted = {user(0): "/root", user(7): "/", user(8): "/home/some", user(9): "/", user(0, "HOME=/x"): "/x"}
    assert {each: oci.said("echo $HOME", each).strip() for each in wanted} == wanted
    oci.configure(change=user(0))
    oci.run()
    assert oci.ok("exec", "--user", "8", "c", "sh", "-c", "echo $HOME") == "/home/some\n"


def test_limits_of_the_process(oci: Oci) -> None:
    """Resource limits and the score for the end by lack of memory are set before exec."""
    files = min(100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    limit = {"type": "RLIMIT_NOFILE", "soft": files, "hard": files}
    said = oci.said("ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj", process(rlimits=[limit], oomScoreAdj=500))
    assert said.split() == [str(files), str(files), "500"]


def test_cwd_is_made(oci: Oci) -> None:
    """A working directory that is missing is made, inside the root."""
    assert oci.said("pwd", process(cwd="/made/for/it")) == "/made/for/it\n"
    assert (oci.rootfs / "made/for/it").is_dir()


def test_read_only_root(oci: Oci) -> None:
    """The root filesystem takes no change, while a tmpfs in it does."""
    said = oci.said(
        "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo taken",
        lambda document: document["root"].update(readonly=True),
    )
    assert said.split() == ["refused", "taken"]


def test_bind_mounts(oci: Oci) -> None:
    """Files and folders of the bundle are bound, with attributes for each mount, and read-only ones are that."""
    (oci.bundle / "folder").mkdir()
    (oci.bundle / "file").write_text("content\n")

    def change(document: dict[str, Any]) -> None:
        mounted(destination="/in/folder", type="bind", source="folder", options=["rbind", "ro", "noexec"])(document)
        mounted(destination="/in/file", type="none", source="file", options=["bind", "rro", "nosuid"])(document)

    said = oci.said("cat /in/file; grep ' /in/' /proc/mounts; touch /in/folder/x 2>/dev/null || echo refused", change)
    lines = said.splitlines()
    assert (lines[0], lines[-1]) == ("content", "refused")
    assert set(lines[1].split()[3].split(",")) >= {"ro", "noexec"}
    assert set(lines[2].split()[3].split(",")) >= {"ro", "nosuid"}


def test_a_read_only_tmpfs_is_filled_first(oci: Oci) -> None:
    """Mounts below a read-only tmpfs can be made, though it takes no change afterwards."""

    def change(document: dict[str, Any]) -> None:
        mounted(destination="/run/top", type="tmpfs", source="tmpfs", options=["ro"])(document)
        mounted(destination="/run/top/below", type="tmpfs", source="tmpfs", options=["size=64k"])(document)

    script = "touch /run/top/below/x && echo taken; touch /run/top/x 2>/dev/null || echo refused"
    assert oci.said(script, change).split() == ["taken", "refused"]


def test_a_link_in_the_image_leads_nowhere_outside(oci: Oci) -> None:
    """The destination of a mount is looked up inside the root, through whatever links are there."""
    (oci.rootfs / "trap").symlink_to("/../../../../etc")
    change = mounted(destination="/trap/inside", type="tmpfs", source="tmpfs")
    assert oci.said("grep -c ' /etc/inside ' /proc/mounts", change) == "1\n"
    assert not Path("/etc/inside").exists()


@pytest.mark.parametrize(("word", "shared"), [("shared", 1), ("private", 0), ("slave", 0), ("rshared", 1)])
def test_propagation_of_a_mount(oci: Oci, word: str, shared: int) -> None:
    """Propagation words set the type of that mount."""
    said = oci.said(
        "grep ' /spread ' /proc/self/mountinfo",
        mounted(destination="/spread", type="tmpfs", source="tmpfs", options=[word]),
    )
    assert said.count("shared:") == shared


def test_root_propagation(oci: Oci) -> None:
    """The root filesystem has the propagation that is asked for, and what is mounted stays inside."""
    before = len(Path("/proc/self/mountinfo").read_text().splitlines())
    said = oci.said("grep ' / / \\| / ' /proc/self/mountinfo | head -1", linux(rootfsPropagation="shared"))
    assert "shared:" in said
    assert len(Path("/proc/self/mountinfo").read_text().splitlines()) == before


def test_masked_and_read_only_paths(oci: Oci) -> None:
    """Masked files are empty, masked folders too, read-only paths refuse; paths that don't exist are left out."""
    (oci.rootfs / "secret").write_text("secret\n")
    (oci.rootfs / "folder").mkdir()
    (oci.rootfs / "folder/secret").write_text("secret\n")
    said = oci.said(
        "cat /secret; ls /folder; touch /tmp/x 2>/dev/null || echo refused",
        linux(maskedPaths=["/secret", "/folder", "/none"], readonlyPaths=["/tmp", "/none"]),
    )
    assert said == "refused\n"


def test_devices(oci: Oci) -> None:
    """Default devices and those of the configuration are nodes; what the rules don't allow can't be opened."""
    fuse = {"path": "/dev/own/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 3, "gid": 4}
    said = oci.said(
        "echo x > /dev/null; head -c 4 /dev/zero | wc -c; stat -c '%t:%T %a %u:%g' /dev/own/fuse; "
        "cat /dev/own/fuse 2>&1; readlink /dev/ptmx",
        linux(devices=[fuse]),
    )
    assert said.splitlines()[:2] == ["4", "a:e5 640 3:4"]
    assert "Operation not permitted" in said.splitlines()[2]
    assert said.splitlines()[3] == "pts/ptmx"


def test_kernel_settings(oci: Oci) -> None:
    """Settings of the container's namespaces are set there and nowhere else."""
    path = Path("/proc/sys/net/ipv4/ip_default_ttl")
    before = path.read_text()
    change = linux(sysctl={"net.ipv4.ip_default_ttl": "33", "kernel.msgmax": "9"})
    said = oci.said(f"cat {path} /proc/sys/kernel/msgmax", change)
    assert said.split() == ["33", "9"]
    assert path.read_text() == before


def test_seccomp(oci: Oci) -> None:
    """A filter of the profile's holds for the program, with and without no_new_privs, and for exec."""
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}],
    }
    for alone in (False, True):

        def change(document: dict[str, Any], alone: bool = alone) -> None:
            document["linux"]["seccomp"] = profile
            document["process"]["noNewPrivileges"] = alone

        assert oci.said("mkdir /x 2>&1 | grep -c 'Permission denied'", change) == "1\n"
    oci.configure(change=linux(seccomp=profile))
    oci.run()
    assert "Permission denied" in oci.call("exec", "c", "mkdir", "/y").stderr


def test_limits(oci: Oci) -> None:
    """Limits of the configuration are in the cgroup's files; zeros and minus ones say nothing, or no limit."""
    limits = {
        "memory": {"limit": 64 << 20, "swap": 0},
        "cpu": {"shares": 512, "quota": 50000, "period": 100000},
        "pids": {"limit": 40},
        "blockIO": {"weight": 0},
    }
    oci.configure(change=lambda document: document["linux"]["resources"].update(limits))
    oci.create()
    assert oci.limit("memory/memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert oci.limit("cpu/cpu.cfs_quota_us", "cpu.max") in ("50000", "50000 100000")
    assert oci.limit("pids/pids.max", "pids.max") == "40"


def test_a_refused_limit_leaves_nothing(oci: Oci) -> None:
    """What the kernel does not take is told with its file, and the cgroup is removed again."""
    said = oci.refused(lambda document: document["linux"]["resources"].update(cpu={"cpus": "4095"}))
    assert "cpuset.cpus" in said
    assert oci.cgroups() == []


def test_a_joined_namespace(oci: Oci) -> None:
    """A namespace with a path is joined: two containers share it, and pid namespaces too."""
    pid = oci.run("first")

    def change(document: dict[str, Any]) -> None:
        for entry in document["linux"]["namespaces"]:
            if entry["type"] in ("pid", "network", "ipc"):
                kind = {"pid": "pid", "network": "net", "ipc": "ipc"}[entry["type"]]
                entry["path"] = f"/proc/{pid}/ns/{kind}"

    said = oci.said("cd /proc/self/ns; readlink pid; readlink net; readlink ipc", change)
    assert said.split() == [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("pid", "net", "ipc")]


def test_without_a_pid_namespace(oci: Oci) -> None:
    """Where the container has the host's pids, all its processes end with the first by SIGKILL."""

    def change(document: dict[str, Any]) -> None:
        kinds = document["linux"]["namespaces"]
        document["linux"]["namespaces"] = [entry for entry in kinds if entry["type"] not in ("pid", "cgroup")]

    oci.configure("sh", "-c", "sleep 1000 & wait", change=change)
    pid = oci.run()
    wait(lambda: len(json.loads(oci.ok("ps", "-f", "json", "c"))) == 2)
    oci.ok("kill", "c", "KILL")
    assert oci.exit_code(pid) == -9
    oci.reap()
    oci.ok("delete", "c")


def test_shifted_clocks(oci: Oci) -> None:
    """A time namespace shifts the clock since boot."""

    def change(document: dict[str, Any]) -> None:
        document["linux"]["namespaces"].append({"type": "time"})
        document["linux"]["timeOffsets"] = {"boottime": {"secs": 1000000}}

    assert float(oci.said("cat /proc/uptime", change).split()[0]) > 1000000


def test_hooks(oci: Oci) -> None:
    """Hooks run in order, with the state on stdin, each in the namespaces that the specification says."""
    record = oci.bundle / "hooks"
    kinds = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")

    def change(document: dict[str, Any]) -> None:
        mounted(destination="/bundle", type="bind", source=str(oci.bundle), options=["bind"])(document)
        document["hooks"] = {
            kind: [hook(f"echo {kind} $(cat) >> {'/bundle' if kind == 'startContainer' else oci.bundle}/hooks")]
            for kind in kinds
        }

    oci.configure(change=change)
    pid = oci.create()
    oci.ok("start", "c")
    oci.ok("delete", "--force", "c")
    lines = record.read_text().splitlines()
    states = [json.loads(line.partition(" ")[2]) for line in lines]
    assert [line.partition(" ")[0] for line in lines] == list(kinds)
    statuses = ["creating", "creating", "creating", "created", "running", "stopped"]
    assert [state["status"] for state in states] == statuses
    assert [state["pid"] for state in states] == [pid] * 5 + [0]
    assert {state["bundle"] for state in states} == {str(oci.bundle)}


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_hook_that_fails_ends_the_creation(oci: Oci, kind: str) -> None:
    """Its words and status are told, and nothing is left."""
    said = oci.refused(lambda document: document.update(hooks={kind: [hook("echo no >&2; exit 3")]}))
    assert f"run hook {kind}[0]" in said
    assert "status 3: no" in said


def test_hooks_at_the_start(oci: Oci) -> None:
    """A failing startContainer hook fails the start; a failing poststart hook is only logged."""
    oci.configure(change=lambda document: document.update(hooks={"startContainer": [hook("exit 3")]}))
    oci.create()
    assert "startContainer" in oci.call("start", "c").stderr
    oci.ok("delete", "--force", "c")
    oci.configure(change=lambda document: document.update(hooks={"poststart": [hook("exit 3")]}))
    oci.create()
    oci.ok("--log", "log", "start", "c")
    assert "poststart" in (oci.bundle / "log").read_text()


def test_a_hook_has_its_time(oci: Oci) -> None:
    """A hook that takes longer than its timeout is killed, and the creation fails."""
    hooks = {"createRuntime": [hook("exec sleep 1000", timeout=1)]}
    assert "has not ended in 1 s" in oci.refused(lambda document: document.update(hooks=hooks))


REFUSED: dict[str, Change] = {
    "linux.intelRdt": linux(intelRdt={"closID": "x"}),
    "root.path": lambda document: document["root"].update(path="none"),
    "mounts[0].type": lambda document: document["mounts"][0].update(type=""),
    "process.args": process(args=[]),
    "process": lambda document: document.pop("process"),
    "mounts[7]": mounted(destination="/x", type="bind", source="/no/such/source", options=["bind"]),
}


@pytest.mark.parametrize("field", REFUSED)
def test_what_is_refused(oci: Oci, field: str) -> None:
    """What is wrong, or not carried out yet, is told with its field before anything is made."""
    assert field.partition("[")[0] in oci.refused(REFUSED[field])
    assert not oci.root.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"ociVersion": "1.2.0", "process": 5}', "\x00"])
def test_what_is_no_configuration(oci: Oci, text: str) -> None:
    """A file that is none is one line on stderr, and no traceback."""
    (oci.bundle / "config.json").write_text(text)
    done = oci.call("create", "c")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert not oci.root.exists()
