"""
What programs see: a name for each quote, and of vouchers what became of one's own batches.

A row's number would tell how many quotes there were. Of vouchers the web may read nothing but what
these functions tell. Rewrites `quotes`, of which only the last minute matters: for a moment nobody
is quoted a price.
"""

from __future__ import annotations

from alembic import op

revision = "for_programs"
down_revision = "rail_tariffs"
branch_labels = None
depends_on = None

NAMED = """
ALTER TABLE quotes ADD COLUMN public_id uuid NOT NULL DEFAULT gen_random_uuid()
    CONSTRAINT uq_quotes_public_id UNIQUE;
"""

BATCHES = """
CREATE FUNCTION batches_of(p_issuer bigint) RETURNS TABLE (
    number integer, value bigint, currency text, count integer, redeemed bigint,
    refunded integer, issued_at timestamptz, expires_at timestamptz, cancelled_at timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT b.id, b.value, b.currency, b.count,
           (SELECT count(*) FROM vouchers v WHERE v.batch_id = b.id AND v.state = 'redeemed'),
           b.refunded, b.issued_at, b.expires_at, b.cancelled_at
    FROM voucher_batches b WHERE b.issuer_id = p_issuer ORDER BY b.id DESC LIMIT 100
$$;
REVOKE EXECUTE ON FUNCTION batches_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batches_of TO kabambe_web;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(NAMED)
    op.execute(BATCHES)


def downgrade() -> None:
    op.execute("DROP FUNCTION batches_of")
    op.execute("ALTER TABLE quotes DROP COLUMN public_id")
