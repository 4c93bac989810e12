"""
Whoever is suspended is logged in nowhere: the workers, who suspend, may end devices.

Grants alone: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "suspended_devices"
down_revision = "paybill_asks"
branch_labels = None
depends_on = None

RIGHTS = (
    "SELECT (id, public_id, subscriber_id, revoked_at), UPDATE (revoked_at, revoked_because)"
    " ON devices"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(f"GRANT {RIGHTS} TO kabambe_worker")


def downgrade() -> None:
    op.execute(f"REVOKE {RIGHTS} FROM kabambe_worker")
