"""Databases that were made by earlier revisions, with money in them, go on as if made today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import alembic.command
import pytest
from databases import config_of, create, drop, migrate, url_of
from sqlalchemy import NullPool, create_engine, text

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
