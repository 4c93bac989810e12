"""Databases that were made by earlier revisions, with money in them, go on as if made today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import alembic.command
import pytest
from databases import config_of, create, drop, migrate, url_of
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import IntegrityError

from core import db, ledger
from core.ledger import Draft, Reason

NOW = datetime(2026, 11, 21, tzinfo=UTC)

PEOPLE = """
INSERT INTO accounts (path, currency, balance_min)
VALUES ('user:1:main:kes', 'KES', 0), ('user:2:main:kes', 'KES', 0), ('cash', 'KES', NULL);
INSERT INTO subscribers (msisdn, name, language, account_id, terms_version, registered_at)
SELECT '+25471200000' || substr(path, 6, 1), 'Person', 'en', id, '2026-11', '2026-11-21'
FROM accounts WHERE path LIKE 'user:%' ORDER BY path;
"""
POST_AS_FIRST_LANDED = """
SELECT outcome FROM post('2026-11-21', '{first}', '{opening}', '{NULL}', '{NULL}', '{NULL}', '{2}',
    ARRAY(SELECT id FROM accounts WHERE path IN ('user:1:main:kes', 'cash') ORDER BY path DESC),
    '{50000,-50000}')
"""


@pytest.fixture
def url(servers, worker_id) -> Iterator[str]:
    name = f"kabambe_upgrades_{worker_id}"
    create(servers[0], name)
    yield url_of(servers[0], name)
    drop(servers[0], name)


def run(url: str, statement: str):
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        found = connection.execute(text(statement))
        return found.all() if found.returns_rows else None


def send(url: str, key: str, amount: int) -> list[ledger.Posting]:
    databases = db.connect(url, role=db.WORKER)
    try:
        with databases.begin() as session:
            [a] = [ledger.account_id(session, path="user:1:main:kes")]
            b = ledger.account_id(session, path="user:2:main:kes")
            draft = Draft(key, Reason.TRANSFER, {a: -amount, b: amount})
            return ledger.post(session, drafts=[draft], now=NOW)
    finally:
        databases.kw["bind"].dispose()


def test_a_book_that_was_written_by_the_first_revisions_is_gone_on_with(url):
    migrate(url, "grants")
    run(url, PEOPLE)
    assert run(url, POST_AS_FIRST_LANDED) == [("posted",)]
    migrate(url)
    alembic.command.check(config_of(url))
    assert [each.outcome for each in send(url, "second", 200_00)] == ["posted"]
    assert [each.outcome for each in send(url, "third", 400_00)] == ["insufficient-funds"]
    [(first,)] = run(url, "SELECT balance FROM accounts WHERE path = 'user:1:main:kes'")
    assert first == 300_00


def test_a_database_whose_tables_have_their_later_form_already_is_left_as_it_is(url):
    migrate(url, "checked_once")
    run(url, PEOPLE)
    alembic.command.stamp(config_of(url), "exchange")
    migrate(url)
    alembic.command.check(config_of(url))
    assert [each.outcome for each in send(url, "first", 1)] == ["insufficient-funds"]


FAILED_IN_NAIRA = """
SET LOCAL session_replication_role = replica;
INSERT INTO orders (key, kind, reference, subscriber_id, args, args_hash, placed_at)
SELECT n, 'withdrawal', 'W' || n, 1, '{}', '', '2026-11-28 10:10Z' FROM generate_series(1, 3) AS n;
INSERT INTO withdrawals (order_id, reference, provider, purpose, subscriber_id, payee, currency,
    amount, fee, tariff, held, conversation, state, requested_at, due_at)
SELECT id, reference, 'paystack', 'own', 1, '', c.currency, 5000000, 0, 0, 0, key,
    CASE id WHEN 3 THEN 'paid' ELSE 'failed' END, '2026-11-28 10:20Z', '2026-11-28 10:20Z'
FROM orders JOIN (VALUES (1, 'NGN'), (2, 'KES'), (3, 'NGN')) AS c (n, currency) ON c.n = id;
INSERT INTO journals (key, reason, posted_at)
SELECT concat_ws(':', 'withdrawal', n, 'bounce'), 'bounce', '2026-11-28 10:30Z'
FROM generate_series(1, 2) AS n;
INSERT INTO spending SELECT account_id, '2026-11-28 10:00Z',
    equivalent(5000000, 'NGN', 'KES', '2026-11-28') * 2 - 5000000, 1 FROM subscribers WHERE id = 1;
INSERT INTO spending SELECT account_id, '2026-11-28 11:00Z', -1, -1 FROM subscribers WHERE id = 1;
"""


def test_what_failed_payouts_in_naira_took_too_much_of_is_put_right(url):
    migrate(url, "grants")
    run(url, PEOPLE)
    migrate(url, "strangers")
    run(url, FAILED_IN_NAIRA)
    migrate(url)
    [(paid,)] = run(url, "SELECT equivalent(5000000, 'NGN', 'KES', '2026-11-28')")
    assert run(url, "SELECT amount, count FROM spending ORDER BY hour") == [(paid, 1), (0, 0)]
    with pytest.raises(IntegrityError, match="ck_spending_spent"):
        run(url, "UPDATE spending SET amount = -1")
