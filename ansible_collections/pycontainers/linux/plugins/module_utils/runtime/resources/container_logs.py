# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers have written: where it goes, and where it is found."""
from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from itertools import chain

from ..core.layout import Layout
from ..errors import Failure, InvalidValue
from ..oci import lifecycle, loggers
from .container_model import Container
from .log_options import OF_DRIVERS, log

MOST_TOLD = 1 << 20
"""Bytes that a task is told of a log: how long a line is, is up to the container."""

NO_STAMPS = "s6-log, of the package s6, is missing on this host: its log is bounded, but lines have no time stamps"


def of(container: Container) -> loggers.Log:
    """Where what it says goes."""
    there = log(container.log_driver, container.log_options, container.name, container.id or "")
    return there._replace(stamped=not container.watched)


def check_options(container: Container) -> None:
    """Refuse a driver that has no place for the output, and options that mean nothing to it."""
    driver = container.log_driver or loggers.FILE
    for name, said in container.log_options or ():
        if name not in OF_DRIVERS[driver]:
            known = ", ".join(OF_DRIVERS[driver]) or "none"
            reason = f"it means nothing to the log driver {driver}, whose options are: {known}"
            raise InvalidValue("log_options", {name: said}, reason, "leave it out")
    if container.tty and driver != loggers.FILE:
        reason = "what a terminal shows is kept in files, which those who attach to it follow"
        raise InvalidValue("log_driver", driver, reason, "leave out tty, or log_driver")
    place = {loggers.SYSLOG: loggers.SYSLOG_SOCKET, loggers.JOURNALD: loggers.JOURNAL_SOCKET}.get(driver, "/")
    if container.state == "started" and not os.path.exists(place):
        daemon = "syslog daemon" if driver == loggers.SYSLOG else "systemd-journald"
        raise InvalidValue("log_driver", driver, f"there is no {place} on this host", f"start a {daemon}")
    if container.state == "started" and driver == loggers.SYSLOG and loggers.find("logger") is None:
        reason = "there is no program logger on this host"
        raise InvalidValue("log_driver", driver, reason, "install bsdutils (Debian) or busybox")


def check_kept(container: Container, operation: str) -> None:
    """Refuse to read a log that is not kept here. Raises :class:`Failure`."""
    there = of(container)
    where = {
        loggers.SYSLOG: f"go to the host's syslog, with the tag {there.tag}",
        loggers.JOURNALD: f"go to the host's journal, with the identifier {there.tag}",
        loggers.NONE: "are kept nowhere",
    }
    if there.driver in where:
        reason = f"its log driver is {there.driver}, so its lines {where[there.driver]}"
        fix = {loggers.JOURNALD: f"look with journalctl -t {there.tag}", loggers.SYSLOG: "look there"}
        raise Failure(f"{operation} container {container.name}", reason, fix.get(there.driver, ""))


def lacks_stamps(container: Container) -> bool:
    """Whether the lines of one that runs ought to have time stamps, and have none."""
    file = (container.log_driver or loggers.FILE) == loggers.FILE
    return file and not container.tty and container.state == "started" and loggers.find("s6-log") is None


def tail(layout: Layout, identity: str, count: int) -> str:
    """The last lines of a container's log; of longer ones than a task can use, the end."""
    from ..oci import log_files

    return log_files.tail(lifecycle.log_folder(layout, identity), count, MOST_TOLD).decode(errors="replace")


def place(layout: Layout, identity: str) -> dict[tuple[int, int], int]:
    """Where a container's log ends now, for :func:`since`."""
    from ..oci.log_files import LogFiles

    with closing(LogFiles(lifecycle.log_folder(layout, identity))) as files:
        files.to_end()
        return files.place()


def since(layout: Layout, identity: str, before: Mapping[tuple[int, int], int]) -> str:
    """What a container that has ended has said since its log ended there; of more than a task can use, the end."""
    from ..oci.log_files import LogFiles

    with closing(LogFiles(lifecycle.log_folder(layout, identity))) as files:
        files.go_to(before)
        pieces, size = deque[bytes](), 0
        for each in chain(files.read(), files.flush()):
            pieces.append(each.text)
            size += len(each.text)
            while size - len(pieces[0]) >= MOST_TOLD:
                size -= len(pieces.popleft())
    return b"".join(pieces)[-MOST_TOLD:].decode(errors="replace")
