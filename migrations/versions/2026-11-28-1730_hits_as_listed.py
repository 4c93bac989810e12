"""
A cleared hit counts while the list says what it said then.

Hits of before are of what the list says now, unless that came later: those hit once more. A small
table; whoever is just screened waits.
"""

from __future__ import annotations

import hashlib
import json

from alembic import op
from sqlalchemy import text

revision = "hits_as_listed"
down_revision = "spending_looked_at"
branch_labels = None
depends_on = None

DIGESTS = """
ALTER TABLE hits ADD COLUMN entry_digest bytea NOT NULL DEFAULT '\\x'::bytea,
    DROP CONSTRAINT uq_hits_subscriber_id,
    ADD CONSTRAINT uq_hits_subscriber_id
        UNIQUE (subscriber_id, source, list_id, entry_digest);
GRANT INSERT (entry_digest) ON hits TO kabambe_worker;
"""
LISTED = """
SELECT h.id, s.name, s.aliases, s.numbers, s.born
FROM hits h JOIN sanctions s ON s.source = h.source AND s.list_id = h.list_id
WHERE s.loaded_at <= h.found_at
"""
BEFORE = """
DELETE FROM hits h USING hits newer
WHERE (newer.subscriber_id, newer.source, newer.list_id)
    = (h.subscriber_id, h.source, h.list_id) AND newer.id > h.id;
ALTER TABLE hits DROP CONSTRAINT uq_hits_subscriber_id, DROP COLUMN entry_digest,
    ADD CONSTRAINT uq_hits_subscriber_id UNIQUE (subscriber_id, source, list_id);
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(DIGESTS)
    op.execute("ALTER TABLE hits DISABLE TRIGGER clearing_is_final")
    for row in op.get_bind().execute(text(LISTED)).all():
        said = [row.name, *(sorted(each) for each in (row.aliases, row.numbers, row.born))]
        digest = hashlib.sha256(json.dumps(said).encode()).digest()
        op.get_bind().execute(
            text("UPDATE hits SET entry_digest = :digest WHERE id = :id"),
            {"digest": digest, "id": row.id},
        )
    op.execute("ALTER TABLE hits ENABLE TRIGGER clearing_is_final")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(BEFORE)
