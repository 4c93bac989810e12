"""
What the relay asks Postgres: which rows nobody has acted on, so that somebody is told again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from core.inbox import Inbox, Kind
from core.outbox import Category, Outbox

# What is still undone then has most likely lost its bell; should it only be slow, a second ring is
# heard and changes nothing. With the time to start a worker again it makes less than 15 s in all.
RING_AGAIN: Final = timedelta(seconds=10)
ROWS_MAX: Final = 200
_HURRIES: Final = "outbox.category <> 'promotional'"
_WRITTEN: Final = "inbox.kind <> 'sms-delivery'"


def due(
    session: Session,
    *,
    box: type[Outbox | Inbox],
    now: datetime,
    category: Category | None = None,
    provider: str | None = None,
    is_written: bool | None = None,
) -> list[int]:
    """
    Take the rows of a box whose time to be rung for has come, and set their next time.

    Ring before committing this: should the bell fail, the rows stay due. Of the outbox only what
    hurries is asked for here, codes and receipts apart; what is promotional is nobody's by name. Of
    the inbox, what one provider says; delivery reports, for which nobody waits, apart from what is
    written, where `is_written` says which.
    """
    rows = (
        select(box.id)
        .where(box.done_at.is_(None), box.ring_at <= now)
        .order_by(box.ring_at, box.id)
        .limit(ROWS_MAX)
        .with_for_update(skip_locked=True)
    )
    if category is not None:
        # The second as the partial index has it, for PostgreSQL to see that it may be used.
        rows = rows.where(Outbox.category == category.value, text(_HURRIES))
    if provider is not None:
        rows = rows.where(Inbox.provider == provider)
    if is_written is not None:
        # As the partial index has it, too.
        rows = rows.where(text(_WRITTEN) if is_written else Inbox.kind == Kind.SMS_DELIVERY.value)
    rung = update(box).where(box.id.in_(rows)).values(ring_at=now + RING_AGAIN).returning(box.id)
    return sorted(session.scalars(rung))
