"""
Figures: one JSON object a line, beside the floor that was measured in the same run.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Figure:
    """
    One measured thing.

    `ratio` is the value over the floor; `goal` is of the ratio where there is a floor, else of the
    value, and `met` says whether it was reached. Figures without a goal are for information.
    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    goal: float | None = None
    met: bool | None = None


@dataclass
class Figures:
    """Prints figures as they come, and remembers whether a goal was missed."""

    missed: list[str] = field(default_factory=list)

    def rate(self, name: str, value: float, *, floor: float, goal: float | None = None) -> None:
        """A rate per second, which should reach `goal` times the floor's."""
        ratio = value / floor
        met = None if goal is None else ratio >= goal
        self._print(
            Figure(name, round(value, 1), "1/s", round(floor, 1), round(ratio, 3), goal, met)
        )

    def at_most(self, name: str, value: float, unit: str, *, goal: float | None = None) -> None:
        """A value that should not pass `goal`."""
        met = None if goal is None else value <= goal
        self._print(Figure(name, round(value, 2), unit, goal=goal, met=met))

    def at_least(self, name: str, value: float, unit: str, goal: float | None = None) -> None:
        """A value that should reach `goal`."""
        met = None if goal is None else value >= goal
        self._print(Figure(name, round(value, 1), unit, goal=goal, met=met))

    def _print(self, figure: Figure) -> None:
        print(json.dumps(asdict(figure)), flush=True)
        if figure.met is False:
            self.missed.append(figure.name)


def say(words: str) -> None:
    """Tell whoever waits how far it is."""
    print(words, file=sys.stderr, flush=True)
