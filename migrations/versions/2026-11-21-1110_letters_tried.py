"""
How often a letter was tried to be understood, and whom we have told that we did not understand.

Safe under load: a column with a constant default, and an index on the few rows of one event.
"""

from __future__ import annotations

from alembic import op

revision = "letters_tried"
down_revision = "checked_once"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE inbox ADD COLUMN tries integer NOT NULL DEFAULT 0;
GRANT UPDATE (tries) ON inbox TO kabambe_worker;
CREATE INDEX ix_outbox_not_understood ON outbox (msisdn, staged_at)
    WHERE event = 'sms-not-understood';
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP INDEX ix_outbox_not_understood")
    op.execute("ALTER TABLE inbox DROP COLUMN tries")
