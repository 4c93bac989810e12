"""
What is over of logging in is cleared: the workers may delete it, and see of it when it was over.

Of a token or a ticket they see that instant alone. Three indexes on tables that no money goes by:
whoever logs in while they are made waits for them.
"""

from __future__ import annotations

from alembic import op

revision = "access_cleared"
down_revision = "lost_factors"
branch_labels = None
depends_on = None

TABLES = ("refreshes", "tickets", "sign_ins")
SEEN = "SELECT (expires_at) ON refreshes, tickets"
CLEARED = "DELETE ON refreshes, tickets, sign_ins, log_in_tries"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in TABLES:
        op.execute(f"CREATE INDEX ix_{table}_expires_at ON {table} (expires_at)")
    op.execute(f"GRANT {SEEN} TO kabambe_worker")
    op.execute(f"GRANT {CLEARED} TO kabambe_worker")


def downgrade() -> None:
    op.execute(f"REVOKE {CLEARED} FROM kabambe_worker")
    op.execute(f"REVOKE {SEEN} FROM kabambe_worker")
    for table in TABLES:
        op.execute(f"DROP INDEX ix_{table}_expires_at")
