-- The least that moves money from one account to another and can be repeated: two locked rows, one
-- movement, two entries. No limits, no foreign keys, no triggers, no batch. What the ledger's own
-- function is measured beside.
CREATE SCHEMA yardstick;
CREATE TABLE yardstick.account (
    id bigint PRIMARY KEY,
    currency smallint NOT NULL,
    balance bigint NOT NULL DEFAULT 0,
    balance_min bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    CHECK (balance >= balance_min)
) WITH (fillfactor = 50);
CREATE TABLE yardstick.movement (
    id uuid PRIMARY KEY,
    from_id bigint NOT NULL,
    to_id bigint NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (from_id <> to_id)
);
CREATE TABLE yardstick.entry (
    account_id bigint NOT NULL,
    version bigint NOT NULL,
    movement_id uuid NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint,
    PRIMARY KEY (account_id, version)
);
CREATE FUNCTION yardstick.move(p_id uuid, p_from bigint, p_to bigint, p_amount bigint)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    lower yardstick.account;
    upper yardstick.account;
    into_lower bigint := CASE WHEN p_from < p_to THEN -p_amount ELSE p_amount END;
BEGIN
    SELECT * INTO lower FROM yardstick.account WHERE id = least(p_from, p_to) FOR NO KEY UPDATE;
    SELECT * INTO upper FROM yardstick.account WHERE id = greatest(p_from, p_to) FOR NO KEY UPDATE;
    IF lower.currency <> upper.currency THEN RETURN 3; END IF;
    INSERT INTO yardstick.movement (id, from_id, to_id, amount)
    VALUES (p_id, p_from, p_to, p_amount) ON CONFLICT (id) DO NOTHING;
    IF NOT FOUND THEN RETURN 1; END IF;
    IF lower.balance + into_lower < lower.balance_min
        OR upper.balance - into_lower < upper.balance_min THEN
        DELETE FROM yardstick.movement WHERE id = p_id;
        RETURN 2;
    END IF;
    UPDATE yardstick.account
    SET balance = balance + CASE WHEN id = p_from THEN -p_amount ELSE p_amount END,
        version = version + 1
    WHERE id IN (p_from, p_to);
    INSERT INTO yardstick.entry VALUES
        (lower.id, lower.version + 1, p_id, into_lower, lower.balance + into_lower),
        (upper.id, upper.version + 1, p_id, -into_lower, upper.balance - into_lower);
    RETURN 0;
END $$;
