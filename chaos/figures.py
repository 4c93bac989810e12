"""
Figures: one JSON object a line, as the benchmarks print them, each with the control that trips it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Final

_BEGAN: Final = time.monotonic()


@dataclass(frozen=True)
class Control:
    """
    The same check on something that was broken on purpose: it must find it.

    `found` is the check's own value there, and `tripped` whether it would have missed the goal.
    """

    broken: str
    found: float
    tripped: bool


@dataclass(frozen=True)
class Figure:
    """One checked thing. A figure without a goal is for information."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    met: bool | None = None
    control: Control | None = None


@dataclass
class Figures:
    """Prints figures as they come, and remembers what was missed: a goal, or a control's alarm."""

    missed: list[str] = field(default_factory=list)

    def none(
        self, name: str, found: int, *, unit: str = "1", broken: str = "", control: int = 0
    ) -> None:
        """Of this there must be none; with something broken, there were so many."""
        shown = Control(broken, control, control != 0) if broken else None
        self._print(Figure(name, found, unit, goal=0, met=found == 0, control=shown))

    def at_most(
        self, name: str, value: float, unit: str, goal: float, *, control: Control | None = None
    ) -> None:
        """A value that may not pass its goal."""
        value = round(value, 3)
        self._print(Figure(name, value, unit, goal=goal, met=value <= goal, control=control))

    def exactly(
        self, name: str, value: float, unit: str, goal: float, *, control: Control | None = None
    ) -> None:
        """A value that must be its goal."""
        self._print(Figure(name, value, unit, goal=goal, met=value == goal, control=control))

    def at_least(self, name: str, value: float, unit: str, goal: float) -> None:
        """How much was done: a check of too little says nothing."""
        self._print(Figure(name, value, unit, goal=goal, met=value >= goal))

    def told(self, name: str, value: float, unit: str) -> None:
        """Something to know, which has no goal."""
        self._print(Figure(name, round(value, 3), unit))

    def _print(self, figure: Figure) -> None:
        print(json.dumps(asdict(figure)), flush=True)
        if figure.met is False:
            self.missed.append(figure.name)
        if figure.control is not None and not figure.control.tripped:
            self.missed.append(f"{figure.name}: the control went unnoticed")


def say(words: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"{time.monotonic() - _BEGAN:4.0f} s  {words}", file=sys.stderr, flush=True)
