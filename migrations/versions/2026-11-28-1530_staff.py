"""
Staff: who works here, where they are logged in, and what they have ordered done.

What staff see is granted to a role of its own, which the web becomes for a transaction once it
knows who asks: for everything else it sees as little as before. What staff decide the web writes
down as an act and nothing more; a worker does it, in the name that the log-in has. New tables: safe
under load.
"""

from __future__ import annotations

from alembic import op

revision = "staff"
down_revision = "holds_for_merchants"
branch_labels = None
depends_on = None

ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kabambe_staff') THEN
        CREATE ROLE kabambe_staff NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 'kabambe_staff', 'MEMBER') THEN
        GRANT kabambe_staff TO CURRENT_USER;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database's migration was quicker
END $$;
GRANT USAGE ON SCHEMA public TO kabambe_staff;
"""

TABLES = """
CREATE TABLE staff (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_staff PRIMARY KEY,
    name text NOT NULL CONSTRAINT uq_staff_name UNIQUE
        CONSTRAINT ck_staff_name CHECK (length(name) BETWEEN 1 AND 40),
    password_hash text NOT NULL,
    secret text NOT NULL,
    last_step bigint NOT NULL DEFAULT 0,
    made_at timestamptz NOT NULL,
    ended_at timestamptz
);

CREATE TABLE staff_log_ins (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_staff_log_ins PRIMARY KEY,
    public_id text NOT NULL CONSTRAINT uq_staff_log_ins_public_id UNIQUE,
    staff_id integer NOT NULL CONSTRAINT fk_staff_log_ins_staff_id REFERENCES staff (id),
    begun_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_because text,
    CONSTRAINT ck_staff_log_ins_revoked CHECK ((revoked_at IS NULL) = (revoked_because IS NULL))
);
CREATE INDEX ix_staff_log_ins_standing ON staff_log_ins (staff_id) WHERE revoked_at IS NULL;

CREATE TABLE staff_refreshes (
    hash bytea NOT NULL CONSTRAINT pk_staff_refreshes PRIMARY KEY,
    log_in_id bigint NOT NULL
        CONSTRAINT fk_staff_refreshes_log_in_id REFERENCES staff_log_ins (id),
    used_at timestamptz
);
CREATE INDEX ix_staff_refreshes_log_in_id ON staff_refreshes (log_in_id);

CREATE TABLE staff_acts (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_staff_acts PRIMARY KEY,
    key text NOT NULL CONSTRAINT uq_staff_acts_key UNIQUE,
    hash bytea NOT NULL,
    log_in_id bigint NOT NULL CONSTRAINT fk_staff_acts_log_in_id REFERENCES staff_log_ins (id),
    request text NOT NULL,
    what text NOT NULL,
    args jsonb NOT NULL,
    placed_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'placed'
        CONSTRAINT ck_staff_acts_state CHECK (state IN ('placed', 'done', 'refused')),
    outcome jsonb,
    done_at timestamptz,
    CONSTRAINT ck_staff_acts_done CHECK (
        (state = 'placed') = (done_at IS NULL) AND (done_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX ix_staff_acts_placed ON staff_acts (id) WHERE state = 'placed';

CREATE INDEX ix_audit_log_actor ON audit_log (actor, id);
"""

TRIGGERS = """
CREATE TRIGGER end_is_final BEFORE UPDATE ON staff_log_ins
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION refuse_second_coming();
CREATE TRIGGER use_is_final BEFORE UPDATE ON staff_refreshes
    FOR EACH ROW WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION refuse_second_coming();
CREATE TRIGGER step_is_final BEFORE UPDATE ON staff
    FOR EACH ROW WHEN (OLD.secret = NEW.secret AND NEW.last_step < OLD.last_step)
    EXECUTE FUNCTION refuse_second_coming();
CREATE TRIGGER doing_is_final BEFORE UPDATE ON staff_acts
    FOR EACH ROW WHEN (OLD.state <> 'placed') EXECUTE FUNCTION refuse_second_coming();
"""

GRANTS = """
GRANT SELECT, UPDATE (last_step) ON staff TO kabambe_web;
GRANT SELECT, INSERT (public_id, staff_id, begun_at, ends_at),
    UPDATE (revoked_at, revoked_because) ON staff_log_ins TO kabambe_web;
GRANT SELECT, INSERT (hash, log_in_id), UPDATE (used_at) ON staff_refreshes TO kabambe_web;
GRANT SELECT, INSERT (name, password_hash, secret, made_at),
    UPDATE (password_hash, secret, last_step, ended_at) ON staff TO kabambe_worker;
GRANT SELECT, UPDATE (revoked_at, revoked_because) ON staff_log_ins TO kabambe_worker;
GRANT SELECT, UPDATE (state, outcome, done_at) ON staff_acts TO kabambe_worker;
GRANT SELECT, UPDATE (wrong_tries, locked_until) ON log_in_tries TO kabambe_worker;
GRANT SELECT ON accounts, orders, outbox, inbox, subscribers, lifts, cases, case_facts,
    audit_log, reversals, breaks, suspense_cases, breakers, provider_balances, deposits,
    withdrawals, devices, api_keys, hits TO kabambe_staff;
GRANT SELECT (id, name) ON staff TO kabambe_staff;
GRANT SELECT (id, staff_id, revoked_at, ends_at) ON staff_log_ins TO kabambe_staff;
GRANT SELECT, INSERT (key, hash, log_in_id, request, what, args, placed_at)
    ON staff_acts TO kabambe_staff;
GRANT SELECT (id), INSERT ON audit_log TO kabambe_staff;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (ROLE, TABLES, TRIGGERS, GRANTS):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP INDEX ix_audit_log_actor")
    op.execute("DROP TABLE staff_acts, staff_refreshes, staff_log_ins, staff")
    op.execute(
        "REVOKE SELECT, UPDATE (wrong_tries, locked_until) ON log_in_tries FROM kabambe_worker"
    )
    # The role stays: another database of this server may use it.
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM kabambe_staff")
    op.execute("REVOKE USAGE ON SCHEMA public FROM kabambe_staff")
