"""
Reversals: asked for, decided by somebody else, linked to the journal they mirror.

Safe under load: a new table.
"""

from __future__ import annotations

from alembic import op

revision = "reversals"
down_revision = "holds"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE reversals (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_reversals PRIMARY KEY,
    original_id bigint NOT NULL
        CONSTRAINT fk_reversals_original_id REFERENCES journals (id),
    order_id bigint NOT NULL CONSTRAINT fk_reversals_order_id REFERENCES orders (id),
    requested_by text NOT NULL,
    reason text NOT NULL,
    requested_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'requested' CONSTRAINT ck_reversals_state
        CHECK (state IN ('requested', 'approved', 'declined')),
    decided_by text CONSTRAINT ck_reversals_four_eyes CHECK (decided_by <> requested_by),
    note text,
    decided_at timestamptz,
    journal_id bigint CONSTRAINT fk_reversals_journal_id REFERENCES journals (id)
        CONSTRAINT uq_reversals_journal_id UNIQUE,
    debt bigint NOT NULL DEFAULT 0,
    CONSTRAINT ck_reversals_decided CHECK
        ((state = 'requested') = (decided_by IS NULL) AND (state = 'approved') >= (debt > 0))
);
CREATE UNIQUE INDEX uq_reversals_original_id ON reversals (original_id)
    WHERE state <> 'declined';

CREATE FUNCTION refuse_second_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'reversal % is %: that is final', OLD.id, OLD.state;
END $$;
CREATE TRIGGER decision_is_final BEFORE UPDATE ON reversals
    FOR EACH ROW WHEN (OLD.state <> 'requested') EXECUTE FUNCTION refuse_second_decision();

GRANT SELECT, INSERT (original_id, order_id, requested_by, reason, requested_at)
    ON reversals TO kabambe_web, kabambe_worker;
GRANT UPDATE (state, decided_by, note, decided_at, journal_id, debt)
    ON reversals TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE reversals")
    op.execute("DROP FUNCTION refuse_second_decision")
