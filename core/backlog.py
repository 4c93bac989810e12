"""
How far the workers are behind: the age of the oldest thing nobody has done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Backlog:
    """
    Ages of the oldest undone rows; zero where everything is done.

    Promotional messages do not count: they wait for the morning, and for everything else.
    """

    order: timedelta
    outbox: timedelta
    inbox: timedelta


_OLDEST = text("""
    SELECT (SELECT placed_at FROM orders WHERE state = 'placed' ORDER BY id LIMIT 1),
           (SELECT min(staged_at) FROM outbox
            WHERE done_at IS NULL AND category <> 'promotional'),
           (SELECT min(received_at) FROM inbox WHERE done_at IS NULL)
""")


def oldest(session: Session, *, now: datetime) -> Backlog:
    """Measure the backlog."""
    row = session.execute(_OLDEST).one()
    return Backlog(*(now - at if at is not None else timedelta(0) for at in row))
