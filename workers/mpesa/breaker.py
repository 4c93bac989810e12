"""
The breaker: when something is wrong on our side no payout is sent, as each try may make it worse.

Where it is the initiator, nothing is asked in its name, either.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from core import rails
from core.rails import Provider
from workers.daraja import codes
from workers.resources import Resources

log = structlog.get_logger(__name__)


def trip(session: Session, *, code: str, why: str, now: datetime, lasts: timedelta | None) -> None:
    """
    Stop payouts, for a time or until staff let them go on.

    Args:
        session: The transaction that learns of it.
        code: What Safaricom, or our client, calls it.
        why: In words.
        now: When.
        lasts: How long; None: until staff say so.
    """
    until = None if lasts is None else now + lasts
    if rails.open_breaker(
        session,
        provider=Provider.MPESA,
        code=code,
        why=why,
        now=now,
        until=until,
        replaces=code in codes.BROKEN_INITIATOR,
    ):
        log.error("mpesa.payouts_stopped", code=code, why=why, lasts=lasts and str(lasts))


def bars_questions(session: Session, *, now: datetime) -> bool:
    """Whether our initiator is broken, so that nothing may be asked in its name until it is not."""
    found = rails.breaker(session, provider=Provider.MPESA, now=now)
    return found is not None and found.code in codes.BROKEN_INITIATOR


def may_ask(have: Resources, session: Session) -> bool:
    """Whether questions may be asked in our initiator's name, and what they bring be booked."""
    return have.anchor.holds(session) and not bars_questions(session, now=have.clock())
