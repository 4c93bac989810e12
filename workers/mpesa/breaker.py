"""
The breaker: when something is wrong on our side no payout is sent, as each try may make it worse.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from core import rails
from core.rails import Provider

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
        session, provider=Provider.MPESA, code=code, why=why, now=now, until=until
    ):
        log.error("mpesa.payouts_stopped", code=code, why=why, lasts=lasts and str(lasts))
