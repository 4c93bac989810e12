"""
Messages by how much they hurry: promotional ones go last, and apart. What is known of the line to
the provider of SMS: its credit, and whether it takes our sender id. The provider's own word in a
delivery report, and how somebody came to be opted out.

Columns with constant defaults, and two indexes of the few rows that are not done: their building
reads the outbox once, and staging waits for it.
"""

from __future__ import annotations

from alembic import op

revision = "sending"
down_revision = "otp"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE outbox ADD COLUMN category text NOT NULL DEFAULT 'receipt'
    CONSTRAINT ck_outbox_category CHECK (category IN ('code', 'receipt', 'promotional'));
ALTER TABLE delivery_reports ADD COLUMN status text;
ALTER TABLE opt_outs ADD COLUMN source text NOT NULL DEFAULT 'asked'
    CONSTRAINT ck_opt_outs_source CHECK (source IN ('asked', 'network'));
ALTER TABLE opt_outs ADD COLUMN has_come_back boolean NOT NULL DEFAULT false;

CREATE TABLE sms_line (
    provider text NOT NULL CONSTRAINT pk_sms_line PRIMARY KEY,
    credit bigint,
    credit_told_at timestamptz,
    credit_gone_at timestamptz,
    alerted_at timestamptz,
    sender_refused_at timestamptz
);
"""

INDEXES = """
DROP INDEX ix_outbox_undone;
CREATE INDEX ix_outbox_undone ON outbox (ring_at, id)
    WHERE done_at IS NULL AND category <> 'promotional';
CREATE INDEX ix_outbox_promotional ON outbox (ring_at, id)
    WHERE done_at IS NULL AND category = 'promotional';
"""

GRANTS = """
GRANT INSERT (category) ON outbox TO kabambe_web, kabambe_worker;
GRANT SELECT, INSERT, UPDATE ON sms_line TO kabambe_worker;
GRANT UPDATE (opted_out_at, source, has_come_back) ON opt_outs TO kabambe_worker;
"""

UNDONE = """
DROP INDEX ix_outbox_promotional;
DROP INDEX ix_outbox_undone;
DROP TABLE sms_line;
REVOKE UPDATE (opted_out_at, source) ON opt_outs FROM kabambe_worker;
DELETE FROM opt_outs WHERE has_come_back;
ALTER TABLE opt_outs DROP COLUMN source, DROP COLUMN has_come_back;
ALTER TABLE delivery_reports DROP COLUMN status;
ALTER TABLE outbox DROP COLUMN category;
CREATE INDEX ix_outbox_undone ON outbox (ring_at, id) WHERE done_at IS NULL;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)
    op.execute(INDEXES)
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(UNDONE)
