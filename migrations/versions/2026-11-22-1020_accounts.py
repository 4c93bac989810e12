"""
Accounts in their owners' hands: a forgotten PIN, the name shown to others, the end of it all.

What an owner may do to their account and the web may not do at will is a function each, which
holds the rules of it: whoever took the web over could else rename a listed person, close what owes
us money, or end a cooling-off. New columns and tables, and an index instead of a constraint: the
index is built while nobody registers.
"""

from __future__ import annotations

from types import ModuleType

from alembic import op

revision = "accounts"
down_revision = "sending"
branch_labels = None
depends_on = None

# A number is one open account's; who had it before stays in the book. `cooling` names the row of
# `cooling_limits` that holds from `cooling_from` until `cooling_until`.
PEOPLE = """
ALTER TABLE subscribers
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN renamed_at timestamptz,
    ADD COLUMN cooling text,
    ADD COLUMN cooling_from timestamptz,
    ADD COLUMN cooling_until timestamptz,
    ADD CONSTRAINT ck_subscribers_cooling
        CHECK (num_nulls(cooling, cooling_from, cooling_until) IN (0, 3));
ALTER TABLE subscribers DROP CONSTRAINT uq_subscribers_msisdn;
CREATE UNIQUE INDEX uq_subscribers_msisdn ON subscribers (msisdn) WHERE closed_at IS NULL;
CREATE INDEX ix_subscribers_closed ON subscribers (msisdn) WHERE closed_at IS NOT NULL;

CREATE TABLE recoveries (
    subscriber_id bigint NOT NULL CONSTRAINT pk_recoveries PRIMARY KEY
        CONSTRAINT fk_recoveries_subscriber_id REFERENCES subscribers (id),
    wrong_tries integer NOT NULL DEFAULT 0,
    tried_at timestamptz NOT NULL,
    locked_until timestamptz,
    cooling text,
    passed_at timestamptz,
    proved_at timestamptz
);
"""

# Cents of KES, as the other limits. `usual` is for whoever could say what only the owner knows,
# `strict` for whoever had no more to say than their name.
COOLING = """
CREATE TABLE cooling_limits (
    kind text NOT NULL
        CONSTRAINT ck_cooling_limits_kind CHECK (kind IN ('usual', 'strict')),
    valid_from timestamptz NOT NULL,
    hours integer NOT NULL CONSTRAINT ck_cooling_limits_hours CHECK (hours > 0),
    order_max bigint NOT NULL,
    day_max bigint NOT NULL,
    CONSTRAINT pk_cooling_limits PRIMARY KEY (kind, valid_from)
);
INSERT INTO cooling_limits VALUES
    ('usual', '2020-01-01', 24, 100000, 200000),
    ('strict', '2020-01-01', 72, 50000, 100000);

CREATE FUNCTION cooling_limit(p_kind text, p_at timestamptz) RETURNS cooling_limits
LANGUAGE plpgsql STABLE AS $$
DECLARE
    due cooling_limits;
BEGIN
    SELECT * INTO STRICT due FROM cooling_limits WHERE kind = p_kind AND valid_from <= p_at
    ORDER BY valid_from DESC LIMIT 1;
    RETURN due;
END $$;

-- What was sent in the clock hour in which it began counts: spending is kept by the hour.
CREATE FUNCTION cooling_spent(p_account bigint, p_from timestamptz, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT coalesce(sum(amount), 0) FROM spending
        WHERE account_id = p_account AND hour >= greatest(date_trunc('hour', p_from),
            date_trunc('day', p_at AT TIME ZONE 'Africa/Nairobi') AT TIME ZONE 'Africa/Nairobi'));
END $$;

CREATE FUNCTION cooling_refusal(
    p_account bigint, p_kind text, p_from timestamptz, p_until timestamptz, p_amount bigint,
    p_at timestamptz
) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    due cooling_limits := cooling_limit(p_kind, p_at);
    spent bigint;
BEGIN
    IF p_amount > due.order_max THEN
        RETURN jsonb_build_object('code', 'amount-cooling', 'until', p_until,
            'most', due.order_max);
    END IF;
    spent := cooling_spent(p_account, p_from, p_at);
    IF p_amount > 0 AND spent + p_amount > due.day_max THEN
        RETURN jsonb_build_object('code', 'day-cooling', 'until', p_until,
            'limit', due.day_max, 'left', greatest(due.day_max - spent, 0));
    END IF;
    RETURN NULL;
END $$;

-- It never gets shorter or softer: who is cooling off strictly stays so until the end.
CREATE FUNCTION begin_cooling(p_subscriber bigint, p_kind text, p_at timestamptz)
RETURNS TABLE (until timestamptz, order_max bigint, day_max bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH begun AS (
        UPDATE subscribers s
        SET cooling = CASE WHEN s.cooling_until > p_at AND s.cooling = 'strict'
                THEN s.cooling ELSE p_kind END,
            cooling_from = CASE WHEN s.cooling_until > p_at THEN s.cooling_from ELSE p_at END,
            cooling_until = greatest(s.cooling_until,
                p_at + make_interval(hours => (cooling_limit(p_kind, p_at)).hours))
        WHERE s.id = p_subscriber AND s.closed_at IS NULL
        RETURNING s.cooling, s.cooling_until
    )
    SELECT b.cooling_until, (cooling_limit(b.cooling, p_at)).order_max,
           (cooling_limit(b.cooling, p_at)).day_max
    FROM begun b;
END $$;
"""

# As before, and: while somebody cools off, less. A look at a row that is at hand already.
COOLED = """\
    IF due.cooling_until > p_at THEN
        cooling := cooling_refusal(
            p_account, due.cooling, due.cooling_from, due.cooling_until, p_amount, p_at);
        IF cooling IS NOT NULL THEN
            RETURN cooling;
        END IF;
    END IF;
"""

# Words of a name in small plain letters, as `core.recovery` makes them of what is typed.
PAPERS = r"""
CREATE FUNCTION has_papers(p_subscriber bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM identities WHERE subscriber_id = p_subscriber)
$$;

CREATE FUNCTION papers_match(p_subscriber bigint, p_words text[], p_end text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce((
        SELECT p_words <@ w.words AND cardinality(p_words) >= least(2, cardinality(w.words))
            AND i.document_end = p_end
        FROM identities i, LATERAL (
            SELECT regexp_split_to_array(trim(regexp_replace(regexp_replace(
                lower(normalize(i.name, NFKD)), '[\u0300-\u036f''`\u2019]', '', 'g'),
                '[^[:alpha:]]+', ' ', 'g')), ' ') AS words
        ) w
        WHERE i.subscriber_id = p_subscriber ORDER BY i.id DESC LIMIT 1), false)
$$;
"""

# A name of one's own choice, once a day; who has shown papers is called what they were called then.
# It is screened as that of somebody new.
NAMES = """
CREATE FUNCTION renaming_refusal(p_subscriber bigint, p_at timestamptz)
RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    person record;
BEGIN
    SELECT tier, renamed_at + interval '1 day' AS until INTO person
    FROM subscribers WHERE id = p_subscriber AND closed_at IS NULL;
    RETURN CASE
        WHEN NOT FOUND THEN jsonb_build_object('code', 'account-closed')
        WHEN person.tier = 'verified' AND has_papers(p_subscriber)
        THEN jsonb_build_object('code', 'name-verified')
        WHEN person.until > p_at
        THEN jsonb_build_object('code', 'renamed-lately', 'until', person.until)
    END;
END $$;

CREATE FUNCTION rename_subscriber(p_subscriber bigint, p_name text, p_at timestamptz)
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    person record;
    refusal jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('kabambe.sanctions'));
    SELECT name, screening INTO person
    FROM subscribers WHERE id = p_subscriber FOR NO KEY UPDATE;
    refusal := renaming_refusal(p_subscriber, p_at);
    IF refusal IS NOT NULL THEN
        RETURN refusal;
    END IF;
    UPDATE subscribers
    SET name = p_name, renamed_at = p_at, screened_at = NULL,
        screening = CASE WHEN person.screening = 'clear' AND EXISTS (SELECT FROM sanctions)
            THEN 'new' ELSE person.screening END
    WHERE id = p_subscriber;
    RETURN jsonb_build_object('was', person.name);
END $$;
"""

# Whoever closes has the subscriber first, then their accounts in id order, as `post` has them; an
# order, or an account in another currency, is being made or the account is being closed, never both
# at once. Accounts that may hold nothing refuse whatever would still come, without `post` knowing.
CLOSING = """
CREATE FUNCTION close_account(p_subscriber bigint, p_at timestamptz)
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    person record;
    held record;
BEGIN
    SELECT tier, screening INTO person
    FROM subscribers WHERE id = p_subscriber AND closed_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('code', 'account-closed');
    END IF;
    PERFORM FROM accounts WHERE holder_id = p_subscriber ORDER BY id FOR UPDATE;
    IF person.tier IN ('rejected', 'suspended') OR person.screening = 'hit'
        OR EXISTS (SELECT FROM cases WHERE subscriber_id = p_subscriber AND state = 'open')
    THEN
        RETURN jsonb_build_object('code', 'closing-refused');
    END IF;
    SELECT a.balance, a.currency, a.path LIKE '%:held:%' AS is_aside INTO held
    FROM accounts a WHERE a.holder_id = p_subscriber AND a.balance <> 0
    ORDER BY a.balance > 0, is_aside, a.id LIMIT 1;
    IF held.balance < 0 THEN
        RETURN jsonb_build_object('code', 'money-owed', 'owed', -held.balance,
            'currency', held.currency);
    ELSIF held.balance > 0 AND NOT held.is_aside THEN
        RETURN jsonb_build_object('code', 'money-left', 'left', held.balance,
            'currency', held.currency);
    ELSIF held.is_aside
        OR EXISTS (SELECT FROM orders WHERE state = 'placed' AND subscriber_id = p_subscriber)
        OR EXISTS (
            SELECT FROM voucher_batches WHERE issuer_id = p_subscriber AND closed_at IS NULL)
        OR EXISTS (
            SELECT FROM reversals r JOIN orders o ON o.id = r.order_id
            WHERE r.state = 'requested' AND (o.subscriber_id = p_subscriber
                OR CAST(o.args ->> 'recipient' AS bigint) = p_subscriber))
    THEN
        RETURN jsonb_build_object('code', 'still-open');
    END IF;
    UPDATE accounts SET balance_min = 0, balance_max = 0 WHERE holder_id = p_subscriber;
    UPDATE subscribers SET closed_at = p_at WHERE id = p_subscriber;
    DELETE FROM pins WHERE subscriber_id = p_subscriber;
    DELETE FROM recoveries WHERE subscriber_id = p_subscriber;
    RETURN NULL;
END $$;

CREATE FUNCTION refuse_closed_holder() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    closed timestamptz;
BEGIN
    SELECT closed_at INTO closed FROM subscribers WHERE id = NEW.holder_id FOR KEY SHARE;
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'account % would be of subscriber %, who has left',
            NEW.path, NEW.holder_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER holder_is_there BEFORE INSERT ON accounts
    FOR EACH ROW WHEN (NEW.holder_id IS NOT NULL) EXECUTE FUNCTION refuse_closed_holder();

CREATE FUNCTION refuse_return() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'subscriber % has left: that is final', OLD.id;
END $$;
CREATE TRIGGER leaving_is_final BEFORE UPDATE ON subscribers
    FOR EACH ROW WHEN (OLD.closed_at IS DISTINCT FROM NEW.closed_at AND OLD.closed_at IS NOT NULL)
    EXECUTE FUNCTION refuse_return();
"""

OWNED = (
    "begin_cooling",
    "close_account",
    "has_papers",
    "papers_match",
    "rename_subscriber",
    "renaming_refusal",
)

GRANTS = """
GRANT SELECT ON cooling_limits TO kabambe_web, kabambe_worker, kabambe_book;
GRANT SELECT (cooling, cooling_from, cooling_until) ON subscribers TO kabambe_book;
GRANT SELECT, INSERT, UPDATE ON recoveries TO kabambe_web;
"""

BEFORE = """
REVOKE SELECT (cooling, cooling_from, cooling_until) ON subscribers FROM kabambe_book;
DROP TRIGGER leaving_is_final ON subscribers;
DROP TRIGGER holder_is_there ON accounts;
DROP FUNCTION refuse_return, refuse_closed_holder, close_account, rename_subscriber,
    renaming_refusal, papers_match, has_papers, begin_cooling, cooling_refusal, cooling_spent,
    cooling_limit;
DROP TABLE cooling_limits, recoveries;
UPDATE accounts a SET balance_min = CASE WHEN a.path LIKE '%:owed:%' THEN NULL ELSE 0 END,
    balance_max = CASE WHEN a.path LIKE '%:owed:%' THEN 0 END
FROM subscribers s WHERE s.id = a.holder_id AND s.closed_at IS NOT NULL;
UPDATE subscribers SET msisdn = msisdn || ' ' || id WHERE closed_at IS NOT NULL;
DROP INDEX ix_subscribers_closed, uq_subscribers_msisdn;
ALTER TABLE subscribers DROP COLUMN closed_at, DROP COLUMN renamed_at, DROP COLUMN cooling,
    DROP COLUMN cooling_from, DROP COLUMN cooling_until;
ALTER TABLE subscribers ADD CONSTRAINT uq_subscribers_msisdn UNIQUE (msisdn);
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (PEOPLE, COOLING, _cooled(_limits()), PAPERS, NAMES, CLOSING):
        op.execute(part)
    for function in OWNED:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO kabambe_web")
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute(_limits())
    op.execute(BEFORE)


def _limits() -> str:
    """`limit_refusal` as the revision before has it."""
    limits: str = _revision("cases").LIMITS
    return limits.partition("CREATE OR REPLACE FUNCTION ceiling_refusal")[0]


def _cooled(limits: str) -> str:
    """The same, asking for a cooling-off as soon as the tier's own limits are known."""
    for was, now in (
        ("    ordered integer;\n", "    ordered integer;\n    cooling jsonb;\n"),
        (
            "s.tier AS held_tier, s.screening INTO due",
            "s.tier AS held_tier, s.screening, s.cooling, s.cooling_from, s.cooling_until INTO due",
        ),
        ("    IF p_amount < due.order_min", COOLED + "    IF p_amount < due.order_min"),
    ):
        assert limits.count(was) == 1, was
        limits = limits.replace(was, now)
    return limits


def _revision(name: str) -> ModuleType:
    """An earlier revision: what stood before is said there."""
    script = op.get_context().script
    assert script is not None
    found = script.get_revision(name)
    assert found is not None
    return found.module
