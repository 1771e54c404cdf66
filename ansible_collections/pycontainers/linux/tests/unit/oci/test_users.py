# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.users import LARGEST_FILE, User, user

PASSWD = """\
# a remark: nobody:x:1:1::/:
root:x:0:0:root:/root:/bin/sh

broken:x:5
web:x:1000:1001:Web Server:/srv/web:/bin/sh
web:x:2000:2000:a second one:/nowhere:/bin/sh
homeless:x:1002:1002:::/bin/sh
lost:x:many:0::/:/bin/sh
4711:x:1003:1003:named like a number:/srv/n:/bin/sh
"""
GROUP = """\
root:x:0:
web:x:1001:web
logs:x:7:web,root
broken:x
wide:x:9:other,web
nogid:x::web
"""


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A root filesystem with users and groups, some of whose lines are broken."""
    root = tmp_path / "rootfs"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    return root


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", User(0, 0, (7,), "/root")),
        ("root", User(0, 0, (7,), "/root")),
        ("0", User(0, 0, (7,), "/root")),
        ("web", User(1000, 1001, (7, 9), "/srv/web")),
        ("1000", User(1000, 1001, (7, 9), "/srv/web")),
        ("web:logs", User(1000, 7, (), "/srv/web")),
        ("web:7", User(1000, 7, (), "/srv/web")),
        ("web:4242", User(1000, 4242, (), "/srv/web")),
        ("web:", User(1000, 1001, (7, 9), "/srv/web")),
        ("homeless", User(1002, 1002, (), "/")),
        ("4242", User(4242, 0, (), "/")),
        ("4242:5", User(4242, 5, (), "/")),
        ("4711", User(4711, 0, (), "/")),
        (":logs", User(0, 7, (), "/root")),
        (str(2**32 - 2), User(2**32 - 2, 0, (), "/")),
    ],
)
def test_users_are_those_of_the_image(rootfs: Path, wanted: str, found: User) -> None:
    """A name means the image's first user of it, a number always itself; groups come with the name, or as asked."""
    assert user(str(rootfs), wanted) == found


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("nobody", "cannot run as user nobody: the image's /etc/passwd has no such user; give a number"),
        ("broken", "cannot run as user broken: the image's /etc/passwd has no such user"),
        ("web:nobody", "cannot run as group nobody: the image's /etc/group has no such group"),
        ("lost", "cannot run as user lost: the image's /etc/passwd has no such user"),
        ("-1", "cannot run as user -1: the image's /etc/passwd has no such user"),
        ("٣", "cannot run as user ٣: the image's /etc/passwd has no such user"),
        ("4294967295", "cannot run as 4294967295: ids end at 4294967294"),
        ("99999999999", "cannot run as 99999999999: ids end at 4294967294"),
        ("web:4294967295", "cannot run as 4294967295: ids end at 4294967294"),
    ],
)
def test_users_that_are_not_there_are_named(rootfs: Path, wanted: str, sentence: str) -> None:
    """A name that the image does not have, or a number that is none to the kernel, is refused."""
    with pytest.raises(Failure) as caught:
        user(str(rootfs), wanted)
    assert str(caught.value).startswith(sentence)


def test_an_image_needs_no_users(tmp_path: Path) -> None:
    """Without the files, or without a line for it, root is root and a number is a number."""
    assert user(str(tmp_path), "") == User(0, 0, (), "/")
    assert user(str(tmp_path), "33:44") == User(33, 44, (), "/")
    with pytest.raises(Failure, match="cannot run as user web"):
        user(str(tmp_path), "web")


def test_a_fifo_holds_nobody_up(rootfs: Path) -> None:
    """A FIFO in place of a file is no list of users or groups, and is not waited for."""
    for name in ("passwd", "group"):
        (rootfs / "etc" / name).unlink()
        os.mkfifo(rootfs / "etc" / name)
    assert user(str(rootfs), "1000") == User(1000, 0, (), "/")
    with pytest.raises(Failure, match="no such user"):
        user(str(rootfs), "web")


def test_a_folder_is_no_list(rootfs: Path) -> None:
    """A folder in place of a file is no list of users or groups."""
    for name in ("passwd", "group"):
        (rootfs / "etc" / name).unlink()
        (rootfs / "etc" / name).mkdir()
    assert user(str(rootfs), "1000") == User(1000, 0, (), "/")
    with pytest.raises(Failure, match="no such user"):
        user(str(rootfs), "web")


def test_only_the_wanted_users_numbers_count(rootfs: Path) -> None:
    """A number that is none to the kernel does harm to the user who has it, and to no other."""
    impossible = "huge:x:99999999999:99999999999::/:/bin/sh\n"
    (rootfs / "etc/passwd").write_text(impossible + PASSWD)
    (rootfs / "etc/group").write_text(f"huge:x:99999999999:\n{GROUP}")
    assert user(str(rootfs), "web:logs") == User(1000, 7, (), "/srv/web")
    assert user(str(rootfs), "4242") == User(4242, 0, (), "/")
    with pytest.raises(Failure, match="99999999999"):
        user(str(rootfs), "huge")


@pytest.mark.parametrize(
    "link", ["/lib/passwd", "../lib/passwd", "../../../../../../../../lib/passwd", "/lib/../../../lib/passwd"]
)
def test_links_lead_into_the_image(rootfs: Path, link: str) -> None:
    """A symbolic link is followed inside the image's root, wherever it points."""
    (rootfs / "lib").mkdir()
    (rootfs / "etc/passwd").rename(rootfs / "lib/passwd")
    (rootfs / "etc/passwd").symlink_to(link)
    assert user(str(rootfs), "web").uid == 1000


def test_links_do_not_lead_out_of_the_image(rootfs: Path, tmp_path: Path) -> None:
    """The host's users are not the image's, whatever link leads to them."""
    outside = tmp_path / "passwd"
    outside.write_text("admin:x:1234:1234::/:/bin/sh\n")
    for link in (str(outside), "../../passwd", "/proc/self/root/etc/passwd", f"/proc/{os.getpid()}/root{outside}"):
        (rootfs / "etc/passwd").unlink(missing_ok=True)
        (rootfs / "etc/passwd").symlink_to(link)
        with pytest.raises(Failure, match="no such user"):
            user(str(rootfs), "admin")


def test_a_folder_that_is_a_link_is_the_images_own(rootfs: Path) -> None:
    """Also the folder above is looked up inside the image."""
    (rootfs / "etc").rename(rootfs / "settings")
    (rootfs / "etc").symlink_to("/settings")
    assert user(str(rootfs), "web").uid == 1000


def test_files_that_never_end_are_read_in_part(rootfs: Path) -> None:
    """Of a file of any size only the beginning counts, and bytes that are no text do no harm."""
    (rootfs / "etc/passwd").write_bytes(b"\xff\xfe:x\n" + PASSWD.encode() + b"#" * LARGEST_FILE + b"\nlate:x:3:3::/:\n")
    assert user(str(rootfs), "web").uid == 1000
    with pytest.raises(Failure, match="no such user"):
        user(str(rootfs), "late")
