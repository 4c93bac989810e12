"""What a reconciliation finds of rails that were tampered with; and a provider's side of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from rail import Rail
from rail_seeds import OF_RAILS, RAIL_SEEDS

from core import deposits, providers, reconciliation, withdrawals
from core.money import kes
from core.rails import Provider
from core.statements import Period


@pytest.fixture
def rail(house, wanjiru, otieno):
    """One of each: settled and failed, credited and suspended, paid, bounced and under way."""
    rail = Rail(house)
    rail.fund()
    rail.settle(rail.prompt(otieno, 500_00), receipt="D1")
    rail.fail(rail.prompt(otieno, 300_00))
    rail.pay("A1", "0733000002", 200_00)
    rail.pay("A2", "nobody", 100_00)
    rail.complete(rail.payout(wanjiru, 200_00), receipt="W1")
    rail.bounce(rail.payout(wanjiru, 100_00))
    rail.payout(wanjiru, 150_00)
    rail.pay("A3", "nobody", 50_00)
    rail.decide(
        "credit",
        case=rail.house.bank.one("SELECT max(id) FROM suspense_cases"),
        person=rail.person(otieno),
    )
    back = rail.payout(wanjiru, 120_00)
    rail.complete(back, receipt="W2")
    rail.worker(partial(_charged_and_back, withdrawal=back, now=rail.now))
    return rail


def _charged_and_back(session, *, withdrawal, now):
    """What a rail took for its work; and a payout that had arrived, and came back."""
    of_payout, of_deposit = f"withdrawal:{withdrawal}", "deposit:1"
    for key in (of_payout, of_deposit):
        deposits.book_cost(session, provider=Provider.MPESA, key=key, cost=kes(5_00), now=now)
    withdrawals.returned(session, withdrawal=withdrawal, why="it says so", now=now)


def found(rail):
    looked = reconciliation.whole(rail.house.databases["worker"], clock=rail.house.clock)
    return {each.kind for each in looked.opened}


def test_what_agrees_is_no_break(rail):
    written = rail.house.bank.rows("SELECT DISTINCT reason FROM journals")
    assert {row[0] for row in written} >= OF_RAILS
    assert found(rail) == set()
    newest = reconciliation.newest(rail.house.databases["worker"], clock=rail.house.clock)
    assert newest.opened == []


# What a kind of break is found of; all others name their subject by its number.
NAMED = {
    "journal-unexplained": "SELECT 'journal:' || id FROM journals WHERE key = :name",
    "held-differs": "SELECT 'account:' || id FROM accounts WHERE path = :name",
    "suspense-differs": "SELECT 'account:' || id FROM accounts WHERE path = :name",
}


@pytest.mark.parametrize(("statement", "expected"), RAIL_SEEDS, ids=lambda value: str(value)[:60])
def test_what_was_tampered_with_is_found_and_nothing_else_is(rail, statement, expected):
    wanted = set()
    for each in expected:
        kind, name = each.split(" ")
        subject = rail.house.bank.rows(NAMED[kind], name=name) if kind in NAMED else []
        wanted.add((kind, subject[0][0] if subject else name))
    tamper = (
        "SET LOCAL session_replication_role = replica",
        "ALTER TABLE withdrawals DROP CONSTRAINT ck_withdrawals_held",
        statement,
    )
    with rail.house.databases["owner"].begin() as session:
        # Undone at the end: what is found is found within this transaction, as it stands there.
        connection = session.connection()
        for each in tamper:
            connection.exec_driver_sql(each)
        told = [
            (finding.kind.value, finding.subject)
            for scope, questions in reconciliation._QUESTIONS.items()
            for finding in reconciliation.checks.look(
                session, scope, questions, range(1, 200), now=rail.now
            )
        ]
        session.rollback()
    assert sorted(told) == sorted(wanted)


def test_our_side_of_a_statement(rail):
    period = Period(rail.now - timedelta(hours=1), rail.now + timedelta(hours=1))
    with rail.house.databases["worker"]() as session:
        lines = {each.reference: each for each in providers.mpesa(session, period)}
    assert {name: line.amount for name, line in lines.items()} == {
        "D1": Decimal(500),
        "A1": Decimal(200),
        "A2": Decimal(100),
        "A3": Decimal(50),
        "W1": Decimal(-200),
    }
    assert {line.currency for line in lines.values()} == {"KES"}


def test_a_payment_told_twice_is_one_line(rail, otieno):
    deposit = rail.prompt(otieno, 700_00)
    rail.settle(deposit, receipt="D2")
    rail.pay("D2", rail.reference_of(deposit), 700_00)
    unknown = rail.prompt(otieno, 800_00)
    rail.settle(unknown, receipt=None, confirmed=True)
    period = Period(rail.now - timedelta(minutes=10), rail.now + timedelta(minutes=10))
    with rail.house.databases["worker"]() as session:
        lines = [each.reference for each in providers.mpesa(session, period)]
    assert lines.count("D2") == 1
    assert rail.reference_of(unknown) in lines, "its receipt is still to be found"
    assert otieno.balance == kes(500_00 + 200_00 + 50_00 + 700_00 + 800_00)
