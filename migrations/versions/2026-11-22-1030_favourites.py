"""
Finding what a phone asks about: a person's newest orders; what became of a transfer asked back.

The index on a person's orders is made anew, with their order. Orders wait while that is built,
about a second for each million: run it when few are about.
"""

from __future__ import annotations

from alembic import op

revision = "favourites"
down_revision = "fewer_steps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE INDEX ix_orders_newest ON orders (subscriber_id, id)")
    op.execute("DROP INDEX ix_orders_subscriber_id")
    op.execute("CREATE INDEX ix_reversals_order_id ON reversals (order_id)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_reversals_order_id")
    op.execute("CREATE INDEX ix_orders_subscriber_id ON orders (subscriber_id)")
    op.execute("DROP INDEX ix_orders_newest")
