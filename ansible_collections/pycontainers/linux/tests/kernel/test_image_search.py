# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What registries are asked for: a real one with a catalog and tags, and one that speaks as Docker Hub's index does."""
from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.main import main
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import model
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import search
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_search import (
    IMAGE_SEARCH,
    ImageSearch,
)
from ansible_collections.pycontainers.linux.tests.kernel.flaky import Flaky, flaky
from testbed.registry import Server

RESULTS = [
    {
        "name": "nginx",
        "description": "Official build of Nginx, which is one of the web servers.\n\x1b[31mRed",
        "is_official": True,
        "is_automated": False,
        "star_count": 20412,
    },
    {"name": "bitnami/nginx", "description": None, "is_official": False, "is_automated": True, "star_count": 204},
    {"name": "ubuntu/nginx", "description": "Nginx.", "is_official": False, "is_automated": False, "star_count": 12},
]
"""Answers of the index, as Docker's client reads them."""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Know no logins, and no proxies."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")


def ask(layout: Layout, **question: Any) -> dict[str, Any]:
    """Ask as a task does, in check mode and without; there is never anything to do."""
    outcomes = [converge(IMAGE_SEARCH, layout, model.parse(ImageSearch, question), check) for check in (True, False)]
    assert outcomes[0] == outcomes[1]
    assert (outcomes[1].actions, outcomes[1].changes, outcomes[1].changed) == ((), (), False)
    return dict(outcomes[1].facts)


def names(answer: dict[str, Any]) -> list[str]:
    """The names that were found."""
    return [each["name"] for each in answer["repositories"]]


def index(size: int) -> list[dict[str, Any]]:
    """What makes a proxy an index that gives so many results a page."""
    pages = [RESULTS[start : start + size] for start in range(0, len(RESULTS), size)]
    return [
        {
            "method": "GET",
            "path": f"page={number}",
            "do": 200,
            "times": 99,
            "body": json.dumps({"num_pages": len(pages), "num_results": 3, "page": number, "results": page}),
        }
        for number, page in enumerate(pages, 1)
    ]


def test_docker_hub_is_asked_by_its_index(
    layout: Layout, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Official images get the name that they are pulled by; what a terminal would obey is left out."""
    with flaky(server.address, *index(2)) as hub:
        assert search._INDEX == "https://index.docker.io"
        monkeypatch.setattr(search, "_INDEX", f"http://{hub.address}")
        answer = ask(layout, query="nginx")
        assert "/v1/search?q=nginx&n=25&page=1" in [each["path"] for each in hub.requests]
    assert answer["repositories"][0] == {
        "name": "docker.io/library/nginx",
        "description": "Official build of Nginx, which is one of the web servers. [31mRed",
        "star_count": 20412,
        "is_official": True,
    }
    assert names(answer)[1:] == ["docker.io/bitnami/nginx", "docker.io/ubuntu/nginx"]
    assert not answer["truncated"]


def test_an_index_gives_no_more_than_is_wanted(layout: Layout, server: Server) -> None:
    """The second page is asked for only if the first is too little; that there is more is told."""
    with flaky(server.address, *index(2)) as hub:
        for limit, pages, more in ((1, 1, True), (2, 1, True), (3, 2, False)):
            before = len(hub.requests)
            answer = ask(layout, query="nginx", registry=hub.address, limit=limit)
            assert (len(names(answer)), answer["truncated"]) == (limit, more)
            assert len(hub.requests) - before == 2 * pages
        assert names(answer)[0] == f"{hub.address}/nginx"


def test_a_registry_without_an_index_is_searched_by_its_catalog(
    layout: Layout, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names with the word in them are found on all pages of the catalog, and no others."""
    monkeypatch.setattr(search, "PAGE", 1)
    answer = ask(layout, query="GIN", registry=server.address)
    assert (names(answer), answer["truncated"]) == ([f"{server.address}/nginx"], False)
    both = ask(layout, query="x", registry=server.address)
    assert (names(both), both["truncated"]) == ([f"{server.address}/busybox", f"{server.address}/nginx"], False)
    one = ask(layout, query="x", registry=server.address, limit=1)
    assert (names(one), one["truncated"]) == ([f"{server.address}/busybox"], True)
    assert ask(layout, query="nosuch", registry=server.address)["repositories"] == []
    monkeypatch.setattr(search, "MOST_PAGES", 1)
    bounded = ask(layout, query="nginx", registry=server.address)
    assert (names(bounded), bounded["truncated"]) == ([], True)


def test_tags_are_listed(layout: Layout, server: Server) -> None:
    """All of a repository, up to the limit; a repository that is not there is an error."""
    listed = ask(layout, repository=f"{server.address}/busybox")
    assert listed == {"tags": ["docker", "latest", "multi"], "truncated": False}
    few = ask(layout, repository=f"{server.address}/busybox", limit=2)
    assert few == {"tags": ["docker", "latest"], "truncated": True}
    with pytest.raises(NotFound, match=rf"^cannot list the tags of {server.address}/nosuch: the registry has no such"):
        ask(layout, repository=f"{server.address}/nosuch")


def link(number: int, last: int) -> dict[str, str]:
    """The header that leads to the next page, by a registry that is wrong about its own host."""
    target = f"http://wrong.invalid:1/v2/busybox/tags/list?last=t{number}"
    return {"Link": f'<{target}>; rel="next"'} if number < last else {}


def paged(last: int) -> list[dict[str, Any]]:
    """What makes a proxy a registry that gives a tag a page."""
    return [
        {
            "method": "GET",
            "path": f"last=t{number - 1}" if number > 1 else "n=",
            "do": 200,
            "times": 99,
            "headers": link(number, last),
            "body": json.dumps({"name": "busybox", "tags": [f"t{number}"]}),
        }
        for number in range(1, last + 1)
    ]


def test_tags_are_paged(layout: Layout, server: Server) -> None:
    """Links are followed at the registry that was asked, wherever they say that they lead, as far as needed."""
    with flaky(server.address, *paged(3)) as proxy:
        repository = f"{proxy.address}/busybox"
        assert ask(layout, repository=repository) == {"tags": ["t1", "t2", "t3"], "truncated": False}
        before = len(proxy.requests)
        assert ask(layout, repository=repository, limit=2) == {"tags": ["t1", "t2"], "truncated": True}
        assert len(proxy.requests) - before == 4


def log_in(tmp_path: Path, proxy: Flaky) -> None:
    """Keep the login for a proxy."""
    auth = base64.b64encode(b"ann:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {proxy.address: {"auth": auth}}}))


def test_a_login_searches(layout: Layout, server: Server, tmp_path: Path) -> None:
    """A registry that wants to know who asks is told, if we know; else it is said what to do."""
    with flaky(server.address, login="ann:secret", scheme="basic") as proxy:
        with pytest.raises(Failure, match=r"wants a user and a password \(401\); log in with"):
            ask(layout, query="nginx", registry=proxy.address)
        log_in(tmp_path, proxy)
        assert names(ask(layout, query="nginx", registry=proxy.address)) == [f"{proxy.address}/nginx"]
        assert ask(layout, repository=f"{proxy.address}/busybox")["tags"] == ["docker", "latest", "multi"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, "", r"does not let us \(403\); log in with"),
        (404, "", r"tells nobody what repositories it has \(404\); name the repository, and list its tags$"),
        (200, "<html>", r"answered with no JSON object$"),
    ],
)
def test_a_registry_that_does_not_tell_is_told_of(
    layout: Layout, server: Server, status: int, body: str, words: str
) -> None:
    """What came instead of a list is said."""
    fault = {"method": "GET", "path": "_catalog", "do": status, "body": body, "times": 99}
    with flaky(server.address, fault) as proxy:
        expected = f"^cannot search {proxy.address} for 'nginx': {proxy.address} {words}"
        with pytest.raises(Failure, match=expected):
            ask(layout, query="nginx", registry=proxy.address)


def test_a_question_is_one(layout: Layout) -> None:
    """A word or a repository, a registry that is one, a limit that can be."""
    for question in ({}, {"query": "x", "repository": "x"}):
        with pytest.raises(Failure, match="one of query and repository"):
            ask(layout, **question)
    for option, wrong in (("registry", "nodot"), ("registry", "http://a.b"), ("limit", 0), ("limit", 10001)):
        with pytest.raises(InvalidValue, match=f"as {option}"):
            ask(layout, **{"query": "x", option: wrong})


def test_the_command_searches_and_lists_tags(
    layout: Layout, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns as Docker's for people, JSON for programs; that there is more is said aside."""
    command = ["--root", layout.root, "--run", layout.run]
    with flaky(server.address, *index(3)) as hub:
        assert main([*command, "search", "--registry", hub.address, "--limit", "2", "nginx"]) == 0
        said = capsys.readouterr()
        width = len(f"{hub.address}/bitnami/nginx")
        assert [line.split("   ")[-1].strip() for line in said.out.splitlines()] == ["OFFICIAL", "[OK]", "204"]
        assert said.out.splitlines()[1][width + 3 :].startswith("Official build of Nginx, which is one of the…   20412")
        assert said.err == "pycontainers: there are more; give a higher --limit for them\n"
        assert main([*command, "search", "--registry", hub.address, "--json", "nginx"]) == 0
        assert json.loads(capsys.readouterr().out)[2]["name"] == f"{hub.address}/ubuntu/nginx"
    assert main([*command, "tags", f"{server.address}/busybox"]) == 0
    assert capsys.readouterr() == ("docker\nlatest\nmulti\n", "")
    assert main([*command, "tags", "--json", f"{server.address}/busybox"]) == 0
    assert json.loads(capsys.readouterr().out) == ["docker", "latest", "multi"]
