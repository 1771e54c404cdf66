# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real registry: Debian's docker-registry under a configuration of ours, with its storage on disk."""

from __future__ import annotations

import http
import http.client
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import packages, process
from .errors import RegistryFailure

# Seconds until the server listens; a machine that is busy with virtual machines is slow.
PATIENCE = 20.0

ANY_MANIFEST = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)


Settings = Mapping[str, Mapping[str, object]]
"""Of docker-registry's configuration: values by their names in a section."""


@dataclass(frozen=True)
class Server:
    """A running registry: `address` is host:port, `log` has a line for each request, `storage` is its directory."""

    pid: int
    started: int
    address: str
    log: Path
    storage: Path

    def digest(self, repository: str, tag: str) -> str:
        """Ask the registry what a tag stands for (distribution specification, "Pulling manifests").

        Errors: RegistryFailure where it has no such tag.
        """
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": ANY_MANIFEST})
            answer = connection.getresponse()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise RegistryFailure(f"the registry at {self.address} has no {repository}:{tag}: status {answer.status}")
        return answer.headers["Docker-Content-Digest"]


@contextmanager
def serve(directory: Path, storage: Path, *, listen: str, settings: Settings | None = None) -> Iterator[Server]:
    """Run a registry for the time of the block; the kernel ends it should the caller be killed."""
    prefix = ("setpriv", "--pdeathsig", "KILL")
    server = start(directory, storage, listen=listen, prefix=prefix, settings=settings)
    try:
        yield server
    finally:
        process.end(server.pid, server.started)
        # A child of ours, which would stay as a zombie; the caller may have reaped all its children, though.
        with suppress(ChildProcessError):
            os.waitpid(server.pid, 0)


def start(
    directory: Path, storage: Path, *, listen: str, prefix: Sequence[str] = (), settings: Settings | None = None
) -> Server:
    """Start a registry that outlives the caller. Its configuration and log are in `directory`.

    `listen` is host:port, port 0 for any that is free; `prefix` is a command that execs the rest of its arguments;
    `settings` are added to the sections of its configuration.
    Errors: RegistryFailure with the last line of the server's log, nothing left running.
    """
    program = packages.registry_program()
    for path in (directory, storage):
        path.mkdir(parents=True, exist_ok=True)
    configuration = configuration_of(directory)
    configuration.touch(mode=0o600)
    document = _configuration(storage, listen)
    for section, values in (settings or {}).items():
        document[section] = {**document.get(section, {}), **values}
    configuration.write_text(json.dumps(document, indent=2), encoding="utf-8")
    log = directory / "registry.log"
    with log.open("wb") as sink:
        child = subprocess.Popen(
            [*prefix, program, "serve", configuration],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd="/",
            # It takes such variables for its configuration, and clients have one that is called REGISTRY_AUTH_FILE.
            env={name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")},
            start_new_session=True,
        )
    started = process.start_time(child.pid)
    port = process.await_port(child.pid, PATIENCE) if started is not None else None
    if started is None or port is None or child.poll() is not None:
        child.kill()
        child.wait()
        raise RegistryFailure(f"cannot run a registry at {listen}: {_last_words(log)} (log: {log})")
    # It is ended by pid, and waited for by `serve`: keep Popen from complaining that it was not.
    child.returncode = 0
    return Server(child.pid, started, f"{listen.rpartition(':')[0]}:{port}", log, storage)


def configuration_of(directory: Path) -> Path:
    """Return the file that a server of this directory has as its last argument, by which it can be found."""
    return directory / "config.json"


def _configuration(storage: Path, listen: str) -> dict[str, Any]:
    # JSON is YAML, which is what the server reads.
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage)},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        # Relative locations, so that a client stays with a proxy that it was sent to.
        "http": {"addr": listen, "secret": secrets.token_hex(16), "relativeurls": True},
    }


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() or ["it wrote no log"]
    message = re.search(r'msg="(.+)"', lines[-1])
    return message[1] if message else lines[-1].strip()


def fill(storage: Path, source: Path) -> None:
    """Copy a filled storage. A copy, since the server rewrites the files of its tags in place."""
    shutil.copytree(source, storage, dirs_exist_ok=True)
