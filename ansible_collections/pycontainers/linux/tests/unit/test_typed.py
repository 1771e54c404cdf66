# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.typed import NamedTuple


class Point(NamedTuple):
    """A class as the runtime writes them."""

    x: int
    y: int = 5

    @property
    def sum(self) -> int:
        """Both together."""
        return self.x + self.y


def test_fields_defaults_and_methods_are_those_of_the_body() -> None:
    """Fields come by order and name, a default where none is given, and the body's own beside them."""
    assert Point(1) == Point(x=1, y=5) == (1, 5)
    assert (Point(2, 3).y, Point(2, 3).sum, Point(1)._replace(y=2)) == (3, 5, (1, 2))
    assert Point(1)._asdict() == {"x": 1, "y": 5}


def test_a_class_has_the_body_s_name_and_words() -> None:
    """The class is known by its own name, module and docstring, and is a tuple."""
    assert (Point.__name__, Point.__module__) == ("Point", __name__)
    assert Point.__doc__ == "A class as the runtime writes them."
    assert isinstance(Point(1), tuple)
    assert repr(Point(1)) == "Point(x=1, y=5)"
