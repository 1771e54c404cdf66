# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: nginx on two Alpine hosts by one playbook, and then all that a person wants to see of it.

Every step says what it shows, prints the command with what comes of it, and checks it: the demo ends at the
first thing that is not as told.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from testbed.instance import Instance
from testbed.registry import standing
from testbed.shell import Failure

HOSTS = ("alpine1", "alpine2")
PORT = 8080
PATIENCE = 20
"""Seconds within which a killed program is back, on the slowest machine."""
COLLECTION = Path(__file__).parents[1] / "ansible_collections/pycontainers/linux"
PLAYBOOK = "pycontainers.linux.deploy_nginx"
CGROUP_FILES = (
    "/sys/fs/cgroup/pycontainers/{id}/memory.max",
    "/sys/fs/cgroup/memory/pycontainers/{id}/memory.limit_in_bytes",
)

bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
began = time.monotonic()


def step(words: str) -> None:
    """Announce what comes."""
    print(f"\n{bold}[{time.monotonic() - began:4.0f} s] {words}{plain}", flush=True)


def run(*command: str, show: bool = True, told: bool = True) -> str:
    """Run a command, print it and what it says, and return that. Ends the demo if it fails."""
    if told:
        print(f"$ {shlex.join(command)}", flush=True)
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if show or result.returncode:
        print(result.stdout.rstrip(), flush=True)
    if result.returncode:
        raise Failure(f"{command[0]} ended with status {result.returncode}")
    return result.stdout


def on(host: str, command: str, show: bool = True) -> str:
    """Run a line of shell on a host, as `./dev hosts ssh` does."""
    print(f"{host}# {command}", flush=True)
    config = f"{Instance.from_environment().state}/ssh_config"
    return run("ssh", "-F", config, host, command, show=show, told=False)


def check(true: bool, words: str) -> None:
    """Say that something is as it should be, or end the demo."""
    if not true:
        raise Failure(f"not as it should be: {words}")
    print(f"  {bold}=> {words}{plain}", flush=True)


def play(*options: str, show: bool = True) -> str:
    """Run the playbook on both hosts."""
    instance = Instance.from_environment()
    inventory, registry = f"{instance.state}/inventory.yml", standing.address(instance)
    variables = json.dumps(
        {
            "deploy_nginx_image": f"{registry}/nginx:latest",
            "host_insecure_registries": [registry],
            "deploy_nginx_hosts": ",".join(HOSTS),
        }
    )
    return run("ansible-playbook", "-i", inventory, PLAYBOOK, "-e", variables, *options, show=show)


def changes(output: str) -> list[int]:
    """How many changes each host had, from the recap."""
    return [int(count) for count in re.findall(r"ok=\d+\s+changed=(\d+)", output)]


def container(host: str) -> Any:
    """What the host says of its nginx."""
    return json.loads(on(host, "pycontainers inspect nginx", show=False))[0]


def page(host: str, asking: str) -> str:
    """The page of a host as another one sees it."""
    address = Instance.from_environment().address(host)
    return on(asking, f"wget -q -O - http://{address}:{PORT}/")


def install(folder: str) -> None:
    """Have the collection there as those have it who install it: what follows finds no other."""
    step("The collection, built and installed")
    run("ansible-galaxy", "collection", "build", "--output-path", folder, str(COLLECTION), show=False)
    (archive,) = Path(folder).glob("*.tar.gz")
    # The checkout, which is found too, counts as installed.
    run("ansible-galaxy", "collection", "install", "--force", "--collections-path", folder, str(archive), show=False)
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = folder


def deploy() -> None:
    """Hosts, registry, playbook, page, listing, and a second run that changes nothing."""
    step("Two real Alpine hosts with OpenRC, reached by ssh (the first time they are built: about a minute)")
    run(sys.executable, "-m", "testbed", "up", str(len(HOSTS)))
    step("A registry with an nginx image made of Debian's packages (the first time it is built: about a minute)")
    run(sys.executable, "-m", "testbed.registry", "up")
    step("One playbook: runtime, network, image, container and boot service on both hosts")
    play()
    step("The page of each host, asked for from the other one")
    for host, asking in zip(HOSTS, reversed(HOSTS), strict=True):
        check("Welcome to nginx" in page(host, asking), f"{host} serves the page")
    step("What runs on a host")
    for host in HOSTS:
        on(host, "pycontainers ps -a")
    step("The playbook once more: nothing to do")
    check(changes(play(show=False)) == [0, 0], "changed=0 on both hosts")


def change_memory() -> None:
    """A limit: predicted, changed live, seen in the kernel."""
    before = {host: container(host) for host in HOSTS}
    step("What would a memory limit of 96m change? (--check --diff)")
    output = play("--check", "--diff", "-e", "deploy_nginx_memory=96m")
    shown = output.count("memory: 100663296")
    check(changes(output) == [1, 1] and shown == 2, "one live change on each host, and no other")
    step("Change it")
    play("-e", "deploy_nginx_memory=96m", show=False)
    for host in HOSTS:
        after = container(host)
        pid = after["State"]["Pid"]
        check(pid == before[host]["State"]["Pid"], f"{host}: nginx still has pid {pid}")
        files = " ".join(path.format(id=after["Id"]) for path in CGROUP_FILES)
        kernel = on(host, f"cat {files} 2>/dev/null || true", show=False).strip()
        check(kernel == str(96 << 20), f"{host}: the kernel's limit is {kernel} bytes")


def crash() -> None:
    """Kill the program; the restart policy brings it back."""
    host = HOSTS[0]
    old = container(host)["State"]["Pid"]
    step(f"Kill nginx's master process on {host}")
    on(host, f"kill -KILL {old}")
    killed = time.monotonic()
    while True:
        state = container(host)["State"]
        waited = time.monotonic() - killed
        if state["Status"] == "running" and state["Pid"] != old:
            break
        if waited > PATIENCE:
            break
        time.sleep(0.05)
    check(waited < PATIENCE, f"back after {waited:.1f} s, with pid {state['Pid']}")
    page(host, HOSTS[1])


def reboot() -> None:
    """Reboot a host; the container is there again with its id."""
    host = HOSTS[1]
    identity = container(host)["Id"]
    step(f"Reboot {host}")
    run(sys.executable, "-m", "testbed", "reboot", host)
    for _ in range(100):
        if '"running"' in on(host, "pycontainers ps --json", show=False):
            break
        time.sleep(0.2)
    on(host, "pycontainers ps -a")
    check(container(host)["Id"] == identity, f"the same container, {identity[:12]}, runs again")
    check("Welcome to nginx" in page(host, HOSTS[0]), f"{host} serves the page again")


SUMMARY = """
Two Alpine hosts run nginx, deployed, changed live, crashed and rebooted, in {seconds:.0f} s. To look around:

  ./dev hosts ssh alpine1                      then: pycontainers ps -a; pycontainers logs nginx;
                                               pycontainers exec -it nginx sh
  ./dev hosts net wget -qO- http://{address}:{port}/
  ./dev shell                                  then: ansible alpine -m pycontainers.linux.cgroup_limit \\
                                                       -a 'name=nginx memory=128m' --check --diff
  ./dev hosts down                             ends it all and leaves nothing
"""


def main() -> int:
    """Run the demo; return the exit status."""
    if os.geteuid() != 0:
        print("demo: the hosts are made of namespaces and mounts: run it as root", file=sys.stderr)
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="pycontainers-demo-") as folder:
            install(folder)
            for part in (deploy, change_memory, crash, reboot):
                part()
    except Failure as error:
        print(f"\ndemo: {error}; ./dev hosts down removes what is there", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; ./dev hosts down removes what is there", file=sys.stderr)
        return 130
    address = Instance.from_environment().address(HOSTS[0])
    print(SUMMARY.format(seconds=time.monotonic() - began, address=address, port=PORT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
