# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Alpine hosts with a registry beside them, and Ansible to talk to them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import network
from testbed.instance import Instance

ROOT = Path(__file__).resolve().parents[5]
HOSTS = ("alpine1", "alpine2")
REGISTRY_PORT = 5000

_FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=2).read().decode())"
_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_RESULT = re.compile(r"^\S+ \| (\w+)!? => (\{.*^\})$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Run:
    """A playbook's run: what it printed, and the numbers of its recap."""

    status: int
    output: str

    def count(self, host: str, what: str) -> int:
        """A number of the recap: ok, changed, unreachable or failed."""
        for found in _RECAP.finditer(self.output):
            if found[1] == host:
                return int(found[("ok", "changed", "unreachable", "failed").index(what) + 2])
        raise AssertionError(f"{host} is not in the recap of:\n{self.output}")

    @property
    def diff_lines(self) -> list[str]:
        """The lines that ``--diff`` marks as taken away or added, without those that name the files."""
        return [each for each in self.output.splitlines() if re.match(r"[+-](?![+-])", each)]


@dataclass(frozen=True)
class Fleet:
    """The hosts of one testbed. ``registry`` is the address of a registry that they reach, with nginx and busybox."""

    instance: Instance

    @property
    def registry(self) -> str:
        """The registry's host and port."""
        return f"{self.instance.gateway}:{REGISTRY_PORT}"

    def address(self, host: str) -> str:
        """A host's address."""
        return self.instance.address(host)

    def testbed(self, *arguments: str, timeout: float = 600) -> str:
        """Run the testbed's command line; it must succeed."""
        return _output([sys.executable, "-m", "testbed", *arguments], timeout)

    def shell(self, host: str, script: str, stdin: str = "") -> str:
        """Run a shell script on a host; it must succeed."""
        return _output(["ssh", "-F", f"{self.instance.state}/ssh_config", host, script], 120, stdin)

    def snapshot(self, host: str) -> dict[str, list[str]]:
        """Files, mounts, links, firewall rules, settings and cgroups of a host."""
        program = Path(__file__).with_name("snapshot.py").read_text(encoding="utf-8")
        found: dict[str, list[str]] = json.loads(self.shell(host, "python3 -", program))
        return found

    def page(self, host: str, port: int = 8080) -> str:
        """The page at a port of a host, fetched from beside the hosts. Raises ``CalledProcessError``."""
        url = f"http://{self.address(host)}:{port}/"
        return _output(network.command(self.instance, sys.executable, "-c", _FETCH, url), 10)

    def seconds_until_page(self, host: str, most: float, port: int = 8080) -> float:
        """How long it takes until the page answers; fails after ``most`` seconds."""
        began = time.monotonic()
        while True:
            try:
                self.page(host, port)
            except subprocess.CalledProcessError:
                assert time.monotonic() - began < most, f"no page from {host} within {most} s"
                time.sleep(0.05)
            else:
                return time.monotonic() - began

    def play(self, playbook: str, *options: str, **variables: Any) -> Run:
        """Run a playbook of the collection on the hosts."""
        command = [_tool("ansible-playbook"), "-i", self._inventory, f"pycontainers.linux.{playbook}", *options]
        command += ["-e", json.dumps(variables)]
        done = subprocess.run(
            command, env=_environment(), capture_output=True, text=True, timeout=600, check=False, cwd="/"
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def task(self, host: str, module: str, arguments: Mapping[str, Any], check: bool = False) -> dict[str, Any]:
        """Run one module on a host, and return its result, with ``failed``."""
        command = [_tool("ansible"), host, "-i", self._inventory, "-m", f"pycontainers.linux.{module}"]
        command += ["-a", json.dumps(arguments), *(["--check"] if check else [])]
        done = subprocess.run(
            command, env=_environment(), capture_output=True, text=True, timeout=120, check=False, cwd="/"
        )
        found = _RESULT.search(done.stdout)
        assert found, done.stdout + done.stderr
        assert "[WARNING]" not in done.stderr
        return {**json.loads(found[2]), "failed": found[1] == "FAILED"}

    @contextmanager
    def reachable(self, host: str, port: int) -> Iterator[str]:
        """Make a port of this machine's loopback one of a host's loopback, for the time of the block."""
        taken = 20000 + port % 10000
        options = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{taken}:127.0.0.1:{port}"]
        with subprocess.Popen(["ssh", "-F", f"{self.instance.state}/ssh_config", *options, host]) as tunnel:
            try:
                self.shell(host, f"for i in $(seq 50); do nc -z 127.0.0.1 {taken} && exit; sleep 0.1; done; exit 1")
                yield f"127.0.0.1:{taken}"
            finally:
                tunnel.terminate()

    @property
    def _inventory(self) -> str:
        return f"{self.instance.state}/inventory.yml"


def unused_port() -> int:
    """A port of the loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _output(command: list[str], timeout: float, stdin: str = "") -> str:
    done = subprocess.run(
        command, cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        print(done.stdout, done.stderr)
    done.check_returncode()
    return done.stdout.strip()
