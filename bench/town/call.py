"""
One person's call as the aggregator and the handset make it: once, doubled, at once, or cut off.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bench.town.log import Log
from bench.town.wire import Heard, Unheard, Wire
from menus import gsm7, networks

HOP_SECONDS_MAX: Final = 8.5
# Nobody hears a hop while there is no web: then it is in time if the aggregator still waits.
AGGREGATOR_SECONDS_MAX: Final = 10.0
# What is said in words when we are in trouble: allowed while something is being restarted.
EXCUSES: Final = frozenset({"session.Busy", "session.InDoubt", "session.Failed"})


class How(StrEnum):
    """How a hop reaches us."""

    ONCE = "once"
    TWICE = "twice"
    """Repeated after it was answered."""
    AT_ONCE = "at once"
    """Two at the same time."""


@dataclass
class Call:
    """
    A session: what was typed so far, and what is on the handset.

    Args:
        wire: To the doors.
        log: Where everything is written down.
        path: Of the USSD door.
        session_id: The session's name.
        msisdn: Who calls.
        network: The aggregator's code for their network.
    """

    wire: Wire
    log: Log
    path: str
    session_id: str
    msisdn: str
    network: str
    typed: list[str] = field(default_factory=list)
    screens: list[str] = field(default_factory=list)
    said: Heard | None = None

    async def dial(self) -> Heard:
        """Begin."""
        return await self._hop("", How.ONCE, kind="dial")

    async def types(self, answer: str, *, kind: str, how: How = How.ONCE) -> Heard:
        """
        Answer what is on the handset.

        Raises:
            Unheard: No answer came in time.
        """
        self.typed.append(answer)
        return await self._hop("*".join(self.typed), how, kind=kind)

    async def _hop(self, text: str, how: How, *, kind: str) -> Heard:
        form = {
            "sessionId": self.session_id,
            "phoneNumber": self.msisdn,
            "networkCode": self.network,
            "serviceCode": "*384#",
            "text": text,
        }
        try:
            if how is How.AT_ONCE:
                heard, other = await asyncio.gather(
                    self.wire.post(self.path, form), self.wire.post(self.path, form)
                )
                self._same(heard, other, how)
            else:
                heard = await self.wire.post(self.path, form)
                if how is How.TWICE:
                    self._same(heard, await self.wire.post(self.path, form), how)
        except Unheard:
            self.log.unheard(self.session_id)
            raise
        self.said = heard
        self.screens.append(heard.screen)
        self.log.hop(kind, heard)
        is_away = self.log.was_away("web", seconds=heard.seconds)
        if heard.seconds > (AGGREGATOR_SECONDS_MAX if is_away else HOP_SECONDS_MAX):
            self.log.wrong(f"a hop took {heard.seconds:.1f} s: {heard.screen}")
        self._within_budget(heard)
        return heard

    def _same(self, heard: Heard, other: Heard, how: How) -> None:
        self.log.faults[how.value] += 1
        excused = EXCUSES & {heard.screen, other.screen}
        if heard.body != other.body and not (excused and self.log.in_trouble()):
            self.log.wrong(f"{how}: two answers to one hop: {heard.body!r}, {other.body!r}")

    def _within_budget(self, heard: Heard) -> None:
        if not heard.body.startswith(("CON ", "END ")):
            self.log.wrong(f"neither CON nor END: {heard.body!r}")
            return
        try:
            length = gsm7.septets(heard.body)
        except ValueError as error:
            self.log.wrong(f"{error}: {heard.body!r}")
            return
        if length > networks.of(self.network).septets_max:
            self.log.wrong(f"{length} septets on network {self.network}: {heard.body!r}")

    @property
    def is_over(self) -> bool:
        return self.said is not None and self.said.body.startswith("END ")

    @property
    def words(self) -> str:
        return "" if self.said is None else self.said.body[4:]

    @property
    def screen(self) -> str:
        return "" if self.said is None else self.said.screen
