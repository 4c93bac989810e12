"""
What is asked for by SMS is ordered by a worker, and how often somebody was refused is looked up.

Safe when SMS are few.
"""

from __future__ import annotations

from alembic import op

revision = "sms_orders"
down_revision = "reconciliation"
branch_labels = None
depends_on = None

# As the web's: an order that is placed has no outcome yet, and is nobody's to number.
GRANT = """
GRANT INSERT (key, kind, reference, subscriber_id, args, args_hash, placed_at)
    ON orders TO kabambe_worker
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "CREATE INDEX ix_outbox_sms_refused ON outbox (msisdn, staged_at)"
        " WHERE event = 'sms-refused'"
    )
    op.execute(GRANT)


def downgrade() -> None:
    op.execute(GRANT.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
    op.execute("DROP INDEX ix_outbox_sms_refused")
