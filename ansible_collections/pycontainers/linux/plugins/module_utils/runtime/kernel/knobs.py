# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knobs: how one cgroup version keeps one limit, or some that the kernel keeps together.

A knob reads values and tells what to write. Values are a tuple, one for each of its limits; None stands for a limit
that the group has no file for. Where the kernel's value is coarser than what was said, as a weight is than shares, the
value that was said is read again as long as the kernel holds what it comes to.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from . import block_devices
from .cgroup_values import UNLIMITED, page_sizes
from .cgroup_writes import Text
from .cgroups import Group

Values = tuple[Any, ...]


class Knob(Protocol):
    """One way to keep limits."""

    def read(self, group: Group, said: Values) -> Values:
        """The values that the kernel holds; ``said`` are those that were said, None where nothing was."""

    def texts(self, group: Group, after: Values, before: Values) -> Iterable[Text]:
        """What to write to get from these values to those, in an order that the kernel takes."""


class One:
    """One limit in one file."""

    def __init__(self, file: str, encode: Callable[[Any], str], decode: Callable[[str], Any]) -> None:
        self.file, self.encode, self.decode = file, encode, decode

    def read(self, group: Group, said: Values) -> Values:
        """The value; what each comes to is only its own."""
        text = group.text(self.file)
        return (self.decode(text) if text else None,)

    def texts(self, group: Group, after: Values, before: Values) -> Iterable[Text]:
        """The value's text."""
        return () if after[0] is None else ((self.file, self.encode(after[0])),)


class Inherited:
    """One limit in one file, which is cleared by writing what the group above has: the file can't be emptied."""

    def __init__(self, file: str, above: str, cleared: Any, decode: Callable[[str], Any]) -> None:
        self.file, self.above, self.cleared, self.decode = file, above, cleared, decode

    def read(self, group: Group, said: Values) -> Values:
        """The value; cleared, if it is what the group above has and nobody has said it."""
        text = group.read(self.file)
        if text is None:
            return (None,)
        if text and said[0] == self.decode(text):
            return said
        return (self.cleared if text in ("", group.above.text(self.above)) else self.decode(text),)

    def texts(self, group: Group, after: Values, before: Values) -> Iterable[Text]:
        """The value's text, or that of the group above."""
        if after[0] is not None:
            yield self.file, group.above.text(self.above) if after[0] == self.cleared else str(after[0])


class Either:
    """The first of some knobs whose file there is: kernels name the weight of block I/O by their scheduler."""

    def __init__(self, *knobs: One) -> None:
        self.knobs = knobs

    def read(self, group: Group, said: Values) -> Values:
        """The value."""
        return next((found for each in self.knobs if (found := each.read(group, said)) != (None,)), (None,))

    def texts(self, group: Group, after: Values, before: Values) -> Iterable[Text]:
        """The value's text."""
        there = next((each for each in self.knobs if group.has(each.file)), self.knobs[-1])
        return there.texts(group, after, before)


class Lines:
    """A limit for each of some things, in a file with a line for each: pairs of the thing and its limit, sorted."""

    def __init__(self, file: str, encode: Callable[[str, Any], str], decode: Callable[[str], Any], gone: Any) -> None:
        self.file, self.encode, self.decode, self.gone = file, encode, decode, gone

    def now(self, group: Group) -> dict[str, Any] | None:
        """The limits by thing; None where there is no such file."""
        text = group.read(self.file)
        if not text:
            return None if text is None else {}
        pairs = (line.split(None, 1) for line in text.splitlines())
        found = {words[0]: self.decode(words[1]) for words in pairs if len(words) == 2}
        return {thing: limit for thing, limit in found.items() if limit != self.gone}

    def wanted(self, value: Any) -> Mapping[str, Any]:
        """What is said, as the kernel names the things."""
        return dict(value)

    def read(self, group: Group, said: Values) -> Values:
        """The pairs."""
        now = self.now(group)
        return (None if now is None else tuple(sorted(now.items())),)

    def texts(self, group: Group, after: Values, before: Values) -> Iterator[Text]:
        """A line for each thing whose limit changes; one that is not wanted any more is taken away."""
        if after[0] is None:
            return
        now, wanted = self.now(group) or {}, self.wanted(after[0])
        for thing in (*wanted, *(each for each in now if each not in wanted)):
            limit = wanted.get(thing, self.gone)
            if limit != now.get(thing, self.gone):
                yield self.file, self.encode(thing, limit)


class Rates(Lines):
    """A rate for each of some block devices, which are said by paths. ``word`` is the rate's name in ``io.max``."""

    def __init__(self, file: str, word: str = "") -> None:
        none = "max" if word else "0"
        prefix = f"{word}=" if word else ""

        def encode(device: str, rate: int) -> str:
            return f"{device} {prefix}{none if rate == UNLIMITED else rate}"

        def decode(text: str) -> int:
            said = next((each.removeprefix(prefix) for each in text.split() if each.startswith(prefix)), none)
            return UNLIMITED if said in ("max", "0") else int(said)

        super().__init__(file, encode, decode, UNLIMITED)

    def wanted(self, value: Any) -> Mapping[str, Any]:
        """Rates by the devices' numbers. Raises :class:`Failure` for a path below which there is no device."""
        return {block_devices.number(path): rate for path, rate in value}

    def read(self, group: Group, said: Values) -> Values:
        """The pairs, with devices as they were said where the rates are those that were."""
        now = self.now(group)
        if now is None:
            return (None,)
        if said[0] and {block_devices.number_or_none(path): rate for path, rate in said[0]} == now:
            return said
        return (tuple(sorted((block_devices.name(each), rate) for each, rate in now.items())),)


class Pages:
    """A limit for each size of huge pages, in a file for each: on what is reserved, where that is counted, and used."""

    def __init__(self, prefix: str, file: str, unlimited: str) -> None:
        self.prefix, self.file, self.unlimited = prefix, file, unlimited

    def now(self, group: Group) -> dict[str, int | None]:
        """Bytes by page size."""
        texts = {size: group.text(f"{self.prefix}.{size}.{self.file}") for size in page_sizes()}
        return {size: _bytes(text) for size, text in texts.items() if text}

    def read(self, group: Group, said: Values) -> Values:
        """The pairs of page size and bytes."""
        now = self.now(group)
        pairs = ((size, limit) for size, limit in now.items() if limit is not None)
        return (tuple(sorted(pairs)) if now else None,)

    def texts(self, group: Group, after: Values, before: Values) -> Iterator[Text]:
        """The texts for each size whose limit changes."""
        if after[0] is None:
            return
        wanted, now = dict(after[0]), self.now(group)
        for size in sorted({*wanted, *now}):
            if wanted.get(size) == now.get(size):
                continue
            text = self.unlimited if size not in wanted else str(wanted[size])
            names = [f"{self.prefix}.{size}.{each}" for each in (f"rsvd.{self.file}", self.file)]
            # A limit on what is used that is above the one on what is reserved is reached by nobody: any order does.
            yield from ((name, text) for name in names if name == names[1] or group.has(name))


def _bytes(text: str) -> int | None:
    # Without a limit version 1 shows the largest number of bytes in whole pages, of whichever size.
    return None if text == "max" or int(text) >= 2**63 - (1 << 34) else int(text)
