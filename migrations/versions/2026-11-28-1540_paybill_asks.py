"""
How often the provider was asked about a payment to our paybill, and when it is asked next.

Two columns that need no rewriting, and one index made anew over the few that are open: safe under
load.
"""

from __future__ import annotations

from alembic import op

revision = "paybill_asks"
down_revision = "staff"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE paybill_payments ADD COLUMN asks integer NOT NULL DEFAULT 0,
    ADD COLUMN next_ask_at timestamptz;
UPDATE paybill_payments SET next_ask_at = received_at WHERE state = 'unconfirmed';
DROP INDEX ix_paybill_payments_unconfirmed;
CREATE INDEX ix_paybill_payments_asked ON paybill_payments (next_ask_at)
    WHERE state = 'unconfirmed';
GRANT INSERT (next_ask_at), UPDATE (asks, next_ask_at) ON paybill_payments TO kabambe_worker;
"""

UNDONE = """
DROP INDEX ix_paybill_payments_asked;
CREATE INDEX ix_paybill_payments_unconfirmed ON paybill_payments (received_at)
    WHERE state = 'unconfirmed';
ALTER TABLE paybill_payments DROP COLUMN asks, DROP COLUMN next_ask_at;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(CHANGES)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(UNDONE)
