"""What a person holds, and what became of what they asked back, as a phone asks for it."""

from __future__ import annotations

import pytest
from currencies import give

from core import holdings, reversals
from core.audit import Actor
from core.holdings import LISTED
from core.money import Currency, Money, kes
from core.reversals import ReversalState

HERS = Actor("+254712000001", "ussd", "r1")


def owner(house, person) -> int:
    return house.bank.one("SELECT id FROM subscribers WHERE msisdn = :m", m=person.phone.msisdn)


def test_every_currency_is_listed_once():
    assert sorted(LISTED) == sorted(Currency)


def test_main_accounts_alone_are_held_in_the_order_of_the_list(house, wanjiru, otieno):
    give(house, wanjiru, Money(3, Currency.BTC))
    give(house, wanjiru, Money(2, Currency.USD))
    give(house, otieno, Money(1, Currency.GBP))
    me = owner(house, wanjiru)
    house.bank.run(
        "INSERT INTO accounts (path, currency, balance_min, holder_id)"
        f" VALUES ('user:{me}:held:kes', 'KES', 0, {me})"
    )
    with house.databases["web"]() as session:
        mine = holdings.held(session, subscriber=me)
    assert [holding.balance for holding in mine] == [
        kes(1250_00),
        Money(2, Currency.USD),
        Money(3, Currency.BTC),
    ]
    paths = [house.bank.one("SELECT path FROM accounts WHERE id = :i", i=h.account) for h in mine]
    assert paths == [f"user:{me}:main:{currency}" for currency in ("kes", "usd", "btc")]


class TestWhatWasAskedBack:
    @pytest.fixture
    def reference(self, house, wanjiru, otieno):
        wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
        return house.bank.one("SELECT reference FROM orders")

    def state(self, house, person, reference):
        with house.databases["web"]() as session:
            found = reversals.states(
                session, subscriber=owner(house, person), references=[reference, "TXXXXXXXXX"]
            )
        return found.get(reference)

    def ask(self, house, wanjiru, reference):
        with house.databases["web"].begin() as session:
            return reversals.request(
                session,
                subscriber=owner(house, wanjiru),
                reference=reference,
                actor=HERS,
                reason="Wrong",
                now=house.clock(),
            )

    def test_is_the_newest_answer_and_told_to_who_asked_alone(
        self, house, wanjiru, otieno, reference
    ):
        assert self.state(house, wanjiru, reference) is None
        first = self.ask(house, wanjiru, reference)
        assert self.state(house, wanjiru, reference) is ReversalState.REQUESTED
        assert self.state(house, otieno, reference) is None
        jane = Actor("staff:jane", "desk", "r2")
        with house.databases["worker"].begin() as session:
            reversals.decline(session, reversal=first, actor=jane, note="No", now=house.clock())
        assert self.state(house, wanjiru, reference) is ReversalState.DECLINED
        self.ask(house, wanjiru, reference)
        assert self.state(house, wanjiru, reference) is ReversalState.REQUESTED
