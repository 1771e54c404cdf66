# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published attacks by rights and things that a container was left with: capabilities, groups, terminals, sockets."""
from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import security
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import channel, stage
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, proc_status
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci

Change = Callable[[dict[str, Any]], object]
NONE = "0" * 16
SHOW = ["grep", "^Cap", "/proc/self/status"]


def process(**values: Any) -> Change:
    """A configuration with other values in ``process``."""
    return lambda document: document["process"].update(values)


def capabilities(said: str) -> dict[str, str]:
    """The sets that a status file shows."""
    return dict(line.split(":\t") for line in said.splitlines())


def inheriting(*words: str) -> subprocess.CompletedProcess[str]:
    """Call a program from a shell that has capabilities to be inherited and ambient ones, and groups of its own."""
    own = int(proc_status("self")["CapPrm"], 16)

    def prepare() -> None:
        security.set_capabilities(own, own, own, own)
        os.setgroups([4242])

    return subprocess.run(
        words, preexec_fn=prepare, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("number", ["CVE-2022-24769 (docker)", "CVE-2022-27649 (podman)", "CVE-2022-27651 (buildah)"])
def test_nothing_can_be_inherited(oci: Oci, number: str) -> None:
    """The first program has no inheritable or ambient capabilities, whatever the caller has."""
    oci.configure("sh", "-c", " ".join(SHOW))
    done = inheriting(COMMAND, "--root", str(oci.root), "run", "--bundle", str(oci.bundle), "c")
    found = capabilities(done.stdout)
    assert (found["CapInh"], found["CapAmb"]) == (NONE, NONE), number


@pytest.mark.parametrize("number", ["CVE-2022-29162 (runc)", "CVE-2022-27650 (crun)"])
@pytest.mark.parametrize("options", [[], ["--cap", "CAP_NET_ADMIN"]])
def test_what_exec_adds_is_not_inheritable(oci: Oci, number: str, options: list[str]) -> None:
    """What is executed in a container has nothing inheritable, be it given a capability more or not."""
    oci.run()
    done = inheriting(COMMAND, "--root", str(oci.root), "exec", *options, "c", *SHOW)
    found = capabilities(done.stdout)
    assert (found["CapInh"], found["CapAmb"]) == (NONE, NONE), number
    assert (int(found["CapEff"], 16) >> 12 & 1) == len(options) // 2


def test_cve_2022_24769_a_module_s_container_inherits_nothing(host: Host) -> None:
    """CVE-2022-24769 (docker): neither a module's container nor exec in it has anything inheritable."""
    host.run()
    assert proc_status(host.pid())["CapInh"] == NONE
    assert capabilities(host.ok("exec", "c", *SHOW))["CapInh"] == NONE


@pytest.mark.parametrize("number", ["CVE-2016-8867 (docker)", "CVE-2018-1000400 (cri-o)", "CVE-2018-10856 (podman)"])
def test_another_user_is_not_privileged(oci: Oci, number: str) -> None:
    """A user that is not root has no capabilities, though root would have some."""
    change = process(user={"uid": 1000, "gid": 1000})
    oci.configure("sh", "-c", " ".join(SHOW), change=change)
    done = inheriting(COMMAND, "--root", str(oci.root), "run", "--bundle", str(oci.bundle), "c")
    found = capabilities(done.stdout)
    assert [found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [NONE] * 4, number


def test_cve_2018_10856_exec_as_another_user(host: Host) -> None:
    """CVE-2018-10856 (podman): what is executed as another user has no capabilities either."""
    host.run()
    found = capabilities(host.ok("exec", "-u", "nobody", "c", *SHOW))
    assert [found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [NONE] * 4


GROUPS = ["CVE-2022-2989 (podman)", "CVE-2022-2990 (buildah)", "CVE-2022-2995 (cri-o)", "CVE-2022-36109 (docker)"]


@pytest.mark.parametrize("number", [*GROUPS, "CVE-2023-25173 (containerd)"])
def test_a_group_can_not_be_left(oci: Oci, number: str) -> None:
    """A user's own group is among its groups, so that a set-group-ID program does not leave it."""
    change = process(user={"uid": 1000, "gid": 50, "additionalGids": [7]})
    assert oci.said("grep ^Groups /proc/self/status", change).split() == ["Groups:", "7", "50"], number


def test_cve_2022_2995_groups_of_the_caller_are_left(oci: Oci) -> None:
    """CVE-2022-2995 (cri-o): groups of whoever calls the runtime are not the program's."""
    oci.configure("sh", "-c", "grep ^Groups /proc/self/status")
    root = str(oci.root)
    done = inheriting(COMMAND, "--root", root, "run", "--bundle", str(oci.bundle), "c")
    assert done.stdout.split() == ["Groups:", "0"]
    oci.configure()
    oci.run()
    done = inheriting(COMMAND, "--root", root, "exec", "--user", "7:8", "c", "grep", "^Groups", "/proc/self/status")
    assert done.stdout.split() == ["Groups:", "8"]


def test_cve_2016_10124_exec_leads_a_session(oci: Oci) -> None:
    """CVE-2016-10124 (lxc): what is executed has not the caller's session, into whose terminal it could type."""
    oci.run()
    script = "set -- $(cat /proc/self/stat); cut -d' ' -f1,6,7 /proc/$$/stat"
    pid, session, terminal = oci.ok("exec", "c", "sh", "-c", script).split()
    assert (session, terminal) == (pid, "0")


def test_cve_2016_10124_the_first_process_leads_a_session(oci: Oci) -> None:
    """CVE-2016-10124 (lxc): neither has the first process."""
    assert oci.said("cut -d' ' -f1,6,7 /proc/1/stat") == "1 1 0\n"


def test_cve_2020_15257_no_abstract_socket(oci: Oci) -> None:
    """CVE-2020-15257 (containerd): who shares the host's network finds no abstract socket of the runtime's."""

    def abstract() -> set[str]:
        names = (line.split()[7:] for line in Path("/proc/net/unix").read_text().splitlines())
        return {name[0] for name in names if name and name[0].startswith("@")}

    def shared(document: dict[str, Any]) -> None:
        kinds = document["linux"]["namespaces"]
        document["linux"]["namespaces"] = [each for each in kinds if each["type"] != "network"]

    before = abstract()
    oci.configure(change=shared)
    oci.create()
    assert abstract() <= before
    assert stat.S_IMODE(os.stat(oci.root / "c").st_mode) == 0o700


def test_cve_2020_15257_a_network_of_its_own(oci: Oci) -> None:
    """CVE-2020-15257 (containerd): with a network namespace, the host's abstract sockets are out of reach."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0pycontainers-attacked")
        listener.listen(1)
        assert oci.said("cat /proc/net/unix | grep -c pycontainers-attacked || true") == "0\n"


class Loading(stage.Stage):
    """A first process with one operation more, such as a late import would be."""

    def load(self) -> None:
        """Import what has not been loaded before."""
        import tabnanny  # noqa: F401


def test_cve_2019_14271_nothing_is_loaded_inside() -> None:
    """CVE-2019-14271 (docker): once it is on its way in, the first process loads no code from the root filesystem."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        ours.close()
        stage.run((("load",), ("ready",)), Loading(theirs, None, -1, 0), set())
    theirs.close()
    with ours:
        kind, body = channel.receive(ours)
    os.waitpid(child, 0)
    assert kind == channel.ERROR
    assert body.startswith(b"load:")


def test_cve_2019_14271_a_module_of_the_image(oci: Oci) -> None:
    """CVE-2019-14271 (docker): modules that the image has where the interpreter looks are never run."""
    for folder in {os.path.dirname(os.__file__), "/usr/lib/python3.11", "/usr/lib/python3/dist-packages"}:
        place = oci.rootfs / folder.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        for name in ("traceback", "linecache", "tokenize", "encodings/idna", "grp", "pwd", "textwrap", "threading"):
            (place / name).parent.mkdir(exist_ok=True)
            (place / f"{name}.py").write_text("open('/owned', 'w').close()\n")
    oci.configure("/no/such/program")
    assert oci.call("create", "c").returncode == 1
    oci.configure()
    oci.run()
    assert oci.call("exec", "--cwd", "/no/such/folder", "c", "true").returncode == 255
    assert not (oci.rootfs / "owned").exists()


@pytest.mark.parametrize("number", ["CVE-2020-10749 (podman)", "CVE-2020-13401 (docker)"])
def test_no_router_is_believed(host: Host, number: str) -> None:
    """Another container can't make itself this one's IPv6 router: advertisements are not accepted."""
    host.network()
    host.run(networks=[{"name": "front"}])
    script = "cd /proc/sys/net/ipv6/conf; cat all/accept_ra default/accept_ra eth0/accept_ra"
    assert host.ok("exec", "c", "sh", "-c", script).split() == ["0"] * 3, number
