# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry with TLS that only a proxy reaches (RFC 9110, 9.3.6)."""
from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.check import check
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.tests.kernel import test_image_faults, test_image_transport
from testbed.registry import Server

authority = test_image_transport.authority

PROXY = """
import asyncio, json, sys
port, record = int(sys.argv[1]), open(sys.argv[2], "a", buffering=1)

async def copy(source, target):
    while piece := await source.read(65536):
        target.write(piece)
        await target.drain()
    target.close()

async def serve(reader, writer):
    head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().split("\\r\\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    record.write(json.dumps([head[0], headers.get("proxy-authorization", "")]) + "\\n")
    if "proxy-authorization" not in headers:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\\r\\nContent-Length: 0\\r\\n\\r\\n")
        await writer.drain()
        return writer.close()
    there, back = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HTTP/1.1 200 Connection established\\r\\n\\r\\n")
    await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@contextmanager
def proxy(port: int, record: Path) -> Iterator[int]:
    """Lead whoever says any name and password to a port of this machine, wherever he wants to go; gives its own."""
    command = [sys.executable, "-I", "-c", PROXY, str(port), str(record)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.kill()


def test_a_registry_behind_a_proxy_serves_by_its_tunnel(
    layout: Layout, server: Server, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name need not be known here. The proxy has to be told its password, and hears of nothing but the host."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    record, name = tmp_path / "record", "registry.test:443"
    reference = parse_reference(f"{name}/busybox:latest")
    with (
        test_image_faults.over_tls(server.address, authority / "server.pem") as port,
        proxy(port, record) as entrance,
    ):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{entrance}")
        words = rf"the proxy 127.0.0.1:{entrance} does not lead us to {name} \(407 .*\); give https_proxy"
        with pytest.raises(Failure, match=words):
            pull(layout, reference)
        monkeypatch.setenv("https_proxy", f"http://ann:secret@127.0.0.1:{entrance}")
        assert pull(layout, reference).references == (str(reference),)
    assert check(layout) == []
    said = [json.loads(line) for line in record.read_text().splitlines()]
    login = f"Basic {base64.b64encode(b'ann:secret').decode()}"
    assert {line.rpartition(" ")[0] for line, _ in said} == {f"CONNECT {name}"}
    assert {each.lower() for _, each in said} == {"", login.lower()}
