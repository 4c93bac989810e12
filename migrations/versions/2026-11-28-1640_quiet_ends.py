"""
How USSD sessions ended wakes nobody: there is nothing to be done about it.

The triggers are exchanged in one transaction; no letter comes in between without one.
"""

from __future__ import annotations

from alembic import op

revision = "quiet_ends"
down_revision = "notices_by_table"
branch_labels = None
depends_on = None

AGAIN = """
DROP TRIGGER notify_relay ON inbox;
CREATE TRIGGER notify_relay AFTER INSERT ON inbox FOR EACH {each} EXECUTE FUNCTION notify_relay();
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(AGAIN.format(each="ROW WHEN (NEW.done_at IS NULL)"))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(AGAIN.format(each="STATEMENT"))
