# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb exec: another program in a running container."""
from __future__ import annotations

import os

from ..errors import Failure, InvalidValue, failing
from ..kernel.process import process
from ..kernel.security import mask
from ..lean import socket
from ..oci import join
from ..oci.config import parse_process
from ..oci.config_process import Process
from ..oci.console_socket import connected
from ..oci.fields import LARGEST_ID, decode
from . import oci_console
from .oci_call import Call
from .oci_life import pass_on, wait


def execute(call: Call) -> int:
    """Run the program; returns its status, or 0 at once with --detach."""
    chosen = call.chosen
    if not chosen.words:
        raise Failure(chosen.operation, "it takes a container id and a command")
    identity, *words = chosen.words
    wanted = _given(call) if chosen.text("process") else _made(call, identity, tuple(words))
    path, detach = chosen.text("console-socket"), chosen.flag("detach")
    console, master = connected(path), None
    if wanted.terminal and not path and not detach:
        master, theirs = socket.socketpair()
        console = theirs.detach()
    label, profile = chosen.text("process-label"), chosen.text("apparmor")
    wanted = wanted._replace(
        selinux_label=label or wanted.selinux_label, apparmor_profile=profile or wanted.apparmor_profile
    )
    pid = join.execute(
        call.containers,
        identity,
        wanted,
        console=console,
        preserved=oci_console.preserved(chosen),
        pid_file=chosen.text("pid-file"),
        ignore_paused=chosen.flag("ignore-paused"),
    )
    if console >= 0:
        os.close(console)
    child = process(pid)
    if detach or child is None:
        return 0
    pass_on(child)
    return wait(child, master)


def _given(call: Call) -> Process:
    """The process object of a file, where --tty counts too."""
    path = call.chosen.text("process")
    with failing(f"read the process {path}"), open(path, "rb") as file:
        wanted, warnings = parse_process(decode(file.read()))
    for each in warnings:
        call.warn(each)
    return wanted._replace(terminal=True) if call.chosen.flag("tty") else wanted


def _made(call: Call, identity: str, words: tuple[str, ...]) -> Process:
    """The container's own process with what the options say."""
    chosen = call.chosen
    if not words:
        raise Failure(chosen.operation, "it takes a command, or --process")
    base = call.containers.config(call.containers.load(identity)).process
    if base is None:
        raise Failure(chosen.operation, "container not running")
    for each in chosen.texts("env"):
        if not each.partition("=")[0] or "=" not in each:
            raise InvalidValue("--env", each.partition("=")[0], "variables are NAME=value")
    try:
        capabilities = mask(chosen.texts("cap"))
    except ValueError as error:
        raise Failure(chosen.operation, error) from error
    return join.adapted(
        base,
        arguments=words,
        environment=tuple(chosen.texts("env")),
        cwd=chosen.text("cwd"),
        user=_user(chosen.text("user")),
        groups=tuple(_id("--additional-gids", each) for each in chosen.texts("additional-gids")),
        terminal=chosen.flag("tty"),
        capabilities=capabilities,
        no_new_privileges=chosen.flag("no-new-privs"),
    )


def _user(said: str) -> tuple[int, int] | None:
    """Numbers as UID[:GID]; names are not looked up here."""
    if not said:
        return None
    uid, _, gid = said.partition(":")
    return _id("--user", uid), _id("--user", gid) if gid else 0


def _id(option: str, said: str) -> int:
    if not said.isascii() or not said.isdecimal() or len(said) > 10 or int(said) > LARGEST_ID:
        raise InvalidValue(option, said[:60], f"it is not a number from 0 to {LARGEST_ID}")
    return int(said)
