# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import (
    REFERENCE,
    Reference,
    parse_reference,
)

DIGEST = "sha256:" + "0123456789abcdef" * 4

GOOD = {
    "nginx": "docker.io/library/nginx:latest",
    "nginx:1.27": "docker.io/library/nginx:1.27",
    "bitnami/nginx": "docker.io/bitnami/nginx:latest",
    "a/b/c": "docker.io/a/b/c:latest",
    "docker.io/nginx": "docker.io/library/nginx:latest",
    "index.docker.io/nginx": "docker.io/library/nginx:latest",
    "docker.io/library/nginx": "docker.io/library/nginx:latest",
    "localhost/nginx": "localhost/nginx:latest",
    "LOCALHOST/nginx": "localhost/nginx:latest",
    "localhost:5000/nginx": "localhost:5000/nginx:latest",
    "registry:5000/a/b:t": "registry:5000/a/b:t",
    "Registry.Example.com/a": "registry.example.com/a:latest",
    "10.0.0.1:5000/nginx:9": "10.0.0.1:5000/nginx:9",
    "[::1]:5000/nginx": "[::1]:5000/nginx:latest",
    "a.b/c__d/e--f/g.h_i": "a.b/c__d/e--f/g.h_i:latest",
    "foo.bar": "docker.io/library/foo.bar:latest",
    "nginx:_T-x.y": "docker.io/library/nginx:_T-x.y",
    "nginx:" + "t" * 128: "docker.io/library/nginx:" + "t" * 128,
    f"nginx@{DIGEST}": f"docker.io/library/nginx@{DIGEST}",
    f"nginx:1@{DIGEST}": f"docker.io/library/nginx:1@{DIGEST}",
    f"docker.io/library/nginx:1.27@{DIGEST}": f"docker.io/library/nginx:1.27@{DIGEST}",
    f"localhost:5000/a/b:t@{DIGEST}": f"localhost:5000/a/b:t@{DIGEST}",
    f"r.e:5000/a@{DIGEST}": f"r.e:5000/a@{DIGEST}",
    "a.b:65535/c": "a.b:65535/c:latest",
    "a.b:1/c": "a.b:1/c:latest",
    "[2001:db8::1]/a": "[2001:db8::1]/a:latest",
    "INDEX.docker.io/a/b": "docker.io/a/b:latest",
    "a/b:1.0": "docker.io/a/b:1.0",
    "localhost": "docker.io/library/localhost:latest",
    "a:5000": "docker.io/library/a:5000",
}

BAD = {
    "": "empty",
    " nginx": "space",
    "ngi nx": "space",
    "nginx\n": "space or a control",
    "ngi\0nx": "control",
    "Nginx": "upper case",
    "Foo/bar": "upper case",
    "a/B/c": "upper case",
    "../x": "neither a registry",
    "a/../b": "no part of a repository",
    "a/./b": "no part of a repository",
    "/a": "empty",
    "a//b": "empty",
    "a/": "empty",
    "a.b/": "empty",
    "a:": "tag",
    "a:-x": "tag",
    "a:.x": "tag",
    "a:" + "t" * 129: "tag",
    "a:ä": "tag",
    "a:b:c": "no part",
    "é/x": "no part",
    "-a": "no part",
    "a-": "no part",
    "a..b": "no part",
    "a___b": "no part",
    "https://a/b": "scheme",
    "a@": "digest",
    "a@sha256:12": "digest",
    f"a@{DIGEST.upper()}": "digest",
    f"a@{DIGEST}@{DIGEST}": "digest",
    f"a@sha512:{'0' * 128}": "digest",
    "0" * 64: "bare digest",
    "a.b:port/c": "neither a registry",
    "-.x/c": "neither a registry",
    "a.b:0/c": "port that is not 1 to 65535",
    "a.b:65536/c": "port that is not 1 to 65535",
    "[::1]:99999/c": "port that is not 1 to 65535",
    "a.b:/c": "neither a registry",
    "a..b/c": "neither a registry",
    "a.b./c": "neither a registry",
    "[::1/c": "neither a registry",
    "::1/c": "neither a registry",
    "user@a.b/c": "digest",
    "user:pass@a.b/c": "digest",
    "a.b/c?x": "no part",
    "a.b/c%2fd": "no part",
    "a.b/c\\d": "no part",
    "a:1:2": "no part",
    "a.b/c:5/d": "no part",
    "a.b/" + "c" * 252: "more than 255",
}


@pytest.mark.parametrize(("text", "canonical"), GOOD.items())
def test_a_reference_means_what_docker_makes_of_it(text: str, canonical: str) -> None:
    """What is left out is filled in as Docker does, and the canonical form stands for itself."""
    assert str(parse_reference(text)) == canonical
    assert str(parse_reference(canonical)) == canonical


@pytest.mark.parametrize(("text", "reason"), BAD.items())
def test_what_is_no_reference_is_refused_with_a_reason(text: str, reason: str) -> None:
    """A bad reference says which part of it is bad."""
    with pytest.raises(ValueError, match=reason):
        parse_reference(text)


@pytest.mark.parametrize("value", [None, 1, 1.5, True, ["nginx"], {"a": 1}, b"nginx"])
def test_a_reference_is_text(value: object) -> None:
    """Values of other types are refused, not turned into text."""
    with pytest.raises(ValueError, match="not text"):
        parse_reference(value)


def test_the_digest_decides_where_there_is_one() -> None:
    """A registry is asked for the digest, else for the tag."""
    assert parse_reference("a:1").target == "1"
    assert parse_reference(f"a@{DIGEST}").target == DIGEST
    assert parse_reference(f"a:1@{DIGEST}").target == DIGEST


NAMES = st.from_regex(r"[a-z0-9]{1,8}(([._-]|__)[a-z0-9]{1,4}){0,2}", fullmatch=True)
REGISTRIES = st.one_of(
    st.just("localhost"),
    st.from_regex(r"[a-z0-9]{1,8}\.[a-z]{2,4}(:[1-9][0-9]{0,3})?", fullmatch=True),
    st.from_regex(r"[a-z]{1,8}:[1-9][0-9]{0,3}", fullmatch=True),
)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)
DIGESTS = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)


@given(REGISTRIES, st.lists(NAMES, min_size=1, max_size=4), TAGS, st.none() | DIGESTS)
def test_every_reference_survives_being_shown(registry: str, parts: list[str], tag: str, digest: str | None) -> None:
    """Records hold references as text: reading one back gives the same reference."""
    reference = Reference(registry, "/".join(parts), tag, digest)
    assert REFERENCE.parse(REFERENCE.show(reference)) == reference


@given(st.text(alphabet="aA0./:@-_[]\x00 é", max_size=24))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    """No text makes the parser fail in another way, and what it takes is stable and harmless as a path."""
    try:
        reference = parse_reference(text)
    except ValueError:
        return
    assert parse_reference(str(reference)) == reference
    assert ".." not in reference.repository.split("/")
