"""
What is asked for by SMS is ordered by a worker, and how often somebody was refused is looked up.

Safe when SMS are few.
"""

from __future__ import annotations

from alembic import op

revision = "sms_orders"
down_revision = "vouchers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "CREATE INDEX ix_outbox_sms_refused ON outbox (msisdn, staged_at)"
        " WHERE event = 'sms-refused'"
    )
    op.execute("GRANT INSERT ON orders TO kabambe_worker")


def downgrade() -> None:
    op.execute("REVOKE INSERT ON orders FROM kabambe_worker")
    op.execute("DROP INDEX ix_outbox_sms_refused")
