"""When a hop must be answered: one moment, carried through everything that may wait."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of `time.monotonic`. Whoever waits asks how much is left, so waits never add up."""

    at: float = math.inf

    @classmethod
    def within(cls, seconds: float) -> Self:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """How many seconds are left; zero when it has passed."""
        return max(self.at - time.monotonic(), 0.0)


NEVER = Deadline()
