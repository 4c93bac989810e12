"""
Refresh tokens of staff are cleared when their log-in is over: who clears sees whose they are.

Grants alone: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "clear_staff"
down_revision = "keys_of_reversals"
branch_labels = None
depends_on = None

RIGHTS = "SELECT (log_in_id), DELETE ON staff_refreshes"


def upgrade() -> None:
    op.execute(f"GRANT {RIGHTS} TO kabambe_worker")


def downgrade() -> None:
    op.execute(f"REVOKE {RIGHTS} FROM kabambe_worker")
