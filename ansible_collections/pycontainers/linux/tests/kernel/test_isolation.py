# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's program is given, and what it can't get at."""
from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import security
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle, spec
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.waiter import WAITERS
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, proc_status, wait

FOURTEEN = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE"
).split()
KINDS = ("pid", "mnt", "net", "uts", "ipc", "cgroup")


@pytest.mark.parametrize("kind", KINDS)
def test_namespaces_are_its_own(host: Host, kind: str) -> None:
    """Each of the six namespaces differs from the host's and from another container's."""
    host.run(name="one")
    host.run(name="two")
    found = {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in ("self", host.pid("one"), host.pid("two"))}
    assert len(found) == 3


def test_capabilities_are_the_fourteen(host: Host) -> None:
    """Root has exactly Docker's fourteen capabilities, and no way to more; privileges may be gained as with Docker."""
    host.run()
    found = proc_status(host.pid())
    expected = f"{security.mask(FOURTEEN):016x}"
    assert [found[name] for name in ("CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb")] == [
        *[expected] * 3,
        *["0" * 16] * 2,
    ]
    assert found["NoNewPrivs"] == "0"


def test_another_user_has_no_capabilities(host: Host) -> None:
    """A program that does not run as root has none but in its bounding set."""
    host.converge(image=host.image("as-nobody", {"User": "nobody"}), command=["sleep", "1000"])
    found = proc_status(host.pid())
    assert [found[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == ["0" * 16] * 4
    assert found["CapBnd"] == f"{security.mask(FOURTEEN):016x}"
    host.converge(state="stopped", stop_timeout=0)


@pytest.mark.parametrize(
    ("user", "ids", "groups"),
    [
        ("", ["0", "0"], ["0"]),
        ("nobody", ["65534", "65534"], ["100", "65534"]),
        ("65534", ["65534", "65534"], ["100", "65534"]),
        ("33:5", ["33", "5"], ["5"]),
        ("www-data:users", ["33", "100"], ["100"]),
        ("4242", ["4242", "0"], ["0"]),
        ("4242:4343", ["4242", "4343"], ["4343"]),
    ],
)
def test_the_user_is_the_image_s(host: Host, user: str, ids: list[str], groups: list[str]) -> None:
    """User and group of the image, by name or number, are those of the program, with the groups they are listed in."""
    host.converge(image=host.image("with-user", {"User": user}), command=["sleep", "1000"], stop_timeout=0)
    found = proc_status(host.pid())
    assert found["Uid"].split() == [ids[0]] * 4
    assert found["Gid"].split() == [ids[1]] * 4
    assert found["Groups"].split() == groups


def test_a_user_can_open_its_own_output_again(host: Host) -> None:
    """A program that is not root writes its log through /dev/stdout, as many are set up to do."""
    image = host.image("logs-by-path", {"User": "nobody"})
    host.converge(image=image, command=["sh", "-c", "echo one >> /dev/stdout; echo two >> /dev/stderr"])
    container = host.observed()
    assert host.ended(container).exit_code == 0
    assert host.log(container) == "one\ntwo\n"


def test_no_descriptors_leak_in(host: Host) -> None:
    """Descriptors of the caller, also inheritable ones, do not reach the program; it has 0, 1 and 2."""
    leaks = [os.open("/etc/passwd", os.O_RDONLY) for _ in range(8)]
    try:
        for place in leaks:
            os.set_inheritable(place, True)
        host.run()
    finally:
        for place in leaks:
            os.close(place)
    assert sorted(os.listdir(f"/proc/{host.pid()}/fd")) == ["0", "1", "2"]
    waiter = lifecycle.waiter(host.layout, host.observed().id or "")
    assert waiter is not None
    assert all(os.readlink(f"/proc/{waiter.pid}/fd/{place}") == "/dev/null" for place in (0, 1, 2))
    assert sorted(os.listdir(f"/proc/{waiter.pid}/fd")) == ["0", "1", "2", "3"]
    assert os.readlink(f"/proc/{waiter.pid}/fd/3").startswith("pipe:"), "what the logger reads"


def test_signals_are_as_a_program_expects_them(host: Host) -> None:
    """No signal is ignored or blocked, though shell and interpreter before it ignore some."""
    host.run()
    found = proc_status(host.pid())
    assert (found["SigIgn"], found["SigBlk"]) == ("0" * 16, "0" * 16)


def test_it_leads_a_session_of_its_own(host: Host) -> None:
    """The program is leader of its session and process group, so that job control works."""
    assert host.said("cut -d' ' -f5,6 /proc/1/stat") == "1 1\n"


def test_environment_of_the_program(host: Host) -> None:
    """Working directory, file mode mask, OOM score and host name are set, whatever the caller's are."""
    old = os.umask(0o077)
    try:
        Path("/proc/self/oom_score_adj").write_text("100")
        image = host.image("with-cwd", {"WorkingDir": "/srv/not there yet"})
        host.converge("c", image=image, command=["sh", "-c", "pwd; umask; cat /proc/self/oom_score_adj; hostname"])
    finally:
        os.umask(old)
        Path("/proc/self/oom_score_adj").write_text("0")
    container = host.observed()
    host.ended(container)
    assert host.log(container).splitlines() == ["/srv/not there yet", "0022", "0", (container.id or "")[:12]]


def test_variables_of_the_program(host: Host) -> None:
    """The environment is the image's with the task's over it, and PATH, HOME and HOSTNAME; nothing of the caller's."""
    image = host.image("with-env", {"Env": ["A=image", "B=image", "EMPTY"]})
    os.environ["LEAKED"] = "yes"
    host.converge(image=image, command=["env"], env={"B": "task", "C": "x=y zü\n"})
    del os.environ["LEAKED"]
    container = host.observed()
    host.ended(container)
    assert sorted(host.log(container).splitlines()) == sorted(
        [
            "A=image",
            "B=task",
            "C=x=y zü",
            "",
            "EMPTY=",
            "HOME=/root",
            f"HOSTNAME={(container.id or '')[:12]}",
            f"PATH={spec.DEFAULT_PATH}",
        ]
    )


def test_files_about_the_network(host: Host) -> None:
    """/etc/hosts has its names and its address, /etc/resolv.conf is the host's, and the program may change them."""
    host.network()
    container = host.shell(
        "cat /etc/hosts; cat /etc/resolv.conf > /tmp/r; echo 1.2.3.4 new >> /etc/hosts; cat /etc/hostname; sleep 1000",
        networks=[{"name": "front"}],
    )
    short = (container.id or "")[:12]
    wait(lambda: host.log(container).endswith(f"{short}\n"))
    local, own = "127.0.0.1 localhost\n::1 localhost\n", f"{dict(container.held)['front'][0]} {short} c\n"
    ours = f"# Containers on its networks:\n{own}# End of containers.\n"
    assert host.log(container) == f"{local}{ours}{short}\n"
    root = Path(f"/proc/{host.pid()}/root")
    assert (root / "tmp/r").read_text() == Path("/etc/resolv.conf").read_text()


def test_the_interpreter_can_not_be_opened_from_inside(host: Host) -> None:
    """While programs enter, what runs inside can never open the host's interpreter by their /proc/PID/exe."""
    script = """
    while :; do for each in /proc/[0-9]*; do
      name=$(readlink $each/exe) && case $name in *python*) echo "saw $name";; esac
      (exec 9< $each/exe) 2>/dev/null || true
    done; done
    """
    container = host.shell(script)
    for _ in range(5):
        assert host.cli("exec", "c", "true").returncode == 0
    assert host.log(container) == ""


def test_the_waiter_is_not_seen_inside(host: Host) -> None:
    """The container's processes are all that it sees: the waiter is in the host's pid namespace."""
    assert host.said("echo /proc/[0-9]*").split() == ["/proc/1"]


def test_the_waiter_is_outside_of_the_container_s_cgroup(host: Host) -> None:
    """The program is in the container's cgroup in every hierarchy, its waiter in that of all waiters."""
    container = host.run()
    waiter = lifecycle.waiter(host.layout, container.id or "")
    assert waiter is not None
    for directory in cgroups().directories(f"pycontainers/{container.id}"):
        assert Path(directory, "cgroup.procs").read_text().split() == [str(host.pid())]
    for directory in cgroups().directories(WAITERS):
        assert str(waiter.pid) in Path(directory, "cgroup.procs").read_text().split()


def test_it_sees_its_cgroup_as_the_root(host: Host) -> None:
    """In its cgroup namespace the program is at the root, and its limits can be read where programs look for them."""
    said = host.said(
        "grep -c ':memory:/$' /proc/self/cgroup; cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
        " 2>/dev/null || cat /sys/fs/cgroup/memory.max",
        memory="48m",
    )
    if cgroups().version == 1:
        assert said == f"1\n{48 << 20}\n"
    else:
        assert said.split()[-1] == str(48 << 20)


def test_starts_from_a_thread_and_in_parallel(host: Host) -> None:
    """Containers that two threads start at the same time are as well off as others."""
    failed: list[BaseException] = []

    def start(name: str) -> None:
        try:
            result = host.cli("start", name)
            assert result.returncode == 0, result.stderr
        except BaseException as error:
            failed.append(error)

    for name in ("one", "two"):
        host.converge(name, image=host.busybox, command=["sleep", "1000"], state="stopped", stop_timeout=0)
    threads = [threading.Thread(target=start, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert host.pid("one") != host.pid("two") != 0
