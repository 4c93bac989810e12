"""A database that was restored from an old copy moves no money over a rail, in or out."""

from __future__ import annotations

import pytest
import rail
from rail_line import Line
from rails_under_test import NAMES, ngn
from safaricom import until

from workers.mpesa import floats

JOURNALS = "SELECT count(*) FROM journals"
UNDONE = "SELECT count(*) FROM inbox WHERE done_at IS NULL"


@pytest.fixture
def lose(copies):
    """Restore a copy that lacks the newest journal; what was said before it, and after."""
    house = copies.house
    wanjiru = house.register("+254712000001", name="Wanjiru", balance="1,250")
    house.register("+254733000002", name="Otieno")

    def sends(amount: str) -> None:
        wanjiru.phone.dial().types("1", "0733000002", amount, "4071")

    def loses():
        house.sealer.once()
        copies.back_up("old")
        before = copies.said()
        sends("20")
        house.sealer.once()
        after = copies.said()
        copies.restore("old")
        sends("10")  # the first who asks finds the connections broken
        assert house.client.get("/ready").status_code == 503
        return before, after

    loses.wanjiru = wanjiru
    return loses


def test_mpesa_is_not_asked_to_pay_and_what_it_told_waits(copies, lose):
    house, wanjiru = copies.house, lose.wanjiru
    house.safaricom.begin()
    house.safaricom.phone("+254712000001", balance="2000.00")
    with rail.opened(house) as line:
        line.fund()
        deposit = line.expect(wanjiru, 500_00)
        house.clock.passes(seconds=3)
        house.safaricom_works()
        until(lambda: house.bank.one(UNDONE) == 1)
        withdrawal = line.withdraw(wanjiru, 300_00)
        moved = house.safaricom.moving()
        asked = len(house.safaricom.requests("stk"))
        said, _ = lose()

        before = house.bank.one(JOURNALS)
        house.clock.passes(minutes=3)
        late = line.expect(wanjiru, 200_00)
        house.clock.passes(minutes=1)
        for _ in range(2):
            house.safaricom_works()
            floats.look()
        assert house.bank.one(JOURNALS) == before
        assert house.bank.one(UNDONE) == 1
        assert moved("b2c") == 0
        assert len(house.safaricom.requests("stk")) == asked
        assert line.deposit_state(deposit) == "prompted"
        assert line.deposit_state(late) == "expected"
        assert line.withdrawal_state(withdrawal) == "requested"
        assert house.bank.one("SELECT count(*) FROM inquiries") == 0

        copies.say(said)
        house.clock.passes(minutes=3)
        house.safaricom_works()
        until(lambda: moved("b2c") == 300)
        until(lambda: house.bank.one(UNDONE) > 0)
        house.clock.passes(minutes=1)
        house.safaricom_works()
        assert line.deposit_state(deposit) == "settled"
        assert line.withdrawal_state(withdrawal) == "paid"


@pytest.mark.parametrize("name", NAMES)
def test_no_rail_is_asked_to_pay_and_what_it_told_waits(copies, lose, name):
    line = Line(copies.house, name)
    line.funded()
    page, withdrawal = line.page(ngn(250_000)), line.orders(100_000)
    line.person("pay", page)
    said, _ = lose()

    line.carry()
    late, before = line.asks(ngn(300_000)), copies.house.bank.one(JOURNALS)
    charges = len(line.fake.book()["charges"])
    for _ in range(2):
        line.works(minutes=2)
        line.sweeps()
    assert copies.house.bank.one(JOURNALS) == before
    assert copies.house.bank.one(UNDONE) == 1
    assert line.fake.book()["transfers"] == []
    assert len(line.fake.book()["charges"]) == charges
    assert line.deposit(page).state == "prompted"
    assert line.deposit(late).state == "expected"
    assert line.withdrawal(withdrawal).state == "requested"

    copies.say(said)
    line.works(minutes=2)
    assert copies.house.bank.one(UNDONE) == 0
    assert line.deposit(page).state == "settled"
    assert line.deposit(late).state == "prompted"
    line.bank("paid", withdrawal)
    line.works(minutes=2)
    assert line.withdrawal(withdrawal).state == "paid"


@pytest.mark.parametrize("call", ["verify", "transfer"])
def test_what_a_rail_answers_meanwhile_is_asked_for_again(copies, lose, monkeypatch, call):
    line = Line(copies.house, "paystack")
    line.funded()
    page, withdrawal = line.page(ngn(250_000)), line.orders(100_000)
    line.person("pay", page)
    before, after = lose()
    copies.say(before)
    client, journals = line.house_rail, []
    answer = getattr(client, call)

    def answers(**asked):
        copies.say(after)
        journals.append(copies.house.bank.one(JOURNALS))
        return answer(**asked)

    with monkeypatch.context() as patched:
        patched.setattr(client, call, answers)
        line.carry()
        line.works()
    assert journals == [copies.house.bank.one(JOURNALS)]
    assert line.withdrawal(withdrawal).state == ("requested" if call == "verify" else "sending")

    copies.say(before)
    for _ in range(3):
        line.works(minutes=5)
        line.sweeps()
    assert line.deposit(page).state == "settled"
    assert len(line.fake.book()["transfers"]) == 1
    line.bank("paid", withdrawal)
    line.works(minutes=30)
    assert line.withdrawal(withdrawal).state == "paid"
