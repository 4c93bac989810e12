"""
Papers, sanctions lists, what watches over movements, and the cases that come of it.

Whoever has an account already counts as screened: there was no list to screen them by, and the
first that is loaded screens everybody. New tables, and columns that rewrite nothing: safe under
load.
"""

from __future__ import annotations

from types import ModuleType

from alembic import op

revision = "cases"
down_revision = "vouchers"
branch_labels = None
depends_on = None

# What they showed us, and no more than tells them from somebody else: of a document its kind, a
# keyed digest of its number, by which it is found again, and the end of it, by which staff
# recognise it.
PAPERS = """
CREATE TABLE identities (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_identities PRIMARY KEY,
    subscriber_id bigint NOT NULL
        CONSTRAINT fk_identities_subscriber_id REFERENCES subscribers (id),
    name text NOT NULL,
    document_kind text NOT NULL CONSTRAINT ck_identities_document_kind CHECK
        (document_kind IN ('national-id', 'passport', 'alien-id', 'military-id')),
    document_digest bytea NOT NULL,
    document_end text NOT NULL,
    born_on date NOT NULL,
    submitted_at timestamptz NOT NULL
);
CREATE INDEX ix_identities_subscriber_id ON identities (subscriber_id, id);
CREATE INDEX ix_identities_document_digest ON identities (document_digest);

CREATE TABLE lifts (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_lifts PRIMARY KEY,
    subscriber_id bigint NOT NULL CONSTRAINT fk_lifts_subscriber_id REFERENCES subscribers (id),
    tier text NOT NULL
        CONSTRAINT ck_lifts_tier CHECK (tier IN ('pending', 'verified', 'rejected')),
    proposed_by text NOT NULL,
    reason text NOT NULL,
    proposed_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'proposed'
        CONSTRAINT ck_lifts_state CHECK (state IN ('proposed', 'approved', 'declined')),
    decided_by text CONSTRAINT ck_lifts_four_eyes CHECK (decided_by <> proposed_by),
    note text,
    decided_at timestamptz,
    is_used boolean NOT NULL DEFAULT false,
    CONSTRAINT ck_lifts_decided CHECK ((state = 'proposed') = (decided_by IS NULL))
);
CREATE UNIQUE INDEX uq_lifts_subscriber_id ON lifts (subscriber_id) WHERE state = 'proposed';
"""

LISTS = """
CREATE TABLE sanction_loads (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_sanction_loads PRIMARY KEY,
    source text NOT NULL,
    digest bytea NOT NULL,
    entries integer NOT NULL,
    loaded_at timestamptz NOT NULL,
    screened_to bigint NOT NULL DEFAULT 0,
    screen_until bigint NOT NULL
);
CREATE INDEX ix_sanction_loads_source ON sanction_loads (source, id);

CREATE TABLE sanctions (
    source text NOT NULL,
    list_id text NOT NULL,
    name text NOT NULL,
    aliases text[] NOT NULL,
    numbers text[] NOT NULL,
    born text[] NOT NULL,
    loaded_at timestamptz NOT NULL,
    CONSTRAINT pk_sanctions PRIMARY KEY (source, list_id)
);
CREATE INDEX ix_sanctions_numbers ON sanctions USING gin (numbers);
"""

CASES = """
CREATE TABLE cases (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_cases PRIMARY KEY,
    kind text NOT NULL
        CONSTRAINT ck_cases_kind CHECK (kind IN ('structuring', 'velocity', 'sanctions')),
    subscriber_id bigint NOT NULL CONSTRAINT fk_cases_subscriber_id REFERENCES subscribers (id),
    window_from timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open'
        CONSTRAINT ck_cases_state CHECK (state IN ('open', 'closed')),
    closed_at timestamptz,
    closed_by text,
    note text,
    CONSTRAINT ck_cases_closed CHECK ((state = 'closed') = (closed_by IS NOT NULL))
);
CREATE UNIQUE INDEX uq_cases_open ON cases (subscriber_id, kind, window_from)
    WHERE state = 'open';
CREATE INDEX ix_cases_subscriber_id ON cases (subscriber_id, kind);

CREATE TABLE case_facts (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_case_facts PRIMARY KEY,
    case_id integer NOT NULL CONSTRAINT fk_case_facts_case_id REFERENCES cases (id),
    kind text NOT NULL CONSTRAINT ck_case_facts_kind
        CHECK (kind IN ('rule', 'movement', 'hit', 'note', 'report')),
    key text NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    evidence jsonb NOT NULL,
    CONSTRAINT uq_case_facts_key UNIQUE (case_id, kind, key)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON case_facts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON case_facts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE hits (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_hits PRIMARY KEY,
    subscriber_id bigint NOT NULL CONSTRAINT fk_hits_subscriber_id REFERENCES subscribers (id),
    source text NOT NULL,
    list_id text NOT NULL,
    case_id integer NOT NULL CONSTRAINT fk_hits_case_id REFERENCES cases (id),
    found_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open'
        CONSTRAINT ck_hits_state CHECK (state IN ('open', 'proposed', 'cleared')),
    proposed_by text,
    reason text,
    decided_by text CONSTRAINT ck_hits_four_eyes CHECK (decided_by <> proposed_by),
    note text,
    decided_at timestamptz,
    CONSTRAINT uq_hits_subscriber_id UNIQUE (subscriber_id, source, list_id),
    CONSTRAINT ck_hits_proposed CHECK ((state = 'open') = (proposed_by IS NULL)),
    CONSTRAINT ck_hits_cleared CHECK
        ((state = 'cleared') = (decided_by IS NOT NULL AND note IS NOT NULL))
);

CREATE FUNCTION refuse_reopening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % is %: that is final', TG_TABLE_NAME, OLD.id, OLD.state;
END $$;
CREATE TRIGGER closing_is_final BEFORE UPDATE ON cases
    FOR EACH ROW WHEN (OLD.state = 'closed') EXECUTE FUNCTION refuse_reopening();
CREATE TRIGGER clearing_is_final BEFORE UPDATE ON hits
    FOR EACH ROW WHEN (OLD.state = 'cleared') EXECUTE FUNCTION refuse_reopening();
CREATE TRIGGER decision_is_final BEFORE UPDATE ON lifts
    FOR EACH ROW WHEN (OLD.state = 'declined' OR OLD.is_used) EXECUTE FUNCTION refuse_reopening();
"""

# Amounts are minor units of `currency`. `share` is in hundredths of a per cent: of structuring,
# from which share of the amount up a movement is just under it; of a pass-through, how much of
# what came in must have gone out again.
RULES = """
CREATE TABLE watch_rules (
    name text NOT NULL,
    holder text NOT NULL,
    tier text NOT NULL,
    valid_from timestamptz NOT NULL,
    kind text NOT NULL
        CONSTRAINT ck_watch_rules_kind CHECK (kind IN ('just-under', 'often', 'much', 'through')),
    source text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    share integer NOT NULL CONSTRAINT ck_watch_rules_share CHECK (share BETWEEN 0 AND 10000),
    count_min integer NOT NULL,
    window_seconds integer NOT NULL
        CONSTRAINT ck_watch_rules_window CHECK (window_seconds BETWEEN 1 AND 86400),
    CONSTRAINT pk_watch_rules PRIMARY KEY (name, holder, tier, valid_from)
);
INSERT INTO watch_rules
SELECT r.name, h.holder, t.tier, '2020-01-01', 'just-under', r.source, r.currency, r.amount,
       9000, 3, 86400
FROM (VALUES
    ('reporting-threshold',
     'Proceeds of Crime and Anti-Money Laundering Act, cash reports, as amended 2023',
     'USD', 1500000),
    ('transaction-limit', 'Central Bank of Kenya, September 2023', 'KES', 25000000)
) AS r (name, source, currency, amount),
    (VALUES ('personal'), ('merchant')) AS h (holder),
    (VALUES ('pending'), ('verified')) AS t (tier);
INSERT INTO watch_rules VALUES
    ('pending-limit', 'personal', 'pending', '2020-01-01', 'just-under',
        'our own tariff', 'KES', 7000000, 9000, 3, 86400),
    ('often', 'personal', 'pending', '2020-01-01', 'often',
        'our own judgement', 'KES', 0, 0, 20, 3600),
    ('often', 'personal', 'verified', '2020-01-01', 'often',
        'our own judgement', 'KES', 0, 0, 40, 3600),
    ('often', 'merchant', 'pending', '2020-01-01', 'often',
        'our own judgement', 'KES', 0, 0, 40, 3600),
    ('often', 'merchant', 'verified', '2020-01-01', 'often',
        'our own judgement', 'KES', 0, 0, 400, 3600),
    ('much', 'personal', 'pending', '2020-01-01', 'much',
        'our own judgement', 'KES', 12500000, 0, 5, 86400),
    ('much', 'personal', 'verified', '2020-01-01', 'much',
        'our own judgement', 'KES', 45000000, 0, 5, 86400),
    ('through', 'personal', 'pending', '2020-01-01', 'through',
        'our own judgement', 'KES', 5000000, 9000, 1, 3600),
    ('through', 'personal', 'verified', '2020-01-01', 'through',
        'our own judgement', 'KES', 10000000, 9000, 1, 3600);

CREATE TABLE watches (
    name text NOT NULL CONSTRAINT pk_watches PRIMARY KEY,
    journal_id bigint NOT NULL DEFAULT 0,
    next_id bigint,
    next_xid bigint
);
INSERT INTO watches (name) VALUES ('patterns');
"""

# A list is being replaced or somebody is being registered, never both at once: whoever is
# registered before a list commits is screened by it, whoever comes later is looked up in it.
STANDING = """
ALTER TABLE subscribers
    ADD COLUMN screening text NOT NULL DEFAULT 'clear' CONSTRAINT ck_subscribers_screening
        CHECK (screening IN ('new', 'clear', 'hit')),
    ADD COLUMN screened_at timestamptz DEFAULT now();
ALTER TABLE subscribers ALTER COLUMN screening SET DEFAULT 'new',
    ALTER COLUMN screened_at DROP DEFAULT;
CREATE INDEX ix_subscribers_unscreened ON subscribers (id) WHERE screened_at IS NULL;

CREATE FUNCTION screen_number() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('kabambe.sanctions'));
    NEW.screened_at := NULL;
    IF EXISTS (SELECT FROM sanctions WHERE numbers @> ARRAY[NEW.msisdn]) THEN
        NEW.screening := 'hit';
    ELSIF EXISTS (SELECT FROM sanctions) THEN
        NEW.screening := 'new';
    ELSE
        NEW.screening := 'clear';
        NEW.screened_at := NEW.registered_at;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER screen_number BEFORE INSERT ON subscribers
    FOR EACH ROW EXECUTE FUNCTION screen_number();

CREATE FUNCTION refuse_lone_lift() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.tier = 'suspended' AND NEW.tier <> 'suspended' THEN
        UPDATE lifts SET is_used = true
        WHERE subscriber_id = NEW.id AND tier = NEW.tier AND state = 'approved' AND NOT is_used;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a suspension is lifted by two people (subscriber %)', NEW.id;
        END IF;
    END IF;
    IF OLD.screening = 'hit' AND NEW.screening <> 'hit' AND EXISTS (
        SELECT FROM hits WHERE subscriber_id = NEW.id AND state <> 'cleared'
    ) THEN
        RAISE EXCEPTION 'a hit is cleared by two people (subscriber %)', NEW.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER two_people_lift BEFORE UPDATE OF tier, screening ON subscribers
    FOR EACH ROW EXECUTE FUNCTION refuse_lone_lift();
"""

# As before, and: who is on a list neither sends nor receives, and is told no more than anybody
# suspended; who is not screened yet waits.
LIMITS = """
CREATE OR REPLACE FUNCTION limit_refusal(
    p_kind text, p_account bigint, p_amount bigint, p_at timestamptz
) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    due record;
    local timestamp := p_at AT TIME ZONE 'Africa/Nairobi';
    day timestamptz := date_trunc('day', local) AT TIME ZONE 'Africa/Nairobi';
    month timestamptz := date_trunc('month', local) AT TIME ZONE 'Africa/Nairobi';
    spent bigint;
    spent_in_month bigint;
    ordered integer;
BEGIN
    SELECT l.*, s.tier AS held_tier, s.screening INTO due
    FROM accounts a
    LEFT JOIN subscribers s ON s.id = a.holder_id
    LEFT JOIN limits l ON l.currency = a.currency AND l.kind IN (p_kind, 'transfer')
        AND l.holder = coalesce(s.kind, 'personal') AND l.tier = coalesce(s.tier, 'verified')
        AND l.valid_from <= p_at
    WHERE a.id = p_account
    ORDER BY (l.kind = p_kind) DESC, l.valid_from DESC LIMIT 1;
    IF due.held_tier IN ('rejected', 'suspended') OR due.screening = 'hit' THEN
        RETURN jsonb_build_object('code', 'account-suspended');
    ELSIF due.screening = 'new' THEN
        RETURN jsonb_build_object('code', 'not-screened');
    ELSIF due.order_max IS NULL THEN
        RAISE EXCEPTION 'no limits for % of account %', p_kind, p_account;
    END IF;
    IF p_amount < due.order_min THEN
        RETURN jsonb_build_object('code', 'amount-too-small', 'least', due.order_min);
    END IF;
    IF p_amount > due.order_max THEN
        RETURN jsonb_build_object('code', 'amount-too-large', 'most', due.order_max);
    END IF;
    SELECT coalesce(sum(s.amount) FILTER (WHERE s.hour >= day), 0), coalesce(sum(s.amount), 0),
           coalesce(sum(s.count) FILTER (WHERE s.hour = date_trunc('hour', p_at)), 0)
    INTO spent, spent_in_month, ordered
    FROM spending s WHERE s.account_id = p_account AND s.hour >= month;
    IF ordered >= due.hour_count_max THEN
        RETURN jsonb_build_object('code', 'too-many-transfers', 'count_max', due.hour_count_max);
    END IF;
    IF spent + p_amount > due.day_max THEN
        RETURN jsonb_build_object('code', 'daily-limit-reached',
            'limit', due.day_max, 'left', greatest(due.day_max - spent, 0));
    END IF;
    IF spent_in_month + p_amount > due.month_max THEN
        RETURN jsonb_build_object('code', 'monthly-limit-reached',
            'limit', due.month_max, 'left', greatest(due.month_max - spent_in_month, 0));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION ceiling_refusal(
    p_account bigint, p_balance bigint, p_at timestamptz, p_ids bigint[], p_held bigint[]
) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    due record;
    others bigint;
BEGIN
    SELECT s.id, s.kind, s.tier, s.screening, l.balance_max,
           equivalent(p_balance, a.currency, 'KES', p_at) AS balance
    INTO due
    FROM accounts a
    JOIN subscribers s ON s.id = a.holder_id
    LEFT JOIN limits l ON l.currency = 'KES' AND l.kind = 'transfer' AND l.holder = s.kind
        AND l.tier = s.tier AND l.valid_from <= p_at
    WHERE a.id = p_account
    ORDER BY l.valid_from DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;  -- nobody's
    ELSIF due.tier IN ('rejected', 'suspended') OR due.screening = 'hit' THEN
        RETURN jsonb_build_object('code', 'recipient-suspended');
    ELSIF due.balance_max IS NULL THEN
        RAISE EXCEPTION 'no ceiling for a % holder who is %', due.kind, due.tier;
    END IF;
    SELECT sum(equivalent(x.balance, x.currency, 'KES', p_at)) INTO others
    FROM (
        SELECT a.currency, coalesce(p_held[array_position(p_ids, a.id)], a.balance) AS balance
        FROM accounts a WHERE a.holder_id = due.id AND a.id <> p_account
    ) x WHERE x.balance > 0;
    IF due.balance + coalesce(others, 0) > due.balance_max THEN
        RETURN jsonb_build_object('code', 'ceiling-reached');
    END IF;
    RETURN NULL;
END $$;
"""

# The web sees of all this a person's standing alone, and changes nothing. What the workers may
# change is what the functions beside the tables do; a list is replaced as a whole.
GRANTS = """
GRANT SELECT (screening) ON subscribers TO kabambe_book;
GRANT UPDATE (screening, screened_at) ON subscribers TO kabambe_worker;
GRANT SELECT, INSERT (subscriber_id, name, document_kind, document_digest, document_end, born_on,
    submitted_at) ON identities TO kabambe_worker;
GRANT SELECT, INSERT (subscriber_id, tier, proposed_by, reason, proposed_at),
    UPDATE (state, decided_by, note, decided_at, is_used) ON lifts TO kabambe_worker;
GRANT SELECT, INSERT (source, digest, entries, loaded_at, screen_until), UPDATE (screened_to)
    ON sanction_loads TO kabambe_worker;
GRANT SELECT, INSERT, DELETE ON sanctions TO kabambe_worker;
GRANT SELECT, INSERT (kind, subscriber_id, window_from, opened_at),
    UPDATE (state, closed_at, closed_by, note) ON cases TO kabambe_worker;
GRANT SELECT, INSERT (case_id, kind, key, at, actor, evidence) ON case_facts TO kabambe_worker;
GRANT SELECT, INSERT (subscriber_id, source, list_id, case_id, found_at),
    UPDATE (state, proposed_by, reason, decided_by, note, decided_at) ON hits TO kabambe_worker;
GRANT SELECT ON watch_rules TO kabambe_worker;
GRANT SELECT, UPDATE (journal_id, next_id, next_xid) ON watches TO kabambe_worker;
"""

BEFORE = """
REVOKE SELECT (screening) ON subscribers FROM kabambe_book;
DROP TRIGGER two_people_lift ON subscribers;
DROP TRIGGER screen_number ON subscribers;
DROP FUNCTION refuse_lone_lift, screen_number;
DROP TABLE watches, watch_rules, hits, case_facts, cases, sanctions, sanction_loads, lifts,
    identities;
DROP FUNCTION refuse_reopening;
ALTER TABLE subscribers DROP COLUMN screening, DROP COLUMN screened_at;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (PAPERS, LISTS, CASES, RULES, STANDING, LIMITS, GRANTS):
        op.execute(part)


def downgrade() -> None:
    was = _revision("holders").LIMITS.partition("CREATE OR REPLACE FUNCTION limit_refusal")
    op.execute((was[1] + was[2]).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute(BEFORE)


def _revision(name: str) -> ModuleType:
    """An earlier revision: what stood before is said there."""
    script = op.get_context().script
    assert script is not None
    found = script.get_revision(name)
    assert found is not None
    return found.module
