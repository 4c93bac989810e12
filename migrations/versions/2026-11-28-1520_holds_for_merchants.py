"""
Holds for merchants: whom a hold is for, and the reference of the order that placed it.

Safe under load: two columns without a value, and indexes over few rows.
"""

from __future__ import annotations

from alembic import op

revision = "holds_for_merchants"
down_revision = "merchants"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE holds
    ADD COLUMN beneficiary_id bigint
        CONSTRAINT fk_holds_beneficiary_id REFERENCES subscribers (id),
    ADD COLUMN reference text CONSTRAINT uq_holds_reference UNIQUE;
CREATE INDEX ix_holds_beneficiary_id ON holds (beneficiary_id);
CREATE INDEX ix_holds_owner_id ON holds (owner_id);
GRANT INSERT (beneficiary_id, reference) ON holds TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(COLUMNS)


def downgrade() -> None:
    op.execute("DROP INDEX ix_holds_owner_id")
    op.execute("ALTER TABLE holds DROP COLUMN beneficiary_id, DROP COLUMN reference")
