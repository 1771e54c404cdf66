# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's program is given, and what it can't get at."""
from __future__ import annotations

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import security, syscalls
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
        ("", ["0", "0"], []),
        ("nobody", ["65534", "65534"], ["100"]),
        ("65534", ["65534", "65534"], ["100"]),
        ("33:5", ["33", "5"], []),
        ("www-data:users", ["33", "100"], []),
        ("4242", ["4242", "0"], []),
        ("4242:4343", ["4242", "4343"], []),
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
    assert len(os.listdir(f"/proc/{waiter.pid}/fd")) == 3


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
    host.converge(image=image, command=["env"], env={"B": "task", "C": "x=y z"})
    del os.environ["LEAKED"]
    container = host.observed()
    host.ended(container)
    assert sorted(host.log(container).splitlines()) == sorted(
        [
            "A=image",
            "B=task",
            "C=x=y z",
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
    assert host.log(container) == f"127.0.0.1 localhost\n::1 localhost\n10.91.0.1 {short} c\n{short}\n".replace(
        "10.91.0.1 ", f"{dict(container.held)['front']} "
    )
    root = Path(f"/proc/{host.pid()}/root")
    assert (root / "tmp/r").read_text() == Path("/etc/resolv.conf").read_text()


@pytest.mark.parametrize("path", spec.MASKED_PATHS)
def test_masked_paths_can_not_be_read(host: Host, path: str) -> None:
    """What would tell of the host is an empty folder or reads as nothing, and can't be written."""
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no {path}")
    script = f"ls -A {path} 2>&1; [ -d {path} ] || cat {path}; touch {path}/x 2>/dev/null && echo written"
    said = host.said(script)
    assert said == (f"{path}\n" if not os.path.isdir(path) else "")


def test_readonly_paths_can_not_be_written(host: Host) -> None:
    """/proc/sys and its like, /sys and the cgroups can be read, not written, not even by root."""
    script = """
    for path in /proc/sys/kernel/domainname /proc/sys/vm/swappiness /proc/irq/default_smp_affinity; do
      old=$(cat $path) && (echo "$old" > $path) 2>/dev/null && echo "written $path"
    done
    (echo h > /proc/sysrq-trigger) 2>/dev/null && echo written sysrq
    mkdir /sys/fs/cgroup/memory/x 2>/dev/null && echo made cgroup
    (echo 1 > /sys/kernel/mm/ksm/run) 2>/dev/null && echo written sys
    echo done
    """
    assert host.said(script) == "done\n"


def test_device_nodes_that_it_makes_do_not_work(host: Host, tmp_path: Path) -> None:
    """A container may make device nodes, in its root, in /dev, /tmp and in volumes, but can't open them."""
    volume = tmp_path / "volume"
    volume.mkdir()
    number = os.stat("/").st_dev
    disk = f"b {os.major(number)} {os.minor(number)}"
    script = f"""
    for place in /node /dev/node /dev/shm/node /volume/node; do
      mknod $place c 1 5 || echo not made $place
      head -c1 $place >/dev/null 2>&1 && echo opened $place
      mknod ${{place}}b {disk} && head -c1 ${{place}}b >/dev/null 2>&1 && echo opened disk by $place
    done
    head -c1 /dev/zero > /dev/null && echo default devices work
    """
    assert host.said(script, volumes=[f"{volume}:/volume"]) == "default devices work\n"


def test_devices_are_the_default_ones(host: Host) -> None:
    """/dev has the default devices and links, a terminal multiplexer of its own, and nothing of the host's."""
    found = host.said("cd /dev; ls").split()
    assert found == "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split()


def _links_to_outside(root: Path, outside: Path) -> None:
    (root / "etc").symlink_to("/")
    (root / "data").symlink_to(outside)
    (root / "up").symlink_to("../../../../../../.." + str(outside))
    (root / "dangling").symlink_to("/made/by/link")
    (root / "loop").symlink_to("loop")


def test_links_in_an_image_lead_nowhere_but_inside(host: Host, tmp_path: Path) -> None:
    """Mounts on paths that links of the image lead to end up inside the container, and the host stays as it is."""
    outside, volume = tmp_path / "outside", tmp_path / "volume"
    outside.mkdir()
    volume.mkdir()
    (volume / "file").write_text("of the volume")
    image = host.image("with-links", {}, lambda root: _links_to_outside(root, outside))
    before = _listing("/"), _listing("/etc"), _listing(str(outside))
    host.converge(
        image=image,
        command=["sleep", "1000"],
        stop_timeout=0,
        volumes=[f"{volume}:{target}" for target in ("/data/a", "/up/b", "/dangling/c")],
    )
    root = f"/proc/{host.pid()}/root"
    assert (_listing("/"), _listing("/etc"), _listing(str(outside))) == before
    for place in (f"{outside}/a", f"{outside}/b", "/made/by/link/c", "/hosts"):
        assert os.path.lexists(root + place), place
    assert Path(f"{root}{outside}/a/file").read_text() == "of the volume"
    assert Path(f"{root}/made/by/link/c/file").read_text() == "of the volume"
    host.converge(state="stopped")


def _listing(folder: str) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_dangling_resolv_conf_is_filled(host: Host) -> None:
    """An image whose /etc/resolv.conf is a link to what systemd would make gets one that can be read."""

    def build(root: Path) -> None:
        (root / "etc").mkdir()
        (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")

    image = host.image("with-resolved", {}, build)
    host.converge(image=image, command=["cat", "/etc/resolv.conf"])
    container = host.observed()
    host.ended(container)
    assert host.log(container) == Path("/etc/resolv.conf").read_text()


def test_links_that_loop_are_refused(host: Host, tmp_path: Path) -> None:
    """A volume whose target leads through a link to itself is refused with the path."""
    image = host.image("with-loop", {}, lambda root: (root / "loop").symlink_to("loop"))
    with pytest.raises(Exception, match="/loop/x.*(symbolic links|Too many levels)"):
        host.converge(image=image, command=["true"], volumes=[f"{tmp_path}:/loop/x"])


def test_proc_as_a_link_of_the_image(host: Host) -> None:
    """An image whose /proc is a link can't get at the host's processes, nor at what is masked."""

    image = host.image("with-linked-proc", {}, lambda root: (root / "proc").symlink_to("/elsewhere"))
    script = "ls -d /proc/[0-9]* | wc -l; cat /proc/keys /elsewhere/keys; echo x > /elsewhere/sys/kernel/domainname"
    host.converge(image=image, command=["sh", "-c", script])
    container = host.observed()
    host.ended(container)
    said = host.log(container).splitlines()
    assert int(said[0]) <= 4
    assert said[1:] == ["sh: can't create /elsewhere/sys/kernel/domainname: Read-only file system"]


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


def test_mounts_do_not_spread(host: Host, tmp_path: Path) -> None:
    """What the host mounts in a volume later does not appear inside, and no mount of a container on the host."""
    (tmp_path / "later").mkdir()
    syscalls.mount("none", str(tmp_path), "tmpfs")
    syscalls.mount("none", str(tmp_path), flags=syscalls.MS_SHARED)
    try:
        (tmp_path / "later").mkdir()
        host.run(volumes=[f"{tmp_path}:/volume"])
        inside = Path(f"/proc/{host.pid()}/root/volume/later")
        syscalls.mount("none", str(tmp_path / "later"), "tmpfs")
        (tmp_path / "later/seen").touch()
        assert list(inside.iterdir()) == []
        host.converge(state="stopped")
    finally:
        syscalls.umount(str(tmp_path), syscalls.MNT_DETACH)


def test_volumes_are_writable_or_not(host: Host, tmp_path: Path) -> None:
    """A volume is the host's folder or file with what is mounted below it; ro holds for all of that."""
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    file = tmp_path / "file"
    file.write_text("of the host\n")
    syscalls.mount("none", str(folder / "below"), "tmpfs")
    try:
        script = """
        cat /etc/file; echo written > /rw/a
        (echo x > /ro/b) 2>/dev/null && echo wrote ro
        (echo x > /ro/below/b) 2>/dev/null && echo wrote below ro
        (echo x > /etc/file) 2>/dev/null && echo wrote file
        """
        volumes = [f"{folder}:/rw", f"{folder}:/ro:ro", f"{file}:/etc/file:ro"]
        assert host.said(script, volumes=volumes) == "of the host\n"
        assert (folder / "a").read_text() == "written\n"
    finally:
        syscalls.umount(str(folder / "below"))


def test_nothing_of_a_container_is_open_to_users_of_the_host(host: Host) -> None:
    """A set-user-ID program that a container makes can't be reached by users of the host."""
    container = host.shell("cp /bin/busybox /tmp/root-shell; chmod 4755 /tmp/root-shell; sleep 1000")
    path = Path(host.layout.container(container.id or ""), "upper/tmp/root-shell")
    wait(lambda: path.exists() and path.stat().st_mode & stat.S_ISUID)
    assert stat.S_IMODE(os.stat(host.layout.container(container.id or "")).st_mode) & 0o077 == 0
    result = subprocess.run(["test", "-e", path], user=65534, group=65534, extra_groups=[], check=False)
    assert result.returncode == 1


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


