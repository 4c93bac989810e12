"""
Patterns in somebody's movements that staff should look at. No database: movements in, findings out.

Each rule looks at every window that a new movement is in, so that it does not matter in which
order movements come to be known.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

_WHOLE: Final = 10_000


class Pattern(StrEnum):
    """What a rule looks for."""

    JUST_UNDER = "just-under"
    """Several movements, each just under an amount that would be looked at or refused."""
    OFTEN = "often"
    """Many sent in a short time."""
    MUCH = "much"
    """Much sent in a short time, in many pieces."""
    THROUGH = "through"
    """Money that came in has gone out again in no time."""


@dataclass(frozen=True, slots=True)
class Movement:
    """
    What one journal did to one person.

    Args:
        journal: The journal's id.
        reference: What people call it.
        at: When it was posted.
        amount: Cents of KES, or their equivalent; fees are not in it.
        is_in: Whether the money came to them.
        others: The subscribers it came from or went to, by id.
        currency: What it was really in.
        minor: How much of that.
    """

    journal: int
    reference: str
    at: datetime
    amount: int
    is_in: bool
    others: tuple[int, ...]
    currency: str
    minor: int


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What is looked for in whose movements, since when.

    Args:
        name: What staff call it.
        holder: The kind of holder it is for.
        tier: The tier it is for.
        valid_from: When this version began.
        pattern: What it looks for.
        source: Who says so.
        amount: Cents of KES: of `JUST_UNDER` the amount, of the others the least to look at.
        share: In hundredths of a per cent. Of `JUST_UNDER`: from which share of the amount up a
            movement is just under it. Of `THROUGH`: how much of what came in must be gone.
        count_min: How many movements it takes; of `THROUGH`, on each side.
        window: In how long a time.
    """

    name: str
    holder: str
    tier: str
    valid_from: datetime
    pattern: Pattern
    source: str
    amount: int
    share: int
    count_min: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that was met, and the movements that meet it, in order of time."""

    rule: Rule
    movements: tuple[Movement, ...]


def find(rule: Rule, movements: Sequence[Movement], *, fresh: set[int]) -> Finding | None:
    """
    Hold one person's movements against a rule.

    Args:
        rule: The rule.
        movements: Theirs, reaching back from every fresh one by the rule's window at least.
        fresh: The journals that were not looked at before; what holds without them is no news.

    Returns:
        Everything that some window with a fresh movement in it met the rule with.
    """
    ordered = sorted(
        (each for each in movements if _counts(rule, each)),
        key=lambda each: (each.at, each.journal),
    )
    met: dict[int, Movement] = {}
    for window in _windows(ordered, rule.window):
        if any(each.journal in fresh for each in window) and _meets(rule, window):
            met |= {each.journal: each for each in window}
    found = tuple(each for each in ordered if each.journal in met)
    return Finding(rule, found) if found else None


def _windows(ordered: Sequence[Movement], length: timedelta) -> Iterator[Sequence[Movement]]:
    """What lies in the window that ends with each movement, at its instant included."""
    instants = [each.at for each in ordered]
    for end, last in enumerate(ordered, start=1):
        yield ordered[bisect_right(instants, last.at - length) : end]


def _counts(rule: Rule, movement: Movement) -> bool:
    """Whether a movement is of the sort a rule looks at."""
    match rule.pattern:
        case Pattern.JUST_UNDER:
            # What a shop is paid is its trade; what it pays is as anybody's.
            is_trade = movement.is_in and rule.holder == "merchant"
            is_under = rule.amount * rule.share <= movement.amount * _WHOLE < rule.amount * _WHOLE
            return is_under and not is_trade
        case Pattern.OFTEN | Pattern.MUCH:
            return not movement.is_in
        case Pattern.THROUGH:
            return True


def _meets(rule: Rule, window: Sequence[Movement]) -> bool:
    match rule.pattern:
        case Pattern.JUST_UNDER:
            sent = sum(not each.is_in for each in window)
            return max(sent, len(window) - sent) >= rule.count_min
        case Pattern.OFTEN:
            return len(window) >= rule.count_min
        case Pattern.MUCH:
            return (
                len(window) >= rule.count_min and sum(each.amount for each in window) >= rule.amount
            )
        case Pattern.THROUGH:
            return _went_through(rule, window)


def _went_through(rule: Rule, window: Sequence[Movement]) -> bool:
    """
    Whether enough came in, and nearly all of that went out after it.

    What went out before anything came in was theirs already; what comes back from whom it was
    sent to is a transfer undone, not money passed on.
    """
    came = gone = ins = outs = 0
    sources: set[int] = set()
    for each in window:
        if each.is_in:
            came, ins = came + each.amount, ins + 1
            sources.update(each.others)
        elif came and not (each.others and sources.issuperset(each.others)):
            gone, outs = gone + min(each.amount, came - gone), outs + 1
    is_enough = came >= rule.amount and gone * _WHOLE >= came * rule.share
    return is_enough and min(ins, outs) >= rule.count_min
