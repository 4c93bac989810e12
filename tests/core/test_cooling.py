"""Cooling off: after a forgotten PIN was replaced little can be sent, by whatever way."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from compliance import JANE, Office, shillings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voucher_shop import PRESS

from core import cooling, exchange, holds, limits, rates, subscribers, transfers, voucher_batches
from core.cooling import AmountCooling, CoolingOff, DayCooling, Kind
from core.errors import leaves
from core.money import Currency, Money, kes
from core.orders import Kind as OrderKind
from core.rates import Rate


@pytest.fixture
def office(house):
    return Office(house)


@pytest.fixture
def two(office):
    payer = office.register("+254712000001")
    shop = office.register("+254733000002", kind="merchant")
    office.fund(payer, kes(90_000_00))
    return payer, shop


def cool(office, subscriber, kind=Kind.USUAL):
    return office.do(cooling.begin, role="web", subscriber=subscriber, kind=kind)


def person(office, subscriber):
    number = office.house.bank.one("SELECT msisdn FROM subscribers WHERE id = :i", i=subscriber)
    with office.house.databases["web"]() as session:
        return subscribers.recipient(session, msisdn=number)


@pytest.mark.parametrize("kind", [OrderKind.TRANSFER, OrderKind.PAYMENT])
def test_a_thousand_at_once_and_two_thousand_a_day(office, two, kind):
    payer, shop = two
    cool(office, payer)
    assert office.send(payer, shop, kes(1_000_01), kind=kind) == AmountCooling.code
    assert office.send(payer, shop, kes(1_000_00), kind=kind) == "done"
    assert office.send(payer, shop, kes(999_99), kind=kind) == "done"
    assert office.send(payer, shop, kes(1_00), kind=kind) == DayCooling.code


def test_until_it_is_over_and_a_new_day_begins_anew(office, two):
    payer, shop = two
    until = cool(office, payer).until
    assert until == office.house.clock() + timedelta(hours=24)
    assert office.send(payer, shop, kes(1_000_00)) == office.send(payer, shop, kes(1_000_00))
    assert office.send(payer, shop, kes(1_00)) == DayCooling.code
    office.house.clock.passes(hours=15)  # half an hour past midnight
    assert office.send(payer, shop, kes(1_000_00)) == "done"
    assert office.send(payer, shop, kes(1_000_01)) == AmountCooling.code
    office.house.clock.now = until
    assert office.send(payer, shop, kes(50_000_00)) == "done"


def test_what_was_sent_before_does_not_count_but_for_the_same_hour(office, two):
    payer, shop = two
    assert office.send(payer, shop, kes(5_000_00)) == "done"
    office.house.clock.passes(minutes=31)
    cool(office, payer)
    assert office.send(payer, shop, kes(1_000_00)) == "done"
    office.house.clock.passes(hours=30)
    assert office.send(payer, shop, kes(5_000_00)) == "done"
    cool(office, payer)
    assert office.send(payer, shop, kes(1_00)) == DayCooling.code


class TestNothingGoesRoundIt:
    def test_another_currency_counts_by_its_equivalent(self, office, two):
        payer, shop = two
        office.fund(payer, Money(100_00, Currency.USD))
        cool(office, payer)
        assert office.send(payer, shop, Money(7_70, Currency.USD)) == AmountCooling.code
        assert office.send(payer, shop, Money(7_69, Currency.USD)) == "done"
        assert office.send(payer, shop, kes(1_000_00)) == "done"
        assert office.send(payer, shop, Money(7_69, Currency.USD)) == DayCooling.code

    def test_vouchers(self, office, two):
        _, shop = two
        office.fund(shop, kes(90_000_00))
        cool(office, shop)
        wanted = {
            "issuer": person(office, shop),
            "count": 11,
            "value": kes(100_00),
            "expires_at": office.house.clock().replace(year=2027),
            "press": PRESS,
            "actor": JANE,
        }
        with pytest.raises(AmountCooling):
            office.do(voucher_batches.issue, key="one", **wanted)
        office.do(voucher_batches.issue, key="two", **(wanted | {"count": 10}))

    def test_exchange_waits(self, office, two, house):
        payer, _ = two
        told = Rate(Currency.USD, Currency.KES, Decimal(129), Decimal(131), "test", house.clock())
        office.do(rates.record, rates=[told])
        wanted = {"subscriber": payer, "give": kes(500_00), "currency": Currency.USD}
        promised = office.do(exchange.quote, role="web", **wanted)
        until = cool(office, payer).until
        with pytest.raises(CoolingOff):
            office.do(exchange.quote, role="web", **wanted)
        office.do(exchange.order, role="web", subscriber=payer, quote=promised.id, key="x")
        house.ring()
        [(outcome,)] = house.bank.rows("SELECT outcome FROM orders WHERE key = 'x'")
        assert outcome == {"code": "cooling-off", "params": {"until": {"at": until.isoformat()}}}

    def test_setting_money_aside_waits(self, office, two, house):
        payer, _ = two
        cool(office, payer)
        with pytest.raises(CoolingOff):
            office.do(
                holds.place,
                owner=payer,
                amount=kes(1_00),
                key="k",
                expires_at=house.clock() + timedelta(hours=1),
            )

    def test_another_recovery_makes_it_neither_softer_nor_shorter(self, office, two, house):
        payer, shop = two
        strict = cool(office, payer, Kind.STRICT)
        assert strict.order_max == kes(500_00)
        assert office.send(payer, shop, kes(500_00)) == "done"
        house.clock.passes(hours=2)
        again = cool(office, payer)
        assert again == strict
        assert office.send(payer, shop, kes(500_00)) == "done"
        assert office.send(payer, shop, kes(1_00)) == DayCooling.code
        house.clock.now = strict.until
        assert cool(office, payer).order_max == kes(1_000_00)


def test_money_may_come_in(office, two):
    payer, shop = two
    cool(office, shop)
    assert office.send(payer, shop, kes(50_000_00)) == "done"


def test_a_quote_says_early_until_when_what(office, two, house):
    payer, _ = two
    until = cool(office, payer).until
    with house.databases["web"]() as session, pytest.raises(AmountCooling) as refused:
        transfers.quote(
            session, sender=person(office, payer), amount=shillings(1_001), now=house.clock()
        )
    assert refused.value.params == {"until": until, "most": kes(1_000_00)}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    sent=st.lists(st.integers(1_00, 900_00), max_size=3),
    kind=st.sampled_from([None, *Kind]),
    tier=st.sampled_from(["pending", "verified"]),
)
def test_my_limits_are_what_post_holds(house, sent, kind, tier):
    """What is left of the day can be sent, in parts no larger than the most; a cent more cannot."""
    house.reset()
    office = Office(house)
    payer = office.register("+254712000001", tier=tier)
    other = office.register("+254733000002", kind="merchant")
    office.fund(payer, kes(990_000_00))
    if kind is not None:
        cool(office, payer, kind)
    for amount in sent:
        office.send(payer, other, kes(amount))

    def may():
        with house.databases["web"]() as session:
            return limits.allowance(session, subscriber=payer, now=house.clock())

    first = may()
    assert (first.cooling_until is not None) == (kind is not None)
    if first.today > first.at_once:
        assert office.send(payer, other, first.at_once + kes(1)) != "done"
    while (left := may()).today.minor >= 1_00:
        part = min(left.today.minor, left.at_once.minor)
        assert office.send(payer, other, kes(part)) == "done"
    assert office.send(payer, other, kes(may().today.minor + 1_00)) != "done"


def test_every_refusal_of_the_functions_is_an_error_of_ours(house):
    [(said,)] = house.bank.rows(
        "SELECT string_agg(prosrc, '') FROM pg_proc"
        " WHERE proname IN ('cooling_refusal', 'close_account', 'renaming_refusal')"
    )
    codes = set(re.findall(r"'code', '([a-z-]+)'", said))
    assert len(codes) == 9
    assert codes - {error.code for error in leaves()} == set()
