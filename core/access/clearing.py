"""
Clearing: what is over of logging in, and lets nobody in and tells on nobody, is deleted.

A used refresh token is kept for as long as it would have been good, whatever its device is: shown
again until then, it ends the family. Later it is refused as one that is over, and as one that is
not there, alike. Those of staff go with their log-in, which stays. What people did is in the audit
log, which nothing here touches.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.access import tries

# Whoever looks into what happened yesterday still finds the rows.
KEPT_FOR: Final = timedelta(days=1)
CLEARED_MAX: Final = 1_000

# Of tokens and tickets a worker sees when they are over, and nothing else: a lot goes by that.
_CLEARED: Final = {
    table: text(f"""
        WITH gone AS (
            DELETE FROM {table} WHERE expires_at <= :before AND expires_at <= (
                SELECT max(o.expires_at) FROM (
                    SELECT expires_at FROM {table} WHERE expires_at <= :before
                    ORDER BY expires_at LIMIT :most) o)
            RETURNING 1)
        SELECT count(*) FROM gone
    """)  # noqa: S608 - our own words
    for table in ("refreshes", "tickets", "sign_ins")
}
_OF_STAFF: Final = text("""
    WITH gone AS (
        DELETE FROM staff_refreshes WHERE log_in_id IN (
            SELECT r.log_in_id FROM staff_refreshes r JOIN staff_log_ins l ON l.id = r.log_in_id
            WHERE l.ends_at <= :before LIMIT :most)
        RETURNING 1)
    SELECT count(*) FROM gone
""")
# Whoever tries at this moment has the row: what they make of it is looked at anew.
_FORGOTTEN: Final = text("""
    WITH gone AS (
        DELETE FROM log_in_tries
        WHERE tried_at <= :forgotten AND (locked_until IS NULL OR locked_until <= :now)
          AND subject IN (
              SELECT subject FROM log_in_tries
              WHERE tried_at <= :forgotten AND (locked_until IS NULL OR locked_until <= :now)
              LIMIT :most)
        RETURNING 1)
    SELECT count(*) FROM gone
""")


def clear(session: Session, *, now: datetime) -> int:
    """
    Delete a lot of what is over of each kind; return how much it was.

    Args:
        session: A worker's.
        now: When.
    """
    given = {"before": now - KEPT_FOR, "most": CLEARED_MAX}
    over = (*_CLEARED.values(), _OF_STAFF)
    gone = sum(session.execute(cleared, given).scalar_one() for cleared in over)
    forgotten = session.execute(
        _FORGOTTEN, {"now": now, "forgotten": now - tries.TRIES_FOR, "most": CLEARED_MAX}
    )
    return int(gone) + int(forgotten.scalar_one())
