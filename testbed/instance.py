# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of one testbed on this machine, and who owns it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed.shell import Failure, write_file

VARIABLE = "PYCONTAINERS_TESTBED"
MOST_CONTAINERS = 80
MOST_VMS = 9
MOST_DEBIANS = 9
_FIRST = {"alpine": 10, "vm": 100, "debian": 110}
"""What is added to a host's number in its address."""


@dataclass(frozen=True)
class Instance:
    """Every name that a testbed uses follows from its checkout and its own name (empty for the usual one)."""

    checkout: Path
    name: str

    @classmethod
    def from_environment(cls) -> Instance:
        """Return the instance that PYCONTAINERS_TESTBED names, in the checkout that this file is in."""
        name = os.environ.get(VARIABLE, "")
        if not re.fullmatch(r"[a-z0-9]{0,12}", name):
            raise Failure(f"{VARIABLE}={name!r} is not a name of at most 12 lower-case letters and digits")
        checkout = Path(__file__).resolve().parent.parent
        if re.search(r"[\s:,\\\"'%]", str(checkout)):
            raise Failure(f"overlayfs and ssh cannot name paths in {checkout}: use a checkout without such characters")
        return cls(checkout, name)

    @property
    def tag(self) -> str:
        """The name of the network namespace and the cgroups."""
        return f"pyc-testbed-{self.name}" if self.name else "pyc-testbed"

    @property
    def state(self) -> Path:
        """The directory with the hosts' disks, keys and the inventory."""
        return self.checkout / (f".hosts-{self.name}" if self.name else ".hosts")

    @property
    def network(self) -> str:
        """The first three numbers of all addresses; the network namespace is private, so a clash does no harm."""
        return f"10.213.{1 + zlib.crc32(self.name.encode()) % 254 if self.name else 0}"

    @property
    def gateway(self) -> str:
        """The bridge's own address."""
        return f"{self.network}.1"

    def container_names(self) -> list[str]:
        """Return the names that system containers can have, in the order of their addresses."""
        return [f"alpine{number}" for number in range(1, MOST_CONTAINERS + 1)]

    def vm_names(self) -> list[str]:
        """Return the names that virtual machines can have, in the order of their addresses."""
        return [f"vm{number}" for number in range(1, MOST_VMS + 1)]

    def debian_names(self) -> list[str]:
        """Return the names that system containers with Debian can have, in the order of their addresses."""
        return [f"debian{number}" for number in range(1, MOST_DEBIANS + 1)]

    def names(self) -> list[str]:
        """Return the names that hosts can have."""
        return self.container_names() + self.debian_names() + self.vm_names()

    def address(self, name: str) -> str:
        """Return a host's IPv4 address: alpine1 is .11, vm1 is .101, debian1 is .111."""
        kind = name.rstrip("0123456789")
        return f"{self.network}.{_FIRST[kind] + int(name.removeprefix(kind))}"

    def mac(self, name: str) -> str:
        """Return a host's MAC address, the same at each boot, so that nobody's ARP cache is wrong after a reboot."""
        return "02:d5:" + ":".join(f"{int(part):02x}" for part in self.address(name).split("."))


@dataclass
class Record:
    """What exists outside of the checkout; kept in /run, so that `down` works when the state directory is gone."""

    checkout: str
    cgroups: list[str]
    made_netns_directory: bool

    @property
    def tops(self) -> list[Path]:
        """The testbed's cgroup in each hierarchy."""
        return [Path(path) for path in self.cgroups]


def _path(instance: Instance) -> Path:
    return Path("/run") / f"{instance.tag}.json"


def read_record(instance: Instance) -> Record | None:
    """Return the record of the testbed that is up under this instance's name, whoever owns it."""
    try:
        return Record(**json.loads(_path(instance).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Failure(f"{_path(instance)} is not a testbed's record ({error}): remove it") from error


def up_record(instance: Instance) -> Record:
    """Return the record of this checkout's testbed; raise Failure when it is not up."""
    record = read_record(instance)
    if record is None or record.checkout != str(instance.checkout):
        raise Failure("the testbed is down: run `up` first")
    return record


def claim(instance: Instance, record: Record) -> None:
    """Record what is about to be made; raise Failure when another checkout was quicker."""
    aside = _path(instance).with_suffix(f".{os.getpid()}")
    write_file(aside, json.dumps(asdict(record), indent=1))
    try:
        # Unlike a rename, a link does not replace.
        os.link(aside, _path(instance))
    except FileExistsError as error:
        raise Failure("another testbed is being brought up at this moment: try again") from error
    finally:
        aside.unlink()


def remove_record(instance: Instance) -> None:
    """Forget the testbed, once nothing of it is left."""
    _path(instance).unlink(missing_ok=True)


def refuse_other_owner(instance: Instance) -> None:
    """Raise Failure when a checkout that still exists has its own testbed up under this name."""
    record = read_record(instance)
    if record and record.checkout != str(instance.checkout) and Path(record.checkout).is_dir():
        raise Failure(
            f"the checkout {record.checkout} has a testbed up on this machine: "
            f"take it down there, or give this one a name of its own with {VARIABLE}=NAME"
        )


@contextmanager
def lock(instance: Instance) -> Iterator[None]:
    """Let one `up` or `down` of this checkout run at a time; the others wait."""
    descriptor = os.open(instance.checkout / "testbed", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
