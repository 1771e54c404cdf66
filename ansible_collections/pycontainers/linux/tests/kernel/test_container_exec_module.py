# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container_exec``: a program in a running container, and what it says."""
from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.process import Process
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_exec import (
    CONTAINER_EXEC,
    ContainerExec,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, proc_status, wait


def execute(host: Host, check: bool = False, **values: Any) -> Outcome[ContainerExec]:
    """Run something in the container c."""
    return converge(CONTAINER_EXEC, host.layout, parse(ContainerExec, {"container": "c", **values}), check)


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        ({"command": "echo 'a b'"}, ("a b", "", 0)),
        ({"argv": ["sh", "-c", "echo; echo out; echo err >&2; exit 3"]}, ("\nout", "err", 3)),
        ({"command": "echo x", "strip_empty_ends": False}, ("x\n", "", 0)),
        ({"command": "od -c", "stdin": "a", "strip_empty_ends": False}, ("0000000   a  \\n\n0000002\n", "", 0)),
        ({"command": "wc -c", "stdin": "a", "stdin_add_newline": False}, ("1", "", 0)),
        ({"argv": ["sh", "-c", 'echo "$A|$FROM|$(pwd)|$(id -u)"'], "env": {"A": "x\ny", "FROM": "exec"},
          "chdir": "/tmp", "user": "33"}, ("x\ny|exec|/tmp|33", "", 0)),
        ({"argv": ["echo", "-n", "--", "-x"]}, ("-- -x", "", 0)),
        ({"command": "/no/such"}, ("", 'exec: "/no/such": stat /no/such: no such file or directory', 127)),
        ({"command": "/etc/passwd"}, ("", 'exec: "/etc/passwd": permission denied', 126)),
        ({"argv": ["sh", "-c", "kill -9 $$"]}, ("", "", 137)),
        ({"argv": ["sh", "-c", "tty; cat"], "tty": True, "stdin": "x", "strip_empty_ends": True},
         ("/dev/pts/0\r\nx\r\nx", "", 0)),
    ],
)  # fmt: skip
def test_what_a_program_says_is_returned(host: Host, values: dict[str, Any], facts: tuple[str, str, int]) -> None:
    """Output, errors and exit status are the program's, by any of the options."""
    host.run(env={"FROM": "task"})
    outcome = execute(host, **values)
    found = outcome.facts
    if values.get("tty"):  # what is typed may be echoed before the program has said anything
        assert sorted(found["stdout"].split("\r\n")) == sorted(facts[0].split("\r\n"))
        return
    assert (found["stdout"], found["stderr"], found["rc"]) == facts
    assert outcome.changed
    assert [each.path for each in outcome.changes] == ["container", "runs"]


def test_variables_and_words_are_nobody_elses(host: Host) -> None:
    """Neither is on the command line of a process outside of the container."""
    host.run()
    words = ["sh", "-c", ": secret-word; sleep 1000"]
    done = execute(host, argv=words, env={"KEY": "secret-value"}, detach=True)
    guest = done.facts["exec_id"].partition("-")[0]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        said = Path(f"/proc/{pid}/cmdline")
        if pid != guest and said.exists() and pid != str(os.getpid()):
            assert b"secret-" not in said.read_bytes()


def test_a_detached_program_goes_on_by_itself(host: Host) -> None:
    """It runs in the container, is told by pid and start time, and no process of ours stays with it."""
    host.run()
    outcome = execute(host, command="sleep 1000", detach=True)
    pid, start = map(int, outcome.facts["exec_id"].split("-"))
    guest = Process(pid, start)
    assert guest.alive
    assert set(outcome.facts) == {"exec_id"}
    assert os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{host.pid()}/ns/pid")
    parent = proc_status(pid)["PPid"]
    assert host.layout.root.encode() not in Path(f"/proc/{parent}/cmdline").read_bytes()
    ends = {os.readlink(f"/proc/{pid}/fd/{each}") for each in os.listdir(f"/proc/{pid}/fd")}
    assert set(map(os.path.basename, ends)) == {"null"}
    assert guest.signal(signal.SIGKILL)
    wait(lambda: not guest.alive)


@pytest.mark.parametrize(("words", "code"), [(["/no/such"], 127), (["/etc/passwd"], 126)])
def test_a_detached_program_that_is_none_is_told(host: Host, words: list[str], code: int) -> None:
    """That it can't be executed is known before it is left."""
    host.run()
    facts = execute(host, argv=words, detach=True).facts
    assert facts["rc"] == code
    assert facts["stderr"].startswith(f'exec: "{words[0]}"')
    assert host.ok("exec", "-d", "c", "true").count("-") == 1


def test_a_check_runs_nothing(host: Host) -> None:
    """It says that the program would be run, and shows which."""
    host.run()
    predicted = execute(host, check=True, command="touch /made")
    assert predicted.changed
    assert "was not as this is a check" in predicted.facts["msg"]
    assert predicted.changes[-1].after == ["touch", "/made"]
    assert "rc" not in predicted.facts
    assert not Path(f"/proc/{host.pid()}/root/made").exists()
    done = execute(host, command="touch /made")
    assert (done.actions, done.changes) == (predicted.actions, predicted.changes)
    assert Path(f"/proc/{host.pid()}/root/made").exists()


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("condition", "runs"),
    [
        ({"creates": "/etc/passwd"}, False),
        ({"creates": "/etc/none"}, True),
        ({"creates": "/etc/passwd/none"}, True),
        ({"removes": "/etc/passwd"}, True),
        ({"removes": "/etc/none"}, False),
        ({"creates": "/link"}, False),
        ({"removes": "/out"}, False),
    ],
)
def test_a_path_decides_whether_it_runs(host: Host, check: bool, condition: dict[str, str], runs: bool) -> None:
    """Both modes say the same by ``creates`` and ``removes``, whose links lead into the container."""
    host.shell(f"ln -s ../../etc/passwd /link; ln -s {__file__} /out; touch /ready; sleep 1000")
    wait(lambda: Path(f"/proc/{host.pid()}/root/ready").exists())
    outcome = execute(host, check=check, command="true", **condition)
    assert outcome.changed == runs
    assert runs or outcome.facts["msg"].startswith("nothing was run: ")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "exactly one of command and argv"),
        ({"command": "a", "argv": ["a"]}, "exactly one of command and argv"),
        ({"command": ""}, "it names no program"),
        ({"command": "a", "detach": True, "stdin": ""}, "of a program that is detached"),
        ({"command": "a", "detach": True, "tty": True}, "of a program that is detached"),
        ({"command": "a", "user": "stranger"}, "no such user"),
        ({"command": "a", "container": "none"}, "there is none of this name or id"),
        ({"command": "a", "container": "stopped"}, "container not running; start it first"),
        ({"command": "a", "container": "stopped", "creates": "/x"}, "container not running; start it first"),
    ],
)
def test_what_can_not_be_run_is_refused(host: Host, values: dict[str, Any], said: str) -> None:
    """A check says so too."""
    host.run()
    host.run(name="stopped")
    host.converge("stopped", state="stopped")
    for check in (True, False):
        with pytest.raises(Failure, match=said):
            execute(host, check=check, **values)
