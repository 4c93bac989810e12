"""The day's settlements: one that cannot be is nobody else's."""

from __future__ import annotations

from structlog.testing import capture_logs

from core import settlements
from core.audit import Actor
from workers.mpesa import sweeping

SHOP = Actor("+254712000001", "ussd", "session 7")


def daily(rail, *shops):
    for shop in shops:
        person = rail.person(shop).id
        rail.web(
            lambda session, person=person: settlements.set_daily(
                session, subscriber=person, is_daily=True, actor=SHOP, now=rail.now
            )
        )


def settled(rail, house):
    with capture_logs() as said:
        sweeping.sweep()
    rail.execute()
    payees = [row[0] for row in house.bank.rows("SELECT payee FROM withdrawals ORDER BY id")]
    return payees, [line["event"] for line in said if "settle" in line["event"]]


def test_a_merchant_whom_m_pesa_cannot_serve_stops_no_other(rail, house):
    foreign = house.register("+255712000009", name="Shop", balance="5,000")
    other = house.register("+254700000010", name="Shop", balance="5,000")
    daily(rail, foreign, other)
    payees, said = settled(rail, house)
    assert payees == ["+254700000010"]
    assert said == ["mpesa.settlement_not_ordered", "mpesa.settlements_ordered"]


def test_nor_does_one_with_whom_something_breaks(rail, house, monkeypatch):
    shops = [
        house.register(f"+25470000001{number}", name="Shop", balance="5,000") for number in range(2)
    ]
    daily(rail, *shops)
    whole, first = settlements.settle, rail.person(shops[0]).id

    def breaks(session, *, subscriber, now):
        if subscriber == first:
            raise KeyError(subscriber)
        return whole(session, subscriber=subscriber, now=now)

    monkeypatch.setattr(settlements, "settle", breaks)
    payees, said = settled(rail, house)
    assert payees == ["+254700000011"]
    assert said == ["mpesa.settlement_failed", "mpesa.settlements_ordered"]


def test_who_holds_nothing_is_no_matter(rail, house):
    daily(rail, house.register("+254700000010", name="Shop"))
    assert settled(rail, house) == ([], ["mpesa.nothing_to_settle"])
