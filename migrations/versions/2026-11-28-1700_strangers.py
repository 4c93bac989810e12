"""
How many numbers without an account somebody has asked for in a day.

A new table: safe under load. A door of before counts none.
"""

from __future__ import annotations

from alembic import op

revision = "strangers"
down_revision = "mirrors_and_prices"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE strangers (
    subscriber_id bigint NOT NULL CONSTRAINT pk_strangers PRIMARY KEY
        CONSTRAINT fk_strangers_subscriber_id REFERENCES subscribers (id),
    asked integer NOT NULL,
    first_at timestamptz NOT NULL
);
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE (asked, first_at) ON strangers TO kabambe_web, kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (TABLE, GRANTS):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP TABLE strangers")
