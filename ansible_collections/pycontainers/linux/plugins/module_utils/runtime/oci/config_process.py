# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``process`` and ``hooks`` of an OCI configuration (runtime-spec config.md): what runs, as whom, with what rights."""
from __future__ import annotations

from ..kernel import process_attributes as attributes
from ..kernel.process_attributes import SCHED_DEADLINE, SCHED_FIFO, SCHED_RR
from ..kernel.security import mask
from ..typed import NamedTuple
from .fields import Field, first_repeated

MOST_ARGUMENTS = 1 << 16
LARGEST_UINT64 = 2**64 - 1
DEFAULT_UMASK = 0o022
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
"""The kinds of hooks in the order of a container's life."""


class Capabilities(NamedTuple):
    """The five sets as masks: bit n stands for capability number n. Only what can be granted is in them."""

    bounding: int
    effective: int
    permitted: int
    inheritable: int
    ambient: int


class Scheduler(NamedTuple):
    """What sched_setattr(2) takes; runtime, deadline and period in nanoseconds."""

    policy: int
    nice: int
    priority: int
    flags: int
    runtime: int
    deadline: int
    period: int


class Process(NamedTuple):
    """The program and what it is given before it is executed.

    ``environment`` has each name once. ``rlimits`` are (number, soft, hard); ``io_priority`` is what ioprio_set(2)
    takes; ``console`` is rows and columns, None where there is no terminal or no size; the two CPU lists are numbers,
    None where nothing is said.
    """

    arguments: tuple[str, ...]
    environment: tuple[str, ...]
    cwd: str
    terminal: bool
    console: tuple[int, int] | None
    uid: int
    gid: int
    groups: tuple[int, ...]
    umask: int
    capabilities: Capabilities
    rlimits: tuple[tuple[int, int, int], ...]
    no_new_privileges: bool
    oom_score_adj: int | None
    scheduler: Scheduler | None
    io_priority: int | None
    apparmor_profile: str
    selinux_label: str
    initial_cpus: tuple[int, ...] | None
    final_cpus: tuple[int, ...] | None


class Hook(NamedTuple):
    """A program of the host's at one point of the container's life. ``environment`` is None where nothing is said."""

    path: str
    arguments: tuple[str, ...]
    environment: tuple[str, ...] | None
    timeout: int | None


def process(field: Field) -> Process:
    """The normal form of a ``process`` object, be it of a config.json or of a file for ``exec``.

    Raises :class:`InvalidValue` with the field's path.
    """
    field.required()
    user, affinity = field.members("user", "execCPUAffinity")
    terminal = field.member("terminal").truth()
    return Process(
        arguments=_arguments(field.member("args")),
        environment=environment(field.member("env")),
        cwd=field.member("cwd").path_text(),
        terminal=terminal,
        console=_console(field.member("consoleSize")) if terminal else None,
        uid=user.member("uid").identity(0),
        gid=user.member("gid").identity(0),
        groups=tuple(each.identity() for each in user.member("additionalGids").each(attributes.NGROUPS_MAX)),
        umask=user.member("umask").whole(0, 0o777, DEFAULT_UMASK),
        capabilities=_capabilities(field.member("capabilities")),
        rlimits=_rlimits(field.member("rlimits")),
        no_new_privileges=field.member("noNewPrivileges").truth(),
        oom_score_adj=field.member("oomScoreAdj").whole_if_given(
            attributes.OOM_SCORE_ADJ_MIN, attributes.OOM_SCORE_ADJ_MAX
        ),
        scheduler=_scheduler(field.member("scheduler")),
        io_priority=_io_priority(field.member("ioPriority")),
        apparmor_profile=field.member("apparmorProfile").word(),
        selinux_label=field.member("selinuxLabel").word(),
        initial_cpus=numbers(affinity.member("initial"), attributes.MOST_CPUS),
        final_cpus=numbers(affinity.member("final"), attributes.MOST_CPUS),
    )


def _arguments(field: Field) -> tuple[str, ...]:
    field.required()
    said = tuple(each.text(longest=attributes.MAX_ARG_STRLEN - 1) for each in field.each(MOST_ARGUMENTS))
    if not said:
        raise field.refusal("there is no program in it")
    return said


def environment(field: Field) -> tuple[str, ...]:
    """Variables as ``NAME=value``; of one that comes twice the later value counts, as with the shells that read it.

    Values may be secrets, so no message repeats them.
    """
    variables: dict[str, str] = {}
    for each in field.each(MOST_ARGUMENTS):
        hidden = Field(each.path, "(hidden)", each.notes)
        if not isinstance(each.value, str):
            raise each.refusal("it is not text")
        name, equals, value = each.value.partition("=")
        if not equals:
            raise hidden.refusal("there is no '=' in it; variables are NAME=value")
        if not name:
            raise hidden.refusal("there is no name before the '='")
        try:
            too_long = len(each.value.encode()) >= attributes.MAX_ARG_STRLEN
        except UnicodeEncodeError:
            raise hidden.refusal("it is not valid Unicode") from None
        if "\0" in each.value or too_long:
            longest = f"it has more than {attributes.MAX_ARG_STRLEN - 1} bytes"
            raise hidden.refusal(longest if too_long else "it contains a NUL byte")
        variables[name] = value
    return tuple(f"{name}={value}" for name, value in variables.items())


def _console(field: Field) -> tuple[int, int] | None:
    height, width = (each.whole(0, 0xFFFF, 0) for each in field.members("height", "width"))
    return (height, width) if height and width else None


def _capabilities(field: Field) -> Capabilities:
    """The sets, without what can't be granted: the specification wants a warning for that, and no failure."""
    names = ("bounding", "effective", "permitted", "inheritable", "ambient")
    sets = {name: _capability_set(field.member(name)) for name in names}
    bounds = (
        ("effective", "permitted", sets["permitted"]),
        # What capset(2) refuses: capabilities(7), "a process may not add to inheritable what is outside bounding".
        ("inheritable", "bounding", sets["bounding"]),
        ("ambient", "permitted and inheritable", sets["permitted"] & sets["inheritable"] & sets["bounding"]),
    )
    for name, bound, allowed in bounds:
        if sets[name] & ~allowed:
            field.member(name).note(f"capabilities that are not {bound} too can't be granted and are left out")
            sets[name] &= allowed
    return Capabilities(**sets)


def _capability_set(field: Field) -> int:
    bits = 0
    for each in field.each():
        name = each.text(longest=128)
        try:
            bits |= mask([name])
        except ValueError:
            each.note(f"there is no capability {name!r}, it is left out")
    return bits


def _rlimits(field: Field) -> tuple[tuple[int, int, int], ...]:
    found = []
    for each in field.each():
        number = each.member("type").choice(attributes.RLIMITS)
        soft, hard = (each.member(name).whole(0, LARGEST_UINT64) for name in ("soft", "hard"))
        if soft > hard:
            raise each.member("soft").refusal(f"it is above the hard limit, {hard}")
        found.append((number, soft, hard))
        if first_repeated(limit[0] for limit in found) is not None:
            raise each.member("type").refusal("there is a limit of this type already")
    return tuple(found)


def _scheduler(field: Field) -> Scheduler | None:
    """Policy and parameters by the rules of sched_setattr(2), so that the kernel has only rights left to check."""
    if not field.given:
        return None
    policy = field.member("policy").choice(attributes.POLICIES)
    realtime = policy in (SCHED_FIFO, SCHED_RR)
    nice = field.member("nice").whole(-20, 19, 0)
    priority_field = field.member("priority")
    priority = priority_field.whole(0, 99, 0)
    if realtime and not priority:
        raise priority_field.refusal("the policies SCHED_FIFO and SCHED_RR need a priority from 1 to 99")
    if priority and not realtime:
        raise priority_field.refusal("only the policies SCHED_FIFO and SCHED_RR have priorities")
    flags = 0
    for each in field.member("flags").each():
        flags |= each.choice(attributes.SCHED_FLAGS)
    return Scheduler(policy, nice, priority, flags, *_deadline(field, policy))


def _deadline(field: Field, policy: int) -> tuple[int, int, int]:
    times = field.members("runtime", "deadline", "period")
    runtime, deadline, period = (each.whole(0, 2**63 - 1, 0) for each in times)
    if policy != SCHED_DEADLINE:
        for each, value in zip(times, (runtime, deadline, period), strict=True):
            if value:
                raise each.refusal("only the policy SCHED_DEADLINE has it")
        return 0, 0, 0
    if runtime < attributes.SHORTEST_DEADLINE:
        raise times[0].refusal(f"SCHED_DEADLINE needs {attributes.SHORTEST_DEADLINE} nanoseconds at least")
    if deadline < runtime:
        raise times[1].refusal("it is shorter than the run time")
    if period and period < deadline:
        raise times[2].refusal("it is shorter than the deadline")
    return runtime, deadline, period


def _io_priority(field: Field) -> int | None:
    if not field.given:
        return None
    kind = field.member("class").choice(attributes.IOPRIO_CLASSES)
    level = field.member("priority").whole(0, attributes.IOPRIO_NR_LEVELS - 1, 0)
    return kind << attributes.IOPRIO_CLASS_SHIFT | level


def numbers(field: Field, end: int) -> tuple[int, ...] | None:
    """The numbers below ``end`` that a list like ``0-3,7`` names (cpuset(7), "List format"); None for an empty one."""
    said = field.text("", longest=1 << 16)
    bits = 0
    for part in said.split(","):
        first, dash, last = (each.strip(" ") for each in part.partition("-"))
        if not first and not dash:
            continue
        low, high = _number(first), _number(last if dash else first)
        if low is None or high is None:
            raise field.refusal("it is not a list of numbers and ranges such as 0-3,7")
        if high < low or high >= end:
            raise field.refusal("a range in it ends before it begins" if high < low else f"numbers end at {end - 1}")
        bits |= (1 << high + 1) - (1 << low)
    return tuple(number for number in range(bits.bit_length()) if bits >> number & 1) or None


def _number(said: str) -> int | None:
    return int(said) if said.isascii() and said.isdecimal() and len(said) <= 9 else None


def hooks(field: Field) -> dict[str, tuple[Hook, ...]]:
    """The hooks of each kind, in order; kinds without any are there too."""
    return {kind: tuple(_hook(each) for each in field.member(kind).each()) for kind in HOOKS}


def _hook(field: Field) -> Hook:
    field.required()
    path = field.member("path").path_text()
    variables = field.member("env")
    arguments = field.member("args").each(MOST_ARGUMENTS)
    return Hook(
        path,
        tuple(each.text(longest=attributes.MAX_ARG_STRLEN - 1) for each in arguments) or (path,),
        environment(variables) if variables.given else None,
        field.member("timeout").whole_if_given(1, 2**31 - 1),
    )
