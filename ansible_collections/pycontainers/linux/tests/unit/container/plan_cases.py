# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container is and is to be, and the lines of the plan between: a table that several tests read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import UNLIMITED
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.healthcheck import Healthcheck
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.attachments import Attachment
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_target import Target
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image import Image
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import parse_ports
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.service import InstallRuntime

LAYOUT = Layout("/nowhere/root", "/nowhere/run")
OLD, NEW = "0a" * 32, "1b" * 32
IMAGE_ID, OTHER_IMAGE = f"sha256:{'2c' * 32}", f"sha256:{'3d' * 32}"
NGINX = "docker.io/library/nginx:latest"
MIB = 2**20
INSTALL = InstallRuntime(LAYOUT, "4e4e", "")

WELL: dict[str, Any] = {
    "name": "web",
    "image": parse_reference("nginx"),
    "image_id": IMAGE_ID,
    "memory": 512 * MIB,
    "networks": (Attachment("front"), Attachment("back")),
    "published_ports": parse_ports(["8080:80"]),
    "restart_policy": "always",
    "created": "2025-01-01T00:00:00Z",
}
"""A container as a playbook has declared it and a host has filled it in."""

READINGS: dict[str, Any] = {
    "cpus": UNLIMITED,
    "pids_limit": UNLIMITED,
    "attached": ("front", "back"),
    "held": (("front", ("10.0.0.2",)), ("back", ("10.1.0.2",))),
}
"""What the kernel says of it besides, while it runs and all is well."""


class Case(NamedTuple):
    """What is wanted, what is there, and what is done about it."""

    want: Target
    have: Container | None
    lines: list[str]


def kept(**options: Any) -> Container:
    """The container as its record has it."""
    return Container(**{**WELL, "id": OLD, **options})


def started(**options: Any) -> Container:
    """The container as it is observed while it runs."""
    return replace(kept(), state="started", **{**READINGS, **options})


def stopped(**options: Any) -> Container:
    """The container as it is observed while it does not run: limits and ports are those of its record."""
    return replace(kept(), state="stopped", held=READINGS["held"], **options)


def want(state: str = "started", **options: Any) -> Target:
    """What resolve makes of a playbook for the container that is there: its record with something else in it."""
    attached = READINGS["attached"] if state == "started" else None
    return Target(**{**WELL, "id": OLD, "kept": kept(), "state": state, "attached": attached, **options})


def renewed(state: str = "started", **options: Any) -> Target:
    """What resolve makes of a playbook for a container that is yet to be made: with a new id."""
    return Target(**{**WELL, "id": NEW, "state": state, **options})


def record(identity: str = OLD) -> str:
    """The line of a record that is written."""
    return f"write record of container web /nowhere/root/containers/{identity}/container.json"


def made(identity: str) -> list[str]:
    """What gives a container all it needs to start."""
    return [
        f"make cgroup pycontainers/{identity}",
        f"set memory to {512 * MIB} on cgroup pycontainers/{identity}",
        f"mount root filesystem of web ({identity[:12]}) from {NGINX}",
        f"create network namespace /nowhere/run/netns/{identity}",
        "lease an address on network front",
        "connect to network front",
        "configure interface on network front",
        "lease an address on network back",
        "connect to network back",
        "configure interface on network back",
        f"write bundle of container web ({identity[:12]})",
    ]


def run(identity: str) -> list[str]:
    """What starts it then."""
    return ["publish 8080:80", f"start container web ({identity[:12]})"]


HALT = [f"stop container web ({OLD[:12]})", "unpublish 8080:80"]
DISMANTLE = [
    "disconnect from network back",
    "disconnect from network front",
    f"remove network namespace /nowhere/run/netns/{OLD}",
    f"unmount root filesystem of web ({OLD[:12]})",
    f"remove cgroup pycontainers/{OLD}",
]
FORGET = ["release 10.0.0.2 on network front", "release 10.1.0.2 on network back", f"remove container web ({OLD[:12]})"]
MAKE = f"make container web ({NEW[:12]})"
NAME = f"give the name web to container {NEW[:12]}"
REMOTE = Image(name=parse_reference("nginx"), id=OTHER_IMAGE, manifest_digest=f"sha256:{'4e' * 32}")
PULL = f"pull image {NGINX} (sha256:4e4e4e4e4e4e)"
TAKE_NAME = "take the name web away"
ADD_BACK = made(OLD)[7:10]
LEAVE_FRONT = ["disconnect from network front", "release 10.0.0.2 on network front"]

ROOM = f"see room on the disk to go back to container web ({OLD[:12]})"
SEEN = f"see container web ({NEW[:12]}) run for 0.5 s"
AWAITED = "wait until container web ({}) is healthy, at most 300 s"
CHECKED = f"check the health of container web ({OLD[:12]}) as declared"
CHECK = Healthcheck(("CMD", "true"))
WATCHED: dict[str, Any] = {"healthcheck": CHECK, "checker": "there", "health": "healthy"}

WATCHED_ONE = want(**WATCHED, kept=kept(healthcheck=CHECK))

REPLACEMENT = [MAKE, *made(NEW), ROOM, *HALT, *run(NEW), SEEN, NAME, *DISMANTLE, *FORGET]
"""All that can be is made beside the old container before that stops; it goes only once the new one runs."""

CASES = {
    "create and start": Case(renewed(), None, [MAKE, *made(NEW), *run(NEW), NAME]),
    "create on a host without the runtime": Case(
        renewed(install=(INSTALL,)),
        None,
        ["install runtime 4e4e in /nowhere/root/runtime", MAKE, *made(NEW), *run(NEW), NAME],
    ),
    "create from an image that is yet to be pulled": Case(
        renewed("stopped", fetch=(REMOTE, None)), None, [PULL, MAKE, NAME]
    ),
    "another image, yet to be pulled": Case(
        renewed("stopped", image_id=OTHER_IMAGE, fetch=(REMOTE, None)), stopped(), [PULL, MAKE, NAME, *FORGET]
    ),
    "create without starting": Case(renewed("stopped"), None, [MAKE, NAME]),
    "create after a run that was killed": Case(
        renewed("stopped", leftovers=("5f" * 32, "6a" * 32)),
        None,
        ["remove unfinished container 5f5f5f5f5f5f", "remove unfinished container 6a6a6a6a6a6a", MAKE, NAME],
    ),
    "create bare": Case(
        renewed(networks=None, published_ports=None, memory=None),
        None,
        [MAKE, made(NEW)[0], *made(NEW)[2:4], made(NEW)[-1], f"start container web ({NEW[:12]})", NAME],
    ),
    "running and right": Case(want(), started(), []),
    "stopped and right": Case(want("stopped"), stopped(), []),
    "start": Case(want(), stopped(), [*made(OLD), *run(OLD)]),
    "start with the runtime's installation": Case(
        want(install=(INSTALL,)), stopped(), ["install runtime 4e4e in /nowhere/root/runtime", *made(OLD), *run(OLD)]
    ),
    "start with another memory limit": Case(
        want(memory=64 * MIB),
        stopped(),
        [record(), made(OLD)[0], f"set memory to {64 * MIB} on cgroup pycontainers/{OLD}", *made(OLD)[2:], *run(OLD)],
    ),
    "start after a stop that was killed": Case(
        want(remains=None),
        stopped(remains=("cgroup", "published ports")),
        ["unpublish 8080:80", *DISMANTLE, *made(OLD), *run(OLD)],
    ),
    "stopped, and a stop that was killed": Case(
        want("stopped", remains=()), stopped(remains=("root filesystem",)), DISMANTLE
    ),
    "stop": Case(want("stopped"), started(), [*HALT, *DISMANTLE]),
    "stop with another restart policy": Case(
        want("stopped", restart_policy="no"), started(), [*HALT, *DISMANTLE, record()]
    ),
    "memory of a running one": Case(
        want(memory=256 * MIB),
        started(),
        [f"set memory to {256 * MIB} (was {512 * MIB}) on cgroup pycontainers/{OLD}", record()],
    ),
    "memory of a running one, no limit any more": Case(
        want(memory=UNLIMITED),
        started(),
        [f"set memory to max (was {512 * MIB}) on cgroup pycontainers/{OLD}", record()],
    ),
    "memory of a stopped one": Case(want("stopped", memory=256 * MIB), stopped(), [record()]),
    "memory changed by another program": Case(
        want(), started(memory=MIB), [f"set memory to {512 * MIB} (was {MIB}) on cgroup pycontainers/{OLD}"]
    ),
    "processors limited for the first time": Case(
        want(cpus=1_500_000_000), started(), [f"set cpus to 1.5 (was max) on cgroup pycontainers/{OLD}", record()]
    ),
    "restart policy": Case(want(restart_policy="no"), started(), [record()]),
    "restart policy of a stopped one": Case(want("stopped", restart_policy="no"), stopped(), [record()]),
    "another port": Case(
        want(published_ports=parse_ports(["8081:80"])), started(), ["publish 8081:80, unpublish 8080:80", record()]
    ),
    "no port any more": Case(want(published_ports=()), started(), ["unpublish 8080:80", record()]),
    "ports lost from the firewall": Case(want(), started(published_ports=()), ["publish 8080:80"]),
    "a link lost": Case(
        want(), started(attached=("front",)), [*ADD_BACK, "write names of containers on front, back"]
    ),
    "one network less": Case(
        want(networks=WELL["networks"][1:], attached=("back",)),
        started(),
        [
            "unpublish 8080:80",
            *LEAVE_FRONT,
            "lead out by the first of back",
            "publish 8080:80",
            record(),
            "write names of containers on back, front",
        ],
    ),
    "one network more": Case(
        want(networks=(*WELL["networks"], Attachment("third")), attached=("front", "back", "third")),
        started(),
        [
            "unpublish 8080:80",
            "lead out by the first of front, back, third",
            "lease an address on network third",
            "connect to network third",
            "configure interface on network third",
            "publish 8080:80",
            record(),
            "write names of containers on front, back, third",
        ],
    ),
    "an address that it has": Case(
        want(networks=(Attachment("front", "10.0.0.2"), Attachment("back"))), started(), [record()]
    ),
    "a name on one network": Case(
        want(networks=(Attachment("front", aliases=("www",)), Attachment("back"))),
        started(),
        [record(), "write names of containers on front, back"],
    ),
    "another address": Case(
        want(networks=(Attachment("front", "10.0.0.9"), Attachment("back"))),
        started(),
        [
            "unpublish 8080:80",
            "disconnect from network front",
            "lease 10.0.0.9 on network front",
            *made(OLD)[5:7],
            "publish 8080:80",
            record(),
            "write names of containers on front, back",
        ],
    ),
    "another MAC address": Case(
        want(networks=(Attachment("front"), Attachment("back", mac_address="02:00:00:00:00:01"))),
        started(),
        [
            "unpublish 8080:80",
            "disconnect from network back",
            *ADD_BACK,
            "publish 8080:80",
            record(),
            "write names of containers on front, back",
        ],
    ),
    "a network that a killed run has left": Case(
        want(),
        started(attached=("front", "back", "third"), held=(*READINGS["held"], ("third", ("10.2.0.2",)))),
        [
            "unpublish 8080:80",
            "disconnect from network third",
            "release 10.2.0.2 on network third",
            "publish 8080:80",
            "write names of containers on front, back, third",
        ],
    ),
    "one network less of a stopped one": Case(
        want("stopped", networks=WELL["networks"][1:]), stopped(), [LEAVE_FRONT[1], record()]
    ),
    "made anew with the address that the old one has": Case(
        renewed(networks=(Attachment("front", "10.0.0.2"), Attachment("back")), recreate=True),
        started(),
        [
            MAKE,
            *made(NEW)[:3],
            made(NEW)[-1],
            ROOM,
            *HALT,
            "disconnect from network front",
            "disconnect from network back",
            *FORGET[:2],
            made(NEW)[3],
            "lease 10.0.0.2 on network front",
            *made(NEW)[5:],
            *run(NEW),
            SEEN,
            NAME,
            *DISMANTLE,
            *FORGET,
        ],
    ),
    "another image": Case(renewed(image_id=OTHER_IMAGE), started(), REPLACEMENT),
    "another command": Case(renewed(command=("sleep", "5")), started(), REPLACEMENT),
    "asked to be made anew": Case(renewed(recreate=True), started(), REPLACEMENT),
    "asked to be restarted": Case(want(restart=True), started(), [*HALT, *DISMANTLE, *made(OLD), *run(OLD)]),
    "asked to be restarted, as healthy as it is": Case(
        replace(WATCHED_ONE, restart=True),
        replace(started(), **WATCHED),
        [*HALT, *DISMANTLE, *made(OLD), *run(OLD)],
    ),
    "asked to be restarted, with a live change": Case(
        want(restart=True, restart_policy="no"), started(), [*HALT, *DISMANTLE, record(), *made(OLD), *run(OLD)]
    ),
    "asked to be restarted, and stopped": Case(want("stopped", restart=True), started(), [*HALT, *DISMANTLE]),
    "asked to be restarted while it is stopped": Case(want(restart=True), stopped(), [*made(OLD), *run(OLD)]),
    "another image of a stopped one": Case(renewed("stopped", image_id=OTHER_IMAGE), stopped(), [MAKE, NAME, *FORGET]),
    "another image, and started": Case(
        renewed(image_id=OTHER_IMAGE), stopped(), [MAKE, *made(NEW), *run(NEW), SEEN, NAME, *FORGET]
    ),
    "create and wait": Case(
        renewed(health="healthy", awaited=True), None, [MAKE, *made(NEW), *run(NEW), NAME, AWAITED.format(NEW[:12])]
    ),
    "another command, and wait": Case(
        renewed(command=("sleep", "5"), health="healthy", awaited=True),
        started(),
        [AWAITED.format(NEW[:12]) if line == SEEN else line for line in REPLACEMENT],
    ),
    "start and wait for ever": Case(
        want(health="healthy", awaited=True, healthy_wait_timeout=0.0),
        stopped(),
        [*made(OLD), *run(OLD), AWAITED.format(OLD[:12]).removesuffix(", at most 300 s")],
    ),
    "healthy already": Case(WATCHED_ONE, replace(started(), **WATCHED), []),
    "wait for a running one": Case(
        replace(WATCHED_ONE, awaited=True),
        replace(started(), **{**WATCHED, "health": "starting"}),
        [AWAITED.format(OLD[:12])],
    ),
    "a checker lost": Case(WATCHED_ONE, replace(started(), **{**WATCHED, "checker": "lost"}), [CHECKED]),
    "a check for the first time": Case(want(healthcheck=CHECK), started(), [CHECKED, record()]),
    "another image, and stopped": Case(
        renewed("stopped", image_id=OTHER_IMAGE), started(), [MAKE, ROOM, *HALT, NAME, *DISMANTLE, *FORGET]
    ),
    "remove a running one": Case(
        Target(name="web", state="absent", id=OLD), started(), [*HALT, *DISMANTLE, TAKE_NAME, *FORGET]
    ),
    "remove a stopped one": Case(Target(name="web", state="absent", id=OLD), stopped(), [TAKE_NAME, *FORGET]),
    "remove what is not there": Case(Target(name="web", state="absent"), None, []),
    "remove after a run that was killed": Case(
        Target(name="web", state="absent", leftovers=("5f" * 32,)), None, ["remove unfinished container 5f5f5f5f5f5f"]
    ),
}
