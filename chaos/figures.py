"""
Figures: what was to be reached, what was found, and the control that must find something.

They are printed as one table, or as JSON, one object a line, as they come.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

# Every figure this program answers for; R10 and R12 to R16 are other programs'.
ANSWERED: Final = ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R11")

_HEADINGS: Final = ("figure", "target", "measured", "control: measured, and what was broken", "")
_WIDTHS: Final = (50, 10, 11, 46, 18)
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
    """One checked thing; `target` says of its goal how it is meant. Without, it is told only."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    target: str = ""
    met: bool | None = None
    control: Control | None = None
    unjudged: str = ""
    """Why it is neither met nor missed, although it has a goal."""

    @property
    def requirement(self) -> str:
        """Which of `ANSWERED` it is a figure of; empty for none."""
        found = re.match(r"R\d+\b", self.name)
        return found.group() if found else ""

    @property
    def verdict(self) -> str:
        """One word or two."""
        if self.met is False:
            return "MISSED"
        if self.control is not None and not self.control.tripped:
            return "CONTROL UNNOTICED"
        return "met" if self.met else self.unjudged


@dataclass
class Figures:
    """
    Keeps figures as they come.

    Args:
        is_told: Whether each is printed at once as JSON.
        judges_times: Whether a missed time counts: it does on a machine that is ours alone.
    """

    is_told: bool = False
    judges_times: bool = False
    found: list[Figure] = field(default_factory=list)

    @property
    def missed(self) -> list[str]:
        """The figures that missed their goal, or whose control went unnoticed."""
        return [each.name for each in self.found if each.verdict not in ("", "met", each.unjudged)]

    def absent(self, requirements: Iterable[str]) -> list[str]:
        """Those of some requirements that nothing was found out about."""
        checked = {each.requirement for each in self.found if each.goal is not None}
        return [each for each in requirements if each not in checked]

    def none(
        self, name: str, found: int, *, unit: str = "1", broken: str = "", control: int = 0
    ) -> None:
        """Of this there must be none; with something broken, there were so many."""
        shown = Control(broken, control, control != 0) if broken else None
        self._keep(Figure(name, found, unit, 0, "0", found == 0, shown))

    def at_most(
        self, name: str, value: float, unit: str, goal: float, *, control: Control | None = None
    ) -> None:
        """A value that may not pass its goal."""
        target = f"≤ {_said(goal, unit)}"
        value = round(value, 3)
        self._keep(Figure(name, value, unit, goal, target, value <= goal, control))

    def soon(
        self,
        name: str,
        seconds: float,
        goal: float,
        *,
        others: float,
        control: Control | None = None,
    ) -> None:
        """
        A time that may not pass its goal, where times are judged.

        Args:
            name: What took so long.
            seconds: How long.
            goal: How long it may take.
            others: The part of the machine that others took meanwhile.
            control: What a broken one took.
        """
        if seconds <= goal or self.judges_times:
            self.at_most(name, seconds, "s", goal, control=control)
            return
        unjudged = f"NOT JUDGED: others took {others:.0%} of the machine, if not its disk"
        target = f"≤ {_said(goal, 's')}"
        self._keep(Figure(name, round(seconds, 3), "s", goal, target, None, control, unjudged))

    def exactly(
        self, name: str, value: float, unit: str, goal: float, *, control: Control | None = None
    ) -> None:
        """A value that must be its goal."""
        self._keep(Figure(name, value, unit, goal, _said(goal, unit), value == goal, control))

    def at_least(self, name: str, value: float, unit: str, goal: float) -> None:
        """How much was done: a check of too little says nothing."""
        self._keep(Figure(name, value, unit, goal, f"≥ {_said(goal, unit)}", value >= goal))

    def told(self, name: str, value: float, unit: str) -> None:
        """Something to know, which has no goal."""
        self._keep(Figure(name, round(value, 3), unit))

    def take(self, lines: str) -> None:
        """Take in what another run of this program printed."""
        for line in lines.splitlines():
            told = json.loads(line)
            control = told.pop("control")
            self._keep(Figure(**told, control=Control(**control) if control else None))

    def table(self) -> str:
        """All of them, those with a requirement first and in its order."""
        rows = [_HEADINGS, tuple("─" * width for width in _WIDTHS)]
        for each in sorted(self.found, key=lambda each: int(each.requirement[1:] or 99)):
            control = each.control
            rows.append(
                (
                    each.name,
                    each.target,
                    _said(each.value, each.unit),
                    f"{_said(control.found, each.unit)}: {control.broken}" if control else "",
                    each.verdict,
                )
            )
        return "\n".join(line for row in rows for line in _wrapped(row))

    def _keep(self, figure: Figure) -> None:
        self.found.append(figure)
        if self.is_told:
            print(json.dumps(asdict(figure)), flush=True)


def say(words: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"{time.monotonic() - _BEGAN:4.0f} s  {words}", file=sys.stderr, flush=True)


def _said(value: float, unit: str) -> str:
    number = f"{value:,.3f}".rstrip("0").rstrip(".")
    return number if unit == "1" else f"{number} {unit}"


def _wrapped(row: Sequence[str]) -> list[str]:
    """The lines that a row takes when no cell is wider than its column."""
    cells = [
        textwrap.wrap(cell, width, subsequent_indent="  ") or [""]
        for cell, width in zip(row, _WIDTHS, strict=True)
    ]
    height = max(map(len, cells))
    padded = [cell + [""] * (height - len(cell)) for cell in cells]
    return [
        " ".join(word.ljust(width) for word, width in zip(line, _WIDTHS, strict=True)).rstrip()
        for line in zip(*padded, strict=True)
    ]
