# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins for parts of the standard library do as these do."""
from __future__ import annotations

import collections
import contextlib
import copy
import json
import os
import pickle
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.lean import contextlib as lean_contextlib
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.lean import json as lean_json
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.lean import signal as lean_signal
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.lean import socket as lean_socket
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.typed import NamedTuple

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_is_written_as_the_library_writes_it(value: Any) -> None:
    """The text is the same, and reads as the value."""
    text = lean_json.dumps(value)
    assert text == json.dumps(value)
    assert lean_json.loads(f" {text}\n".encode()) == value


def _read(reader: Callable[[Any], Any], content: Any) -> Any:
    try:
        return reader(content)
    except ValueError:
        return ValueError


@given(st.binary(max_size=12) | st.text("[]{},:\"\\0123.eE-+tfn \t", max_size=12).map(str.encode))
def test_json_is_read_as_the_library_reads_it(content: bytes) -> None:
    """What is JSON has the same value, and what is none is an error, whatever it is made of."""
    expected = _read(lambda said: json.loads(said.decode()), content)
    assert _read(lean_json.loads, content) == expected


@pytest.mark.parametrize("content", [b"NaN", b"[Infinity]", b'{"a": -Infinity}', b"[NaN, 1] x"])
def test_json_has_no_words_for_what_is_no_number(content: bytes) -> None:
    """The library reads them, the specification does not have them."""
    with pytest.raises(ValueError, match="is no JSON number"):
        lean_json.loads(content)


def test_json_has_no_words_for_bytes() -> None:
    """A value of another type is an error that names it."""
    with pytest.raises(TypeError, match="b'x'"):
        lean_json.dumps([b"x"])


def test_signals_have_the_librarys_names_and_numbers() -> None:
    """No name is missing, and none means another signal."""
    assert dict(signal.Signals.__members__.items()).items() <= lean_signal.NAMES.items()


def test_descriptors_go_over_a_socket() -> None:
    """What is received is the same file, and is closed on exec."""
    reading, writing = os.pipe()
    ours, theirs = lean_socket.socketpair()
    with ours, theirs:
        lean_socket.send_fds(ours, [b"here"], [reading, writing])
        said, found, _, _ = lean_socket.recv_fds(theirs, 64, 2)
        assert said == b"here"
        for sent, received in zip((reading, writing), found, strict=True):
            assert os.path.samestat(os.fstat(sent), os.fstat(received))
            assert not os.get_inheritable(received)
    assert ours.fileno() == theirs.fileno() == -1
    for each in (reading, writing, *found):
        os.close(each)


def test_a_connection_is_taken_as_the_library_takes_it(tmp_path: Any) -> None:
    """A client of the library's reaches a listener of ours."""
    with lean_socket.socket(lean_socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "here"))
        listener.listen(1)
        client.connect(str(tmp_path / "here"))
        taken, _ = listener.accept()
        with taken:
            client.sendall(b"said")
            assert taken.recv(9) == b"said"


Said = list[str]


def _steps(said: Said, swallowed: tuple[type[BaseException], ...], raised: BaseException | None) -> Iterator[str]:
    said.append("before")
    try:
        yield "value"
    except swallowed:
        said.append("swallowed")
    finally:
        said.append("after")
    if raised:
        raise raised


@pytest.mark.parametrize("inside", [None, KeyError("k"), StopIteration("s"), RuntimeError("r"), KeyboardInterrupt()])
@pytest.mark.parametrize("swallowed", [(), (KeyError,), (StopIteration,), (RuntimeError,)])
@pytest.mark.parametrize("raised", [None, OSError("o")])
def test_blocks_end_as_the_librarys(
    inside: BaseException | None, swallowed: tuple[type[BaseException], ...], raised: BaseException | None
) -> None:
    """Whatever the block and its generator raise and catch, the outcome is the same."""
    found = []
    for library in (contextlib, lean_contextlib):
        said: Said = []
        try:
            with library.contextmanager(_steps)(said, swallowed, raised) as value:
                said.append(value)
                if inside is not None:
                    raise inside
        except BaseException as error:
            said.append(repr(error))
        found.append(said)
    assert found[0] == found[1]


def test_a_block_yields_once() -> None:
    """A generator that goes on after its block is an error, as in the library."""

    @lean_contextlib.contextmanager
    def twice() -> Iterator[None]:
        with contextlib.suppress(KeyError):
            yield
        yield

    with pytest.raises(RuntimeError, match="twice"), twice():
        raise KeyError


def test_errors_are_suppressed_by_kind() -> None:
    """Those named and what derives from them; no other."""
    with lean_contextlib.suppress(OSError, KeyError):
        raise FileNotFoundError
    with pytest.raises(ValueError, match="v"), lean_contextlib.suppress(OSError):
        raise ValueError("v")


class Ours(NamedTuple):
    """A class with a default."""

    one: int
    two: str = "x"

    @property
    def both(self) -> str:
        """A method of the class."""
        return f"{self.one}{self.two}"


Theirs = collections.namedtuple("Theirs", ["one", "two"], defaults=["x"])


@pytest.mark.parametrize(
    ("values", "named"),
    [((1,), {}), ((1, "y"), {}), ((), {"one": 1}), ((1,), {"two": "y"}), ((), {"two": "y", "one": 1})]
    + [((), {}), ((1, 2, 3), {}), ((1,), {"one": 2}), ((1,), {"three": 3}), ((), {"two": 1})],
)
def test_named_tuples_take_what_the_librarys_take(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    """The same values make the same tuple, or are a TypeError."""
    try:
        expected = Theirs(*values, **named)
    except TypeError:
        with pytest.raises(TypeError):
            Ours(*values, **named)
        return
    made = Ours(*values, **named)
    assert (tuple(made), made._asdict(), made.one, made.two) == (expected, expected._asdict(), *expected)


def test_named_tuples_are_values() -> None:
    """They are compared, replaced, copied, shown and matched as the library's are."""
    made = Ours(1)
    assert (repr(made), made.both, made == (1, "x"), hash(made)) == ("Ours(one=1, two='x')", "1x", True, hash((1, "x")))
    assert made._replace(two="y") == Ours(1, "y")
    assert [type(each) for each in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)))] == [Ours, Ours]
    with pytest.raises(AttributeError):
        made.one = 2  # type: ignore[misc]
    match made:
        case Ours(one, two):
            assert (one, two) == (1, "x")
