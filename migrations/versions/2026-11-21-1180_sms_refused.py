"""How often somebody was refused by SMS is looked up at each such SMS. Safe when SMS are few."""

from __future__ import annotations

from alembic import op

revision = "sms_refused"
down_revision = "vouchers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "CREATE INDEX ix_outbox_sms_refused ON outbox (msisdn, staged_at)"
        " WHERE event = 'sms-refused'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_outbox_sms_refused")
