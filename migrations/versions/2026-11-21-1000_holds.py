"""
Holds: money set aside on its owner's `held` account.

Safe under load: a new table.
"""

from __future__ import annotations

from alembic import op

revision = "holds"
down_revision = "grants"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE holds (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_holds PRIMARY KEY,
    key text COLLATE "C" NOT NULL CONSTRAINT uq_holds_key UNIQUE,
    owner_id bigint NOT NULL CONSTRAINT fk_holds_owner_id REFERENCES subscribers (id),
    account_id bigint NOT NULL CONSTRAINT fk_holds_account_id REFERENCES accounts (id),
    held_account_id bigint NOT NULL
        CONSTRAINT fk_holds_held_account_id REFERENCES accounts (id),
    currency text NOT NULL,
    amount bigint NOT NULL CONSTRAINT ck_holds_amount CHECK (amount > 0),
    captured bigint NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'open' CONSTRAINT ck_holds_state
        CHECK (state IN ('open', 'captured', 'released', 'expired')),
    placed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    resolved_at timestamptz,
    CONSTRAINT ck_holds_captured CHECK (captured BETWEEN 0 AND amount)
);
CREATE INDEX ix_holds_open ON holds (expires_at) WHERE state = 'open';

CREATE FUNCTION refuse_second_resolution() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hold % is %: that is final', OLD.id, OLD.state;
END $$;
CREATE TRIGGER resolution_is_final BEFORE UPDATE ON holds
    FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION refuse_second_resolution();

GRANT SELECT ON holds TO kabambe_web;
GRANT SELECT, UPDATE (state, captured, resolved_at) ON holds TO kabambe_worker;
GRANT INSERT (key, owner_id, account_id, held_account_id, currency, amount, placed_at, expires_at)
    ON holds TO kabambe_worker;
GRANT INSERT (path, currency, mode, balance_min, balance_max) ON accounts TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLE)


def downgrade() -> None:
    op.execute(
        "REVOKE INSERT (path, currency, mode, balance_min, balance_max)"
        " ON accounts FROM kabambe_worker"
    )
    op.execute("DROP TABLE holds")
    op.execute("DROP FUNCTION refuse_second_resolution")
