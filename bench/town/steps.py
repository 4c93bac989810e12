"""
What a plan is made of: answers, where each may lead, and what is done once they are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from bench.town.people import Deed, Neighbour


@dataclass(frozen=True, slots=True)
class Step:
    """
    One answer.

    Args:
        typed: What is typed.
        leads: The screens it may lead to.
        says: What must then be on the handset, as a regular expression.
        wrong: What somebody might type here instead, that leads nowhere.
        confirms: Whether it is the answer that orders something.
        between: Screens that may come before that, and what is typed there.
        may_end: Screens at which there is nothing to be had, and the plan is given up.
    """

    typed: str
    leads: frozenset[str]
    says: str = ""
    wrong: str = ""
    confirms: bool = False
    between: Mapping[str, str] = field(default_factory=dict)
    may_end: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        return "confirm" if self.confirms else "navigate"


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What somebody comes for.

    Args:
        flow: Its name.
        steps: What they type.
        deed: What the product will have been asked for, and will have done.
        reads: Of which kind that is, where its amount is first told by the screen that asks for
            the PIN.
        to: The number of whom they send money to.
        becomes: What they are or know differently afterwards, by the name of the attribute.
        is_once: Whether they do not come back for it after they confirmed.
    """

    flow: str
    steps: Sequence[Step]
    deed: Deed | None = None
    reads: str = ""
    to: str = ""
    becomes: Mapping[str, str] = field(default_factory=dict)
    is_once: bool = False

    @property
    def is_told_of(self) -> bool:
        """Whether the next call begins with what became of it."""
        return bool(self.reads) or (self.deed is not None and not self.becomes)


Making = Callable[[Neighbour, Sequence[Neighbour], Random], Plan]


def step(typed: str, *leads: str, says: str = "", wrong: str = "", confirms: bool = False) -> Step:
    """An answer, and where it may lead."""
    return Step(typed, frozenset(leads), says, wrong, confirms)


def amount(shillings: int) -> str:
    """Shillings as screens write them, as a regular expression."""
    return re.escape(f"KES {shillings:,}.00")


def someone(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Neighbour:
    """Anybody else."""
    return all_[(me.number + chance.randrange(1, len(all_))) % len(all_)]


def shop(me: Neighbour, all_: Sequence[Neighbour], chance: Random) -> Neighbour:
    """Anybody else who has a till."""
    return chance.choice([each for each in all_ if each.till and each is not me])
