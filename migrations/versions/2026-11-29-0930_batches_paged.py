"""
Batches of vouchers are told page by page: the function takes where to go on, and how many.

A server of before calls it with the issuer alone, and is told the newest hundred as it was. The
index is over a small table; whoever issues vouchers meanwhile waits for it.
"""

from __future__ import annotations

from alembic import op

revision = "batches_paged"
down_revision = "rails_found"
branch_labels = None
depends_on = None

BEFORE = """
CREATE FUNCTION batches_of(p_issuer bigint) RETURNS TABLE (
    number integer, value bigint, currency text, count integer, redeemed bigint,
    refunded integer, issued_at timestamptz, expires_at timestamptz, cancelled_at timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT b.id, b.value, b.currency, b.count,
           (SELECT count(*) FROM vouchers v WHERE v.batch_id = b.id AND v.state = 'redeemed'),
           b.refunded, b.issued_at, b.expires_at, b.cancelled_at
    FROM voucher_batches b WHERE b.issuer_id = p_issuer ORDER BY b.id DESC LIMIT 100
$$;
"""
PAGED = """
CREATE FUNCTION batches_of(
    p_issuer bigint, p_before bigint DEFAULT NULL, p_count integer DEFAULT 100
) RETURNS TABLE (
    number integer, value bigint, currency text, count integer, redeemed bigint,
    refunded integer, issued_at timestamptz, expires_at timestamptz, cancelled_at timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT b.id, b.value, b.currency, b.count,
           (SELECT count(*) FROM vouchers v WHERE v.batch_id = b.id AND v.state = 'redeemed'),
           b.refunded, b.issued_at, b.expires_at, b.cancelled_at
    FROM voucher_batches b
    WHERE b.issuer_id = p_issuer AND (p_before IS NULL OR b.id < p_before)
    ORDER BY b.id DESC LIMIT p_count
$$;
"""
FOR_WEB = """
REVOKE EXECUTE ON FUNCTION batches_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION batches_of TO kabambe_web;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP FUNCTION batches_of")
    op.execute(PAGED)
    op.execute(FOR_WEB)
    op.execute("CREATE INDEX ix_voucher_batches_issuer_id ON voucher_batches (issuer_id, id)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_voucher_batches_issuer_id")
    op.execute("DROP FUNCTION batches_of")
    op.execute(BEFORE)
    op.execute(FOR_WEB)
