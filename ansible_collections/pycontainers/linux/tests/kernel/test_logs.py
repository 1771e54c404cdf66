# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers say is kept, bounded, and shown by time; by s6-log, and where that is missing without it."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.process import Process
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle, loggers
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.terminal_bench import person

MIB = 1 << 20
MOST = loggers.LONGEST_LINE
STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z "
MANY = 1_000_000
LONG_LINES = f'BEGIN {{ for (n = 1; n <= {MANY}; n++) printf "%d %090d\\n", n, 0 }}'
"""100 MB in numbered lines, written as fast as the container can."""


@pytest.fixture(params=["s6-log", "dd"])
def logger(request: pytest.FixtureRequest, host: Host) -> Iterator[str]:
    """Have the one logger of files or the other: for that s6-log is hidden in the tests' own mount namespace."""
    path = loggers.find("s6-log")
    assert path is not None
    if request.param == "dd":
        subprocess.run(["mount", "--bind", "/dev/null", path], check=True)
    yield str(request.param)
    if request.param == "dd":
        subprocess.run(["umount", path], check=True)


def folder(host: Host, container: Container) -> Path:
    """Where its log is."""
    return Path(lifecycle.log_folder(host.layout, container.id or ""))


def reader(host: Host, container: Container) -> Process:
    """The logger of a container that runs."""
    found = lifecycle.logger(host.layout, container.id or "")
    assert found is not None
    return found


def numbers(text: str) -> list[int]:
    """The numbers that whole lines begin with."""
    return [int(line.split(" ", 1)[0]) for line in text.splitlines()]


def test_lines_have_time_stamps(host: Host) -> None:
    """Each line is kept with the time of it, which is shown when it is asked for, in UTC."""
    before = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    container = host.shell("echo one; echo; sleep 0.2; echo two >&2")
    host.ended(container)
    after = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert host.ok("logs", "c") == "one\n\ntwo\n"
    shown = host.ok("logs", "-t", "c").splitlines()
    assert [re.sub(STAMP, "", line) for line in shown] == ["one", "", "two"]
    assert all(re.match(STAMP, line) for line in shown)
    assert before < shown[0] < shown[2] < after
    assert host.ok("logs", "-t", "-n", "1", "c") == shown[2] + "\n"


def test_a_line_without_an_end_is_kept(host: Host, logger: str) -> None:
    """What a run says last needs no newline, whether it ends, is stopped, or is started again by its policy."""
    container = host.shell("printf end")
    host.ended(container)
    host.ok("start", "c")
    host.ended(container)
    assert host.ok("logs", "c") == "endend"
    host.shell("trap 'printf bye; exit' TERM; while :; do sleep 0.02; done", "d")
    host.converge("d", stop_timeout=5)
    host.ok("stop", "d")
    assert host.ok("logs", "d") == "bye"
    host.shell("printf .; exit 1", "e", restart_policy="on-failure", restart_retries=2)
    host.ended(host.observed("e"))
    assert host.ok("logs", "e") == "..."


@pytest.mark.parametrize("length", [8192, MOST - 1, MOST + 1, 3 * MOST + 5, 1 << 20])
@pytest.mark.parametrize("end", ["", "\n"])
def test_long_lines_are_whole(host: Host, length: int, end: str) -> None:
    """A line of any length is shown as one, and has one time."""
    script = f"echo before; head -c {length} /dev/zero | tr '\\0' x; printf '{end}'"
    host.ended(host.shell(script))
    assert host.ok("logs", "c") == f"before\n{'x' * length}{end}"
    assert len(re.findall(STAMP, host.ok("logs", "-t", "c"))) == 2
    assert host.ok("logs", "-n", "1", "c") == "x" * length + end


def test_what_is_kept_is_bounded_and_the_end_of_all(host: Host, logger: str) -> None:
    """A program that writes as fast as it can fills no disk, and lines are neither lost within nor doubled."""
    container = host.run(["awk", LONG_LINES], log_options={"max-size": "1m", "max-file": 3})
    most, there = 0, folder(host, container)
    while lifecycle.waiter(host.layout, container.id or ""):
        most = max(most, sum(_sizes(there)))
        time.sleep(0.001)
    said = numbers(host.log(container)[-2 * MIB :].partition("\n")[2])
    assert said == [*range(said[0], MANY + 1)]
    assert len(said) * 90 > MIB
    # A piece that was read at once is written whole; and a new file is begun before the oldest goes.
    one = MIB + MIB // 4
    assert most < 4 * one
    assert max(_sizes(there)) < one
    assert sum(_sizes(there)) < 3 * one


def _sizes(there: Path) -> list[int]:
    """The sizes of the files in a folder, of which some go while they are looked at."""
    found = []
    for each in there.iterdir():
        with suppress(FileNotFoundError):
            found.append(each.stat().st_size)
    return found


def test_following_loses_and_doubles_nothing(host: Host, logger: str) -> None:
    """Who follows a log sees each line once while files are renewed below, and comes to an end with the container."""
    script = "echo 0; read x < /hold; n=0; while [ $n -lt 40000 ]; do n=$((n + 1)); echo $n; done; printf end"
    options = {"max-size": "256k" if logger == "s6-log" else "64k", "max-file": 6}
    fifo = host.layout.root + "/hold"
    os.mkfifo(fifo)
    container = host.shell(script, volumes=[f"{fifo}:/hold"], log_options=options)
    with host.beside("logs", "-f", "c") as follower:
        assert follower.stdout is not None
        assert follower.stdout.read(2) == b"0\n"
        Path(fifo).write_text("go\n")
        said, told = follower.communicate(timeout=60)
    assert host.log(container).endswith("\n40000\nend")
    assert (said.decode(), told) == ("".join(f"{n}\n" for n in range(1, 40001)) + "end", b"")
    assert len([each for each in folder(host, container).iterdir() if each.stat().st_size > 4096]) > 2


def test_following_waits_for_a_slow_logger(host: Host, logger: str) -> None:
    """The program has ended, but not all that it has said is in the log: who follows gets that too."""
    fifo = host.layout.root + "/hold"
    os.mkfifo(fifo)
    container = host.shell("echo one; read x < /hold; echo two; printf end", volumes=[f"{fifo}:/hold"])
    found = reader(host, container)
    with host.beside("logs", "-f", "c") as follower:
        assert follower.stdout is not None
        assert follower.stdout.read(4) == b"one\n"
        os.killpg(found.pid, signal.SIGSTOP)
        Path(fifo).write_text("go\n")
        wait(lambda: not host.pid())
        time.sleep(0.5)
        os.killpg(found.pid, signal.SIGCONT)
        assert follower.communicate(timeout=20) == (b"two\nend", b"")


def test_lines_are_chosen_by_time(host: Host) -> None:
    """--since and --until take times in all of Docker's spellings; --tail counts what they leave."""
    container = host.shell("for n in 1 2 3 4 5 6; do echo $n; sleep 0.05; done")
    host.ended(container)
    stamps = [line.split()[0] for line in host.ok("logs", "-t", "c").splitlines()]
    assert host.ok("logs", "--since", stamps[2], "c") == "3\n4\n5\n6\n"
    assert host.ok("logs", "--until", stamps[2], "c") == "1\n2\n"
    assert host.ok("logs", "--since", stamps[1], "--until", stamps[4], "c") == "2\n3\n4\n"
    assert host.ok("logs", "--since", stamps[1], "--until", stamps[4], "-n", "1", "c") == "4\n"
    assert host.ok("logs", "--since", "1h30m", "c") == "1\n2\n3\n4\n5\n6\n"
    assert host.ok("logs", "--until", "1h", "c") == ""
    assert host.ok("logs", "--since", str(int(time.time()) + 60), "c") == ""
    assert host.ok("logs", "-f", "--since", stamps[5], "c") == "6\n"
    assert "it is not a duration such as" in host.failure("logs", "--since", "yesterday", "c")


def test_following_ends_at_until(host: Host) -> None:
    """Who asks for no line after a moment is not kept waiting for more."""
    host.shell("echo one; exec sleep 1000")
    assert host.ok("logs", "-f", "--until", "0s", "c") == "one\n"


def test_without_stamps_no_times_are_told(host: Host, logger: str) -> None:
    """A terminal's bytes, and lines on a host without s6-log, have no times, which is told in a sentence."""
    host.ended(host.shell("echo one", tty=logger == "s6-log"))
    for words in (["-t"], ["--since", "1m"], ["--until", "1m"]):
        assert "have no time stamps, because" in host.failure("logs", *words, "c")
    assert host.ok("logs", "c").split() == ["one"]


def test_a_user_can_open_the_streams(host: Host, logger: str) -> None:
    """A program that is not root's writes to /dev/stdout and /dev/stderr by their names, as nginx does."""
    host.ended(host.shell("echo out > /dev/stdout; echo err > /dev/stderr; id -u", user="nobody"))
    assert host.ok("logs", "c") == "out\nerr\n65534\n"


def test_a_killed_logger_is_told_to_the_program(host: Host, logger: str) -> None:
    """Writing fails then, nothing hangs, and the next run has a logger again."""
    script = "trap 'echo bye; exit 3' TERM; echo ready; while echo more; do sleep 0.01; done; exit 4"
    container = host.shell(script)
    wait(lambda: "more" in host.log(container))
    os.killpg(reader(host, container).pid, signal.SIGKILL)
    assert host.ended(container).exit_code in (4, 128 + signal.SIGPIPE)
    host.ok("start", "c")
    wait(lambda: host.log(container).count("ready") == 2)
    assert reader(host, container).alive
    os.killpg(reader(host, container).pid, signal.SIGKILL)
    host.ok("stop", "-t", "5", "c")
    assert host.ok("logs", "-n", "1", "c") == "more\n"


def test_a_logger_is_not_asked_to_end(host: Host, logger: str) -> None:
    """What ends all at a shutdown leaves the logger to the end of the program, whose last words are kept."""
    container = host.shell("trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.02; done")
    wait(lambda: host.log(container) == "ready\n")
    os.killpg(reader(host, container).pid, signal.SIGTERM)
    host.ok("stop", "-t", "5", "c")
    assert host.log(container) == "ready\nbye\n"


def test_a_logger_that_stands_still_holds_up_its_own(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program whose logger does not read is blocked; others are not, and it can be stopped, and started again."""
    monkeypatch.setattr(lifecycle, "LOG_PATIENCE", 0.5)
    container = host.run(["yes"])
    stuck = reader(host, container)
    os.killpg(stuck.pid, signal.SIGSTOP)
    other = host.shell("echo other", "d")
    host.ended(other)
    assert host.log(other) == "other\n"
    host.converge(state="stopped")
    assert not stuck.alive
    host.ok("start", "c")
    assert reader(host, container).alive
    host.converge(state="stopped")


def test_a_log_of_an_earlier_version_is_shown_first(host: Host, logger: str) -> None:
    """The one file that was written before is read where it is, and after the next start, when it has another name."""
    container = host.shell("echo new", state="stopped")
    folder(host, container).write_text("old\nlast")
    assert host.ok("logs", "c") == "old\nlast"
    assert host.ok("logs", "-n", "1", "c") == "last"
    host.ok("start", "c")
    host.ended(container)
    assert host.ok("logs", "c") == "old\nlastnew\n"
    if logger == "s6-log":
        shown = host.cli("logs", "-t", "c")
        assert re.fullmatch(STAMP + "new\n", shown.stdout)
        assert "have no time stamps, and are left out" in shown.stderr


def test_a_stand_in_ends_a_line_too(host: Host) -> None:
    """The waiter in another's place tells the logger of the end as well."""
    container = host.shell("printf half; exec sleep 1000")
    waiter = lifecycle.waiter(host.layout, container.id or "")
    assert waiter is not None
    wait(lambda: Path(f"/proc/{host.pid()}/comm").read_text() == "sleep\n")
    waiter.signal(signal.SIGKILL)
    waiter.wait(5)
    host.converge()
    os.kill(host.pid(), signal.SIGKILL)
    host.ended(container)
    assert host.ok("logs", "c") == "half"


def test_damaged_and_foreign_files_are_no_obstacle(host: Host) -> None:
    """What is not a log's is passed over, and what is damaged shown as far as it goes."""
    container = host.shell("echo one; echo two")
    host.ended(container)
    there = folder(host, container)
    (there / "@400000000000000000000000.s").write_bytes(b"\xff\x00no stamp\n2026-01-01 half")
    (there / "@4folder").mkdir()
    (there / "output.1").symlink_to("/etc/passwd")
    os.mkfifo(there / "output")
    (there / "notes").write_text("not of the log\n")
    os.chmod(there / "current", 0)
    shown = subprocess.run(host.command("logs", "c"), capture_output=True, timeout=30, check=True)
    assert shown.stdout == b"\xff\x00no stamp\n2026-01-01 half\none\ntwo\n"
    assert host.ok("logs", "-n", "2", "c") == "one\ntwo\n"
    assert host.cli("logs", "-t", "c").stdout.count("\n") == 2
    host.converge(state="absent")
    assert not there.exists()


def test_a_container_keeps_its_log(host: Host) -> None:
    """Through stop, start, another name, and its policy; it goes with the container, and a new one has none of it."""
    container = host.shell("echo run; sleep 0.1; exit 1", restart_policy="on-failure", restart_retries=1)
    host.ended(container)
    host.ok("rename", "c", "d")
    host.ok("start", "d")
    wait(lambda: host.log(container).count("run") == 4)
    host.ended(container)
    assert host.ok("logs", "d") == "run\n" * 4
    there = folder(host, container)
    host.converge("d", recreate=True, state="stopped")
    assert not there.exists()
    assert host.ok("logs", "d") == ""


def test_a_run_that_is_looked_at_is_copied_byte_for_byte(host: Host) -> None:
    """What ``run --rm`` prints is exactly what the program has written, whatever it is."""
    script = "head -c 300000 /dev/urandom > x; sha256sum < x >&2; cat x; cat x"
    done = subprocess.run(
        host.command("run", "--rm", host.busybox, "sh", "-c", script), capture_output=True, timeout=30, check=True
    )
    whole, _, rest = done.stdout.partition(b"  -\n")
    digest, said = whole.decode(), rest
    assert len(said) == 600000
    assert said[:300000] == said[300000:]
    assert subprocess.run(["sha256sum"], input=said[:300000], capture_output=True, check=True).stdout.startswith(
        digest.encode()
    )


def test_who_is_attached_sees_across_files(host: Host) -> None:
    """What a terminal shows goes on to the screen while its files are renewed, which are held to their size."""
    host.run(["sh"], tty=True, interactive=True, log_options={"max-size": "8k", "max-file": 2})
    with person(host, "attach", "c") as somebody:
        somebody.sees("#")
        somebody.type("seq 1 20000; exit\n")
        seen = somebody.sees("\n20000\n")
    lines = [line for line in seen.splitlines() if line.isdecimal()]
    assert lines == [str(n) for n in range(1, 20001)]
    sizes = [each.stat().st_size for each in folder(host, host.observed()).iterdir()]
    assert len(sizes) == 2
    assert max(sizes) < 8192 + 8192


def test_a_single_file_keeps_the_end(host: Host, logger: str) -> None:
    """With one file of a size there are two of half of it, lest all be gone when it is full."""
    container = host.run(["seq", "1", "20000"], log_options={"max-size": "256k", "max-file": 1})
    host.ended(container)
    said = numbers(host.log(container).partition("\n")[2])
    assert said == [*range(said[0], 20001)]
    assert len(said) > 1000


def test_reboot_goes_on_with_the_log(host: Host) -> None:
    """After shutdown and boot lines are added to those before."""
    container = host.shell("echo begun; exec sleep 1000", restart_policy="always")
    wait(lambda: host.log(container) == "begun\n")
    host.ok("shutdown")
    host.ok("boot")
    wait(lambda: host.log(container) == "begun\nbegun\n")


@pytest.mark.parametrize("booted", [False, True])
def test_a_logger_is_small_and_by_itself(host: Host, booted: bool) -> None:
    """It is with the waiters, holds nothing but the pipe, and takes little memory of its own."""
    host.run(name="other")
    container = host.shell("echo one; exec sleep 1000", restart_policy="always")
    wait(lambda: host.log(container) == "one\n")
    if booted:
        host.ok("shutdown")
        host.ok("boot")
        wait(lambda: host.log(container) == "one\none\n")
    found, waiter = reader(host, container), lifecycle.waiter(host.layout, container.id or "")
    assert waiter is not None
    groups = Path(f"/proc/{found.pid}/cgroup").read_text()
    assert groups == Path(f"/proc/{waiter.pid}/cgroup").read_text()
    assert groups.count("/pycontainers/waiters\n") >= len(cgroups.cgroups().directories("pycontainers/waiters"))
    open_there = f"/proc/{found.pid}/fd"
    places = {os.readlink(f"{open_there}/{each}").partition(":")[0] for each in os.listdir(open_there)}
    there = str(folder(host, container))
    complaints = lifecycle.complaints(host.layout, container.id or "")
    assert {each for each in places if not each.startswith(there)} <= {"pipe", "/dev/null", complaints, "anon_inode"}
    assert os.getsid(found.pid) == found.pid


def test_rows(host: Host) -> None:
    """The driver and its options are compared as what they mean, cost a new container, and show in the facts."""
    first = host.run(log_options={"max-size": "10m"})
    assert not host.converge(log_driver="file", log_options={"max-file": "3"}).changed
    told = host.converge(log_options={"max-size": "64k"}, check=True)
    assert [(each.path, each.after, each.effect.name) for each in told.changes] == [
        ("log_options", {"max-size": 65536}, "RECREATE")
    ]
    host.converge(log_options={"max-size": "64k"})
    assert host.observed().id != first.id
    assert host.converge().facts["container"]["HostConfig"]["LogConfig"] == {
        "Type": "file",
        "Config": {"max-size": "65536"},
    }
    host.converge(log_driver="none")
    assert host.observed().log_options == ()
