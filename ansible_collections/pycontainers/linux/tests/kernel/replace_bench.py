# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in a container, and a client that asks it all the time, for tests and figures of replacements."""
from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

PORT = 8080

CLIENT = """
import json, select, socket, sys, time
answers, stop = [], False
print("begun", flush=True)
while not stop:
    said, asked = "", time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1) as connection:
            connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            while piece := connection.recv(4096):
                said += piece.decode()
    except OSError:
        said = ""
    answers.append((asked, said.rpartition("\\r\\n")[2].strip() if " 200 " in said else ""))
    stop = bool(select.select([sys.stdin], [], [], 0.01)[0])
print(json.dumps(answers))
"""


def server(answer: str, before: str = "true") -> list[str]:
    """A command that serves an answer, once what goes before has been done."""
    serve = f"mkdir -p /srv; echo {answer} > /srv/index.html; exec httpd -f -p 80 -h /srv"
    return ["sh", "-c", f"{before}; {serve}"]


class Seen(NamedTuple):
    """What a client has seen: when it asked, and what the answers were, empty where there was none."""

    asked: list[float]
    answers: list[str]

    def said(self) -> list[str]:
        """The answers, each as often as it came anew; what is before the first one is not told."""
        found: list[str] = []
        for each in self.answers:
            if found[-1:] != [each]:
                found.append(each)
        return found

    def down(self) -> float:
        """The longest time between the last question that was answered and the next that was, in seconds."""
        well = [moment for moment, answer in zip(self.asked, self.answers, strict=True) if answer]
        return max((after - before for before, after in itertools.pairwise(well)), default=0.0)


@contextmanager
def asking(port: int = PORT) -> Iterator[Seen]:
    """Have a client ask while something is done; what it has seen is there afterwards."""
    seen = Seen([], [])
    pipe: Any = subprocess.PIPE
    command = [sys.executable, "-I", "-c", CLIENT, str(port)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as client:
        try:
            assert client.stdout is not None
            client.stdout.readline()
            yield seen
            for moment, answer in json.loads(client.communicate("x", timeout=30)[0]):
                seen.asked.append(moment)
                seen.answers.append(answer)
        finally:
            client.kill()


def answer(port: int = PORT) -> str:
    """What is answered now."""
    with asking(port) as seen:
        pass
    return seen.answers[-1]
