"""
What makes a request for money back the same one when it is made again: a repeated hop's key.

A column that may be empty: safe under load. A door of before leaves it so.
"""

from __future__ import annotations

from alembic import op

revision = "keys_of_reversals"
down_revision = "hits_as_listed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute('ALTER TABLE reversals ADD COLUMN key text COLLATE "C"')
    op.execute("GRANT INSERT (key) ON reversals TO kabambe_web, kabambe_worker")


def downgrade() -> None:
    op.execute("ALTER TABLE reversals DROP COLUMN key")
