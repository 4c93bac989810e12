"""Holds: set aside at once, gone on or come back exactly once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from core import chart, holds, ledger
from core.holds import HoldResolved, HoldTooSmall, UnknownHold
from core.ledger import InsufficientFunds
from core.limits import AccountSuspended, RecipientSuspended
from core.money import Currency, Money, kes
from core.orders import KeyReused
from workers import ledger as ledger_jobs


class Holds:
    """One person's holds, as a worker sees them."""

    def __init__(self, house, person) -> None:
        self.house = house
        self.owner, self.account = house.bank.rows(
            "SELECT id, account_id FROM subscribers WHERE msisdn = :m", m=person.phone.msisdn
        )[0]

    def place(self, minor, *, key="k", minutes=10, currency=Currency.KES):
        now = self.house.clock()
        with self.house.databases["worker"].begin() as session:
            return holds.place(
                session,
                owner=self.owner,
                amount=Money(minor, currency),
                key=key,
                expires_at=now + timedelta(minutes=minutes),
                now=now,
            )

    def capture(self, hold, *, to, amount=None):
        with self.house.databases["worker"].begin() as session:
            holds.capture(session, hold=hold, to=to, amount=amount, now=self.house.clock())

    def release(self, hold):
        with self.house.databases["worker"].begin() as session:
            holds.release(session, hold=hold, now=self.house.clock())

    @property
    def held(self):
        path = chart.HELD.named(Currency.KES, owner=self.owner)
        with self.house.databases["worker"]() as session:
            return ledger.balance(session, path=path)


@pytest.fixture
def hers(house, wanjiru):
    return Holds(house, wanjiru)


@pytest.fixture
def shop(house, otieno):
    return Holds(house, otieno).account


def test_held_money_can_be_spent_on_nothing_else(hers, wanjiru):
    hers.place(1000_00)
    assert (wanjiru.balance, hers.held) == (kes(250_00), kes(1000_00))
    with pytest.raises(InsufficientFunds) as refused:
        hers.place(250_01, key="another")
    assert refused.value.available == kes(250_00)
    assert hers.house.bank.one("SELECT count(*) FROM holds") == 1


def test_captured_in_part_for_its_owner_all_comes_back(hers, wanjiru):
    hold = hers.place(300_00)
    hers.capture(hold, to=hers.account, amount=kes(200_00))
    assert (wanjiru.balance, hers.held) == (kes(1250_00), kes(0))


def test_captured_in_part_the_rest_comes_back(hers, wanjiru, otieno, shop):
    hers.capture(hers.place(300_00), to=shop, amount=kes(200_00))
    assert (wanjiru.balance, otieno.balance, hers.held) == (kes(1050_00), kes(200_00), kes(0))


def test_captured_whole(hers, wanjiru, otieno, shop):
    hers.capture(hers.place(300_00), to=shop)
    assert (wanjiru.balance, otieno.balance, hers.held) == (kes(950_00), kes(300_00), kes(0))


def test_released(hers, wanjiru):
    hers.release(hers.place(300_00))
    assert (wanjiru.balance, hers.held) == (kes(1250_00), kes(0))


def test_placed_twice_under_one_key_is_one_hold(hers):
    assert hers.place(300_00) == hers.place(300_00)
    assert hers.held == kes(300_00)
    with pytest.raises(KeyReused):
        hers.place(300_01)


@pytest.mark.parametrize("minor", [0, -1, 300_01])
def test_no_more_is_captured_than_is_held(hers, shop, minor):
    hold = hers.place(300_00)
    with pytest.raises(HoldTooSmall):
        hers.capture(hold, to=shop, amount=kes(minor))
    with pytest.raises(HoldTooSmall):
        hers.capture(hold, to=shop, amount=Money(1, Currency.USD))
    assert hers.held == kes(300_00)
    hers.release(hold)  # what was refused has resolved nothing


def test_what_is_not_there_is_not_held_even_if_the_refusal_is_passed_over(hers, wanjiru):
    """Such a hold, released, would give out the money of another."""
    hers.place(300_00)
    now = hers.house.clock()
    with hers.house.databases["worker"].begin() as session, pytest.raises(InsufficientFunds):
        holds.place(
            session,
            owner=hers.owner,
            amount=kes(950_01),
            key="more",
            expires_at=now + timedelta(minutes=1),
            now=now,
        )
    assert hers.house.bank.one("SELECT count(*) FROM holds") == 1


@pytest.mark.parametrize("why", ["suspended", "too much", "too late", "to whom"])
def test_refused_a_capture_leaves_the_hold_to_be_released_at_once(hers, wanjiru, otieno, shop, why):
    hold = hers.place(300_00)
    amount = kes(300_01) if why == "too much" else None
    if why == "too late":
        hers.house.clock.passes(minutes=10)
    names = {"suspended": "Wanjiru", "to whom": "Otieno"}
    hers.house.bank.run(
        "UPDATE subscribers SET tier = 'suspended' WHERE name = :n", n=names.get(why, "")
    )
    with hers.house.databases["worker"].begin() as session:
        now = hers.house.clock()
        with pytest.raises((AccountSuspended, RecipientSuspended, HoldTooSmall, HoldResolved)):
            holds.capture(session, hold=hold, to=shop, amount=amount, now=now)
        holds.release(session, hold=hold, now=now)
    assert (wanjiru.balance, hers.held) == (kes(1250_00), kes(0))


def test_what_is_not_there_cannot_be_resolved(hers, shop):
    with pytest.raises(UnknownHold):
        hers.capture(7, to=shop)
    with pytest.raises(UnknownHold):
        hers.release(7)


def test_its_time_over_it_comes_back_and_cannot_be_captured(hers, wanjiru, shop):
    hold = hers.place(300_00, minutes=5)
    hers.place(100_00, key="longer", minutes=6)
    hers.house.clock.passes(minutes=5)
    with pytest.raises(HoldResolved):
        hers.capture(hold, to=shop)
    ledger_jobs.expire_holds()
    ledger_jobs.expire_holds()
    assert (wanjiru.balance, hers.held) == (kes(1150_00), kes(100_00))
    with pytest.raises(HoldResolved):
        hers.release(hold)


def test_a_hundred_at_once_resolve_it_once(hers, wanjiru, otieno, shop):
    hold = hers.place(300_00, minutes=5)

    def resolve(number):
        try:
            match number % 3:
                case 0:
                    hers.capture(hold, to=shop)
                case 1:
                    hers.release(hold)
                case _:
                    ledger_jobs.expire_holds()
                    return 0
        except HoldResolved:
            return 0
        return 1

    hers.house.clock.passes(minutes=4, seconds=59)
    with ThreadPoolExecutor(8) as hands:
        assert sum(hands.map(resolve, range(100))) == 1
    assert hers.held == kes(0)
    assert wanjiru.balance + otieno.balance == kes(1250_00)
    assert hers.house.bank.one("SELECT count(*) FROM journals WHERE key LIKE 'hold:%'") == 2


def test_a_resolution_is_final_for_everybody(hers):
    hers.release(hers.place(300_00))
    with pytest.raises(DBAPIError, match="that is final"):
        hers.house.bank.run("UPDATE holds SET state = 'open'")
