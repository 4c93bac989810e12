"""
No row of spending is less than nothing: looked at while everybody goes on spending.
"""

from __future__ import annotations

from alembic import op

revision = "spending_looked_at"
down_revision = "unspent_as_spent"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "UPDATE spending SET amount = greatest(amount, 0), count = greatest(count, 0)"
        " WHERE amount < 0 OR count < 0"
    )
    op.execute("ALTER TABLE spending VALIDATE CONSTRAINT ck_spending_spent")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "ALTER TABLE spending DROP CONSTRAINT ck_spending_spent, ADD CONSTRAINT ck_spending_spent"
        " CHECK (amount >= 0 AND count >= 0) NOT VALID"
    )
