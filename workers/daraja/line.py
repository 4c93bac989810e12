"""
The line to Safaricom: the client, how fast it may be used, and what we believe without asking.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from redis.exceptions import RedisError

from core.money import Money
from core.outbox import Category
from workers.daraja.client import Daraja
from workers.errors import Blocked, CallFailed, Unknown, Unreachable
from workers.pace import Pace

R = TypeVar("R")

PACE: Final = "kabambe:mpesa:pace"
# While staff have something to mend, one prompt a minute goes to see whether they have.
_BLOCKED_SECONDS: Final = 60.0


class Hurry(Enum):
    """Who may be ahead of an even pace: money is, and questions go when no money wants to."""

    MONEY = Category.RECEIPT
    QUESTION = Category.PROMOTIONAL


@dataclass(frozen=True, slots=True)
class Line:
    """
    Opened once per process.

    Args:
        client: Calls.
        pace: How fast; shared by all workers.
        confirm_above: Above which amount a callback alone is not believed.
        float_least: With less than this to pay out from, staff are alerted.
    """

    client: Daraja
    pace: Pace
    confirm_above: Money
    float_least: Money

    def has_turn(self, hurry: Hurry, *, until: float) -> bool:
        """Wait for our turn; False when it does not come in time, or Redis does not say."""
        try:
            return self.pace.enter(hurry.value, until=until)
        except RedisError:
            return False

    def leave(self) -> None:
        """Give a turn back that was not used."""
        with suppress(RedisError):
            self.pace.leave()

    def call(self, ask: Callable[[], R], *, is_prompt: bool = False) -> R:
        """
        Call, and let the pace follow from what came of it.

        What is wrong with another product of ours than prompts slows nobody's pace: payouts have
        their breaker, and questions their times.

        Raises:
            Rejected, Blocked, Unreachable, Unknown: As the call.
        """
        try:
            answered = ask()
        except CallFailed as failure:
            with suppress(RedisError):
                self._slow_down(failure, is_prompt=is_prompt)
            raise
        with suppress(RedisError):
            self.pace.speed_up()
        return answered

    def prompt(self, ask: Callable[[], R], hurry: Hurry, *, until: float) -> R:
        """
        Prompt, and prompt again, in turn, while it is certain that nothing has come of it.

        Raises:
            Rejected, Blocked, Unknown: As the call.
            Unreachable: As the call; there was no time for another.
        """
        while True:
            try:
                return self.call(ask, is_prompt=True)
            except Unreachable as failure:
                wait_seconds = failure.retry_after_seconds or 0.5
                if time.monotonic() + wait_seconds >= until:
                    raise
                time.sleep(wait_seconds)
                if not self.has_turn(hurry, until=until):
                    raise

    def _slow_down(self, failure: CallFailed, *, is_prompt: bool) -> None:
        if isinstance(failure, Blocked) and is_prompt:
            self.pace.slow_down(least_seconds=_BLOCKED_SECONDS)
        elif isinstance(failure, Unreachable):
            self.pace.slow_down(least_seconds=failure.retry_after_seconds or 0)
        elif isinstance(failure, Unknown) and failure.is_silence:
            self.pace.slow_down()
