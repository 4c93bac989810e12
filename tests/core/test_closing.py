"""Closing an account while others do things to it: on a real PostgreSQL, by several connections."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from compliance import JANE, JOHN, Office
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import chart, closing, execution, ledger, reversals, subscribers, transfers
from core.audit import Actor
from core.closing import MoneyLeft
from core.errors import DomainError
from core.ledger import Draft, Reason
from core.money import Currency, Money, kes
from core.subscribers import AccountClosed, UnknownRecipient

OWNER = Actor("+254733000002", "ussd", "ussd:x:1")


@pytest.fixture
def office(house):
    return Office(house)


@pytest.fixture
def two(office):
    payer = office.register("+254712000001")
    paid = office.register("+254733000002")
    office.fund(payer, kes(1_000_00))
    office.fund(payer, Money(10_00, Currency.USD))
    return payer, paid


def person(house, number="+254733000002"):
    with house.databases["worker"]() as session:
        return subscribers.recipient(session, msisdn=number)


def close(house, who):
    with house.databases["web"].begin() as session:
        closing.close(session, person=who, actor=OWNER, now=house.clock())


def order(office, sender, recipient, amount, key):
    """Place one, and execute none."""
    with office.house.databases["web"].begin() as session:
        fee = session.scalar(
            text("SELECT fee('transfer', :c, :a, :n)"),
            {"c": amount.currency.value, "a": amount.minor, "n": office.house.clock()},
        )
        transfers.order(
            session,
            sender=person(office.house, "+254712000001"),
            recipient=recipient,
            quoted=transfers.Quote(amount, Money(fee, amount.currency)),
            key=key,
            now=office.house.clock(),
        )


def outcome(house, key):
    [(state, told)] = house.bank.rows("SELECT state, outcome FROM orders WHERE key = :k", k=key)
    return "done" if state == "done" else told["code"]


@contextmanager
def meanwhile(house, work):
    """Do something in another connection, which has to wait for what this one has locked."""
    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(200):
        waiting = house.bank.one(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        if waiting:
            break
        time.sleep(0.01)
    assert waiting, "nobody waits for anybody"
    yield
    thread.join()


def held(house, subscriber):
    return house.bank.one(
        "SELECT coalesce(sum(abs(balance)), 0) FROM accounts WHERE holder_id = :i", i=subscriber
    )


MONEY = [kes(100_00), Money(1_00, Currency.USD)]


@pytest.mark.parametrize("amount", MONEY, ids=["an account there is", "an account to be opened"])
class TestMoneyOnItsWay:
    def test_that_was_first_keeps_the_account_open(self, house, office, two, amount):
        payer, paid = two
        refused = []

        def leave():
            try:
                close(house, person(house))
            except DomainError as error:
                refused.append(error)

        with house.databases["worker"].begin() as session:
            wanted = [(chart.MAIN, amount.currency, each) for each in (payer, paid)]
            accounts = chart.opened(session, wanted)
            legs = {accounts[wanted[0]]: -amount.minor, accounts[wanted[1]]: amount.minor}
            [posting] = ledger.post(
                session, drafts=[Draft("x", Reason.TRANSFER, legs)], now=house.clock()
            )
            assert posting.is_posted
            with meanwhile(house, leave):
                session.commit()
        assert [type(each) for each in refused] == [MoneyLeft]
        assert refused[0].left == amount
        assert house.bank.one("SELECT count(*) FROM subscribers WHERE closed_at IS NOT NULL") == 0

    def test_that_comes_second_stays_where_it_was(self, house, office, two, amount):
        _, paid = two
        order(office, *two, amount, "late")
        with house.databases["web"]() as session:
            closing.close(session, person=person(house), actor=OWNER, now=house.clock())
            run = lambda: execution.execute(house.databases["worker"], now=house.clock())  # noqa: E731
            with meanwhile(house, run):
                session.commit()
        assert outcome(house, "late") == UnknownRecipient.code
        assert held(house, paid) == 0
        told = house.messages("+254712000001")[-1]["message"]
        assert told.endswith("That number has no account here.")


def test_money_that_comes_by_no_order_is_refused_by_the_account_itself(house, office, two):
    payer, paid = two
    close(house, person(house))
    main = house.bank.one("SELECT account_id FROM subscribers WHERE id = :i", i=paid)
    mine = house.bank.one("SELECT account_id FROM subscribers WHERE id = :i", i=payer)
    with house.databases["worker"].begin() as session:
        [posting] = ledger.post(
            session,
            drafts=[Draft("x", Reason.CAPTURE, {mine: -1_00, main: 1_00})],
            now=house.clock(),
        )
    assert not posting.is_posted
    with (
        pytest.raises(DBAPIError, match="has left"),
        house.databases["worker"].begin() as session,
    ):
        chart.MAIN.open(session, currency=Currency.GBP, owner=paid)


def test_two_closings_at_once_are_one(house, office, two):
    who = person(house)
    start = threading.Barrier(8)

    def leave(_):
        start.wait()
        try:
            close(house, who)
        except AccountClosed:
            return "was closed"
        return "closed"

    with ThreadPoolExecutor(8) as hands:
        assert Counter(hands.map(leave, range(8))) == {"closed": 1, "was closed": 7}
    assert house.bank.one("SELECT count(*) FROM audit_log WHERE action = 'account-closed'") == 1
    assert len(house.messages("+254733000002")) == 1


def test_a_storm_of_closings_leaves_no_money_behind(house, office):
    """Whoever has left has nothing; what was sent went to somebody who is there."""
    payer = office.register("+254712000001")
    office.fund(payer, kes(100_000_00))
    numbers = [f"+2547330001{number:02}" for number in range(24)]
    people = {number: office.register(number) for number in numbers}
    for number, paid in people.items():
        order(office, payer, paid, kes(10_00), f"to:{number}")

    def leave(number):
        try:
            close(house, person(house, number))
        except MoneyLeft:
            return "stays"
        return "leaves"

    def work(_):
        execution.execute(house.databases["worker"], now=house.clock())
        return "worked"

    with ThreadPoolExecutor(6) as hands:
        ran = [hands.submit(leave, number) for number in numbers[:12]]
        ran += [hands.submit(work, number) for number in range(3)]
        ran += [hands.submit(leave, number) for number in numbers[12:]]
        for each in ran:
            each.result()
    execution.execute(house.databases["worker"], now=house.clock())
    for number, paid in people.items():
        [(left,)] = house.bank.rows(
            "SELECT closed_at IS NOT NULL FROM subscribers WHERE id = :i", i=paid
        )
        wanted = (UnknownRecipient.code, 0) if left else ("done", 10_00)
        assert (outcome(house, f"to:{number}"), held(house, paid)) == wanted


def test_what_somebody_who_has_left_still_orders_is_refused(house, office, two):
    """A session that began before, or an SMS: whoever asks."""
    payer, paid = two
    office.send(payer, paid, kes(100_00))
    office.spend_all(payer)
    with house.bank.owner.begin() as session:
        cash = chart.SANDBOX_CASH.open(session, currency=Currency.USD)
        usd = chart.MAIN.open(session, currency=Currency.USD, owner=payer)
        ledger.post(
            session,
            drafts=[Draft("y", Reason.OPENING, {usd: -10_00, cash: 10_00})],
            now=house.clock(),
        )
    me = person(house, "+254712000001")
    close(house, me)
    with house.databases["web"].begin() as session:
        transfers.order(
            session,
            sender=me,
            recipient=paid,
            quoted=transfers.Quote(kes(1_00), kes(3)),
            key="after",
            now=house.clock(),
        )
    house.ring()
    assert outcome(house, "after") == AccountClosed.code


def test_a_transfer_of_somebody_who_has_left_is_not_reversed(house, office, two):
    payer, paid = two
    office.send(payer, paid, kes(100_00))
    office.spend_all(paid)
    close(house, person(house))
    reference = house.bank.one("SELECT reference FROM orders")
    asked = office.do(
        reversals.request, subscriber=payer, reference=reference, actor=JANE, reason="why not"
    )
    with pytest.raises(AccountClosed):
        office.do(reversals.approve, reversal=asked, actor=JOHN, note="yes")
    office.do(reversals.decline, reversal=asked, actor=JOHN, note="they have left")


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("web", "UPDATE subscribers SET name = 'X'"),
        ("web", "UPDATE subscribers SET closed_at = now()"),
        ("web", "UPDATE subscribers SET cooling_until = NULL"),
        ("web", "UPDATE subscribers SET screening = 'clear'"),
        ("web", "UPDATE accounts SET balance_max = 0"),
        ("web", "UPDATE cooling_limits SET day_max = 1"),
        ("web", "DELETE FROM recoveries"),
        ("web", "SELECT * FROM identities"),
        ("web", "SELECT * FROM cases"),
        ("worker", "SELECT close_account(1, now())"),
        ("worker", "SELECT rename_subscriber(1, 'X', now())"),
        ("worker", "SELECT papers_match(1, '{x}', 'x')"),
        ("worker", "SELECT begin_cooling(1, 'usual', now())"),
        ("worker", "SELECT * FROM recoveries"),
    ],
)
def test_no_role_may_do_more_than_its_work(house, role, statement):
    with (
        pytest.raises(DBAPIError, match="permission denied"),
        house.databases[role].begin() as session,
    ):
        session.execute(text(statement))


def test_nobody_comes_back_from_it_not_even_by_the_owners_hand(house, office, two):
    close(house, person(house))
    with pytest.raises(DBAPIError, match="that is final"):
        house.bank.run("UPDATE subscribers SET closed_at = NULL WHERE closed_at IS NOT NULL")
