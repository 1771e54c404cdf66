# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of commands and files to a container's runtime, with one that enters nothing."""

from __future__ import annotations

import hashlib
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.plugin_utils.container_connection import PIECE
from ansible_collections.pycontainers.linux.tests.unit.plugins.stand_in import StandIn

UNREACHABLE = re.compile(r"^(\S+) \| UNREACHABLE! => (\{.*?^\})$", re.MULTILINE | re.DOTALL)
CONTAINER = {"ansible_connection": "pycontainers.linux.container", "ansible_python_interpreter": "/usr/bin/python3"}


@pytest.fixture
def runtime(tmp_path: Path) -> StandIn:
    """The stand-in."""
    return StandIn.made(tmp_path)


def inventory(runtime: StandIn, **hosts: dict[str, Any]) -> Path:
    """An inventory of containers, of the controller unless they say another host."""
    shared = {"ansible_pycontainers_root": str(runtime.root), "ansible_pycontainers_run": "/run/none"}
    return runtime.write("hosts.yml", {"all": {"hosts": {name: shared | said for name, said in hosts.items()}}})


def raw(runtime: StandIn, host: str, command: str, *options: str, **hosts: dict[str, Any]) -> str:
    """What a shell command printed, or what Ansible says went wrong."""
    arguments = ("-i", inventory(runtime, **hosts), host, "-m", "ansible.builtin.raw", "-a", command, *options)
    return runtime.ansible("ansible", *arguments).stdout


def play(runtime: StandIn, *tasks: dict[str, Any], **variables: Any) -> None:
    """Run tasks in the container web; they must do well."""
    shown = runtime.write("play.yml", [{"hosts": "web", "gather_facts": False, "tasks": tasks, "vars": variables}])
    done = runtime.ansible("ansible-playbook", "-i", inventory(runtime, web=CONTAINER), shown)
    assert done.returncode == 0, done.stdout + done.stderr


def users(runtime: StandIn) -> set[str]:
    """The users that commands ran as."""
    return {words[words.index("-u") + 1] for words in runtime.calls if "-u" in words}


def test_commands_reach_the_container_as_they_are(runtime: StandIn) -> None:
    """Quotes, variables, newlines and letters outside of ASCII are the container's shell's, and none's before."""
    said = raw(runtime, "web", """printf '%s\\n' "it's $((1 + 1))" '$HOME | é; `id`'""", web=CONTAINER)
    assert "it's 2\n$HOME | é; `id`\n" in said
    (words,) = runtime.calls
    assert words[:5] == ["--root", str(runtime.root), "--run", "/run/none", "exec"]
    assert words[5:10] == ["-u", "root", "web", "/bin/sh", "-c"]


@pytest.mark.parametrize("pipelining", [True, False])
def test_modules_run_by_stdin_or_as_files(runtime: StandIn, pipelining: bool) -> None:
    """With pipelining a module is one command that reads it, without it is copied before; both do the same."""
    play(runtime, {"ansible.builtin.ping": {}}, ansible_pipelining=pipelining)
    assert (len(runtime.calls) == 1) == pipelining
    assert any("-i" in words for words in runtime.calls)


def test_files_are_copied_whole(runtime: StandIn) -> None:
    """Files arrive byte for byte, also those that are copied in pieces, and so they come back."""
    tasks: list[dict[str, Any]] = []
    places, wanted = [], []
    for size in (0, 2 * PIECE, 2 * PIECE + 1):
        source, there, back = (runtime.folder / f"{name} {size}" for name in ("it's one", "there", "back"))
        source.write_bytes(random.Random(size).randbytes(size))
        tasks.append({"ansible.builtin.copy": {"src": str(source), "dest": str(there), "mode": "0600"}})
        tasks.append({"ansible.builtin.fetch": {"src": str(there), "dest": str(back), "flat": True}})
        places += [there, back]
        wanted += [hashlib.sha256(source.read_bytes()).digest()] * 2
    play(runtime, *tasks)
    assert [hashlib.sha256(each.read_bytes()).digest() for each in places] == wanted


def test_a_file_that_is_not_there_is_named(runtime: StandIn) -> None:
    """What can't be fetched fails with its path."""
    task = {"ansible.builtin.fetch": {"src": "/none/such", "dest": str(runtime.folder), "flat": True}}
    shown = runtime.write("play.yml", [{"hosts": "web", "gather_facts": False, "tasks": [task]}])
    done = runtime.ansible("ansible-playbook", "-i", inventory(runtime, web=CONTAINER), shown)
    assert done.returncode != 0
    assert "/none/such" in done.stdout + done.stderr


def test_the_user_is_the_containers(runtime: StandIn) -> None:
    """Commands run as root, or as whom the container's variables say; who logs in to hosts means nothing there."""
    shared = {"ansible_pycontainers_host": "outer", "ansible_pycontainers_name": "web"}
    cases = {
        "root": {"ansible_user": "deploy"},
        "app": {"ansible_user": "app"},
        "app:7": {"ansible_pycontainers_user": "app:7", "ansible_user": "deploy"},
    }
    inner = {
        f"inner{number}": CONTAINER | shared | said | {"ansible_pycontainers_run": f"/run/{user}"}
        for number, (user, said) in enumerate(cases.items())
    }
    outer = {"ansible_connection": "local", "ansible_user": "deploy"}
    assert raw(runtime, "all:!outer", "echo well", "-u", "other", **inner, outer=outer).count("well") == len(cases)
    assert {words[3].removeprefix("/run/"): words[words.index("-u") + 1] for words in runtime.calls} == {
        user: user for user in cases
    }


def test_a_play_says_the_user(runtime: StandIn) -> None:
    """``remote_user`` of a task is the user in the container."""
    play(runtime, {"ansible.builtin.raw": "true", "remote_user": "app"})
    assert users(runtime) == {"app"}


def test_delegated_tasks_run_in_the_other_container(runtime: StandIn) -> None:
    """A container that a task is delegated to is the one of its own name, not that of the host of the task."""
    shown = runtime.write(
        "play.yml",
        [{"hosts": "other", "gather_facts": False, "tasks": [{"ansible.builtin.raw": "true", "delegate_to": "web"}]}],
    )
    done = runtime.ansible("ansible-playbook", "-i", inventory(runtime, web=CONTAINER, other=CONTAINER), shown)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [words[7] for words in runtime.calls] == ["web"]


def test_the_host_has_its_own_variables(runtime: StandIn) -> None:
    """How to become root on the host is the host's to say, by templates of its own too, unless the container does."""
    escalate = runtime.folder / "escalate"
    script = f'echo "$@" > {runtime.folder}/escalated\nwhile [ $1 != /bin/sh ]; do shift; done\n"$@"'
    escalate.write_text(f"#!/bin/sh\n{script}\n")
    escalate.chmod(0o755)
    own = {"mine": str(escalate), "ansible_become_exe": "{{ mine }}", "ansible_become_user": "boss"}
    outer = {"ansible_connection": "local", "ansible_become": True, **own}
    inner: dict[str, Any] = CONTAINER | {"ansible_pycontainers_host": "outer", "ansible_pycontainers_name": "web"}
    assert "well" in raw(runtime, "inner", "echo well", inner=inner, outer=outer)
    assert "-u boss" in (runtime.folder / "escalated").read_text()
    (runtime.folder / "escalated").unlink()
    inner |= {"ansible_pycontainers_host_become": False}
    assert "well" in raw(runtime, "inner", "echo well", inner=inner, outer=outer)
    assert not (runtime.folder / "escalated").exists()


def test_what_can_not_be_is_unreachable(runtime: StandIn) -> None:
    """A container that is not there, a host without a runtime, and what lacks Python: one sentence, and unreachable."""
    named = CONTAINER | {"ansible_pycontainers_name": "web"}
    hosts = {
        "gone": CONTAINER,
        "bare": named | {"ansible_pycontainers_root": "/none"},
        "lost": named | {"ansible_pycontainers_host": "away"},
        "poor": named | {"ansible_python_interpreter": "/none/python3.14"},
    }
    done = runtime.ansible("ansible", "-i", inventory(runtime, **hosts), "all", "-m", "ansible.builtin.ping")
    assert "Traceback" not in done.stdout + done.stderr
    said = {found[1]: json.loads(found[2])["msg"] for found in UNREACHABLE.finditer(done.stdout)}
    assert not any("\n" in each for each in said.values())
    wanted = {
        "gone": "host localhost: cannot find container gone: there is none of this name or id",
        "bare": "host localhost: cannot run /none/runtime/current/pycontainers: there is no runtime;",
        "lost": "cannot reach container web of host away: there is no host away in the inventory;",
        "poor": "cannot run modules in container web of host localhost: it has no /none/python3.14;",
    }
    assert {name: words for name, words in wanted.items() if words in said[name]} == wanted


SSH = """\
#!/bin/sh
for each; do case $each in ControlPath=*) echo "$each" >> {seen} ;; esac; last=$each; done
exec /bin/sh -c "$last"
"""


@pytest.mark.parametrize("said", ["", "%(directory)s/of-the-user"])
def test_containers_of_a_host_share_no_connection(runtime: StandIn, said: str) -> None:
    """Each has its own, which it keeps, so that any number of them can be used at once; unless the host says which."""
    program, seen = runtime.folder / "ssh", runtime.folder / "seen"
    program.write_text(SSH.format(seen=seen))
    program.chmod(0o755)
    box = {"ansible_ssh_executable": str(program), "ansible_connection": "ssh"}
    box |= {"ansible_control_path": said} if said else {}
    container = {**CONTAINER, "ansible_pycontainers_host": "box"}
    for name, answer in (("web", "it is there"), ("shop", "cannot find container shop"), ("web", "it is there")):
        assert answer in raw(runtime, name, "echo it is there", box=box, web=container, shop=container)
    web, shop, again = seen.read_text().split()
    assert web == again
    assert (web == shop) is bool(said)
    assert not said or "/of-the-user" in web


@pytest.mark.parametrize("name", ["ansible_host", "ansible_ssh_host", "ansible_ssh_port", "ansible_ssh_user"])
def test_another_host_or_user_has_another_connection(runtime: StandIn, name: str) -> None:
    """Wherever it is said what ssh connects to and as whom: what is shared is never that to another one."""
    program, seen = runtime.folder / "ssh", runtime.folder / "seen"
    program.write_text(SSH.format(seen=seen))
    program.chmod(0o755)
    box = {"ansible_ssh_executable": str(program), "ansible_connection": "ssh"}
    container = {**CONTAINER, "ansible_pycontainers_host": "box"}
    for value in ("1001", "1002"):
        assert "is there" in raw(runtime, "web", "echo it is there", box=box | {name: value}, web=container)
    one, other = seen.read_text().split()
    assert one != other
