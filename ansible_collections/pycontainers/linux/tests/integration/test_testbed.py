# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The testbed gives real hosts, and takes all of them away again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyroute2.nftables.main import NFTables

ROOT = Path(__file__).resolve().parents[5]
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the testbed needs root")


@dataclass(frozen=True)
class Testbed:
    """The command line of one testbed with a name of its own, so that it disturbs no other."""

    __test__ = False
    name: str
    checkout: Path = ROOT

    @property
    def state(self) -> Path:
        """The directory of its hosts."""
        return self.checkout / f".hosts-{self.name}"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line."""
        return subprocess.Popen(
            [sys.executable, "-m", "testbed", *arguments],
            cwd=self.checkout,
            env={**os.environ, "PYCONTAINERS_TESTBED": self.name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end, however that is."""
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=600)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def __call__(self, *arguments: str) -> str:
        """Run the command line and return what it prints; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def python(self, host: str, code: str) -> str:
        """Run Python code on a host as a script from its standard input."""
        line = ["ssh", "-F", f"{self.state}/ssh_config", host, "python3 -"]
        done = subprocess.run(line, input=code, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def hosts() -> Iterator[Testbed]:
    """Two system containers."""
    testbed = Testbed("tests")
    testbed("up", "2")
    yield testbed
    testbed("down")


def test_hosts_answer_by_plain_ssh_with_alpine_openrc_and_a_new_python(hosts: Testbed) -> None:
    """The generated ssh configuration alone is enough to reach a host, which is Alpine in OpenRC's LXC mode."""
    command = "cat /etc/alpine-release && rc-status -r && python3 -V && rc-service dropbear status && hostname"
    line = ["ssh", "-F", f"{hosts.state}/ssh_config", "alpine2", command]
    release, runlevel, python, service, name = subprocess.run(
        line, capture_output=True, text=True, timeout=30, check=True, cwd="/"
    ).stdout.splitlines()
    assert (release[:4], runlevel, name) == ("3.23", "default", "alpine2")
    assert tuple(int(part) for part in python.split()[1].split(".")[:2]) >= (3, 11)
    assert "started" in service
    assert "[LXC]" in (hosts.state / "alpine2/console.log").read_text()


def test_up_keeps_the_hosts_that_run(hosts: Testbed) -> None:
    """A second `up` starts nothing anew."""
    before = hosts("ssh", "alpine1", BOOT_ID)
    assert "alpine1" in hosts("up", "1")
    assert hosts("ssh", "alpine1", BOOT_ID) == before


def test_files_come_and_go_by_sftp(hosts: Testbed, tmp_path: Path) -> None:
    """The sftp server copies a file there and back."""
    (tmp_path / "there").write_bytes(os.urandom(100_000))
    batch = f"put {tmp_path}/there /root/there\nget /root/there {tmp_path}/back\nrm /root/there\n"
    line = ["sftp", "-q", "-F", f"{hosts.state}/ssh_config", "-b", "-", "alpine1"]
    subprocess.run(line, input=batch, capture_output=True, text=True, timeout=30, check=True)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()


def test_hosts_reach_each_other_by_name_and_the_bridge_by_address(hosts: Testbed) -> None:
    """Names resolve on every host, and `net` runs a command on the other side of the bridge."""
    hosts("ssh", "alpine1", "ping -c 1 -w 5 alpine2")
    addresses = hosts("net", "ip", "-4", "-o", "address", "show", "br0")
    found = re.search(r"10\.213\.\d+\.1\b", addresses)
    assert found
    hosts("ssh", "alpine1", f"ping -c 1 -w 5 {found[0]}")


def test_ansible_reaches_all_hosts_from_any_directory(hosts: Testbed, tmp_path: Path) -> None:
    """The inventory works as it is, and says where the registry listens."""
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ansible = shutil.which("ansible", path=search)
    if ansible is None:
        pytest.skip("ansible is not installed")
    line = [ansible, "-i", str(hosts.state / "inventory.yml"), "alpine", "-o"]
    environment = {**os.environ, "ANSIBLE_SSH_ARGS": "-o ControlMaster=no", "ANSIBLE_LOCAL_TEMP": str(tmp_path)}
    for module, expected in (("-mping", "pong"), ("-mdebug -avar=testbed_registry", ".1:5000")):
        done = subprocess.run(
            [*line, *module.split()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.count(expected) == 2, done.stdout + done.stderr


@pytest.mark.parametrize("place", ["/var/lib", "/run"])
def test_overlay_mounts_inside_a_host(hosts: Testbed, place: str) -> None:
    """A container runtime can put its overlays where it keeps its things."""
    script = f"""
        mkdir {place}/t && cd {place}/t && mkdir lower upper work merged && echo low > lower/file
        mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged
        echo high > merged/file && cat lower/file upper/file
        umount merged && rm -r {place}/t"""
    assert hosts("ssh", "alpine1", script).split() == ["low", "high"]


def test_a_host_makes_cgroups_and_limits_bind(hosts: Testbed) -> None:
    """Inside a host its own cgroup is the root, and a pids limit below it stops a fork."""
    code = """
import os, pathlib
base = pathlib.Path("/sys/fs/cgroup/pids")
base = base if base.is_dir() else pathlib.Path("/sys/fs/cgroup")
group = base / "test"
group.mkdir()
(group / "pids.max").write_text("1")
child = os.fork()
if child == 0:
    (group / "cgroup.procs").write_text("0")
    try:
        os.fork()
    except BlockingIOError:
        os._exit(7)
    os._exit(0)
_, status = os.waitpid(child, 0)
group.rmdir()
lines = pathlib.Path("/proc/1/cgroup").read_text().split()
print(os.waitstatus_to_exitcode(status), all(line.endswith((":/", ":/init")) for line in lines))
"""
    assert hosts.python("alpine1", code) == "7 True"


def test_a_host_makes_network_namespaces_links_and_nftables(hosts: Testbed) -> None:
    """What a container's network is made of works inside a host through pyroute2."""
    code = """
from pyroute2 import IPRoute, netns
from pyroute2.nftables.main import NFTables
netns.create("inner")
with IPRoute() as links:
    links.link("add", ifname="br9", kind="bridge")
    links.link("add", ifname="outer0", kind="veth", peer={"ifname": "inner0", "net_ns_fd": "inner"})
    bridge, veth = (links.link_lookup(ifname=name)[0] for name in ("br9", "outer0"))
    links.link("set", index=veth, master=bridge, state="up")
    master = links.get_links(veth)[0].get("master")
    links.link("del", index=veth)
    links.link("del", index=bridge)
netns.remove("inner")
with NFTables(nfgen_family=2) as tables:
    tables.table("add", name="mine")
    named = [table.get("name") for table in tables.get_tables()]
    tables.table("del", name="mine")
print(master == bridge, named)
"""
    assert hosts.python("alpine1", code) == "True ['mine']"


def test_a_host_sets_its_own_network_and_not_the_machines_kernel(hosts: Testbed) -> None:
    """Forwarding is the host's own to switch; settings of the shared kernel are read-only."""
    assert hosts("ssh", "alpine1", "cd /proc/sys/net/ipv4 && echo 1 > ip_forward && cat ip_forward") == "1"
    assert "Read-only" in hosts.run("ssh", "alpine1", "echo 1 > /proc/sys/vm/overcommit_memory").stderr
    assert "Read-only" in hosts.run("ssh", "alpine1", "echo 1 > /sys/kernel/mm/ksm/run").stderr


def test_a_reboot_is_one(hosts: Testbed) -> None:
    """A reboot changes the boot id, empties /run, /tmp and the cgroups, keeps the disk, and starts new services."""
    service = r"#!/sbin/openrc-run\nstart() { date > /run/started; }\n"
    hosts(
        "ssh",
        "alpine1",
        f"printf '{service}' > /etc/init.d/mine && chmod +x /etc/init.d/mine && rc-update add mine default",
    )
    group = "/sys/fs/cgroup/memory" if (Path("/sys/fs/cgroup/memory")).is_dir() else "/sys/fs/cgroup"
    hosts("ssh", "alpine1", f"touch /run/gone /tmp/gone /root/kept /var/lib/kept && mkdir {group}/gone")
    before = hosts("ssh", "alpine1", BOOT_ID)
    hosts("reboot", "alpine1")
    assert hosts("ssh", "alpine1", BOOT_ID) not in ("", before)
    found = f"ls -d /run/gone /tmp/gone {group}/gone /root/kept /var/lib/kept /run/started 2>/dev/null || true"
    assert hosts("ssh", "alpine1", found).split() == ["/root/kept", "/run/started", "/var/lib/kept"]


def test_a_host_that_is_off_stays_off_until_up(hosts: Testbed) -> None:
    """Power off ends a host; `up` starts it with the disk that it had."""
    hosts("ssh", "alpine2", "touch /root/kept; poweroff")
    deadline = time.monotonic() + 20
    while not re.search(r"alpine2 .*\boff\b", hosts("list")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    hosts("up", "2")
    hosts("ssh", "alpine2", "ls /root/kept")


def test_up_replaces_a_host_that_lost_its_keeper(hosts: Testbed) -> None:
    """A host without its keeper could not reboot, so `up` starts it anew, even out of a frozen cgroup."""
    before = hosts("ssh", "alpine2", BOOT_ID)
    if Path("/sys/fs/cgroup/freezer").is_dir():
        freeze = "mkdir /sys/fs/cgroup/freezer/a && cd /sys/fs/cgroup/freezer/a && sleep 60 >/dev/null 2>&1 & "
        hosts(
            "ssh",
            "alpine2",
            freeze + "sleep 0.2; cd /sys/fs/cgroup/freezer/a; echo $! > tasks; echo FROZEN > freezer.state",
        )
    os.kill(int((hosts.state / "alpine2/keeper").read_text().split()[0]), signal.SIGKILL)
    hosts("up", "2")
    assert hosts("ssh", "alpine2", BOOT_ID) not in ("", before)


def test_another_checkout_is_told_who_has_the_testbed(hosts: Testbed, tmp_path: Path) -> None:
    """A second owner of the same name is refused, with the first one's path."""
    shutil.copytree(ROOT / "testbed", tmp_path / "testbed")
    other = Testbed(hosts.name, tmp_path)
    for verb in ("up", "down"):
        done = other.run(verb)
        assert done.returncode == 1
        assert str(ROOT) in done.stderr
        assert "Traceback" not in done.stderr
    assert "running" in hosts("list")


def _snapshot(testbed: Testbed) -> set[str]:
    """Return everything that a testbed could leave on the machine."""
    mounts = {" ".join(line.split()[4:]) for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    links = {f"link {link.name}" for link in Path("/sys/class/net").iterdir()}
    namespaces = Path("/run/netns")
    named = {f"netns {path.name}" for path in namespaces.iterdir()} if namespaces.is_dir() else set()
    groups = {
        f"cgroup {folder}" for folder, _, _ in os.walk("/sys/fs/cgroup") if f"pyc-testbed-{testbed.name}" in folder
    }
    with NFTables(nfgen_family=0) as tables:
        nftables = {f"nftables {table.get('name')}" for table in tables.get_tables()}
    files = {str(path) for path in (*Path("/run").glob("*.json*"), *Path("/sys/block").glob("loop*/loop"))}
    everything = mounts | links | named | groups | nftables | files | _processes(testbed)
    # Other tests may have testbeds and named network namespaces of their own meanwhile.
    others = re.compile(r"pyc-testbed|netns[ /]\w")
    return {found for found in everything if f"pyc-testbed-{testbed.name}" in found or not others.search(found)}


def _processes(testbed: Testbed) -> set[str]:
    # What `up` starts has the instance's name in its environment, and a host's own processes have its disk as root.
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"PYCONTAINERS_TESTBED={testbed.name}".encode() in (process / "environ").read_bytes().split(b"\0")
            ours = ours or str(testbed.state) in (process / "mountinfo").read_text()
            if ours:
                found.add(f"process {process.name} {(process / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return found


@pytest.mark.parametrize("end", ["well", "keeper killed", "up killed", "command runs", "state deleted"])
def test_down_leaves_nothing(end: str) -> None:
    """Whatever happened before, `down` removes every process, mount, link, namespace, cgroup and table of `up`."""
    testbed = Testbed("leaktest")
    before = _snapshot(testbed)
    with testbed.start("up", "2") as up:
        if end == "up killed":
            # In the middle: an `up` of two hosts takes more than a second.
            time.sleep(0.6)
            up.kill()
        up.communicate(timeout=600)
    if end == "keeper killed":
        os.kill(int((testbed.state / "alpine1/keeper").read_text().split()[0]), signal.SIGKILL)
    if end == "state deleted":
        shutil.rmtree(testbed.state)
    command = testbed.start("net", "sleep", "600") if end == "command runs" else None
    while command and not Path(f"/proc/{command.pid}/cmdline").read_bytes().startswith(b"sleep"):
        time.sleep(0.05)
    assert _snapshot(testbed) - before
    testbed("down")
    if command:
        assert command.wait(10) == -signal.SIGKILL
        command.communicate()
    assert _left(testbed, before) == set()


def _left(testbed: Testbed, before: set[str]) -> set[str]:
    # The kernel takes dead namespaces apart in its own time.
    deadline = time.monotonic() + 10
    while (left := _snapshot(testbed) - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.mark.vm
def test_a_virtual_machine_has_a_kernel_of_its_own() -> None:
    """A VM has cgroup version 2 with controllers, its own kernel, the same ways in, and leaves nothing either."""
    testbed = Testbed("vmtest")
    before = _snapshot(testbed)
    try:
        testbed("up", "0", "--vm")
        controllers = testbed("ssh", "vm1", "cat /sys/fs/cgroup/cgroup.subtree_control").split()
        assert {"cpu", "memory", "pids"} <= set(controllers)
        assert testbed("ssh", "vm1", "uname -r") != os.uname().release
    finally:
        testbed("down")
    assert _left(testbed, before) == set()
