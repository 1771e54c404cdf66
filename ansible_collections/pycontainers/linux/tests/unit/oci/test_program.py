# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
import inspect
import marshal
import re
import tempfile
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import security, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import V1, V2
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import init, lifecycle, spec
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.program import Operation, compile_program
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.users import User

ROOT_USER, NOBODY = User(0, 0, (), "/root"), User(65534, 65533, (7, 9), "/home/nobody")
DEFAULT_CAPABILITIES = (
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID "
    "SYS_CHROOT"
).split()
NUMBERS = {"CHOWN": 0, "KILL": 5, "SETPCAP": 8, "SYS_ADMIN": 21, "SETFCAP": 31, "CHECKPOINT_RESTORE": 40}

FILTERS = tempfile.TemporaryDirectory(prefix="pycontainers-filters-")
"""Where compiled seccomp profiles are kept, so that they are compiled once."""


def configuration(user: User = ROOT_USER, **options: Any) -> dict[str, Any]:
    """The configuration of a container with two volumes."""
    given: dict[str, Any] = {
        "arguments": ["nginx", "-g", "daemon off;"],
        "environment": ["A=1", "PATH=/bin"],
        "user": user,
        "cwd": "/srv",
        "hostname": "0a0a0a",
        "rootfs": "/merged",
        "binds": [("/data", "/in/data", False), ("/etc/hosts", "/etc/hosts", True)],
        "network": "/run/netns/0a",
        "cgroup": "pycontainers/0a",
    }
    return spec.configuration(**{**given, **options})


def compiled(user: User = ROOT_USER, **changes: Any) -> tuple[Operation, ...]:
    """The program of the configuration on a host with cgroup version 2."""
    config = configuration(user)
    config["process"] |= changes
    return compile_program(config, V2("/cgroup"), FILTERS.name)


def places(program: tuple[Operation, ...], name: str) -> list[int]:
    """Where in a program an operation comes."""
    return [place for place, operation in enumerate(program) if operation[0] == name]


@pytest.mark.parametrize(
    ("first", "then", "reason"),
    [
        ("cgroups", "unshare", "the new cgroup namespace's root is the group that the process is in"),
        ("join", "unshare", "the namespaces of others are joined with the host's mounts to find them by"),
        ("unshare", "rootfs", "the host's mounts are not touched"),
        ("rootfs", "mount", "mounts go below the root to be"),
        ("mount", "bind", "volumes and devices lie on the filesystems that every container has"),
        ("bind", "symlink", "links go into the container's own /dev"),
        ("mount", "readonly", "only what is mounted can be made read-only"),
        ("mount", "mask", "what masks lies on top"),
        ("readonly", "mask", "what is masked stays masked"),
        ("bind", "pivot", "the host's paths are there to bind"),
        ("symlink", "pivot", "paths are looked up through the root's descriptor"),
        ("mask", "pivot", "the host's /dev/null is there to mask with"),
        ("unshare", "hostname", "the name is the new namespace's"),
        ("pivot", "identity", "all before needs the capabilities"),
        ("hostname", "identity", "all before needs the capabilities"),
        ("umask", "execute", "the program inherits it"),
        ("identity", "chdir", "the program's user must be able to enter the directory"),
        ("chdir", "execute", "the program starts in it"),
        ("pivot", "seccomp", "the profile forbids what makes a container"),
        ("seccomp", "identity", "only an administrator may load a filter"),
    ],
)
def test_the_order_is_the_kernels(first: str, then: str, reason: str) -> None:
    """Every operation of one name comes before every one of another, for a reason that the kernel has."""
    program = compiled()
    assert places(program, first), first
    assert places(program, then), then
    assert max(places(program, first)) < min(places(program, then)), reason


def test_a_program_ends_in_the_containers_program() -> None:
    """The last operation, and no other, executes the program with its arguments and environment."""
    program = compiled()
    assert places(program, "execute") == [len(program) - 1]
    _, arguments, environment, by_trampoline = program[-1]
    assert by_trampoline
    assert arguments == ("nginx", "-g", "daemon off;")
    assert {"A=1", "PATH=/bin", "HOME=/root", "HOSTNAME=0a0a0a"} == set(environment)


def test_privileges_are_fixed_just_before_the_program() -> None:
    """Where no new privileges are allowed, that is said between the change of user and the program."""
    program = compiled(noNewPrivileges=True)
    (place,) = places(program, "no_new_privileges")
    assert max(places(program, "identity")) < place == len(program) - 3
    assert places(compiled(), "no_new_privileges") == []


def test_a_filter_is_loaded_last_where_anybody_may() -> None:
    """With no new privileges, any user may load a filter: it is the last before the program, and loaded once."""
    program = compiled(NOBODY, noNewPrivileges=True)
    assert places(program, "seccomp") == [len(program) - 2]


def test_a_configuration_without_a_profile_has_no_filter() -> None:
    """Who asks for no profile gets none."""
    config = configuration()
    del config["linux"]["seccomp"]
    assert places(compile_program(config, V2("/cgroup"), FILTERS.name), "seccomp") == []


def test_a_filter_that_is_refused_is_reported_without_its_program() -> None:
    """What init says of a filter that the kernel does not take is a short line, not thousands of bytes."""
    said = init._describe(("seccomp", bytes(8000), 4), OSError(22, "Invalid argument"))
    assert said == "seccomp 4: Invalid argument"


def test_a_program_is_what_init_can_do() -> None:
    """Every operation is one of the first process's, takes the arguments it is given, and can be marshalled."""
    program = compiled(NOBODY)
    assert marshal.loads(marshal.dumps(program)) == program
    setup = init.Init()
    for name, *arguments in program:
        inspect.signature(getattr(setup, name)).bind(*arguments)


def test_what_init_can_do_is_used() -> None:
    """The first process has no operation that no program asks for, from either version or with a waiter."""
    can = {name for name in vars(init.Init) if not name.startswith("_")}
    legacy = compile_program(configuration(), V1({"memory": "/cgroup/memory"}), FILTERS.name)
    limits = ({"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2},)
    wishes = spec.Wishes(readonly=True, oom_score_adj=5, domainname="d", sysctls={"net.a": "1"}, rlimits=limits)
    config = configuration(wishes=wishes, propagation={"/in/data": "rshared"})
    asking = compile_program(config, V2("/cgroup"), FILTERS.name)
    used = {operation[0] for operation in (*compiled(noNewPrivileges=True), *legacy, *asking)}
    with_waiter = re.findall(r'\("(\w+)",\)', inspect.getsource(lifecycle.start))
    assert can == used | set(with_waiter)


def test_namespaces_are_joined_or_made() -> None:
    """The network namespace is joined by its path, all others are new; into the pid namespace init is born."""
    program = compiled()
    assert [operation for operation in program if operation[0] == "join"] == [("join", "/run/netns/0a")]
    (unshare,) = places(program, "unshare")
    assert program[unshare][1] == (
        syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWCGROUP
    )


def test_cgroups_are_joined_first() -> None:
    """The first operation joins the container's cgroup, in each hierarchy where there are several."""
    assert compiled()[0] == ("cgroups", ("/cgroup/pycontainers/0a",))
    legacy = V1({"memory": "/cgroup/memory", "cpu": "/cgroup/cpu", "cpuacct": "/cgroup/cpu"})
    found = compile_program(configuration(), legacy, FILTERS.name)
    assert found[0] == ("cgroups", ("/cgroup/memory/pycontainers/0a", "/cgroup/cpu/pycontainers/0a"))


def test_the_cgroup_filesystem_is_read_only() -> None:
    """With either version what shows the container's cgroup ends up read-only."""
    unified = next(operation for operation in compiled() if operation[2:3] == ("/sys/fs/cgroup",))
    assert unified[3] == "cgroup2"
    assert unified[4] & syscalls.MS_RDONLY
    legacy = compile_program(configuration(), V1({"memory": "/cgroup/memory"}), FILTERS.name)
    (remount,) = places(legacy, "remount")
    _, target, flags = legacy[remount]
    assert target == "/sys/fs/cgroup"
    assert flags & syscalls.MS_RDONLY


def test_mount_options_become_flags() -> None:
    """What the kernel has a flag for is a flag, the rest is the filesystem's own option."""
    mounts = {operation[2]: operation for operation in compiled() if operation[0] == "mount"}
    strict = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    assert mounts["/proc"] == ("mount", "proc", "/proc", "proc", strict, "")
    assert mounts["/dev"][4:] == (
        syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_STRICTATIME,
        "mode=755,size=65536k",
    )
    assert mounts["/sys"][4:] == (strict | syscalls.MS_RDONLY, "")


def test_volumes_are_bound() -> None:
    """A volume is bound with no devices in it, and read-only if so wanted; after the mounts, in the order given."""
    binds = {operation[2]: operation for operation in compiled() if operation[0] == "bind"}
    assert list(binds)[:2] == ["/in/data", "/etc/hosts"]
    assert binds["/in/data"] == ("bind", "/data", "/in/data", syscalls.MOUNT_ATTR_NODEV)
    readonly = syscalls.MOUNT_ATTR_NODEV | syscalls.MOUNT_ATTR_RDONLY
    assert binds["/etc/hosts"] == ("bind", "/etc/hosts", "/etc/hosts", readonly)
    devices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}
    assert set(binds) == {"/in/data", "/etc/hosts", *devices}


@pytest.mark.parametrize(
    ("word", "flags", "before"),
    [
        ("rshared", syscalls.MS_SHARED | syscalls.MS_REC, [("source", "/data")]),
        ("shared", syscalls.MS_SHARED, [("source", "/data")]),
        ("rslave", syscalls.MS_SLAVE | syscalls.MS_REC, []),
    ],
)
def test_a_volume_whose_mounts_spread(word: str, flags: int, before: list[Operation]) -> None:
    """One that is shared is copied before the host's mounts become slaves; the pivot leaves all of them as they are."""
    program = compile_program(configuration(propagation={"/in/data": word}), V2("/cgroup"), FILTERS.name)
    assert ("bind", "/data", "/in/data", syscalls.MOUNT_ATTR_NODEV, flags) in program
    first = places(program, "rootfs")[0]
    assert [*program[first - len(before) : first]] == before
    assert ("pivot", True) in program
    assert ("pivot",) in compiled()


def test_what_tells_of_the_host_is_hidden() -> None:
    """The masked and the read-only paths of the configuration are masked and read-only, and no others."""
    program = compiled()
    assert [operation[1] for operation in program if operation[0] == "mask"] == spec.MASKED_PATHS
    assert [operation[1] for operation in program if operation[0] == "readonly"] == spec.READONLY_PATHS
    assert {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"} <= set(spec.MASKED_PATHS)
    assert spec.READONLY_PATHS == ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
    linux = configuration()["linux"]
    assert (linux["maskedPaths"], linux["readonlyPaths"]) == (spec.MASKED_PATHS, spec.READONLY_PATHS)


def test_root_has_the_fourteen_capabilities() -> None:
    """Root keeps the fourteen that docker, containerd and podman leave it, and passes none on by inheritance."""
    bits = sum(1 << security.CAPABILITIES.index(name) for name in DEFAULT_CAPABILITIES)
    (place,) = places(compiled(), "identity")
    assert len(DEFAULT_CAPABILITIES) == 14
    assert compiled()[place] == ("identity", 0, 0, (), (bits, bits, bits, 0, 0))


def test_other_users_have_no_capabilities() -> None:
    """Another user has none in effect; the bounding set lets a set-user-ID program have the fourteen."""
    bits = security.mask(security.DEFAULT_CAPABILITIES)
    (place,) = places(compiled(NOBODY), "identity")
    assert compiled(NOBODY)[place] == ("identity", 65534, 65533, (7, 9), (bits, 0, 0, 0, 0))


@pytest.mark.parametrize(("name", "number"), NUMBERS.items())
def test_capabilities_have_the_kernels_numbers(name: str, number: int) -> None:
    """A capability's bit is that of its number in linux/capability.h, with or without the prefix."""
    assert security.mask([name]) == security.mask([f"CAP_{name.lower()}"]) == 1 << number


def test_an_unknown_capability_is_refused() -> None:
    """A capability that does not exist is named."""
    with pytest.raises(ValueError, match="there is no capability CAP_LEVITATE"):
        security.mask(["CAP_CHOWN", "CAP_LEVITATE"])
    assert security.mask([]) == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {"PATH": spec.DEFAULT_PATH, "HOSTNAME": "0a0a0a", "HOME": "/home/nobody"}),
        (["PATH=/bin"], {"PATH": "/bin", "HOSTNAME": "0a0a0a", "HOME": "/home/nobody"}),
        (["HOME=", "HOSTNAME=x=y"], {"PATH": spec.DEFAULT_PATH, "HOSTNAME": "x=y", "HOME": ""}),
        (["PATHS=/a"], {"PATH": spec.DEFAULT_PATH, "HOSTNAME": "0a0a0a", "HOME": "/home/nobody", "PATHS": "/a"}),
    ],
)
def test_every_program_has_an_environment(given: list[str], expected: dict[str, str]) -> None:
    """PATH, HOME and HOSTNAME are there for every program, and what is said of them goes first."""
    found = configuration(NOBODY, environment=given)["process"]["env"]
    assert dict(each.split("=", 1) for each in found) == expected
    assert len(found) == len(expected)


def test_a_program_without_a_place_starts_at_the_root() -> None:
    """An image that names no working directory has the root for it."""
    assert configuration(cwd="")["process"]["cwd"] == "/"


def test_init_imports_nothing_after_the_pivot() -> None:
    """No operation imports anything: after the pivot that would run what the container has at the library's path."""
    tree = ast.parse(inspect.getsource(init))
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
    inside = [each for function in functions for each in ast.walk(function)]
    assert not [each for each in inside if isinstance(each, ast.Import | ast.ImportFrom)]
