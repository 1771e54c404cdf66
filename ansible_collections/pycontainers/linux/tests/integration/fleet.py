# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Alpine hosts with a registry beside them, and Ansible to talk to them."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import network
from testbed.instance import Instance

ROOT = Path(__file__).resolve().parents[5]
HOSTS = ("alpine1", "alpine2")
REGISTRY_PORT = 5000
SNAPSHOTS = "/var/log/snapshots"
"""Where a host keeps some for a while: snapshots leave that folder out."""

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
class Task:
    """A call of a module of the collection."""

    module: str
    arguments: Mapping[str, Any]
    check: bool = False


@dataclass(frozen=True)
class Fleet:
    """The hosts of one testbed, and the folder of Ansible's programs.

    ``registry`` is the address of a registry that they reach, with nginx and busybox.
    """

    instance: Instance
    tools: Path = Path(sys.executable).parent

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
        return self.run(f"pycontainers.linux.{playbook}", *options, **variables)

    def run(self, playbook: str, *options: str, warned: Sequence[str] = (), **variables: Any) -> Run:
        """Run any playbook on the hosts. Options can bring more sources of the inventory.

        Ansible may warn of nothing but what has one of the texts ``warned``.
        """
        command = [self._tool("ansible-playbook"), "-i", self._inventory, playbook, *options]
        command += ["-e", json.dumps(variables)]
        done = subprocess.run(
            command, env=_environment(), capture_output=True, text=True, timeout=600, check=False, cwd="/"
        )
        output = done.stdout + done.stderr
        assert not [line for line in warnings(output) if not any(text in line for text in warned)], output
        return Run(done.returncode, output)

    def task(self, host: str, module: str, arguments: Mapping[str, Any], check: bool = False) -> dict[str, Any]:
        """Run one module on a host, and return its result, with ``failed``."""
        command = [self._tool("ansible"), host, "-i", self._inventory, "-m", f"pycontainers.linux.{module}"]
        command += ["-a", json.dumps(arguments), *(["--check"] if check else [])]
        done = subprocess.run(
            command, env=_environment(), capture_output=True, text=True, timeout=120, check=False, cwd="/"
        )
        found = _RESULT.search(done.stdout)
        assert found, done.stdout + done.stderr
        assert not warnings(done.stderr)
        return {**json.loads(found[2]), "failed": found[1] == "FAILED"}

    def ansible(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of Ansible's with the inventory of the hosts."""
        command = [self._tool(tool), "-i", self._inventory, *arguments]
        return subprocess.run(
            command, env=_environment(), capture_output=True, text=True, timeout=120, check=False, cwd="/"
        )

    def tasks(self, host: str, asked: Sequence[Task | None]) -> list[dict[str, Any]]:
        """Run modules on a host one after another in one play, and return their results, with ``failed``.

        Where None stands for one, the result is a snapshot of the host at that moment.
        """
        with tempfile.TemporaryDirectory() as folder:
            playbook, results = Path(folder, "tasks.json"), Path(folder, "results")
            playbook.write_text(json.dumps([{"hosts": host, "gather_facts": False, "tasks": _steps(asked, results)}]))
            command = [self._tool("ansible-playbook"), "-i", self._inventory, str(playbook)]
            done = subprocess.run(
                command, env=_environment(), capture_output=True, text=True, timeout=900, check=False, cwd="/"
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert not warnings(done.stderr)
            found: list[dict[str, Any]] = json.loads(results.read_text())
        snapshots = iter(self.shell(host, f"cat {SNAPSHOTS}; rm -f {SNAPSHOTS}").splitlines())
        return [json.loads(next(snapshots)) if task is None else each for task, each in zip(asked, found, strict=True)]

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

    def _tool(self, name: str) -> str:
        return str(self.tools / name)

    @property
    def _inventory(self) -> str:
        return f"{self.instance.state}/inventory.yml"


def _steps(asked: Sequence[Task | None], results: Path) -> list[dict[str, Any]]:
    """The tasks of a play that leaves its results in a file here, and snapshots in one on the host."""
    program = base64.b64encode(Path(__file__).with_name("snapshot.py").read_bytes()).decode()
    steps: list[dict[str, Any]] = []
    for number, task in enumerate(asked):
        call: dict[str, Any] = {"ansible.builtin.raw": f"(echo {program} | base64 -d | python3 -; echo) >> {SNAPSHOTS}"}
        if task is not None:
            call = {f"pycontainers.linux.{task.module}": dict(task.arguments), "check_mode": task.check}
        steps.append(call | {"ignore_errors": True, "register": f"result_{number}"})
    told = f"{{{{ [{', '.join(f'result_{number}' for number in range(len(asked)))}] | to_json }}}}"
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    copy = {"ansible.builtin.copy": {"content": told, "dest": str(results)}, "delegate_to": "localhost", "vars": here}
    return [*steps, copy]


def warnings(output: str) -> list[str]:
    """What Ansible warns of, but for the program s6-log, which the testbed has no package of for Alpine."""
    return [line for line in output.splitlines() if "WARNING]" in line and "s6-log" not in line]


def unused_port() -> int:
    """A port of the loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


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
