"""
What happened in the town, as it happened.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

from bench.figures import say
from bench.town.wire import Heard

# After something was restarted: the lease of a hop that died with it is ten seconds.
_TROUBLE_SECONDS: Final = 14.0
_WRONG_KEPT_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something was restarted: what, and from when to when it was away, in seconds."""

    name: str
    began: float
    ended: float


@dataclass
class Log:
    """
    Everything that was seen.

    Args:
        hops: Of every answered hop: when (seconds since the beginning), how long, of what kind.
        faults: What went wrong on the way on purpose, and how often.
        plans: By flow, how often it was begun and brought to its end.
        left: The screens on which people hung up, or were cut off.
        letters: By kind, how many SMS were written and went through, a code said again with them.
    """

    began: float = field(default_factory=time.perf_counter)
    hops: list[tuple[float, float, str]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    plans: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    left: Counter[str] = field(default_factory=Counter)
    letters: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    excuses: Counter[str] = field(default_factory=Counter)
    troubles: list[Trouble] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    wrong_count: int = 0
    under_way: str = ""
    _trouble_until: float = 0.0

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.began

    def hop(self, kind: str, heard: Heard) -> None:
        """A hop was answered."""
        self.hops.append((self.now, heard.seconds, kind))
        if heard.lost:
            self.faults["connection lost"] += heard.lost

    def unheard(self, session_id: str) -> None:
        """A hop was not answered in time."""
        self.faults["not answered in time"] += 1
        if not self.in_trouble():
            self.wrong(f"no answer within ten seconds in {session_id}")

    def wrong(self, what: str) -> None:
        """Something was answered that should not have been."""
        self.wrong_count += 1
        if len(self.wrongs) < _WRONG_KEPT_MAX:
            self.wrongs.append(f"{self.now:.1f} s: {what}")
            say(f"wrong: {self.wrongs[-1]}")

    def trouble_begins(self, name: str) -> float:
        """Something is about to be taken away; returns when."""
        self.under_way = name
        return self.now

    def trouble_ends(self, name: str, began: float) -> None:
        """It is back."""
        self.troubles.append(Trouble(name, began, self.now))
        self.under_way = ""
        self._trouble_until = self.now + _TROUBLE_SECONDS

    def was_away(self, name: str, *, seconds: float) -> bool:
        """Whether a process was away at any time in the last so many seconds."""
        began = self.now - seconds
        return self.under_way.startswith(name) or any(
            trouble.name.startswith(name) and trouble.ended >= began for trouble in self.troubles
        )

    def in_trouble(self) -> bool:
        """Whether something is being restarted, or was a moment ago."""
        return bool(self.under_way) or self.now < self._trouble_until

    def percentile(self, share: float, *kinds: str) -> float:
        """Milliseconds within which this share of the hops (of these kinds) was answered."""
        found = sorted(took for _at, took, kind in self.hops if not kinds or kind in kinds)
        return 1000 * found[min(int(len(found) * share), len(found) - 1)] if found else 0.0
