"""
The relay is told which table has something new, and of payouts as soon as they are asked for.

Events alone are many a second under load: it need not ask for everything else each time. A relay
of before takes any notice for one of everything, as before; one of now does so with an empty one.
"""

from __future__ import annotations

from alembic import op

revision = "notices_by_table"
down_revision = "access_cleared"
branch_labels = None
depends_on = None

NOTIFY = """
CREATE OR REPLACE FUNCTION notify_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('relay', {table});
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(NOTIFY.format(table="TG_TABLE_NAME"))
    op.execute(
        "CREATE TRIGGER notify_relay AFTER INSERT ON withdrawals"
        " FOR EACH STATEMENT EXECUTE FUNCTION notify_relay()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER notify_relay ON withdrawals")
    op.execute(NOTIFY.format(table="''"))
