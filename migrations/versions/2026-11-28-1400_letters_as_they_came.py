"""
Letters that are kept byte by byte, with where they came from, and rung for by who wrote them: what
one provider's worker is too busy for must not stand before another's.

Safe under load: the columns have no defaults, and the index is of the few letters that are not
done; doors wait while it is built, for milliseconds.
"""

from __future__ import annotations

from alembic import op

revision = "letters_as_they_came"
down_revision = "a_fee_in_two_looks"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE inbox ADD COLUMN body bytea, ADD COLUMN token_hash bytea, ADD COLUMN origin text;
DROP INDEX ix_inbox_undone;
CREATE INDEX ix_inbox_undone ON inbox (provider, ring_at, id) WHERE done_at IS NULL;
GRANT INSERT (body, token_hash, origin) ON inbox TO kabambe_web;
"""

UNDONE = """
DROP INDEX ix_inbox_undone;
CREATE INDEX ix_inbox_undone ON inbox (ring_at, id) WHERE done_at IS NULL;
ALTER TABLE inbox DROP COLUMN body, DROP COLUMN token_hash, DROP COLUMN origin;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(UNDONE)
