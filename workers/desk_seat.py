"""
Where staff sit: who somebody is, and what they do things with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from core import msisdn, subscribers
from core.audit import Actor
from core.db import Databases, transact
from core.seal import Anchor

R = TypeVar("R")


class Unfit(Exception):
    """What was asked for will not do; the words say what to do instead."""


class TailLost(Exception):
    """The database does not contain what was published: money stays where it is."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who sits there, and what they work with."""

    databases: Databases
    actor: Actor
    pepper: str
    now: datetime
    anchor: Anchor

    def do(self, work: Callable[[Session], R]) -> R:
        """Do something in one transaction, as a whole or not at all."""
        return transact(self.databases, work)

    def do_with_money(self, work: Callable[[Session], R]) -> R:
        """
        As `do`, for what moves money or says that it will not.

        Raises:
            TailLost: An old copy was restored: the decision may have been taken already.
        """

        def guarded(session: Session) -> R:
            if not self.anchor.holds(session):
                raise TailLost(
                    "No money moves: the log's tail is lost (seal.tail_lost in the runbook)."
                )
            return work(session)

        return self.do(guarded)

    def subscriber(self, number: str) -> int:
        """Whose number that is."""
        parsed = msisdn.parse(number)
        return self.do(lambda session: subscribers.recipient(session, msisdn=parsed).id)
