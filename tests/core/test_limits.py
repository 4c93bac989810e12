"""Limits: a row for everybody who moves money, each of them held by `post`, whatever moves."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from compliance import Office, shillings
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import chart, exchange, holds, ledger, rates, subscribers, transfers
from core.errors import leaves
from core.ledger import Draft, Reason
from core.limits import (
    AccountSuspended,
    AmountTooLarge,
    AmountTooSmall,
    CeilingReached,
    DailyLimitReached,
    MonthlyLimitReached,
    NotScreened,
    RecipientSuspended,
    TooManyTransfers,
)
from core.money import Currency, Money, kes
from core.orders import Kind
from core.rates import Rate

LIMITS = "order_min, order_max, day_max, hour_count_max, month_max, balance_max"
MOVING = [(holder, tier) for holder in ("personal", "merchant") for tier in ("pending", "verified")]


@pytest.fixture
def office(house):
    return Office(house)


@pytest.fixture
def tariff(house):
    """Limits that a test can reach, for everybody, of today."""

    def set_to(kind="transfer", **limits):
        values = {
            "order_min": 100,
            "order_max": 1_000_00,
            "day_max": 10_000_00,
            "hour_count_max": 50,
            "month_max": 20_000_00,
            "balance_max": 100_000_00,
        } | limits
        for holder, tier in MOVING:
            house.bank.run(
                f"INSERT INTO limits (kind, holder, tier, currency, valid_from, {LIMITS})"
                " VALUES (:kind, :holder, :tier, 'KES', '2026-01-01', :order_min, :order_max,"
                " :day_max, :hour_count_max, :month_max, :balance_max)",
                kind=kind,
                holder=holder,
                tier=tier,
                **values,
            )

    yield set_to
    house.bank.run("DELETE FROM limits WHERE valid_from = '2026-01-01'")


@pytest.fixture
def two(office):
    payer = office.register("+254712000001")
    shop = office.register("+254733000002", kind="merchant")
    office.fund(payer, kes(90_000_00))
    return payer, shop


@pytest.mark.parametrize(("holder", "tier"), MOVING)
def test_everybody_who_may_move_money_has_limits(house, holder, tier):
    [row] = house.bank.rows(
        f"SELECT {LIMITS} FROM limits WHERE kind = 'transfer' AND currency = 'KES'"
        " AND holder = :h AND tier = :t AND valid_from <= :now",
        h=holder,
        t=tier,
        now=house.clock(),
    )
    least, most, day, count, month, ceiling = row
    assert 0 < least < most <= day <= month
    assert count > 0
    assert ceiling >= most


def test_verified_people_have_the_central_banks_limits_and_pending_ones_less(house):
    rows = {
        (holder, tier): limits
        for holder, tier, *limits in house.bank.rows(
            "SELECT holder, tier, order_max, day_max, balance_max, month_max FROM limits"
            " WHERE kind = 'transfer'"
        )
    }
    assert rows["personal", "verified"][:3] == [250_000_00, 500_000_00, 500_000_00]
    for holder in ("personal", "merchant"):
        pairs = zip(rows[holder, "pending"], rows[holder, "verified"], strict=True)
        assert all(less < more for less, more in pairs)


@pytest.mark.parametrize("kind", [Kind.TRANSFER, Kind.PAYMENT])
class TestPostHolds:
    def test_the_least_and_the_most_at_once(self, office, two, tariff, kind):
        tariff()
        payer, shop = two
        assert office.send(payer, shop, kes(99), kind=kind) == AmountTooSmall.code
        assert office.send(payer, shop, kes(1_000_01), kind=kind) == AmountTooLarge.code
        assert office.send(payer, shop, kes(1_00), kind=kind) == "done"
        assert office.send(payer, shop, kes(1_000_00), kind=kind) == "done"

    def test_a_day(self, office, two, tariff, kind):
        tariff(day_max=1_500_00)
        payer, shop = two
        assert office.send(payer, shop, kes(1_000_00), kind=kind) == "done"
        assert office.send(payer, shop, kes(500_01), kind=kind) == DailyLimitReached.code
        assert office.send(payer, shop, kes(500_00), kind=kind) == "done"
        office.house.clock.passes(hours=15)  # 00:30 in Nairobi
        assert office.send(payer, shop, kes(500_01), kind=kind) == "done"

    def test_a_month(self, office, two, tariff, kind):
        tariff(day_max=1_000_00, month_max=1_500_00)
        payer, shop = two
        assert office.send(payer, shop, kes(1_000_00), kind=kind) == "done"
        office.house.clock.passes(days=2)
        assert office.send(payer, shop, kes(500_01), kind=kind) == MonthlyLimitReached.code
        assert office.send(payer, shop, kes(500_00), kind=kind) == "done"
        office.house.clock.passes(days=8)  # December
        assert office.send(payer, shop, kes(500_01), kind=kind) == "done"

    def test_how_many_an_hour(self, office, two, tariff, kind):
        tariff(hour_count_max=2)
        payer, shop = two
        sent = [office.send(payer, shop, kes(10_00), kind=kind) for _ in range(3)]
        assert sent == ["done", "done", TooManyTransfers.code]
        office.house.clock.passes(minutes=31)
        assert office.send(payer, shop, kes(10_00), kind=kind) == "done"

    def test_the_receivers_ceiling(self, office, two, tariff, kind):
        tariff(balance_max=1_500_00)
        payer, shop = two
        assert office.send(payer, shop, kes(1_000_00), kind=kind) == "done"
        assert office.send(payer, shop, kes(600_00), kind=kind) == CeilingReached.code
        assert office.send(payer, shop, kes(400_00), kind=kind) == "done"


@pytest.mark.parametrize(("holder", "tier"), MOVING)
def test_each_kind_and_tier_is_held_to_its_own_rows(office, tariff, holder, tier):
    tariff(order_max=1_000_00)
    office.house.bank.run(
        "UPDATE limits SET order_max = 70000 WHERE holder = :h AND tier = :t"
        " AND valid_from = '2026-01-01'",
        h=holder,
        t=tier,
    )
    recipient = office.register("+254733000009")
    for number, (each_holder, each_tier) in enumerate(MOVING):
        payer = office.register(f"+25471200000{number}", kind=each_holder, tier=each_tier)
        office.fund(payer, kes(2_000_00))
        is_it = (each_holder, each_tier) == (holder, tier)
        wanted = AmountTooLarge.code if is_it else "done"
        assert office.send(payer, recipient, kes(700_01)) == wanted


@pytest.mark.parametrize("tier", ["rejected", "suspended"])
class TestWhoMayMoveNothing:
    def test_neither_sends_nor_receives(self, office, two, tier):
        payer, shop = two
        other = office.register("+254711000003", tier=tier)
        office.fund(other, kes(1_000_00))
        for kind in (Kind.TRANSFER, Kind.PAYMENT):
            assert office.send(other, shop, kes(100_00), kind=kind) == AccountSuspended.code
        assert office.send(payer, other, kes(100_00)) == RecipientSuspended.code

    def test_exchanges_nothing_and_sets_nothing_aside(self, office, two, tier):
        payer, shop = two
        hold = office.do(
            holds.place,
            owner=payer,
            amount=kes(100_00),
            key="h1",
            expires_at=office.house.clock().replace(year=2027),
        )
        office.house.bank.run("UPDATE subscribers SET tier = :t WHERE id = :i", t=tier, i=payer)
        with pytest.raises(AccountSuspended):
            office.do(
                holds.place,
                owner=payer,
                amount=kes(100_00),
                key="h2",
                expires_at=office.house.clock().replace(year=2027),
            )
        to = office.house.bank.one("SELECT account_id FROM subscribers WHERE id = :i", i=shop)
        with pytest.raises(AccountSuspended):
            office.do(holds.capture, hold=hold, to=to)
        office.do(holds.release, hold=hold)  # what comes back is theirs
        now = office.house.clock()
        told = Rate(Currency.USD, Currency.KES, Decimal(129), Decimal(131), "test", now)
        office.do(rates.record, rates=[told])
        quoted = office.do(
            exchange.quote,
            role="web",
            subscriber=payer,
            give=kes(1_000_00),
            currency=Currency.USD,
        )
        office.do(exchange.order, role="web", subscriber=payer, quote=quoted.id, key="x1")
        office.house.ring()
        [(state, outcome)] = office.house.bank.rows(
            "SELECT state, outcome FROM orders WHERE kind = 'exchange'"
        )
        assert (state, outcome["code"]) == ("refused", AccountSuspended.code)


class TestOtherCurrencies:
    @pytest.mark.parametrize("currency", [each for each in Currency if each is not Currency.KES])
    def test_every_limit_counts_their_equivalent(self, office, two, tariff, currency):
        tariff(order_max=13_000_00, day_max=20_000_00)
        payer, shop = two
        ten_thousand = office.house.bank.one(
            "SELECT equivalent(1000000, 'KES', :c, :now)", c=currency, now=office.house.clock()
        )
        office.fund(payer, Money(ten_thousand * 10, currency))
        once = Money(ten_thousand, currency)
        assert office.send(payer, shop, Money(ten_thousand * 2, currency)) == AmountTooLarge.code
        assert office.send(payer, shop, once) == "done"
        assert office.send(payer, shop, kes(10_100_00)) == DailyLimitReached.code
        assert office.send(payer, shop, Money(ten_thousand // 2, currency)) == "done"
        assert office.send(payer, shop, once) == DailyLimitReached.code

    def test_the_ceiling_is_for_all_they_hold(self, office, two, tariff):
        tariff(order_max=50_000_00, day_max=90_000_00, month_max=90_000_00, balance_max=20_000_00)
        payer, shop = two
        office.fund(payer, Money(500_00, Currency.USD))
        assert office.send(payer, shop, Money(100_00, Currency.USD)) == "done"  # KES 13,000
        assert office.send(payer, shop, kes(8_000_00)) == CeilingReached.code
        assert office.send(payer, shop, Money(60_00, Currency.USD)) == CeilingReached.code
        assert office.send(payer, shop, kes(6_000_00)) == "done"

    def test_the_ceiling_is_for_all_that_one_batch_brings(self, office, two, tariff):
        """Whatever waited while no worker ran is posted at once."""
        tariff(balance_max=20_000_00)
        her, him = two
        ids = dict(office.house.bank.rows("SELECT id, account_id FROM subscribers"))
        office.fund(her, Money(100_00, Currency.USD))
        with office.house.bank.owner.begin() as session:
            hers, his = (
                chart.MAIN.open(session, currency=Currency.USD, owner=owner) for owner in two
            )
        brought = [{ids[her]: -15_000_00, ids[him]: 15_000_00}, {hers: -50_00, his: 50_00}]
        drafts = [
            Draft(f"batch:{n}", Reason.TRANSFER, legs, spender=(ids[her], 1_00))
            for n, legs in enumerate(brought)
        ]
        postings = office.do(ledger.post, drafts=drafts)
        assert [each.outcome for each in postings] == ["posted", "ceiling-reached"]

    def test_the_ceiling_counts_what_is_set_aside(self, office, two, tariff):
        tariff(order_max=50_000_00, day_max=90_000_00, month_max=90_000_00, balance_max=20_000_00)
        payer, shop = two
        office.fund(shop, kes(15_000_00))
        office.do(
            holds.place,
            owner=shop,
            amount=kes(15_000_00),
            key="h",
            expires_at=office.house.clock().replace(year=2027),
        )
        assert office.send(payer, shop, kes(6_000_00)) == CeilingReached.code
        assert office.send(payer, shop, kes(5_000_00)) == "done"


def test_a_holder_without_rows_is_a_fault_and_not_a_freedom(office, two, house):
    _, shop = two
    account = house.bank.one("SELECT account_id FROM subscribers WHERE id = :i", i=shop)
    with house.bank.owner() as session:
        session.execute(text("DELETE FROM limits WHERE holder = 'merchant'"))
        with pytest.raises(DBAPIError, match="no ceiling"):
            session.execute(
                text("SELECT ceiling_refusal(:a, 1, now(), '{}', '{}')"), {"a": account}
            )
        session.rollback()
        session.execute(text("DELETE FROM limits WHERE holder = 'merchant'"))
        with pytest.raises(DBAPIError, match="no limits"):
            session.execute(
                text("SELECT limit_refusal('transfer', :a, 100, now())"), {"a": account}
            )


def test_a_quote_says_early_what_post_would_say(office, two):
    payer, _ = two
    with office.house.databases["web"]() as session:
        person = office.house.bank.one("SELECT msisdn FROM subscribers WHERE id = :i", i=payer)
        sender = subscribers.recipient(session, msisdn=person)
        with pytest.raises(AmountTooLarge):
            transfers.quote(
                session, sender=sender, amount=shillings(250_000.01), now=office.house.clock()
            )


def test_every_refusal_of_the_functions_is_an_error_of_ours(house):
    [(said,)] = house.bank.rows(
        "SELECT string_agg(prosrc, '') FROM pg_proc"
        " WHERE proname IN ('limit_refusal', 'ceiling_refusal')"
    )
    codes = set(re.findall(r"'code', '([a-z-]+)'", said))
    assert len(codes) == 9
    assert codes <= {error.code for error in leaves()}
    assert NotScreened.code in codes
