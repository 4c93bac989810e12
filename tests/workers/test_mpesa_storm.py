"""
A small storm: sixty deposits and sixty payouts while Safaricom fails at random and hands die.

`./run chaos --mpesa --long` is the whole one: two thousand of each, and real workers killed.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

import pytest
import requests
from safaricom import CALM

from chaos.mpesa import WEATHER
from core import chart, deposits, withdrawals
from sandbox.daraja.contract import Contract
from workers import reconcile
from workers.daraja.statement import OrganisationStatement
from workers.daraja.values import NAIROBI

SEED = 7
EACH = 60
PEOPLE = 12
OPEN = """
    SELECT (SELECT count(*) FROM deposits
            WHERE state IN ('expected', 'prompting', 'prompted', 'unsure'))
         + (SELECT count(*) FROM withdrawals
            WHERE state IN ('requested', 'sending', 'sent', 'unsure'))
         + (SELECT count(*) FROM paybill_payments WHERE state = 'unconfirmed')
"""
ROUNDS_MAX = 60


A_MONTH = timedelta(days=30)


class Died(BaseException):
    """A worker was killed."""


@pytest.fixture
def mortal(monkeypatch):
    """Let every tenth hand die between Safaricom's answer and our commit of it."""
    chance = Random(SEED)

    def dies(module, name: str) -> None:
        whole = getattr(module, name)

        def live_or_die(*args, **more):
            if chance.random() < 0.1:
                raise Died
            return whole(*args, **more)

        monkeypatch.setattr(module, name, live_or_die)

    for module, name in ((deposits, "prompted"), (withdrawals, "sent"), (withdrawals, "unsure")):
        dies(module, name)


def work(house) -> None:
    with suppress(Died):
        house.safaricom.work(house)


def since(now, before, kind):
    return round((float(now[kind]["amount"]) - float(before[kind]["amount"])) * 100)


def test_three_books_agree_after_a_storm(rail, house, mortal, tmp_path):
    chance = Random(SEED)
    people = [
        house.register(f"+25472200{number:04}", name=f"Person {number}", balance="5,000")
        for number in range(PEOPLE)
    ]
    for person in people:
        house.safaricom.phone(person.phone.msisdn, balance="100000.00")
    house.safaricom.register()
    house.safaricom.terms(**CALM)
    before = house.safaricom.totals()
    began = datetime.now(NAIROBI)
    weights = {name: weight for name, weight in WEATHER.items() if name != "slow-body"}
    quick = {"seed": SEED, "weights": weights}
    requests.put(house.safaricom.control("weather"), json=quick, timeout=5).raise_for_status()
    for wave in range(EACH // PEOPLE):
        for person in people:
            least, most = (50, 900) if wave else (5_001, 5_900)
            rail.expect(person, chance.randrange(least, most) * 100)
            rail.withdraw(person, chance.randrange(10, 200) * 100)
        house.clock.passes(seconds=4)
        for _again in range(3):
            work(house)
            time.sleep(0.05)
        house.clock.passes(minutes=3)
    for _round in range(ROUNDS_MAX):
        work(house)
        time.sleep(0.1)
        work(house)
        if not house.bank.one(OPEN):
            break
        house.clock.passes(minutes=2, seconds=10)
    assert house.bank.one(OPEN) == 0
    totals = house.safaricom.totals()
    came, went = since(totals, before, "c2b"), since(totals, before, "b2c")
    assert came > 0
    assert went > 0
    states = house.bank.rows("SELECT state, count(*) FROM deposits GROUP BY 1 ORDER BY 1")
    assert {row[0] for row in states} <= {"settled", "failed", "expired"}, states
    assert came == house.bank.one("SELECT sum(amount) FROM deposits WHERE state = 'settled'")
    assert went == house.bank.one("SELECT sum(amount) FROM withdrawals WHERE state = 'paid'")
    assert rail.balance(chart.MPESA_PAYBILL) == -came
    assert rail.balance(chart.MPESA_UTILITY) == -100_000_00 + went
    assert rail.balance(chart.MPESA_SUSPENSE) == rail.balance(chart.MPESA_UNDERWAY) == 0
    told_twice = house.bank.rows(
        "SELECT facts ->> 'reference' FROM outbox WHERE event IN ('deposit-settled',"
        " 'deposit-failed', 'withdrawal-paid', 'withdrawal-failed') GROUP BY 1 HAVING count(*) > 1"
    )
    assert told_twice == []
    paths = []
    for shortcode in (Contract().shortcode, Contract().payer):
        lines = requests.get(
            house.safaricom.control("statement"),
            params={"shortcode": shortcode, "from": f"{began:%Y-%m-%dT%H:%M:%S}"},
            timeout=5,
        ).text
        paths.append(tmp_path / f"{shortcode}.csv")
        paths[-1].write_text(lines)
    # Our times are the tests', and not Safaricom's: the receipts and the amounts count here.
    statement = OrganisationStatement(tuple(paths), late_after=A_MONTH, reach=A_MONTH)
    summary = reconcile.bill(house.databases["worker"], statement, None)
    assert [(each.kind, each.subject) for each in summary.opened] == []
    assert summary.looked_at >= len(house.bank.rows("SELECT 1 FROM withdrawals WHERE state='paid'"))
