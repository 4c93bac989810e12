"""
Endings of USSD sessions by their time, for the figures of a period: `./run sessions`.

Safe under load where little was told yet: the index is built under a lock that lets doors wait, a
second for a million letters.
"""

from __future__ import annotations

from alembic import op

revision = "sessions"
down_revision = "favourites"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE INDEX ix_inbox_ended ON inbox (received_at) WHERE kind = 'ussd-ended'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_inbox_ended")
