# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppArmor profiles of the OCI runtime's command line, on a kernel that has AppArmor."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.oci_look import template
from ansible_collections.pycontainers.linux.tests.integration.fleet import Fleet
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import client

pytestmark = pytest.mark.vm

HOST = "vm1"
PROFILE = """\
profile labelled flags=(attach_disconnected) {
  file,
  capability,
  network,
  signal,
  deny /denied rw,
}
"""
SECURITY = "/sys/kernel/security"

SETUP = f"""
base64 -d > /root/policy
mountpoint -q {SECURITY} || mount -t securityfs securityfs {SECURITY}
cat /root/policy > {SECURITY}/apparmor/.replace
mkdir -p /root/labels/rootfs/bin /root/labels/rootfs/lib && cd /root/labels
cp /bin/busybox rootfs/bin && cp /lib/ld-musl-* rootfs/lib
for name in cat sh sleep; do ln -sf busybox rootfs/bin/$name; done
echo secret > rootfs/denied
"""
PRELUDE = """
cd /root/labels
oci() { /var/lib/pycontainers/runtime/current/pycontainers-oci --root /run/labels-test "$@" 2>&1; }
"""
CLEANUP = f"""
oci delete --force c
printf labelled > {SECURITY}/apparmor/.remove
rm -rf /root/labels /root/policy /run/labels-test
"""

LOOK = "cat /proc/self/attr/current; cat /denied 2>&1; true"
CONFINED = ["labelled (enforce)", "cat: can't open '/denied': Permission denied"]
FREE = ["unconfined", "secret"]


@pytest.fixture(scope="module")
def host(machine: Fleet) -> Iterator[Fleet]:
    """The machine with a bundle and a policy that its kernel has loaded; all of it is gone afterwards."""
    environment = client("apparmor_parser")
    folder = environment["PATH"].partition(":")[0].removesuffix("/usr/sbin")
    # Neither the kernel that runs here nor its features: those of AppArmor 3.0, which all later ones know.
    command = ["apparmor_parser", "-S", "-Q", "-K", "-M", f"{folder}/etc/apparmor.d/abi/3.0"]
    policy = subprocess.run(command, input=PROFILE.encode(), env=environment, capture_output=True, check=True).stdout
    machine.shell(HOST, SETUP, base64.encodebytes(policy).decode())
    yield machine
    machine.shell(HOST, PRELUDE + CLEANUP)


def said(host: Fleet, script: str, profile: str, *words: str, **more: Any) -> list[str]:
    """What a script says that calls ``oci`` with a configuration of this profile, whose program is ``words``."""
    document = template() | more
    document["process"] |= {"args": list(words), "terminal": False, "apparmorProfile": profile}
    document["root"]["readonly"] = False
    return host.shell(HOST, f"{PRELUDE}cat > config.json\n{script}", json.dumps(document)).splitlines()


def test_a_program_and_its_hooks_are_confined(host: Fleet) -> None:
    """What runs in the container has its profile, with no new privileges too; what runs outside has none."""
    scripts = {
        "createContainer": "cat /proc/self/attr/current > /root/labels/out",
        "startContainer": f"({LOOK}) > /in",
    }
    hooks = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", script]}] for kind, script in scripts.items()}
    found = said(host, "oci run c; cat rootfs/in out", "labelled", "sh", "-c", LOOK, hooks=hooks)
    assert found == [*CONFINED, *CONFINED, "unconfined"]


def test_exec_is_confined_as_the_container_or_as_asked(host: Fleet) -> None:
    """What exec runs has the container's profile, or the one that it is given."""
    script = f"oci run -d c < /dev/null > /dev/null; oci exec c sh -c '{LOOK}'; oci delete --force c"
    assert said(host, script, "labelled", "sleep", "1000") == CONFINED
    both = f"oci exec c sh -c '{LOOK}'; oci exec --apparmor labelled c sh -c '{LOOK}'"
    script = f"oci run -d c < /dev/null > /dev/null; {both}; oci delete --force c"
    assert said(host, script, "", "sleep", "1000") == FREE + CONFINED


def test_a_profile_that_is_not_loaded(host: Fleet) -> None:
    """It is told by field and value when the container is created, and nothing is left of that."""
    found = said(host, "oci create c < /dev/null; oci state c; true", "missing", "sleep", "1000")
    assert "cannot use 'missing' as process.apparmorProfile: the kernel does not take it" in found[0]
    assert "container does not exist" in found[1]
