"""
A breaker: whoever finds that an engine does not answer spares everybody else the same wait.

A process has few threads. Where each of them waits for a frozen engine in its turn, hops stand in
line before they are heard, and no deadline of theirs has begun yet (docs/decisions/0015).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

# A probe that nobody heard of for so long is over, whatever became of it.
PROBE_SECONDS: Final = 2.0


class Way(Enum):
    """Whether to ask an engine."""

    OPEN = auto()
    """It answers: ask."""
    PROBE = auto()
    """It did not answer; find out whether it does now, within `PROBE_SECONDS`."""
    SHUT = auto()
    """It did not answer, and somebody is finding out: do not ask."""


class Breaker:
    """What the threads of one process know of an engine; shut from a silence to the next answer."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin open, by a clock in seconds."""
        self._monotonic = monotonic
        self._mutex = threading.Lock()
        self._is_silent = False
        self._probed_until = 0.0

    def way(self) -> Way:
        """Whether to ask now. Of those who come while it is silent, one at a time is to probe."""
        if not self._is_silent:
            return Way.OPEN
        with self._mutex:
            now = self._monotonic()
            if now < self._probed_until:
                return Way.SHUT
            self._probed_until = now + PROBE_SECONDS
            return Way.PROBE

    def answered(self) -> None:
        """Say that it answered, if only with a refusal."""
        if self._is_silent:
            with self._mutex:
                self._is_silent, self._probed_until = False, 0.0

    def was_silent(self) -> None:
        """Say that it did not answer in time. A probe that is under way stays the only one."""
        self._is_silent = True

    def probed(self) -> None:
        """Say that a probe is over: the next who comes may probe, if it was in vain."""
        with self._mutex:
            self._probed_until = 0.0
