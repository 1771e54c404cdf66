# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse, record
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.attachments import Attachment
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_kinds import TMPFS
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_mounts import (
    VOLUMES,
    Volume,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import Port


def said(**options: Any) -> Container:
    """A container as a playbook says it."""
    return parse(Container, {"name": "web", **options})


@pytest.mark.parametrize(
    ("option", "value", "normal"),
    [
        ("command", "nginx -g 'daemon off;'", ("nginx", "-g", "daemon off;")),
        ("command", ["nginx", "-g", "daemon off;"], ("nginx", "-g", "daemon off;")),
        ("command", [5, "a b", ""], ("5", "a b", "")),
        ("command", "", ()),
        ("command", [], ()),
        ("command", 'a "b # c" d', ("a", "b # c", "d")),
        ("entrypoint", ["/bin/sh", "-c"], ("/bin/sh", "-c")),
        ("entrypoint", "/bin/sh -c", ("/bin/sh", "-c")),
        ("env", {"B": "2", "A": "1"}, (("A", "1"), ("B", "2"))),
        ("env", {"A": "x=y z"}, (("A", "x=y z"),)),
        ("env", {}, ()),
        ("volumes", ["/srv/a/:/in/a"], (Volume("/in/a", "/srv/a"),)),
        ("volumes", ["/b:/y:ro", "/a:/x:rw"], (Volume("/x", "/a"), Volume("/y", "/b", readonly=True))),
        ("volumes", ["/b:/x/y", "/a:/x"], (Volume("/x", "/a"), Volume("/x/y", "/b"))),
        ("volumes", ["/a:/x", "/a:/y"], (Volume("/x", "/a"), Volume("/y", "/a"))),
        ("volumes", ["a:/x:z,nocopy", "/y"], (Volume("/x", "a", nocopy=True), Volume("/y"))),
        ("volumes", ["/y:ro", "/a:/x:Z,rprivate,ro"], (Volume("/x", "/a", readonly=True), Volume("/y", readonly=True))),
        ("volumes", ["/a:/x:rshared"], (Volume("/x", "/a", propagation="rshared"),)),
        ("networks", ["front", {"name": "back"}], (Attachment("front"), Attachment("back"))),
        ("networks", [{"name": "front", "aliases": None}], (Attachment("front"),)),
        (
            "networks",
            [{"name": "a", "ipv4_address": "10.0.0.5", "ipv6_address": "FD::5", "mac_address": "02-42-AC-11-00-02"}],
            (Attachment("a", "10.0.0.5", "fd::5", "02:42:ac:11:00:02"),),
        ),
        ("networks", [{"name": "a", "aliases": ["b", "c.d", "b"]}], (Attachment("a", aliases=("b", "c.d")),)),
        ("networks", [], ()),
        ("published_ports", ["8080:80"], (Port("tcp", "", 8080, 80),)),
        ("published_ports", ["127.0.0.1:53:53/udp"], (Port("udp", "127.0.0.1", 53, 53),)),
        ("restart_policy", "on-failure", "on-failure"),
        ("restart_retries", "3", 3),
        ("stop_timeout", 0, 0),
        ("state", "stopped", "stopped"),
    ],
)
def test_options_have_one_normal_form(option: str, value: Any, normal: Any) -> None:
    """Each way to say an option gives the same value, and its record is read as the same."""
    container = said(**{option: value})
    assert getattr(container, option) == normal
    assert parse(Container, record(container)) == container


@pytest.mark.parametrize(
    ("mount", "volumes", "tmpfs"),
    [
        ({"type": "bind", "source": "/a/", "target": "/x", "read_only": True}, ["/a:/x:ro"], []),
        ({"type": "bind", "source": "/a", "target": "/x", "propagation": "rslave"}, ["/a:/x:rslave"], []),
        ({"source": "a", "target": "/x/", "no_copy": True, "labels": {"a": "b"}}, ["a:/x:nocopy"], []),
        ({"target": "/x"}, ["/x"], []),
        ({"type": "tmpfs", "target": "/x", "tmpfs_mode": "700", "tmpfs_size": "1k"}, [], ["/x:size=1024,mode=700"]),
    ],
)
def test_mounts_are_another_spelling(mount: dict[str, Any], volumes: list[str], tmpfs: list[str]) -> None:
    """What ``mounts`` says is the same value that ``volumes`` and ``tmpfs`` make of their words."""
    assert said(mounts=[mount]).mounts == (*VOLUMES.parse(volumes), *TMPFS.parse(tmpfs))


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("command", "nginx -g 'daemon", "its quotes do not close (No closing quotation)"),
        ("command", {"a": 1}, "it is not a list"),
        ("command", [["a"]], "it is not text"),
        ("command", [True], "it is not text"),
        ("command", "a\0b", "it contains a NUL byte"),
        ("env", ["A=1"], "it is not a dictionary"),
        ("env", {"DEBUG": True}, "the value of DEBUG is not text: quote it"),
        ("env", {"PORT": 80}, "the value of PORT is not text: quote it"),
        ("env", {"RATIO": 0.5}, "the value of RATIO is not text: quote it"),
        ("env", {"A": None}, "the value of A is not text: quote it"),
        ("env", {"A": ["1"]}, "the value of A is not text: quote it"),
        ("env", {"": "1"}, "'' is not a variable name"),
        ("env", {"A=B": "1"}, "'A=B' is not a variable name"),
        ("env", {5: "1"}, "5 is not a variable name"),
        ("env", {"A": "1\0"}, "it contains a NUL byte"),
        ("volumes", "/a:/b", "it is not a list"),
        ("volumes", ["a"], "it is not an absolute path"),
        ("volumes", ["/a:/b:ro:z"], "is not of the form"),
        ("volumes", ["./a:/b"], "'./a' is neither an absolute path nor the name of a volume"),
        ("volumes", [":/b"], "'' is neither an absolute path nor the name of a volume"),
        ("volumes", ["-a:/b"], "a name starts with a letter or digit"),
        ("volumes", ["a:b"], "it is not an absolute path"),
        ("volumes", ["/a:b"], "the mode 'b' is unknown"),
        ("volumes", ["/a:/b:x"], "the mode 'x' is unknown; modes are ro, rw, nocopy, private"),
        ("volumes", ["/a:/b:nocopy"], "nocopy is for volumes: nothing is copied to /a"),
        ("volumes", ["a:/b:rslave"], "rslave is for paths of the host"),
        ("mounts", [{"target": "/a"}, {"target": "/a/"}], "two mounts have the target /a"),
        ("mounts", [{"source": "a"}], "a mount has no target"),
        ("mounts", [{"target": "/a", "type": "npipe"}], "'npipe' is no type of a mount"),
        ("mounts", [{"target": "/a", "type": "bind", "source": "a"}], "'a' is no source of the type bind"),
        ("mounts", [{"target": "/a", "source": "/a"}], "'/a' is no source of the type volume"),
        ("mounts", [{"target": "/a", "tmpfs_size": "1m"}], "tmpfs_size is for the type tmpfs, and not for volume"),
        ("mounts", [{"target": "/a", "type": "tmpfs", "source": "a"}], "of the type tmpfs has no source"),
        ("mounts", [{"target": "/a", "what": 1}], "'what' is not known of a mount"),
        ("mounts", [{"target": "/a", "type": "bind", "source": "/a", "propagation": "x"}], "propagation 'x' is unk"),
        ("volumes", ["/a:/b:"], "the mode '' is unknown"),
        ("volumes", ["/a:/"], "a volume can't take the place of the container's root"),
        ("volumes", ["/a:/b/../.."], "'..' is not allowed"),
        ("volumes", ["/a:/x", "/b:/x/"], "two volumes have the target /x"),
        ("networks", "front", "it is not a list"),
        ("networks", ["front", {"name": "front"}], "a network is named twice"),
        ("networks", [{"name": "front", "links": ["a"]}], "'links' is not known of a network"),
        ("networks", [{}], "a network has no name"),
        ("networks", [{"name": "a", "ipv4_address": "fd00::5"}], "it is not an address of IPv4"),
        ("networks", [{"name": "a", "ipv6_address": "10.0.0.5"}], "it is not an address of IPv6"),
        ("networks", [{"name": "a", "ipv6_address": "::ffff:10.0.0.5"}], "stands for an IPv4 address: write that"),
        ("networks", [{"name": "a", "mac_address": "03:42:ac:11:00:02"}], "that one interface can have"),
        ("networks", [{"name": "a", "mac_address": "02:42:ac:11:00"}], "is no MAC address such as"),
        ("networks", [{"name": "a", "aliases": ["a b"]}], "is not a name of letters"),
        (
            "networks",
            [{"name": "a", "ipv4_address": "10.0.0.5"}, {"name": "b", "ipv4_address": "10.0.0.5"}],
            "ipv4_address is named twice: 10.0.0.5",
        ),
        ("networks", ["../x"], "a name starts with"),
        ("published_ports", ["127.0.0.1:80"], "'127.0.0.1' in '127.0.0.1:80' is neither a port nor a range"),
        ("restart_policy", "sometimes", "it is not one of no, on-failure, always, unless-stopped"),
        ("restart_policy", True, "it is not text"),
        ("restart_retries", -1, "it is below zero"),
        ("stop_timeout", 1.5, "it is not a whole number"),
        ("state", "running", "it is not one of absent, healthy, present, started, stopped"),
        ("pull", "often", "it is not one of always, missing, never"),
        ("image", "nginx:", "the tag ''"),
    ],
)
def test_what_can_not_be_is_refused(option: str, value: Any, reason: str) -> None:
    """A value that can't be is refused by its option's name, before anything is touched."""
    with pytest.raises(InvalidValue) as caught:
        said(**{option: value})
    assert caught.value.option == option
    assert reason in str(caught.value)


def test_a_container_is_started_unless_said_otherwise() -> None:
    """What is declared runs; all else that is left out is not managed."""
    left_out = {key for key, value in vars(said()).items() if value is None}
    assert said().state == "started"
    assert {"memory", "command", "env", "networks", "published_ports", "restart_policy", "image"} <= left_out


def test_requests_are_not_kept() -> None:
    """Whether to pull, and whether to make the container anew, are no properties of it."""
    assert {"pull", "recreate"}.isdisjoint(record(said(pull="always", recreate=True)))
