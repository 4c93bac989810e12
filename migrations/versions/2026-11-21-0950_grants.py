"""
What each role may do, and nothing else: neither may write the book but through `post`.

Safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "grants"
down_revision = "people_and_orders"
branch_labels = None
depends_on = None

WEB = """
GRANT SELECT ON accounts, journals, entries, fee_tiers, limits, spending, subscribers, pins,
    orders, outbox, inbox TO kabambe_web;
GRANT INSERT (path, currency, mode, balance_min, balance_max) ON accounts TO kabambe_web;
GRANT INSERT, UPDATE (language) ON subscribers TO kabambe_web;
GRANT INSERT, UPDATE ON pins TO kabambe_web;
GRANT INSERT (key, kind, reference, subscriber_id, args, args_hash, placed_at)
    ON orders TO kabambe_web;
GRANT INSERT (event, msisdn, language, facts, staged_at, ring_at) ON outbox TO kabambe_web;
GRANT INSERT (provider, kind, key, form, received_at, ring_at, done_at)
    ON inbox TO kabambe_web;
GRANT USAGE ON SEQUENCE subscribers_id_seq TO kabambe_web;
"""

WORKER = """
GRANT SELECT ON accounts, journals, entries, unrolled, fee_tiers, limits, spending, subscribers,
    orders, outbox, inbox, messages, delivery_reports, opt_outs TO kabambe_worker;
GRANT EXECUTE ON FUNCTION post, roll_up TO kabambe_worker;
GRANT UPDATE (state, outcome, executed_at) ON orders TO kabambe_worker;
GRANT INSERT (event, msisdn, language, facts, staged_at, ring_at), UPDATE (ring_at, done_at)
    ON outbox TO kabambe_worker;
GRANT UPDATE (ring_at, done_at) ON inbox TO kabambe_worker;
GRANT INSERT, UPDATE ON messages, delivery_reports TO kabambe_worker;
GRANT INSERT ON opt_outs TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(WEB)
    op.execute(WORKER)


def downgrade() -> None:
    for role in ("kabambe_web", "kabambe_worker"):
        op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")
        op.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}")
    op.execute("REVOKE EXECUTE ON FUNCTION post, roll_up FROM kabambe_worker")
