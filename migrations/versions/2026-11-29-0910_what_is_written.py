"""
What people write is found apart from delivery reports, which are many and may wait.

An index over what is undone: made while letters come, it holds them up for as long as reading the
inbox takes. Run it when few are about.
"""

from __future__ import annotations

from alembic import op

revision = "what_is_written"
down_revision = "clear_staff"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "CREATE INDEX ix_inbox_written ON inbox (provider, ring_at, id)"
        " WHERE done_at IS NULL AND kind <> 'sms-delivery'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_inbox_written")
