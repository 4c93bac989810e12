"""
What is restarted while people call: gently, and without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.stack import Stack, until
from bench.town.log import Log
from sandbox import product


@dataclass(frozen=True, slots=True)
class Restart:
    """
    One thing is taken away and brought back.

    Args:
        at: When, as a share of all calls made.
        name: The process.
        is_killed: Whether it is given no time to end.
    """

    at: float
    name: str
    is_killed: bool = False

    @property
    def title(self) -> str:
        return f"{self.name} {'killed' if self.is_killed else 'restarted'}"


RESTARTS: Final[Sequence[Restart]] = (
    Restart(0.15, "ledger"),
    Restart(0.3, "web"),
    Restart(0.45, "ledger", is_killed=True),
    Restart(0.55, "sms", is_killed=True),
    Restart(0.65, "web", is_killed=True),
    Restart(0.75, "mpesa"),
    Restart(0.8, "relay", is_killed=True),
)


async def trouble(
    house: Stack, log: Log, *, share: asyncio.Event, turn: asyncio.Lock, each: Restart
) -> None:
    """Wait for the time to come and for the one before to be over; take it away, bring it back."""
    await share.wait()
    async with turn:
        began = log.trouble_begins(each.title)
        await asyncio.to_thread(_restart, house, each)
        log.trouble_ends(each.title, began)


def _restart(house: Stack, each: Restart) -> None:
    process = house.processes[each.name]
    command = [str(part) for part in process.args]  # type: ignore[union-attr]
    if each.is_killed:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in (process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(10)
        house.processes.pop(each.name)
    else:
        house.stop(each.name)
    house.start(each.name, command)
    if each.name == "web":
        until(lambda: product.answers(house.ports.web, "/ready"))
