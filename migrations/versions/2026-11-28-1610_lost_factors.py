"""
Second factors that were lost: who asked for one to be removed, and who of the others decided.

The workers may delete a second factor, and see of it that it is there, but not its secret. A new
table: safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "lost_factors"
down_revision = "suspended_devices"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE lost_factors (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_lost_factors PRIMARY KEY,
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_lost_factors_subscriber_id REFERENCES subscribers (id),
    proposed_by text NOT NULL,
    reason text NOT NULL,
    proposed_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'proposed'
        CONSTRAINT ck_lost_factors_state CHECK (state IN ('proposed', 'approved', 'declined')),
    decided_by text,
    note text,
    decided_at timestamptz,
    CONSTRAINT ck_lost_factors_decided CHECK (
        (state = 'proposed') = (decided_by IS NULL)
        AND num_nulls(decided_by, note, decided_at) IN (0, 3)),
    CONSTRAINT ck_lost_factors_by_two CHECK (decided_by <> proposed_by)
);
CREATE UNIQUE INDEX uq_lost_factors_subscriber_id ON lost_factors (subscriber_id)
    WHERE state = 'proposed';
CREATE TRIGGER decision_is_final BEFORE UPDATE ON lost_factors
    FOR EACH ROW WHEN (OLD.state <> 'proposed') EXECUTE FUNCTION refuse_second_coming();
"""

FACTORS = "SELECT (subscriber_id, confirmed_at), DELETE ON totps"

GRANTS = f"""
GRANT SELECT, INSERT (subscriber_id, proposed_by, reason, proposed_at),
    UPDATE (state, decided_by, note, decided_at) ON lost_factors TO kabambe_worker;
GRANT {FACTORS} TO kabambe_worker;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (TABLE, GRANTS):
        op.execute(part)


def downgrade() -> None:
    op.execute(f"REVOKE {FACTORS} FROM kabambe_worker")
    op.execute("DROP TABLE lost_factors")
