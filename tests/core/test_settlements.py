"""Settlements: what a shop has taken goes to its owner's own number, on request or every day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import settlements
from core.audit import Actor
from core.ledger import InsufficientFunds
from core.limits import AccountSuspended, DailyLimitReached
from core.money import kes
from core.msisdn import InvalidMsisdn
from core.orders import Placed
from core.subscribers import Tier

SHOP = Actor("+254712000001", "ussd", "session 7")


@pytest.fixture
def rail(rail):
    rail.fund()
    return rail


@pytest.fixture
def shop(rail, wanjiru):
    rail.open_till(wanjiru)
    return wanjiru


def quoted(rail, someone):
    with rail.house.databases["web"]() as session:
        return settlements.quote(session, person=rail.person(someone), now=rail.now)


def daily(rail, someone, *, is_daily=True):
    person = rail.person(someone).id
    rail.web(
        lambda session: settlements.set_daily(
            session, subscriber=person, is_daily=is_daily, actor=SHOP, now=rail.now
        )
    )


def due(rail):
    with rail.house.databases["worker"]() as session:
        return settlements.due(session, now=rail.now, merchants_max=10)


def settle(rail, someone):
    person = rail.person(someone).id
    placed = rail.worker(
        lambda session: settlements.settle(session, subscriber=person, now=rail.now)
    )
    rail.execute()
    return placed


class TestOnRequest:
    def test_is_all_there_is_in_whole_shillings_less_what_it_costs(self, rail, shop):
        offer = quoted(rail, shop)
        assert (offer.amount, offer.fee, offer.tariff) == (kes(1_235_00), kes(10_00), kes(5_00))
        assert offer.total == kes(1_250_00)

    @pytest.mark.parametrize(
        ("balance", "amount"),
        [
            ("15", 10_00),
            ("105.99", 100_00),
            ("110", 100_00),
            ("112", 102_00),
            ("300,000", 250_000_00),
        ],
    )
    def test_whatever_is_held(self, rail, house, balance, amount):
        shop = house.register("+254700000009", name="Shop", balance=balance)
        assert quoted(rail, shop).amount == kes(amount)

    def test_too_little_is_not_settled(self, rail, house):
        shop = house.register("+254700000009", name="Shop", balance="5")
        with pytest.raises(InsufficientFunds) as refused:
            quoted(rail, shop)
        assert refused.value.requested == kes(15_00)


class TestEveryDay:
    def test_once_a_day(self, rail, shop):
        assert due(rail) == []
        daily(rail, shop)
        assert due(rail) == [rail.person(shop).id]
        assert isinstance(settle(rail, shop), Placed)
        assert settle(rail, shop) is None
        assert due(rail) == []
        [(purpose, payee, amount)] = rail.house.bank.rows(
            "SELECT purpose, payee, amount FROM withdrawals"
        )
        assert (purpose, payee, amount) == ("settlement", shop.phone.msisdn, 1_235_00)
        withdrawal = rail.house.bank.one("SELECT id FROM withdrawals")
        rail.send(withdrawal)
        rail.complete(withdrawal)
        assert rail.told(shop) == ["settlement-paid"]
        rail.house.clock.passes(days=1)
        assert due(rail) == [rail.person(shop).id]

    def test_the_day_is_nairobis(self, rail, shop):
        daily(rail, shop)
        settle(rail, shop)
        rail.house.clock.now = rail.now.replace(hour=20, minute=59)
        assert due(rail) == []
        rail.house.clock.now += timedelta(minutes=1)
        assert due(rail) == [rail.person(shop).id]

    def test_not_who_does_not_want_it_any_more(self, rail, shop):
        daily(rail, shop)
        daily(rail, shop, is_daily=False)
        assert due(rail) == []
        assert settle(rail, shop) is None

    def test_who_wanted_it_is_kept_where_it_was_otherwise(self, rail, shop):
        for is_daily in (True, True, False):
            daily(rail, shop, is_daily=is_daily)
        kept = rail.house.bank.rows(
            "SELECT actor, origin, request, subject, detail FROM audit_log"
            " WHERE action = 'daily-settlement-set' ORDER BY id"
        )
        who = ("+254712000001", "ussd", "session 7", f"subscriber:{rail.person(shop).id}")
        assert kept == [(*who, {"is_daily": True}), (*who, {"is_daily": False})]

    def test_what_stands_against_it_today_is_tried_again_tomorrow(self, rail, shop):
        daily(rail, shop)
        rail.set_tier(shop, Tier.SUSPENDED)
        assert isinstance(settle(rail, shop), AccountSuspended)
        assert due(rail) == []
        rail.house.clock.passes(days=1)
        assert due(rail) == [rail.person(shop).id]

    def test_who_is_not_m_pesas_is_tried_again_tomorrow(self, rail, house):
        """A number of another country, which M-Pesa does not serve."""
        shop = house.register("+255712000009", name="Shop", balance="5,000")
        daily(rail, shop)
        assert isinstance(settle(rail, shop), InvalidMsisdn)
        assert due(rail) == []


class TestWithinTheirLimits:
    @pytest.fixture
    def rich(self, rail, house):
        """A shop that holds more than it may take out at once, or in a day."""
        return house.register("+254700000009", name="Shop", balance="300,000")

    @pytest.fixture
    def bound(self, house):
        """Let everybody take out less for now; limits are kept from test to test."""
        before = house.bank.rows(
            "SELECT holder, tier, currency, valid_from, order_max, day_max FROM limits"
            " WHERE kind = 'withdrawal'"
        )

        def bound(**changes):
            words = ", ".join(f"{name} = {amount}" for name, amount in changes.items())
            house.bank.run(f"UPDATE limits SET {words} WHERE kind = 'withdrawal'")

        yield bound
        for row in before:
            house.bank.run(
                "UPDATE limits SET order_max = :order_max, day_max = :day_max"
                " WHERE kind = 'withdrawal' AND holder = :holder AND tier = :tier"
                " AND currency = :currency AND valid_from = :valid_from",
                **row._mapping,
            )

    def test_no_more_than_they_may_take_out_at_once(self, rail, house, rich, bound):
        bound(order_max=70_000_00)
        daily(rail, rich)
        assert quoted(rail, rich).amount == kes(70_000_00)
        assert isinstance(settle(rail, rich), Placed)
        assert house.bank.one("SELECT amount FROM withdrawals") == 70_000_00

    def test_no_more_than_is_left_of_the_day(self, rail, rich, bound):
        bound(order_max=70_000_00, day_max=100_000_00)
        rail.withdraw(rich, 60_000_00)
        assert quoted(rail, rich).amount == kes(40_000_00)
        rail.withdraw(rich, 40_000_00)
        with pytest.raises(DailyLimitReached):
            quoted(rail, rich)
        daily(rail, rich)
        assert isinstance(settle(rail, rich), DailyLimitReached)
