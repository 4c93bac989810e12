"""
Walk every way through the menus that there is: a flow for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from atlas.answers import BEGINNINGS, Answer, Beginning, answers
from atlas.world import Phone, Seen, Worlds
from core.subscribers import Language
from menus.screens.home import Home
from menus.screens.register import Welcome

HOPS_MAX: Final = 20
FIRST: Final = (Home, Welcome)


@dataclass(frozen=True, slots=True)
class Hop:
    """What was typed (nothing, to begin with), and what was seen then."""

    typed: str
    seen: Seen


@dataclass(frozen=True, slots=True)
class Flow:
    """One way from the first screen to where it ends, or to what a wrong answer is told."""

    beginning: Beginning
    hops: tuple[Hop, ...]


def walk(worlds: Worlds, language: Language) -> list[Flow]:
    """Walk everything, as somebody who reads this language."""
    return [flow for beginning in BEGINNINGS for flow in _explore(worlds, language, beginning)]


def _explore(worlds: Worlds, language: Language, beginning: Beginning) -> Iterator[Flow]:
    """
    Try the first answer of every screen until there is none, then the others, the last one first.

    Each way is walked from its beginning, in a world where nobody has walked another.
    """
    ways: list[tuple[Answer, ...]] = [()]
    while ways:
        way = ways.pop()
        with worlds.new(language) as world:
            beginning.before(world)
            phone = Phone(world, beginning.msisdn)
            hops = [Hop(beginning.code, phone.dial(beginning.code))]
            while True:
                step = len(hops) - 1
                if step == len(way):
                    tried = _answers(beginning, hops)
                    if not tried:
                        break
                    ways += [(*way, other) for other in reversed(tried[1:])]
                    way = (*way, tried[0])
                answer = way[step]
                hops.append(Hop(answer.told(world), phone.types(answer.in_(world))))
        yield Flow(beginning, tuple(hops))


def _answers(beginning: Beginning, hops: Sequence[Hop]) -> Sequence[Answer]:
    """What to try next: nothing where the session ended, or where it went no further."""
    seen = hops[-1].seen
    if beginning.script:
        return beginning.script[len(hops) - 1 : len(hops)]
    if seen.ends or not _went_on(hops):
        return ()
    assert len(hops) <= HOPS_MAX, f"this leads nowhere: {[hop.typed for hop in hops]}"
    return answers(seen.screen, offered=seen.offered)


def _went_on(hops: Sequence[Hop]) -> bool:
    """Whether the last answer led on: not one that was refused, and not back to the beginning."""
    if len(hops) == 1:
        return True
    before, now = (hop.seen for hop in hops[-2:])
    return now.depth > before.depth and type(now.screen) not in FIRST
