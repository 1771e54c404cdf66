# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same done with many things by some processes at a time, in an order that the things may ask for.

A worker is a child process that is given one thing after another by a line, and answers each with a line: what has
failed, or nothing. So what it has loaded and looked up for one thing serves the next.
"""
from __future__ import annotations

import os
import selectors
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from graphlib import TopologicalSorter
from typing import BinaryIO, NoReturn

from ..errors import explain
from ..lean.dataclasses import dataclass

Act = Callable[[str], None]


@dataclass
class Worker:
    """A worker as its parent sees it; ``doing`` is what it has been given and has not answered yet."""

    pid: int
    orders: int
    answers: BinaryIO
    doing: str = ""

    def give(self, each: str) -> None:
        """Have it act on one."""
        self.doing = each
        with suppress(BrokenPipeError):  # it has ended, as its answer will say
            os.write(self.orders, f"{each}\n".encode())

    def answer(self) -> str | None:
        """What it says of that: what has failed, or an empty text; None if it has ended."""
        line = self.answers.readline()
        self.doing = ""
        return line.decode(errors="replace").strip() if line.endswith(b"\n") else None

    def end(self) -> None:
        """Have no more work for it, and see it leave."""
        os.close(self.orders)
        self.answers.close()
        os.waitpid(self.pid, 0)


def in_order(
    edges: Mapping[str, set[str]],
    act: Act,
    most: int,
    between: Act = lambda done: None,
    begin: Callable[[], object] = lambda: None,
) -> list[str]:
    """Act on each, ``most`` at a time, once that is done with all those that it names; returns a line per failure.

    One that fails holds up no other: whoever needs it finds that out. ``between`` is called here with each that is
    done, ``begin`` in each worker before the first.
    """
    sorter, waiting, failures = TopologicalSorter(edges), list[str](), list[str]()
    workers: list[Worker] = []
    sorter.prepare()
    try:
        while sorter.is_active():
            waiting += sorted(sorter.get_ready())
            _give(waiting, workers, (begin, act), most)
            for worker in _answering(workers):
                done = worker.doing
                said = worker.answer()
                if said is None:
                    said = f"the process that was to see to {done} has ended"
                    workers.remove(worker)
                    worker.end()
                failures += [said] if said else []
                sorter.done(done)
                between(done)
    finally:
        for worker in workers:
            worker.end()
    return failures


def _give(waiting: list[str], workers: list[Worker], work: tuple[Callable[[], object], Act], most: int) -> None:
    """Give what is to be done to those who have nothing to do, and have more of them if there may be."""
    idle = [each for each in workers if not each.doing]
    while waiting and (idle or len(workers) < most):
        if not idle:
            idle.append(_hired(*work, [each.orders for each in workers]))
            workers.append(idle[-1])
        idle.pop().give(waiting.pop(0))


def _answering(workers: list[Worker]) -> list[Worker]:
    """Wait until somebody has an answer."""
    with selectors.DefaultSelector() as answers:
        for each in workers:
            if each.doing:
                answers.register(each.answers, selectors.EVENT_READ, each)
        return [key.data for key, _ in answers.select()]


def _hired(begin: Callable[[], object], act: Act, others: Iterable[int]) -> Worker:
    """A new worker, that does not keep ``others`` from seeing that there is no more work for them."""
    orders, give = os.pipe()
    answers, answer = os.pipe()
    child = os.fork()
    if not child:
        for descriptor in (give, answers, *others):
            os.close(descriptor)
        _work(begin, act, orders, answer)
    os.close(orders)
    os.close(answer)
    return Worker(child, give, os.fdopen(answers, "rb"))


def _work(begin: Callable[[], object], act: Act, orders: int, answer: int) -> NoReturn:
    try:
        begin()
        with os.fdopen(orders, "r") as lines:
            for line in lines:
                said = ""
                try:
                    act(line.rstrip("\n"))
                except Exception as error:  # whoever has given the order hears of it, and goes on with the others
                    said = " ".join(explain(error).split()) or repr(error)
                os.write(answer, f"{said}\n".encode())
    finally:
        os._exit(0)
